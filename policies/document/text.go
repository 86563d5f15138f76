package document

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// tidy takes off what editors of some systems add: a byte order mark, and the
// carriage return of a line's end, which the parser would keep inside quotes.
func tidy(text []byte) string {
	return strings.ReplaceAll(strings.TrimPrefix(string(text), "\uFEFF"), "\r\n", "\n")
}

// unreadable refuses a text of which a reader may not see what it says. A
// carriage return inside a line is one such: it would hide a line in a comment.
func (d *Document) unreadable(text []byte) *Fault {
	if len(text) > MaxSize {
		return &Fault{File: d.Name, Message: fmt.Sprintf("the file is larger than %d bytes", MaxSize)}
	}
	for i, line := range d.lines {
		if !utf8.ValidString(line) {
			return &Fault{File: d.Name, Line: i + 1, Message: "the line is not UTF-8"}
		}
		at := strings.IndexFunc(line, func(r rune) bool { return r != '\t' && unicode.IsControl(r) })
		if at >= 0 {
			r, _ := utf8.DecodeRuneInString(line[at:])
			return &Fault{
				File: d.Name, Line: i + 1, Column: 1 + utf8.RuneCountInString(line[:at]),
				Message: fmt.Sprintf("the line has the control character %U", r),
			}
		}
		if at := misplacedTab(line); at >= 0 {
			fault := d.fill(Fault{Line: i + 1, Column: 1 + utf8.RuneCountInString(line[:at]), Message: "a tab stands where YAML wants spaces"})
			fault.Hint = `write spaces, or \t inside double quotes`
			return &fault
		}
	}
	return nil
}

// misplacedTab returns where a line has a tab that is not in or before a
// comment or at the end, or -1. YAML is never indented with tabs, and after one
// elsewhere the parser counts columns wrongly.
func misplacedTab(line string) int {
	at := strings.IndexByte(line, '\t')
	if at < 0 {
		return -1
	}
	before, after := strings.TrimLeft(line[:at], " "), strings.TrimLeft(line[at:], " \t")
	if strings.HasPrefix(before, "#") || strings.Contains(before, " #") || before != "" && (after == "" || after[0] == '#') {
		return -1
	}
	return at
}

// parse turns a panic of the parser into an error: whatever a file holds, the
// service goes on.
func (d *Document) parse(source string) (file *ast.File, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errors.New("the file cannot be read as YAML")
		}
	}()
	tokens := lexer.Tokenize(source)
	if t := tooDeep(tokens); t != nil {
		return nil, &yaml.SyntaxError{Message: deepMessage(), Token: t}
	}
	return parser.Parse(tokens, 0)
}

// deepMessage is said of what is nested too deep.
func deepMessage() string { return fmt.Sprintf("nested more than %d levels deep", maxDepth) }

// tooDeep returns the first bracket, brace or dash that is nested beyond
// maxDepth. What the parser takes grows with the square of the depth, so this
// is looked at before.
func tooDeep(tokens token.Tokens) *token.Token {
	open, dashes := 0, 0
	for i, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			open++
		case token.SequenceEndType, token.MappingEndType:
			open--
		case token.SequenceEntryType:
			if i == 0 || tokens[i-1].Type != token.SequenceEntryType {
				dashes = 0
			}
			dashes++
		default: // Nests nothing, or by indentation, which a line each takes.
		}
		if open > maxDepth || dashes > maxDepth {
			return t
		}
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
	if twice := keyTwice.FindStringSubmatch(fault.Message); twice != nil {
		fault.Message = fmt.Sprintf("the key %s is given twice, first in line %s", twice[1], twice[2])
		if twice[1] == `"name"` {
			fault.Hint = `if another one begins here, write "- name"`
		}
		return fault
	}
	if trapped, ok := d.trapped(fault.Line); ok && fault.Message != deepMessage() {
		return trapped
	}
	fault.Message = plainWords(fault.Message)
	if strings.HasPrefix(d.sourceFrom(place{fault.Line, fault.Column}), "::") {
		fault.Hint = "put an address that begins with colons in quotes"
	}
	return fault
}

// keyTwice matches what the parser says of a key that is given twice.
var keyTwice = regexp.MustCompile(`^mapping key (".*") already defined at \[([0-9]+):`)

// plainWords says what the parser says in words of those who write policies.
func plainWords(message string) string {
	for _, known := range []struct{ begins, plain string }{
		{"',' or ']' must be specified", `a comma or "]" is missing here`},
		{"',' or '}' must be specified", `a comma or "}" is missing here`},
		{"sequence end token ']' not found", `the "]" of this list is missing`},
		{"could not find flow mapping end token '}'", `the "}" of this group is missing`},
		{"could not find '{' character", `this "}" closes nothing`},
		{"could not find '[' character", `this "]" closes nothing`},
		{"could not find end character of", "a quote opens here and is never closed"},
		{"value is not allowed in this context", "this does not belong here, or is not indented as it should be"},
		{"mapping value is not allowed in this context", "a key and its value do not belong here, or are not indented as they should be"},
		{"non-map value is specified", "a key belongs here, with a colon and its value"},
		{"unexpected key name", "a key belongs here, with a colon and its value"},
		{"found an invalid key for this map", "a key must be a plain word"},
		{"block sequence entries are not allowed in this context", "a list of lines with dashes does not belong here"},
	} {
		if strings.HasPrefix(message, known.begins) {
			return known.plain
		}
	}
	return message
}

// plainText mends what the parser makes of {allow: [2001:db8::/32]}. A colon
// that no space follows is part of a plain text (YAML 1.2, 7.3.3), but inside
// braces the parser takes the address for a mapping. The text is everything up
// to the end of the list's element.
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
	text, unclear := element(d.sourceFrom(placeOf(n)))
	bare := strings.TrimRight(text, " \t")
	switch {
	case strings.Contains(text, ": "), !strings.Contains(text, ":"), strings.HasSuffix(bare, ":") && !unclear:
		return "", false // A mapping indeed.
	case unclear:
		d.fault(n, "where this text ends cannot be told", "put it in quotes")
	}
	return bare, true
}

// element returns the plain text, and the blanks after it, that a list in
// brackets has at the beginning of source. It is unclear where the text ends if
// it holds a quote or a bracket.
func element(source string) (text string, unclear bool) {
	for i := range len(source) {
		switch source[i] {
		case '[', '{', '"', '\'':
			return source[:i], true
		case ',', ']', '}':
			return source[:i], false
		case '#':
			if i > 0 && (source[i-1] == ' ' || source[i-1] == '\t') {
				return source[:i], false
			}
		}
	}
	return source, false
}
