package sinks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// destination is where a sink's records go.
type destination interface {
	// deliver sends a batch in order and tells how much of it is done with. Without
	// records it only looks whether what it sent before may be lost.
	deliver(ctx context.Context, batch []item) (progress, error)
	// close ends it. delivered says that all that was sent has arrived.
	close(ctx context.Context) (delivered bool)
}

// item is one record of a batch.
type item struct {
	entry
	// text is the JSON that is sent for it.
	text []byte
}

// progress is how much of a batch is done with: the first so many records, of which
// some were refused for good.
type progress struct {
	done    int
	refused []refusal
}

// refusal is a record that the destination does not take.
type refusal struct {
	seq uint64
	why error
}

// failure is an error of a destination that says how to go on.
type failure struct {
	err error
	// after is how long the destination wants to be left alone, 0 for no wish.
	after time.Duration
	// slow says that only a person can mend it: it is tried rarely and told each
	// time.
	slow bool
	// again says that what was sent lately may be lost.
	again bool
}

// Error implements error.
func (f *failure) Error() string { return f.err.Error() }

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.err }

// The pauses after failures: the first, the longest, and those of what only a person
// can mend.
const (
	firstPause = 500 * time.Millisecond
	mostPause  = 30 * time.Second
	slowPause  = time.Minute
	mostWished = 5 * time.Minute
)

// pump carries records from the log to one destination.
type pump struct {
	o      *Options
	sink   Sink
	dest   destination
	follow follower
	done   <-chan struct{} // closed when the end is near

	batch    []item
	held     *item // the first that has no room in batch
	size     int   // of batch, in bytes
	read     mark
	settle   time.Duration // how long what was sent may be lost still
	sent     []sending
	position position
	saved    mark
	savedAt  time.Time
	unsaved  bool // saving failed, and that was told
	fresh    bool // it begins at the end of the log
	failures int  // in a row

	needs atomic.Uint64
	mu    sync.Mutex
	stats Stats
}

func newPump(o *Options, sink Sink, done <-chan struct{}) (*pump, error) {
	p := &pump{o: o, sink: sink, done: done}
	p.stats.Sink = sink.Name
	p.follow = follower{dir: o.Dir, missed: p.missed, odd: func(text string) { p.tell("odd", text, nil, 0) }}
	if p.sink.BatchRecords <= 0 {
		p.sink.BatchRecords = DefaultBatchRecords
	}
	if p.sink.BatchBytes <= 0 {
		p.sink.BatchBytes = DefaultBatchBytes
	}
	var err error
	switch {
	case sink.File != nil:
		p.dest = newFileOut(sink.File)
	case sink.Syslog != nil:
		p.settle = settleSyslog
		p.dest, err = newSyslogOut(sink.Syslog, o.Instance, o.Now)
	case sink.HTTP != nil:
		p.dest, err = newHTTPOut(sink.HTTP, o.Instance, o.Now)
	case sink.Store != nil:
		p.dest, err = newStoreOut(sink)
	default:
		err = errors.New("it names no place to send to")
	}
	if err != nil {
		return nil, err
	}
	p.needs.Store(1)
	p.position, err = readPosition(o.Dir, sink.Name)
	switch {
	case errors.Is(err, errPosition):
		p.tell("position", "the file of the position cannot be read, so that the whole log is sent again", err, 0)
	case err != nil:
		return nil, err
	default:
		p.fresh = sink.OnlyNew && p.position == nil
		p.saved = p.position.last()
		p.needs.Store(p.saved.seq + 1)
	}
	return p, nil
}

func (p *pump) tell(what, detail string, err error, seq uint64) {
	if p.o.Told != nil {
		p.o.Told(Happening{Sink: p.sink.Name, What: what, Detail: detail, Err: err, Sequence: seq})
	}
}

func (p *pump) missed(n, before uint64) {
	p.mu.Lock()
	p.stats.Missed += n
	p.mu.Unlock()
	p.tell("missed", fmt.Sprintf("%d records before record %d are not in the log any more and were never sent", n, before), nil, before)
}

// run sends until ctx is done, or until there is nothing more or the first failure
// after the end has been asked for.
func (p *pump) run(ctx context.Context) {
	defer p.follow.close()
	tick := time.NewTicker(p.o.every)
	defer tick.Stop()
	for !p.begin() {
		select {
		case <-tick.C:
		case <-p.done:
			p.dest.close(ctx)
			return
		}
	}
	for ctx.Err() == nil {
		last := p.closing() // All that will ever be in the log is there before this round.
		more := p.round(ctx)
		p.settled()
		if p.o.Now().Sub(p.savedAt) >= saveEvery {
			p.save()
		}
		switch {
		case last && (!more || p.failures > 0):
			p.end(ctx)
			return
		case more:
			continue
		}
		select {
		case <-ctx.Done():
		case <-p.done:
		case <-tick.C:
		}
	}
	p.end(ctx)
}

func (p *pump) closing() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// round sends one batch, or what is left of one. more is true where there may be
// something left to do at once.
func (p *pump) round(ctx context.Context) (more bool) {
	full := false
	if len(p.batch) == 0 {
		var err error
		if full, err = p.fill(); err != nil {
			return p.unread(err)
		}
	}
	progress, err := p.dest.deliver(ctx, p.batch)
	p.advance(progress)
	if err != nil {
		if progress.done > 0 {
			p.failures = 0
		}
		p.failed(ctx, err)
		return true
	}
	p.succeeded(progress)
	return full
}

// failed waits after a failure of the destination.
func (p *pump) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		p.failures++
		return // It was the end that broke it off.
	}
	f := &failure{err: err}
	errors.As(err, &f)
	if f.again {
		p.goBack()
	}
	p.failures++
	p.note(err, f.slow)
	p.o.pause(p.done, p.wait(f))
}

// wait returns how long to wait after a failure.
func (p *pump) wait(f *failure) time.Duration {
	d := mostPause
	if shift := p.failures - 1; shift < 6 {
		d = min(firstPause<<shift, mostPause)
	}
	if f.slow {
		d = slowPause
	}
	d = d/2 + rand.N(d/2) //nolint:gosec // Services that failed together are to come back apart; nobody guesses it.
	return max(d, min(f.after, mostWished))
}
