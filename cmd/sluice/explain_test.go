package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// eventFile writes an event to a file and returns its name.
func eventFile(t *testing.T, text string) string {
	t.Helper()
	return written(t, "event.json", text)
}

const program = `{"startstop":"start","direction":"recv","user":"ann","file":"/in/\u001b[31mx.exe","size":12,"tags":{"secret":"hunter2"},"cookie":"hunter2"}`

func TestExplainExitStatus(t *testing.T) {
	good, bad, empty := policyOf(t, goodPolicy), policyOf(t, badPolicy), t.TempDir()
	accepts := written(t, "sluice.yaml", "default: accept\npolicies: "+good+"\npartial_suffix: .part\nupload_direction: send\nlimits: {body: 1 KiB}\n")
	for _, tc := range []struct {
		name     string
		args     []string
		status   int
		out, err string // a part of what is written
	}{
		{"refused", []string{"--policies", good, eventFile(t, program)}, 0, "✗ refused: test/no-programs objects", ""},
		{"accepted", []string{"--policies", good, eventFile(t, `{"startstop":"start","file":"/in/x.mov"}`)}, 0, "✓ accepted: no rule objects", ""},
		{"malformed", []string{"--policies", good, eventFile(t, "{\n  \"file\": 1}")}, 0, "an event that cannot be read: file, line 2, column 11 (byte 12)", ""},
		{"a grant without keys", []string{"--policies", policyOf(t, "version: 1\npolicy: test\nrules:\n  - {name: granted, grant: {required: true}}\n"), eventFile(t, `{"startstop":"start","direction":"recv","user":"ann","file":"/in/x.mov","tags":{"sluice":{"grant":"x"}}}`)}, 0, "because grants are not configured, so none can be verified", ""},
		{"nothing on standard input", []string{"--policies", good}, 0, "an event that cannot be read: empty", ""},
		{"standard input by name", []string{"--policies", good, "-"}, 0, "an event that cannot be read: empty", ""},
		{"as the service is configured", []string{"--config", accepts, eventFile(t, `{"startstop":"start","direction":"send","file":"/in/x.exe.part"}`)}, 0, "start, upload: /in/x.exe.part", ""},
		{"the service's partial suffix", []string{"--config", accepts, eventFile(t, `{"startstop":"start","direction":"send","file":"/in/x.exe.part"}`)}, 0, "refused: exe", ""},
		{"the service's limit", []string{"--config", accepts, eventFile(t, strings.Repeat(" ", 2000))}, 0, "too_large", ""},
		{"mistakes", []string{"--policies", bad, eventFile(t, program)}, 2, "", `:6:11: "mode" cannot be "shadwo"`},
		{"no policies", []string{"--policies", empty, eventFile(t, program)}, 2, "", "there is no policy here"},
		{"an empty folder's name", []string{"--policies=", eventFile(t, program)}, 2, "", "sluice: --policies is empty"},
		{"mistakes in the configuration", []string{"--config", written(t, "bad.yaml", "lisen: a\n")}, 2, "", `unknown key "lisen"`},
		{"no event", []string{"--policies", good, filepath.Join(empty, "x\x1b.json")}, 2, "", `x\u001b.json cannot be read: no such file or directory`},
		{"an empty name", []string{"--policies", good, ""}, 2, "", "sluice: the event's file name is empty"},
		{"a folder", []string{"--policies", good, empty}, 2, "", "sluice: the event cannot be read: "},
		{"a format that is none", []string{"--policies", good, "--format=xml"}, 2, "", "--format must be one of"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := runs(t, append([]string{"explain"}, tc.args...)...)
			if got.status != tc.status || !strings.Contains(got.out, tc.out) || !strings.Contains(got.err, tc.err) || (tc.out == "") != (got.out == "") || (tc.err == "") != (got.err == "") {
				t.Errorf("status %d, want %d\n%s\n%s", got.status, tc.status, got.out, got.err)
			}
			if strings.Contains(got.out+got.err, "\x1b") {
				t.Errorf("an escape passes: %q %q", got.out, got.err)
			}
		})
	}
}

