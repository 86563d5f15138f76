package journal

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/sluiceproject/sluice/rules"
)

// maxTags is the longest text of tags that is recorded, in bytes.
const maxTags = 16 << 10

// hidden stands for what is not recorded.
const hidden = `"***"`

// appendTags appends the tags of an event without what may be secret: the values
// of members whose names say so. whole is false if anything but a grant's text
// was left out, or if nothing could be recorded, in which case nothing is
// appended. Tags that are an object, as usual, cost no allocation.
func appendTags(b []byte, before string, t *rules.Tags) (_ []byte, whole bool) {
	raw := strings.TrimSpace(t.Raw)
	if raw == "" || raw == "null" {
		return b, true
	}
	if raw[0] != '{' {
		tree, err := t.Value()
		if errors.Is(err, rules.ErrNoTags) {
			return b, true
		}
		text, marshalErr := json.Marshal(tree)
		if err != nil || marshalErr != nil {
			return b, false
		}
		raw = string(text)
	}
	if len(raw) > maxTags {
		return b, false
	}
	from := len(b)
	h := hiding{b: append(b, before...), text: raw, whole: true}
	if !h.value(0) || h.at != len(h.text) {
		return b[:from], false
	}
	h.keep()
	return h.b, h.whole
}

// hiding copies JSON without white space and without secrets. The text has been
// read by the event's decoder, so that it is JSON; where it is not, it stops.
type hiding struct {
	b    []byte
	text string
	// at is where it is, and what stands from copied up to there is to be copied
	// as it is.
	at, copied int
	whole      bool
}

// keep copies what is to be copied.
func (h *hiding) keep() { h.b, h.copied = append(h.b, h.text[h.copied:h.at]...), h.at }

// peek passes over white space.
func (h *hiding) peek() byte {
	if c := h.here(); c > ' ' {
		return c
	}
	return h.skip()
}

// here is the byte where it is, 0 behind the last.
func (h *hiding) here() byte {
	if h.at < len(h.text) {
		return h.text[h.at]
	}
	return 0
}

// skip is peek where there may be white space.
func (h *hiding) skip() byte {
	h.keep()
	for h.at < len(h.text) && strings.IndexByte(" \t\r\n", h.text[h.at]) >= 0 {
		h.at++
	}
	h.copied = h.at
	return h.here()
}

// value copies a value and reports whether there is one.
func (h *hiding) value(depth int) bool {
	switch h.peek() {
	case '{':
		return depth < rules.MaxDepth && h.members(depth, '}', true)
	case '[':
		return depth < rules.MaxDepth && h.members(depth, ']', false)
	case '"':
		_, _, ok := h.quoted()
		return ok
	default:
		return h.literal()
	}
}

// members copies what is in an object or an array.
func (h *hiding) members(depth int, end byte, named bool) bool {
	h.at++
	for first := true; ; first = false {
		c := h.here()
		if c <= ' ' {
			c = h.skip()
		}
		if c == end {
			h.at++
			return true
		}
		if !first {
			if c != ',' {
				return false
			}
			h.at++
		}
		if named {
			if !h.member(depth) {
				return false
			}
		} else if !h.value(depth + 1) {
			return false
		}
	}
}

// member copies a name and its value, unless that may be secret.
func (h *hiding) member(depth int) bool {
	if h.here() != '"' && h.skip() != '"' {
		return false
	}
	name, plain, ok := h.quoted()
	if !ok || h.here() != ':' && h.skip() != ':' {
		return false
	}
	h.at++
	secret := isSecret(name, plain)
	if !secret && name != "grant" {
		return h.value(depth + 1)
	}
	h.peek()
	if !secret && !strings.HasPrefix(h.text[h.at:], `"eyJ`) { // Not the text of a grant.
		return h.value(depth + 1)
	}
	h.keep()
	to, whole := len(h.b), h.whole
	if !h.value(depth + 1) {
		return false
	}
	h.b, h.copied = append(h.b[:to], hidden...), h.at
	h.whole = whole && !secret
	return true
}

// quoted copies a string, with whatever does not print escaped, and returns what is
// between its quotes. plain says that all of it prints as it is.
func (h *hiding) quoted() (text string, plain, ok bool) {
	from := h.at + 1
	h.at = from + plainLen(h.text[from:])
	if h.at < len(h.text) && h.text[h.at] == '"' {
		h.at++
		return h.text[from : h.at-1], true, true
	}
	for ; h.at < len(h.text); h.at++ {
		h.at += plainLen(h.text[h.at:])
		if h.at == len(h.text) {
			break
		}
		switch h.text[h.at] {
		case '\\':
			if !h.escape() {
				return "", false, false
			}
		case '"':
			h.at++
			h.b = append(h.b, h.text[h.copied:from]...)
			h.b, h.copied = appendPrinting(h.b, h.text[from:h.at]), h.at
			return h.text[from : h.at-1], false, true
		}
	}
	return "", false, false
}

// escape passes over an escape, up to its last byte.
func (h *hiding) escape() bool {
	h.at++
	if h.at >= len(h.text) {
		return false
	}
	switch h.text[h.at] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		if h.at+4 >= len(h.text) {
			return false
		}
		_, err := strconv.ParseUint(h.text[h.at+1:h.at+5], 16, 16)
		h.at += 4
		return err == nil
	default:
		return false
	}
}

// literal copies a number, true, false or null.
func (h *hiding) literal() bool {
	from := h.at
	for h.at < len(h.text) && strings.IndexByte(" \t\r\n,:[]{}\"", h.text[h.at]) < 0 {
		h.at++
	}
	var room [32]byte
	return json.Valid(append(room[:0], h.text[from:h.at]...))
}
