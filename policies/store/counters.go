package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluiceproject/sluice/policies/store/tally"
	"github.com/sluiceproject/sluice/rules"
)

// What counters hold. All validators of a fleet have the same numbers, because all
// must come to the same answers.
const (
	// countRoom is how many files are remembered, of all counters together. A
	// million of them take 100 MB of memory.
	countRoom = 2_000_000
	// countBytes is how large the stream of counts becomes. When it is full, nothing
	// more is counted until the oldest counts are over.
	countBytes = 1 << 30
	// countQueue is how many counts wait for the one message that is on its way.
	countQueue = 4096
)

// Counters count for all validators that use one engine. They are a rules.Counters.
//
// What is counted is a stream of entries. Every validator reads all of it and counts
// for itself (package tally), so all come to the same answer about each entry. To
// count is to append an entry, and to wait until it comes back: in the order of the
// stream, behind everything that was counted before. Entries that wait while a
// message is on its way travel together in the next one.
type Counters struct {
	s      *Store
	budget time.Duration

	proposals chan *proposal
	again     chan struct{} // The stream is to be looked at anew.
	serial    tally.Key     // Names the batches of this process; its end counts.

	failed atomic.Uint64

	mu     sync.Mutex // guards what follows
	ready  chan struct{}
	isRead bool // ready is closed: the stream was read to its end once.
	tally  *tally.Tally
	flight *flight
	stats  CounterStats
	// created tells the stream from another one of the same name.
	created time.Time

	// What only the goroutine that follows uses.
	batch tally.Batch
	told  time.Time // When an odd message was told of last.
}

// CounterStats say how counters are.
type CounterStats struct {
	// Files is how many files are remembered, and Counters of how many counters.
	Files, Counters int
	// Ready says that the stream was read to its end since the start.
	Ready bool
	// Applied is the last message of the stream that was counted, and Lag how many
	// are there behind it.
	Applied, Lag uint64
	// Entries is how many entries of the stream were counted or refused since the
	// start, Odd how many messages could not be read, and Failed how many counts
	// could not be made in time.
	Entries, Odd, Failed uint64
}

// proposal is an entry that waits to be counted.
type proposal struct {
	ctx    context.Context //nolint:containedctx // Whoever proposed it waits so long.
	entry  tally.Entry
	answer chan answer
}

type answer struct {
	counted rules.Counted
	err     error
}

// tell answers unless an answer is there.
func (p *proposal) tell(a answer) {
	select {
	case p.answer <- a:
	default:
	}
}

// Counters begins to count until Close. A count takes up to budget; the engine need
// not be there yet.
func (s *Store) Counters(budget time.Duration) *Counters {
	c := &Counters{
		s: s, budget: budget, proposals: make(chan *proposal, countQueue), again: make(chan struct{}, 1),
		ready: make(chan struct{}), tally: tally.New(countRoom),
	}
	_, _ = rand.Read(c.serial[:8]) // It never fails.
	s.start(c.follow)
	s.start(c.propose)
	return c
}

// Count implements rules.Counters. The error wraps ErrAway if the budget was not
// enough: what was to be counted may be counted all the same, once, and to ask again
// counts nothing twice.
func (c *Counters) Count(ctx context.Context, count rules.Count) (rules.Counted, error) {
	counted, err := c.count(ctx, &count)
	if err != nil {
		c.failed.Add(1)
		return rules.Counted{}, away("counting", err)
	}
	return counted, nil
}

func (c *Counters) count(ctx context.Context, count *rules.Count) (rules.Counted, error) {
	e, err := tally.EntryOf(count)
	if err != nil {
		return rules.Counted{}, err
	}
	ready, counted, known := c.known(&e)
	if known {
		return counted, nil
	}
	ctx, stop := context.WithTimeout(ctx, c.budget)
	defer stop()
	select {
	case <-ready:
	case <-ctx.Done():
		return rules.Counted{}, fmt.Errorf("what was counted before has not been read yet: %w", context.Cause(ctx))
	}
	if counted, full, err := c.full(ctx, &e); full || err != nil {
		return counted, err
	}
	if count.Dry {
		return c.would(&e)
	}
	p := &proposal{ctx: ctx, entry: e, answer: make(chan answer, 1)}
	select {
	case c.proposals <- p:
	case <-ctx.Done():
		return rules.Counted{}, fmt.Errorf("%d counts wait: %w", countQueue, context.Cause(ctx))
	}
	select {
	case a := <-p.answer:
		return a.counted, a.err
	case <-ctx.Done():
	}
	select {
	case a := <-p.answer: // It came in time; both were ready.
		return a.counted, a.err
	default:
		return rules.Counted{}, context.Cause(ctx)
	}
}

// known answers what adds nothing, and nothing before the stream was read: ready is
// closed then.
func (c *Counters) known(e *tally.Entry) (ready <-chan struct{}, counted rules.Counted, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isRead {
		counted, known = c.tally.Known(c.s.o.Now(), e)
	}
	return c.ready, counted, known
}

// would says what would become of an entry, as far as the stream was read.
func (c *Counters) would(e *tally.Entry) (rules.Counted, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tally.Would(c.s.o.Now(), e)
}

// Stats says how the counters are.
func (c *Counters) Stats() CounterStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	stats := c.stats
	stats.Files, stats.Counters, stats.Ready = c.tally.Files(), c.tally.Counters(), c.isRead
	stats.Failed = c.failed.Load()
	return stats
}

// countBytes is how large the stream becomes: less where there is little room.
func (s *Store) countBytes() int64 {
	if s.o.Dir == "" {
		return countBytes
	}
	return min(countBytes, s.o.MaxBytes/8)
}

// nextID names a batch.
func (c *Counters) nextID() tally.Key {
	half := c.serial[8:]
	binary.BigEndian.PutUint64(half, binary.BigEndian.Uint64(half)+1)
	return c.serial
}
