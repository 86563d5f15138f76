package rules

import (
	"errors"
	"time"
)

// Verdict is what ascp is told. Its zero value accepts.
type Verdict struct {
	// Code is empty when the event is accepted.
	Code Code
	// Message is one printable line of at most MaxMessage bytes.
	Message string
}

// Outcome is what came of asking one rule.
type Outcome uint8

// The outcomes.
const (
	// Passed is no objection.
	Passed Outcome = iota
	// Refused is the objection that decided the event.
	Refused
	// WouldRefuse is an objection in shadow mode.
	WouldRefuse
	// RefusedOnError decided the event because the rule could not tell.
	RefusedOnError
	// WouldRefuseOnError is the same in shadow mode.
	WouldRefuseOnError
	// AcceptedOnError let the event pass although the rule could not tell.
	AcceptedOnError
	// Skipped is a rule that was not asked, because its `when` does not hold.
	Skipped
)

var outcomeNames = [...]string{
	"passed", "refused", "would_refuse", "refused_on_error", "would_refuse_on_error", "accepted_on_error",
	"skipped",
}

// String returns the outcome's name as logs write it.
func (o Outcome) String() string { return outcomeNames[o] }

// Step is one rule that was asked.
type Step struct {
	// Rule is what was asked.
	Rule *Rule
	// Outcome is what came of it.
	Outcome Outcome
	// Looked is how far a look into the file got; nil for rules that read
	// metadata only, which take nanoseconds.
	Looked *Looked
	// Detail is nil for a step that passed or was skipped.
	Detail *Detail
}

// Detail is what is known of a step that did not simply pass.
type Detail struct {
	// Verdict is what the rule says, or would say if it were enforced. It is
	// empty for a step that was accepted on error.
	Verdict Verdict
	// Saw is the value that the rule objected to.
	Saw string
	// Reason is the objection's: one word of a closed set, or empty.
	Reason string
	// Err is why the rule could not tell. It is logged and never shown.
	Err error
}

// Saw returns the value that the step's rule looked at.
func (s Step) Saw(e *Event) string {
	if s.Detail != nil && s.Detail.Saw != "" {
		return s.Detail.Saw
	}
	if s.Rule.Saw == nil {
		return ""
	}
	return s.Rule.Saw(e)
}

// Decision is the answer to an event and how it came about.
type Decision struct {
	ID ID
	Verdict
	// Policy, Rule and Kind name what refused; empty when accepted, and when
	// no rule was what refused.
	Policy, Rule, Kind string
	// Revision is that of the policy set that decided.
	Revision string
	// Applied is how many policies applied to the event.
	Applied int
	// Took is the time from the event's arrival to the decision.
	Took time.Duration
	// Steps are the rules that were asked, and those that would have been but
	// for their `when`, in order.
	Steps []Step
	// Err is why the deciding rule, or the service, could not tell. It is
	// logged and never shown.
	Err error
	// Facts are what looks into the file have told; nil where nobody looked.
	Facts *Facts
}

// Asked returns how many rules were asked.
func (d *Decision) Asked() int {
	n := 0
	for i := range d.Steps {
		if d.Steps[i].Outcome != Skipped {
			n++
		}
	}
	return n
}

// Accepted reports whether the event may pass.
func (d *Decision) Accepted() bool { return d.Code == "" }

// Begin returns a decision about e that accepts so far. The first decision
// about an event uses the room for steps that the event brings.
func Begin(e *Event, revision string) Decision {
	d := Decision{ID: e.ID, Revision: revision}
	if !e.stepsTaken {
		e.stepsTaken = true
		d.Steps = e.steps[:0]
	}
	return d
}

// Refuse returns a decision that no rule made.
func Refuse(e *Event, revision string, v Verdict, err error) Decision {
	return Decision{ID: e.ID, Revision: revision, Verdict: v, Err: err}
}

// note records what came of asking a rule, and reports whether that decides the
// event.
func (d *Decision) note(e *Event, r *Rule, looked *Looked, o *Objection, err error) bool {
	switch {
	case o == nil && err == nil:
		d.Steps = append(d.Steps, Step{Rule: r, Outcome: Passed, Looked: looked})
		return false
	case err == errSkipped: //nolint:errorlint // Never wrapped, and asked on the hot path.
		d.Steps = append(d.Steps, Step{Rule: r, Outcome: Skipped})
		return false
	default:
		return d.object(e, r, looked, o, err)
	}
}

// object records that a rule objected or could not tell, and reports whether
// that decides the event.
func (d *Decision) object(e *Event, r *Rule, looked *Looked, o *Objection, err error) bool {
	step := Step{Rule: r, Looked: looked, Detail: &Detail{Err: err}}
	var panicked *PanicError
	switch {
	case err == nil:
		step.Detail.Saw, step.Detail.Reason = o.Found, o.Reason
		step.Outcome = Refused
		step.Detail.Verdict = Verdict{Code: r.Code, Message: r.render(e, o)}
	case errors.As(err, &panicked):
		step.Outcome = RefusedOnError
		step.Detail.Verdict = CodeInternal.Verdict()
	case errors.Is(err, ErrUndecidable): // Of a log: whoever reads that sees to it.
		step.Outcome = AcceptedOnError
	case looked != nil && looked.State == Partial && r.AcceptPart,
		(looked == nil || looked.State != Partial) && r.AcceptOnError:
		step.Outcome = AcceptedOnError
	default:
		step.Outcome = RefusedOnError
		step.Detail.Verdict = Verdict{Code: r.Code, Message: cannotTell.render(e, r, nil)}
	}
	decides := step.Outcome != AcceptedOnError
	if decides && r.Mode == Shadow {
		decides = false
		step.Outcome++ // Refused → WouldRefuse, RefusedOnError → WouldRefuseOnError.
	}
	d.Steps = append(d.Steps, step)
	if decides {
		d.Verdict, d.Err = step.Detail.Verdict, err
		d.Policy, d.Rule, d.Kind = r.Policy, r.Name, r.Kind
	}
	return decides
}
