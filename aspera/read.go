package aspera

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/sluiceproject/sluice/rules"
)

// The limits of what is read.
const (
	// MostBytes is how large a file may be.
	MostBytes = 16 << 20
	// mostToken is how long one tag or text may be, in bytes: room for a script that
	// is written into the file, and none for a million attributes.
	mostToken    = 1 << 20
	mostDepth    = 64
	mostElements = 500_000
	mostSections = 100_000
)

// Read reads an aspera.conf. name is what places call it. The error is a
// *SyntaxError if the file is not one, or that of the reader.
func Read(name string, from io.Reader) (*Conf, error) {
	text, err := io.ReadAll(io.LimitReader(from, MostBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > MostBytes {
		return nil, &SyntaxError{File: name, Place: Place{1, 1}, Message: "the file is larger than 16 MiB, so this is no aspera.conf"}
	}
	if bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff}) {
		return nil, &SyntaxError{File: name, Place: Place{1, 1}, Message: "the file is in UTF-16: save it as UTF-8"}
	}
	source := &source{text: bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))}
	r := &reader{conf: &Conf{File: name}, source: source, dec: xml.NewDecoder(source)}
	r.dec.CharsetReader = decode
	return r.conf, r.read()
}

// source gives a decoder the text of a file byte by byte, and ends when one token
// is too long.
type source struct {
	text  []byte
	at    int
	begun int // where the current token began
}

var errToken = errors.New("one tag or text is longer than 1 MiB")

// ReadByte implements io.ByteReader.
func (s *source) ReadByte() (byte, error) {
	switch {
	case s.at == len(s.text):
		return 0, io.EOF
	case s.at-s.begun > mostToken:
		return 0, errToken
	}
	s.at++
	return s.text[s.at-1], nil
}

// Read implements io.Reader, for what is not in UTF-8.
func (s *source) Read(p []byte) (int, error) {
	for i := range p {
		b, err := s.ReadByte()
		if err != nil {
			return i, err
		}
		p[i] = b
	}
	return len(p), nil
}

// latin1 turns the rest from Latin-1 into UTF-8 and returns itself.
func (s *source) latin1() *source {
	var b bytes.Buffer
	for _, c := range s.text[s.at:] {
		b.WriteRune(rune(c))
	}
	s.text, s.at, s.begun = b.Bytes(), 0, 0
	return s
}

// decode returns a reader of UTF-8 for what a file says its encoding is.
func decode(label string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "us-ascii", "ascii":
		return in, nil
	case "iso-8859-1", "latin1":
		s, ok := in.(*source)
		if !ok {
			return nil, errors.New("the encoding is named twice")
		}
		return s.latin1(), nil
	default:
		return nil, fmt.Errorf("the encoding %q is not known: save the file as UTF-8", rules.Printable(label))
	}
}

// reader goes through a file.
type reader struct {
	conf     *Conf
	source   *source
	dec      *xml.Decoder
	stack    []element
	elements int
	sections int
}

// element is one that has begun and not ended.
type element struct {
	name  string
	place Place
	text  []byte
	inner bool     // it has elements inside
	of    *Section // what its options belong to
	depth int      // of the section's own element
}

func (r *reader) read() error {
	for {
		r.source.begun = r.source.at
		var at Place
		at.Line, at.Column = r.dec.InputPos()
		token, err := r.dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return r.fault(err)
		}
		if err := r.take(token, at); err != nil {
			return &SyntaxError{File: r.conf.File, Place: at, Message: err.Error()}
		}
	}
	if r.conf.Root.Line == 0 {
		return &SyntaxError{File: r.conf.File, Place: Place{1, 1}, Message: "the file has no element: an aspera.conf begins with <CONF version=\"2\">"}
	}
	return nil
}

// fault says where the decoder gave up, and why.
func (r *reader) fault(err error) error {
	var at Place
	at.Line, at.Column = r.dec.InputPos()
	at.Column = max(at.Column, 1) // It is 0 at the end of a line.
	var syntax *xml.SyntaxError
	message := err.Error()
	if errors.As(err, &syntax) {
		message = "this is not XML: " + rules.Printable(syntax.Msg)
	}
	return &SyntaxError{File: r.conf.File, Place: at, Message: strings.TrimPrefix(message, "xml: ")}
}

// take takes one token in.
func (r *reader) take(token xml.Token, at Place) error {
	switch t := token.(type) {
	case xml.Directive:
		return errors.New("the file has a <!…> declaration, and with it could have entities that mean anything: take it out")
	case xml.StartElement:
		return r.begin(&t, at)
	case xml.CharData:
		if n := len(r.stack); n > 0 {
			r.stack[n-1].text = append(r.stack[n-1].text, t...)
		} else if len(bytes.TrimSpace(t)) > 0 {
			return errors.New("there is text outside of the outermost element: is this an aspera.conf?")
		}
	case xml.EndElement:
		r.end()
	}
	return nil
}

func (r *reader) begin(t *xml.StartElement, at Place) error {
	n := len(r.stack)
	if r.elements++; r.elements > mostElements {
		return fmt.Errorf("the file has more than %d elements", mostElements)
	}
	if n == mostDepth {
		return fmt.Errorf("elements are nested deeper than %d", mostDepth)
	}
	e := element{name: t.Name.Local, place: at}
	switch {
	case n > 0:
		parent := &r.stack[n-1]
		// What is around elements means nothing, and need not be kept.
		parent.inner, parent.text = true, nil
		e.of, e.depth = parent.of, parent.depth
	case r.conf.Root.Line > 0:
		return errors.New("a second outermost element begins here: an aspera.conf has one")
	case !strings.EqualFold(e.name, "conf"):
		return fmt.Errorf("the outermost element is <%s>: an aspera.conf begins with <CONF version=\"2\">", rules.Printable(e.name))
	default:
		r.conf.Root = at
	}
	r.stack = append(r.stack, e)
	return r.section(t)
}
