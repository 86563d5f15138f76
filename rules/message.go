package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxMessage is the longest message that ascp is given, in bytes.
const MaxMessage = 300

// maxValue is the longest text that a placeholder puts in, in bytes.
const maxValue = 96

// CommonPlaceholders are those that the message of any rule may use.
func CommonPlaceholders() []string {
	return []string{"name", "path", "extension", "size", "user", "policy", "rule"}
}

// cannotTell is the message of a rule that refuses because it could not tell.
var cannotTell = Template{parts: []part{
	{text: "This could not be checked by the rule "},
	{placeholder: "rule"},
	{text: ", so it is refused. Ask the server's administrator."},
}}

// Template is a compiled message.
type Template struct {
	parts []part
	// builtin is the text of a message of this package, of which every rule has
	// some and most are never needed: it is compiled when it is rendered.
	builtin string
}

// part is a text, or the name of a placeholder.
type part struct{ text, placeholder string }

// PlaceholderError is a placeholder that no message of the kind can use.
type PlaceholderError struct {
	Name    string
	Allowed []string
}

// Error implements error.
func (p *PlaceholderError) Error() string {
	return fmt.Sprintf("unknown placeholder {%s}", p.Name)
}

// ParseTemplate compiles a message whose placeholders must be common ones or
// one of extra. "{{" and "}}" stand for single braces. The error is a
// *PlaceholderError or tells of a brace without its partner.
func ParseTemplate(text string, extra ...string) (*Template, error) {
	allowed := append(CommonPlaceholders(), extra...)
	parts, err := parseParts(text, func(name string) bool { return slices.Contains(allowed, name) })
	if name := unknownError(""); errors.As(err, &name) {
		return nil, &PlaceholderError{Name: string(name), Allowed: allowed}
	}
	return &Template{parts: parts}, err
}

// unknownError is the name of a placeholder that is not known.
type unknownError string

// Error implements error.
func (u unknownError) Error() string { return string(u) }

// parseParts takes a message apart.
func parseParts(text string, known func(name string) bool) (parts []part, err error) {
	literal := ""
	for text != "" {
		i := strings.IndexAny(text, "{}")
		if i < 0 {
			break
		}
		literal += text[:i]
		if strings.HasPrefix(text[i+1:], text[i:i+1]) { // A doubled brace.
			literal += text[i : i+1]
			text = text[i+2:]
			continue
		}
		end := strings.IndexByte(text[i:], '}')
		if text[i] == '}' || end < 0 {
			return nil, fmt.Errorf("a %q without its partner; write it twice to mean the brace itself", text[i:i+1])
		}
		name := text[i+1 : i+end]
		if !known(name) {
			return nil, unknownError(name)
		}
		parts = append(parts, part{text: literal}, part{placeholder: name})
		literal, text = "", text[i+end+1:]
	}
	return append(parts, part{text: literal + text}), nil
}

// builtinMessage is ParseTemplate for the texts in this package, all of which
// its tests compile.
func builtinMessage(text string) *Template { return &Template{builtin: text} }

// render returns the rule's message about an event.
func (r *Rule) render(e *Event, o *Objection) string {
	if r.Message != nil {
		return r.Message.render(e, r, o)
	}
	return o.Message.render(e, r, o)
}

func (t *Template) render(e *Event, r *Rule, o *Objection) string {
	parts := t.parts
	if t.builtin != "" {
		parts, _ = parseParts(t.builtin, func(string) bool { return true }) // The tests have seen that it compiles.
	}
	var b strings.Builder
	for _, p := range parts {
		if p.placeholder == "" {
			b.WriteString(p.text)
			continue
		}
		b.WriteString(shownText(p.value(e, r, o), maxValue))
	}
	return shownText(b.String(), MaxMessage)
}

func (p part) value(e *Event, r *Rule, o *Objection) string {
	switch p.placeholder {
	case "name":
		return e.File.ShownName()
	case "path":
		return e.File.Shown()
	case "extension":
		return Extension(bareName(e.File.Name(), r.PartialSuffix))
	case "size":
		if !e.Size.Known {
			return "unknown"
		}
		return FormatSize(e.Size.Value)
	case "user":
		return e.User
	case "policy":
		return r.Policy
	case "rule":
		return r.Name
	case "found":
		if o != nil {
			return o.Found
		}
		return ""
	default:
		return r.Values[p.placeholder]
	}
}

// shownText returns a text that prints and fits into limit bytes. It is shortened
// before it is escaped, so that a long one costs no more than a short one, and
// further if what was escaped has grown, so that no escape is cut in two.
func shownText(s string, limit int) string {
	for keep := limit; ; keep = keep * 3 / 4 {
		if shown := Printable(Shorten(s, keep)); len(shown) <= limit {
			return shown
		}
	}
}

// Printable escapes whatever does not print, or would change the order or
// looks of what does: control and format characters (bidi among them), line
// breaks and bytes that are not UTF-8 become \u202e or \xff.
func Printable(s string) string {
	if !strings.ContainsFunc(s, escapes) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !escapes(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func escapes(r rune) bool {
	return r != ' ' && !unicode.IsPrint(r) || r == utf8.RuneError
}

// Shorten returns s, or its beginning and end around "…" so that it fits into
// limit bytes; where not even that fits, it returns nothing. Both ends of a name
// matter: the folder and the extension.
func Shorten(s string, limit int) string {
	const ellipsis = "…"
	switch {
	case len(s) <= limit:
		return s
	case limit < len(ellipsis):
		return ""
	}
	keep := limit - len(ellipsis)
	head, tail := keep-keep/3, len(s)-keep/3
	for head > 0 && !utf8.RuneStart(s[head]) {
		head--
	}
	for tail < len(s) && !utf8.RuneStart(s[tail]) {
		tail++
	}
	return s[:head] + ellipsis + s[tail:]
}
