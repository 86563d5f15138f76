package rules

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/xeipuuv/gojsonschema"
)

func tagsKind() Kind {
	return Kind{
		Name: "tags",
		Doc:  "the transfer's tags are not valid against `schema` (JSON Schema draft-07, no remote references), or lack one of `require` (JSON pointers)",
		Schema: `{
	"type": "object", "additionalProperties": false, "minProperties": 1, "examples": [{"schema": "schemas/delivery.json"}],
	"properties": {
		"schema": {"type": "string", "minLength": 1, "description": "A JSON Schema (draft-07) file of the policy set that the tags must satisfy.", "examples": ["schemas/delivery.json"]},
		"require": {"type": "array", "minItems": 1, "items": {"type": "string"}, "description": "JSON pointers (RFC 6901) to members that must be there and not null.", "examples": [["/project"]]}
	}
}`,
		Phases:       EveryPhase,
		Reads:        "tags",
		Fields:       []string{"tags"},
		Code:         "1025",
		Placeholders: []string{"found"},
		Saw: func(e *Event) string {
			if _, err := e.Tags.Value(); err != nil {
				return err.Error()
			}
			return "tags"
		},
		Compile: compileTags,
	}
}

func compileTags(env Env, dec Decoder) (Compiled, error) {
	var spec struct {
		Schema  string   `json:"schema"`
		Require []string `json:"require"`
	}
	if err := dec.Decode(&spec); err != nil {
		return Compiled{}, err
	}
	var wrong mistakes
	for i, pointer := range spec.Require {
		bare := strings.NewReplacer("~0", "", "~1", "").Replace(pointer)
		if strings.Contains(bare, "~") {
			wrong.add(At(item("require", i), "%q is not a JSON pointer", pointer).WithHint("a ~ is written ~0, and a / in a name ~1"))
		} else if !strings.HasPrefix(pointer, "/") {
			wrong.add(At(item("require", i), "%q is not a JSON pointer", pointer).WithHint("did you mean %q?", "/"+strings.ReplaceAll(pointer, ".", "/")))
		}
	}
	var schema *gojsonschema.Schema
	if spec.Schema != "" {
		var err error
		if schema, err = openSchema(env, spec.Schema); err != nil {
			wrong.add(&SpecError{At: "/schema", Message: fmt.Sprintf("the schema %s cannot be used", spec.Schema), Cause: err})
		}
	}
	none := builtinMessage("This transfer carries no tags that could be read, and they are needed here. Start it from the portal.")
	lacking := builtinMessage("This transfer's tags lack {found}. Fill in the delivery's details and try again.")
	invalid := builtinMessage("This transfer's tags are not as they must be: {found}. Correct the delivery's details and try again.")
	return Compiled{Reach: tagReach{spec.Require, spec.Schema}, Check: func(_ context.Context, e *Event) (*Objection, error) {
		tree, err := e.Tags.Value()
		if err != nil {
			return &Objection{Message: none, Found: err.Error()}, nil
		}
		for _, pointer := range spec.Require {
			if lookUp(tree, pointer) == nil {
				return &Objection{Message: lacking, Found: pointer}, nil
			}
		}
		if schema == nil {
			return nil, nil
		}
		result, err := schema.Validate(gojsonschema.NewRawLoader(tree))
		if err != nil {
			return nil, fmt.Errorf("validating tags: %w", err)
		}
		if !result.Valid() {
			return &Objection{Message: invalid, Found: firstFault(result)}, nil
		}
		return nil, nil
	}}, wrong.err()
}

// firstFault names the place and the kind of one fault, and nothing of the tags'
// own values, which can be secret. Of several it is the first in the order of
// their texts: the validator's own order changes with each load.
func firstFault(result *gojsonschema.Result) string {
	var first string
	for _, fault := range result.Errors() {
		place := strings.TrimPrefix(fault.Context().String("/"), gojsonschema.STRING_CONTEXT_ROOT)
		if property, ok := fault.Details()["property"].(string); ok {
			place += "/" + property
		}
		if place == "" {
			place = "the tags"
		}
		if text := place + " (" + strings.ReplaceAll(fault.Type(), "_", " ") + ")"; first == "" || text < first {
			first = text
		}
	}
	return first
}

// lookUp follows a JSON pointer (RFC 6901) and returns nil where it leads
// nowhere. Arrays are indexed by number.
func lookUp(tree any, pointer string) any {
	for token := range strings.SplitSeq(pointer[1:], "/") {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		switch node := tree.(type) {
		case map[string]any:
			tree = node[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || strconv.Itoa(i) != token || i < 0 || i >= len(node) {
				return nil
			}
			tree = node[i]
		default:
			return nil
		}
	}
	return tree
}
