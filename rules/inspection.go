package rules

import (
	"context"
	"io"
	"time"
)

// Inspect looks into a file. It honours ctx, and uses nothing of the event but
// the look's copy.
type Inspect func(ctx context.Context, l *Look) Finding

// Consumer takes a whole file, piece by piece from its beginning, beside the
// other consumers of the same read.
type Consumer interface {
	// Write takes the next piece and must not keep it. After an error it is not
	// called again.
	io.Writer
	// Finish says what was found. read is how many bytes were written to it, and
	// err why that is not the whole file, or what Write returned; nil at the end
	// of the file.
	Finish(ctx context.Context, read int64, err error) Finding
}

// Consume begins a consumer for one look. A nil Consumer without an error means
// that this file is to be asked about by the rule's Inspect instead.
type Consume func(ctx context.Context, l *Look) (Consumer, error)

// Looked is how far the look of one rule into a file got, and how long it took.
type Looked struct {
	Coverage
	Took time.Duration
}

// inspect asks a rule about a file, within its timeout and that of ctx. An
// answer that does not come in time is not waited for.
func (l *Look) inspect(ctx context.Context, r *Rule) (Finding, time.Duration) {
	begun := l.now()
	l.mu.Lock()
	found, known := l.found[r]
	l.mu.Unlock()
	if !known {
		if r.Timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, r.Timeout)
			defer cancel()
		}
		found = l.behind(ctx, l.gate(r), func(ctx context.Context, _ *place) Finding { return r.Inspect(ctx, l) })
	}
	if r.Remote { // Whatever came of it, no byte of the file was to be looked at.
		found.Coverage = Coverage{}
	}
	return found, l.now().Sub(begun)
}

func (l *Look) now() time.Time {
	if l.env.Now == nil {
		return time.Time{}
	}
	return l.env.Now()
}

// gate returns what bounds the looks of a rule; nil for one that looks at no
// file here, and brings a bound of its own.
func (l *Look) gate(r *Rule) *Gate {
	switch {
	case r.Remote, r.Waits:
		return nil
	case r.Cost == Head:
		return l.env.Heads
	default:
		return l.env.Wholes
	}
}

// behind does work behind a gate and beside the caller, who goes on when ctx is
// done: a read from a disk that hangs cannot be called back.
func (l *Look) behind(ctx context.Context, g *Gate, work func(ctx context.Context, at *place) Finding) Finding {
	done := make(chan Finding, 1)
	l.users.Add(1)
	go func() {
		defer l.users.Done()
		defer func() {
			if v := recover(); v != nil {
				done <- FoundNothing(&PanicError{Value: v}, 0, -1)
			}
		}()
		leave, err := g.Enter(ctx)
		if err != nil {
			done <- FoundNothing(err, 0, l.total())
			return
		}
		at := &place{gate: g, leave: leave}
		defer func() { at.leave() }()
		done <- work(ctx, at)
	}()
	select {
	case found := <-done:
		return found
	case <-ctx.Done():
		select {
		case found := <-done: // It came in time; both were ready.
			return found
		default:
			return FoundNothing(context.Cause(ctx), 0, l.total())
		}
	}
}

// total is the size that the event tells: it can be asked for while the file is
// being opened.
func (l *Look) total() int64 {
	if l.Event.Size.Known {
		return l.Event.Size.Value
	}
	return -1
}

// ReadOnce reads the file once for all rules of the chains that consume it, and
// keeps what they found for when they are asked. Rules that do not look at the
// event take no part.
func (l *Look) ReadOnce(ctx context.Context, chains ...Chain) {
	var list []*Rule
	for _, c := range chains {
		for _, r := range c {
			if r.Consume != nil && l.Event.HasFile() && r.looksAt(&l.Event) {
				list = append(list, r)
			}
		}
	}
	if len(list) == 0 || len(list) == 1 && list[0].Inspect != nil && !list[0].Waits {
		return // One alone that can read the file for itself does.
	}
	p := &pump{look: l}
	failed := l.behind(ctx, l.env.Wholes, func(ctx context.Context, at *place) Finding {
		p.place = at
		p.run(ctx, list)
		return Finding{}
	})
	if failed.Err != nil { // Whoever has not been told yet shares the reason.
		for _, r := range list {
			l.tell(r, failed)
		}
	}
}

// looksAt reports whether the rule will be asked about an event, as far as its
// when can tell.
func (r *Rule) looksAt(e *Event) bool {
	if r.When == nil {
		return true
	}
	holds, err := r.When.holds(e)
	return err == nil && holds
}

// tell keeps what a rule has found, unless it has been told before.
func (l *Look) tell(r *Rule, f Finding) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.found[r]; !known {
		l.found[r] = f
	}
}
