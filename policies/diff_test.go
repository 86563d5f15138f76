package policies_test

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

// texts are the files of a set.
type texts map[string]string

func (t texts) fs() fs.FS {
	set := fstest.MapFS{}
	for name, text := range t {
		set[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return set
}

// with returns the set with other files; an empty one is left out.
func (t texts) with(changes texts) texts {
	all := maps.Clone(t)
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_, text string) bool { return text == "" })
	return all
}

const (
	ingest = `version: 1
policy: ingest
applies_to: {direction: [upload], client_ip: [10.0.0.0/8]}
rules:
  - {name: no-programs, extension: {deny: [exe, com]}}
  - {name: at-most, size: {max: 1 GiB}, timeout: 60s}
  - {name: known-bad, checksum: {deny: lists/bad.sha256}}
  - {name: not-on-hold, expression: "!event.user.inList('lists/hold.txt')"}
  - {name: sheet, tags: {schema: schemas/sheet.json}, mode: shadow}
`
	clientsOf = `version: 1
clients:
  - {name: portal, password_hash: "$2y$12$JqV3bBhbqbC4iYrO0L9V0e5l4L4K0m8b1q2w3e4r5t6y7u8i9o0pa", transfer_user: xfer, upload: [/ingest/**], max_life: 8h}
`
	testsOf = `version: 1
defaults: {phase: start, direction: upload, client_ip: 10.0.0.1, user: ann}
tests:
  - {name: a program, event: {path: /in/a.exe, size: 1}, refuse: {rule: no-programs}}
  - {name: a film, event: {path: /in/a.mov, size: 1}, accept: true}
`
)

func before() texts {
	return texts{
		"10-ingest.yaml": ingest, "clients.yaml": clientsOf, "10-ingest_test.yaml": testsOf, "README.md": "Ours.\n",
		"lists/bad.sha256":   strings.Repeat("0a", 32) + "\n" + strings.Repeat("0b", 32) + "\n",
		"lists/hold.txt":     "bob\nmallory # not a comment\n",
		"schemas/sheet.json": `{"type": "object", "required": ["project"], "properties": {"project": {"type": "string", "maxLength": 20}}}`,
	}
}

