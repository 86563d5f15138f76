//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// compare measures a load in turns: with nothing to scan, and in each state. The
// rare long times of a shared machine are in p99, so there are three times as
// many turns as usual, of half the length.
func (s *scanning) compare(ctx context.Context, l besideLoad, states []string) (err error) {
	b := s.bench
	if s.clamd == nil && slices.Contains(states, working) {
		fmt.Fprintf(b.out, "Left out: %s: %v\n", besideCase(working, l.name), errNoClamd)
		states = slices.DeleteFunc(states, func(state string) bool { return state == working })
	}
	b.say("measuring beside scanners: %s", l.name)
	s.load, s.scans = l.load, nil
	if s.script, err = b.writeScript(l.load); err != nil {
		return err
	}
	length := max(b.turn/2, time.Second)
	if _, err := s.turn(ctx, nothing, length); err != nil { // The warm-up.
		return err
	}
	samples := map[string][][2]sample{}
	for round := range 3 * b.rounds {
		order := slices.Clone(states)
		if round%2 == 1 { // So that none is always the first after the base.
			slices.Reverse(order)
		}
		base, err := s.turn(ctx, nothing, length)
		if err != nil {
			return err
		}
		for _, state := range order {
			m, err := s.turn(ctx, state, length)
			if err != nil {
				return err
			}
			samples[state] = append(samples[state], [2]sample{base, m})
		}
	}
	for _, state := range states {
		asked, name := target{most: 1.2}, besideCase(state, l.name)
		if state == nothing {
			asked = target{}
		}
		for _, m := range []measure{median50(), p99(asked), ownWork()} {
			b.rows = append(b.rows, compared(name, m, samples[state]))
		}
	}
	s.report(l)
	return s.server.release(ctx)
}

// turn measures the load in one state of the scanners.
func (s *scanning) turn(ctx context.Context, state string, length time.Duration) (m sample, err error) {
	if err := s.server.resume(); err != nil {
		return m, err
	}
	switch state {
	case hanging:
		m, err = s.busy(ctx, "hung", length)
	case working:
		m, err = s.busy(ctx, "clamd", length)
	default:
		m, err = s.hit(ctx, length)
	}
	if err != nil {
		return m, fmt.Errorf("%s: %w", state, err)
	}
	return m, errors.Join(s.server.pause(), s.server.settle())
}

// hit measures the load, and probes beside it.
func (s *scanning) hit(ctx context.Context, length time.Duration) (sample, error) {
	p := newProbe(ctx, s.server, s.load.body)
	m, err := s.bench.hit(ctx, s.server, s.load, s.script, length)
	own, failed := p.end()
	m.own = own
	return m, errors.Join(err, failed)
}

// busy measures the load while all workers of a scanner are busy, and makes sure
// that they are, before and after.
func (s *scanning) busy(ctx context.Context, scanner string, length time.Duration) (m sample, err error) {
	w, err := s.bench.begin(ctx, s.server, scanner, s.stopped, s.files[scanner])
	if err == nil {
		var spent time.Duration
		if s.clamd != nil {
			spent = s.clamd.cpu()
		}
		done := w.done.Load()
		m, err = s.hit(ctx, length)
		if scanner == "clamd" {
			s.scans = append(s.scans, scanned{int(w.done.Load() - done), (s.clamd.cpu() - spent).Seconds() / length.Seconds()})
		}
	}
	if err == nil {
		var n int
		if n, err = w.busy(ctx); err == nil && n != scanWorkers {
			err = fmt.Errorf("%d of %d workers were busy at the end", n, scanWorkers)
		}
	}
	if scanner == "hung" {
		w.over.Store(true)
		s.hung.goOn()
		defer s.hung.hang()
	}
	return m, errors.Join(err, w.end())
}

// report says what clamd did beside the load.
func (s *scanning) report(l besideLoad) {
	if len(s.scans) == 0 {
		return
	}
	var files, cores []float64
	for _, t := range s.scans {
		files, cores = append(files, float64(t.files)), append(cores, t.cpu)
	}
	fmt.Fprintf(s.bench.out, "Beside %s: clamd ran %s and answered about %.0f files of 32 MiB in a turn", l.name, s.clamd.how, median(files))
	if s.clamd.process != nil {
		fmt.Fprintf(s.bench.out, ", with %.2f of a core", median(cores))
	}
	fmt.Fprintln(s.bench.out, " (medians)")
}
