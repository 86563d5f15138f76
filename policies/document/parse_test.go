package document_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/policies/document"
)

// show writes faults as a person sees them: each in a line, with its excerpt.
func show(faults document.Faults) string {
	var b strings.Builder
	b.WriteByte('\n')
	for _, f := range faults {
		b.WriteString(f.Error() + "\n" + f.Excerpt())
	}
	return b.String()
}

func TestParseReadsEveryFormOfYAML(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"block mapping", "a: x\nb: y\n", `{"a":"x","b":"y"}`},
		{"no line break at the end", "a: x", `{"a":"x"}`},
		{"flow mapping", "{a: x, b: [y, z]}", `{"a":"x","b":["y","z"]}`},
		{"flow mapping over lines", "a: {\n  b: x,\n  c: y\n}\n", `{"a":{"b":"x","c":"y"}}`},
		{"block list", "a:\n  - x\n  - y\n", `{"a":["x","y"]}`},
		{"block list at the key's own column", "a:\n- x\n- y\n", `{"a":["x","y"]}`},
		{"list of mappings", "a:\n  - b: 1\n    c: 2\n  - b: 3\n", `{"a":[{"b":1,"c":2},{"b":3}]}`},
		{"list at the root", "- a\n- b\n", `["a","b"]`},
		{"text at the root", "text\n", `"text"`},
		{"empty list and mapping", "a: []\nb: {}\n", `{"a":[],"b":{}}`},
		{"start of a document", "---\na: x\n", `{"a":"x"}`},
		{"end of a document", "a: x\n...\n", `{"a":"x"}`},
		{"a second document with nothing in it", "a: x\n---\n# nothing\n", `{"a":"x"}`},
		{"comments", "# c\na: x # d\n# e\n\"b\": 'y' # f\n", `{"a":"x","b":"y"}`},
		{"tabs in and before comments and at the end of lines", "#\tc\na: [x] #\td\nb: y\t# e\nc: z\t\n", `{"a":["x"],"b":"y","c":"z"}`},
		{"a # inside a word", "a: x#y\n", `{"a":"x#y"}`},
		{"byte order mark", "\ufeffa: x\n", `{"a":"x"}`},

		{"numbers", "a: 5\nb: -5\nc: 1.50\nd: 0\ne: 9007199254740993\n", `{"a":5,"b":-5,"c":1.50,"d":0,"e":9007199254740993}`},
		{"quoted numbers are texts", "a: \"5\"\nb: '007'\n", `{"a":"5","b":"007"}`},
		{"true and false", "a: true\nb: False\n", `{"a":true,"b":false}`},
		{"yes, no, on and off are texts", "a: yes\nb: no\non: on\nd: off\n", `{"a":"yes","b":"no","d":"off","on":"on"}`},
		{"nothing", "a:\nb: ~\nc: null\n", `{"a":null,"b":null,"c":null}`},
		{"numbers as keys", "1: x\n007: y\ntrue: z\n", `{"007":"y","1":"x","true":"z"}`},
		{"times of day", "from: 20:00\nto: 06:00\n", `{"from":"20:00","to":"06:00"}`},
		{"times of day in braces", "a: {from: 20:00, to: 06:00}\n", `{"a":{"from":"20:00","to":"06:00"}}`},
		{"times of day in a list in braces", "a: {at: [20:00, 6:30]}\n", `{"a":{"at":["20:00","6:30"]}}`},
		{"dates are texts", "a: 2026-01-31\n", `{"a":"2026-01-31"}`},

		{"text over lines", "a: one\n  two\n", `{"a":"one two"}`},
		{"text as it stands", "a: |\n  one\n  two\n", `{"a":"one\ntwo\n"}`},
		{"text as it stands, stripped", "a: |-\n  one\n  two\n", `{"a":"one\ntwo"}`},
		{"folded text", "a: >\n  one\n  two\n", `{"a":"one two\n"}`},
		{"escapes in double quotes", `a: "x\ty\u00e9\""`, `{"a":"x\tyé\""}`},
		{"a quote in single quotes", "a: 'it''s'\n", `{"a":"it's"}`},
		{"quoted text over lines", "a: 'x\n  y'\nb: \"x\n  y\"\n", `{"a":"x y","b":"x y"}`},
		{"braces in quotes", `a: "{name}: {{no}}"`, `{"a":"{name}: {{no}}"}`},
		{"text that is not ASCII", "ключ: é 漢\n", `{"ключ":"é 漢"}`},

		{"IPv6 in a list in braces", `a: {allow: [2001:db8::/32, "::1"]}`, `{"a":{"allow":["2001:db8::/32","::1"]}}`},
		{"IPv6 last and alone in braces", "a: {allow: [fe80::1]}\n", `{"a":{"allow":["fe80::1"]}}`},
		{"IPv6 in a list over lines in braces", "a: {allow: [\n  2001:db8::/32,\n  fe80::1\n]}\n", `{"a":{"allow":["2001:db8::/32","fe80::1"]}}`},
		{"IPv6 in a flow list", "a: [2001:db8::/32, ::1]\n", `{"a":["2001:db8::/32","::1"]}`},
		{"IPv6 in a block list", "a:\n  - 2001:db8::/32\n  - ::1\n", `{"a":["2001:db8::/32","::1"]}`},
		{"IPv6 as a value in braces", "a: {b: 2001:db8::/32}\n", `{"a":{"b":"2001:db8::/32"}}`},
		{"IPv6 after what is not ASCII", "é: {ü: [2001:db8::1, x]}\n", `{"é":{"ü":["2001:db8::1","x"]}}`},
		{"a colon and a blank in a list in braces", "a: {allow: [/x/a:b c/**, q]}\n", `{"a":{"allow":["/x/a:b c/**","q"]}}`},
		{"a colon and a # in a list in braces", "a: {allow: [x:y#z, q]}\n", `{"a":{"allow":["x:y#z","q"]}}`},
		{"a colon and a comment in a list in braces", "a: {allow: [x:y z # c\n]}\n", `{"a":{"allow":["x:y z"]}}`},
		{"an address of object storage", "a: {allow: [s3://bucket/in/**]}\n", `{"a":{"allow":["s3://bucket/in/**"]}}`},
		{"a mapping in a list in braces", "a: {b: [x: y, {z: 1}, u: \"v\"]}\n", `{"a":{"b":[{"x":"y"},{"z":1},{"u":"v"}]}}`},

		{"CRLF", "a: x\r\nb:\r\n  - y\r\n  - z\r\n", `{"a":"x","b":["y","z"]}`},
		{"CRLF in a text as it stands", "a: |\r\n  one\r\n  two\r\n", `{"a":"one\ntwo\n"}`},
		{"CRLF in a folded text", "a: >\r\n  one\r\n  two\r\n", `{"a":"one two\n"}`},
		{"CRLF in quotes means what LF does", "a: 'x\r\n  y'\r\nb: \"x\r\n  y\"\r\n", `{"a":"x y","b":"x y"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, faults := document.Parse("f.yaml", []byte(tc.text))
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			got, err := json.Marshal(d.Tree)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"a key given twice", "a: 1\nb: 2\na: 3\n", `
f.yaml:3:1: the key "a" is given twice, first in line 1
    3 | a: 3
        ^
`},
		{"a key given twice, once in quotes", "\"a\": 1\na: 2\n", `
f.yaml:2:1: the key "a" is given twice, first in line 1
    2 | a: 2
        ^
`},
		{"a key given twice in braces", "{é: 1, é: 2}\n", `
f.yaml:1:8: the key "é" is given twice, first in line 1
    1 | {é: 1, é: 2}
               ^
`},
		{"a key given twice further in", "a:\n  - b: 1\n    b: 2\n", `
f.yaml:3:5: the key "b" is given twice, first in line 2
    3 |     b: 2
            ^
`},
		{"a key given twice, CRLF", "a: 1\r\na: 2\r\n", `
f.yaml:2:1: the key "a" is given twice, first in line 1
    2 | a: 2
        ^
`},
		{"an anchor and an alias", "a: &x 1\nb: *x\n", `
f.yaml:1:4: anchors, aliases, merges and tags are not used here; write it out, so that a reader sees what applies
    1 | a: &x 1
           ^
f.yaml:2:4: anchors, aliases, merges and tags are not used here; write it out, so that a reader sees what applies, or put a text that begins with * in quotes
    2 | b: *x
           ^
`},
		{"an alias where a glob was meant", "a: [x, *.mov]\n", `
f.yaml:1:8: anchors, aliases, merges and tags are not used here; write it out, so that a reader sees what applies, or put a text that begins with * in quotes
    1 | a: [x, *.mov]
               ^
`},
		{"a merge", "a:\n  <<: {b: 1}\n", `
f.yaml:2:3: anchors, aliases, merges and tags are not used here; write it out, so that a reader sees what applies
    2 |   <<: {b: 1}
          ^
`},
		{"tags", "a: !!str 1\nb: !own x\n", `
f.yaml:1:4: anchors, aliases, merges and tags are not used here; write it out, so that a reader sees what applies
    1 | a: !!str 1
           ^
f.yaml:2:4: anchors, aliases, merges and tags are not used here; write it out, so that a reader sees what applies
    2 | b: !own x
           ^
`},
		{"a second document", "a: 1\n---\n\nb: 2\n", `
f.yaml:4:1: a second document in one file; put each document into a file of its own
    4 | b: 2
        ^
`},
		{"a key that is a list", "? [a]\n: b\n", `
f.yaml:2:1: a key must be a plain word
    2 | : b
        ^
`},
		{"a key with a question mark", "? a\n: b\n", `
f.yaml:1:1: a key must be a plain word
    1 | ? a
        ^
`},
		{"infinity", "a: .inf\n", `
f.yaml:1:4: this value cannot be used here; put it in quotes if it is a text
    1 | a: .inf
           ^
`},
		{"a number with zeros before it, which may mean octal", "a: {code: 0022}\n", `
f.yaml:1:11: 0022 is not a plain decimal number; put it in quotes if it is a text
    1 | a: {code: 0022}
                  ^
`},
		{"hexadecimal and underscores", "a: 0x10\nb: 1_000\n", `
f.yaml:1:4: 0x10 is not a plain decimal number; put it in quotes if it is a text
    1 | a: 0x10
           ^
f.yaml:2:4: 1_000 is not a plain decimal number; write it without separators
    2 | b: 1_000
           ^
`},
		{"a list that does not end, after what is not ASCII", "ключ: [1, 2\n", `
f.yaml:1:7: the "]" of this list is missing
    1 | ключ: [1, 2
              ^
`},
		{"a brace that does not end", "a: {b: 1\n", `
f.yaml:1:4: the "}" of this group is missing
    1 | a: {b: 1
           ^
`},
		{"a quote that does not end", "a: x\nb: \"y\n", `
f.yaml:2:4: a quote opens here, and is not closed in this line; close it
    2 | b: "y
           ^
`},
		{"two colons", "a: b: c\n", `
f.yaml:1:4: a text with a colon and a space must stand in quotes; write "b: c"
    1 | a: b: c
           ^
`},
		{"indented too little", "a:\n    b: 1\n   c: 2\n", `
f.yaml:3:4: this does not belong here, or is not indented as it should be
    3 |    c: 2
           ^
`},
		{"a reserved character", "a: @x\n", `
f.yaml:1:4: a text that begins with @ must stand in quotes; write "@x"
    1 | a: @x
           ^
`},
		{"an address in braces that begins with colons", "a: {allow: [10.0.0.0/8, ::1]}\n", `
f.yaml:1:25: a key must be a plain word; put an address that begins with colons in quotes
    1 | a: {allow: [10.0.0.0/8, ::1]}
                                ^
`},
		{"a text in braces with a colon and a quote", "a: {allow: [x:\"y z\"]}\n", `
f.yaml:1:13: where this text ends cannot be told; put it in quotes
    1 | a: {allow: [x:"y z"]}
                    ^
`},
		{"indented with a tab", "a:\n\tb: 1\n", `
f.yaml:2:1: a tab stands where YAML wants spaces; write spaces, or \t inside double quotes
    2 |  b: 1
        ^
`},
		{"indented with spaces and a tab", "a:\n  b: 1\n  \tc: 2\n", `
f.yaml:3:3: a tab stands where YAML wants spaces; write spaces, or \t inside double quotes
    3 |    c: 2
          ^
`},
		{"a tab in a line, after what is not ASCII", "é:\t{allow: [x, p:q]}\r\n", `
f.yaml:1:3: a tab stands where YAML wants spaces; write spaces, or \t inside double quotes
    1 | é: {allow: [x, p:q]}
          ^
`},
		{"a tab in a text as it stands", "a: |\n  x\ty\n", `
f.yaml:2:4: a tab stands where YAML wants spaces; write spaces, or \t inside double quotes
    2 |   x y
           ^
`},
		{"an empty file", "", "\nf.yaml: the file is empty\n"},
		{"only comments", "# a: 1\n", "\nf.yaml: the file is empty\n"},
		{"only a start of a document", "---\n", "\nf.yaml: the file is empty\n"},
		{"only a byte order mark", "\ufeff", "\nf.yaml: the file is empty\n"},
		{"not UTF-8", "a: x\nb: \xff\n", "\nf.yaml:2: the line is not UTF-8\n"},
		{"UTF-16", "\xff\xfea\x00:\x00", "\nf.yaml:1: the line is not UTF-8\n"},
		{"a NUL", "a: x\nb: é\x00\n", "\nf.yaml:2:5: the line has the control character U+0000\n"},
		{"an escape sequence", "a: x\x1b[2J\n", "\nf.yaml:1:5: the line has the control character U+001B\n"},
		{"a line that hides in a comment", "# c\rmode: off\n", "\nf.yaml:1:4: the line has the control character U+000D\n"},
		{"too large", strings.Repeat("#", document.MaxSize+1), "\nf.yaml: the file is larger than 1048576 bytes\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, faults := document.Parse("f.yaml", []byte(tc.text))
			if d != nil || len(faults) == 0 {
				t.Fatalf("accepted %v", d)
			}
			if diff := cmp.Diff(tc.want, show(faults)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Depth is bounded before the document is parsed: the time that the parser
// takes grows with the square of it.
func TestParseBoundsDepth(t *testing.T) {
	const far = 100_000
	for _, tc := range []struct {
		name, text string
		want       string // empty: accepted
	}{
		{"64 lists", strings.Repeat("[", 63) + "1" + strings.Repeat("]", 63), ""},
		{"65 lists", strings.Repeat("[", 64) + "1" + strings.Repeat("]", 64), "f.yaml:1:65: nested more than 64 levels deep"},
		{"lists on one line", strings.Repeat("- ", 63) + "x", ""},
		{"too many lists on one line", strings.Repeat("- ", 64) + "x", "f.yaml:1:129: nested more than 64 levels deep"},
		{"mappings by indentation", indented(63), ""},
		{"too many mappings by indentation", indented(64), "f.yaml:64:67: nested more than 64 levels deep"},
		{"very many brackets", strings.Repeat("[", far), "f.yaml:1:65: nested more than 64 levels deep"},
		{"very many pairs of brackets", strings.Repeat("[", far) + strings.Repeat("]", far), "f.yaml:1:65: nested more than 64 levels deep"},
		{"very many braces", strings.Repeat("{a: ", far), "f.yaml:1:257: nested more than 64 levels deep"},
		{"very many dashes", strings.Repeat("- ", far), "f.yaml:1:129: nested more than 64 levels deep"},
		{"brackets in quotes", "a: '" + strings.Repeat("[", far) + "'", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, faults := document.Parse("f.yaml", []byte(tc.text))
			if got := faults.Error(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// indented returns a mapping in a mapping, n deep, with a text inside.
func indented(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	text := b.String()
	return text[:len(text)-1] + " x\n"
}

// Aliases that name aliases would stand for a billion texts; none is followed.
func TestParseFollowsNoAlias(t *testing.T) {
	text := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'i'; c++ {
		text += string(c) + ": &" + string(c) + " [" + strings.TrimSuffix(strings.Repeat("*"+string(c-1)+", ", 9), ", ") + "]\n"
	}
	_, faults := document.Parse("f.yaml", []byte(text))
	if len(faults) != 9 {
		t.Errorf("got %d faults, want one for each of 9 anchors:\n%s", len(faults), faults)
	}
}

// A list on one line costs what its length does, however the parser sees it.
func TestParseLongLine(t *testing.T) {
	const n = 20_000
	d, faults := document.Parse("f.yaml", []byte("a: {allow: ["+strings.Repeat("fe80::1, ", n)+"x]}"))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	root, _ := d.Tree.(map[string]any)
	a, _ := root["a"].(map[string]any)
	list, _ := a["allow"].([]any)
	if len(list) != n+1 || list[n-1] != "fe80::1" || list[n] != "x" {
		t.Errorf("got %d elements", len(list))
	}
}
