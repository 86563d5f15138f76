package scan

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// clock is a clock that a test moves.
type clock struct{ at time.Time }

func newClock() *clock { return &clock{time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time        { return c.at }
func (c *clock) pass(d time.Duration)  { c.at = c.at.Add(d) }
func middle() float64                  { return 0.5 }
func newBreaker(clock *clock) *breaker { return &breaker{now: clock.now, random: middle} }

// state is what a breaker says: ask, probe or down.
func state(b *breaker) string {
	probe, err := b.allow()
	switch {
	case err != nil:
		return "down"
	case probe:
		return "probe"
	default:
		return "ask"
	}
}

func TestBreaker(t *testing.T) {
	failed, wrapped := errors.New("refused"), fmt.Errorf("speaking: %w", context.DeadlineExceeded)
	type step struct {
		do   func(*breaker, *clock)
		want string
	}
	note := func(errs ...error) func(*breaker, *clock) {
		return func(b *breaker, _ *clock) {
			for _, err := range errs {
				b.note(err)
			}
		}
	}
	pass := func(d time.Duration) func(*breaker, *clock) { return func(_ *breaker, c *clock) { c.pass(d) } }
	probed := func(err error) func(*breaker, *clock) { return func(b *breaker, _ *clock) { b.probed(err) } }
	for _, tc := range []struct {
		name  string
		steps []step
	}{
		{"it begins closed", []step{{note(), "ask"}}},
		{"two failures are none", []step{{note(failed, wrapped), "ask"}}},
		{"three in a row open it", []step{{note(failed, wrapped, failed), "down"}}},
		{"not in a row", []step{{note(failed, failed, nil, failed, failed), "ask"}}},
		{"an answer that it cannot scan a file is an answer", []step{{note(failed, failed, fmt.Errorf("x: %w", ErrUnscanned), failed, failed), "ask"}}},
		{"a file that is too large is an answer", []step{{note(failed, failed, ErrLimit, failed, failed), "ask"}}},
		{"who gives up has learned nothing", []step{{note(failed, failed, context.Canceled), "ask"}, {note(failed), "down"}}},
		{"an answer that makes no sense is a failure", []step{{note(ErrAnswer, ErrAnswer, ErrAnswer), "down"}}},
		{"one probe after a rest", []step{
			{note(failed, failed, failed), "down"},
			{pass(time.Second - 1), "down"},
			{pass(1), "probe"},
			{pass(time.Hour), "down"},
		}},
		{"a good probe lets it back", []step{
			{note(failed, failed, failed), "down"},
			{pass(time.Second), "probe"},
			{probed(nil), "ask"},
			{note(nil), "ask"},
			{note(failed, failed), "ask"},
		}},
		{"a probe that nobody waits for is tried again", []step{
			{note(failed, failed, failed), "down"},
			{pass(time.Second), "probe"},
			{probed(context.Canceled), "probe"},
		}},
		{"the rest grows", []step{
			{note(failed, failed, failed), "down"},
			{pass(time.Second), "probe"},
			{probed(failed), "down"},
			{pass(2*time.Second - 1), "down"},
			{pass(1), "probe"},
			{probed(failed), "down"},
			{pass(4*time.Second - 1), "down"},
			{pass(1), "probe"},
		}},
		{"it grows for one that answers questions and scans nothing", []step{
			{note(failed, failed, failed), "down"},
			{pass(time.Second), "probe"},
			{probed(nil), "ask"},
			{note(failed), "down"},
			{pass(2*time.Second - 1), "down"},
			{pass(1), "probe"},
			{probed(nil), "ask"},
			{note(nil, failed, failed), "ask"},
			{note(failed), "down"},
			{pass(time.Second), "probe"},
		}},
		{"what fails late does not lengthen the rest", []step{
			{note(failed, failed, failed, failed, failed, failed), "down"},
			{pass(time.Second), "probe"},
		}},
		{"what succeeds late ends it", []step{{note(failed, failed, failed), "down"}, {note(nil), "ask"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clock := newClock()
			b := newBreaker(clock)
			for i, s := range tc.steps {
				s.do(b, clock)
				if got := state(b); got != s.want {
					t.Fatalf("step %d: %s, want %s", i, got, s.want)
				}
			}
		})
	}
}

// TestBreakerRests: never shorter than 0.8 s or longer than 36 s.
func TestBreakerRests(t *testing.T) {
	for _, chance := range []float64{0, 0.5, 1} {
		clock := newClock()
		b := &breaker{now: clock.now, random: func() float64 { return chance }}
		for range failuresInARow {
			b.note(ErrAnswer)
		}
		var rests []time.Duration
		for range 7 {
			rest := b.until.Sub(clock.at)
			rests = append(rests, rest)
			clock.pass(rest)
			if got := state(b); got != "probe" {
				t.Fatal(got)
			}
			b.probed(ErrAnswer)
		}
		scale := 1 + jitter*(2*chance-1)
		for i, seconds := range []float64{1, 2, 4, 8, 16, 30, 30} {
			if want := time.Duration(seconds * scale * float64(time.Second)); rests[i] != want {
				t.Errorf("rest %d is %s, want %s", i, rests[i], want)
			}
		}
	}
}
