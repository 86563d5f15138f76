package policies_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/xeipuuv/gojsonschema"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// readSuites reads tests of a set, which have no mistakes.
func readSuites(tb testing.TB, files fstest.MapFS, s *policies.Snapshot) []policies.Suite {
	tb.Helper()
	suites, err := policies.ReadSuites(files, s)
	if err != nil {
		tb.Fatal(err)
	}
	return suites
}

// oneCase returns the test whose keys follow its name.
func oneCase(tb testing.TB, s *policies.Snapshot, defaults, keys string) *policies.Case {
	tb.Helper()
	suites := readSuites(tb, set("x_test.yaml", "version: 1\n"+defaults+"tests:\n  - name: x\n"+keys), s)
	if len(suites) != 1 || len(suites[0].Cases) != 1 {
		tb.Fatalf("got %d suites", len(suites))
	}
	return &suites[0].Cases[0]
}

// noon is when events arrive of which a test does not say when.
var noon = time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)

// TestEventsOfTests: each key of an event, and what it stands for.
func TestEventsOfTests(t *testing.T) {
	s := compile(t, set("p.yaml", policy("p", noProgram)))
	asked := map[string]bool{}
	for _, tc := range []struct {
		key, value string
		want       rules.Event // beside phase start and noon
	}{
		{"phase", "request", rules.Event{Phase: rules.PhaseRequest}},
		{"phase", "running", rules.Event{Phase: rules.PhaseRunning}},
		{"phase", "stop", rules.Event{Phase: rules.PhaseStop}},
		{"direction", "upload", rules.Event{Direction: rules.Upload}},
		{"direction", "download", rules.Event{Direction: rules.Download}},
		{"user", "partner-7", rules.Event{User: "partner-7"}},
		{"user_id", "1001", rules.Event{UserID: "1001"}},
		{"user_id", `"01001"`, rules.Event{UserID: "01001"}},
		{"client", "portal", rules.Event{Client: "portal"}},
		{"grant", "valid", rules.Event{Tags: rules.Tags{Raw: grantTags(`"direction":"unknown","roots":["/"]`)}}},
		{"grant", "{user: ann, direction: download, paths: [/a], max_size: 1 GiB, max_files: 2, used: 1, client: portal}", rules.Event{Tags: rules.Tags{Raw: grantTags(
			`"client":"portal","user":"ann","direction":"download","paths":["/a"],"max_size":"1 GiB","max_files":2,"used":1`)}}},
		{"host", "hst-eu-1", rules.Event{Host: "hst-eu-1"}},
		{"client_ip", "203.0.113.7", rules.Event{ClientIP: "203.0.113.7", ClientAddr: netip.MustParseAddr("203.0.113.7")}},
		{"client_ip", "2001:db8::7", rules.Event{ClientIP: "2001:db8::7", ClientAddr: netip.MustParseAddr("2001:db8::7")}},
		{"client_ip", "::ffff:203.0.113.7", rules.Event{ClientIP: "::ffff:203.0.113.7", ClientAddr: netip.MustParseAddr("203.0.113.7")}},
		{"path", "/ingest/my film.mov", rules.Event{File: rules.ParsePath("/ingest/my film.mov")}},
		{"path", `"/ingest/a\u202eb"`, rules.Event{File: rules.ParsePath("/ingest/a\u202eb")}},
		{"path", "/ingest/../x", rules.Event{File: rules.ParsePath("/ingest/../x")}},
		{"size", "0", rules.Event{Size: rules.Known(0)}},
		{"size", "4096", rules.Event{Size: rules.Known(4096)}},
		{"size", "40 GiB", rules.Event{Size: rules.Known(40 << 30)}},
		{"size", "1.5 GB", rules.Event{Size: rules.Known(1_500_000_000)}},
		{"start_byte", "1 MiB", rules.Event{StartByte: rules.Known(1 << 20)}},
		{"bytes_written", "65536", rules.Event{BytesWritten: rules.Known(65536)}},
		{"cipher", "aes-256", rules.Event{Cipher: "aes-256"}},
		{"rate_policy", "fair", rules.Event{RatePolicy: "fair"}},
		{"target_rate", "100 Mbps", rules.Event{TargetRateKbps: rules.Known(100_000)}},
		{"target_rate", "250", rules.Event{TargetRateKbps: rules.Known(250)}},
		{"min_rate", "0", rules.Event{MinRateKbps: rules.Known(0)}},
		{"min_rate", "2 Gbps", rules.Event{MinRateKbps: rules.Known(2_000_000)}},
		{"cookie", "a=b", rules.Event{Cookie: "a=b"}},
		{"session_id", "c2f6-7a5e", rules.Event{SessionID: "c2f6-7a5e"}},
		{"xfer_id", "a8e2-11d0", rules.Event{TransferID: "a8e2-11d0"}},
		{"manifest_file", "/var/m.txt", rules.Event{ManifestFile: "/var/m.txt"}},
		{"tags", `{project: film, "a/b": {n: 1.50, list: [true, null, "<x>"]}}`, rules.Event{Tags: rules.Tags{Raw: `{"a/b":{"list":[true,null,"\u003cx\u003e"],"n":1.50},"project":"film"}`}}},
		{"tags", "{}", rules.Event{Tags: rules.Tags{Raw: "{}"}}},
		{"tags", "eyJwcm9qZWN0IjogImZpbG0ifQ==", rules.Event{Tags: rules.Tags{Raw: `"eyJwcm9qZWN0IjogImZpbG0ifQ=="`}}},
		{"tags", `"{rubbish"`, rules.Event{Tags: rules.Tags{Raw: `"{rubbish"`}}},
		{"checksum", eicar, rules.Event{Checksum: eicar}},
		{"checksum_type", "sha256", rules.Event{ChecksumType: "sha256"}},
		{"checksum_type", "SHA2-256", rules.Event{ChecksumType: "SHA2-256"}},
		{"checksum_type", "none", rules.Event{ChecksumType: "none"}},
		{"file_name_encoding", "utf8", rules.Event{FileNameEncoding: "utf8"}},
		{"content", "a film", rules.Event{}},                   // It is beside the event; TestContentOfTests looks into it.
		{"counted", "{files: 9, bytes: 1 GiB}", rules.Event{}}, // So is this; TestWhatWasCountedBefore counts on.
		{"time", "2024-03-09T23:30:00Z", rules.Event{Received: time.Date(2024, 3, 9, 23, 30, 0, 0, time.UTC)}},
	} {
		asked[tc.key] = true
		for _, where := range []string{"event", "defaults"} {
			t.Run(tc.key+"/"+tc.value+"/"+where, func(t *testing.T) {
				line := fmt.Sprintf("{%s: %s}\n", tc.key, tc.value)
				defaults, keys := "defaults: "+line, "    accept: true\n"
				if where == "event" {
					defaults, keys = "", "    event: "+line+keys
				}
				if tc.want.Phase == rules.PhaseUnknown {
					tc.want.Phase = rules.PhaseStart
				}
				if tc.want.Received.IsZero() {
					tc.want.Received = noon
				}
				c := oneCase(t, s, defaults, keys)
				got := *c.Run(t.Context(), s).Event
				diff := cmp.Diff(tc.want, got, cmpopts.IgnoreUnexported(rules.Event{}, rules.Tags{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }))
				if diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if len(c.Given) != 1 || c.Given[0].Key != tc.key {
					t.Errorf("the test says %v of its event", c.Given)
				}
			})
		}
	}
	for _, key := range eventKeysOfTheSchema(t) {
		if !asked[key] {
			t.Errorf("the table has no row for %s", key)
		}
	}
}

