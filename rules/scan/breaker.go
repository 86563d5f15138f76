package scan

import (
	"context"
	"errors"
	"sync"
	"time"
)

// What makes a breaker leave a scanner alone, and for how long.
const (
	// failuresInARow are those after which the scanner is left alone.
	failuresInARow = 3
	// shortestRest is how long at first; it doubles with every time that the
	// scanner still does not answer, up to longestRest.
	shortestRest = time.Second
	longestRest  = 30 * time.Second
	// jitter is the part of a rest that chance decides, so that several services
	// do not come back to a scanner together.
	jitter = 0.2
)

// breaker keeps a scanner that fails from holding everything up. It is safe for
// concurrent use.
type breaker struct {
	now    func() time.Time
	random func() float64 // from 0 to 1

	mu       sync.Mutex
	failures int
	rest     time.Duration
	until    time.Time
	probing  bool
}

// allow reports whether the scanner may be asked. The error is ErrDown while it
// is left alone. Whoever is told to probe finds out whether it is there, and
// says so by probed; all others are refused meanwhile.
func (b *breaker) allow() (probe bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.failures < failuresInARow:
		return false, nil
	case b.probing || b.now().Before(b.until):
		return false, ErrDown
	default:
		b.probing = true
		return true, nil
	}
}

// probed takes what came of a probe. A scanner that answers is asked again, and
// left alone for longer if it fails at the next file.
func (b *breaker) probed(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
	switch {
	case err == nil:
		b.failures = failuresInARow - 1
	case !errors.Is(err, context.Canceled):
		b.leave()
	}
}

// note takes what came of scanning a file.
func (b *breaker) note(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil, errors.Is(err, ErrLimit), errors.Is(err, ErrUnscanned), errors.Is(err, ErrAnswered):
		b.failures, b.rest = 0, 0
	case errors.Is(err, context.Canceled):
	case b.failures < failuresInARow:
		if b.failures++; b.failures == failuresInARow {
			b.leave()
		}
	}
}

// leave begins a rest.
func (b *breaker) leave() {
	b.rest = min(max(2*b.rest, shortestRest), longestRest)
	b.until = b.now().Add(time.Duration(float64(b.rest) * (1 + jitter*(2*b.random()-1))))
}

// down reports whether the scanner is left alone.
func (b *breaker) down() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failures >= failuresInARow
}
