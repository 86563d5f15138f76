package journal

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// asWritten is a record in which is what its line says, and nothing else.
type asWritten Record

// UnmarshalJSON reads a record and completes its steps with what they leave out
// because it is so for most: see the README.
func (r *Record) UnmarshalJSON(line []byte) error {
	if err := json.Unmarshal(line, (*asWritten)(r)); err != nil {
		return err
	}
	r.complete()
	return nil
}

// complete fills in what steps leave out.
func (r *Record) complete() {
	for i := range r.Steps {
		s := &r.Steps[i]
		if s.Policy == "" && i > 0 {
			s.Policy = r.Steps[i-1].Policy
		}
		if s.Mode == "" {
			s.Mode = rules.Enforce.String()
		}
		if s.Outcome != "" {
			continue
		}
		s.Outcome = rules.Passed.String()
		if look := lookedAt(s.Kind); look != nil && s.Saw == "" {
			s.Saw = rules.Shorten(look(r), maxText)
		}
	}
}

// lookedAt returns what tells, from the event of a record, what rules of a kind
// looked at; nil where the event does not tell. A step that has passed says it only
// if it is nil.
func lookedAt(kind string) func(*Record) string {
	switch kind {
	case "path":
		return func(r *Record) string { return r.event().File }
	case "filename":
		return func(r *Record) string { return rules.ParsePath(r.event().File).Name() }
	case "extension":
		return func(r *Record) string { return rules.Extension(rules.ParsePath(r.event().File).Name()) }
	case "network":
		return func(r *Record) string { return r.event().ClientIP }
	case "size":
		return func(r *Record) string {
			if size := r.event().Size; size != nil {
				return strconv.FormatInt(*size, 10) + " B"
			}
			return ""
		}
	case "schedule":
		return func(r *Record) string { return r.Time.UTC().Format(time.RFC3339) }
	case "tags":
		return func(*Record) string { return "tags" }
	default:
		return nil
	}
}
