package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sluiceproject/sluice/rules"
)

// Bounds of the stream of decisions.
const (
	// decisionChunk is how many bytes of records travel in one message, unless one
	// record alone has more. What the engine brings to disk is a message, so that a
	// message for each record would be a wait for the disk for each.
	decisionChunk = 256 << 10
	// headRoom is what of a message's size its headers may take, in bytes.
	headRoom = 4 << 10
)

// DecisionWriter stores the decision log of one service in the stream of all. It is
// for one goroutine.
type DecisionWriter struct {
	store   *Store
	subject string
	stored  storedDecisions
}

// DecisionWriter returns what stores the decisions of a service by this name.
func (s *Store) DecisionWriter(instance string) *DecisionWriter {
	w := &DecisionWriter{store: s, subject: s.subject("decisions." + nameToken(instance))}
	w.stored.subject = w.subject
	return w
}

// TooLongError is a record that the engine takes in no message.
type TooLongError struct {
	// Index is its place in what was to be stored.
	Index int
	// Bytes is its length, and Most what the engine takes.
	Bytes, Most int
}

// Error implements error.
func (e *TooLongError) Error() string {
	return fmt.Sprintf("the record has %d bytes, and the engine takes %d: raise max_payload of its servers", e.Bytes, e.Most)
}

// Publish stores lines of the decision log, in order and without their line feeds,
// and returns when the engine has them. done is how many of them, from the first,
// need not be published again, tooLong those among them that the engine will never
// take. A line that was stored before, also before a restart, is not stored again
// as far as the stream still has it.
func (w *DecisionWriter) Publish(ctx context.Context, lines [][]byte) (done int, tooLong []*TooLongError, err error) {
	stream, err := w.store.decisionStream(ctx)
	if err != nil {
		return 0, nil, err
	}
	defer func() {
		if err != nil { // It is not known what has arrived.
			w.stored.unknown()
			w.store.forgetIfGone(&w.store.decisions, err)
		}
	}()
	most := int(w.store.conn.MaxPayload()) - headRoom
	var c chunk
	send := func() error {
		err := w.send(ctx, &c)
		if err == nil {
			done += c.count
			c = chunk{}
		}
		return err
	}
	for i, line := range lines {
		stamp := stampOf(line)
		known, err := w.stored.has(ctx, stream, stamp)
		if err != nil {
			return done, tooLong, err
		}
		if c.size()+len(line) > min(decisionChunk, most) {
			if err := send(); err != nil {
				return done, tooLong, err
			}
		}
		c.count++
		switch {
		case known:
		case len(line)+1 > most:
			tooLong = append(tooLong, &TooLongError{Index: i, Bytes: len(line), Most: most})
		default:
			c.add(line, stamp)
		}
	}
	return done, tooLong, send()
}

// send stores one message, unless it would be empty.
func (w *DecisionWriter) send(ctx context.Context, c *chunk) error {
	if c.size() == 0 {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	m := &nats.Msg{Subject: w.subject, Data: c.text}
	_, err := w.store.js.PublishMsg(ctx, m, jetstream.WithMsgID(c.id(w.subject)), jetstream.WithExpectStream(w.store.named("decisions")))
	return away("storing decisions", err)
}

// chunk is what travels in one message: lines that end in a line feed.
type chunk struct {
	text        []byte
	count       int // lines that it stands for, with those that are left out
	first, last stamp
}

func (c *chunk) size() int { return len(c.text) }

func (c *chunk) add(line []byte, s stamp) {
	if len(c.text) == 0 {
		c.first = s
	}
	c.last = s
	c.text = append(append(c.text, line...), '\n')
}

// id is the same for the same records, so that the engine stores a message once
// whose acknowledgement was lost.
func (c *chunk) id(subject string) string {
	token := subject[strings.LastIndexByte(subject, '.')+1:]
	return fmt.Sprintf("%s/%d-%d/%016x", token, c.first.seq, c.last.seq, c.last.hash)
}

// stamp tells records apart: the number of one, 0 if the line has none, and the
// first bytes of the line's SHA-256.
type stamp struct{ seq, hash uint64 }

func stampOf(line []byte) stamp {
	sum := sha256.Sum256(line)
	return stamp{sequenceOf(line), binary.BigEndian.Uint64(sum[:8])}
}

// sequenceOf returns the number of a line of the decision log, which it begins with;
// 0 if it is no such line.
func sequenceOf(line []byte) uint64 {
	rest, ok := bytes.CutPrefix(line, []byte(`{"seq":`))
	if !ok {
		return 0
	}
	digits, _, ok := bytes.Cut(rest[:min(len(rest), 21)], []byte(","))
	if !ok {
		return 0
	}
	seq, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		return 0
	}
	return seq
}

// decisionStream has the stream of decisions: messages of lines, under the name of
// the service.
func (s *Store) decisionStream(ctx context.Context) (jetstream.Stream, error) {
	return s.decisions.get(ctx, func(ctx context.Context) (jetstream.Stream, error) {
		stream, err := s.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
			Name: s.named("decisions"), Description: "Decisions of all services", Subjects: []string{s.subject("decisions.*")},
			Storage: jetstream.FileStorage, Compression: jetstream.S2Compression, Replicas: s.o.Replicas, DenyDelete: true,
			MaxAge: s.o.KeepDecisions, MaxBytes: s.o.KeepDecisionBytes, Discard: jetstream.DiscardOld, MaxMsgSize: maxMessage,
		})
		var api *jetstream.APIError
		if errors.As(err, &api) && api.ErrorCode == noRoomInEngine {
			err = fmt.Errorf("the engine has no room for decisions of %s: lower keep_decision_bytes, or raise max_bytes: %w", rules.FormatSize(s.o.KeepDecisionBytes), err)
		}
		return stream, err
	})
}

// noRoomInEngine is how the engine says that a stream could become larger than all
// it may store.
const noRoomInEngine = 10047

// forgetIfGone has a stream made anew that somebody has removed.
func (s *Store) forgetIfGone(l interface{ forget() }, err error) {
	if errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, nats.ErrNoResponders) {
		l.forget()
	}
}

// forget has it made anew when it is wanted next.
func (l *lazy[T]) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made = false
}
