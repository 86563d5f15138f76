package policies

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/sluiceproject/sluice/rules"
)

// countedKey is the key of an event that says what was counted before it.
const countedKey = "counted"

// countedSchema is the schema of that key.
const countedSchema = `{"type": "object", "additionalProperties": false, "minProperties": 1, "description": "What other files have added to each quota before: the session, the user or the client has moved so much in the window. Without it that is nothing.", "examples": [{"files": 1000, "bytes": "1 TiB"}],
			"properties": {
				"files": {"type": "integer", "minimum": 0, "maximum": 1000000000, "description": "How many other files.", "examples": [1000]},
				"bytes": {"type": ["integer", "string"], "minLength": 1, "description": "How much they have: bytes, or a number and a unit.", "examples": ["1 TiB"]}
			}}`

// setCounted looks at the value and changes nothing in the event: what was counted
// is beside it.
func setCounted(_ *rules.Event, value any) error {
	_, err := readCounted(value)
	return err
}

// readCounted reads the value of the key.
func readCounted(value any) (before rules.Counted, err error) {
	spec, _ := value.(map[string]any)
	if n, ok := spec["files"].(json.Number); ok {
		if before.Files, err = n.Int64(); err != nil {
			return before, rules.At("/files", "%s is not a whole number", n)
		}
	}
	if bytes, ok := spec["bytes"]; ok {
		if before.Bytes, err = rules.ParseSize(written(bytes)); err != nil {
			var wrong *rules.SpecError
			if errors.As(err, &wrong) {
				wrong.At = "/bytes"
			}
			return before, err
		}
	}
	return before, nil
}

// countedBefore returns what was counted before a test.
func countedBefore(given []Given) (before rules.Counted) {
	for _, g := range given {
		if g.Key == countedKey {
			before, _ = readCounted(g.Value) // What is wrong with it has been reported.
		}
	}
	return before
}

// StandInCounters is for rules.Env.Counters while tests are run: every test begins
// with empty counters, but for what it says itself, so that it can show what a quota
// does on a machine that has no policy store.
func StandInCounters() rules.Counters { return standInCounters{} }

type standInCounters struct{}

// countedBy is the key of a context's value: the rules.Counted before a test.
type countedBy struct{}

// Count implements rules.Counters. A test has one event, so nothing is remembered.
func (standInCounters) Count(ctx context.Context, c rules.Count) (rules.Counted, error) {
	counted, _ := ctx.Value(countedBy{}).(rules.Counted)
	if id, isGrant := strings.CutPrefix(c.Counter, rules.GrantCounter); isGrant {
		counted = rules.Counted{}
		if _, err := fmt.Sscanf(id, standInID+"%d", &counted.Files); err != nil {
			return counted, fmt.Errorf("not a grant of a test: %w", err)
		}
	}
	counted.Files++
	counted.Bytes += max(0, c.To-c.From)
	counted.Allowed = (c.Files == 0 || counted.Files <= c.Files) && (c.Bytes == 0 || counted.Bytes >= 0 && counted.Bytes <= c.Bytes)
	return counted, nil
}
