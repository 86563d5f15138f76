package sinks

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Store is the stream of decisions that services share.
type Store struct {
	// Timeout is how long one batch may take.
	Timeout time.Duration
	// Publish stores lines of the decision log, in order and without their line
	// feeds, and returns when they are kept. done is how many of them, from the
	// first, need not come again; refused are those among them, by their places,
	// that will never be taken. A line that comes again is to be stored once. It is
	// called by one goroutine.
	Publish func(ctx context.Context, lines [][]byte) (done int, refused map[int]error, err error)
}

// storeOut sends to the stream.
type storeOut struct {
	Store
	lines [][]byte
}

// newStoreOut refuses what could not be read back: whoever reads the stream takes
// its lines for those of a log.
func newStoreOut(s Sink) (*storeOut, error) {
	switch {
	case s.Store.Publish == nil:
		return nil, errors.New("there is no policy store")
	case s.Fields != FieldsOwn:
		return nil, errors.New("the policy store takes the log's own fields only")
	default:
		return &storeOut{Store: *s.Store}, nil
	}
}

// deliver implements destination.
func (o *storeOut) deliver(ctx context.Context, batch []item) (made progress, err error) {
	if len(batch) == 0 {
		return made, nil
	}
	o.lines = o.lines[:0]
	for i := range batch {
		o.lines = append(o.lines, batch[i].text)
	}
	defer clear(o.lines)
	ctx, stop := context.WithTimeout(ctx, o.Timeout)
	defer stop()
	done, refused, err := o.Publish(ctx, o.lines)
	made.done = min(done, len(batch))
	for i := range made.done {
		if why := refused[i]; why != nil {
			made.refused = append(made.refused, refusal{batch[i].seq, why})
		}
	}
	if err != nil {
		err = fmt.Errorf("storing decisions: %w", err)
	}
	return made, err
}

// close implements destination.
func (o *storeOut) close(context.Context) (delivered bool) { return true }
