package policies

import (
	"context"
	"errors"

	"github.com/sluiceproject/sluice/rules"
)

// Recorded is a decision of a log, as far as it takes to decide it again.
type Recorded struct {
	// ID names the decision, as the log writes it.
	ID string
	// Event is what was decided, with the time at which it arrived, and Event.Recall
	// what the log has beside it.
	Event *rules.Event
	// Unasked says that the event was refused before any rule could be asked: it was
	// malformed, or the service could not take it.
	Unasked bool
	// Accepted is the verdict. Code, Policy and Rule are those of a refusal.
	Accepted     bool
	Code         rules.Code
	Policy, Rule string
}

// Change is what a candidate changes about a recorded decision.
type Change uint8

// The changes.
const (
	// Unchanged is the same verdict for the same reason.
	Unchanged Change = iota
	// NewlyRefused was accepted, and NewlyAccepted was refused.
	NewlyRefused
	NewlyAccepted
	// OtherReason is refused as before, by another rule or with another code.
	OtherReason
	// ReasonUnknown is refused as before for certain, and it cannot be told by which
	// rule: one that is asked earlier cannot be asked again.
	ReasonUnknown
	// Undecidable is neither certainly refused nor certainly accepted.
	Undecidable
	changeCount
)

var changeNames = [changeCount]string{"unchanged", "newly_refused", "newly_accepted", "other_reason", "reason_unknown", "undecidable"}

// String returns the change's name as reports write it.
func (c Change) String() string { return changeNames[c] }

// Again is a recorded decision that was made again.
type Again struct {
	Change Change
	// Decision is the candidate's. It means nothing where the change is Undecidable,
	// and its rule nothing where ReasonKnown is false.
	Decision    rules.Decision
	ReasonKnown bool
	// Unasked is the first enforced rule that could not be asked again, nil if there
	// is none or if it is not known which policies apply; Why is the reason.
	Unasked *rules.Rule
	Why     *rules.UndecidableError
}

// Again decides a recorded event by the set, from what the log has of it, and
// compares. It looks at no file and asks nobody. What cannot be told is said to
// be Undecidable, unless a rule that can be asked refuses in any case.
func (s *Snapshot) Again(ctx context.Context, r *Recorded) Again {
	e := r.Event
	if e.Recall == nil {
		e.Recall = &rules.Recall{}
	}
	if field := s.hiddenField(e.Recall); field != "" {
		return Again{Change: Undecidable, Why: &rules.UndecidableError{Reason: rules.UndecidableHidden, Field: field}}
	}
	a := Again{Decision: s.decide(ctx, e, &rules.ContentEnv{}), ReasonKnown: true}
	a.findUnasked()
	refused := !a.Decision.Accepted()
	switch {
	case refused && r.Accepted:
		a.Change = NewlyRefused
	case refused && !a.ReasonKnown:
		a.Change = ReasonUnknown
	case refused && a.Decision.Code == r.Code && a.Decision.Policy == r.Policy && a.Decision.Rule == r.Rule:
		a.Change = Unchanged
	case refused:
		a.Change = OtherReason
	case !a.ReasonKnown:
		a.Change = Undecidable
	case r.Accepted:
		a.Change = Unchanged
	default:
		a.Change = NewlyAccepted
	}
	return a
}

// hiddenField returns a member of an event by which policies of the set are
// selected and which the log does not have as it came.
func (s *Snapshot) hiddenField(c *rules.Recall) string {
	if len(c.Missing) == 0 {
		return ""
	}
	fields := make([]string, 0, fieldCount)
	for _, field := range []fieldSet{byUser, byHost, byClient, byPath} {
		if s.index.used&field != 0 {
			fields = append(fields, field.String())
		}
	}
	return c.Hides(fields)
}

// findUnasked finds the first enforced rule that could not be asked again.
func (a *Again) findUnasked() {
	steps := a.Decision.Steps
	for i := range steps {
		detail := steps[i].Detail
		if detail == nil || detail.Err == nil || steps[i].Rule.Mode != rules.Enforce {
			continue
		}
		if why := (*rules.UndecidableError)(nil); errors.As(detail.Err, &why) {
			a.ReasonKnown, a.Unasked, a.Why = false, steps[i].Rule, why
			return
		}
	}
}
