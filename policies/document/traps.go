package document

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// A parser of YAML tells where it gave up and in which state, and not what was
// done to it. These are the traps that people fall into, by the look of the
// lines around that place. They only choose the words for a text that is no
// YAML, so nothing hangs on it if one is mistaken.

// trap finds a mistake in a line, which counts from 0.
type trap func(d *Document, line int) (Fault, bool)

// traps returns those that are looked for, the surest first.
func traps() []trap {
	return []trap{typographicDash, openQuote, escapedPath, specialStart, bracedText, colonInText, noSpace, sameIndentAsDash, strayDash, deeperThanKey}
}

// trapped returns a fault in words of a person for the line at which the parser
// gave up.
func (d *Document) trapped(line int) (Fault, bool) {
	if line < 1 || line > len(d.lines) {
		return Fault{}, false
	}
	for _, t := range traps() {
		if fault, ok := t(d, line-1); ok {
			return d.fill(fault), true
		}
	}
	return Fault{}, false
}

// found is a fault at a byte of a line.
func (d *Document) found(line, at int, message, hint string) (Fault, bool) {
	return Fault{Line: line + 1, Column: 1 + utf8.RuneCountInString(d.lines[line][:at]), Message: message, Hint: hint}, true
}

// longest is the longest text that a hint repeats, in bytes.
const longest = 200

func inQuotes(text string) string {
	if len(text) > longest {
		return "put it in quotes"
	}
	return fmt.Sprintf("write %q", text)
}

// typographicDash finds a dash that a word processor has made longer.
func typographicDash(d *Document, line int) (Fault, bool) {
	text := strings.TrimLeft(d.lines[line], " ")
	if !strings.HasPrefix(text, "–") && !strings.HasPrefix(text, "—") {
		return Fault{}, false
	}
	return d.found(line, len(d.lines[line])-len(text), "this is a dash of a word processor, and no list element begins with it", `write "-"`)
}

// valueInQuotes matches a value that begins with a quote, which is its group.
var valueInQuotes = regexp.MustCompile(`(?:^|[:,\[{-])[ ]*(["'])`)

// openQuote finds a quote that begins in this line or above and is not closed in
// its line, but here or nowhere.
func openQuote(d *Document, line int) (Fault, bool) {
	for begin := line; begin >= 0; begin-- {
		text, from := d.lines[begin], 0
		for {
			found := valueInQuotes.FindStringSubmatchIndex(text[from:])
			if found == nil {
				break
			}
			quote := from + found[2]
			end := closing(text, quote)
			if end < 0 {
				if closed := d.closedBelow(begin+1, text[quote]); closed >= 0 && closed < line {
					return Fault{}, false // A text of several lines, which is as it should be.
				}
				return d.found(begin, quote, "a quote opens here, and is not closed in this line", "close it")
			}
			from = end + 1
		}
	}
	return Fault{}, false
}

// closing returns where the quote at a place is closed, or -1.
func closing(text string, quote int) int {
	for i := quote + 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && text[quote] == '"':
			i++
		case text[i] == text[quote]:
			return i
		}
	}
	return -1
}

// closedBelow returns the first line from one on that has a quote, or -1.
func (d *Document) closedBelow(line int, quote byte) int {
	for ; line < len(d.lines); line++ {
		if strings.IndexByte(d.lines[line], quote) >= 0 {
			return line
		}
	}
	return -1
}

// wrongEscape matches a backslash in double quotes that escapes nothing.
var wrongEscape = regexp.MustCompile(`"(?:[^"\\]|\\[0abtnvfre "/\\N_LPxuU])*(\\[^0abtnvfre "/\\N_LPxuU])`)

// escapedPath finds a backslash that was meant as one.
func escapedPath(d *Document, line int) (Fault, bool) {
	found := wrongEscape.FindStringSubmatchIndex(d.lines[line])
	if found == nil {
		return Fault{}, false
	}
	return d.found(line, found[2], "in double quotes a backslash begins an escape, and there is no such one", `use single quotes, or "/" between folders`)
}

// unquotedSpecial matches a value that begins with what means something else.
var unquotedSpecial = regexp.MustCompile("(?:^|[:,\\[{-])[ ]+([*@`%][^ ,\\]}]*)|[\\[{]([*@`%][^ ,\\]}]*)")

// specialStart finds a glob or another text that YAML takes for something else.
func specialStart(d *Document, line int) (Fault, bool) {
	found := unquotedSpecial.FindStringSubmatchIndex(d.lines[line])
	if found == nil {
		return Fault{}, false
	}
	from, to := max(found[2], found[4]), max(found[3], found[5])
	text := d.lines[line][from:to]
	return d.found(line, from, fmt.Sprintf("a text that begins with %s must stand in quotes", text[:1]), inQuotes(text))
}

// keyBefore matches a key and what is before its value.
const keyBefore = `^ *(?:- +)*[\w.-]+: +`

// unquotedBrace matches a value that begins with a group in braces and goes on
// behind it; unquotedColon a value with a colon that a blank follows.
var (
	unquotedBrace = regexp.MustCompile(keyBefore + `(\{[^{}]*\} *[^ #,}\]].*?) *$`)
	unquotedColon = regexp.MustCompile(keyBefore + `([^ "'{\[|>&*!#].*?:(?: .*?)?) *$`)
)

// bracedText finds a message that begins with a placeholder.
func bracedText(d *Document, line int) (Fault, bool) {
	return d.unquoted(line, unquotedBrace, "a text that begins with a brace must stand in quotes")
}

// colonInText finds a message with a colon.
func colonInText(d *Document, line int) (Fault, bool) {
	return d.unquoted(line, unquotedColon, "a text with a colon and a space must stand in quotes")
}

func (d *Document) unquoted(line int, pattern *regexp.Regexp, message string) (Fault, bool) {
	found := pattern.FindStringSubmatchIndex(d.lines[line])
	if found == nil {
		return Fault{}, false
	}
	return d.found(line, found[2], message, inQuotes(d.lines[line][found[2]:found[3]]))
}

// colonWithoutSpace matches a key whose colon no blank follows.
var colonWithoutSpace = regexp.MustCompile(`^ *(?:- +)*([A-Za-z_]\w*:)([^ /:].*)$`)

// noSpace finds a colon that separates nothing.
func noSpace(d *Document, line int) (Fault, bool) {
	found := colonWithoutSpace.FindStringSubmatchIndex(d.lines[line])
	if found == nil {
		return Fault{}, false
	}
	key, value := d.lines[line][found[2]:found[3]], d.lines[line][found[4]:found[5]]
	hint := ""
	if len(value) <= longest {
		hint = fmt.Sprintf("did you mean %q?", key+" "+value)
	}
	return d.found(line, found[2], "a space belongs between a colon and a value", hint)
}
