package policies

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// namePattern is the form of names of policies and rules: they are metric
// labels, log fields and parts of messages.
const namePattern = `^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`

// schemaFrame is the JSON Schema of a policy around the kinds' own schemas,
// which stand where the first %s is. The second is the list of phases.
const schemaFrame = `{
"$schema": "http://json-schema.org/draft-07/schema#",
"title": "sluice policy",
"description": "One policy of a set, version 1 of the language.",
"type": "object", "additionalProperties": false, "required": ["version", "policy", "rules"],
"properties": {
	"version": {"const": 1, "description": "The version of the policy language: 1."},
	"policy": {"type": "string", "pattern": "` + namePattern + `", "description": "The policy's name, unique in the set: up to 64 letters, digits, dots, dashes and underscores.", "examples": ["partner-ingest"]},
	"description": {"type": "string", "description": "What the policy is for, in a sentence."},
	"applies_to": {"type": "object", "additionalProperties": false, "minProperties": 1,
		"description": "Which events the policy decides: every key must match, in a list any one. Without it the policy decides all events.",
		"properties": {
			"direction": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"enum": ["upload", "download"]}, "description": "Seen from the person who transfers.", "examples": [["upload"]]},
			"user": {"$ref": "#/definitions/globs", "description": "Transfer accounts (globs).", "examples": [["partner-*"]]},
			"host": {"$ref": "#/definitions/globs", "description": "Aspera servers, as they name themselves (globs).", "examples": [["hst-eu-*"]]},
			"client_ip": {"$ref": "#/definitions/globs", "description": "Addresses and CIDR ranges of clients.", "examples": [["203.0.113.0/24"]]},
			"path": {"$ref": "#/definitions/globs", "description": "Paths of files (globs).", "examples": [["/ingest/**"]]}
		}},
	"mode": {"$ref": "#/definitions/mode"},
	"rules": {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/rule"}, "description": "The policy's rules; the first that objects refuses."}
},
"definitions": {
	"globs": {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
	"mode": {"enum": ["enforce", "shadow", "off"], "default": "enforce", "description": "enforce; shadow: decide, count and log, but never refuse; off."},
	"rule": {"type": "object", "additionalProperties": false, "required": ["name"],
		"properties": {
			"name": {"type": "string", "pattern": "` + namePattern + `", "description": "The rule's name, unique in the policy: up to 64 letters, digits, dots, dashes and underscores.", "examples": ["not-too-big"]},
			"description": {"type": "string", "description": "Why the rule is there."},
			"on": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"enum": [%[2]s]}, "description": "The phases in which the rule is asked. Each kind has a default."},
			"mode": {"$ref": "#/definitions/mode"},
			"code": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,32}$", "description": "The code of a refusal, up to 32 letters, digits, dots, dashes and underscores. Each kind has a default.", "examples": ["1022"]},
			"message": {"type": "string", "minLength": 1, "description": "What the person who transfers reads. Placeholders: {name}, {path}, {extension}, {size}, {user}, {policy}, {rule}, {found} and those of the kind."},
			"when": {"type": "string", "minLength": 1, "description": "A CEL expression: the rule looks only at events for which it is true.", "examples": ["event.size > 100 * GiB"]},
			"timeout": {"type": "string", "description": "How long one question may take, such as 500ms or 60s.", "examples": ["60s"]},
			"on_error": {"enum": ["reject", "accept"], "default": "reject", "description": "What happens when the rule cannot tell."}%[1]s
		}}
}}`

// Schema returns the JSON Schema (draft-07) of a policy whose rules are of the
// given kinds.
func Schema(kinds []rules.Kind) string {
	var parts strings.Builder
	for _, k := range kinds {
		var schema map[string]any
		if err := json.Unmarshal([]byte(k.Schema), &schema); err != nil {
			panic(fmt.Sprintf("policies: schema of kind %s: %v", k.Name, err))
		}
		schema["description"] = "Refuses when " + strings.ReplaceAll(k.Doc, "`", "") + "."
		text, err := json.Marshal(schema)
		if err != nil {
			panic(fmt.Sprintf("policies: schema of kind %s: %v", k.Name, err))
		}
		fmt.Fprintf(&parts, ",\n\t\t\t%q: %s", k.Name, text)
	}
	phases := `"` + strings.Join(rules.EveryPhase.Names(), `", "`) + `"`
	return fmt.Sprintf(schemaFrame, parts.String(), phases)
}

// compileSchema compiles the schema of the policies. It panics if it is not
// one, which a test excludes.
func compileSchema(kinds []rules.Kind) *document.Schema {
	s, err := document.CompileSchema(Schema(kinds))
	if err != nil {
		panic("policies: " + err.Error())
	}
	return s
}
