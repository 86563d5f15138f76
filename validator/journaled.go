package validator

import (
	"context"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/sluiceproject/sluice/rules"
)

// Recorder is what decisions are recorded by: a journal.Journal.
type Recorder interface {
	// Append returns when a decision is recorded as safely as it is to be. An error
	// means that it is not.
	Append(e *rules.Event, d *rules.Decision) error
	// Unrecorded tells what became of a decision that Append failed to record:
	// whether it was answered all the same, or refused for that reason.
	Unrecorded(answered bool)
}

// JournaledOptions say what happens to a decision that cannot be recorded.
type JournaledOptions struct {
	// Accept has it answered all the same. Without it every event is refused with
	// rules.CodeJournal, also one that a rule refuses: nothing is answered that the
	// log does not have.
	Accept bool
	// Now is the clock.
	Now func() time.Time
	// Log is told, at most once a second.
	Log *zap.Logger
}

// Journaled has the decisions of next recorded before they are answered.
func Journaled(next Decider, to Recorder, o JournaledOptions) Decider {
	return &journaled{next: next, to: to, o: o, pace: rate.NewLimiter(1, 1)}
}

type journaled struct {
	next Decider
	to   Recorder
	o    JournaledOptions
	pace *rate.Limiter
}

// Decide implements Decider.
func (j *journaled) Decide(ctx context.Context, e *rules.Event) rules.Decision {
	d := j.next.Decide(ctx, e)
	d.Took = j.o.Now().Sub(e.Received)
	err := j.to.Append(e, &d)
	if err == nil {
		return d
	}
	j.to.Unrecorded(j.o.Accept)
	if j.pace.Allow() {
		consequence := "the event is refused"
		if j.o.Accept {
			consequence = "the decision stands"
		}
		j.o.Log.Error("a decision could not be recorded: "+consequence, zap.Stringer("id", e.ID), zap.Error(err))
	}
	if j.o.Accept {
		return d
	}
	refused := rules.Refuse(e, d.Revision, rules.CodeJournal.Verdict(), err)
	refused.Applied, refused.Steps, refused.Took, refused.Facts = d.Applied, d.Steps, d.Took, d.Facts
	return refused
}
