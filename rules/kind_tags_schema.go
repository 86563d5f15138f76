package rules

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/xeipuuv/gojsonschema"
)

// maxSchema is the largest JSON Schema that a rule may name, in bytes.
const maxSchema = 1 << 20

// openSchema compiles a schema of the policy set. References may only stay
// inside the document, so that nothing is ever fetched.
func openSchema(env Env, name string) (*gojsonschema.Schema, error) {
	if env.Open == nil {
		return nil, errors.New("there are no files here")
	}
	f, err := env.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // It was only read.
	text, err := io.ReadAll(io.LimitReader(f, maxSchema+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(text) > maxSchema {
		return nil, fmt.Errorf("%s is larger than %s", name, FormatSize(maxSchema))
	}
	tree, err := ParseTree(string(text))
	if err != nil {
		return nil, notJSON(name, string(text), err)
	}
	refs := references{root: tree, followed: map[string]bool{}}
	refs.walk(tree, true)
	if err := errors.Join(refs.wrong...); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	loader := gojsonschema.NewSchemaLoader()
	loader.Draft, loader.AutoDetect = gojsonschema.Draft7, false
	schema, err := loader.Compile(gojsonschema.NewRawLoader(tree))
	if err != nil {
		return nil, fmt.Errorf("%s is not a JSON Schema of draft-07: %s", name, noType(err.Error()))
	}
	return schema, nil
}

// notJSON says where a schema is no JSON, and what was probably done to it.
func notJSON(name, text string, why error) error {
	dec := jsontext.NewDecoder(strings.NewReader(text))
	var wrong *jsontext.SyntacticError
	for {
		if _, err := dec.ReadToken(); err != nil {
			if !errors.As(err, &wrong) || wrong.ByteOffset > int64(len(text)) {
				return &FileError{File: name, Line: 1, Message: why.Error()}
			}
			break
		}
	}
	before, rest := text[:wrong.ByteOffset], text[wrong.ByteOffset:]
	if comma, ok := strings.CutPrefix(rest, ","); ok { // The decoder stands before a comma that nothing follows.
		comma = strings.TrimLeft(comma, " \t\r\n")
		before, rest = text[:len(text)-len(comma)], comma
	}
	message := fmt.Sprintf("%q is not expected here; perhaps a comma or a quote is missing before it", rest[:min(len(rest), 1)])
	switch trimmed := strings.TrimRight(before, " \t\r\n"); {
	case errors.Is(wrong, jsontext.ErrDuplicateName):
		message = "a member is given twice"
	case strings.TrimSpace(rest) == "":
		message = "the file ends before its last bracket, brace or quote is closed"
	case strings.HasSuffix(trimmed, ",") && strings.ContainsAny(rest[:1], "]}"):
		message = "there is a comma too many before " + rest[:1]
	case rest[0] == '\'':
		message = "texts stand in double quotes"
	case strings.HasPrefix(rest, "//"), strings.HasPrefix(rest, "/*"), rest[0] == '#':
		message = "JSON has no comments"
	}
	return &FileError{File: name, Line: 1 + strings.Count(before, "\n"), Message: "this is not JSON: " + message}
}

// wrongType matches what the validator says of a type that there is not.
var wrongType = regexp.MustCompile(`NOT VALID -- given: /(.*)/ Expected valid values are:\[(.*)\]`)

// noType says it in other words.
func noType(message string) string {
	parts := wrongType.FindStringSubmatch(message)
	if parts == nil {
		return message
	}
	types := strings.Fields(parts[2])
	text := fmt.Sprintf("%q is no type; it is one of %s", parts[1], strings.Join(types, ", "))
	if hint := DidYouMean(parts[1], types); hint != "" {
		text += "; " + hint
	}
	return text
}

// references finds the references of a schema that the validator would fetch
// from elsewhere, take for another schema than is meant, or follow for ever,
// which no recover stops: the stack overflows and the process ends.
type references struct {
	root any
	// followed is true for references that come to an end, and false while one
	// is being followed.
	followed map[string]bool
	wrong    []error
}

func (r *references) add(format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Errorf(format, args...))
}

// walk looks at all of the document.
func (r *references) walk(node any, isRoot bool) {
	switch node := node.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(node)) {
			switch text, isText := node[key].(string); {
			case key == "$ref" && isText:
				r.check(text)
			case key == "$id" && isText && !isRoot:
				r.add("$id %q below the root would change what references mean; leave it out", text)
			default:
				r.walk(node[key], false)
			}
		}
	case []any:
		for _, value := range node {
			r.walk(value, false)
		}
	}
}

func (r *references) check(ref string) {
	switch name, isLocal := strings.CutPrefix(ref, "#"); {
	case !isLocal:
		r.add("$ref %q leaves the file; only references that begin with # are followed", ref)
	case name != "" && name[0] != '/':
		r.add("$ref %q is not a JSON pointer into the file, as in %q", ref, "#/definitions/"+name)
	case r.endless(ref):
		r.add("$ref %q leads back to itself", ref)
	}
}

// endless reports whether following a reference leads back to a reference that
// is being followed, about the same value.
func (r *references) endless(ref string) bool {
	ends, known := r.followed[ref]
	if known {
		return !ends
	}
	target := r.root
	if pointer, err := url.PathUnescape(strings.TrimPrefix(ref, "#")); err == nil && strings.HasPrefix(pointer, "/") {
		target = lookUp(r.root, pointer)
	}
	r.followed[ref] = false
	if r.turns(target) {
		return true
	}
	r.followed[ref] = true
	return false
}

// turns reports whether what a schema says about a value itself, not about what
// is in the value, has an endless reference.
func (r *references) turns(schema any) bool {
	node, isObject := schema.(map[string]any)
	if !isObject {
		return false
	}
	if ref, isText := node["$ref"].(string); isText && r.endless(ref) {
		return true
	}
	about := []any{node["not"], node["if"], node["then"], node["else"]}
	for _, key := range []string{"allOf", "anyOf", "oneOf"} {
		list, _ := node[key].([]any)
		about = append(about, list...)
	}
	dependencies, _ := node["dependencies"].(map[string]any)
	return slices.ContainsFunc(slices.AppendSeq(about, maps.Values(dependencies)), r.turns)
}
