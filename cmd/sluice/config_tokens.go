package main

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/sluiceproject/sluice/policies/document"
)

// tokensConfig is how tokens are given out.
type tokensConfig struct {
	// listen is the address of the token endpoint, serviceListener for the one of
	// file events, or empty: no tokens.
	listen            string
	certFile, keyFile string
	issuer            string
	transfer          transferConfig
	node              nodeConfig
	bearer            bearerConfig
	// unregistered has tokens given out that the policy store could not register.
	unregistered bool
}

// serviceListener is what tokens.listen says where tokens are asked for at the
// address of file events.
const serviceListener = "service"

// The issuers of tokens.
const (
	issuerLocal  = "local"
	issuerNode   = "node"
	issuerBearer = "bearer"
)

// transferConfig is what transfer specs say of the Aspera server, where no node
// says it.
type transferConfig struct {
	RemoteHost       string
	SSHPort          int
	FASPPort         int
	HTTPFallback     bool
	HTTPFallbackPort int
	Cipher           string
}

// nodeConfig is the Aspera node that makes tokens.
type nodeConfig struct {
	URL, User, PasswordFile, CAFile, PinSHA256 string
	Timeout                                    time.Duration
	Connections, Waiting                       int
}

// bearerConfig is the access key for which bearer tokens are signed.
type bearerConfig struct{ AccessKey, UserID, PrivateKeyFile string }

func defaultTokens() tokensConfig {
	return tokensConfig{
		issuer:   issuerLocal,
		transfer: transferConfig{SSHPort: 33001, FASPPort: 33001, HTTPFallbackPort: 8080, Cipher: "aes-128"},
		node:     nodeConfig{Timeout: 10 * time.Second, Connections: 16, Waiting: 64},
	}
}

// tokensSchema is the JSON Schema of tokens in the configuration.
const tokensSchema = `{"type": "object", "additionalProperties": false, "required": ["listen"], "description": "The token endpoint.", "properties": {
	"listen": {"type": "string", "minLength": 1, "description": "Address on which tokens are asked for, or service: the one of file events.", "examples": ["127.0.0.1:9092"]},
	"tls": {"type": "object", "additionalProperties": false, "required": ["cert_file", "key_file"], "description": "Files in PEM, for https.", "properties": {
		"cert_file": {"type": "string", "minLength": 1, "description": "The certificate, and those that vouch for it."},
		"key_file": {"type": "string", "minLength": 1, "description": "Its key."}
	}},
	"issuer": {"enum": ["local", "node", "bearer"], "default": "local", "description": "Who makes tokens: this service, an Aspera node behind it, or this service with the key of an access key."},
	"on_unregistered": {"enum": ["refuse", "issue"], "default": "refuse", "description": "What happens to a token that the policy store cannot register, so that it would not be listed and not be found by its id: it is not given out (503), or it is all the same."},
	"transfer": {"type": "object", "additionalProperties": false, "minProperties": 1, "description": "What transfer specs say of the Aspera server; with the issuer node it is the node that says it.", "properties": {
		"remote_host": {"type": "string", "minLength": 1, "description": "Where clients connect to."},
		"ssh_port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 33001},
		"fasp_port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 33001},
		"http_fallback": {"type": "boolean", "default": false},
		"http_fallback_port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 8080},
		"cipher": {"enum": ["none", "aes-128", "aes-192", "aes-256"], "default": "aes-128"}
	}},
	"node": {"type": "object", "additionalProperties": false, "required": ["url", "user", "password_file"], "description": "The Aspera node that is asked.", "properties": {
		"url": {"type": "string", "minLength": 1, "description": "Its Node API: https, or http on this machine.", "examples": ["https://hst.example.com:9092"]},
		"user": {"type": "string", "minLength": 1, "description": "The node user, or access key."},
		"password_file": {"type": "string", "minLength": 1, "description": "A file with its password, or secret."},
		"ca_file": {"type": "string", "minLength": 1, "description": "The authorities, in PEM, that vouch for the node; by default those of the operating system."},
		"pin_sha256": {"type": "string", "description": "Instead of authorities: the SHA-256 of the public key of the node's certificate, in hexadecimal digits."},
		"timeout": {"type": "string", "minLength": 1, "default": "10s", "description": "How long one question may take."},
		"connections": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 16, "description": "How many questions are asked at once."},
		"waiting": {"type": "integer", "minimum": 0, "maximum": 100000, "default": 64, "description": "How many more may wait for that."}
	}},
	"bearer": {"type": "object", "additionalProperties": false, "required": ["access_key", "private_key_file"], "description": "The access key for which bearer tokens are made.", "properties": {
		"access_key": {"type": "string", "minLength": 1, "description": "Its id."},
		"user_id": {"type": "string", "minLength": 1, "description": "The user that tokens are for; by default the transfer user of the client."},
		"private_key_file": {"type": "string", "minLength": 1, "description": "The RSA key, in PEM, to whose public key the access key's token_verification_key is set."}
	}}
}}`