// edit replaces a part of a text, which must be there.
func edit(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the text has no %q", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

func readWritten(t interface {
	Helper()
	Fatalf(string, ...any)
}, set texts,
) *policies.Written {
	t.Helper()
	w, err := policies.ReadWritten(set.fs(), policies.Options{Kinds: rules.Builtin()})
	if err != nil {
		t.Fatalf("the set cannot be read: %v", err)
	}
	return w
}

// outline writes a difference down, a line for each thing.
func outline(d *policies.SetDifference) (lines []string) {
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	settings := func(of string, list []policies.SettingDifference) {
		for _, s := range list {
			switch {
			case s.AddedCount+s.RemovedCount > 0:
				say("%s %s: +%s -%s", of, s.Key, s.Added, s.Removed)
			default:
				say("%s %s: %s -> %s", of, s.Key, s.Was, s.Is)
			}
		}
	}
	for _, p := range d.Policies {
		if p.Change != policies.Changed {
			say("%s %s", p.Policy, p.Change)
			continue
		}
		settings(p.Policy, p.Settings)
		for _, r := range p.Rules {
			if r.Change != policies.Changed {
				say("%s/%s %s (%s)", p.Policy, r.Rule, r.Change, r.Kind)
				continue
			}
			settings(p.Policy+"/"+r.Rule, r.Settings)
		}
		for _, r := range p.RulesMoved {
			say("%s/%s moved", p.Policy, r)
		}
	}
	for _, p := range d.PoliciesMoved {
		say("%s moved", p)
	}
	for _, c := range d.Clients {
		if c.Change != policies.Changed {
			say("client %s %s", c.Client, c.Change)
			continue
		}
		settings("client "+c.Client, c.Settings)
		if c.Password {
			say("client %s: password", c.Client)
		}
	}
	for _, f := range d.Files {
		say("%s %s: +%d %q -%d %q", f.File, f.Change, f.AddedCount, f.Added, f.RemovedCount, f.Removed)
		settings(f.File, f.Settings)
	}
	for _, test := range d.Tests {
		say("test %s: %s %s", test.File, test.Test, test.Change)
	}
	for _, name := range d.TextOnly {
		say("text %s", name)
	}
	return lines
}

func TestDiffSaysWhatChangedInMeaning(t *testing.T) {
	t.Parallel()
	bad := strings.Repeat("0a", 32)
	for _, c := range []struct {
		name    string
		changes texts
		want    []string
	}{
		{"nothing", nil, nil},
		{
			"comments, order of keys and of values, and another spelling",
			texts{"10-ingest.yaml": `# A comment.
policy: ingest
version: 1
description: Whatever comes in.
mode: enforce
applies_to:
  client_ip: ["10.0.0.0/8"]
  direction: [upload]
rules:
  - {extension: {deny: [.COM, exe, exe], every: false}, name: no-programs, mode: enforce, code: "1022", on_error: reject}
  - {name: at-most, size: {max: 1024 MiB}, timeout: 1m, on: [start, stop, running]}
  - {name: known-bad, checksum: {deny: [lists/bad.sha256], verify: false}, description: Known., on: [stop]}
  - {name: not-on-hold, expression: "!event.user.inList('lists/hold.txt')"}
  - {name: sheet, tags: {schema: schemas/sheet.json}, mode: shadow}
`, "README.md": "Yours.\n", "lists/bad.sha256": "# Known to be bad.\n" + strings.Repeat("0B", 32) + "\n" + bad + "\n"},
			[]string{"text 10-ingest.yaml", "text README.md", "text lists/bad.sha256"},
		},
		{
			"the policy's own settings",
			texts{"10-ingest.yaml": edit(t, ingest, "policy: ingest", "policy: ingest\nmode: shadow", "[upload], client_ip: [10.0.0.0/8]", "[upload, download]")},
			[]string{`ingest applies_to.client_ip: +[] -["10.0.0.0/8"]`, `ingest applies_to.direction: +["download"] -[]`, `ingest mode: "enforce" -> "shadow"`},
		},
		{
			"settings of rules",
			texts{"10-ingest.yaml": edit(t, ingest, "[exe, com]", "[exe, mxf]", "1 GiB}", "1 GB}, code: BIG, message: '{name} is too big.'", "mode: shadow", "mode: off")},
			[]string{
				`ingest/no-programs extension.deny: +["mxf"] -["com"]`,
				`ingest/at-most code: "1023" -> "BIG"`, `ingest/at-most message:  -> "{name} is too big."`, `ingest/at-most size.max: "1 GiB" -> "1 GB"`,
				`ingest/sheet mode: "shadow" -> "off"`,
			},
		},
		{
			"another kind, and when a rule is asked",
			texts{"10-ingest.yaml": edit(t, ingest, "name: no-programs, extension: {deny: [exe, com]}", "name: no-programs, path: {deny: ['**/*.exe']}", "timeout: 60s", "on: [stop]")},
			[]string{
				`ingest/no-programs code: "1022" -> "1020"`, `ingest/no-programs extension.deny: +[] -["com" "exe"]`, `ingest/no-programs extension.every: false -> `,
				`ingest/no-programs path.deny: +["**/*.exe"] -[]`,
				`ingest/at-most on: +[] -["running" "start"]`, `ingest/at-most timeout: "60s" -> `,
			},
		},
		{
			"rules that come, go and move",
			texts{"10-ingest.yaml": `version: 1
policy: ingest
applies_to: {direction: [upload], client_ip: [10.0.0.0/8]}
rules:
  - {name: sheet, tags: {schema: schemas/sheet.json}, mode: shadow}
  - {name: no-programs, extension: {deny: [exe, com]}}
  - {name: plain, path: {allow: [/in/**]}}
  - {name: known-bad, checksum: {deny: lists/bad.sha256}}
  - {name: not-on-hold, expression: "!event.user.inList('lists/hold.txt')"}
`},
			[]string{"ingest/plain added (path)", "ingest/at-most removed (size)", "ingest/sheet moved"},
		},
		{
			"policies that come, go and move to another file",
			texts{"10-ingest.yaml": "", "20-same.yaml": ingest, "30-out.yaml": "version: 1\npolicy: out\nrules: [{name: a, size: {max: 1}}]\n"},
			[]string{"out added", "text 10-ingest.yaml", "text 20-same.yaml"},
		},
		{
			"a password, and what a client may do",
			texts{"clients.yaml": edit(t, clientsOf, "JqV3", "JqV4", "[/ingest/**], max_life: 8h", "[/ingest/**, /more/**], download: [/out/**], max_life: 480m")},
			[]string{`client portal download: +["/out/**"] -[]`, `client portal upload: +["/more/**"] -[]`, "client portal: password"},
		},
		{"a client that goes", texts{"clients.yaml": ""}, []string{"client portal removed"}},
		{
			"lists of digests, of texts, and a schema",
			texts{
				"lists/bad.sha256": bad + "\n" + strings.Repeat("0c", 32) + "\n", "lists/hold.txt": "mallory # not a comment\nann\n",
				"schemas/sheet.json": `{"type":"object","required":["contact"],"properties":{"project":{"maxLength":30,"type":"string"}}}`,
			},
			[]string{
				`lists/bad.sha256 changed: +1 ["` + strings.Repeat("0c", 32) + `"] -1 ["` + strings.Repeat("0b", 32) + `"]`,
				`lists/hold.txt changed: +1 ["ann"] -1 ["bob"]`,
				`schemas/sheet.json changed: +0 [] -0 []`, `schemas/sheet.json properties.project.maxLength: 20 -> 30`, `schemas/sheet.json required: ["project"] -> ["contact"]`,
			},
		},
		{
			"a schema whose text alone differs",
			texts{"schemas/sheet.json": `{"properties": {"project": {"maxLength": 20, "type": "string"}}, "required": ["project"], "type": "object"}` + "\n"},
			[]string{"text schemas/sheet.json"},
		},
		{
			"a name of a list that an expression hides",
			texts{"10-ingest.yaml": edit(t, ingest, "'lists/hold.txt'", `'lists\\u002fhold2.txt'`), "lists/hold.txt": "", "lists/hold2.txt": "bob\n"},
			[]string{
				`ingest/not-on-hold expression: "!event.user.inList('lists/hold.txt')" -> "!event.user.inList('lists\\u002fhold2.txt')"`,
				`lists/hold.txt removed: +0 [] -2 ["bob" "mallory # not a comment"]`, `lists/hold2.txt added: +1 ["bob"] -0 []`,
			},
		},
		{
			"tests",
			texts{"10-ingest_test.yaml": edit(t, testsOf, "a film", "another film", "user: ann", "user: eve")},
			[]string{
				"test 10-ingest_test.yaml: a program changed", "test 10-ingest_test.yaml: another film added", "test 10-ingest_test.yaml: a film removed",
			},
		},
		{
			"a test whose default is written out",
			texts{"10-ingest_test.yaml": edit(t, testsOf, "{path: /in/a.mov,", "{user: ann, path: /in/a.mov,", "name: a film,", "name: a film, description: A film.,")},
			[]string{"text 10-ingest_test.yaml"},
		},
		{
			"a set that does not compile",
			texts{"10-ingest.yaml": edit(t, ingest, "1 GiB", "1 GiBB"), "README.md": "Yours."},
			[]string{`ingest/at-most size.max: "1 GiB" -> "1 GiBB"`, `README.md changed: +1 ["Yours."] -1 ["Ours."]`},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			is := readWritten(t, before().with(c.changes))
			if mistaken := c.name == "a set that does not compile"; mistaken != (is.Err != nil) {
				t.Fatalf("the set compiles with %v", is.Err)
			}
			d := policies.Diff(readWritten(t, before()), is)
			if diff := cmp.Diff(c.want, outline(d)); diff != "" {
				t.Error(diff)
			}
			if same := len(c.want) == 0; d.Same() != same {
				t.Errorf("Same is %t", d.Same())
			}
			onlyText := !slices.ContainsFunc(c.want, func(line string) bool { return !strings.HasPrefix(line, "text ") && !strings.HasPrefix(line, "test ") })
			if d.SameMeaning() != onlyText {
				t.Errorf("SameMeaning is %t", d.SameMeaning())
			}
		})
	}
}

