package main

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/sluiceproject/sluice/rules"
)

// simRun is one run: a walk, and sessions that post events about what it finds.
type simRun struct {
	plan   *simPlan
	poster *simPoster
	report *simReport
}

// all walks and posts until there is nothing left, every session has ended, or
// ctx is cancelled.
func (r *simRun) all(ctx context.Context) {
	sessions := make([]*simSession, r.plan.sessions)
	var workers sync.WaitGroup
	for i := range sessions {
		sessions[i] = newSimSession(r)
		for range r.plan.threads {
			workers.Go(func() { sessions[i].work(ctx) })
		}
	}
	next := 0
	walk := &simWalk{mapping: r.plan.mapping, report: r.report, found: func(f simFile) {
		s := sessions[next%len(sessions)]
		next++
		select {
		case s.files <- f:
		case <-ctx.Done():
			r.report.add(s.unsent(f, rules.PhaseStart, ""))
		}
	}}
	for range r.plan.repeat {
		// A walk is always finished, to tell how much was not sent.
		if walk.run(ctx, r.plan.roots); simAllOver(ctx, sessions) {
			break
		}
	}
	for _, s := range sessions {
		close(s.files)
	}
	workers.Wait()
}

func simAllOver(ctx context.Context, sessions []*simSession) bool {
	for _, s := range sessions {
		if !s.over(ctx) {
			return false
		}
	}
	return true
}

// simSession is one ascp session: it ends by itself.
type simSession struct {
	run   *simRun
	base  simEvent
	files chan simFile
	slots chan struct{} // One for each event under way.
	ended chan struct{}
	end   func() // Closes ended, once.
}

func newSimSession(r *simRun) *simSession {
	s := &simSession{
		run: r, base: r.plan.base,
		files: make(chan simFile),
		slots: make(chan struct{}, r.plan.threads),
		ended: make(chan struct{}),
	}
	s.base.SessionID = simID()
	s.end = sync.OnceFunc(func() { close(s.ended) })
	return s
}

// over reports that nothing new may be sent.
func (s *simSession) over(ctx context.Context) bool {
	select {
	case <-s.ended:
		return true
	default:
		return ctx.Err() != nil
	}
}

// work takes the session's files to their end, also those that are not sent any
// more because the session is over: they are counted.
func (s *simSession) work(ctx context.Context) {
	var buf []byte
	if s.run.plan.checksum != "none" {
		buf = make([]byte, 64<<10)
	}
	for f := range s.files {
		s.run.report.add(s.file(ctx, f, buf))
	}
}

// file posts the events of a file, in order.
func (s *simSession) file(ctx context.Context, f simFile, buf []byte) simResult {
	if s.over(ctx) {
		return s.unsent(f, rules.PhaseStart, "")
	}
	src, err := openSimSource(f)
	if err != nil {
		return s.result(f, rules.PhaseUnknown, simAnswer{verdict: simFailed, text: err.Error()})
	}
	defer src.content.Close()

	var answers [simMaxEvents]simResult
	var under sync.WaitGroup
	phases := s.run.plan.phases(src.size)
	for i, phase := range phases {
		event, refused := s.ready(ctx, src, phase, buf)
		if refused != nil {
			answers[i] = *refused
			break
		}
		ask := func() { answers[i] = s.ask(ctx, f, phase, event) }
		if s.run.plan.overtake {
			under.Go(ask)
			continue
		}
		if ask(); answers[i].verdict != simAccepted {
			break
		}
	}
	under.Wait()
	return simWorst(simResult{session: s.base.SessionID, file: f.remote, verdict: simAccepted, bytes: src.size}, answers[:len(phases)])
}

// simWorst returns the first refusal or error among the answers to a file's
// events, else the first that was not accepted, else all.
func simWorst(all simResult, answers []simResult) simResult {
	for _, a := range slices.Backward(answers) {
		if a.verdict == simUnsent {
			all = a
		}
	}
	for _, a := range slices.Backward(answers) {
		if a.verdict == simRefused || a.verdict == simFailed {
			all = a
		}
	}
	return all
}

// ready returns an event and a slot to send it in, or why it is not sent.
func (s *simSession) ready(ctx context.Context, src *simSource, phase rules.Phase, buf []byte) ([]byte, *simResult) {
	event, err := s.event(ctx, src, phase, buf)
	if err != nil && !errors.Is(err, errSimOver) {
		failed := s.result(src.simFile, phase, simAnswer{verdict: simFailed, text: err.Error()})
		return nil, &failed
	}
	if err == nil {
		select {
		case s.slots <- struct{}{}:
		case <-s.ended:
		case <-ctx.Done():
		}
	}
	if s.over(ctx) { // Also when there was a slot: nothing is sent once the session has ended.
		text := "the session has ended"
		if ctx.Err() != nil {
			text = "interrupted"
		}
		unsent := s.unsent(src.simFile, phase, text)
		return nil, &unsent
	}
	return event, nil
}

// ask posts an event and frees its slot. As with ascp, whatever is no
// acceptance ends the session.
func (s *simSession) ask(ctx context.Context, f simFile, phase rules.Phase, event []byte) simResult {
	answer := s.run.poster.post(ctx, event)
	if answer.verdict != simAccepted && !s.run.plan.all {
		s.end()
	}
	<-s.slots
	s.run.report.heardOf(answer)
	return s.result(f, phase, answer)
}

func (s *simSession) result(f simFile, phase rules.Phase, a simAnswer) simResult {
	return simResult{session: s.base.SessionID, file: f.remote, verdict: a.verdict, phase: phase, code: a.code, text: a.text}
}

// unsent is the result of a file whose event of a phase was not sent.
func (s *simSession) unsent(f simFile, phase rules.Phase, text string) simResult {
	return s.result(f, phase, simAnswer{verdict: simUnsent, text: text})
}
