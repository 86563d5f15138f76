package policies_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xeipuuv/gojsonschema"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

const (
	eicar   = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"
	another = "2546dcffc5ad854d4ddc64fbf056871cd5a00f2471cb7a5bfd4ac23b6e9eedad"
)

// set returns files in memory from pairs of a name and a text.
func set(pairs ...string) fstest.MapFS {
	files := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		files[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1]), Mode: 0o644}
	}
	return files
}

// policy returns the text of a policy with what is added to it.
func policy(name string, more ...string) string {
	return "version: 1\npolicy: " + name + "\n" + strings.Join(more, "")
}

// noProgram is the rules of a policy that refuses programs.
const noProgram = "rules:\n  - name: no-programs\n    extension: {deny: [exe]}\n"

func compile(tb testing.TB, files fs.FS) *policies.Snapshot {
	tb.Helper()
	return compileWith(tb, files, policies.Options{})
}

func compileWith(tb testing.TB, files fs.FS, o policies.Options) *policies.Snapshot {
	tb.Helper()
	if o.Kinds == nil {
		o.Kinds = rules.Builtin()
	}
	s, err := policies.Compile(files, o)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// transfer returns an event at the start of a file, for a test to change.
func transfer(path string) rules.Event {
	return rules.Event{Phase: rules.PhaseStart, Direction: rules.Upload, User: "ann", File: rules.ParsePath(path), Size: rules.Known(1)}
}

func decide(s *policies.Snapshot, e rules.Event) rules.Decision {
	return s.Decide(context.Background(), &e)
}

func everyFile() fstest.MapFS {
	return set(
		"10-a.yaml", policy("a", "rules:\n  - name: bad\n    checksum: {deny: lists/bad, allow: [lists/good, lists/bad]}\n"),
		"20-b.yml", policy("b", "rules:\n  - name: sheet\n    tags: {schema: schemas/s.json}\n  - name: r\n    extension: {deny: [exe]}\n"),
		"lists/bad", eicar+"\n", "lists/good", another+"\n", "lists/unused", eicar+"\n",
		"schemas/s.json", `{"type":"object"}`,
		"10-a_test.yaml", "version: 1\ntests: []\n", "20-b_test.yml", "not: [yaml", "README.md", "read me", ".hidden.yaml", "not: [yaml", ".git/x.yaml", "not: [yaml",
	)
}

func TestRevisionIsMadeOfWhatDecides(t *testing.T) {
	files := everyFile()
	all := sha256.New()
	for _, name := range []string{"10-a.yaml", "20-b.yml", "lists/bad", "lists/good", "schemas/s.json"} {
		fmt.Fprintf(all, "%d:%s", len(name), name)
		sum := sha256.Sum256(files[name].Data)
		all.Write(sum[:])
	}
	want := hex.EncodeToString(all.Sum(nil))[:12]
	if got := compile(t, files).Revision; got != want {
		t.Errorf("got revision %s, want %s", got, want)
	}
}

func TestRevisionChangesWithWhatDecides(t *testing.T) {
	revision := compile(t, everyFile()).Revision
	for _, tc := range []struct {
		name   string
		change func(fstest.MapFS)
		same   bool
	}{
		{"a comment in a policy", func(f fstest.MapFS) { f["10-a.yaml"].Data = append(f["10-a.yaml"].Data, '#', '\n') }, false},
		{"a digest in a list", func(f fstest.MapFS) { f["lists/bad"].Data[3]++ }, false},
		{"a comment in a list", func(f fstest.MapFS) { f["lists/bad"].Data = append(f["lists/bad"].Data, "# x\n"...) }, false},
		{"a blank in a schema", func(f fstest.MapFS) { f["schemas/s.json"].Data = append(f["schemas/s.json"].Data, ' ') }, false},
		{"the name of a policy's file", func(f fstest.MapFS) { f["30-b.yml"] = f["20-b.yml"]; delete(f, "20-b.yml") }, false},
		{"a policy more", func(f fstest.MapFS) {
			maps.Copy(f, set("15.yaml", policy("c", "rules:\n  - name: small\n    size: {max: 1 KB}\n")))
		}, false},
		{"a policy less", func(f fstest.MapFS) { delete(f, "20-b.yml") }, false},
		{"two lists changed places", func(f fstest.MapFS) { f["lists/bad"], f["lists/good"] = f["lists/good"], f["lists/bad"] }, false},
		{"a test", func(f fstest.MapFS) { f["10-a_test.yaml"].Data = []byte("x") }, true},
		{"a test less", func(f fstest.MapFS) { delete(f, "20-b_test.yml") }, true},
		{"the README", func(f fstest.MapFS) { f["README.md"].Data = []byte("x") }, true},
		{"a hidden file", func(f fstest.MapFS) { f[".hidden.yaml"].Data = []byte("x") }, true},
		{"a hidden folder", func(f fstest.MapFS) { delete(f, ".git/x.yaml") }, true},
		{"a list that nobody names", func(f fstest.MapFS) { f["lists/unused"].Data = []byte("x") }, true},
		{"times and modes", func(f fstest.MapFS) { f["10-a.yaml"].ModTime = time.Now(); f["lists/bad"].Mode = 0o600 }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files := everyFile()
			tc.change(files)
			if got := compile(t, files).Revision; (got == revision) != tc.same {
				t.Errorf("revision %s before, %s after", revision, got)
			}
		})
	}
}

