package policies

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// namePattern is the form of names of policies, rules and clients: they are
// metric labels, log fields and parts of messages.
const namePattern = `^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`

// texts is the type of a list of texts, of which there is one at least.
const texts = `"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}`

// modes is the type of a mode.
const modes = `"enum": ["enforce", "shadow", "off"], "default": "enforce"`

// schemaFrame is the JSON Schema of a policy around the kinds' own schemas,
// which stand where %[1]s is. %[2]s is the list of phases, %[3]s that of the
// placeholders, and %[4]s says that a rule has one kind.
const schemaFrame = `{
"$schema": "http://json-schema.org/draft-07/schema#",
"title": "sluice policy",
"description": "One policy of a set, version 1 of the language.",
"type": "object", "additionalProperties": false, "required": ["version", "policy", "rules"],
"properties": {
	"version": {"const": 1, "description": "The version of the policy language: 1."},
	"policy": {"type": "string", "pattern": "` + namePattern + `", "description": "The policy's name, unique in the set: up to 64 letters, digits, dots, dashes and underscores.", "examples": ["partner-ingest"]},
	"description": {"type": "string", "description": "What the policy is for, in a sentence.", "examples": ["Partners deliver finished video and nothing else."]},
	"applies_to": {"type": "object", "additionalProperties": false, "minProperties": 1,
		"description": "Which events the policy decides: every key must match, in a list any one. Without it the policy decides all events.",
		"examples": [{"direction": ["upload"], "path": ["/ingest/**"]}],
		"properties": {
			"direction": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"enum": ["upload", "download"]}, "description": "Seen from the person who transfers, whatever ascp calls it.", "examples": [["upload"]]},
			"user": {` + texts + `, "description": "Transfer accounts (globs).", "examples": [["partner-*"]]},
			"host": {` + texts + `, "description": "Aspera servers, as they name themselves (globs).", "examples": [["hst-eu-*"]]},
			"client_ip": {` + texts + `, "description": "Addresses and CIDR ranges of clients.", "examples": [["203.0.113.0/24", "2001:db8::/32"]]},
			"path": {` + texts + `, "description": "Paths of files (globs): * and ? stay inside a folder, ** is any number of folders.", "examples": [["/ingest/**"]]}
		}},
	"mode": {` + modes + `, "description": "What the policy's objections do: enforce refuses; shadow decides, counts and logs, but never refuses, and shadows all rules of the policy; off asks nothing."},
	"rules": {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/rule"}, "description": "The policy's rules. The first that objects refuses.", "examples": [[{"name": "not-too-big", "size": {"max": "500 GiB"}}]]}
},
"definitions": {
	"rule": {"type": "object", "additionalProperties": false, "required": ["name"],
		"description": "A rule has a name, exactly one kind, and any of on, when, mode, code, message, timeout, on_error, on_partial and description.",%[4]s
		"properties": {
			"name": {"type": "string", "pattern": "` + namePattern + `", "description": "The rule's name, unique in the policy: up to 64 letters, digits, dots, dashes and underscores.", "examples": ["not-too-big"]},
			"description": {"type": "string", "description": "Why the rule is there.", "examples": ["The archive takes no files above 500 GiB."]},%[1]s
			"on": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"enum": [%[2]s]}, "description": "The phases in which the rule is asked: request (a token is asked for), start, running (the head of the file is there), stop (the file is complete). Each kind has a default.", "examples": [["start", "stop"]]},
			"when": {"type": "string", "minLength": 1, "description": "A CEL expression: the rule looks only at events for which it is true.", "examples": ["event.size > 100 * GiB"]},
			"mode": {` + modes + `, "description": "What the rule's objection does: enforce refuses; shadow decides, counts and logs, but never refuses; off asks nothing."},
			"code": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,32}$", "description": "The code of a refusal, up to 32 letters, digits, dots, dashes and underscores. Each kind has a default.", "examples": ["1022"]},
			"message": {"type": "string", "minLength": 1, "description": "What the person who transfers reads, in one line. Placeholders: %[3]s and those of the kind.", "examples": ["{name}: only MOV, MXF and MP4 may be delivered."]},
			"timeout": {"type": "string", "description": "How long one question may take, such as 500ms or 60s, up to 1h. Without it nothing limits it.", "examples": ["60s"]},
			"on_error": {"enum": ["reject", "accept"], "default": "reject", "description": "What happens when the rule cannot tell: an error, a timeout, a field that the event lacks."},
			"on_partial": {"enum": ["reject", "accept"], "default": "reject", "description": "What happens when a rule that looks into files could look at a part only, and found nothing there."}
		}}
}}`

