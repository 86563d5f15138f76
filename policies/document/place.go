package document

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// At returns a fault at the value of a pointer such as /rules/0/size, or at the
// nearest place around it that exists.
func (d *Document) At(pointer, format string, args ...any) Fault {
	return d.locate(d.values, pointer, fmt.Sprintf(format, args...))
}

// AtKey returns a fault at the key that a pointer's value has.
func (d *Document) AtKey(pointer, format string, args ...any) Fault {
	return d.locate(d.keys, pointer, fmt.Sprintf(format, args...))
}

// WithHint returns the fault with what was probably meant.
func (f Fault) WithHint(hint string) Fault {
	f.Hint = hint
	return f
}

func (d *Document) locate(places map[string]place, pointer, message string) Fault {
	for {
		if at, ok := places[pointer]; ok {
			return d.fill(Fault{Line: at.line, Column: at.column, Message: message})
		}
		cut := strings.LastIndexByte(pointer, '/')
		if cut < 0 {
			return d.fill(Fault{Line: 1, Column: 1, Message: message})
		}
		pointer, places = pointer[:cut], d.values
	}
}

// value returns what stands at a pointer, or nil.
func (d *Document) value(pointer string) any {
	node := d.Tree
	for pointer != "" {
		var key string
		key, pointer, _ = strings.Cut(pointer[1:], "/")
		if pointer != "" {
			pointer = "/" + pointer
		}
		switch parent := node.(type) {
		case map[string]any:
			node = parent[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(parent) {
				return nil
			}
			node = parent[i]
		default:
			return nil
		}
	}
	return node
}

// sourceWord returns the word at a place as it was written.
func (d *Document) sourceWord(at place, otherwise string) string {
	word := d.sourceFrom(at)
	if end := strings.IndexAny(word, ",]}# \t"); end >= 0 {
		word = word[:end]
	}
	if word == "" {
		return otherwise
	}
	return word
}

// columns tell at which byte each character begins of the line that was looked
// at last: a list may have thousands of elements on one line.
type columns struct {
	line    int
	offsets []int
}

// sourceFrom returns a line of the source from a place on.
func (d *Document) sourceFrom(at place) string {
	if at.line < 1 || at.line > len(d.lines) || at.column < 1 {
		return ""
	}
	line := d.lines[at.line-1]
	if d.columns.line != at.line {
		d.columns = columns{line: at.line, offsets: d.columns.offsets[:0]}
		for i := range line {
			d.columns.offsets = append(d.columns.offsets, i)
		}
	}
	if at.column > len(d.columns.offsets) {
		return ""
	}
	return line[d.columns.offsets[at.column-1]:]
}

// Without returns the document without the values at the given pointers, so that
// what is left of a document with faults can be decoded.
func (d *Document) Without(pointers []string) *Document {
	rest := *d
	rest.Tree = without(d.Tree, "", pointers)
	return &rest
}

func without(node any, at string, pointers []string) any {
	if slices.Contains(pointers, at) && at != "" {
		return nil
	}
	switch node := node.(type) {
	case map[string]any:
		kept := make(map[string]any, len(node))
		for key, value := range node {
			if value = without(value, at+"/"+key, pointers); value != nil {
				kept[key] = value
			}
		}
		return kept
	case []any:
		kept := make([]any, len(node))
		for i, value := range node {
			kept[i] = without(value, at+"/"+strconv.Itoa(i), pointers)
		}
		return kept
	default:
		return node
	}
}

// Decode fills a struct by its json tags from the value at a pointer. The
// document must have passed the Schema that describes it; an error is a
// disagreement between schema and struct.
func (d *Document) Decode(pointer string, into any) error {
	text, err := json.Marshal(d.value(pointer))
	if err != nil {
		return fmt.Errorf("%s: %w", d.Name, err)
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("%s: %s: %w", d.Name, pointer, err)
	}
	return nil
}