// grantTags are the tags of a test's event that carry a grant for two hours around
// noon.
func grantTags(claims string) string {
	grant, _ := json.Marshal("SLUICE-TEST-GRANT {" + claims + `,"issued":"2024-01-01T11:00:00Z","expires":"2024-01-01T13:00:00Z"}`)
	return `{"sluice":{"grant":` + string(grant) + `}}`
}

// eventKeysOfTheSchema returns the keys that the schema knows of an event.
func eventKeysOfTheSchema(t *testing.T) (keys []string) {
	t.Helper()
	var schema struct {
		Properties struct {
			Defaults struct {
				Properties map[string]json.RawMessage
			}
			Tests struct {
				Items struct {
					Properties struct {
						Event struct {
							Properties map[string]json.RawMessage
						}
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(policies.TestsSchema()), &schema); err != nil {
		t.Fatal(err)
	}
	for key := range schema.Properties.Tests.Items.Properties.Event.Properties {
		keys = append(keys, key)
		if schema.Properties.Defaults.Properties[key] == nil {
			t.Errorf("the schema does not know %s in defaults", key)
		}
	}
	if len(keys) == 0 || len(keys) != len(schema.Properties.Defaults.Properties) {
		t.Errorf("the schema knows %d keys of a test's event and %d of defaults", len(keys), len(schema.Properties.Defaults.Properties))
	}
	return keys
}

// TestTheSchemaOfTestsWantsOneAnswer, as the reader does in better words.
func TestTheSchemaOfTestsWantsOneAnswer(t *testing.T) {
	schema, err := gojsonschema.NewSchema(gojsonschema.NewStringLoader(policies.TestsSchema()))
	if err != nil {
		t.Fatal(err)
	}
	for answer, good := range map[string]bool{
		``: false, `"accept": true,`: true, `"refuse": true,`: true, `"refuse": {"rule": "r"},`: true,
		`"accept": true, "refuse": true,`: false, `"accept": false,`: false, `"refuse": false,`: false, `"refuse": {},`: false,
		`"would_refuse": [{"rule": "r"}],`: false, `"accept": true, "would_refuse": [{"rule": "r"}],`: true,
	} {
		result, err := schema.Validate(gojsonschema.NewStringLoader(`{"version": 1, "tests": [{"name": "a", ` + answer + ` "event": {"path": "/a", "size": null}}]}`))
		if err != nil || result.Valid() != good {
			t.Errorf("%s: got %v (%v), want %t", answer, result, err, good)
		}
	}
}

// TestDefaultsOfTests: what a test says of its event goes before the defaults,
// and null takes one away.
func TestDefaultsOfTests(t *testing.T) {
	s := compile(t, set("p.yaml", policy("p", noProgram)))
	const defaults = "defaults: {user: ann, size: 1 GiB, phase: stop, tags: {a: 1}}\n"
	for _, tc := range []struct{ keys, want string }{
		{"    accept: true\n", "phase=stop user=ann size=1 GiB tags=map[a:1]"},
		{"    event: {path: /a, user: bob}\n    accept: true\n", "phase=stop user=bob path=/a size=1 GiB tags=map[a:1]"},
		{"    event: {size: ~, phase: null, tags: }\n    accept: true\n", "user=ann"},
		{"    event: {tags: {b: 2}}\n    accept: true\n", "phase=stop user=ann size=1 GiB tags=map[b:2]"},
	} {
		c := oneCase(t, s, defaults, tc.keys)
		var got []string
		for _, g := range c.Given {
			got = append(got, fmt.Sprintf("%s=%v", g.Key, g.Value))
		}
		if diff := cmp.Diff(tc.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s(-want +got):\n%s", tc.keys, diff)
		}
	}
	e := oneCase(t, s, defaults, "    event: {size: ~, phase: null}\n    accept: true\n").Run(t.Context(), s).Event
	if e.Size.Known || e.Phase != rules.PhaseStart {
		t.Errorf("got an event with size %v on %s", e.Size, e.Phase)
	}
}

// TestRunComparesWhatIsWanted: a program in a film's folder and a film without a
// sheet are decided, and compared with what a test may want of them.
func TestRunComparesWhatIsWanted(t *testing.T) {
	s := testedSet(t)
	const (
		program = "event: {direction: upload, path: /in/a.exe}"
		film    = "event: {direction: upload, path: /in/a.mov}"
		nobody  = "event: {path: /in/a.mov}"
	)
	for _, tc := range []struct {
		name, event, wants string
		differs            []string
	}{
		{"refused", program, "refuse: true", nil},
		{"refused by a rule", program, "refuse: {rule: no-programs}", nil},
		{"refused by a policy", program, "refuse: {policy: hygiene}", nil},
		{"refused with a code", program, `refuse: {code: "1022"}`, nil},
		{"refused with a message", program, "refuse: {message: Files of the type exe may not be transferred.}", []string{
			"message: Files of the type exe may not be transferred. / " + messageOf(t, s, program),
		}},
		{"refused to the letter", program, fmt.Sprintf("refuse: {policy: hygiene, rule: no-programs, code: \"1022\", message: %q}", messageOf(t, s, program)), nil},
		{"refused and not accepted", program, "accept: true", []string{"verdict: accept / refuse"}},
		{"another rule", program, "refuse: {rule: films-only}", []string{"rule: films-only / no-programs"}},
		{"another policy", program, "refuse: {policy: ingest}", []string{"policy: ingest / hygiene"}},
		{"another code", program, `refuse: {code: "1021"}`, []string{"code: 1021 / 1022"}},
		{"nothing as wanted", program, `refuse: {policy: ingest, rule: films-only, code: x, message: "no"}`, []string{
			"policy: ingest / hygiene", "rule: films-only / no-programs", "code: x / 1022", "message: no / " + messageOf(t, s, program),
		}},
		{"accepted", film, "accept: true", nil},
		{"accepted and not refused", film, "refuse: true", []string{"verdict: refuse / accept"}},
		{"accepted and not refused by a rule", film, `refuse: {rule: films-only, code: "1022"}`, []string{
			"verdict: refuse / accept", "rule: films-only / ", "code: 1022 / ",
		}},
		{"noted in shadow", film, "{accept: true, would_refuse: [{rule: has-sheet}]}", nil},
		{"noted in shadow, with all that is known", film, `{accept: true, would_refuse: [{policy: ingest, rule: has-sheet, code: "1025"}]}`, nil},
		{"noted in shadow with another code", film, `{accept: true, would_refuse: [{rule: has-sheet, code: "1"}]}`, []string{
			"would_refuse: rule has-sheet, code 1 / policy ingest, rule has-sheet, code 1025",
		}},
		{"not noted in shadow", "event: {direction: upload, path: /in/a.mov, tags: {project: x}}", "{accept: true, would_refuse: [{rule: has-sheet}]}", []string{"would_refuse: rule has-sheet / "}},
		{"an enforced rule notes nothing", program, "{refuse: true, would_refuse: [{rule: no-programs}]}", []string{"would_refuse: rule no-programs / "}},
		{"each is looked for", film, "{accept: true, would_refuse: [{rule: has-sheet}, {policy: hygiene}, {code: x}]}", []string{
			"would_refuse: policy hygiene / policy ingest, rule has-sheet, code 1025", "would_refuse: code x / policy ingest, rule has-sheet, code 1025",
		}},
		{"a shadowed rule refuses nothing", film, "refuse: {rule: has-sheet}", []string{"verdict: refuse / accept", "rule: has-sheet / "}},
		{"refused without a rule", nobody, `refuse: {policy: ingest, code: "1005"}`, nil},
		{"refused without the rule", nobody, "refuse: {rule: films-only}", []string{"rule: films-only / "}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wants := strings.NewReplacer("{accept", "accept", ", would_refuse", "\n    would_refuse", "{refuse: true", "refuse: true", "]}", "]").Replace(tc.wants)
			r := oneCase(t, s, "", "    "+tc.event+"\n    "+wants+"\n").Run(t.Context(), s)
			var got []string
			for _, d := range r.Differences {
				got = append(got, d.Key+": "+d.Wanted+" / "+d.Got)
			}
			if diff := cmp.Diff(tc.differs, got); diff != "" || r.Passed() != (tc.differs == nil) {
				t.Errorf("passed %t (-want +got):\n%s", r.Passed(), diff)
			}
		})
	}
}

// messageOf returns the message of a refused event.
func messageOf(t *testing.T, s *policies.Snapshot, event string) string {
	t.Helper()
	message := oneCase(t, s, "", "    "+event+"\n    refuse: true\n").Run(t.Context(), s).Decision.Message
	if message == "" {
		t.Fatalf("%s is accepted", event)
	}
	return message
}

// TestWhatIsDecidedIsWhatPasses: a test that wants just what the set says of an
// event passes, and one that wants anything else does not.
func TestWhatIsDecidedIsWhatPasses(t *testing.T) {
	s := testedSet(t)
	paths := []string{"/a.mov", "/a.exe", "/a.doc", "/a.mxf", `"/a\u202eb.mov"`}
	rapid.Check(t, func(t *rapid.T) {
		event := fmt.Sprintf("    event: {direction: %s, path: %s, tags: %s}\n", rapid.SampledFrom([]string{"upload", "download"}).Draw(t, "direction"),
			rapid.SampledFrom(paths).Draw(t, "path"), rapid.SampledFrom([]string{"{}", "{project: x}", "rubbish"}).Draw(t, "tags"))
		read := func(wants string) policies.Result {
			suites, err := policies.ReadSuites(set("x_test.yaml", "version: 1\ntests:\n  - name: x\n"+event+wants), s)
			if err != nil {
				t.Fatal(err)
			}
			return suites[0].Cases[0].Run(context.Background(), s)
		}
		d := read("    accept: true\n").Decision
		right, wrong := "    accept: true\n", "    refuse: true\n"
		if !d.Accepted() {
			right, wrong = fmt.Sprintf("    refuse: {policy: %s, rule: %s, code: %q, message: %q}\n", d.Policy, d.Rule, d.Code, d.Message), right
		}
		noted := ""
		for _, step := range d.Steps {
			if step.Outcome == rules.WouldRefuse {
				noted = fmt.Sprintf("    would_refuse: [{policy: %s, rule: %s, code: %q}]\n", step.Rule.Policy, step.Rule.Name, step.Detail.Verdict.Code)
			}
		}
		if r := read(right + noted); !r.Passed() {
			t.Errorf("%s%s%s: %v", event, right, noted, r.Differences)
		}
		if r := read(wrong); r.Passed() {
			t.Errorf("%s%s passed", event, wrong)
		}
		if noted == "" {
			if r := read(right + "    would_refuse: [{rule: has-sheet}]\n"); r.Passed() {
				t.Errorf("%s%s passed, although nothing was noted", event, right)
			}
		}
	})
}

// TestRunIsRepeatable: a test says the same each time and wherever it runs.
func TestRunIsRepeatable(t *testing.T) {
	s := testedSet(t)
	c := oneCase(t, s, "", "    event: {direction: upload, path: /a.doc, tags: {a: 1}}\n    refuse: {rule: has-sheet}\n")
	want := c.Run(t.Context(), s)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				got := c.Run(context.Background(), s)
				if !slices.Equal(got.Differences, want.Differences) || len(got.Decision.Steps) != len(want.Decision.Steps) || got.Event == want.Event {
					t.Errorf("got %v after %d steps", got.Differences, len(got.Decision.Steps))
				}
			}
		})
	}
	all.Wait()
}

