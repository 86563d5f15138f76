package store

import (
	"bytes"
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"
)

// storedDecisions tells which records the stream has already. What publishes them
// knows how far it came but not to the last record: it may have ended before the
// engine's answer was noted. Both have records in the order of their numbers, so
// that they are walked through side by side.
type storedDecisions struct {
	subject string
	looked  bool
	next    uint64  // of the stream's messages, the one to look at next; 0 behind the last
	here    []stamp // of the message that was looked at, what is not passed yet
}

// unknown has it look anew.
func (d *storedDecisions) unknown() { *d = storedDecisions{subject: d.subject} }

// has reports whether a record is stored. It is asked for records in their order.
func (d *storedDecisions) has(ctx context.Context, stream jetstream.Stream, s stamp) (bool, error) {
	if !d.looked {
		if err := d.begin(ctx, stream, s.seq); err != nil {
			return false, err
		}
		d.looked = true
	}
	for {
		for len(d.here) > 0 && d.here[0].seq < s.seq {
			d.here = d.here[1:]
		}
		if len(d.here) > 0 {
			if d.here[0].seq > s.seq || d.here[0] == s {
				return d.here[0] == s, nil
			}
			d.here = d.here[1:] // Another record had this number, before the log began anew.
			continue
		}
		if d.next == 0 {
			return false, nil
		}
		if err := d.read(ctx, stream, d.next); err != nil {
			return false, err
		}
	}
}

// read reads the first message from a number on.
func (d *storedDecisions) read(ctx context.Context, stream jetstream.Stream, from uint64) error {
	ctx, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	m, err := stream.GetMsg(ctx, from, jetstream.WithGetMsgSubject(d.subject))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		d.next, d.here = 0, nil
		return nil
	}
	if err != nil {
		return away("looking for stored decisions", err)
	}
	d.take(m)
	return nil
}

func (d *storedDecisions) take(m *jetstream.RawStreamMsg) {
	d.next, d.here = m.Sequence+1, d.here[:0]
	for line := range bytes.SplitSeq(m.Data, []byte("\n")) {
		if s := stampOf(line); s.seq > 0 {
			d.here = append(d.here, s)
		}
	}
}

// begin finds the message from which on the record may be stored.
func (d *storedDecisions) begin(ctx context.Context, stream jetstream.Stream, seq uint64) error {
	call, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	m, err := stream.GetLastMsgForSubject(call, d.subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		d.next, d.here = 0, nil
		return nil
	}
	if err != nil {
		return away("looking for stored decisions", err)
	}
	d.take(m)
	if n := len(d.here); n == 0 || d.here[n-1].seq < seq {
		d.next, d.here = 0, nil
		return nil
	}
	// The first message whose last record does not come before the one that is asked
	// for is from low on, and before high.
	low, high := uint64(1), m.Sequence
	for low < high {
		middle := low + (high-low)/2
		if err := d.read(ctx, stream, middle); err != nil {
			return err
		}
		if n := len(d.here); d.next > 0 && d.next <= high && (n == 0 || d.here[n-1].seq < seq) {
			low = d.next
		} else {
			high = middle
		}
	}
	d.next, d.here = low, nil
	return nil
}
