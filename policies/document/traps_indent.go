package document

import (
	"fmt"
	"regexp"
	"strings"
)

// indent returns how many blanks a line begins with, and the line without them.
func (d *Document) indent(line int) (n int, text string) {
	text = strings.TrimLeft(d.lines[line], " ")
	return len(d.lines[line]) - len(text), text
}

// before returns the nearest line above that holds something, or -1.
func (d *Document) before(line int) int {
	for line--; line >= 0; line-- {
		if _, text := d.indent(line); text != "" && text[0] != '#' {
			return line
		}
	}
	return -1
}

// element returns the nearest line above that begins with a dash, of those that
// are not further out than a column, or -1.
func (d *Document) element(line, column int) int {
	for line = d.before(line); line >= 0; line = d.before(line) {
		n, text := d.indent(line)
		if isElement(text) {
			return line
		}
		if n < column {
			return -1
		}
	}
	return -1
}

func isElement(text string) bool { return strings.HasPrefix(text, "- ") }

// keysOf returns the column at which the keys of a list's element stand.
func (d *Document) keysOf(line int) int {
	n, text := d.indent(line)
	return n + len(text) - len(strings.TrimLeft(text[1:], " "))
}

// indentBy is the hint of what is indented wrongly.
func indentBy(n int) string {
	if n == 0 {
		return "write it without spaces before it"
	}
	return fmt.Sprintf("indent it by %d spaces", n)
}

// startsWithKey matches a line that begins with a key.
var startsWithKey = regexp.MustCompile(`^[\w.-]+:(?: |$)`)

// sameIndentAsDash finds a key that stands below the dash of its element.
func sameIndentAsDash(d *Document, line int) (Fault, bool) {
	n, text := d.indent(line)
	above := d.element(line, n)
	if !startsWithKey.MatchString(text) || above < 0 {
		return Fault{}, false
	}
	dash, _ := d.indent(above)
	keys := d.keysOf(above)
	if n < dash || n >= keys {
		return Fault{}, false
	}
	return d.found(line, n, fmt.Sprintf("this key is not below the first key of its element, which begins in line %d", above+1), indentBy(keys))
}

// strayDash finds a dash that is not below the dashes of its list.
func strayDash(d *Document, line int) (Fault, bool) {
	n, text := d.indent(line)
	if !isElement(text) {
		return Fault{}, false
	}
	for above := d.before(line); above >= 0; above = d.before(above) {
		dash, other := d.indent(above)
		if !isElement(other) {
			continue
		}
		if dash == n {
			return Fault{}, false
		}
		return d.found(line, n, fmt.Sprintf("this dash is not below the dash of line %d", above+1), indentBy(dash))
	}
	return Fault{}, false
}

// deeperThanKey finds a key that is further in than the key above it, which has
// a value already. The parser gives up at either of the two.
func deeperThanKey(d *Document, line int) (Fault, bool) {
	for _, at := range []int{line, d.after(line)} {
		if at < 0 {
			continue
		}
		n, text := d.indent(at)
		above := d.before(at)
		if above < 0 || !startsWithKey.MatchString(text) {
			continue
		}
		column, other := d.indent(above)
		if isElement(other) {
			column, other = d.keysOf(above), strings.TrimLeft(other[1:], " ")
		}
		key, value, _ := strings.Cut(other, ":")
		if value = strings.TrimSpace(value); n > column && startsWithKey.MatchString(other) && value != "" && !strings.ContainsAny(value[:1], `|>"'[{#`) {
			return d.found(at, n, fmt.Sprintf("this line is further in than line %d, whose %q has a value already", above+1, key), indentBy(column))
		}
	}
	return Fault{}, false
}

// after returns the nearest line below that holds something, or -1.
func (d *Document) after(line int) int {
	for line++; line < len(d.lines); line++ {
		if _, text := d.indent(line); text != "" && text[0] != '#' {
			return line
		}
	}
	return -1
}
