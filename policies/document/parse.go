package document

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// MaxSize is the largest document that is read, in bytes.
const MaxSize = 1 << 20

// maxDepth is how deep a document may be nested.
const maxDepth = 64

// Document is one parsed YAML document.
type Document struct {
	// Name is the file's name.
	Name string
	// Tree is the document as map[string]any, []any, string, json.Number, bool
	// and nil.
	Tree any

	lines   []string
	values  map[string]place // by pointer
	keys    map[string]place // by pointer of the value that the key has
	faults  Faults
	columns columns
}

type place struct{ line, column int }

// Parse reads one YAML document. It refuses what has no place in a reviewed
// file: a key given twice, a second document, anchors, aliases, merges and
// tags, numbers that are not plainly decimal, tabs between words, control
// characters and text that is not UTF-8.
func Parse(name string, text []byte) (*Document, Faults) {
	source := tidy(text)
	d := &Document{
		Name: name, lines: strings.Split(source, "\n"),
		values: map[string]place{}, keys: map[string]place{},
	}
	if fault := d.unreadable(text); fault != nil {
		return nil, Faults{*fault}
	}
	file, err := d.parse(source)
	if err != nil {
		return nil, Faults{d.syntaxFault(err)}
	}
	var body ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.CommentType:
		case body == nil:
			body = doc.Body
		default:
			d.fault(doc.Body, "a second document in one file", "put each document into a file of its own")
		}
	}
	if body == nil {
		return nil, Faults{{File: name, Message: "the file is empty"}}
	}
	d.Tree = d.build("", body, 1)
	if len(d.faults) > 0 {
		return nil, d.faults
	}
	return d, nil
}

// fill adds the file's name and the source line to a fault.
func (d *Document) fill(f Fault) Fault {
	f.File = d.Name
	if f.Line > 0 && f.Line <= len(d.lines) {
		f.Source = d.lines[f.Line-1]
		f.Column = min(f.Column, 1+utf8.RuneCountInString(f.Source)) // Of nothing after a key.
	}
	return f
}

func (d *Document) fault(n ast.Node, message, hint string) {
	at := placeOf(n)
	d.faults = append(d.faults, d.fill(Fault{Line: at.line, Column: at.column, Message: message, Hint: hint}))
}

// build turns a node into a tree and remembers where everything stands.
func (d *Document) build(pointer string, n ast.Node, depth int) any {
	d.values[pointer] = d.textPlace(n)
	if depth > maxDepth {
		d.fault(n, deepMessage(), "")
		return nil
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		return d.buildMap(pointer, n.Values, depth)
	case *ast.MappingValueNode:
		return d.buildMap(pointer, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		return d.buildList(pointer, n, depth)
	case *ast.AliasNode:
		d.fault(n, noShorthand, writeOut+", or put a text that begins with * in quotes")
		return nil
	case *ast.AnchorNode, *ast.MergeKeyNode, *ast.TagNode:
		d.fault(n, noShorthand, writeOut)
		return nil
	default:
		return d.buildScalar(n)
	}
}

// What is said of anchors and their like.
const (
	noShorthand = "anchors, aliases, merges and tags are not used here"
	writeOut    = "write it out, so that a reader sees what applies"
)

func (d *Document) buildList(pointer string, n *ast.SequenceNode, depth int) any {
	list := make([]any, 0, len(n.Values))
	for i, value := range n.Values {
		at := pointer + "/" + strconv.Itoa(i)
		if n.IsFlowStyle {
			if text, ok := d.plainText(value); ok {
				d.values[at] = placeOf(value)
				list = append(list, text)
				continue
			}
		}
		list = append(list, d.build(at, value, depth+1))
	}
	return list
}

func (d *Document) buildMap(pointer string, pairs []*ast.MappingValueNode, depth int) any {
	object := make(map[string]any, len(pairs))
	for _, pair := range pairs {
		key, ok := keyText(pair.Key)
		if pair.Key.Type() == ast.MergeKeyType {
			d.fault(pair.Key, noShorthand, writeOut)
			continue
		}
		if !ok {
			d.fault(pair.Key, "a key must be a plain word", "")
			continue
		}
		at := pointer + "/" + key
		if _, twice := object[key]; twice {
			d.fault(pair.Key, fmt.Sprintf("the key %q is given twice", key), "")
		}
		d.keys[at] = placeOf(pair.Key)
		object[key] = d.build(at, pair.Value, depth+1)
	}
	return object
}

func keyText(key ast.MapKeyNode) (string, bool) {
	switch key := key.(type) {
	case *ast.StringNode:
		return key.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		return key.GetToken().Value, true
	default:
		return "", false
	}
}

func (d *Document) buildScalar(n ast.Node) any {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case *ast.BoolNode:
		return n.Value
	case *ast.NullNode:
		return nil
	case *ast.IntegerNode, *ast.FloatNode:
		return d.number(n)
	default:
		d.fault(n, "this value cannot be used here", "put it in quotes if it is a text")
		return nil
	}
}

// number returns a number as it was written. 0255 and 0x10 are refused: what
// they stand for depends on who reads them.
func (d *Document) number(n ast.Node) any {
	text := n.GetToken().Value
	if !json.Valid([]byte(text)) {
		hint := "put it in quotes if it is a text"
		if strings.Contains(text, "_") {
			hint = "write it without separators"
		}
		d.fault(n, text+" is not a plain decimal number", hint)
		return nil
	}
	return json.Number(text)
}

// placeOf returns where a node begins. The token of a mapping is a colon, so
// its first key is asked instead.
func placeOf(n ast.Node) place {
	var t *token.Token
	switch n := n.(type) {
	case *ast.MappingNode:
		if n.IsFlowStyle || len(n.Values) == 0 {
			t = n.Start
		} else {
			return placeOf(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return placeOf(n.Key)
	case *ast.SequenceNode:
		t = n.Start
	default:
		t = n.GetToken()
	}
	if t == nil || t.Position == nil {
		return place{}
	}
	return place{t.Position.Line, t.Position.Column}
}
