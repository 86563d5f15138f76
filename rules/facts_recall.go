package rules

import (
	"context"
	"errors"
	"slices"
)

// Recall is what a log has of an event that is decided again. Rules answer from
// it, look at no file and ask nobody; or they fail with ErrUndecidable.
type Recall struct {
	// Facts are what looks into the file told; nil if nobody looked.
	Facts *Facts
	// Missing are the members of the event that were not recorded as they came, by
	// the names that Kind.Fields has.
	Missing []string
	// Grant is what came of asking about the event's grant, nil if nobody asked: a
	// log has no grants, which would let whoever reads it transfer.
	Grant *RecalledGrant
	// Quotas are what came of the rules of the kind quota that were asked.
	Quotas []RecalledQuota
}

// RecalledGrant is what came of asking about a grant.
type RecalledGrant struct {
	// Refused says that it does not allow the event; Found is what was seen.
	Refused bool
	Found   string
	// Failed says that it could not be told.
	Failed bool
}

// ErrUndecidable says that what was recorded does not tell what a rule would have
// found. Each such error is an *UndecidableError.
var ErrUndecidable = errors.New("what was recorded does not tell")

// UndecidableError says why what was recorded does not tell.
type UndecidableError struct {
	// Reason is a word of a closed set, one of UndecidableReasons.
	Reason string
	// Field is the member of the event that was not recorded as it came, for the
	// reason hidden.
	Field string
}

// The reasons for which a rule cannot be asked again.
const (
	UndecidableHidden  = "hidden"  // the rule reads what was not recorded as it came
	UndecidableUnseen  = "unseen"  // nobody learned what the rule looks for
	UndecidableDigest  = "digest"  // no digest of an algorithm that the rule needs
	UndecidableScanner = "scanner" // the scanner gave no answer about the file
	UndecidableArchive = "archive" // the summary of the archive does not tell
	UndecidableGrant   = "grant"   // no rule asked about the grant
	UndecidableCount   = "count"   // no rule of that name counted the event
	UndecidableRemote  = "remote"  // the rule asks somebody else
)

// UndecidableReasons returns the reasons for which a rule cannot be asked again,
// each with what it means.
func UndecidableReasons() map[string]string {
	return map[string]string{
		UndecidableHidden:  "it reads what the log hides or shortens",
		UndecidableUnseen:  "nobody looked into the file for that",
		UndecidableDigest:  "a digest that it needs was not computed",
		UndecidableScanner: "the scanner was not asked, or gave no answer",
		UndecidableArchive: "what was recorded of the archive does not tell",
		UndecidableGrant:   "the log has no grants, and no rule asked about this one",
		UndecidableCount:   "the log has nothing of what was counted, and no quota of that name was asked",
		UndecidableRemote:  "it asks a service",
	}
}

// Error implements error.
func (u *UndecidableError) Error() string {
	text := UndecidableReasons()[u.Reason]
	if u.Field != "" {
		text += ": " + u.Field
	}
	return text
}

// Is reports whether target is ErrUndecidable.
func (u *UndecidableError) Is(target error) bool { return target == ErrUndecidable }

// Hides returns the first of some members of the event that was not recorded as
// it came, and nothing if all were. No list stands for all members.
func (c *Recall) Hides(fields []string) string {
	for _, name := range c.Missing {
		if fields == nil || slices.Contains(fields, name) {
			return name
		}
	}
	return ""
}

// recall asks the rule about an event of a log. looked is nil for a rule that
// reads metadata.
func (r *Rule) recall(e *Event) (o *Objection, looked *Looked, err error) {
	defer func() {
		if v := recover(); v != nil {
			o, looked, err = nil, nil, &PanicError{Value: v}
		}
	}()
	var hidden error
	if r.When != nil {
		if field := e.Recall.Hides(r.When.Reads()); field != "" {
			hidden = &UndecidableError{Reason: UndecidableHidden, Field: field}
		} else if holds, err := r.When.holds(e); err != nil {
			return nil, nil, err
		} else if !holds {
			return nil, nil, errSkipped
		}
	}
	o, looked, err = r.remember(e)
	if hidden != nil && (o != nil || err != nil) { // Whether it looks at the event matters.
		return nil, nil, hidden
	}
	return o, looked, err
}

// remember asks the question itself.
func (r *Rule) remember(e *Event) (o *Objection, looked *Looked, err error) {
	if field := e.Recall.Hides(r.Fields); field != "" {
		return nil, nil, &UndecidableError{Reason: UndecidableHidden, Field: field}
	}
	switch {
	case r.Recall != nil:
		facts := e.Recall.Facts
		if facts == nil {
			facts = &Facts{}
		}
		found, err := r.Recall(e, facts)
		if err != nil {
			return nil, nil, err
		}
		if r.Cost > Store {
			looked = &Looked{Coverage: found.Coverage}
		}
		if found.Coverage.State == Partial {
			return nil, looked, partError{found}
		}
		return found.Objection, looked, found.Err
	case r.Check != nil:
		o, err = r.Check(context.Background(), e)
		return o, nil, err
	case r.Remote:
		return nil, nil, &UndecidableError{Reason: UndecidableRemote}
	default:
		return nil, nil, &UndecidableError{Reason: UndecidableUnseen}
	}
}