func TestCompileIsDeterministic(t *testing.T) {
	files := fstest.MapFS{}
	for i := range 200 {
		text := policy(fmt.Sprintf("p%d", i), fmt.Sprintf("applies_to: {user: [\"u%d-*\"]}\nrules:\n  - name: r\n    checksum: {deny: lists/%d, require: [sha256]}\n", i, i%5))
		maps.Copy(files, set(fmt.Sprintf("%03d.yaml", 999-i), text, fmt.Sprintf("lists/%d", i%5), strings.Repeat(fmt.Sprint(i%5), 64)+"\n"))
	}
	broken := maps.Clone(files)
	for i := range 50 {
		maps.Copy(broken, set(fmt.Sprintf("b%02d.yaml", i), policy("same", "rules:\n  - name: r\n    checksum: {deny: lists/none}\n    naem: x\n")))
		maps.Copy(broken, set(fmt.Sprintf("c%02d.yaml", i), policy("same", "rules:\n  - name: r\n    checksum: {deny: lists/none}\n")))
	}
	describe := func() (all []string) {
		s := compile(t, files)
		all = append(all, s.Revision)
		for _, p := range s.Policies {
			all = append(all, p.File+" "+p.Name)
		}
		_, err := policies.Compile(broken, policies.Options{Kinds: rules.Builtin()})
		return append(all, err.Error())
	}
	want := describe()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, n := range []int{1, 2, 16} {
		runtime.GOMAXPROCS(n)
		for range 3 {
			if diff := cmp.Diff(want, describe()); diff != "" {
				t.Fatalf("with GOMAXPROCS %d (-first +now):\n%s", n, diff)
			}
		}
	}
	if !slices.IsSorted(want[1 : len(want)-1]) {
		t.Error("the policies are not in the order of their files")
	}
}

func TestModes(t *testing.T) {
	event := transfer("/in/x.exe")
	for _, tc := range []struct {
		policy, rule string // modes; empty is left out
		accepted     bool
		outcome      string // of the only step; empty: the rule is not asked
		applied      int
		asked        int // rules that can be asked
	}{
		{"", "", false, "refused", 1, 1},
		{"enforce", "enforce", false, "refused", 1, 1},
		{"enforce", "shadow", true, "would_refuse", 1, 1},
		{"enforce", "off", true, "", 1, 0},
		{"shadow", "", true, "would_refuse", 0, 1},
		{"shadow", "enforce", true, "would_refuse", 0, 1},
		{"shadow", "shadow", true, "would_refuse", 0, 1},
		{"shadow", "off", true, "", 0, 0},
		{"off", "", true, "", 0, 0},
		{"off", "enforce", true, "", 0, 0},
	} {
		t.Run(tc.policy+"/"+tc.rule, func(t *testing.T) {
			var ofPolicy, ofRule string
			if tc.policy != "" {
				ofPolicy = "mode: " + tc.policy + "\n"
			}
			if tc.rule != "" {
				ofRule = "    mode: " + tc.rule + "\n"
			}
			s := compileWith(t, set("p.yaml", policy("p", ofPolicy, noProgram, ofRule)), policies.Options{AcceptByDefault: true})
			d := decide(s, event)
			outcome := ""
			for _, step := range d.Steps {
				outcome += step.Outcome.String()
			}
			if d.Accepted() != tc.accepted || outcome != tc.outcome || d.Applied != tc.applied || s.RuleCount() != tc.asked {
				t.Errorf("got accepted %v, outcome %q, %d applied, %d rules; want %+v", d.Accepted(), outcome, d.Applied, s.RuleCount(), tc)
			}
		})
	}
}

