package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sluiceproject/sluice/policies/store/tally"
)

// Times of whoever reads the stream of counts.
const (
	// countRest is for how long nothing is asked after an error.
	countRest = 250 * time.Millisecond
	// countCheck is how often it is asked whether the stream is the same still.
	countCheck = time.Second
	// countPatience is how long a new reader is left alone though a proposal does not
	// come back: it takes longer to begin than proposals wait.
	countPatience = 2 * time.Second
	// countTime is how long the engine may take to answer.
	countTime = 2 * time.Second
	// countSilence is after which time without a sign of life the engine is asked for
	// another reader.
	countSilence = 500 * time.Millisecond
	// oddRest is for how long odd messages are only counted after one was told of.
	oddRest = time.Minute
)

// errGap says that a message was left out on the way.
var errGap = errors.New("a message of the stream of counts did not arrive")

// errOther says that the stream is not the one that was read so far.
var errOther = errors.New("the stream of counts was made anew, or has lost its end: it is read again from the start, and what it lacks is not counted any more")

// follow reads the stream, over and over.
func (c *Counters) follow(ctx context.Context) {
	quiet := false // The connection's own loss is told by others; this is told once.
	for {
		began := c.s.o.Now()
		err := c.read(ctx)
		if ctx.Err() != nil {
			return
		}
		if c.s.o.Now().Sub(began) > oddRest {
			quiet = false
		}
		if !quiet && !errors.Is(err, ErrAway) && !errors.Is(err, errOther) {
			c.s.o.Told(Happening{What: Odd, Detail: "counts are not followed for the moment", Err: err})
			quiet = true
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(countRest):
		}
	}
}

// counts returns the stream of counts, and makes it if need be. Each message ends
// with the longest window of its entries, so the stream is as long as the rules need
// it, and no longer.
func (c *Counters) counts(ctx context.Context) (jetstream.Stream, error) {
	ctx, stop := context.WithTimeout(ctx, setUpTime)
	defer stop()
	stream, err := c.s.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: c.s.named("counts"), Description: "What quotas count", Subjects: []string{c.s.subject("counts")},
		Storage: jetstream.FileStorage, Replicas: c.s.o.Replicas, AllowMsgTTL: true,
		MaxAge: lifeOf(tally.MaxWindow), MaxBytes: c.s.countBytes(), Discard: jetstream.DiscardNew, MaxMsgSize: 64 << 10,
	})
	return stream, away("setting up the counters", err)
}

// read reads the stream from where it was read to. It returns with an error.
func (c *Counters) read(ctx context.Context) error {
	stream, err := c.counts(ctx)
	if err != nil {
		return err
	}
	from := c.begin(stream.CachedInfo())
	asking, stop := context.WithTimeout(ctx, countTime)
	defer stop()
	consumer, err := stream.CreateConsumer(asking, jetstream.ConsumerConfig{
		AckPolicy: jetstream.AckNonePolicy, InactiveThreshold: time.Minute, MemoryStorage: true, Replicas: 1,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from,
	})
	if err != nil {
		return away("following counts", err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(2000), jetstream.PullExpiry(10*time.Second),
		jetstream.PullHeartbeat(countSilence), jetstream.WithMessagesErrOnMissingHeartbeat(true))
	if err != nil {
		return away("following counts", err)
	}
	watching, end := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		end(c.watch(watching, stream))
		messages.Stop()
	}()
	for expected := uint64(1); err == nil; expected++ {
		var m jetstream.Msg
		if m, err = messages.Next(); err == nil {
			err = c.apply(m, expected)
		}
	}
	end(err) // Unless the watch has said why.
	<-watched
	return away("following counts", context.Cause(watching))
}

// begin returns where to read on. Another stream, or one that is shorter than what
// was read, is read from its start.
func (c *Counters) begin(info *jetstream.StreamInfo) (from uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.created.IsZero() && c.isOther(info) {
		c.tally, c.stats.Applied = tally.New(countRoom), 0
		if c.isRead {
			c.ready, c.isRead = make(chan struct{}), false
		}
		defer c.s.o.Told(Happening{What: Odd, Err: errOther})
	}
	c.created = info.Created
	if info.State.Msgs == 0 {
		c.reached()
	}
	return c.stats.Applied + 1
}

func (c *Counters) isOther(info *jetstream.StreamInfo) bool {
	return !info.Created.Equal(c.created) || info.State.LastSeq < c.stats.Applied
}

// reached records that the stream was read to its end.
func (c *Counters) reached() {
	if !c.isRead {
		c.isRead = true
		close(c.ready)
	}
}

// watch returns an error when the stream is another one, or does not give what it
// has. A stream that does not answer is no reason to stop reading it.
func (c *Counters) watch(ctx context.Context, stream jetstream.Stream) error {
	tick := time.NewTicker(countCheck)
	defer tick.Stop()
	for began := c.s.o.Now(); ; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-c.again:
			if c.s.o.Now().Sub(began) < countPatience {
				continue
			}
			return errGap
		case <-tick.C:
		}
		asking, stop := context.WithTimeout(ctx, countTime)
		err := c.check(asking, stream)
		stop()
		if err != nil {
			return err
		}
	}
}

// check asks whether the stream is the one that is being read, and whether the end
// was reached: what is at the end may be over before it is read.
func (c *Counters) check(ctx context.Context, stream jetstream.Stream) error {
	info, err := stream.Info(ctx)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return errOther
	}
	if err != nil {
		return nil //nolint:nilerr // It is asked again, and whoever counts has a budget.
	}
	c.mu.Lock()
	other, read, applied := c.isOther(info), c.isRead, c.stats.Applied
	c.stats.Lag = info.State.LastSeq - min(applied, info.State.LastSeq)
	c.mu.Unlock()
	if other {
		return errOther
	}
	if read {
		return nil
	}
	_, err = stream.GetMsg(ctx, applied+1, jetstream.WithGetMsgSubject(c.s.subject("counts")))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.reached()
	}
	return nil
}

// apply counts the entries of a message, and answers whoever waits for them.
func (c *Counters) apply(m jetstream.Msg, expected uint64) error {
	meta, err := m.Metadata()
	if err != nil {
		return err
	}
	if meta.Sequence.Consumer != expected {
		return errGap
	}
	odd := tally.ParseBatch(m.Data(), &c.batch)
	if odd != nil {
		c.tellOdd(meta.Sequence.Stream, odd)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Applied, c.stats.Lag = meta.Sequence.Stream, meta.NumPending
	if odd == nil {
		c.countAll(meta.Timestamp)
	} else {
		c.stats.Odd++
	}
	if meta.NumPending == 0 {
		c.reached()
	}
	return nil
}

// countAll counts the batch.
func (c *Counters) countAll(at time.Time) {
	f := c.flight
	mine := f != nil && f.id == c.batch.ID && len(f.list) == len(c.batch.Entries)
	for i := range c.batch.Entries {
		counted, err := c.tally.Add(at, &c.batch.Entries[i])
		if mine {
			f.list[i].tell(answer{counted, err})
		}
	}
	c.stats.Entries += uint64(len(c.batch.Entries))
	if mine {
		c.flight = nil
		close(f.landed)
	}
}

// tellOdd tells of a message that cannot be read, now and then.
func (c *Counters) tellOdd(sequence uint64, err error) {
	if now := c.s.o.Now(); now.Sub(c.told) >= oddRest {
		c.told = now
		c.s.o.Told(Happening{What: Odd, Detail: fmt.Sprintf("the message %d of the stream of counts is passed over", sequence), Err: err})
	}
}
