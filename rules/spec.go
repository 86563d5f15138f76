package rules

import (
	"errors"
	"fmt"
)

// mistakes collects what is wrong with a rule's settings, so that all of it is
// reported at once.
type mistakes []error

func (m *mistakes) add(err *SpecError) { *m = append(*m, err) }

// err returns the mistakes as one error, or nil.
func (m mistakes) err() error { return errors.Join(m...) }

// item is the JSON pointer of the element i of a list.
func item(list string, i int) string { return fmt.Sprintf("/%s/%d", list, i) }

// allowDeny is the pair of lists that several kinds have.
type allowDeny struct {
	Allow []string `json:"allow"`
	Deny  []string `json:"deny"`
}

// each calls f for every element of both lists with its pointer.
func (a allowDeny) each(f func(at, text string)) {
	for i, text := range a.Allow {
		f(item("allow", i), text)
	}
	for i, text := range a.Deny {
		f(item("deny", i), text)
	}
}

// allowDenySchema is the JSON Schema of such a pair. %s is what an element is,
// %s an example of it.
const allowDenySchema = `{
	"type": "object", "additionalProperties": false, "minProperties": 1, "examples": [{"allow": [%[2]s]}],
	"properties": {
		"allow": {"type": "array", "minItems": 1, "items": {"type": "string"}, "description": "Only %[1]s are accepted.", "examples": [[%[2]s]]},
		"deny": {"type": "array", "minItems": 1, "items": {"type": "string"}, "description": "%[3]s are refused, also when allowed.", "examples": [[%[2]s]]}%[4]s
	}
}`
