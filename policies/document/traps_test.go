package document_test

import (
	"strings"
	"testing"

	"github.com/sluiceproject/sluice/policies/document"
)

// What people do to YAML is told in their words, and at the place where they did
// it. In each text ‸ stands where the fault is wanted.
func TestTraps(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"a key that stands below the dash", "rules:\n  - name: a\n  ‸size: 1\n", "this key is not below the first key of its element, which begins in line 2; indent it by 4 spaces"},
		{"a key between the dash and the first key", "rules:\n  -   name: a\n    ‸size: 1\n", "this key is not below the first key of its element, which begins in line 2; indent it by 6 spaces"},
		{"a key that is further in", "rules:\n  - name: a\n      ‸size: 1\n", `this line is further in than line 2, whose "name" has a value already; indent it by 4 spaces`},
		{"a key that is further in, without a list", "a: 1\n\n# A comment.\n  ‸b: 2\n", `this line is further in than line 1, whose "a" has a value already; write it without spaces before it`},
		{"a dash that is too far out", "rules:\n  - name: a\n    size: 1\n ‸- name: b\n", "this dash is not below the dash of line 2; indent it by 2 spaces"},
		{"a dash of a word processor", "rules:\n  - name: a\n  ‸– name: b\n", `this is a dash of a word processor, and no list element begins with it; write "-"`},

		{"a quote that is closed by the next one", "message: ‸\"not closed\ncode: \"1022\"\n", "a quote opens here, and is not closed in this line; close it"},
		{"a quote that is never closed", "code: 'x'\nmessage: ‸'not closed\na: 1\n", "a quote opens here, and is not closed in this line; close it"},
		{"a quote in a list", "a: [\"x\", ‸\"y]\nb: 1\n", "a quote opens here, and is not closed in this line; close it"},
		{"a backslash in double quotes", `a: ["C:‸\ingest"]`, `in double quotes a backslash begins an escape, and there is no such one; use single quotes, or "/" between folders`},

		{"a glob", "a: [x, ‸**/*.mov]\n", `a text that begins with * must stand in quotes; write "**/*.mov"`},
		{"a glob in braces", "a: {b: ‸**/x, c: d}\n", `a text that begins with * must stand in quotes; write "**/x"`},
		{"a glob in a list of lines", "a:\n  - ‸**/x\n", `a text that begins with * must stand in quotes; write "**/x"`},
		{"a reserved character", "a: ‸@home\n", `a text that begins with @ must stand in quotes; write "@home"`},
		{"a placeholder", "message: ‸{name} is no film.\n", `a text that begins with a brace must stand in quotes; write "{name} is no film."`},
		{"a placeholder and a colon", "- message: ‸{name}: no film\n", `a text that begins with a brace must stand in quotes; write "{name}: no film"`},
		{"a colon in a text", "message: ‸No: not this\n", `a text with a colon and a space must stand in quotes; write "No: not this"`},
		{"a quote in a text with a colon", "message: ‸No: not \"this\"\n", `a text with a colon and a space must stand in quotes; write "No: not \"this\""`},
		{"no space behind a colon", "a: 1\n‸b:2\n", `a space belongs between a colon and a value; did you mean "b: 2"?`},

		// What looks like a trap and is none does not hide what is wrong.
		{"a text of several lines before", "a: \"one\n  two\"\nb: ‸[1, 2}\n", `the "]" of this list is missing`},
		{"quotes inside a text before", "a: it's fine\nb: ‸[1, 2}\n", `the "]" of this list is missing`},
		{"two keys of one name", "a: 1\n‸a: 2\n", `the key "a" is given twice, first in line 1`},
		{"two elements of which the second has no dash", "l:\n  - name: a\n    ‸name: b\n", `the key "name" is given twice, first in line 2; if another one begins here, write "- name"`},
		{"a list that does not end", "a: ‸[1, 2\n", `the "]" of this list is missing`},
		{"a group that does not end", "a: ‸{b: 1\n", `the "}" of this group is missing`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before, _, found := strings.Cut(tc.text, "‸")
			if !found {
				t.Fatal("the text says no place")
			}
			_, faults := document.Parse("f.yaml", []byte(strings.Replace(tc.text, "‸", "", 1)))
			if len(faults) != 1 {
				t.Fatalf("got %q", faults)
			}
			last := before[strings.LastIndexByte(before, '\n')+1:]
			line, column := 1+strings.Count(before, "\n"), 1+len([]rune(last))
			got := faults[0].Message
			if faults[0].Hint != "" {
				got += "; " + faults[0].Hint
			}
			if got != tc.want || faults[0].Line != line || faults[0].Column != column {
				t.Errorf("%d:%d: %s\nwant %d:%d: %s", faults[0].Line, faults[0].Column, got, line, column, tc.want)
			}
		})
	}
}

// What is written in quotes because a hint says so is read.
func TestTrapsAreMended(t *testing.T) {
	for _, text := range []string{
		"a: [x, \"**/*.mov\"]\n", "a: \"@home\"\n", "message: \"{name}: no film\"\n", "message: \"No: not \\\"this\\\"\"\n", "b: 2\n",
	} {
		if _, faults := document.Parse("f.yaml", []byte(text)); faults != nil {
			t.Errorf("%s: %v", text, faults)
		}
	}
}