func TestDiffNeverTellsAPassword(t *testing.T) {
	t.Parallel()
	for _, clients := range []string{
		edit(t, clientsOf, "JqV3", "JqV4"),
		edit(t, clientsOf, "name: portal", "name: other"),
		edit(t, clientsOf, "transfer_user: xfer", "password: JqV3 in the clear, transfer_user: xfer"), // Does not compile.
		edit(t, clientsOf, "transfer_user: xfer", "transfer_user: ann"),
	} {
		for _, pair := range [][2]texts{{before(), before().with(texts{"clients.yaml": clients})}, {before().with(texts{"clients.yaml": clients}), before()}, {{}, before()}} {
			d := policies.Diff(readWritten(t, pair[0]), readWritten(t, pair[1]))
			if d.SameMeaning() && !strings.Contains(clients, "in the clear") {
				t.Errorf("nothing is said of\n%s", clients)
			}
			if told := fmt.Sprintf("%+v", d); strings.Contains(told, "JqV") {
				t.Errorf("this tells of a password: %s", told)
			}
		}
	}
}

func TestDiffNamesSoManyOfALongList(t *testing.T) {
	t.Parallel()
	var long strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&long, "%064x\n", i)
	}
	d := policies.Diff(readWritten(t, before()), readWritten(t, before().with(texts{"lists/bad.sha256": long.String()})))
	if f := d.Files[0]; f.AddedCount != 1000 || f.RemovedCount != 2 || len(f.Added) != policies.DiffListed || f.Added[0] != strings.Repeat("0", 64) {
		t.Errorf("added %d, named %d from %s, removed %d", f.AddedCount, len(f.Added), f.Added[0], f.RemovedCount)
	}
	d = policies.Diff(readWritten(t, before()), readWritten(t, before().with(texts{"lists/bad.sha256": strings.Repeat("0a", 16) + "\n"})))
	if f := d.Files[0]; f.AddedCount != 1 || f.RemovedCount != 2 {
		t.Errorf("of another algorithm, %d are added and %d removed", f.AddedCount, f.RemovedCount)
	}
}

