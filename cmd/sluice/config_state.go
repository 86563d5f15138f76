package main

import (
	"encoding/json"
	"net"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/policies/store"
)

// stateConfig is the policy store: what is shared and what survives a restart.
type stateConfig struct {
	// engine says which one; it has neither Dir nor Servers where there is no store.
	engine store.Options
	// tokenFile has the secret of the engine; empty for none.
	tokenFile string
	// budget is how long a decision waits for the store.
	budget time.Duration
}

// set reports whether there is a store.
func (c *stateConfig) set() bool { return c.engine.Dir != "" || len(c.engine.Servers) > 0 }

func defaultState() stateConfig { return stateConfig{budget: 50 * time.Millisecond} }

// stateSchema is the JSON Schema of state in the configuration.
const stateSchema = `{"type": "object", "additionalProperties": false, "minProperties": 1, "description": "The policy store: revisions of policies, grants, revocations, counters and the fleet, on NATS JetStream.", "properties": {
	"dir": {"type": "string", "minLength": 1, "description": "The folder of the engine inside this service, which is made if need be and which one service has for itself."},
	"max_bytes": {"type": ["integer", "string"], "default": "10 GiB", "description": "The most that this engine stores."},
	"listen": {"type": "string", "minLength": 1, "description": "A TCP address on which this engine serves other services; without it there is none. It needs token_file."},
	"token_file": {"type": "string", "minLength": 1, "description": "A file with the secret that the engine asks of whoever connects over TCP: 16 characters or more."},
	"cert_file": {"type": "string", "minLength": 1, "description": "The certificate of listen (PEM), which it needs beyond loopback."},
	"key_file": {"type": "string", "minLength": 1, "description": "Its key (PEM)."},
	"nats": {"type": "object", "additionalProperties": false, "required": ["servers"], "description": "An engine elsewhere, instead of dir: a NATS server or cluster with JetStream.", "properties": {
		"servers": {"type": "array", "minItems": 1, "maxItems": 64, "uniqueItems": true, "items": {"type": "string", "minLength": 1}, "description": "Its URLs, such as nats://nats-1:4222 or tls://nats-1:4222."},
		"credentials_file": {"type": "string", "minLength": 1, "description": "A file with NATS credentials (JWT and seed)."},
		"token_file": {"type": "string", "minLength": 1, "description": "A file with the token that the servers ask for."},
		"ca_file": {"type": "string", "minLength": 1, "description": "The authorities that sign the servers' certificates (PEM); those of the system if left out."},
		"cert_file": {"type": "string", "minLength": 1, "description": "The certificate that this service shows (PEM)."},
		"key_file": {"type": "string", "minLength": 1, "description": "Its key (PEM)."},
		"replicas": {"enum": [1, 3, 5], "default": 3, "description": "How many servers keep each record."},
		"prefix": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,32}$", "default": "sluice", "description": "What the names of streams and buckets begin with: one for each fleet."}
	}},
	"instance": {"type": "string", "minLength": 1, "maxLength": 128, "description": "What the fleet calls this service; by default journal.instance, or the name of the machine."},
	"budget": {"type": "string", "minLength": 1, "default": "50ms", "description": "How long a decision waits for the store before the rule's on_error answers."},
	"keep_revisions": {"type": "integer", "minimum": 2, "maximum": 100000, "default": 100, "description": "How many revisions of the policies are kept."},
	"keep_decisions": {"type": "string", "minLength": 1, "default": "30d", "description": "How long decisions are kept in the store's stream, if a sink sends them there."},
	"keep_decision_bytes": {"type": ["integer", "string"], "default": "2 GiB", "description": "How large that stream becomes."}
}}`

// stateSpec is state as it is written.
type stateSpec struct {
	Dir       string          `json:"dir"`
	MaxBytes  json.RawMessage `json:"max_bytes"`
	Listen    string          `json:"listen"`
	TokenFile string          `json:"token_file"`
	CertFile  string          `json:"cert_file"`
	KeyFile   string          `json:"key_file"`
	NATS      *natsSpec       `json:"nats"`
	Instance  string          `json:"instance"`
	Budget    string          `json:"budget"`

	KeepRevisions     json.Number     `json:"keep_revisions"`
	KeepDecisions     string          `json:"keep_decisions"`
	KeepDecisionBytes json.RawMessage `json:"keep_decision_bytes"`
}

// natsSpec is state.nats as it is written.
type natsSpec struct {
	Servers         []string    `json:"servers"`
	CredentialsFile string      `json:"credentials_file"`
	TokenFile       string      `json:"token_file"`
	CAFile          string      `json:"ca_file"`
	CertFile        string      `json:"cert_file"`
	KeyFile         string      `json:"key_file"`
	Replicas        json.Number `json:"replicas"`
	Prefix          string      `json:"prefix"`
}

