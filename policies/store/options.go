package store

import (
	"errors"
	"time"
)

// ErrAway says that the engine did not answer in time, or that there is no
// connection to it. Whether what was asked has happened is not known.
var ErrAway = errors.New("the policy store does not answer")

// ErrInUse says that another process has the engine of a state directory.
var ErrInUse = errors.New("another process uses this state directory: give each service a folder of its own")

// Options say which engine is used and how. Dir or Servers is set.
type Options struct {
	// Dir is the folder of the embedded engine, which is made if need be.
	Dir string
	// Join uses the engine of the process that has Dir, if there is one, instead of
	// refusing with ErrInUse. It is for commands beside a service.
	Join bool
	// MaxBytes is the most that the embedded engine may store, in bytes; 0 is 10 GiB.
	MaxBytes int64
	// Listen is a TCP address on which the embedded engine serves others; empty for
	// none. Token, and beyond loopback CertFile and KeyFile, must be set with it.
	Listen            string
	CertFile, KeyFile string

	// Servers are the URLs of an engine elsewhere, such as nats://nats-1:4222.
	Servers []string
	// CredentialsFile is a NATS credentials file (JWT and seed), or empty.
	CredentialsFile string
	// CAFile, ClientCertFile and ClientKeyFile are for TLS; without CAFile the
	// system's authorities are trusted.
	CAFile, ClientCertFile, ClientKeyFile string
	// Token is a shared secret: what the embedded engine asks of others, and what
	// an engine elsewhere is told. Empty for none.
	Token string
	// Replicas is how many servers of a cluster keep each record: 1, 3 or 5; 0 is 1.
	Replicas int
	// Prefix begins the names of whatever is stored, so that several fleets may use
	// one engine; empty is sluice.
	Prefix string

	// Instance names this process to the engine and in the fleet.
	Instance string
	// KeepRevisions is how many revisions of the policy set are kept; 0 is 100.
	KeepRevisions int
	// KeepDecisions and KeepDecisionBytes bound the stream of decisions by age and
	// size; 0 is 30 days and 2 GiB.
	KeepDecisions     time.Duration
	KeepDecisionBytes int64
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Told, when not nil, is called with what an operator should know. It is called
	// by several goroutines.
	Told func(Happening)
}

// Happening is something that an operator should know of the store.
type Happening struct {
	// What is one of the constants below.
	What string
	// Detail says more, and Err why.
	Detail string
	Err    error
}

// What happens to a store.
const (
	// Lost is that the connection to the engine broke, Found that it is back.
	Lost  = "lost"
	Found = "found"
	// Engine is a warning or an error of the embedded engine itself.
	Engine = "engine"
	// Odd is a record that cannot be read and is passed over.
	Odd = "odd"
)

// The times that calls to the engine may take. A call that a decision waits for has
// a budget of the caller's instead.
const (
	// callTime is for one message and its acknowledgement.
	callTime = 5 * time.Second
	// setUpTime is for making a stream, which a cluster first has to agree on.
	setUpTime = 10 * time.Second
	// startTime is how long an embedded engine may take to start: it reads what it
	// has stored.
	startTime = 60 * time.Second
	// joinTime is how long a second process waits for the first one's engine, and a
	// service for a command that has it.
	joinTime = 5 * time.Second
)

func (o *Options) fill() {
	setDefault(&o.MaxBytes, 10<<30)
	setDefault(&o.Replicas, 1)
	setDefault(&o.Prefix, "sluice")
	setDefault(&o.KeepRevisions, 100)
	setDefault(&o.KeepDecisions, 30*24*time.Hour)
	setDefault(&o.KeepDecisionBytes, 2<<30)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Told == nil {
		o.Told = func(Happening) {}
	}
}

func setDefault[T comparable](to *T, value T) {
	var zero T
	if *to == zero {
		*to = value
	}
}
