package rules

import (
	"context"
	"errors"
	"sync/atomic"
)

// ErrBusy says that as many looks are under way and waiting as may be.
var ErrBusy = errors.New("too many files are being looked into at once")

// Gate bounds how many pieces of work of one class are done at once, and how
// many wait for that, so that dear work never holds up cheap work. A nil Gate
// lets everything pass. It is safe for concurrent use.
type Gate struct {
	slots   chan struct{}
	most    int64
	waiting atomic.Int64
}

// NewGate returns a gate for workers at once and waiting behind them; workers is
// at least 1.
func NewGate(workers, waiting int) *Gate {
	return &Gate{slots: make(chan struct{}, max(workers, 1)), most: int64(waiting)}
}

// Enter waits for its turn and returns what gives it back. The error is ErrBusy
// at once if too many wait, and that of ctx when it is done before.
func (g *Gate) Enter(ctx context.Context) (leave func(), err error) {
	if g == nil {
		return func() {}, nil
	}
	select {
	case g.slots <- struct{}{}:
		return g.leave, nil
	default:
	}
	if g.waiting.Add(1) > g.most {
		g.waiting.Add(-1)
		return nil, ErrBusy
	}
	defer g.waiting.Add(-1)
	select {
	case g.slots <- struct{}{}:
		return g.leave, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (g *Gate) leave() { <-g.slots }

// place is a turn at a gate that can be given away for a while.
type place struct {
	gate  *Gate
	leave func()
}

// without does what waits for somebody else, such as a scanner, and takes no
// place meanwhile. However many wait to come back, they do: they were let in
// once. The error is that of ctx, which was done before its turn came again.
func (p *place) without(ctx context.Context, wait func()) error {
	p.leave()
	p.leave = func() {}
	wait()
	if p.gate == nil {
		return nil
	}
	select {
	case p.gate.slots <- struct{}{}:
		p.leave = p.gate.leave
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Load returns how many pieces of work are under way, and how many wait.
func (g *Gate) Load() (busy, waiting int) {
	if g == nil {
		return 0, 0
	}
	return len(g.slots), int(g.waiting.Load())
}
