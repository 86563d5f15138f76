package sinks

import (
	"fmt"
	"slices"

	"github.com/sluiceproject/sluice/validator/journal"
)

// Fields say how what is sent names its members.
type Fields uint8

// The names of members.
const (
	// FieldsOwn are the log's own: a record is sent as its line in the log, so that
	// whoever receives it can verify the chain.
	FieldsOwn Fields = iota
	// FieldsECS are those of the Elastic Common Schema, and sluice.* for what it
	// has no name for.
	FieldsECS
)

// ParseFields returns the fields of a name that a configuration may use: sluice or
// ecs.
func ParseFields(name string) (Fields, error) {
	switch name {
	case "sluice":
		return FieldsOwn, nil
	case "ecs":
		return FieldsECS, nil
	}
	return 0, fmt.Errorf("%q is neither sluice nor ecs", name)
}

// document returns the JSON that is sent for a record, on one line.
func (f Fields) document(e *entry) []byte {
	if f == FieldsECS {
		return ecs(e)
	}
	return e.line
}

// Filter says which records a sink sends. Its zero value is all. The log's own notes
// are always sent, because they tell of what is missing.
type Filter struct {
	// Verdict is accept or reject, or empty for both.
	Verdict string
	// Phases are the phases of events that are sent, nil for all.
	Phases []string
	// Policies are the policies of which one refused or had a rule that was asked,
	// nil for all.
	Policies []string
}

// takes reports whether a record is sent.
func (f *Filter) takes(r *journal.Record) bool {
	if r.Note != "" {
		return true
	}
	if f.Verdict != "" && r.Verdict != f.Verdict {
		return false
	}
	if len(f.Phases) > 0 && (r.Event == nil || !slices.Contains(f.Phases, r.Event.Phase)) {
		return false
	}
	return len(f.Policies) == 0 || slices.Contains(f.Policies, r.Policy) ||
		slices.ContainsFunc(r.Steps, func(s journal.Step) bool { return slices.Contains(f.Policies, s.Policy) })
}
