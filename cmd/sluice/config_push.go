package main

import (
	"encoding/json"
	"time"

	"github.com/sluiceproject/sluice/policies/document"
)

// pushConfig is what is asked of whoever pushes a policy set.
type pushConfig struct {
	// requireTests refuses --no-tests.
	requireTests bool
	// replay is nil where none is asked for.
	replay *pushReplay
}

// pushSchema is the JSON Schema of push in the configuration.
const pushSchema = `{"type": "object", "additionalProperties": false, "minProperties": 1, "description": "What sluice push asks of a policy set before it stores it.", "properties": {
	"require_tests": {"type": "boolean", "default": false, "description": "Refuse --no-tests."},
	"replay": {"type": "object", "additionalProperties": false, "description": "Decide recent decisions again with the set, and refuse it if more changes than this.", "properties": {
		"from": {"type": "string", "minLength": 1, "description": "The decision log: its folder, or one of its files; by default journal.dir."},
		"since": {"type": "string", "minLength": 1, "default": "7d", "description": "From then on: how long ago, such as 12h or 7d, or a date."},
		"max_newly_refused": {"type": ["integer", "string"], "minimum": 0, "description": "How many decisions may be newly refused: a number, or a share such as 0.5%."},
		"max_newly_accepted": {"type": ["integer", "string"], "minimum": 0, "description": "How many may be newly accepted."},
		"max_undecidable": {"type": ["integer", "string"], "minimum": 0, "description": "Of how many it may be unknown."}
	}}
}}`

// pushSpec is push as it is written.
type pushSpec struct {
	RequireTests bool            `json:"require_tests"`
	Replay       *pushReplaySpec `json:"replay"`
}

type pushReplaySpec struct {
	From             string          `json:"from"`
	Since            string          `json:"since"`
	MaxNewlyRefused  json.RawMessage `json:"max_newly_refused"`
	MaxNewlyAccepted json.RawMessage `json:"max_newly_accepted"`
	MaxUndecidable   json.RawMessage `json:"max_undecidable"`
}

// applyPush takes over push.
func (c *config) applyPush(doc *document.Document, spec *pushSpec) (faults document.Faults) {
	if spec == nil {
		return nil
	}
	c.push.requireTests = spec.RequireTests
	if spec.Replay == nil {
		return nil
	}
	r := &pushReplay{from: spec.Replay.From, since: spec.Replay.Since}
	c.push.replay = r
	if r.since == "" {
		r.since = defaultPushSince
	}
	if _, err := parseWhen(r.since, time.Unix(0, 0)); err != nil {
		faults = append(faults, doc.At("/push/replay/since", "%s", err))
	}
	for _, most := range []struct {
		key string
		raw json.RawMessage
		to  *pushLimit
	}{
		{"max_newly_refused", spec.Replay.MaxNewlyRefused, &r.limits.refused},
		{"max_newly_accepted", spec.Replay.MaxNewlyAccepted, &r.limits.accepted},
		{"max_undecidable", spec.Replay.MaxUndecidable, &r.limits.undecidable},
	} {
		if len(most.raw) == 0 {
			continue
		}
		text := string(most.raw)
		_ = json.Unmarshal(most.raw, &text) // A number stays as it is written.
		if err := most.to.set(text); err != nil {
			faults = append(faults, doc.At("/push/replay/"+most.key, "%s", err))
		}
	}
	return faults
}