// TestExplainDefaults: what nobody asks about is decided as by the service.
func TestExplainDefaults(t *testing.T) {
	folder := policyOf(t, "version: 1\npolicy: test\napplies_to: {user: [nobody]}\nrules:\n  - name: r\n    extension: {deny: [exe]}\n")
	event := eventFile(t, program)
	for _, tc := range []struct {
		args []string
		want string
	}{
		{nil, "✗ refused: no policy applies, and the service's default is reject"},
		{[]string{"--default=accept"}, "✓ accepted: no policy applies, and the service's default is accept"},
		{[]string{"--config", written(t, "sluice.yaml", "default: accept\n")}, "✓ accepted: no policy applies, and the service's default is accept"},
		{[]string{"--config", written(t, "sluice.yaml", "default: accept\n"), "--default=reject"}, "✗ refused: no policy applies, and the service's default is reject"},
	} {
		if got := runs(t, append([]string{"explain", "--policies", folder, event}, tc.args...)...); !strings.Contains(got.out, tc.want) {
			t.Errorf("%v:\n%s%s", tc.args, got.out, got.err)
		}
	}
}

// TestExplainAsJSON is what the admin listener answers, and holds no secret.
func TestExplainAsJSON(t *testing.T) {
	got := runs(t, "explain", "--format=json", "--policies", policyOf(t, goodPolicy), eventFile(t, program))
	var told validator.Explanation
	if err := json.Unmarshal([]byte(got.out), &told); err != nil || got.status != 0 {
		t.Fatalf("%v: %s", err, got.out)
	}
	if told.Verdict != "reject" || len(told.Rules) != 1 || told.Rules[0].Outcome != "refused" || told.Answer.Status != 400 {
		t.Errorf("%+v", told)
	}
	if text := runs(t, "explain", "--policies", policyOf(t, goodPolicy), eventFile(t, program)).out; strings.Contains(got.out+text, "hunter2") {
		t.Errorf("%s\n%s", got.out, text)
	}
}

