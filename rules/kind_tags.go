package rules

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/xeipuuv/gojsonschema"
)

// maxSchema is the largest JSON Schema that a rule may name, in bytes.
const maxSchema = 1 << 20

func tagsKind() Kind {
	return Kind{
		Name: "tags",
		Doc:  "the transfer's tags are not valid against `schema` (JSON Schema draft-07, no remote references), or lack one of `require` (JSON pointers)",
		Schema: `{
	"type": "object", "additionalProperties": false, "minProperties": 1,
	"properties": {
		"schema": {"type": "string", "minLength": 1, "description": "A JSON Schema (draft-07) file of the policy set that the tags must satisfy.", "examples": ["schemas/delivery.json"]},
		"require": {"type": "array", "minItems": 1, "items": {"type": "string"}, "description": "JSON pointers (RFC 6901) to members that must be there and not null.", "examples": [["/project"]]}
	}
}`,
		Phases:       EveryPhase,
		Reads:        "tags",
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
		if !strings.HasPrefix(pointer, "/") {
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
	return Compiled{Check: func(_ context.Context, e *Event) (*Objection, error) {
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

// firstFault names the place and the kind of the first fault, and nothing of
// the tags' own values, which can be secret.
func firstFault(result *gojsonschema.Result) string {
	first := result.Errors()[0]
	place := strings.TrimPrefix(first.Context().String("/"), gojsonschema.STRING_CONTEXT_ROOT)
	if property, ok := first.Details()["property"].(string); ok {
		place += "/" + property
	}
	if place == "" {
		place = "the tags"
	}
	return place + " (" + strings.ReplaceAll(first.Type(), "_", " ") + ")"
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
			var i int
			if n, err := fmt.Sscanf(token, "%d", &i); n != 1 || err != nil || i < 0 || i >= len(node) {
				return nil
			}
			tree = node[i]
		default:
			return nil
		}
	}
	return tree
}

// openSchema compiles a schema of the policy set. References may only stay
// inside the document, so that nothing is ever fetched.
func openSchema(env Env, name string) (*gojsonschema.Schema, error) {
	f, err := env.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // It was only read.
	text, err := io.ReadAll(io.LimitReader(f, maxSchema+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(text) > maxSchema {
		return nil, fmt.Errorf("%s is larger than %s", name, FormatSize(maxSchema))
	}
	tree, err := ParseTree(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := refuseRemote(tree); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	loader := gojsonschema.NewSchemaLoader()
	loader.Draft, loader.AutoDetect = gojsonschema.Draft7, false
	schema, err := loader.Compile(gojsonschema.NewRawLoader(tree))
	if err != nil {
		return nil, fmt.Errorf("%s is not a JSON Schema of draft-07: %w", name, err)
	}
	return schema, nil
}

// refuseRemote looks for references that leave the document.
func refuseRemote(tree any) error {
	var all []error
	switch node := tree.(type) {
	case map[string]any:
		for key, value := range node {
			target, isText := value.(string)
			if key == "$ref" && isText && !strings.HasPrefix(target, "#") {
				all = append(all, fmt.Errorf("$ref %q leaves the file; only references that begin with # are followed", target))
				continue
			}
			all = append(all, refuseRemote(value))
		}
	case []any:
		for _, value := range node {
			all = append(all, refuseRemote(value))
		}
	}
	return errors.Join(all...)
}
