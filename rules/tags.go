package rules

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how deep JSON may be nested, in an event and in its tags.
const MaxDepth = 64

// Errors of tags that cannot be read.
var (
	// ErrNoTags says that the event has no tags.
	ErrNoTags = errors.New("the event has no tags")
	// ErrTags says that the tags are not a JSON object in any of the forms in
	// which servers send them.
	ErrTags = errors.New("the tags are not a JSON object")
)

// Tags are what a client's application attached to a transfer. Servers send
// them as an object, as JSON in a string, as base64 of JSON, or as rubbish.
type Tags struct {
	// Raw is the member's value as it came, or empty. It can carry credentials:
	// never log it.
	Raw string

	parsed bool
	value  map[string]any
	err    error
}

// Value returns the tags as a tree of map[string]any, []any, string,
// json.Number, bool and nil. They are parsed at the first call. The error is
// ErrNoTags or wraps ErrTags; its text holds nothing of the tags.
func (t *Tags) Value() (map[string]any, error) {
	if !t.parsed {
		t.value, t.err = parseTags(t.Raw)
		t.parsed = true
	}
	return t.value, t.err
}

func parseTags(raw string) (map[string]any, error) {
	raw = strings.TrimSpace(raw)
	if raw == "" || raw == "null" {
		return nil, ErrNoTags
	}
	tree, err := ParseTree(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTags, err)
	}
	if text, ok := tree.(string); ok {
		if strings.TrimSpace(text) == "" {
			return nil, ErrNoTags
		}
		if tree, err = ParseTree(unwrap(text)); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrTags, err)
		}
	}
	object, ok := tree.(map[string]any)
	if !ok {
		return nil, ErrTags
	}
	return object, nil
}

// unwrap takes the base64 off tags in a string. JSON objects begin with a
// brace, which is no base64 digit, so the two forms cannot be confused.
func unwrap(text string) string {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") {
		return text
	}
	bare := strings.TrimRight(text, "=")
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if b, err := encoding.DecodeString(bare); err == nil {
			return string(b)
		}
	}
	return text
}

// ErrDepth says that JSON is nested deeper than MaxDepth.
var ErrDepth = fmt.Errorf("nested more than %d levels deep", MaxDepth)

// maxNumber is the longest number that is accepted, in bytes, and maxExponent
// the most digits of its exponent. What compares numbers as exact fractions, as
// a JSON Schema's limits do, would take seconds for one like 1e999999.
const maxNumber, maxExponent = 64, 3

// ErrNumber says that a number in JSON is larger or longer than anybody needs.
var ErrNumber = fmt.Errorf("a number has more than %d characters, or %d in its exponent", maxNumber, maxExponent)

// ParseTree parses one JSON value into map[string]any, []any, string,
// json.Number, bool and nil. It refuses what the event decoder refuses: a
// member given twice, bytes that are not UTF-8, anything after the value, and
// nesting beyond MaxDepth; and numbers of more than 64 characters, or 3 in their
// exponent.
func ParseTree(text string) (any, error) {
	dec := jsontext.NewDecoder(bytes.NewBufferString(text)) // Of a buffer it makes no copy.
	tree, err := parseValue(dec)
	if err != nil {
		return nil, withoutText(err)
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more after the value")
	}
	return tree, nil
}

// withoutText drops the input's own text from a syntax error.
func withoutText(err error) error {
	if errors.Is(err, ErrDepth) || errors.Is(err, ErrNumber) {
		return err
	}
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return errors.New("a member is given twice")
	case errors.As(err, &syntactic):
		return fmt.Errorf("not JSON at byte %d", syntactic.ByteOffset)
	default:
		return errors.New("not JSON")
	}
}

func parseValue(dec *jsontext.Decoder) (any, error) {
	token, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	if dec.StackDepth() > MaxDepth {
		return nil, ErrDepth
	}
	switch token.Kind() {
	case '{':
		return parseObject(dec)
	case '[':
		return parseArray(dec)
	case '"':
		return token.String(), nil
	case '0':
		return parseNumber(token.String())
	case 't', 'f':
		return token.Bool(), nil
	default:
		return nil, nil
	}
}

func parseNumber(text string) (any, error) {
	if exponent := strings.IndexAny(text, "eE"); len(text) > maxNumber || exponent >= 0 && len(strings.TrimLeft(text[exponent+1:], "+-")) > maxExponent {
		return nil, ErrNumber
	}
	return json.Number(text), nil
}

func parseObject(dec *jsontext.Decoder) (any, error) {
	object := map[string]any{}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		if object[key], err = parseValue(dec); err != nil {
			return nil, err
		}
	}
	_, err := dec.ReadToken()
	return object, err
}

func parseArray(dec *jsontext.Decoder) (any, error) {
	array := []any{}
	for dec.PeekKind() != ']' {
		value, err := parseValue(dec)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	_, err := dec.ReadToken()
	return array, err
}