// tokensSpec is tokens as it is written.
type tokensSpec struct {
	Listen string `json:"listen"`
	TLS    *struct {
		CertFile string `json:"cert_file"`
		KeyFile  string `json:"key_file"`
	} `json:"tls"`
	Issuer string `json:"issuer"`

	OnUnregistered string `json:"on_unregistered"`

	Transfer struct {
		RemoteHost       string      `json:"remote_host"`
		SSHPort          json.Number `json:"ssh_port"`
		FASPPort         json.Number `json:"fasp_port"`
		HTTPFallback     bool        `json:"http_fallback"`
		HTTPFallbackPort json.Number `json:"http_fallback_port"`
		Cipher           string      `json:"cipher"`
	} `json:"transfer"`
	Node struct {
		URL          string      `json:"url"`
		User         string      `json:"user"`
		PasswordFile string      `json:"password_file"`
		CAFile       string      `json:"ca_file"`
		PinSHA256    string      `json:"pin_sha256"`
		Timeout      string      `json:"timeout"`
		Connections  json.Number `json:"connections"`
		Waiting      json.Number `json:"waiting"`
	} `json:"node"`
	Bearer struct {
		AccessKey      string `json:"access_key"`
		UserID         string `json:"user_id"`
		PrivateKeyFile string `json:"private_key_file"`
	} `json:"bearer"`
}

// applyTokens takes over tokens, but for what the named files have in them.
func (c *config) applyTokens(doc *document.Document, spec *tokensSpec) (faults document.Faults) {
	t := &c.tokens
	t.listen, t.issuer = spec.Listen, cmp.Or(spec.Issuer, t.issuer)
	t.unregistered = spec.OnUnregistered == "issue"
	if spec.OnUnregistered != "" && !hasState(doc) {
		faults = append(faults, doc.AtKey("/tokens/on_unregistered", "without a policy store no token is registered").WithHint("add state"))
	}
	if spec.TLS != nil {
		t.certFile, t.keyFile = spec.TLS.CertFile, spec.TLS.KeyFile
		if t.listen == serviceListener {
			faults = append(faults, doc.AtKey("/tokens/tls", "tokens that are asked for at the address of file events have no TLS of their own").
				WithHint("give tokens.listen an address, such as 0.0.0.0:9092"))
		}
	}
	t.transfer.RemoteHost, t.transfer.HTTPFallback = spec.Transfer.RemoteHost, spec.Transfer.HTTPFallback
	t.transfer.Cipher = cmp.Or(spec.Transfer.Cipher, t.transfer.Cipher)
	t.node.URL, t.node.User, t.node.PasswordFile, t.node.CAFile, t.node.PinSHA256 = spec.Node.URL, spec.Node.User, spec.Node.PasswordFile, spec.Node.CAFile, spec.Node.PinSHA256
	t.bearer = bearerConfig{spec.Bearer.AccessKey, spec.Bearer.UserID, spec.Bearer.PrivateKeyFile}
	for _, n := range []struct {
		at   string
		from json.Number
		to   *int
	}{
		{"/tokens/transfer/ssh_port", spec.Transfer.SSHPort, &t.transfer.SSHPort},
		{"/tokens/transfer/fasp_port", spec.Transfer.FASPPort, &t.transfer.FASPPort},
		{"/tokens/transfer/http_fallback_port", spec.Transfer.HTTPFallbackPort, &t.transfer.HTTPFallbackPort},
		{"/tokens/node/connections", spec.Node.Connections, &t.node.Connections},
		{"/tokens/node/waiting", spec.Node.Waiting, &t.node.Waiting},
	} {
		faults = append(faults, countAt(doc, n.at, n.from, n.to)...)
	}
	if spec.Node.Timeout != "" {
		value, err := time.ParseDuration(spec.Node.Timeout)
		if err != nil || value < time.Millisecond || value > time.Minute {
			faults = append(faults, doc.At("/tokens/node/timeout", "%q is not a time such as 500ms or 10s, from 1ms to 1m", spec.Node.Timeout))
		}
		t.node.Timeout = value
	}
	return append(faults, t.fitting(doc)...)
}

// fitting looks at whether what is configured goes with the issuer.
func (t *tokensConfig) fitting(doc *document.Document) (faults document.Faults) {
	root, _ := doc.Tree.(map[string]any)
	written, _ := root["tokens"].(map[string]any)
	_, chosen := written["issuer"]
	for _, name := range []string{issuerNode, issuerBearer} {
		_, has := written[name]
		switch {
		case t.issuer == name && !has && written != nil:
			faults = append(faults, doc.At("/tokens/issuer", "the issuer %s wants settings of its own", name).WithHint("add tokens."+name))
		case has && !chosen: // Otherwise tokens would be local ones, which no server knows.
			faults = append(faults, doc.AtKey("/tokens/"+name, "nothing says who makes tokens").WithHint("add issuer: "+name))
		}
	}
	if t.node.PinSHA256 != "" {
		if sum, err := hex.DecodeString(t.node.PinSHA256); err != nil || len(sum) != 32 {
			faults = append(faults, doc.At("/tokens/node/pin_sha256", "this is not the SHA-256 of a public key, 64 hexadecimal digits"))
		}
	}
	return faults
}