func TestDiffWithASetThatHasNothing(t *testing.T) {
	t.Parallel()
	whole, none := readWritten(t, before()), &policies.Written{}
	if d := policies.Diff(none, none); !d.Same() {
		t.Errorf("two empty sets differ: %v", outline(d))
	}
	d := policies.Diff(none, whole)
	if len(d.Policies) != 1 || len(d.Policies[0].Rules) != 5 || len(d.Clients) != 1 || len(d.Files) != 3 || len(d.Tests) != 2 {
		t.Errorf("got %v", outline(d))
	}
	if back := policies.Diff(whole, none); len(back.Policies) != 1 || back.Policies[0].Change != policies.Removed || len(back.Files) != 3 {
		t.Errorf("got %v", outline(back))
	}
}

func TestDiffCannotReadWhatIsNoYAML(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, text, want string }{
		{"clients.yaml", "clients: [{name: portal, password_hash: $2y$12$JqV3", "clients.yaml:"},
		{"10-ingest.yaml", "policy: [", "10-ingest.yaml:1"},
		{"10-ingest_test.yaml", "tests: [", "10-ingest_test.yaml:1"},
	} {
		_, err := policies.ReadWritten(before().with(texts{c.file: c.text}).fs(), policies.Options{Kinds: rules.Builtin()})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "JqV") {
			t.Errorf("%s: %v", c.file, err)
		}
	}
}