// TestUncovered: a rule is shown to refuse by a refusal, or in shadow by a note,
// and by nothing else.
func TestUncovered(t *testing.T) {
	s := compile(t, set(
		"10.yaml", policy("first", "rules:\n  - {name: programs, extension: {deny: [exe]}}\n  - {name: gone, mode: off, size: {max: 1}}\n"),
		"20.yaml", policy("second", "rules:\n  - {name: size, size: {max: 1 GiB}}\n  - {name: sheet, mode: shadow, tags: {require: [/project]}}\n"),
		"30.yaml", policy("third", "mode: off\n", noProgram),
	))
	for _, tc := range []struct{ name, event, want string }{
		{"accepted, and nothing noted", "{path: /a, size: 1, tags: {project: x}}", "first/programs second/size second/sheet"},
		{"refused", "{path: /a.exe, size: 1}", "second/size second/sheet"},
		{"noted", "{path: /a, size: 1, tags: {}}", "first/programs second/size"},
		{"a rule that could not tell", "{path: /a}", "first/programs second/size second/sheet"},
		{"a later rule", "{path: /a, size: 2 GiB, tags: {}}", "first/programs second/sheet"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := oneCase(t, s, "", "    event: "+tc.event+"\n    accept: true\n").Run(t.Context(), s)
			var got []string
			for _, r := range policies.Uncovered(s, []policies.Result{r}) {
				got = append(got, r.Policy+"/"+r.Name)
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if n := len(policies.Uncovered(s, nil)); n != s.RuleCount() {
		t.Errorf("without a test %d of %d rules are uncovered", n, s.RuleCount())
	}
}

// aSuite is a file of one test.
const aSuite = "version: 1\ntests:\n  - name: a\n    event: {path: /a}\n    accept: true\n"

func TestSuitesAreInOrderOfFilesAndTests(t *testing.T) {
	files := set(
		"b_test.yaml", strings.ReplaceAll(aSuite, "name: a", "name: b"), "a_test.yml", aSuite+"  - name: second\n    description: Why.\n    event: {path: /b}\n    refuse: true\n",
		"c.yaml", "not: read", ".d_test.yaml", "not: read", ".git/x_test.yaml", "not: read", "test.yaml", "not: read", "README.md", "not read",
	)
	var got []string
	for _, suite := range readSuites(t, files, testedSet(t)) {
		for _, c := range suite.Cases {
			got = append(got, fmt.Sprintf("%s:%d: %s %s", c.File, c.Line, c.Name, c.Description))
		}
	}
	if diff := cmp.Diff([]string{"a_test.yml:3: a ", "a_test.yml:6: second Why.", "b_test.yaml:3: b "}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMistakesOfSuites(t *testing.T) {
	for _, tc := range []struct {
		name  string
		files fstest.MapFS
		want  []string
	}{
		{"of two files", set("b_test.yaml", "tests: []\n", "a_test.yaml", aSuite+"more: 1\n"), []string{
			`a_test.yaml:6:1: unknown key "more"; known here: defaults, description, tests, version`,
			`b_test.yaml:1:1: the document lacks the key "version"; add version: 1`, `b_test.yaml:1:8: "tests" is empty`,
		}},
		{"in a folder", set("more/a_test.yaml", aSuite, "a_test.yaml", aSuite), []string{
			"more/a_test.yaml: tests are read from the set's own folder only; move the file up or rename it",
		}},
		{"a folder of that name", set("a_test.yaml/b", "x"), []string{"a_test.yaml: a_test.yaml is not a regular file"}},
		{"too large", set("a_test.yaml", aSuite+strings.Repeat("# so many words\n", 1<<16)), []string{"a_test.yaml: a_test.yaml is larger than 1 MiB"}},
		{"empty", set("a_test.yaml", ""), []string{"a_test.yaml: the file is empty"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := strings.Split(suiteFaults(t, tc.files, nil).Error(), "\n")
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestSuitesOfASetThatDoesNotCompile are read all the same, but for the names.
func TestSuitesOfASetThatDoesNotCompile(t *testing.T) {
	const text = "version: 1\ntests:\n  - name: a\n    event: {path: /a}\n    refuse: {policy: nobodys, rule: none}\n"
	readSuites(t, set("a_test.yaml", text), nil)
	if faults := suiteFaults(t, set("a_test.yaml", text), testedSet(t)); len(faults) != 1 {
		t.Errorf("got %v", faults)
	}
}

func TestSuitesOfADirectory(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a_test.yaml", aSuite)
	suites, err := policies.ReadSuitesDir(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(dir, "a_test.yaml")
	if len(suites) != 1 || suites[0].File != want || suites[0].Cases[0].File != want {
		t.Errorf("got %v", suites)
	}
	write(t, dir, "b_test.yaml", "tests: []\nversion: 1\n")
	var faults document.Faults
	if _, err := policies.ReadSuitesDir(dir, nil); !errors.As(err, &faults) || len(faults) != 1 || faults[0].File != filepath.Join(dir, "b_test.yaml") {
		t.Errorf("got %v", err)
	}
	if _, err := policies.ReadSuitesDir(filepath.Join(dir, "none"), nil); !errors.As(err, &faults) ||
		faults.Error() != filepath.Join(dir, "none")+": the policy set cannot be read: no such file or directory" {
		t.Errorf("got %v", err)
	}
	if suites, err := policies.ReadSuitesDir(t.TempDir(), nil); err != nil || len(suites) != 0 {
		t.Errorf("got %v and %v of an empty folder", suites, err)
	}
}

// TestShippedPoliciesAreTested: their tests pass, and each rule is shown to
// refuse.
func TestShippedPoliciesAreTested(t *testing.T) {
	s, err := policies.CheckDir("examples", policies.Options{Kinds: rules.Builtin()})
	if err != nil {
		t.Fatal(err)
	}
	suites, err := policies.ReadSuitesDir("examples", s)
	if err != nil {
		t.Fatal(err)
	}
	var results []policies.Result
	for _, suite := range suites {
		for i := range suite.Cases {
			r := suite.Cases[i].Run(t.Context(), s)
			for _, d := range r.Differences {
				t.Errorf("%s:%d: %s: %s: wanted %q, got %q", r.Case.File, r.Case.Line, r.Case.Name, d.Key, d.Wanted, d.Got)
			}
			results = append(results, r)
		}
	}
	for _, r := range policies.Uncovered(s, results) {
		t.Errorf("no test makes %s/%s refuse", r.Policy, r.Name)
	}
	if len(suites) != len(s.Policies) || len(results) < 25 {
		t.Errorf("found %d files with %d tests for %d policies", len(suites), len(results), len(s.Policies))
	}
}

// FuzzSuite: whatever a file of tests holds, it is read and run, or refused with
// faults that are in it.
func FuzzSuite(f *testing.F) {
	s := testedSet(f)
	for _, pattern := range []string{badSuites + "/*_test.yaml", "examples/*_test.yaml"} {
		seeds, err := filepath.Glob(pattern)
		if err != nil || len(seeds) == 0 {
			f.Fatalf("no seeds in %s (%v)", pattern, err)
		}
		for _, seed := range seeds {
			text, err := os.ReadFile(seed)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		suites, err := policies.ReadSuites(fstest.MapFS{"x_test.yaml": {Data: []byte(text)}}, s)
		if err == nil {
			for _, suite := range suites {
				for i := range suite.Cases {
					c := &suite.Cases[i]
					if r := c.Run(t.Context(), s); c.Name == "" || c.Line < 1 || c.Line > 1+strings.Count(text, "\n") || r.Passed() == (len(r.Differences) > 0) {
						t.Errorf("the test %q begins in line %d", c.Name, c.Line)
					}
				}
			}
			return
		}
		var faults document.Faults
		if !errors.As(err, &faults) || len(faults) == 0 {
			t.Fatalf("got %v", err)
		}
		for _, fault := range faults {
			if fault.File != "x_test.yaml" || fault.Message == "" || fault.Line < 0 || fault.Line > 1+strings.Count(text, "\n") {
				t.Errorf("got %#v", fault)
			}
		}
	})
}

// BenchmarkSuites reads and runs a file of 200 tests.
func BenchmarkSuites(b *testing.B) {
	s := testedSet(b)
	var text strings.Builder
	text.WriteString("version: 1\ndefaults: {direction: upload, user: partner-7, client_ip: 203.0.113.7, tags: {project: film}}\ntests:\n")
	for i := range 100 {
		fmt.Fprintf(&text, "  - name: a film %d\n    event: {path: /in/%d.mov, size: %d GiB}\n    accept: true\n", i, i, i)
		fmt.Fprintf(&text, "  - name: a program %d\n    event: {path: /in/%d.exe, size: %d GiB}\n    refuse: {policy: hygiene, rule: no-programs, code: \"1022\"}\n", i, i, i)
	}
	files := set("x_test.yaml", text.String())
	b.ReportAllocs()
	for b.Loop() {
		cases := readSuites(b, files, s)[0].Cases
		for i := range cases {
			if r := cases[i].Run(b.Context(), s); !r.Passed() {
				b.Fatal(r.Differences)
			}
		}
	}
}
