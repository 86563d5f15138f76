// Package scan speaks to content scanners: clamd and whatever speaks ICAP. It
// knows nothing of events and rules.
package scan

import (
	"context"
	"errors"
	"io"
	"time"
)

// Scanner looks for malware in files. It is safe for concurrent use.
type Scanner interface {
	// Open begins the scan of a file of size bytes; -1 is unknown. The name is
	// for the scanner's own log. The error is ErrDown while the scanner is not
	// asked because it failed before.
	Open(ctx context.Context, name string, size int64) (Session, error)
	// Status asks the scanner how it is.
	Status(ctx context.Context) (Status, error)
}

// Session is one file on its way to a scanner.
type Session interface { //nolint:interfacebloat // One file, from its first byte to the answer.
	// Write sends the next piece. An error ends the session; it is ErrAnswered
	// if the scanner has answered before the end, and Finish tells what.
	io.Writer
	// Finish says that the file has ended and returns the scanner's answer.
	Finish(ctx context.Context) (Answer, error)
	// Close gives the session up. It may be called after Finish.
	Close()
}

// Answer is what a scanner says of a file.
type Answer struct {
	// Signature names what was found; empty is nothing.
	Signature string
	// Inspected is how many bytes the scanner has looked at, of the file's size,
	// as far as is known. Less than the size is no clean file.
	Inspected int64
}

// Status is how a scanner is.
type Status struct {
	// Engine is the scanner and its version, as it says itself.
	Engine string
	// Signatures is the version of its signatures, and Built when they were made;
	// the zero time where it does not say.
	Signatures string
	Built      time.Time
}

// Errors of scanners.
var (
	// ErrDown says that the scanner failed before and is left alone for a while.
	ErrDown = errors.New("the scanner is down")
	// ErrAnswered says that the scanner has answered before the file's end.
	ErrAnswered = errors.New("the scanner has answered already")
	// ErrLimit says that the scanner does not take a file of this size.
	ErrLimit = errors.New("the file is larger than the scanner takes")
	// ErrAnswer says that an answer is none that the protocol knows.
	ErrAnswer = errors.New("the scanner's answer makes no sense")
)