func TestDefault(t *testing.T) {
	for name, text := range map[string]string{
		"nothing applies":          policy("p", "applies_to: {user: [bob]}\n", noProgram),
		"what applies is off":      policy("p", "mode: off\n", noProgram),
		"what applies is shadowed": policy("p", "mode: shadow\n", noProgram),
	} {
		for accept, want := range map[bool]rules.Code{false: rules.CodeDefault, true: ""} {
			d := decide(compileWith(t, set("p.yaml", text), policies.Options{AcceptByDefault: accept}), transfer("/in/x.mov"))
			if d.Code != want || d.Policy != "" || d.Rule != "" {
				t.Errorf("%s, accept by default %v: got %+v", name, accept, d.Verdict)
			}
		}
	}
	d := decide(compile(t, set("p.yaml", policy("p", noProgram))), transfer("/in/x.mov"))
	if !d.Accepted() || d.Applied != 1 || d.Revision == "" {
		t.Errorf("a policy applies and nobody objects: got %+v", d)
	}
}

func TestEventWithFaultIsRefused(t *testing.T) {
	e := transfer("/in/x.mov")
	e.Fault = &rules.Fault{Code: rules.CodeOverloaded, Reason: "busy", Message: "Busy."}
	d := decide(compile(t, set("p.yaml", policy("p", noProgram))), e)
	if d.Code != rules.CodeOverloaded || d.Message != "Busy." || len(d.Steps) != 0 || !errors.Is(d.Err, e.Fault) {
		t.Errorf("got %+v", d)
	}
}

func TestRuleSettings(t *testing.T) {
	s := compileWith(t, set("p.yaml", policy("p", `
description: What it is for.
rules:
  - name: r
    description: why
    extension: {allow: [mov]}
    on: [stop, start]
    code: "A.b-c_1"
    message: "{name} of {user}: {rule} of {policy}, {found}, {extension}, {{}}"
    timeout: 1m30s
    on_error: accept
`)), policies.Options{Env: rules.Env{PartialSuffix: ".part"}})
	p := s.Policies[0]
	r := p.Rules[0]
	if p.Name != "p" || p.File != "p.yaml" || p.Description != "What it is for." || r.Name != "r" || r.Policy != "p" || r.Kind != "extension" ||
		r.Phases != rules.Phases(rules.PhaseStart, rules.PhaseStop) || r.Timeout != 90*time.Second || !r.AcceptOnError {
		t.Errorf("got policy %+v, rule %+v", p, r)
	}
	e := transfer("/in/a.EXE.part")
	d := decide(s, e)
	if want := (rules.Verdict{Code: "A.b-c_1", Message: "a.EXE.part of ann: r of p, exe, exe, {}"}); d.Verdict != want {
		t.Errorf("got %+v, want %+v", d.Verdict, want)
	}
	e.Phase = rules.PhaseRunning
	if d := decide(s, e); !d.Accepted() || len(d.Steps) != 0 {
		t.Errorf("asked in a phase that is not in on: %+v", d)
	}
}

// rename a file's times, as writing it does.
func touched(files fstest.MapFS, name, text string) fstest.MapFS {
	files = maps.Clone(files)
	files[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644, ModTime: time.Unix(1, 0)}
	return files
}

// digests returns the lists that compiling asks for, by name.
func digests(t *testing.T, files fs.FS, previous *policies.Snapshot) (*policies.Snapshot, map[string]*rules.Digests) {
	t.Helper()
	lists := map[string]*rules.Digests{}
	kind := rules.Kind{Name: "list", Schema: `{"type":"string"}`, Phases: rules.EveryPhase, Compile: func(env rules.Env, dec rules.Decoder) (rules.Compiled, error) {
		var name string
		if err := dec.Decode(&name); err != nil {
			return rules.Compiled{}, err
		}
		list, err := env.Digests(name)
		lists[name] = list
		return rules.Compiled{}, err
	}}
	s, err := policies.Compile(files, policies.Options{Kinds: []rules.Kind{kind}, Previous: previous})
	if err != nil {
		t.Fatal(err)
	}
	return s, lists
}

func TestPreviousListsAreUsedAgain(t *testing.T) {
	files := set("p.yaml", policy("p", "rules:\n  - {name: a, list: kept}\n  - {name: b, list: changed}\n"), "kept", eicar, "changed", eicar)
	first, before := digests(t, files, nil)
	second, after := digests(t, touched(files, "changed", another), first)
	if after["kept"] != before["kept"] {
		t.Error("a list that did not change was read again")
	}
	if after["changed"] == before["changed"] || first.Revision == second.Revision {
		t.Error("a list that changed was used again")
	}
	digest, _ := hex.DecodeString(another)
	if before["changed"].Contains(digest) || !after["changed"].Contains(digest) {
		t.Error("the lists have the wrong digests")
	}
	third, last := digests(t, files, second)
	if last["kept"] != before["kept"] || third.Revision != first.Revision {
		t.Error("the list did not outlive two compilations, or the revision is another")
	}
}

