package document

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/xeipuuv/gojsonschema"

	"github.com/sluiceproject/sluice/rules"
)

// Schema is a compiled JSON Schema (draft-07) and its own tree, from which hints
// are drawn. It is safe for concurrent use.
type Schema struct {
	compiled *gojsonschema.Schema
	tree     map[string]any
}

// CompileSchema compiles a schema that is part of sluice.
func CompileSchema(text string) (*Schema, error) {
	s := &Schema{}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&s.tree); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	loader := gojsonschema.NewSchemaLoader()
	loader.Draft, loader.AutoDetect = gojsonschema.Draft7, false
	var err error
	if s.compiled, err = loader.Compile(gojsonschema.NewRawLoader(s.tree)); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return s, nil
}

// Check holds the document's structure against a schema.
func (d *Document) Check(s *Schema) Faults {
	faults, _ := d.CheckParts(s)
	return faults
}

// CheckParts does the same and also returns the pointers of the values that are
// at fault, so that the meaning of all others can still be checked.
func (d *Document) CheckParts(s *Schema) (faults Faults, at []string) {
	result, err := s.compiled.Validate(gojsonschema.NewRawLoader(d.Tree))
	if err != nil {
		return Faults{{File: d.Name, Message: "the file's structure cannot be checked: " + err.Error()}}, []string{""}
	}
	for _, e := range result.Errors() {
		if e.Type() == "condition_else" || e.Type() == "condition_then" || e.Type() == "number_any_of" {
			continue // Said by the errors inside.
		}
		faults = append(faults, d.explain(s, e))
		pointer := strings.TrimPrefix(e.Context().String("/"), gojsonschema.STRING_CONTEXT_ROOT)
		if key, ok := e.Details()["property"].(string); ok && e.Type() == "additional_property_not_allowed" {
			pointer += "/" + key
		}
		at = append(at, pointer)
	}
	return faults, at
}

// explain puts a validation error into words and at its place.
func (d *Document) explain(s *Schema, e gojsonschema.ResultError) Fault {
	pointer := strings.TrimPrefix(e.Context().String("/"), gojsonschema.STRING_CONTEXT_ROOT)
	details := e.Details()
	text := func(key string) string { return fmt.Sprint(details[key]) }
	what := name(pointer)
	if pointer != "" && d.value(pointer) == nil && e.Type() != "invalid_type" {
		return d.At(pointer, "%s says nothing", what).WithHint(s.leaveOut(pointer))
	}
	switch e.Type() {
	case "additional_property_not_allowed":
		key := text("property")
		allowed := s.keysAt(pointer)
		hint := rules.DidYouMean(key, allowed)
		if hint == "" && len(allowed) > 0 {
			hint = "known here: " + strings.Join(allowed, ", ")
		}
		return d.AtKey(pointer+"/"+key, "unknown key %q", key).WithHint(hint)
	case "required":
		return d.At(pointer, "%s lacks the key %q", what, text("property")).WithHint(s.requiredHint(pointer, text("property")))
	case "missing_dependency":
		return d.At(pointer, "%s lacks the key %q, which goes with the one it has", what, text("dependency"))
	case "invalid_type":
		return d.At(pointer, "%s must be %s, not %s", what, kindOf(text("expected")), kindOf(text("given"))).WithHint(s.typeHint(d, pointer, details))
	case "enum":
		allowed := strings.Split(strings.ReplaceAll(text("allowed"), `"`, ""), ", ")
		hint := rules.DidYouMean(fmt.Sprint(d.value(pointer)), allowed)
		return d.At(pointer, "%s cannot be %q; it is one of %s", what, fmt.Sprint(d.value(pointer)), strings.Join(allowed, ", ")).WithHint(hint)
	case "const":
		return d.At(pointer, "%s must be %s", what, text("allowed")).WithHint(constHint(fmt.Sprint(d.value(pointer)), text("allowed")))
	case "array_min_items", "array_min_properties":
		return d.At(pointer, "%s is empty", what).WithHint(s.leaveOut(pointer))
	case "string_gte":
		return d.At(pointer, "%s is empty", what)
	case "unique":
		return d.At(pointer, "%s has an element twice", what)
	case "number_gte", "number_lte":
		return d.At(pointer, "%s: %s", what, strings.ToLower(e.Description()))
	case "pattern":
		return d.At(pointer, "%s cannot be %q", what, fmt.Sprint(d.value(pointer))).WithHint(s.patternHint(pointer, fmt.Sprint(d.value(pointer))))
	default:
		return d.At(pointer, "%s: %s", what, e.Description())
	}
}

// name is how a message speaks of a place: by its last key.
func name(pointer string) string {
	keys := strings.Split(pointer, "/")
	last := keys[len(keys)-1]
	switch {
	case pointer == "":
		return "the document"
	case strings.Trim(last, "0123456789") == "" && len(keys) > 2:
		return fmt.Sprintf("an element of %q", keys[len(keys)-2])
	default:
		return fmt.Sprintf("%q", last)
	}
}

// kindOf names JSON types as a person does.
func kindOf(types string) string {
	words := strings.NewReplacer("array", "a list", "object", "a group of keys", "string", "a text", "integer", "a whole number",
		"number", "a number", "boolean", "true or false", "null", "nothing", "/", " or ", ",", " or ")
	return words.Replace(strings.Trim(types, "[]"))
}

// leaveOut is the hint at a value that says nothing, unless it is the document
// or its key must be there.
func (s *Schema) leaveOut(pointer string) string {
	cut := strings.LastIndexByte(pointer, '/')
	if cut < 0 {
		return ""
	}
	required, _ := s.at(pointer[:cut])["required"].([]any)
	if slices.Contains(required, any(pointer[cut+1:])) {
		return ""
	}
	return "leave the key out if it says nothing"
}

// keysAt returns the keys that the schema knows for the object at a pointer.
func (s *Schema) keysAt(pointer string) []string {
	properties, _ := s.at(pointer)["properties"].(map[string]any)
	keys := make([]string, 0, len(properties))
	for key := range properties {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// at follows an instance's pointer through properties, items and definitions.
func (s *Schema) at(pointer string) map[string]any {
	node := s.resolve(s.tree)
	for key := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if key == "" {
			continue
		}
		next, found := map[string]any(nil), false
		if properties, ok := node["properties"].(map[string]any); ok {
			next, found = properties[key].(map[string]any)
		}
		if !found {
			next, _ = node["items"].(map[string]any)
		}
		node = s.resolve(next)
	}
	return node
}

// resolve follows a reference into the schema's definitions.
func (s *Schema) resolve(node map[string]any) map[string]any {
	target, ok := node["$ref"].(string)
	if !ok {
		return node
	}
	definitions, _ := s.tree["definitions"].(map[string]any)
	resolved, _ := definitions[strings.TrimPrefix(target, "#/definitions/")].(map[string]any)
	return resolved
}
