package rules

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// pump reads a file for several consumers.
type pump struct {
	look   *Look
	place  *place
	ctx    context.Context //nolint:containedctx // That of all consumers together.
	active []*consuming
	head   []byte // of the file, where it has been read already
}

// joiner is a Consumer that could as well read the file for itself, and may take
// long over what it is given.
type joiner interface {
	Consumer
	// join begins it, and returns what has been read of the file's beginning
	// already. It may hold the read up until patience is over, 0 for as long as
	// it likes, and goes on by itself then.
	join(patience time.Duration) (head []byte)
}

// consuming is one rule's part of a read.
type consuming struct {
	rule     *Rule
	consumer Consumer
	ctx      context.Context //nolint:containedctx // Each consumer has a deadline of its own.
	cancel   context.CancelFunc
	read     int64
}

// pieceSize is how much is read at a time, in bytes.
const pieceSize = 256 << 10

func (p *pump) run(ctx context.Context, list []*Rule) {
	p.ctx = ctx
	file, err := p.look.File(ctx)
	if err != nil {
		for _, r := range list {
			p.look.tell(r, FoundNothing(err, 0, p.look.Size()))
		}
		return
	}
	for _, r := range list {
		p.begin(ctx, r)
	}
	p.join()
	defer func() {
		for _, c := range p.active { // Of a consumer that panicked.
			c.cancel()
		}
	}()
	err = p.read(ctx, file.Identity().Size)
	if err == nil {
		err = file.Unchanged()
	}
	for len(p.active) > 0 {
		p.end(0, err)
	}
}

// begin starts the consumer of a rule, if it has one for this file.
func (p *pump) begin(ctx context.Context, r *Rule) {
	c := &consuming{rule: r}
	if r.Timeout > 0 {
		c.ctx, c.cancel = context.WithTimeout(ctx, r.Timeout)
	} else {
		c.ctx, c.cancel = context.WithCancel(ctx)
	}
	var err error
	c.consumer, err = r.Consume(c.ctx, p.look)
	switch {
	case err != nil:
		c.cancel()
		p.look.tell(r, FoundNothing(err, 0, p.look.Size()))
	case c.consumer == nil:
		c.cancel()
	default:
		p.active = append(p.active, c)
	}
}

// join lets those take part that could read for themselves, if anybody else reads:
// if nobody does, they are asked by their Inspect. They come last, so that nobody
// waits for them to finish; and they hold nobody up for more than half of the
// shortest time that any of the others has, so that a slow one ends no other.
func (p *pump) join() {
	var joiners, others []*consuming
	least := time.Duration(0) // 0 if nobody has an end.
	for _, c := range p.active {
		if _, ok := c.consumer.(joiner); ok {
			joiners = append(joiners, c)
			continue
		}
		others = append(others, c)
		if at, ok := c.ctx.Deadline(); ok {
			if left := max(at.Sub(p.look.now()), 1); least == 0 || left < least {
				least = left
			}
		}
	}
	p.active = others
	for _, c := range joiners {
		if len(others) == 0 {
			c.cancel()
			continue
		}
		p.head = c.consumer.(joiner).join((least + 1) / 2) //nolint:forcetypeassert // They have been told apart by it.
		p.active = append(p.active, c)
	}
}

// end finishes the consumer at i.
func (p *pump) end(i int, err error) {
	c := p.active[i]
	p.active = append(p.active[:i], p.active[i+1:]...)
	defer c.cancel()
	_ = p.wait(c, func() { p.look.tell(c.rule, c.consumer.Finish(c.ctx, c.read, err)) }) // The read sees that ctx is done.
}

// read hands the file to all consumers, piece by piece.
func (p *pump) read(ctx context.Context, size int64) error {
	piece := make([]byte, min(pieceSize, max(size, 1)))
	reader := p.look.Reader(ctx)
	at := int64(copy(piece, p.head))
	if at > 0 {
		p.hand(piece[:at])
	}
	for at < size && len(p.active) > 0 {
		n, err := reader.ReadAt(piece[:min(int64(len(piece)), size-at)], at)
		if n == 0 && err != nil {
			if errors.Is(err, io.EOF) {
				return ErrChanged // It has become shorter.
			}
			return fmt.Errorf("reading the file: %w", err)
		}
		at += int64(n)
		p.hand(piece[:n])
	}
	return nil
}

func (p *pump) hand(piece []byte) {
	for i := 0; i < len(p.active); {
		c := p.active[i]
		err := context.Cause(c.ctx)
		if err == nil {
			late := p.wait(c, func() { _, err = c.consumer.Write(piece) })
			if err == nil {
				err = late
			}
		}
		if err != nil {
			p.end(i, err)
			continue
		}
		c.read += int64(len(piece))
		i++
	}
}

// wait does a consumer's work. One that waits for somebody else takes no place
// at the gate while it does.
func (p *pump) wait(c *consuming, work func()) error {
	if !c.rule.Waits {
		work()
		return nil
	}
	return p.place.without(p.ctx, work)
}