// drawSets draws a set of two policies, and one in which few parts are written in
// another way, some of which mean the same.
func drawSets(t *rapid.T) (was, is texts) {
	was, is = texts{}, texts{}
	draw := func(file string, from ...string) {
		text := rapid.SampledFrom(from).Draw(t, file)
		was[file] += text
		if rapid.IntRange(0, 7).Draw(t, "differs") == 0 {
			text = rapid.SampledFrom(from).Draw(t, file)
		}
		is[file] += text
	}
	for _, name := range []string{"first", "second"} {
		file := name + ".yaml"
		draw(file, "version: 1\npolicy: "+name+"\n")
		draw(file, "", "applies_to: {direction: [upload]}\n", "applies_to: {direction: [download]}\n", "applies_to: {user: [ann, bob]}\n",
			"applies_to: {user: [bob, ann]}\n", "applies_to: {user: [bob]}\n")
		draw(file, "", "mode: enforce\n", "mode: shadow\n")
		for i, rule := range []string{"rules:\n  - {name: one", "  - {name: two"} {
			draw(file, rule)
			draw(file, [][]string{{
				", size: {max: 1 KiB}", ", size: {max: 1024}", ", size: {max: 1024 B}", ", size: {max: 1 KB}", ", size: {min: 1 KiB}",
				", network: {allow: [10.0.0.1]}", ", network: {allow: [10.0.0.1/32]}", ", network: {deny: [10.0.0.1]}",
			}, {
				", extension: {deny: [mov, exe]}", ", extension: {deny: [.EXE, Mov, mov]}", ", extension: {deny: [exe]}", ", extension: {allow: [exe]}",
				", extension: {deny: [exe], every: true}", ", path: {deny: ['/in/**', '/out/**']}", ", path: {deny: ['/out/**', '/in/**']}", ", path: {deny: ['/in/**']}",
			}}[i]...)
			draw(file, "", ", mode: enforce", ", mode: shadow", ", mode: off", ", on_error: accept", ", on_error: reject", `, code: "X1"`)
			draw(file, "", ", on: [start, stop]", ", on: [stop, start]", ", on: [stop]", ", on: [request, start, running, stop]")
			draw(file, "}\n")
		}
	}
	return was, is
}

// sampleEvents are events of every sort that the policies of drawSets tell apart.
func sampleEvents() (all []*rules.Event) {
	for _, phase := range []rules.Phase{rules.PhaseRequest, rules.PhaseStart, rules.PhaseRunning, rules.PhaseStop} {
		for _, user := range []string{"ann", "bob"} {
			for _, path := range []string{"/in/a.exe", "/out/a.mov", "/x/a.exe.txt"} {
				for _, address := range []string{"10.0.0.1", "10.0.0.2"} {
					for _, size := range []rules.Number{{}, {Known: true, Value: 1}, {Known: true, Value: 1000}, {Known: true, Value: 1024}, {Known: true, Value: 1025}} {
						all = append(all, &rules.Event{
							Phase: phase, Direction: rules.Upload, User: user, Host: "h", ClientIP: address, ClientAddr: netip.MustParseAddr(address),
							File: rules.ParsePath(path), Size: size,
						})
					}
				}
			}
		}
	}
	return all
}