// applyState takes over state.
func (c *config) applyState(doc *document.Document, spec *stateSpec) (faults document.Faults) {
	if spec == nil {
		return nil
	}
	to := &c.state
	to.engine = store.Options{
		Dir: spec.Dir, Listen: spec.Listen, CertFile: spec.CertFile, KeyFile: spec.KeyFile, MaxBytes: 10 << 30,
		KeepDecisions: 30 * day, KeepDecisionBytes: 2 << 30, Instance: spec.Instance,
	}
	to.tokenFile = spec.TokenFile
	if to.engine.Instance == "" {
		to.engine.Instance = c.journal.instance()
	}
	switch n := spec.NATS; {
	case n == nil && spec.Dir == "":
		return append(faults, doc.At("/state", "this names no engine: write dir for one inside this service, or nats for one elsewhere"))
	case n == nil:
		faults = append(faults, checkStateListen(doc, spec)...)
	case spec.Dir != "":
		faults = append(faults, doc.At("/state/nats", "dir and nats are two engines: leave out one of them"))
	default:
		faults = append(faults, to.applyNATS(doc, n, spec)...)
	}
	for _, d := range []struct {
		key, text   string
		to          *time.Duration
		least, most time.Duration
		example     string
	}{
		{"budget", spec.Budget, &to.budget, time.Millisecond, 10 * time.Second, "50ms, from 1ms to 10s"},
		{"keep_decisions", spec.KeepDecisions, &to.engine.KeepDecisions, time.Hour, 3650 * day, "720h or 30d, from 1h to 3650d"},
	} {
		if d.text == "" {
			continue
		}
		value, err := parseAge(d.text)
		if err != nil || value < d.least || value > d.most {
			faults = append(faults, doc.At("/state/"+d.key, "%q is not a time such as %s", d.text, d.example))
			continue
		}
		*d.to = value
	}
	faults = append(faults, countAt(doc, "/state/keep_revisions", spec.KeepRevisions, &to.engine.KeepRevisions)...)
	faults = append(faults, sizeAt(doc, "/state/max_bytes", spec.MaxBytes, 1<<50, &to.engine.MaxBytes)...)
	return append(faults, sizeAt(doc, "/state/keep_decision_bytes", spec.KeepDecisionBytes, 1<<50, &to.engine.KeepDecisionBytes)...)
}

// checkStateListen looks at what lets others use the engine of this service.
func checkStateListen(doc *document.Document, spec *stateSpec) (faults document.Faults) {
	if (spec.CertFile == "") != (spec.KeyFile == "") {
		faults = append(faults, doc.At("/state", "cert_file and key_file go together"))
	}
	if spec.Listen == "" {
		return faults
	}
	host, _, err := net.SplitHostPort(spec.Listen)
	switch {
	case err != nil:
		faults = append(faults, doc.At("/state/listen", "%q is not an address such as 127.0.0.1:4222", spec.Listen))
	case spec.TokenFile == "":
		faults = append(faults, doc.At("/state/listen", "whoever connects could change the policies: name a token_file"))
	case spec.CertFile == "" && !isLoopback(host):
		faults = append(faults, doc.At("/state/listen", "beyond loopback the token would travel in the clear: name cert_file and key_file"))
	}
	return faults
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// applyNATS takes over state.nats.
func (c *stateConfig) applyNATS(doc *document.Document, n *natsSpec, spec *stateSpec) (faults document.Faults) {
	for _, own := range []struct{ key, value string }{
		{"listen", spec.Listen},
		{"token_file", spec.TokenFile},
		{"cert_file", spec.CertFile},
		{"key_file", spec.KeyFile},
		{"max_bytes", string(spec.MaxBytes)},
	} {
		if own.value != "" {
			faults = append(faults, doc.At("/state/"+own.key, "this is for the engine inside this service, and nats names one elsewhere"))
		}
	}
	if (n.CertFile == "") != (n.KeyFile == "") {
		faults = append(faults, doc.At("/state/nats", "cert_file and key_file go together"))
	}
	for i, server := range n.Servers {
		u, err := url.Parse(server)
		if err != nil || u.Host == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) {
			faults = append(faults, doc.At("/state/nats/servers/"+strconv.Itoa(i), "this is not a URL such as nats://nats-1:4222 or tls://nats-1:4222"))
		}
	}
	c.tokenFile = n.TokenFile
	c.engine.Servers, c.engine.CredentialsFile, c.engine.CAFile = n.Servers, n.CredentialsFile, n.CAFile
	c.engine.ClientCertFile, c.engine.ClientKeyFile, c.engine.Prefix = n.CertFile, n.KeyFile, n.Prefix
	c.engine.Replicas = 3
	return append(faults, countAt(doc, "/state/nats/replicas", n.Replicas, &c.engine.Replicas)...)
}
