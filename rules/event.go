package rules

import (
	"fmt"
	"net/netip"
	"time"
)

// Number is a whole number that an event may leave out. An absent number is
// not zero: a limit that is asked about it cannot tell.
type Number struct {
	Value int64
	Known bool
}

// Known returns a Number that the event gave.
func Known(v int64) Number { return Number{Value: v, Known: true} }

// Event is one thing that an Aspera server asks about: a file that starts,
// passes the threshold or stops, a session, or (phase request) a path for which
// a token is wanted. It holds what rules use, not what the wire has; rules only
// read it. An Event is decided by one goroutine at a time.
type Event struct {
	// ID names the event and the decision made about it.
	ID ID
	// Received is when the event arrived: the clock of every rule.
	Received time.Time
	// Phase is the moment of the transfer; PhaseUnknown for a malformed event.
	Phase Phase
	// Direction is seen from the person who transfers.
	Direction Direction

	// SessionID names one ascp session; TransferID joins the sessions of one
	// transfer and may be empty.
	SessionID, TransferID string
	// Host is the Aspera server, as it names itself.
	Host string
	// ClientIP is the client's address as text; ClientAddr is the same parsed
	// and unmapped, invalid where the text is not an address.
	ClientIP   string
	ClientAddr netip.Addr
	// User is the transfer account, not the person; UserID its numeric id as text.
	User, UserID string
	// Cookie is whatever the client's application set. It can carry secrets.
	Cookie string
	// TargetRateKbps and MinRateKbps are in kilobits per second.
	TargetRateKbps, MinRateKbps Number
	// RatePolicy is fixed, fair, high or low.
	RatePolicy string
	// Cipher is as the server wrote it; CipherName gives the canonical name.
	Cipher string
	// ManifestFile is the path of the session's manifest on the server.
	ManifestFile string

	// File is the path of the file. Its zero value is an event without a file.
	File Path
	// Below says that File is a folder and the event is about whatever may be
	// below it, and itself: a token request for a folder. Only what holds for all
	// of it holds.
	Below bool
	// Client is who asks for a token, as the clients of the policy set are named;
	// empty in events of a transfer.
	Client string
	// Size is the file's size in bytes, as far as the sender knows it: a
	// growing file is larger when it stops.
	Size Number
	// StartByte is above zero when a transfer resumes. BytesWritten is how far
	// it has come (end_byte in older servers).
	StartByte, BytesWritten Number
	// Tags are the transfer's tags, parsed when a rule first reads them.
	Tags Tags
	// FileNameEncoding is utf8 or utf16.
	FileNameEncoding string
	// Checksum is the file's digest in hex and ChecksumType the algorithm, both
	// as the server wrote them; Digest gives them in canonical form.
	Checksum, ChecksumType string

	// Raw is the event as it came over the wire, empty where there is none. It
	// can carry secrets: never log it.
	Raw string

	// Recall is set when the event is one of a log that is decided again.
	Recall *Recall

	// Fault is set when the event could not be read, or may not be decided. No
	// rule is asked about such an event: it is refused with the fault's code.
	Fault *Fault

	steps      [stepRoom]Step
	stepsTaken bool
}

// stepRoom is how many steps an event has room for, so that deciding a usual
// event allocates nothing; a longer chain makes the list grow on the heap.
const stepRoom = 16

// HasFile reports whether the event is about a file. One with neither a path
// nor a size is about the session: rules that need a file are not asked.
func (e *Event) HasFile() bool { return e.File.Raw != "" || e.Size.Known }

// Fault says why an event is refused before any rule is asked: it is
// malformed, or the service cannot take it now.
type Fault struct {
	// Code is what ascp gets: CodeMalformed, CodeOverloaded, …
	Code Code
	// Reason is one word of a closed set, fit for a metric label.
	Reason string
	// Message is what the person who transfers reads.
	Message string
	// Offset is the byte of the body at which the fault was found, 0 if unknown.
	Offset int64
}

// Error implements error, for the log.
func (f *Fault) Error() string {
	if f.Offset > 0 {
		return fmt.Sprintf("%s: %s (byte %d)", f.Reason, f.Message, f.Offset)
	}
	return f.Reason + ": " + f.Message
}

// MissingError says that an event lacks a field which a rule needs, so that the
// rule cannot tell.
type MissingError struct{ Field string }

// Error implements error.
func (m MissingError) Error() string { return "the event has no usable " + m.Field }
