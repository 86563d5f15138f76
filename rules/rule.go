package rules

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Objection says why a rule refuses an event. Nil is no objection.
type Objection struct {
	// Message is the text for the person who transfers when the policy gives
	// none: a template like any other.
	Message *Template
	// Found is what the rule saw, for the placeholder {found}.
	Found string
	// Reason is one word of a closed set, fit for a metric label, where the kind has
	// such a set: GrantReasons.
	Reason string
}

// Check is the compiled question of a rule. An error means that it could not
// tell, never that it objects; its text is logged and not shown.
type Check func(ctx context.Context, e *Event) (*Objection, error)

// Mode says what becomes of a rule's objection.
type Mode uint8

// The modes.
const (
	// Enforce refuses.
	Enforce Mode = iota
	// Shadow records what would have been refused, and never refuses.
	Shadow
	// Off asks nothing.
	Off
)

var modeNames = [...]string{"enforce", "shadow", "off"}

// String returns the mode's name as policies write it.
func (m Mode) String() string { return modeNames[m] }

// ParseMode returns the mode of a name that a policy may use.
func ParseMode(name string) (Mode, bool) {
	for i, n := range modeNames {
		if n == name {
			return Mode(i), true
		}
	}
	return Enforce, false
}

// Rule is one compiled rule of one policy.
type Rule struct {
	// Policy and Name are the security team's, Kind is the code's.
	Policy, Name, Kind string
	// Mode is enforce or shadow; rules that are off are not compiled in.
	Mode Mode
	// Phases are those in which the rule is asked.
	Phases PhaseSet
	// NeedsFile says that the rule is not asked about session events.
	NeedsFile bool
	// NeedsName says that the rule judges the names of files, so that it is not
	// asked about a folder and what may be below it.
	NeedsName bool
	// Cost is what the rule reads.
	Cost Cost
	// Code is what ascp gets when the rule refuses.
	Code Code
	// Message replaces the kind's own message when not nil.
	Message *Template
	// Values are what the kind's placeholders stand for, such as {max}.
	Values map[string]string
	// PartialSuffix is looked through by the placeholder {extension}.
	PartialSuffix string
	// AcceptOnError lets the event pass when the rule cannot tell.
	AcceptOnError bool
	// Timeout bounds one question; zero is no bound of its own.
	Timeout time.Duration
	// When, if not nil, says which events the rule looks at.
	When *Condition
	// Check asks the question; nil for a rule that looks into the file.
	Check Check
	// Inspect looks into the file, and Consume takes part in reading all of it;
	// nil for a rule that reads metadata.
	Inspect Inspect
	Consume Consume
	// Recall and Fields are as in Compiled; a rule without Recall is asked again by
	// its Check, and cannot be if it has none.
	Recall func(e *Event, f *Facts) (Finding, error)
	Fields []string
	// Remote says that Inspect asks somebody else and reads no file, so that it
	// takes no place among those that do.
	Remote bool
	// Waits says that Consume and Inspect wait for somebody else, who has a bound
	// of his own, and so take no place among those that read meanwhile.
	Waits bool
	// AcceptPart lets the event pass when the rule could look at a part only and
	// found nothing there.
	AcceptPart bool
	// Reach is what the rule objects to, or nil.
	Reach Reach
	// Saw returns the value that the question is about, for steps that passed.
	Saw func(*Event) string
	// Limits are put on what is granted when the rule is asked on request.
	Limits GrantLimits
}

// PanicError is a panic inside a rule. The event that caused it is refused
// whatever the rule's on_error says, and nothing else is.
type PanicError struct{ Value any }

// Error implements error.
func (p *PanicError) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// ask puts the rule's question, with its timeout, and turns a panic into an
// error. The error is errSkipped if the rule does not look at the event.
func (r *Rule) ask(ctx context.Context, e *Event) (o *Objection, err error) {
	if e.Recall != nil {
		o, _, err = r.recall(e)
		return o, err
	}
	defer func() {
		if v := recover(); v != nil {
			o, err = nil, &PanicError{Value: v}
		}
	}()
	if r.When != nil {
		if holds, err := r.When.holds(e); err != nil {
			return nil, err
		} else if !holds {
			return nil, errSkipped
		}
	}
	if r.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.Timeout)
		defer cancel()
	}
	return r.Check(ctx, e)
}

// look asks a rule that looks into the file. looked is nil if it was not asked.
func (r *Rule) look(ctx context.Context, l *Look, e *Event) (o *Objection, looked *Looked, err error) {
	if e.Recall != nil {
		return r.recall(e)
	}
	if r.When != nil {
		if holds, err := r.when(e); err != nil {
			return nil, nil, err
		} else if !holds {
			return nil, nil, errSkipped
		}
	}
	found, took := l.inspect(ctx, r)
	looked = &Looked{Coverage: found.Coverage, Took: took}
	if found.Coverage.State == Partial {
		return nil, looked, partError{found}
	}
	return found.Objection, looked, found.Err
}

// when evaluates the rule's when and turns a panic into an error.
func (r *Rule) when(e *Event) (holds bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v}
		}
	}()
	return r.When.holds(e)
}

// errSkipped says that a rule's `when` does not hold for an event.
var errSkipped = errors.New("the rule does not look at this event")

// concerns reports whether the rule has a question about an event; session says
// that the event is not about a file.
func (r *Rule) concerns(e *Event, session bool) bool {
	return (!session || !r.NeedsFile) && (!e.Below || !r.NeedsName)
}

// OnlyLimits reports whether the rule can refuse nothing: it is asked on request
// only, and puts limits on what is granted then.
func (r *Rule) OnlyLimits() bool {
	return r.Limits != GrantLimits{} && r.Phases&TransferPhases == 0
}

// Chain is rules of one policy in the order in which they are asked.
type Chain []*Rule

// Ask asks the rules in turn, adds a step to the decision for each, and reports
// whether one of them refused. Rules that object in shadow are recorded and the
// next one is asked.
func (c Chain) Ask(ctx context.Context, e *Event, d *Decision) (refused bool) {
	session := !e.HasFile()
	for _, r := range c {
		if !r.concerns(e, session) {
			continue
		}
		o, err := r.ask(ctx, e)
		if d.note(e, r, nil, o, err) {
			return true
		}
	}
	return false
}

// Look asks dear rules in the same way. Those that read all of the file have
// read it before, by l.ReadOnce.
func (c Chain) Look(ctx context.Context, l *Look, e *Event, d *Decision) (refused bool) {
	session := !e.HasFile()
	for _, r := range c {
		if !r.concerns(e, session) {
			continue
		}
		if r.Check != nil { // Dear, but not for the sake of the file.
			o, err := r.ask(ctx, e)
			if d.note(e, r, nil, o, err) {
				return true
			}
			continue
		}
		o, looked, err := r.look(ctx, l, e)
		if d.note(e, r, looked, o, err) {
			return true
		}
	}
	return false
}
