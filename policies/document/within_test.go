package document_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/policies/document"
)

// TestWithin: each row is a source with a "^" below the characters that the
// fault is at for each offset in turn.
func TestWithin(t *testing.T) {
	for _, tc := range []struct {
		name, source, pointer string
		at                    map[int]string // by offset
	}{
		{"plain", "when: a == b\n", "/when", map[int]string{-1: "1:7", 0: "1:7", 2: "1:9", 5: "1:12", 6: "1:13", 99: "1:13"}},
		{"plain, not ASCII before and inside", "é: {ü: ä ö x}\n", "/é/ü", map[int]string{0: "1:8", 4: "1:12"}},
		{"plain, over lines", "when: a ==   \n  b\n\n  && c\nx: 1\n", "/when", map[int]string{4: "1:11", 5: "2:3", 6: "2:4", 7: "4:3", 10: "4:6", 11: "4:7"}},
		{"plain, on the next line", "when:\n  a ==\n  b\n", "/when", map[int]string{0: "2:3", 5: "3:3"}},
		{"plain, with a colon, in brackets", "net: [a, 2001:db8::/32, b]\n", "/net/1", map[int]string{0: "1:10", 4: "1:14", 13: "1:23"}},
		{"single quotes", "when: 'a == ''b'' && c'\n", "/when", map[int]string{0: "1:8", 5: "1:13", 6: "1:15", 7: "1:16", 9: "1:19", 13: "1:23"}},
		{"single quotes, over lines", "when: '\n  a\n\n\n  b'\n", "/when", map[int]string{0: "1:8", 1: "2:3", 2: "2:4", 3: "2:4", 4: "5:3", 5: "5:4"}},
		{"double quotes", `when: "a \"\x41\u00e9\U0001F600\\ é b"` + "\n", "/when", map[int]string{
			2: "1:10", 3: "1:12", 4: "1:16", 5: "1:22", 6: "1:32", 7: "1:34", 8: "1:35", 10: "1:37", 11: "1:38",
		}},
		{"double quotes, halves of a character", `when: "\uD83D\uDE00x"` + "\n", "/when", map[int]string{0: "1:8", 1: "1:20", 2: "1:21"}},
		{"double quotes, a line that goes on", "when: \"a \\\n    b\n\n  c\"\n", "/when", map[int]string{1: "1:9", 2: "2:5", 3: "2:6", 4: "4:3", 5: "4:4"}},
		{"plain, of which the parser forgets empty lines", "when: a\n\n\n  \n  b\n", "/when", map[int]string{1: "1:8", 2: "5:3"}},
		{"nothing in quotes", "when: \"\"\nx: ''\n", "/when", map[int]string{0: "1:8", 1: "1:8"}},
		{"literal", "when: |\n  a ==\n\n    b\nx: 1\n", "/when", map[int]string{0: "2:3", 4: "2:7", 5: "3:1", 6: "4:3", 8: "4:5", 9: "4:6", 10: "4:6", 99: "4:6"}},
		{"literal, with a comment and what it keeps", "when: |+ # why\n  a\n\n\nx: 1\n", "/when", map[int]string{0: "2:3", 1: "2:4", 4: "2:4"}},
		{"literal, indented by a number", "when: |2-\n    a\n  b\n", "/when", map[int]string{0: "2:3", 2: "2:5", 3: "2:6", 4: "3:3", 5: "3:4"}},
		{"literal, in a list", "- |\n  a\n  é b\n", "/0", map[int]string{2: "3:3", 4: "3:5"}},
		{"literal, CRLF", "when: |\r\n  a\r\n  b\r\n", "/when", map[int]string{1: "2:4", 2: "3:3", 3: "3:4"}},
		{"folded", "when: >\n  a\n  b\n\n  c\n   d\n", "/when", map[int]string{0: "2:3", 1: "2:4", 2: "3:3", 3: "3:4", 4: "5:3", 6: "6:3", 7: "6:4"}},
		{"folded, empty lines first", "when: >-\n\n\n  a\n", "/when", map[int]string{0: "2:1", 1: "3:1", 2: "4:3", 3: "4:4"}},
		{"a block of nothing", "when: |\n\nx: 1\n", "/when", map[int]string{0: "2:1"}},
		{"no text", "when: {a: 1}\n", "/when", map[int]string{3: "1:7"}},
		{"a number", "when: 123\n", "/when", map[int]string{2: "1:7"}},
		{"nothing there", "when: a\n", "/none/0", map[int]string{3: "1:1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, faults := document.Parse("f", []byte(tc.source))
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			got := map[int]string{}
			for offset := range tc.at {
				f := d.Within(tc.pointer, offset, "m")
				got[offset] = fmt.Sprintf("%d:%d", f.Line, f.Column)
			}
			if diff := cmp.Diff(tc.at, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWithinSaysWhatItIsGiven(t *testing.T) {
	d, _ := document.Parse("f.yaml", []byte("when: |\n  a ==\n  b ++\n"))
	f := d.Within("/when", 8, "%q is no %s", "++", "operator").WithHint("h")
	want := "f.yaml:3:6: \"++\" is no operator; h\n    3 |   b ++\n             ^\n"
	if got := f.Error() + "\n" + f.Excerpt(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// emitter writes one text in one style and remembers where each character of it
// was written.
type emitter struct {
	t       *rapid.T
	source  []rune
	line    int
	column  int
	indent  string // Of the lines after the first.
	text    []rune
	written []string
}

// put writes source that stands for nothing.
func (e *emitter) put(s string) {
	for _, r := range s {
		e.source = append(e.source, r)
		if e.column++; r == '\n' {
			e.line, e.column = e.line+1, 1
		}
	}
}

// stand notes that what is written next stands for a character.
func (e *emitter) stand(r rune) {
	e.text, e.written = append(e.text, r), append(e.written, fmt.Sprintf("%d:%d", e.line, e.column))
}

func (e *emitter) write(r rune, as string) {
	e.stand(r)
	e.put(as)
}

func (e *emitter) chance(oneIn int) bool { return rapid.IntRange(1, oneIn).Draw(e.t, "chance") == 1 }

// line breaks inside a text that is plain or in quotes: a space, or as many line
// feeds as there are empty lines.
func (e *emitter) breakFlow(plain bool) {
	empty := rapid.SampledFrom([]int{0, 0, 0, 1, 3}).Draw(e.t, "empty lines")
	if empty == 0 {
		e.stand(' ')
	}
	for range empty {
		e.stand('\n')
	}
	e.put(strings.Repeat(" ", rapid.IntRange(0, 2).Draw(e.t, "blanks at the end")))
	blanks := 5
	if plain {
		blanks = 0 // The parser forgets the empty lines before one with blanks.
	}
	for range empty {
		e.put("\n" + strings.Repeat(" ", rapid.IntRange(0, blanks).Draw(e.t, "blanks in an empty line")))
	}
	e.put("\n" + e.indent + strings.Repeat(" ", rapid.IntRange(0, 3).Draw(e.t, "more indentation")))
}

const letters = `abzZ09.()"'\=<>é😀`

func (e *emitter) flow(style string) {
	plain, double := style == "plain", style == "double"
	quote := map[string]string{"single": "'", "double": `"`}[style]
	e.put(quote)
	start := len(e.text)
	for range rapid.IntRange(1, 12).Draw(e.t, "pieces") {
		first := len(e.text) == start
		switch piece := rapid.IntRange(1, 8).Draw(e.t, "piece"); {
		case first && plain:
			e.write('v', "v")
		case piece == 1 && !first && e.text[len(e.text)-1] != ' ' && e.text[len(e.text)-1] != '\n':
			e.breakFlow(plain)
			r := rapid.SampledFrom([]rune("xyé")).Draw(e.t, "word")
			e.write(r, string(r))
		case piece == 2 && !first:
			for range rapid.IntRange(1, 3).Draw(e.t, "spaces") {
				e.write(' ', " ")
			}
			e.write('w', "w")
		case piece == 3 && double && !first:
			e.put("\\\n" + e.indent + strings.Repeat(" ", rapid.IntRange(0, 3).Draw(e.t, "more indentation")))
			e.write('c', "c")
		case piece == 4 && double:
			e.escape()
			e.write('n', "n")
		default:
			r := rapid.SampledFrom([]rune(letters)).Draw(e.t, "letter")
			switch {
			case style == "single" && r == '\'':
				e.write(r, "''")
			case double && (r == '"' || r == '\\'):
				e.write(r, `\`+string(r))
			default:
				e.write(r, string(r))
			}
		}
	}
	e.stand(0) // The end.
	e.put(quote)
}

func (e *emitter) escape() {
	all := []struct {
		r  rune
		as string
	}{
		{'\n', `\n`},
		{'\t', `\t`},
		{'"', `\"`},
		{'\\', `\\`},
		{'/', `\/`},
		{' ', `\x20`},
		{'A', `\x41`},
		{'é', `\u00e9`},
		{'😀', `\U0001F600`},
		{'😀', `\uD83D\uDE00`},
		{0, `\0`},
		{0x1b, `\e`},
		{0xa0, `\_`},
		{0x2028, `\L`},
	}
	one := rapid.SampledFrom(all).Draw(e.t, "escape")
	e.write(one.r, one.as)
}

// block writes a literal text, or a folded one.
func (e *emitter) block(folded bool) {
	lines := rapid.SliceOfN(rapid.StringMatching(`(  )?[a-z"'#éü][a-z"'#é ]{0,5}[a-zé😀]|`), 1, 6).Draw(e.t, "lines")
	if rapid.Bool().Draw(e.t, "ends in words") || strings.TrimSpace(strings.Join(lines, "")) == "" {
		lines = append(lines, "end")
	}
	chomp := rapid.SampledFrom([]string{"", "-", "+"}).Draw(e.t, "chomping")
	number := ""
	if first := strings.Join(lines, ""); strings.HasPrefix(first, " ") || e.chance(3) {
		number = "2"
		lines = append(lines, "end") // The parser does not read it with empty lines at the end.
	}
	sign := "|"
	if folded {
		sign = ">"
	}
	e.put(sign + number + chomp + rapid.SampledFrom([]string{"", " # é why"}).Draw(e.t, "comment") + "\n")
	last := 0
	for i, l := range lines {
		if l != "" {
			last = i
		}
	}
	for i, l := range lines {
		if l != "" {
			e.put(e.indent)
		}
		for _, r := range l {
			e.write(r, string(r))
		}
		switch {
		case i < last:
			e.breakBlock(folded, lines, i)
		case i == last && chomp == "-" || i > last && chomp != "+":
			if i == last {
				e.stand(0)
			}
		case i == last:
			e.stand('\n')
		default:
			e.text, e.written = append(e.text, '\n'), append(e.written, e.written[len(e.written)-1])
		}
		if i < len(lines)-1 {
			e.put("\n")
		}
	}
	if e.text[len(e.text)-1] != 0 {
		e.text, e.written = append(e.text, 0), append(e.written, e.written[len(e.written)-1])
	}
}

// breakBlock notes what the break after a line stands for, which is not the
// last one with words. Folding takes one break away between two lines of words
// that are not indented further; if it is the only one, it becomes a space.
func (e *emitter) breakBlock(folded bool, lines []string, i int) {
	next, previous := i+1, i
	for lines[next] == "" {
		next++
	}
	for previous >= 0 && lines[previous] == "" {
		previous--
	}
	indented := func(i int) bool { return strings.HasPrefix(lines[i], " ") }
	switch taken := folded && previous >= 0 && !indented(previous) && !indented(next); {
	case taken && next == previous+1:
		e.stand(' ')
	case !taken || next > i+1:
		e.stand('\n')
	}
}

// TestWithinFollowsEveryStyle: whatever is written, and however, each character
// is found where it was written.
func TestWithinFollowsEveryStyle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := &emitter{t: t, line: 1, column: 1}
		e.put(rapid.SampledFrom([]string{"", "# é\n", "first: 1\n\n"}).Draw(t, "before"))
		style := rapid.SampledFrom([]string{"plain", "single", "double", "literal", "folded"}).Draw(t, "style")
		places := []struct{ before, pointer, indent, after string }{
			{"k: ", "/k", "  ", "\nlast: x\n"},
			{"k:\n  é: ", "/k/é", "    ", "\nlast: x\n"},
			{"k:\n  - name: x\n    k: ", "/k/0/k", "      ", "\n"},
			{"k:\n  - ", "/k/0", "    ", "\n  - x\n"},
			{"k: ", "/k", "  ", ""},
			{"k:\n  ", "/k", "  ", "\n"},
			{"k: [é, ", "/k/1", "  ", ", x]\n"},
			{"k: {é: ", "/k/é", "  ", ", x: y}\n"},
		}
		n := len(places)
		switch style {
		case "plain": // The parser does not read it over lines in braces.
			n--
		case "literal", "folded":
			n = 4
		}
		place := places[rapid.IntRange(0, n-1).Draw(t, "place")]
		e.indent = place.indent
		e.put(place.before)
		if style == "literal" || style == "folded" {
			e.block(style == "folded")
		} else {
			e.flow(style)
		}
		e.put(place.after)
		source := string(e.source)
		if rapid.Bool().Draw(t, "CRLF") {
			source = strings.ReplaceAll(source, "\n", "\r\n")
		}
		d, faults := document.Parse("f", []byte(source))
		if len(faults) > 0 {
			t.Fatalf("%s\n%s", source, faults)
		}
		var got string
		if err := d.Decode(place.pointer, &got); err != nil || got != string(e.text[:len(e.text)-1]) {
			t.Fatalf("%s\nis read as %q (%v), want %q", source, got, err, string(e.text[:len(e.text)-1]))
		}
		for offset, want := range e.written {
			f := d.Within(place.pointer, offset, "m")
			if at := fmt.Sprintf("%d:%d", f.Line, f.Column); at != want {
				t.Fatalf("%s\n%q: the character %d is at %s, want %s", source, got, offset, at, want)
			}
		}
	})
}

// TestAtOfATextBeforeBlanks: what an editor leaves at a line's end moves no
// mistake.
func TestAtOfATextBeforeBlanks(t *testing.T) {
	for source, want := range map[string]string{
		"k: aaaa   \nl: x\n": "f:1:4: m", "k: aaaa   ": "f:1:4: m", "k: aa  \n  bb \n": "f:1:4: m", "k: 12  \n": "f:1:4: m", "k: true  \n": "f:1:4: m",
		"k: a # b  \n": "f:1:4: m", "k: 'a'  \n": "f:1:4: m", "k: |  \n  a\n": "f:1:4: m", "k:  \n  é  \n": "f:2:3: m", "k: ~  \n": "f:1:4: m",
	} {
		d, faults := document.Parse("f", []byte(source))
		if len(faults) > 0 {
			t.Fatal(source, faults)
		}
		if got := d.At("/k", "m").Error(); got != want {
			t.Errorf("%q: got %s, want %s", source, got, want)
		}
	}
}

// FuzzWithin: whatever is written, a fault is in the file, and never before one
// that is earlier in the text.
func FuzzWithin(f *testing.F) {
	for _, style := range []string{"a\n  b", "'a\n\n ''b'", `"a\x41\` + "\n  b\"", "|2-\n    a\n\n  b", ">+\n  a\n  b\n\n"} {
		f.Add("k: " + style + "\n")
	}
	f.Fuzz(func(t *testing.T, source string) {
		d, _ := document.Parse("f", []byte(source))
		if d == nil || len(source) > 10_000 { // The reader is quick enough, the test is not.
			return
		}
		var tree struct {
			K string `json:"k"`
		}
		if err := d.Decode("", &tree); err != nil {
			return
		}
		lines := 1 + strings.Count(source, "\n")
		previous := document.Fault{}
		for offset := range min(len([]rune(tree.K))+2, 1000) {
			at := d.Within("/k", offset, "m")
			if at.Line < 1 || at.Line > lines || at.Column < 1 {
				t.Fatalf("%q: the character %d is at %d:%d", source, offset, at.Line, at.Column)
			}
			if at.Line < previous.Line || at.Line == previous.Line && at.Column < previous.Column {
				t.Fatalf("%q: the character %d is at %d:%d, before the one before it at %d:%d", source, offset, at.Line, at.Column, previous.Line, previous.Column)
			}
			previous = at
		}
	})
}
