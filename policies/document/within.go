package document

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// Within returns a fault so many characters into the text at a pointer, at the
// line and column of the source where that character is written: offset counts
// the characters of the text as it was decoded, from 0. An offset behind the
// text is its end. Where there is no text at the pointer, the fault is where At
// puts it.
func (d *Document) Within(pointer string, offset int, format string, args ...any) Fault {
	at, known := d.values[pointer]
	decoded, isText := d.value(pointer).(string)
	if !known || !isText || at.line < 1 || at.line > len(d.lines) {
		return d.At(pointer, format, args...)
	}
	text := []rune(decoded)
	offset = min(max(offset, 0), len(text))
	c := cursor{lines: d.lines}
	c.move(at.line, at.column-1)
	switch first := c.rune(); first {
	case '|', '>':
		at = c.block(text, offset)
	case '"', '\'':
		c.column++
		at = c.flow(text, offset, first)
	default:
		at = c.flow(text, offset, 0)
	}
	if at.line > len(d.lines) {
		at = place{len(d.lines), c.column + utf8.RuneCountInString(d.lines[len(d.lines)-1]) + 1}
	}
	return d.fill(Fault{Line: at.line, Column: at.column, Message: fmt.Sprintf(format, args...)})
}

// cursor is a place in the source that moves on as a text is followed in it.
type cursor struct {
	lines  []string
	line   int    // From 1.
	runes  []rune // Of the line.
	end    int    // Of the line without the blanks at its end.
	column int    // From 0.
}

// place returns where the cursor is.
func (c *cursor) place() place { return place{c.line, c.column + 1} }

// move puts the cursor into a line. Behind the last one is nothing.
func (c *cursor) move(line, column int) {
	c.line, c.runes, c.column = line, nil, column
	if line <= len(c.lines) {
		c.runes = []rune(c.lines[line-1])
	}
	for c.end = len(c.runes); c.end > 0 && isBlank(c.runes[c.end-1]); {
		c.end--
	}
}

// rune returns the character at the cursor, or 0 behind the line's end.
func (c *cursor) rune() rune {
	if c.column >= len(c.runes) {
		return 0
	}
	return c.runes[c.column]
}

// atEnd reports whether nothing but blanks follows on the line from so many
// characters behind the cursor on.
func (c *cursor) atEnd(ahead int) bool { return c.column+ahead >= c.end }

// visible moves the cursor to the next character that is not blank, and returns
// how many lines without any were passed over. At the end of the source it
// stays behind the last line.
func (c *cursor) visible() (empty int) {
	from := c.line
	for c.atEnd(0) && c.line <= len(c.lines) {
		c.move(c.line+1, 0)
	}
	for isBlank(c.rune()) {
		c.column++
	}
	return max(c.line-from-1, 0)
}

// isBlank reports whether a character of a line is a space or a tab.
func isBlank(r rune) bool { return r == ' ' || r == '\t' }

// flow returns where the character at offset stands of a text that is plain or
// in quotes. The cursor is where the text begins. Where the text goes on in
// another line, a break is written that is read as a space, or as one line feed
// for each empty line in between.
func (c *cursor) flow(text []rune, offset int, quote rune) place {
	breaks, next := 0, *c // What is still to be read of a break, and what follows it.
	for i := 0; ; i++ {
		if breaks > 0 && i < len(text) && text[i] != '\n' {
			breaks, *c = 0, next
		}
		for quote == '"' && breaks == 0 && c.rune() == '\\' && c.atEnd(1) {
			next = *c // The break is not read.
			next.column = len(next.runes)
			if breaks = next.visible(); breaks == 0 {
				*c = next
			}
		}
		switch {
		case i == offset:
			return c.place()
		case breaks == 0 && !c.atEnd(0):
			c.column += c.written(quote, text[i])
			continue
		case breaks == 0:
			next = *c
			breaks = max(next.visible(), 1)
		}
		if breaks--; breaks == 0 {
			*c = next
		}
	}
}

// written returns how many characters at the cursor stand for one of the text.
func (c *cursor) written(quote, decoded rune) int {
	switch {
	case quote == '\'' && c.rune() == quote:
		return 2
	case quote != '"' || c.rune() != '\\':
		return 1
	}
	switch (&cursor{runes: c.runes, column: c.column + 1}).rune() {
	case 'x':
		return 4
	case 'u':
		if decoded > 0xFFFF { // Two halves of a character.
			return 12
		}
		return 6
	case 'U':
		return 10
	default:
		return 2
	}
}

// block returns where the character at offset stands of a text below | or >.
// The cursor is at that sign. Indentation, chomping and folding change blanks
// and line breaks alone, so the other characters lead the way.
func (c *cursor) block(text []rune, offset int) place {
	c.move(c.line+1, 0)
	for i := 0; ; i++ {
		blanks := 0
		for i+blanks < len(text) && (isBlank(text[i+blanks]) || text[i+blanks] == '\n') {
			blanks++
		}
		if offset < i+blanks || i+blanks == len(text) {
			return c.blank(text[i:i+blanks], offset-i, i+blanks == len(text))
		}
		c.visible()
		if i += blanks; i == offset {
			return c.place()
		}
		c.column++
	}
}

// blank returns where a character stands of the blanks and line breaks that
// follow the cursor, of which the last ones may end the text.
func (c *cursor) blank(text []rune, offset int, last bool) place {
	first, after := len(text), 0 // The first line break, and what follows the last.
	for i, r := range text {
		if r == '\n' {
			first, after = min(first, i), i+1
		}
	}
	next := *c
	next.visible()
	switch {
	case last && offset > first: // Behind the text is its last line's end.
		offset = first
	case !last && offset >= after && (after > 0 || next.line == c.line || c.column == 0):
		return place{next.line, next.column + 1 - (len(text) - offset)} // The line's own indentation.
	}
	for _, r := range text[:offset] {
		if c.column++; r == '\n' {
			c.move(c.line+1, 0)
		}
	}
	return c.place()
}

// textPlace returns where a value begins. The parser puts a plain text whose
// line ends in blanks as many columns too far to the right.
func (d *Document) textPlace(n ast.Node) place {
	at := placeOf(n)
	if at.line < 1 || at.line > len(d.lines) {
		return at
	}
	line := d.lines[at.line-1]
	begun := at
	begun.column -= len(line) - len(strings.TrimRight(line, " \t"))
	if begun == at || begun.column < 1 {
		return at
	}
	scalar, ok := n.(ast.ScalarNode)
	written := strings.TrimRight(d.sourceFrom(begun), " \t")
	if !ok || written == "" || !strings.HasPrefix(scalar.GetToken().Value, written) {
		return at
	}
	return begun
}
