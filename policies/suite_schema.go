package policies

import (
	"encoding/json"
	"fmt"
	"strings"
)

// suiteFrame is the JSON Schema of a file of tests around the keys of an event:
// %[1]s are those of the defaults, %[2]s those of a test, where null takes a
// default away, and %[3]s says that a test wants one answer.
const suiteFrame = `{
"$schema": "http://json-schema.org/draft-07/schema#",
"title": "sluice tests",
"description": "Tests of a policy set: events, and what must become of them. The service does not read them.",
"type": "object", "additionalProperties": false, "required": ["version", "tests"],
"properties": {
	"version": {"const": 1, "description": "The version of the policy language: 1."},
	"description": {"type": "string", "minLength": 1, "description": "What the tests of the file are about, in a sentence.", "examples": ["What partners may deliver."]},
	"defaults": {"type": "object", "additionalProperties": false, "minProperties": 1, "description": "What the events of all tests of the file say unless the test says otherwise.", "examples": [{"direction": "upload", "user": "partner-7"}], "properties": {%[1]s}},
	"tests": {"type": "array", "minItems": 1, "description": "The tests of the file.", "examples": [[{"name": "a partner delivers a film", "event": {"path": "/ingest/film.mov"}, "accept": true}]], "items": {
		"type": "object", "additionalProperties": false, "required": ["name"],%[3]s
		"properties": {
			"name": {"type": "string", "maxLength": 200, "pattern": "^\\S(.*\\S)?$", "description": "What is tested, in one line, unique in the file.", "examples": ["a partner delivers a film"]},
			"description": {"type": "string", "minLength": 1, "description": "Why the test is there.", "examples": ["Was accepted by mistake until the rule had its allow list."]},
			"event": {"type": "object", "additionalProperties": false, "minProperties": 1, "description": "What the Aspera server asks about. A key that is left out comes from the file's defaults, and null takes a default away. What neither says is absent, and a rule that needs it cannot tell.", "examples": [{"phase": "start", "path": "/ingest/film.mov", "size": "40 GiB"}], "properties": {%[2]s}},
			"accept": {"const": true, "description": "The event must be accepted."},
			"refuse": {"type": ["boolean", "object"], "if": {"type": "boolean"}, "then": {"const": true}, "additionalProperties": false, "minProperties": 1,
				"description": "The event must be refused: true, or who must refuse it and how. Every key given must be so.", "examples": [{"policy": "partner-ingest", "rule": "finished-video-only", "code": "1022"}, true],
				"properties": {` + wantedKeys + `,
					"message": {"type": "string", "minLength": 1, "description": "What the person who transfers must read, to the letter.", "examples": ["film.avi: only MOV, MXF and MP4 may be delivered."]}
				}},
			"would_refuse": {"type": "array", "minItems": 1, "description": "Rules in shadow mode that must have noted that they would refuse.", "examples": [[{"rule": "has-delivery-sheet"}]], "items": {
				"type": "object", "additionalProperties": false, "minProperties": 1,
				"properties": {` + wantedKeys + `}
			}}
		}}}
}}`

// wantedKeys are the keys by which a test names a rule and its answer.
const wantedKeys = `
					"policy": {"type": "string", "pattern": "` + namePattern + `", "description": "The name of the policy that must refuse.", "examples": ["partner-ingest"]},
					"rule": {"type": "string", "pattern": "` + namePattern + `", "description": "The name of the rule that must refuse.", "examples": ["finished-video-only"]},
					"code": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,32}$", "description": "The code that ascp must get: up to 32 letters, digits, dots, dashes and underscores.", "examples": ["1022"]}`

// TestsSchema returns the JSON Schema (draft-07) of a file of tests, indented,
// its keys in the order in which a person writes them. It is the one by which
// tests are read, and says beside that that a test wants the event accepted or
// refused, which the reader looks at itself to say it in better words than a
// schema can.
func TestsSchema() string {
	return indented(suiteSchema(`"oneOf": [{"required": ["accept"]}, {"required": ["refuse"]}],`))
}

// suiteSchema fills the frame.
func suiteSchema(oneAnswer string) string {
	var defaults, event []string
	for _, k := range eventKeys() {
		defaults = append(defaults, fmt.Sprintf("\n\t\t%q: %s", k.name, k.schema))
		event = append(event, fmt.Sprintf("\n\t\t\t\t%q: %s", k.name, orNull(k.schema)))
	}
	return fmt.Sprintf(suiteFrame, strings.Join(defaults, ","), strings.Join(event, ","), oneAnswer)
}

// orNull returns a schema that also takes null.
func orNull(schema string) string {
	var s map[string]any
	if err := json.Unmarshal([]byte(schema), &s); err != nil {
		panic(fmt.Sprintf("policies: schema of a key of events: %v", err))
	}
	switch t := s["type"].(type) {
	case string:
		s["type"] = []any{t, "null"}
	case []any:
		s["type"] = append(t, "null")
	}
	if words, ok := s["enum"].([]any); ok {
		s["enum"] = append(words, nil)
	}
	text, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("policies: schema of a key of events: %v", err))
	}
	return string(text)
}
