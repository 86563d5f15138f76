package document_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/policies/document"
)

const zooSchema = `{
	"type": "object", "additionalProperties": false, "required": ["version"],
	"properties": {
		"version": {"const": 1},
		"name": {"type": "string", "pattern": "^[a-z]+$", "description": "A name of small letters."},
		"mode": {"enum": ["enforce", "shadow", "off"]},
		"limit": {"type": "integer", "minimum": 1, "maximum": 100},
		"open": {"type": "boolean"},
		"hosts": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"type": "string", "minLength": 1}},
		"lists": {"type": ["string", "array"]},
		"window": {"type": "object", "additionalProperties": false, "minProperties": 1,
			"properties": {"from": {"type": "string"}, "to": {"type": "string"}},
			"dependencies": {"from": ["to"], "to": ["from"]}},
		"cages": {"type": "array", "items": {"$ref": "#/definitions/cage"}}
	},
	"definitions": {"cage": {"type": "object", "additionalProperties": false, "required": ["animal"],
		"properties": {"animal": {"enum": ["lion", "lynx"]}, "door": {"$ref": "#/definitions/door"}}},
		"door": {"type": "object", "additionalProperties": false, "properties": {"locked": {"type": "boolean"}}}}
}`

func compileZoo(tb testing.TB) *document.Schema {
	tb.Helper()
	s, err := document.CompileSchema(zooSchema)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestCheck(t *testing.T) {
	zoo := compileZoo(t)
	for _, tc := range []struct{ name, text, want string }{
		{"nothing wrong", "version: 1\nname: zoo\nmode: off\nhosts: [a, b]\ncages: [{animal: lion, door: {locked: true}}]\n", "\n"},
		{"a misspelt key", "version: 1\nmoed: off\n", `
f.yaml:2:1: unknown key "moed"; did you mean "mode"?
    2 | moed: off
        ^
`},
		{"an unknown key like no other", "version: 1\nwindow: {until: '9'}\n", `
f.yaml:2:10: unknown key "until"; known here: from, to
    2 | window: {until: '9'}
                 ^
`},
		{"an unknown key below a reference", "version: 1\ncages:\n  - animal: lynx\n    door:\n      lokced: true\n", `
f.yaml:5:7: unknown key "lokced"; did you mean "locked"?
    5 |       lokced: true
              ^
`},
		{"an unknown key after what is not ASCII, CRLF", "version: 1\r\nwindow: {from: é, too: ü}\r\n", `
f.yaml:2:9: "window" lacks the key "to", which goes with the one it has
    2 | window: {from: é, too: ü}
                ^
f.yaml:2:19: unknown key "too"; did you mean "to"?
    2 | window: {from: é, too: ü}
                          ^
`},
		{"an unknown key with a slash", "version: 1\na/b: 1\n", `
f.yaml:2:1: unknown key "a/b"; known here: cages, hosts, limit, lists, mode, name, open, version, window
    2 | a/b: 1
        ^
`},
		{"a missing key", "name: zoo\n", `
f.yaml:1:1: the document lacks the key "version"; add version: 1
    1 | name: zoo
        ^
`},
		{"a missing key further in", "version: 1\ncages:\n  - animal: lion\n  - door: {}\n", `
f.yaml:4:5: an element of "cages" lacks the key "animal"
    4 |   - door: {}
            ^
`},
		{"another version", "version: 2\n", `
f.yaml:1:10: "version" must be 1
    1 | version: 2
                 ^
`},
		{"a version in quotes", "version: \"1\"\n", `
f.yaml:1:10: "version" must be 1; write it without quotes
    1 | version: "1"
                 ^
`},
		{"a number where a text is wanted", "version: 1\nname: 1.50\n", `
f.yaml:2:7: "name" must be a text, not a number; write it in quotes: "1.50"
    2 | name: 1.50
              ^
`},
		{"true where a text is wanted", "version: 1\nname: True\n", `
f.yaml:2:7: "name" must be a text, not true or false; write it in quotes: "True"
    2 | name: True
              ^
`},
		{"a text where a number is wanted", "version: 1\nlimit: many\n", `
f.yaml:2:8: "limit" must be a whole number, not a text
    2 | limit: many
               ^
`},
		{"a text where true or false is wanted", "version: 1\nopen: yes\n", `
f.yaml:2:7: "open" must be true or false, not a text; write true
    2 | open: yes
              ^
`},
		{"a text where a list is wanted", "version: 1\nhosts: hst-1\n", `
f.yaml:2:8: "hosts" must be a list, not a text; write it in brackets: [hst-1]
    2 | hosts: hst-1
               ^
`},
		{"a list where a group is wanted", "version: 1\nwindow: [a]\n", `
f.yaml:2:9: "window" must be a group of keys, not a list
    2 | window: [a]
                ^
`},
		{"a group where one of two is wanted", "version: 1\nlists: {a: b}\n", `
f.yaml:2:8: "lists" must be a text or a list, not a group of keys
    2 | lists: {a: b}
               ^
`},
		{"a key with nothing", "version: 1\nhosts:\n", `
f.yaml:2:7: "hosts" must be a list, not nothing; leave the key out if it says nothing
    2 | hosts:
              ^
`},
		{"a key with nothing that must be there", "version:\nhosts: [a]\n", `
f.yaml:1:9: "version" says nothing
    1 | version:
                ^
`},
		{"a key with nothing that takes one of a few", "version: 1\nmode: ~\n", `
f.yaml:2:7: "mode" says nothing; leave the key out if it says nothing
    2 | mode: ~
              ^
`},
		{"nothing where the document should be", "~\n", `
f.yaml:1:1: the document must be a group of keys, not nothing
    1 | ~
        ^
`},
		{"a list where the document should be", "- a\n", `
f.yaml:1:1: the document must be a group of keys, not a list
    1 | - a
        ^
`},
		{"an element of the wrong type", "version: 1\nhosts:\n  - a\n  - 7\n", `
f.yaml:4:5: an element of "hosts" must be a text, not a whole number; write it in quotes: "7"
    4 |   - 7
            ^
`},
		{"a word that is not one of a few", "version: 1\nmode: shadwo\n", `
f.yaml:2:7: "mode" cannot be "shadwo"; it is one of enforce, shadow, off; did you mean "shadow"?
    2 | mode: shadwo
              ^
`},
		{"a word in a list in braces", "version: 1\ncages: [{animal: tiger}]\n", `
f.yaml:2:18: "animal" cannot be "tiger"; it is one of lion, lynx
    2 | cages: [{animal: tiger}]
                         ^
`},
		{"an empty list", "version: 1\nhosts: []\n", `
f.yaml:2:8: "hosts" is empty; leave the key out if it says nothing
    2 | hosts: []
               ^
`},
		{"an empty group", "version: 1\nwindow: {}\n", `
f.yaml:2:9: "window" is empty; leave the key out if it says nothing
    2 | window: {}
                ^
`},
		{"an empty text", "version: 1\nhosts: ['']\n", `
f.yaml:2:9: an element of "hosts" is empty
    2 | hosts: ['']
                ^
`},
		{"an element twice", "version: 1\nhosts: [a, b, a]\n", `
f.yaml:2:8: "hosts" has an element twice
    2 | hosts: [a, b, a]
               ^
`},
		{"too little and too much", "version: 1\nlimit: 0\n", `
f.yaml:2:8: "limit": must be greater than or equal to 1
    2 | limit: 0
               ^
`},
		{"a text of the wrong form", "version: 1\nname: Zoo 7\n", `
f.yaml:2:7: "name" cannot be "Zoo 7"; a name of small letters
    2 | name: Zoo 7
              ^
`},
		{"everything at once, in order", "naem: x\nmode: on\nlimit: 101\n", `
f.yaml:1:1: the document lacks the key "version"; add version: 1
    1 | naem: x
        ^
f.yaml:1:1: unknown key "naem"; did you mean "name"?
    1 | naem: x
        ^
f.yaml:2:7: "mode" cannot be "on"; it is one of enforce, shadow, off
    2 | mode: on
              ^
f.yaml:3:8: "limit": must be less than or equal to 100
    3 | limit: 101
               ^
`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, faults := document.Parse("f.yaml", []byte(tc.text))
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			if diff := cmp.Diff(tc.want, show(d.Check(zoo).Sorted())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompileSchemaRefuses(t *testing.T) {
	for _, text := range []string{"", "{", `{"type": "animal"}`, `{"$ref": "#/definitions/none"}`} {
		if _, err := document.CompileSchema(text); err == nil {
			t.Errorf("accepted %q", text)
		}
	}
}

func TestDecode(t *testing.T) {
	type cage struct {
		Animal string `json:"animal"`
		Door   struct {
			Locked bool `json:"locked"`
		} `json:"door"`
	}
	d, faults := document.Parse("f.yaml", []byte("version: 1\nlimit: 9007199254740993\ncages:\n- {animal: lion, door: {locked: true}}\n- animal: lynx\n"))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	var all struct {
		Version int    `json:"version"`
		Limit   int64  `json:"limit"`
		Cages   []cage `json:"cages"`
	}
	if err := d.Decode("", &all); err != nil {
		t.Fatal(err)
	}
	if all.Version != 1 || all.Limit != 9007199254740993 || len(all.Cages) != 2 || !all.Cages[0].Door.Locked {
		t.Errorf("got %+v", all)
	}
	var second cage
	if err := d.Decode("/cages/1", &second); err != nil || second.Animal != "lynx" {
		t.Errorf("got %+v, %v", second, err)
	}
	for _, pointer := range []string{"/cages/2", "/cages/-1", "/cages/x", "/version/x", "/none", "/none/none"} {
		none := &cage{Animal: "kept"}
		if err := d.Decode(pointer, &none); err != nil || none != nil {
			t.Errorf("%s: got %+v, %v; want nothing", pointer, none, err)
		}
	}
	for pointer, want := range map[string]string{
		"/cages": "f.yaml: /cages: json: cannot unmarshal array into Go value of type document_test.cage",
		"":       `f.yaml: : json: unknown field "`,
	} {
		if err := d.Decode(pointer, new(cage)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", pointer, err, want)
		}
	}
}

func TestAtFindsTheNearestPlace(t *testing.T) {
	d, faults := document.Parse("f.yaml", []byte("a: x\nb:\n  - c: {d: y}\n  - é: [u, v]\n"))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for _, tc := range []struct{ pointer, value, key string }{
		{"", "1:1", "1:1"},
		{"/a", "1:4", "1:1"},
		{"/b", "3:3", "2:1"},
		{"/b/0", "3:5", "3:3"},
		{"/b/0/c", "3:8", "3:5"},
		{"/b/0/c/d", "3:12", "3:9"},
		{"/b/1/é", "4:8", "4:5"},
		{"/b/1/é/1", "4:12", "4:8"},
		{"/b/1/é/2", "4:8", "4:8"},
		{"/b/0/none", "3:5", "3:5"},
		{"/none/none", "1:1", "1:1"},
		{"none", "1:1", "1:1"},
	} {
		value, key := d.At(tc.pointer, "%s", "v"), d.AtKey(tc.pointer, "%s", "k").WithHint("h")
		if got, want := value.Error(), "f.yaml:"+tc.value+": v"; got != want {
			t.Errorf("At(%q) = %q, want %q", tc.pointer, got, want)
		}
		if got, want := key.Error(), "f.yaml:"+tc.key+": k; h"; got != want {
			t.Errorf("AtKey(%q) = %q, want %q", tc.pointer, got, want)
		}
	}
}

func TestFault(t *testing.T) {
	for _, tc := range []struct {
		name          string
		fault         document.Fault
		line, excerpt string
	}{
		{"of a file", document.Fault{File: "f", Message: "m"}, "f: m", ""},
		{"of a line", document.Fault{File: "f", Line: 2, Message: "m", Hint: "h"}, "f:2: m; h", ""},
		{"of a line that is shown", document.Fault{File: "f", Line: 2, Message: "m", Source: "x"}, "f:2: m", "    2 | x\n"},
		{"first column", document.Fault{File: "f", Line: 2, Column: 1, Message: "m", Source: "x"}, "f:2:1: m", "    2 | x\n        ^\n"},
		{"columns count characters", document.Fault{File: "f", Line: 2, Column: 4, Message: "m", Source: "éü x"}, "f:2:4: m", "    2 | éü x\n           ^\n"},
		{"a tab is as wide as its column", document.Fault{File: "f", Line: 2, Column: 2, Message: "m", Source: "\tx"}, "f:2:2: m", "    2 |  x\n         ^\n"},
		{"large line numbers", document.Fault{File: "f", Line: 12345, Column: 3, Message: "m", Source: "abc"}, "f:12345:3: m", "12345 | abc\n          ^\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.fault.Error(); got != tc.line {
				t.Errorf("Error() = %q, want %q", got, tc.line)
			}
			if got := tc.fault.Excerpt(); got != tc.excerpt {
				t.Errorf("Excerpt() = %q, want %q", got, tc.excerpt)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	if err := (document.Faults{}).Err(); err != nil {
		t.Errorf("no faults are the error %v", err)
	}
	at := func(file string, line, column int, message string) document.Fault {
		return document.Fault{File: file, Line: line, Column: column, Message: message}
	}
	faults := document.Faults{at("b", 1, 1, "x"), at("a", 10, 1, "x"), at("a", 9, 2, "x"), at("a", 9, 1, "z"), at("a", 9, 1, "y"), at("b", 1, 1, "x")}
	err := fmt.Errorf("loading: %w", faults.Err())
	var got document.Faults
	if !errors.As(err, &got) {
		t.Fatal("the faults are lost in the error")
	}
	want := "a:9:1: z\na:9:1: y\na:9:2: x\na:10:1: x\nb:1:1: x"
	if got.Error() != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// FuzzParse: no panic; what is accepted encodes to JSON, and the same when
// parsed again from it; each fault has the file's name and a line of the file.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"version: 1\npolicy: p\nrules: [{name: r, path: {allow: [\"/**\"]}}]\n",
	} {
		f.Add([]byte(text))
	}
	zoo := compileZoo(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		d, faults := document.Parse("f.yaml", text)
		if (d == nil) != (len(faults) > 0) {
			t.Fatalf("a document and faults: %v", faults)
		}
		lines := 1 + strings.Count(string(text), "\n")
		inside := func(faults document.Faults) {
			for _, fault := range faults {
				if fault.File != "f.yaml" || fault.Message == "" || fault.Line < 0 || fault.Line > lines || fault.Column < 0 || fault.Column > 0 && fault.Line == 0 {
					t.Errorf("a fault nowhere: %#v", fault)
				}
				_ = fault.Excerpt()
			}
		}
		inside(faults)
		if d == nil {
			return
		}
		inside(d.Check(zoo))
		encoded, err := json.Marshal(d.Tree)
		if err != nil {
			t.Fatalf("the tree cannot be encoded: %v", err)
		}
		var decoded any
		if err := d.Decode("", &decoded); err != nil {
			t.Errorf("decoding: %v", err)
		}
		var again any
		if err := json.Unmarshal(encoded, &again); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again, decoded) { // A diff takes exponential time in the depth.
			t.Errorf("decoding gives %v, the tree is %v", decoded, again)
		}
	})
}
