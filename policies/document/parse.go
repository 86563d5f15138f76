package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
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

	lines  []string
	values map[string]place // by pointer
	keys   map[string]place // by pointer of the value that the key has
	faults Faults
}

type place struct{ line, column int }

// Parse reads one YAML document. It refuses what has no place in a reviewed
// file: a key given twice, a second document, anchors, aliases, merges and
// tags, and text that is not UTF-8.
func Parse(name string, text []byte) (*Document, Faults) {
	d := &Document{
		Name: name, lines: strings.Split(string(text), "\n"),
		values: map[string]place{}, keys: map[string]place{},
	}
	if fault := d.unreadable(text); fault != nil {
		return nil, Faults{*fault}
	}
	file, err := parse(text)
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

// parse turns a panic of the parser into an error: whatever a file holds, the
// service goes on.
func parse(text []byte) (file *ast.File, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errors.New("the file cannot be read as YAML")
		}
	}()
	return parser.ParseBytes(text, 0)
}

func (d *Document) unreadable(text []byte) *Fault {
	if len(text) > MaxSize {
		return &Fault{File: d.Name, Message: fmt.Sprintf("the file is larger than %d bytes", MaxSize)}
	}
	for i, line := range d.lines {
		if !utf8.ValidString(line) {
			return &Fault{File: d.Name, Line: i + 1, Message: "the line is not UTF-8"}
		}
	}
	if i := bytes.IndexByte(text, 0); i >= 0 {
		return &Fault{File: d.Name, Line: 1 + bytes.Count(text[:i], []byte("\n")), Message: "the line has a NUL byte"}
	}
	return nil
}

func (d *Document) syntaxFault(err error) Fault {
	var located yaml.Error
	if !errors.As(err, &located) || located.GetToken() == nil {
		return Fault{File: d.Name, Message: err.Error()}
	}
	position := located.GetToken().Position
	fault := d.fill(Fault{Line: position.Line, Column: position.Column, Message: located.GetMessage()})
	if strings.HasPrefix(strings.TrimLeft(fault.Source, " "), "\t") || strings.HasPrefix(fault.Source, "\t") {
		fault.Hint = "YAML is indented with spaces, never with tabs"
	}
	return fault
}

// fill adds the file's name and the source line to a fault.
func (d *Document) fill(f Fault) Fault {
	f.File = d.Name
	if f.Line > 0 && f.Line <= len(d.lines) {
		f.Source = strings.TrimRight(d.lines[f.Line-1], "\r")
	}
	return f
}

func (d *Document) fault(n ast.Node, message, hint string) {
	at := placeOf(n)
	d.faults = append(d.faults, d.fill(Fault{Line: at.line, Column: at.column, Message: message, Hint: hint}))
}

// build turns a node into a tree and remembers where everything stands.
func (d *Document) build(pointer string, n ast.Node, depth int) any {
	d.values[pointer] = placeOf(n)
	if depth > maxDepth {
		d.fault(n, fmt.Sprintf("nested more than %d levels deep", maxDepth), "")
		return nil
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		return d.buildMap(pointer, n.Values, depth)
	case *ast.MappingValueNode:
		return d.buildMap(pointer, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		return d.buildList(pointer, n, depth)
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode, *ast.TagNode:
		d.fault(n, "anchors, aliases, merges and tags are not used here", "write it out, so that a reader sees what applies")
		return nil
	default:
		return d.buildScalar(n)
	}
}

func (d *Document) buildList(pointer string, n *ast.SequenceNode, depth int) any {
	list := make([]any, 0, len(n.Values))
	for i, value := range n.Values {
		at := pointer + "/" + strconv.Itoa(i)
		if text, ok := d.plainText(value); ok && n.IsFlowStyle {
			d.values[at] = placeOf(value)
			list = append(list, text)
			continue
		}
		list = append(list, d.build(at, value, depth+1))
	}
	return list
}

// plainText mends what the parser makes of {allow: [2001:db8::/32]}. A colon
// that no space follows is part of a plain text (YAML 1.2, 7.3.3), but inside
// braces the parser takes the address for a mapping.
func (d *Document) plainText(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.MappingValueNode:
	case *ast.MappingNode:
		if n.IsFlowStyle || len(n.Values) != 1 {
			return "", false
		}
	default:
		return "", false
	}
	word := d.sourceWord(placeOf(n), "")
	if strings.HasPrefix(word, `"`) || strings.HasPrefix(word, "'") || strings.HasSuffix(word, ":") {
		return "", false
	}
	return word, strings.Contains(word, ":")
}

func (d *Document) buildMap(pointer string, pairs []*ast.MappingValueNode, depth int) any {
	object := make(map[string]any, len(pairs))
	for _, pair := range pairs {
		key, ok := keyText(pair.Key)
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
	case *ast.IntegerNode:
		return json.Number(fmt.Sprint(n.Value))
	case *ast.FloatNode:
		return json.Number(strconv.FormatFloat(n.Value, 'f', -1, 64))
	default:
		d.fault(n, "this value cannot be used here", "put it in quotes if it is a text")
		return nil
	}
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