func TestListsOnDisk(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "p.yaml", policy("p", "rules:\n  - {name: a, list: l}\n  - {name: b, list: l}\n"))
	write(t, dir, "l", eicar)
	first, before := digests(t, os.DirFS(dir), nil)
	_, same := digests(t, os.DirFS(dir), first)
	if same["l"] != before["l"] {
		t.Error("a list that did not change was read again")
	}
	// The same size and the same modification time: a copy that keeps times.
	info, err := os.Stat(filepath.Join(dir, "l"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "l.new", another)
	if err := os.Chtimes(filepath.Join(dir, "l.new"), info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "l.new"), filepath.Join(dir, "l")); err != nil {
		t.Fatal(err)
	}
	if _, after := digests(t, os.DirFS(dir), first); after["l"] == before["l"] {
		t.Error("a list that was replaced, with its times kept, was used again")
	}
}

// failing is a set one of whose files cannot be read to its end.
type failing struct{ fstest.MapFS }

func (f failing) Open(name string) (fs.File, error) {
	file, err := f.MapFS.Open(name)
	if name == "p.yaml" || name == "l" {
		return failingFile{file}, err
	}
	return file, err
}

type failingFile struct{ fs.File }

var errDisk = errors.New("the disk is gone")

func (failingFile) Read([]byte) (int, error) { return 0, errDisk }

func TestFilesThatCannotBeRead(t *testing.T) {
	_, err := policies.Compile(failing{set("p.yaml", "")}, policies.Options{Kinds: rules.Builtin()})
	if got, want := fmt.Sprint(err), "p.yaml: p.yaml: the disk is gone"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	_, err = policies.Compile(failing{set("q.yaml", policy("q", "rules:\n  - name: r\n    checksum: {deny: l}\n"), "l", eicar)}, policies.Options{Kinds: rules.Builtin()})
	if got, want := fmt.Sprint(err), "q.yaml:5:22: the list l cannot be used: l: the disk is gone"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	_, err = policies.Compile(set("p.yaml", strings.Repeat("#", 1<<20+1)), policies.Options{Kinds: rules.Builtin()})
	if got, want := fmt.Sprint(err), "p.yaml: p.yaml is larger than 1 MiB"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	_, err = policies.Compile(os.DirFS(filepath.Join(t.TempDir(), "none")), policies.Options{Kinds: rules.Builtin()})
	var faults document.Faults
	if !errors.As(err, &faults) || len(faults) != 1 || faults[0].File != "." {
		t.Errorf("a folder that is not there: got %v", err)
	}
}

// A kind that needs a file of the set gets it, and it counts.
func TestKindsOpenFilesOfTheSet(t *testing.T) {
	var got string
	kind := rules.Kind{Name: "file", Schema: `{"type":"string"}`, Phases: rules.EveryPhase, Compile: func(env rules.Env, dec rules.Decoder) (rules.Compiled, error) {
		var name string
		if err := dec.Decode(&name); err != nil {
			return rules.Compiled{}, err
		}
		file, err := env.Open(name)
		if err != nil {
			return rules.Compiled{}, err
		}
		text, err := io.ReadAll(file)
		got = string(text)
		return rules.Compiled{}, err
	}}
	files := set("p.yaml", policy("p", "rules: [{name: r, file: x/y.txt}]\n"), "x/y.txt", "text")
	first := compileWith(t, files, policies.Options{Kinds: []rules.Kind{kind}})
	if got != "text" {
		t.Errorf("got %q", got)
	}
	files["x/y.txt"].Data = []byte("other")
	if second := compileWith(t, files, policies.Options{Kinds: []rules.Kind{kind}}); second.Revision == first.Revision {
		t.Error("a file that a rule names does not count for the revision")
	}
}

