package validator

import (
	"strings"

	"github.com/sluiceproject/sluice/rules"
)

// scanner reads JSON (RFC 8259) more strictly than the standard asks: names of
// an object must differ, escapes must be UTF-8, and nesting has an end. It
// takes the bytes for UTF-8, which its user has seen to. It keeps no tree and
// copies nothing.
type scanner struct {
	// text is scanned, from at on.
	text string
	at   int
	// names are those of the objects around at.
	names nameStack
	// fault says why the scan stopped.
	fault fault
}

// fault is what is wrong with an event, and at which byte.
type fault struct {
	reason, what string
	at           int
}

// value is one value as it was written.
type value struct {
	// kind is the first byte: '"', '{', '[', 't', 'f', 'n', '-' or a digit.
	kind byte
	// escaped says that a string has escapes.
	escaped bool
	// at is where the value begins.
	at int
	// raw is the value's own text, with the quotes of a string.
	raw string
}

// scalar reports whether v is neither an object nor an array.
func (v value) scalar() bool { return v.kind != '{' && v.kind != '[' }

// literal returns what a string says, a number's or boolean's text, and nothing
// for null.
func (v value) literal() string {
	switch {
	case v.kind == 'n':
		return ""
	case v.kind != '"':
		return v.raw
	case v.escaped:
		return unescape(v.raw[1 : len(v.raw)-1])
	default:
		return v.raw[1 : len(v.raw)-1]
	}
}

// fail ends the scan.
func (s *scanner) fail(reason, what string, at int) bool {
	s.fault = fault{reason, what, at}
	return false
}

// unexpected ends the scan where something else was due.
func (s *scanner) unexpected(what string) bool {
	if s.at >= len(s.text) {
		return s.short()
	}
	return s.fail(reasonSyntax, "it is not JSON, "+what, s.at)
}

// short ends the scan where the text does.
func (s *scanner) short() bool {
	return s.fail(reasonTruncated, "it ends too early", len(s.text))
}

// peek skips white space and returns the byte there, or 0 at the end. It is
// small so that it is inlined: usual events have no white space.
func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		if c := s.text[s.at]; c > ' ' {
			return c
		}
	}
	return s.space()
}

func (s *scanner) space() byte {
	for ; s.at < len(s.text); s.at++ {
		if c := s.text[s.at]; c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
	}
	return 0
}

// next goes to the value of the object's next member. There is none when the
// object ends and when the scan does.
func (s *scanner) next(o *object) (name string, more bool) {
	c := s.peek()
	if c == '}' {
		s.at++
		s.names.cut(o.base)
		return "", false
	}
	if o.begun {
		if c != ',' {
			return "", s.unexpected("a comma or a closing brace is missing")
		}
		s.at++
		c = s.peek()
	}
	o.begun = true
	if c != '"' {
		return "", s.unexpected("a member has no name in quotes")
	}
	at := s.at
	name, escaped, ok := s.str()
	if !ok {
		return "", false
	}
	if escaped {
		name = unescape(name)
	}
	if !o.claim(&s.names, name) {
		return name, s.fail(reasonDuplicate, "a member is given twice", at)
	}
	if s.peek() != ':' {
		return "", s.unexpected("a colon is missing")
	}
	s.at++
	return name, true
}

// value reads the value that comes next, inside depth objects and arrays.
func (s *scanner) value(depth int) (v value, ok bool) {
	v.kind = s.peek()
	v.at = s.at
	if v.kind == '"' {
		_, v.escaped, ok = s.str()
	} else {
		ok = s.skip(v.kind, depth)
	}
	if ok {
		v.raw = s.text[v.at:s.at]
	}
	return v, ok
}

// skip reads a value whose first byte is c, the one at the scanner.
func (s *scanner) skip(c byte, depth int) bool {
	switch c {
	case '"':
		_, _, ok := s.str()
		return ok
	case '{':
		return s.enter(depth) && s.skipObject(depth+1)
	case '[':
		return s.enter(depth) && s.skipArray(depth+1)
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return s.number()
	default:
		return s.unexpected("there is no value where one belongs")
	}
}

// enter goes past an opening brace or bracket inside depth others.
func (s *scanner) enter(depth int) bool {
	if depth >= rules.MaxDepth {
		return s.fail(reasonDepth, "it is nested too deep", s.at)
	}
	s.at++
	return true
}

func (s *scanner) skipObject(depth int) bool {
	o := object{base: s.names.len()}
	for {
		if _, more := s.next(&o); !more {
			return s.fault.reason == ""
		}
		if !s.skip(s.peek(), depth) {
			return false
		}
	}
}

func (s *scanner) skipArray(depth int) bool {
	if s.peek() == ']' {
		s.at++
		return true
	}
	for {
		if !s.skip(s.peek(), depth) {
			return false
		}
		switch s.peek() {
		case ']':
			s.at++
			return true
		case ',':
			s.at++
		default:
			return s.unexpected("a comma or a closing bracket is missing")
		}
	}
}

// word reads true, false or null.
func (s *scanner) word(word string) bool {
	rest := s.text[s.at:]
	if strings.HasPrefix(rest, word) {
		s.at += len(word)
		return true
	}
	if strings.HasPrefix(word, rest) { // The body ends inside the word.
		s.at = len(s.text)
	}
	return s.unexpected("there is a word other than true, false and null")
}
