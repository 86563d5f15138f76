package validator

import "time"

// Limits bound what one caller, or all of them, can make the service hold.
type Limits struct {
	// Body is the largest event, in bytes; a larger one is malformed.
	Body int64
	// Header is the largest header block, in bytes; a larger one gets 431.
	Header int
	// HeaderTime is how long the header may take to arrive; after it the
	// connection is closed.
	HeaderTime time.Duration
	// ReadTime is how long header and body together may take; an event that
	// takes longer is refused with CodeTimeout.
	ReadTime time.Duration
	// IdleTime is how long a kept connection may wait for its next request.
	IdleTime time.Duration
	// Connections is how many connections may be open; one more is closed at
	// once. From three quarters of it on, connections are not kept.
	Connections int
	// Requests is how many events may be decided at once; one more is refused
	// with CodeOverloaded at once.
	Requests int
}

// DefaultLimits are generous for any Aspera server: five validators a session
// make 400 sessions out of 2,000 requests.
func DefaultLimits() Limits {
	return Limits{
		Body: 1 << 20, Header: 64 << 10,
		HeaderTime: 10 * time.Second, ReadTime: 30 * time.Second, IdleTime: 2 * time.Minute,
		Connections: 10_000, Requests: 2_000,
	}
}
