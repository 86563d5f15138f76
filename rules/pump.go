package rules

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// pump reads a file for several consumers.
type pump struct {
	look   *Look
	place  *place
	ctx    context.Context //nolint:containedctx // That of all consumers together.
	active []*consuming
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
	for at := int64(0); at < size && len(p.active) > 0; {
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