func TestLinksOutOfTheSet(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	write(t, outside, "list", eicar+"\n")
	write(t, outside, "schema.json", "{}")
	write(t, outside, "p.yaml", policy("outside", noProgram))
	write(t, dir, "p.yaml", policy("p", "rules:\n  - name: r\n    checksum: {deny: [by-file, by-folder/list, up]}\n  - name: s\n    tags: {schema: schema.json}\n"))
	for name, target := range map[string]string{
		"by-file": filepath.Join(outside, "list"), "by-folder": outside, "up": "../" + filepath.Base(outside) + "/list",
		"schema.json": filepath.Join(outside, "schema.json"), "q.yaml": filepath.Join(outside, "p.yaml"),
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := policies.CheckDir(dir, policies.Options{Kinds: rules.Builtin()})
	var faults document.Faults
	if !errors.As(err, &faults) {
		t.Fatalf("got %v, want faults", err)
	}
	var got []string
	for _, f := range faults {
		got = append(got, strings.ReplaceAll(f.Error(), dir, "DIR"))
	}
	want := []string{
		"DIR/p.yaml:5:23: the list by-file cannot be used: by-file: path escapes from parent",
		"DIR/p.yaml:5:32: the list by-folder/list cannot be used: by-folder/list: path escapes from parent",
		"DIR/p.yaml:5:48: the list up cannot be used: up: path escapes from parent",
		"DIR/p.yaml:7:20: the schema schema.json cannot be used: schema.json: path escapes from parent",
		"DIR/q.yaml: q.yaml: path escapes from parent",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLinksInsideTheSet(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "lists/2026", eicar+"\n")
	write(t, dir, "p.yaml", policy("p", "rules:\n  - name: r\n    checksum: {deny: lists/latest}\n"))
	if err := os.Symlink("2026", filepath.Join(dir, "lists/latest")); err != nil {
		t.Fatal(err)
	}
	if _, err := policies.CheckDir(dir, policies.Options{Kinds: rules.Builtin()}); err != nil {
		t.Error(err)
	}
}

// write writes a file below dir, and the folders that it needs.
func write(tb testing.TB, dir, name, text string) {
	tb.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func TestSchema(t *testing.T) {
	var schema map[string]any
	if err := json.Unmarshal([]byte(policies.Schema(rules.Builtin())), &schema); err != nil {
		t.Fatal(err)
	}
	loader := gojsonschema.NewSchemaLoader()
	loader.Validate, loader.Draft, loader.AutoDetect = true, gojsonschema.Draft7, false
	if _, err := loader.Compile(gojsonschema.NewGoLoader(schema)); err != nil {
		t.Errorf("not a schema of draft-07: %v", err)
	}
	if schema["$schema"] != "http://json-schema.org/draft-07/schema#" {
		t.Errorf("got $schema %v", schema["$schema"])
	}
	definitions, _ := schema["definitions"].(map[string]any)
	rule, _ := definitions["rule"].(map[string]any)
	properties, _ := rule["properties"].(map[string]any)
	want := []string{"name", "description", "on", "mode", "code", "message", "timeout", "on_error", "on_partial", "when"}
	for _, kind := range rules.Builtin() {
		want = append(want, kind.Name)
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(maps.Keys(properties))); diff != "" {
		t.Errorf("keys of a rule: common ones and kinds (-want +got):\n%s", diff)
	}
	if n := checkDescriptions(t, "", schema, definitions); n < 40 {
		t.Errorf("found only %d properties", n)
	}
}

// checkDescriptions holds that each property below a schema is described, as an
// editor shows it, and returns how many there are.
func checkDescriptions(t *testing.T, at string, schema any, definitions map[string]any) (n int) {
	t.Helper()
	node, _ := schema.(map[string]any)
	properties, _ := node["properties"].(map[string]any)
	for key, value := range properties {
		property, _ := value.(map[string]any)
		if target, ok := property["$ref"].(string); ok && property["description"] == nil {
			property, _ = definitions[strings.TrimPrefix(target, "#/definitions/")].(map[string]any)
		}
		text, _ := property["description"].(string)
		if len(text) < 5 || !strings.HasSuffix(text, ".") && !strings.Contains(text, ";") {
			t.Errorf("%s/%s: no sentence describes it: %q", at, key, text)
		}
		n += 1 + checkDescriptions(t, at+"/"+key, property, definitions)
	}
	for key, value := range definitions {
		if at == "" {
			n += checkDescriptions(t, "#"+key, value, definitions)
		}
	}
	if items, ok := node["items"]; ok {
		n += checkDescriptions(t, at+"/*", items, definitions)
	}
	return n
}

// Beside a $ref draft-07 ignores whatever else is written, so nothing that
// decides may stand there.
func TestSchemaHasNothingBesideReferences(t *testing.T) {
	var walk func(at string, node any)
	walk = func(at string, node any) {
		object, _ := node.(map[string]any)
		for key, value := range object {
			if _, ok := object["$ref"].(string); ok && !slices.Contains([]string{"$ref", "description", "examples"}, key) {
				t.Errorf("%s: %s beside $ref is ignored", at, key)
			}
			walk(at+"/"+key, value)
		}
	}
	var schema any
	if err := json.Unmarshal([]byte(policies.Schema(rules.Builtin())), &schema); err != nil {
		t.Fatal(err)
	}
	walk("", schema)
}
