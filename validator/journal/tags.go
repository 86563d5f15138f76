package journal

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

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
	b = append(b, before...)
	h := hiding{b: b, text: raw, whole: true}
	if !h.value(0) || h.at != len(h.text) {
		return b[:from], false
	}
	return h.b, h.whole
}

// hiding copies JSON without white space and without secrets. The text has been
// read by the event's decoder, so that it is JSON; where it is not, it stops.
type hiding struct {
	b     []byte
	text  string
	at    int
	whole bool
}

// peek passes over white space.
func (h *hiding) peek() byte {
	for h.at < len(h.text) {
		switch c := h.text[h.at]; c {
		case ' ', '\t', '\n', '\r':
			h.at++
		default:
			return c
		}
	}
	return 0
}

// value copies a value and reports whether there is one.
func (h *hiding) value(depth int) bool {
	switch h.peek() {
	case '{':
		return depth < rules.MaxDepth && h.members(depth, '}', true)
	case '[':
		return depth < rules.MaxDepth && h.members(depth, ']', false)
	case '"':
		_, ok := h.quoted()
		return ok
	default:
		return h.literal()
	}
}

// members copies what is in an object or an array.
func (h *hiding) members(depth int, end byte, named bool) bool {
	h.b = append(h.b, h.text[h.at])
	h.at++
	for first := true; ; first = false {
		c := h.peek()
		if c == end {
			h.b = append(h.b, end)
			h.at++
			return true
		}
		if !first {
			if c != ',' {
				return false
			}
			h.b = append(h.b, ',')
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
	if h.peek() != '"' {
		return false
	}
	name, ok := h.quoted()
	if !ok || h.peek() != ':' {
		return false
	}
	h.b = append(h.b, ':')
	h.at++
	secret, grant := isSecret(name), name == "grant"
	if !secret && !grant {
		return h.value(depth + 1)
	}
	to, whole := len(h.b), h.whole
	if !h.value(depth + 1) {
		return false
	}
	if grant && !strings.HasPrefix(string(h.b[to:min(to+4, len(h.b))]), `"eyJ`) {
		return true // Not the text of one.
	}
	h.b = append(h.b[:to], hidden...)
	h.whole = whole && !secret
	return true
}

// quoted copies a string, with whatever does not print escaped, and returns what is
// between its quotes.
func (h *hiding) quoted() (string, bool) {
	from := h.at
	for h.at++; h.at < len(h.text); h.at++ {
		h.at += plainLen(h.text[h.at:])
		if h.at == len(h.text) {
			return "", false
		}
		switch h.text[h.at] {
		case '\\':
			if !h.escape() {
				return "", false
			}
		case '"':
			h.at++
			h.b = appendPrinting(h.b, h.text[from:h.at])
			return h.text[from+1 : h.at-1], true
		}
	}
	return "", false
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
	to := len(h.b)
	h.b = append(h.b, h.text[from:h.at]...)
	return json.Valid(h.b[to:])
}

// isSecret reports whether the value of a member of this name may be a secret.
// Names are compared as they are written in the JSON. An access_key is none: it is
// the name of an account, whose secret is elsewhere.
func isSecret(name string) bool {
	plain := true
	for i := range len(name) {
		switch c := name[i]; {
		case c == '\\':
			return true // Whoever escapes a name may hide it.
		case c >= utf8.RuneSelf:
			plain = false
		case secretAt(name[i:]):
			return true
		}
	}
	return !plain && strings.ContainsAny(name, "\u017f\u212a") // An s and a k in disguise.
}

// secretAt reports whether a name goes on with a word for secrets.
func secretAt(name string) bool {
	switch name[0] | 0x20 {
	case 'p':
		return begins(name, "pass") || begins(name, "private")
	case 's':
		return begins(name, "secret") || begins(name, "session_key")
	case 'c':
		return begins(name, "credential") || begins(name, "cookie")
	case 't':
		return begins(name, "token")
	case 'a':
		return begins(name, "api_key") || begins(name, "apikey") || begins(name, "authorization")
	default:
		return false
	}
}

// begins reports whether a name begins with a word of small letters, in any case.
func begins(name, word string) bool {
	if len(name) < len(word) {
		return false
	}
	for i := range len(word) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != word[i] {
			return false
		}
	}
	return true
}
