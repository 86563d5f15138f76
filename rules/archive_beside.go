package rules

import (
	"context"
	"errors"
	"time"

	"github.com/sluiceproject/sluice/rules/archive"
)

// consume begins a walk beside the other rules that read the file, if the archive
// is one that is read from its beginning to its end. All else is left to inspect.
func (a *archives) consume(ctx context.Context, l *Look) (Consumer, error) {
	head, err := l.Head(ctx)
	if err != nil || !archive.Streams(head) {
		return nil, nil // Inspect meets the same error, and says it.
	}
	return &besideWalk{rule: a, look: l, ctx: ctx, head: head, found: make(chan Finding, 1)}, nil
}

// besideWalk is a Consumer that walks an archive in a goroutine of its own. What
// the walk reads in order comes from the pieces that it is given, of which two are
// kept; what has gone by, such as the end of the file once more, is read from the
// file.
//
// The walk works at the place at the gate that the read has. While that is given
// away, because somebody waits for a scanner, the walk goes on with the pieces
// that it has, and no further.
type besideWalk struct {
	rule *archives
	look *Look
	ctx  context.Context //nolint:containedctx // A Consumer's methods have no place for it.
	head []byte

	patience <-chan time.Time // nil if there is no end of it
	free     chan []byte      // what the next piece is copied to
	full     chan []byte      // pieces, until nobody hands over any more
	err      error            // why there are no more, once full is closed; nil at the end
	closed   bool             // whether full is
	found    chan Finding

	// What follows belongs to the walk's goroutine.
	piece []byte
	begin int64 // where the piece, or the next one, begins in the file
	alone bool  // whether it reads for itself
}

// errWalked ends the part of a walk in a read: all that it wants to know is known.
var errWalked = errors.New("the walk is over")

// join implements joiner.
func (b *besideWalk) join(patience time.Duration) []byte {
	if patience > 0 {
		b.patience = time.After(patience)
	}
	b.free, b.full = make(chan []byte, 2), make(chan []byte, 2)
	for range cap(b.free) {
		b.free <- make([]byte, 0, min(pieceSize, b.look.Size()))
	}
	b.look.users.Add(1)
	go func() {
		defer b.look.users.Done()
		defer func() {
			if v := recover(); v != nil {
				b.found <- FoundNothing(&PanicError{Value: v}, 0, -1)
			}
		}()
		b.found <- b.rule.walk(b.ctx, b.look, b)
	}()
	return b.head
}

// Write implements Consumer.
func (b *besideWalk) Write(piece []byte) (int, error) {
	if b.closed {
		return len(piece), nil
	}
	select {
	case room := <-b.free:
		b.full <- append(room[:0], piece...) // There is room: no more than two are on their way.
	case <-b.patience:
		b.close(nil)
	case f := <-b.found:
		b.found <- f
		return 0, errWalked
	case <-b.ctx.Done():
		return 0, context.Cause(b.ctx)
	}
	return len(piece), nil
}

func (b *besideWalk) close(err error) {
	if !b.closed {
		b.closed, b.err = true, err
		close(b.full)
	}
}

// Finish implements Consumer: it waits for the walk, which goes on by itself once
// all of the file has been handed over, and ends if that could not be read.
func (b *besideWalk) Finish(ctx context.Context, _ int64, err error) Finding {
	if cause := errors.Unwrap(err); cause != nil {
		err = cause // The walk says by itself what it was that failed.
	}
	b.close(err)
	select {
	case f := <-b.found:
		return f
	case <-ctx.Done():
	}
	select {
	case f := <-b.found: // It came in time; both were ready.
		return f
	default:
		return FoundNothing(context.Cause(ctx), 0, b.look.Size())
	}
}

// ReadAt implements io.ReaderAt for the walk.
func (b *besideWalk) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) {
		from := at + int64(n)
		switch skip := from - b.begin; {
		case b.alone || skip < 0:
			m, err := b.look.Reader(b.ctx).ReadAt(p[n:], from)
			return n + m, err
		case skip < int64(len(b.piece)):
			n += copy(p[n:], b.piece[skip:])
		default:
			if err := b.next(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// next waits for the next piece.
func (b *besideWalk) next() error {
	if b.piece != nil {
		b.begin += int64(len(b.piece))
		b.free <- b.piece
		b.piece = nil
	}
	select {
	case piece, more := <-b.full:
		if !more {
			b.alone = true
			return b.err
		}
		b.piece = piece
		return nil
	case <-b.ctx.Done():
		return context.Cause(b.ctx)
	}
}