// TestExplainedTree has everything that a tree can have.
func TestExplainedTree(t *testing.T) {
	size, rate := int64(1<<20), int64(1000)
	x := &validator.Explanation{
		ID: "ID", Revision: "REVISION", Verdict: "reject", Why: "a/deep objects", Code: "1023", Error: "the scanner is gone",
		Event: validator.ExplainedEvent{Phase: "start", Direction: "upload", File: "/in/x.mov", Size: &size, User: "ann", Cipher: "none", TargetRateKbps: &rate, Checksum: "00ff", ChecksumType: "md5"},
		Policies: []validator.ExplainedPolicy{
			{Policy: "a", File: "10-a.yaml", Mode: "enforce", Applies: "yes"},
			{Policy: "b", File: "20-b.yaml", Mode: "shadow", Applies: "yes"},
			{Policy: "c", File: "30-c.yaml", Mode: "enforce", Applies: "no", Why: []string{"user differs", "host differs"}},
			{Policy: "d", File: "40-d.yaml", Mode: "off", Applies: "off"},
			{Policy: "e", File: "50-e.yaml", Mode: "enforce", Applies: "session", Why: []string{"the event has no path"}},
			{Policy: "f", File: "60-f.yaml", Mode: "shadow", Applies: "unclear", Why: []string{"the event has no user"}},
			{Policy: "g", File: "70-g.yaml", Mode: "enforce", Applies: "yes"},
		},
		Others: 1234,
		Rules: []validator.ExplainedRule{
			{Policy: "a", Rule: "passes", Kind: "path", Mode: "enforce", Outcome: "passed", Saw: "/in/x.mov"},
			{Policy: "a", Rule: "skips", Kind: "path", Mode: "enforce", Outcome: "skipped", When: "event.size > 1"},
			{Policy: "a", Rule: "unsure", Kind: "checksum", Mode: "enforce", Outcome: "accepted_on_error", Error: "no digest"},
			{Policy: "b", Rule: "trial", Kind: "size", Mode: "shadow", Outcome: "would_refuse", Saw: "1 MiB", Code: "1023", Message: "Too large."},
			{Policy: "b", Rule: "trial-2", Kind: "size", Mode: "shadow", Outcome: "would_refuse_on_error", Code: "1023", Message: "Unclear.", Error: "no size"},
			{Policy: "a", Rule: "deep", Kind: "scan", Mode: "enforce", Outcome: "refused_on_error", Code: "1023", Message: "No.", Error: "the scanner is gone"},
			{Policy: "a", Rule: "late", Kind: "scan", Mode: "enforce", Outcome: "not_asked", Why: "a/deep refused before"},
		},
		Answer: validator.ExplainedAnswer{Status: 400, Body: "{\"error\":{}}\n"},
	}
	want := `start, upload: /in/x.mov (1 MiB)
  user ann, cipher none, target rate 1 Mbps, md5 00ff
├─ a (10-a.yaml)
│  ├─ ✓ passes   path      passed: /in/x.mov
│  ├─ – skips    path      skipped: not true for this event: event.size > 1
│  └─ ? unsure   checksum  let pass, cannot tell
│       because no digest
├─ b (20-b.yaml), in shadow
│  ├─ ! trial    size      would refuse (shadow): 1 MiB
│  │    1023 Too large.
│  └─ ! trial-2  size      would refuse, cannot tell (shadow)
│       1023 Unclear.
│       because no size
├─ a (10-a.yaml)
│  ├─ ✗ deep     scan      refused, cannot tell
│  │    1023 No.
│  │    because the scanner is gone
│  └─ · late     scan      not asked: a/deep refused before
├─ g (70-g.yaml)
│    it has no rule that is not off
├─ c (30-c.yaml) does not apply
│    user differs
│    host differs
├─ d (40-d.yaml) is off
├─ e (50-e.yaml) asks nothing about a session: its files will be judged
│    the event has no path
├─ f (60-f.yaml), in shadow may or may not apply
│    the event has no user
├─ and 1234 others do not apply; --all shows them
└─ ✗ refused: a/deep objects
     would refuse if it were not in shadow: b/trial, b/trial-2
     because the scanner is gone
     ascp gets 400, {"error":{}}
     decision ID, revision REVISION
`
	if diff := cmp.Diff(want, explained(x, painter{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	coloured := explained(x, painter{colours: true})
	if !strings.Contains(coloured, "\x1b[31m✗\x1b[0m") {
		t.Error("no colour")
	}
	if diff := cmp.Diff(want, regexp.MustCompile("\x1b\\[[0-9]+m").ReplaceAllString(coloured, "")); diff != "" {
		t.Errorf("colours change more than colours (-want +got):\n%s", diff)
	}
}

func TestEventsInShort(t *testing.T) {
	size := int64(7)
	for want, x := range map[string]validator.Explanation{
		"stop, download: the session, no file":                           {Event: validator.ExplainedEvent{Phase: "stop", Direction: "download", Session: true}},
		"start, direction unknown: a file without a path (7 B)":          {Event: validator.ExplainedEvent{Phase: "start", Direction: "unknown", Size: &size}},
		"an event that cannot be read: empty":                            {Malformed: &validator.ExplainedFault{Reason: "empty"}},
		"an event that cannot be read: size, line 2, column 3 (byte 40)": {Malformed: &validator.ExplainedFault{Reason: "size", Byte: 40, Line: 2, Column: 3}},
	} {
		if got := eventLines(&x); len(got) != 1 || got[0] != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestNoColoursWhereNobodySeesThem.
func TestNoColoursWhereNobodySeesThem(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if newPainter(file).colours || newPainter(&bytes.Buffer{}).colours {
		t.Error("a file and a buffer are coloured")
	}
}

func TestWriteSteps(t *testing.T) {
	e := &rules.Event{Phase: rules.PhaseStart, File: rules.ParsePath("/in/x.exe")}
	saw := func(*rules.Event) string { return "exe" }
	trial := &rules.Rule{Policy: "p", Name: "trial", Kind: "extension", Mode: rules.Shadow, Saw: saw}
	enforced := &rules.Rule{Policy: "p", Name: "enforced-one", Kind: "path", Saw: saw}
	d := &rules.Decision{Steps: []rules.Step{
		{Rule: trial, Outcome: rules.WouldRefuse, Detail: &rules.Detail{Verdict: rules.Verdict{Code: "1022", Message: "No."}}},
		{Rule: enforced, Outcome: rules.Passed},
	}}
	var b strings.Builder
	writeSteps(&b, "> ", e, d)
	want := "> ! p/trial         extension  would refuse (shadow): exe\n>     1022 No.\n> ✓ p/enforced-one  path       passed: exe\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