// What Diff says to mean the same decides the same.
func TestWhatMeansTheSameDecidesTheSame(t *testing.T) {
	t.Parallel()
	options, same, other := policies.Options{Kinds: rules.Builtin()}, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		was, is := drawSets(t)
		one, err := policies.Compile(was.fs(), options)
		two, otherErr := policies.Compile(is.fs(), options)
		if err != nil || otherErr != nil {
			return // A rule of it could never refuse.
		}
		if !policies.Diff(readWritten(t, was), readWritten(t, is)).SameMeaning() {
			other++
			return
		}
		if one.Revision != two.Revision {
			same++
		}
		for _, e := range sampleEvents() {
			a, b := one.Decide(context.Background(), e), two.Decide(context.Background(), e)
			if a.Verdict != b.Verdict || a.Policy != b.Policy || a.Rule != b.Rule {
				t.Fatalf("%+v: %v by %s/%s, and %v by %s/%s\n%s\n%s", e, a.Verdict, a.Policy, a.Rule, b.Verdict, b.Policy, b.Rule, was, is)
			}
		}
	})
	if same == 0 || other == 0 {
		t.Errorf("%d pairs of sets that are written otherwise and mean the same were drawn, and %d that do not", same, other)
	}
}

// Whatever is written, comparing it neither fails nor tells what is not so.
func FuzzDiff(f *testing.F) {
	for _, text := range []string{ingest, clientsOf, "policy: a\nrules: [{name: b, size: {max: [1, {c: null}]}}, 3, {}]\n", "rules: {a: 1}\n", "[]\n", "clients: [{name: a}, {name: a}]\n", "3\n"} {
		f.Add([]byte(text), []byte(ingest), []byte(testsOf))
	}
	f.Fuzz(func(t *testing.T, one, two, tests []byte) {
		was := fstest.MapFS{"a.yaml": {Data: one}, "a_test.yaml": {Data: tests}}
		is := fstest.MapFS{"a.yaml": {Data: two}, "lists/b": {Data: tests}}
		before, err := policies.ReadWritten(was, policies.Options{Kinds: rules.Builtin()})
		if err != nil {
			return // No YAML.
		}
		again, err := policies.ReadWritten(was, policies.Options{Kinds: rules.Builtin()})
		if err != nil {
			t.Fatal(err)
		}
		if d := policies.Diff(before, again); !d.Same() {
			t.Errorf("a set differs from itself: %v", outline(d))
		}
		after, err := policies.ReadWritten(is, policies.Options{Kinds: rules.Builtin()})
		if err != nil {
			return
		}
		if d := policies.Diff(before, after); d.Same() {
			t.Error("sets with other files are the same")
		}
	})
}

func TestMovedIsAsLittleAsCanBe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ was, is, want string }{
		{"", "", ""},
		{"a b c", "a b c", ""},
		{"a b c", "c a b", "c"},
		{"a b c", "b c a", "a"},
		{"a b c d", "b a d c", "b d"},
		{"a b c", "x c y b", "c"},
		{"a b c", "x y", ""},
		{"a b c d e", "e d c b a", "e d c b"},
	} {
		rulesOf := func(names string) texts {
			text := "version: 1\npolicy: p\nrules:\n"
			for _, name := range append([]string{"always"}, strings.Fields(names)...) {
				text += fmt.Sprintf("  - {name: %s, filename: {max_bytes: %d}}\n", name, 1000-int(name[0]))
			}
			return texts{"p.yaml": text}
		}
		var got []string
		for _, p := range policies.Diff(readWritten(t, rulesOf(c.was)), readWritten(t, rulesOf(c.is))).Policies {
			got = p.RulesMoved
		}
		want := strings.Fields(c.want)
		if strings.Join(got, " ") != strings.Join(want, " ") {
			// Of several ways that are as short, any will do.
			if len(got) != len(want) {
				t.Errorf("from %q to %q, %q moved, want %q", c.was, c.is, got, want)
			}
		}
	}
}