// Schema returns the JSON Schema (draft-07) of a policy whose rules are of the
// given kinds, indented, its keys in the order in which a person writes them.
// It is the one by which policies are loaded, and says beside that that a rule
// has exactly one kind, which the compiler looks at itself to say it in better
// words than a schema can.
func Schema(kinds []rules.Kind) string {
	choice := make([]string, len(kinds))
	for i, k := range kinds {
		choice[i] = fmt.Sprintf(`{"required": [%q]}`, k.Name)
	}
	return indented(policySchema(kinds, `"oneOf": [`+strings.Join(choice, ", ")+`],`))
}

// policySchema fills the frame.
func policySchema(kinds []rules.Kind, oneKind string) string {
	var parts strings.Builder
	for _, k := range kinds {
		fmt.Fprintf(&parts, "\n\t\t\t%q: %s,", k.Name, kindSchema(k))
	}
	phases := `"` + strings.Join(rules.EveryPhase.Names(), `", "`) + `"`
	return fmt.Sprintf(schemaFrame, parts.String(), phases, braced(append(rules.CommonPlaceholders(), "found")), oneKind)
}

// kindSchema returns a kind's own schema with a description in front that is
// made of what the kind says of itself. It panics if the schema is not an
// object, which a test excludes.
func kindSchema(k rules.Kind) string {
	var own struct {
		Description string         `json:"description"`
		Rest        jsontext.Value `json:",embed"`
	}
	if err := json.Unmarshal([]byte(k.Schema), &own); err != nil {
		panic(fmt.Sprintf("policies: the schema of the kind %s: %v", k.Name, err))
	}
	sentences := []string{"Refuses when " + k.Doc + ".", own.Description, "Asked on " + k.Phases.String() + "."}
	if k.Late != "" {
		sentences[2] = "Asked on " + k.Phases.String() + ": " + k.Late + "."
	}
	sentences = append(sentences, "Reads "+k.Reads+".", "Code "+string(k.Code)+" unless the rule has another.")
	if k.Needs != "" {
		sentences = append(sentences, "Needs "+k.Needs+".")
	}
	if len(k.Placeholders) > 0 {
		sentences = append(sentences, "Placeholders of its messages: "+braced(k.Placeholders)+".")
	}
	own.Description = strings.ReplaceAll(strings.ReplaceAll(strings.Join(sentences, " "), "  ", " "), "`", "")
	text, err := json.Marshal(own)
	if err != nil {
		panic(fmt.Sprintf("policies: the schema of the kind %s: %v", k.Name, err))
	}
	return string(text)
}

// braced writes placeholders as messages do.
func braced(names []string) string { return "{" + strings.Join(names, "}, {") + "}" }

// indented lays a schema out for a reader. It panics if the text is not JSON,
// which a test excludes.
func indented(schema string) string {
	text := jsontext.Value(schema)
	if err := text.Indent(jsontext.WithIndent("  "), jsontext.AllowDuplicateNames(false)); err != nil {
		panic("policies: " + err.Error())
	}
	return string(text) + "\n"
}

// compileSchema compiles a schema that is part of sluice. It panics if it is
// not one, which a test excludes.
func compileSchema(text string) *document.Schema {
	s, err := document.CompileSchema(text)
	if err != nil {
		panic("policies: " + err.Error())
	}
	return s
}
