package store

import (
	"strings"

	"github.com/nats-io/nats.go"
)

// secured returns how an engine elsewhere is convinced of us, and we of it.
func (o *Options) secured() (options []nats.Option) {
	if o.CredentialsFile != "" {
		options = append(options, nats.UserCredentials(o.CredentialsFile))
	}
	if o.CAFile != "" {
		options = append(options, nats.RootCAs(o.CAFile))
	}
	if o.ClientCertFile != "" {
		options = append(options, nats.ClientCert(o.ClientCertFile, o.ClientKeyFile))
	}
	return options
}

func joinURLs(servers []string) string { return strings.Join(servers, ",") }
