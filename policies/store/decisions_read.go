package store

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// DecisionQuery says which stored decisions are read. Its zero value is all that are
// there.
type DecisionQuery struct {
	// Since leaves out what was stored before, with a margin for clocks that differ:
	// records that were decided a little earlier may come, too.
	Since time.Time
	// Instance is the service whose decisions are read; empty for all.
	Instance string
	// From and To bound the messages of the stream that are read, by their numbers;
	// 0 is no bound.
	From, To uint64
	// Follow goes on with what is stored from then on, until the context is done.
	Follow bool
}

// StoredDecision is a line of some service's decision log. What somebody else has
// put into the stream comes, too: whoever reads has to judge it.
type StoredDecision struct {
	// Instance is the name under which it was stored, Line the line without its line
	// feed, which is valid until the next is asked for.
	Instance string
	Line     []byte
	// Message is the number of the message that has it.
	Message uint64
}

// Bounds of reading decisions.
const (
	// clockMargin is how far the clock of a service may be behind the engine's.
	clockMargin = 10 * time.Minute
	// readPatience is how long the engine may say nothing before a reading that does
	// not follow ends with ErrAway.
	readPatience = 20 * time.Second
	// readAhead is how much of the stream a reading has in memory, in bytes.
	readAhead = 2 * maxMessage
	// againAfter is how long a reading waits before it asks again.
	againAfter = 500 * time.Millisecond
)

// errReadAll says that a reading has come to its end.
var errReadAll = errors.New("all was read")

// Decisions reads the decisions of all services in the order in which they were
// stored: those of each in its own order, and each record once even where it was
// stored again after a restart. It goes on where it was when the engine comes back.
// The error, ErrAway or the context's, ends it.
func (s *Store) Decisions(ctx context.Context, q DecisionQuery) iter.Seq2[StoredDecision, error] {
	return func(yield func(StoredDecision, error) bool) {
		r := decisionReading{store: s, q: q, next: q.From, seen: map[string]*seenDecisions{}, yield: yield}
		r.heard = time.Now()
		for {
			err := r.pass(ctx)
			switch {
			case errors.Is(err, errReadAll):
				return
			case ctx.Err() != nil:
				if !q.Follow {
					yield(StoredDecision{}, context.Cause(ctx))
				}
				return
			case !q.Follow && time.Since(r.heard) > readPatience:
				yield(StoredDecision{}, away("reading decisions", err))
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(againAfter):
			}
		}
	}
}

// decisionReading is a reading that is under way.
type decisionReading struct {
	store *Store
	q     DecisionQuery
	next  uint64    // the message to go on with; 0 at the beginning
	heard time.Time // when the engine said something last
	seen  map[string]*seenDecisions
	yield func(StoredDecision, error) bool
}

// pass reads until something breaks. The error is errReadAll at the end.
func (r *decisionReading) pass(ctx context.Context) error {
	made, stop := context.WithTimeout(ctx, setUpTime)
	consumer, err := r.store.js.OrderedConsumer(made, r.store.named("decisions"), r.where())
	stop()
	if errors.Is(err, jetstream.ErrStreamNotFound) && !r.q.Follow {
		return errReadAll // Nothing was ever stored.
	}
	if err != nil {
		return err
	}
	r.heard = time.Now()
	if !r.q.Follow && consumer.CachedInfo().NumPending == 0 {
		return errReadAll
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessagesWithBytesLimit(64, readAhead), jetstream.PullHeartbeat(2*time.Second), jetstream.PullExpiry(10*time.Second))
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		m, err := r.message(ctx, messages)
		if err != nil {
			return err
		}
		if err := r.take(m); err != nil {
			return err
		}
	}
}

// message waits for the next one. One that does not come may have become too old
// meanwhile: another pass finds out.
func (r *decisionReading) message(ctx context.Context, from jetstream.MessagesContext) (jetstream.Msg, error) {
	if r.q.Follow {
		return from.Next(jetstream.NextContext(ctx))
	}
	ctx, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	return from.Next(jetstream.NextContext(ctx))
}

// where returns what the engine is asked for.
func (r *decisionReading) where() jetstream.OrderedConsumerConfig {
	c := jetstream.OrderedConsumerConfig{MaxResetAttempts: 1, InactiveThreshold: time.Minute}
	if r.q.Instance != "" {
		c.FilterSubjects = []string{r.store.subject("decisions." + nameToken(r.q.Instance))}
	}
	switch {
	case r.next > 0:
		c.DeliverPolicy, c.OptStartSeq = jetstream.DeliverByStartSequencePolicy, r.next
	case !r.q.Since.IsZero():
		since := r.q.Since.Add(-clockMargin)
		c.DeliverPolicy, c.OptStartTime = jetstream.DeliverByStartTimePolicy, &since
	}
	return c
}

// take hands out the records of a message.
func (r *decisionReading) take(m jetstream.Msg) error {
	about, err := m.Metadata()
	if err != nil {
		return err
	}
	r.heard = time.Now()
	at := about.Sequence.Stream
	if r.q.To > 0 && at > r.q.To {
		return errReadAll
	}
	instance := instanceOf(m.Subject())
	for line := range bytes.SplitSeq(m.Data(), []byte("\n")) {
		if len(line) == 0 || r.known(instance, line) {
			continue
		}
		if !r.yield(StoredDecision{Instance: instance, Line: line, Message: at}, nil) {
			return errReadAll
		}
	}
	r.next = at + 1
	if !r.q.Follow && (about.NumPending == 0 || at == r.q.To) {
		return errReadAll
	}
	return nil
}

// instanceOf returns the name of the service in a subject. One that is no such name
// is returned as it is.
func instanceOf(subject string) string {
	token := subject[strings.LastIndexByte(subject, '.')+1:]
	if encoded, ok := strings.CutPrefix(token, "n"); ok {
		if name, err := base64.RawURLEncoding.DecodeString(encoded); err == nil {
			return string(name)
		}
	}
	return token
}

// seenDecisions are records of one service that were read lately, by the last digits
// of their numbers.
type seenDecisions [8 << 10]uint64

// mostSeen is how many services are remembered at once.
const mostSeen = 1024

// known reports whether a record was handed out already, and remembers it.
func (r *decisionReading) known(instance string, line []byte) bool {
	s := stampOf(line)
	if s.seq == 0 {
		return false
	}
	seen := r.seen[instance]
	if seen == nil {
		if len(r.seen) >= mostSeen {
			clear(r.seen)
		}
		seen = new(seenDecisions)
		r.seen[instance] = seen
	}
	place := &seen[s.seq%uint64(len(seen))]
	again := *place == s.hash
	*place = s.hash
	return again
}
