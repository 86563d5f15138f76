package main

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/policies"
)

// testSet has two rules that refuse, in shadow mode one of them.
const testSet = `version: 1
policy: uploads
applies_to: {direction: [upload]}
rules:
  - name: no-programs
    extension: {deny: [exe]}
    message: "{name} is a program."
  - name: sheet
    tags: {require: [/project]}
    mode: shadow
`

// goodTests pass, and cover both rules.
const goodTests = `version: 1
defaults: {direction: upload, tags: {project: film}}
tests:
  - name: a film
    event: {path: /in/a.mov}
    accept: true
  - name: a program
    event: {path: /in/a.exe}
    refuse: {rule: no-programs, code: "1022", message: a.exe is a program.}
  - name: no sheet
    event: {path: /in/a.mov, tags: ~}
    accept: true
    would_refuse: [{rule: sheet}]
`

// badTests fail in two of three cases, and cover one rule.
const badTests = `version: 1
tests:
  - name: a program
    event: {direction: upload, path: /in/a.exe, user: ann, size: 4 KiB, tags: {project: <film>}}
    refuse: {policy: uploads, rule: sheet, code: "1022", message: No.}
  - name: a film & a sheet
    description: It was forgotten once.
    event: {phase: stop, direction: upload, path: /in/a.mov, tags: {project: film}}
    accept: true
    would_refuse: [{rule: sheet, code: "1025"}]
  - name: nobody's
    event: {path: /in/a.mov, direction: download}
    refuse: {code: "1000"}
`

// inSet changes to a folder in which policies is the folder of a set, of pairs
// of a file's name and its text.
func inSet(t *testing.T, pairs ...string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.Mkdir("policies", 0o700); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		if err := os.WriteFile(filepath.Join("policies", pairs[i]), []byte(pairs[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTestExitStatus(t *testing.T) {
	const badSet, noNames = "version: 1\npolicy: uploads\nrulse: []\n", "version: 1\ntests:\n  - name: a\n    event: {path: /a}\n    refuse: {rule: nonesuch}\n"
	for _, tc := range []struct {
		name     string
		files    []string
		args     []string
		status   int
		out, err string // a part of what is written
	}{
		{"all as wanted", []string{"a.yaml", testSet, "a_test.yaml", goodTests}, nil, 0, "3 cases, 0 failed, 0 of 2 rules without a refusing test\n", ""},
		{"and covered", []string{"a.yaml", testSet, "a_test.yaml", goodTests}, []string{"--require-coverage"}, 0, "3 cases, 0 failed, 0 of 2 rules", ""},
		{"a folder", []string{"a.yaml", testSet, "a_test.yaml", goodTests}, []string{"./policies"}, 0, "3 cases, 0 failed", ""},
		{"some", []string{"a.yaml", testSet, "a_test.yaml", goodTests}, []string{"--run", "program|sheet"}, 0, "2 cases, 0 failed\n", ""},
		{"some of a file", []string{"a.yaml", testSet, "a_test.yaml", goodTests, "b_test.yaml", badTests}, []string{"--run=^policies/b_test.yaml: nobody's$"}, 0, "1 case, 0 failed\n", ""},
		{"failed", []string{"a.yaml", testSet, "a_test.yaml", badTests}, nil, 1, "3 cases, 2 failed, 1 of 2 rules without a refusing test\n", ""},
		{"failed in one of two files", []string{"a.yaml", testSet, "a_test.yaml", goodTests, "b_test.yaml", badTests}, nil, 1, "6 cases, 2 failed, 0 of 2 rules", ""},
		{"not covered", []string{"a.yaml", testSet, "b_test.yaml", badTests}, []string{"--require-coverage"}, 1, "FAIL no test makes these rules refuse:\n  policies/a.yaml: uploads/sheet (shadow)\n", ""},
		{"not covered, which nobody requires", []string{"a.yaml", testSet, "b_test.yaml", `{version: 1, tests: [{name: a, event: {path: /a, direction: download}, refuse: true}]}`}, nil, 0, "no test makes these rules refuse:\n  policies/a.yaml: uploads/no-programs\n", ""},
		{"no test", []string{"a.yaml", testSet}, nil, 1, "", "sluice: there is no test in policies; write some into a file whose name ends in _test.yaml\n"},
		{"no test, as JSON", []string{"a.yaml", testSet}, []string{"--format=json"}, 1, `"suites": []`, "sluice: there is no test in policies"},
		{"no test, as JUnit", []string{"a.yaml", testSet}, []string{"--format=junit"}, 1, `<testsuites name="sluice test policies" tests="0"`, "sluice: there is no test in policies"},
		{"none that matches", []string{"a.yaml", testSet, "a_test.yaml", goodTests}, []string{"--run=nonesuch"}, 1, "", "sluice: no test of policies matches nonesuch\n"},
		{"the set does not compile", []string{"a.yaml", badSet, "a_test.yaml", noNames}, nil, 2, "", "policies/a.yaml:3:1: unknown key \"rulse\"; did you mean \"rules\"?\n"},
		{"the tests do not compile", []string{"a.yaml", testSet, "a_test.yaml", noNames}, nil, 2, "", "policies/a_test.yaml:5:20: the set has no rule \"nonesuch\", or it is off\n    5 |     refuse: {rule: nonesuch}\n"},
		{"neither does", []string{"a.yaml", badSet, "a_test.yaml", "version: 1\ntest: []\n"}, nil, 2, "", "policies/a_test.yaml:2:1: unknown key \"test\"; did you mean \"tests\"?\n"},
		{"no policy", nil, nil, 2, "", "there is no policy here"},
		{"no folder", nil, []string{"elsewhere"}, 2, "", "elsewhere: the policy set cannot be read: no such file or directory\n"},
		{"an empty name", nil, []string{""}, 2, "", "sluice: the folder's name is empty\n"},
		{"an expression that is none", nil, []string{"--run=("}, 2, "", "sluice: --run: error parsing regexp: missing closing ): `(`\n"},
		{"coverage by some", nil, []string{"--run=a", "--require-coverage"}, 2, "", "sluice: --run leaves tests out, so --require-coverage cannot go with it\n"},
		{"a format that is none", nil, []string{"--format=tap"}, 2, "", "sluice: --format must be one of"},
		{"no configuration", nil, []string{"--config=none.yaml"}, 2, "", "none.yaml: the configuration cannot be read: no such file or directory\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inSet(t, tc.files...)
			got := runs(t, append([]string{"test"}, tc.args...)...)
			if got.status != tc.status || !strings.Contains(got.out, tc.out) || !strings.Contains(got.err, tc.err) || (tc.out == "") != (got.out == "") || (tc.err == "") != (got.err == "") {
				t.Errorf("status %d, want %d\n%s\n%s", got.status, tc.status, got.out, got.err)
			}
		})
	}
}

// TestTestPrintsEveryMistake of the set and of its tests.
func TestTestPrintsEveryMistake(t *testing.T) {
	inSet(t, "a.yaml", strings.Replace(testSet, "name: sheet", "naem: sheet", 1), "a_test.yaml", "version: 2\ntests: []\n")
	got := runs(t, "test")
	var lines []string
	for line := range strings.Lines(got.err) {
		if strings.HasPrefix(line, "policies/") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	want := []string{
		`policies/a.yaml:8:5: an element of "rules" lacks the key "name"`, `policies/a.yaml:8:5: unknown key "naem"; did you mean "name"?`,
		`policies/a_test.yaml:1:10: "version" must be 1`, `policies/a_test.yaml:2:8: "tests" is empty`,
	}
	if diff := cmp.Diff(want, lines); diff != "" || got.status != 2 {
		t.Errorf("status %d (-want +got):\n%s", got.status, diff)
	}
}

// failures are what the tests that fail print.
const failures = `FAIL policies/a_test.yaml:3: a program
  event: start, upload, user ann, path /in/a.exe, size 4 KiB, tags {"project":"<film>"}
  answer (- wanted, + got):
      verdict       refuse
      policy        uploads
    - rule          sheet
    + rule          no-programs
      code          1022
    - message       No.
    + message       a.exe is a program.
  steps:
STEPS
FAIL policies/a_test.yaml:6: a film & a sheet
  event: stop, upload, path /in/a.mov, tags {"project":"film"}
  answer (- wanted, + got):
      verdict       accept
    - would_refuse  rule sheet, code 1025
  steps:
STEPS
no test makes these rules refuse:
  policies/a.yaml: uploads/sheet (shadow)
3 cases, 2 failed, 1 of 2 rules without a refusing test
`

// withoutSteps puts a word for each list of steps, whose looks are not those of
// this command.
func withoutSteps(text string) string {
	var kept []string
	inSteps := false
	for line := range strings.Lines(text) {
		switch {
		case inSteps && strings.HasPrefix(line, "    "):
			continue
		case inSteps:
			kept, inSteps = append(kept, "STEPS\n"), false
			if line == "\n" {
				continue
			}
		}
		kept = append(kept, line)
		inSteps = line == "  steps:\n"
	}
	return strings.Join(kept, "")
}

func TestTestPrintsWhatDiffers(t *testing.T) {
	inSet(t, "a.yaml", testSet, "a_test.yaml", badTests)
	got := runs(t, "test")
	if diff := cmp.Diff(failures, withoutSteps(got.out)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, step := range []string{"uploads/no-programs", "uploads/sheet"} {
		if !strings.Contains(got.out, step) {
			t.Errorf("no step tells of %s:\n%s", step, got.out)
		}
	}
	if again := runs(t, "test"); again != got {
		t.Errorf("the second time:\n%s\nafter\n%s", again.out, got.out)
	}
}

// TestTestVerbosely: every test is printed with its steps, in the order of the
// files and tests.
func TestTestVerbosely(t *testing.T) {
	inSet(t, "a.yaml", testSet, "b_test.yaml", goodTests, "a_test.yaml", badTests)
	if out := runs(t, "test", "--run=b_test").out; out != "3 cases, 0 failed\n" {
		t.Errorf("not verbosely:\n%s", out)
	}
	out := runs(t, "test", "-v").out
	var heads []string
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "ok") || strings.HasPrefix(line, "FAIL") {
			heads = append(heads, strings.TrimSuffix(line, "\n"))
		}
	}
	want := []string{
		"FAIL policies/a_test.yaml:3: a program", "FAIL policies/a_test.yaml:6: a film & a sheet", "ok   policies/a_test.yaml:11: nobody's",
		"ok   policies/b_test.yaml:4: a film", "ok   policies/b_test.yaml:7: a program", "ok   policies/b_test.yaml:10: no sheet",
	}
	if diff := cmp.Diff(want, heads); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, shadowed, _ := strings.Cut(out, "b_test.yaml:10: no sheet\n")
	if !strings.Contains(shadowed, "would refuse") || !strings.Contains(out, "nobody's\n     no rule was asked\n") {
		t.Errorf("got\n%s", out)
	}
}

func TestTestAsJSON(t *testing.T) {
	inSet(t, "a.yaml", testSet, "a_test.yaml", badTests)
	got := runs(t, "test", "--format=json")
	var report testReport
	if err := json.Unmarshal([]byte(got.out), &report); err != nil || got.status != 1 {
		t.Fatalf("status %d, %v:\n%s", got.status, err, got.out)
	}
	if len(report.Revision) != 12 || len(report.Suites) != 1 || len(report.Suites[0].Cases) != 3 {
		t.Fatalf("got\n%s", got.out)
	}
	steps := report.Suites[0].Cases[0].Steps
	if len(steps) != 1 || steps[0].Outcome != "refused" || steps[0].Code != "1022" || steps[0].Saw != "exe" {
		t.Errorf("got steps %v", steps)
	}
	report.Revision = ""
	for i := range report.Suites[0].Cases {
		report.Suites[0].Cases[i].Steps = nil
	}
	want := testReport{
		Dir: "policies", Cases: 3, Failed: 2,
		Coverage: &testCoverage{Rules: 2, Uncovered: []testRule{{Policy: "uploads", Rule: "sheet", File: "policies/a.yaml", Mode: "shadow"}}},
		Suites: []testSuiteReport{{File: "policies/a_test.yaml", Failed: 2, Cases: []testCaseReport{
			{
				Name: "a program", Line: 3,
				Event:  map[string]any{"phase": "start", "direction": "upload", "path": "/in/a.exe", "user": "ann", "size": "4 KiB", "tags": map[string]any{"project": "<film>"}},
				Answer: testAnswer{Verdict: "refuse", Policy: "uploads", Rule: "no-programs", Code: "1022", Message: "a.exe is a program."},
				Differences: []policies.Difference{
					{Key: "rule", Wanted: "sheet", Got: "no-programs"}, {Key: "message", Wanted: "No.", Got: "a.exe is a program."},
				},
			},
			{
				Name: "a film & a sheet", Description: "It was forgotten once.", Line: 6,
				Event:       map[string]any{"phase": "stop", "direction": "upload", "path": "/in/a.mov", "tags": map[string]any{"project": "film"}},
				Answer:      testAnswer{Verdict: "accept"},
				Differences: []policies.Difference{{Key: "would_refuse", Wanted: "rule sheet, code 1025"}},
			},
			{
				Name: "nobody's", Line: 11, Passed: true, Event: map[string]any{"phase": "start", "direction": "download", "path": "/in/a.mov"},
				Answer: testAnswer{Verdict: "refuse", Code: "1000", Message: "No policy of this server allows this transfer. Ask its administrator."},
			},
		}}},
	}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTestAsJSONWithoutSomeTests has no coverage, and verbosely the steps of
// tests that passed.
func TestTestAsJSONWithoutSomeTests(t *testing.T) {
	inSet(t, "a.yaml", testSet, "a_test.yaml", goodTests)
	for _, verbose := range []bool{false, true} {
		args := []string{"test", "--format=json", "--run=no sheet"}
		if verbose {
			args = append(args, "--verbose")
		}
		var report testReport
		got := runs(t, args...)
		if err := json.Unmarshal([]byte(got.out), &report); err != nil || got.status != 0 || strings.Contains(got.out, `"coverage"`) {
			t.Fatalf("status %d, %v:\n%s", got.status, err, got.out)
		}
		var outcomes []string
		for _, step := range report.Suites[0].Cases[0].Steps {
			outcomes = append(outcomes, step.Rule+" "+step.Outcome)
		}
		want := []string{"no-programs passed", "sheet would_refuse"}
		if !verbose {
			want = nil
		}
		if diff := cmp.Diff(want, outcomes); diff != "" {
			t.Errorf("verbose %t (-want +got):\n%s", verbose, diff)
		}
	}
}

// TestTestPrintsMistakesAsJSON as check does.
func TestTestPrintsMistakesAsJSON(t *testing.T) {
	inSet(t, "a.yaml", testSet, "a_test.yaml", "version: 1\ntests: []\n")
	got := runs(t, "test", "--format=json")
	var report struct {
		Mistakes []struct {
			File string
			Line int
		}
	}
	if err := json.Unmarshal([]byte(got.out), &report); err != nil || got.status != 2 || len(report.Mistakes) != 1 ||
		report.Mistakes[0].File != "policies/a_test.yaml" || report.Mistakes[0].Line != 2 {
		t.Errorf("status %d, %v:\n%s", got.status, err, got.out)
	}
}

// junit is JUnit's XML as others read it.
type junit struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Suites   []struct {
		Name       string `xml:"name,attr"`
		Tests      int    `xml:"tests,attr"`
		Failures   int    `xml:"failures,attr"`
		Properties []struct {
			Name  string `xml:"name,attr"`
			Value string `xml:"value,attr"`
		} `xml:"properties>property"`
		Cases []struct {
			Name    string `xml:"name,attr"`
			Class   string `xml:"classname,attr"`
			File    string `xml:"file,attr"`
			Line    int    `xml:"line,attr"`
			Failure *struct {
				Message string `xml:"message,attr"`
				Text    string `xml:",chardata"`
			} `xml:"failure"`
			Out string `xml:"system-out"`
		} `xml:"testcase"`
		Out string `xml:"system-out"`
	} `xml:"testsuite"`
}

func readJUnit(t *testing.T, text string) (root junit) {
	t.Helper()
	if err := xml.Unmarshal([]byte(text), &root); err != nil || !strings.HasPrefix(text, "<?xml ") {
		t.Fatalf("%v:\n%s", err, text)
	}
	return root
}

func TestTestAsJUnit(t *testing.T) {
	inSet(t, "a.yaml", testSet, "a_test.yaml", badTests, "b_test.yaml", strings.Replace(goodTests, "a film", `"<a> \u0007 \"film\" & ]]>"`, 1))
	got := runs(t, "test", "--format=junit")
	root := readJUnit(t, got.out)
	if got.status != 1 || root.Tests != 6 || root.Failures != 2 || len(root.Suites) != 3 {
		t.Fatalf("status %d:\n%s", got.status, got.out)
	}
	first, second, coverage := root.Suites[0], root.Suites[1], root.Suites[2]
	if first.Name != "policies/a_test.yaml" || first.Tests != 3 || first.Failures != 2 || len(first.Cases) != 3 || first.Properties[0].Name != "revision" {
		t.Errorf("got %+v", first)
	}
	c := first.Cases[0]
	if c.Name != "a program" || c.Class != "policies/a_test.yaml" || c.File != "policies/a_test.yaml" || c.Line != 3 || c.Failure == nil ||
		c.Failure.Message != "rule: wanted sheet, got no-programs" || !strings.Contains(c.Failure.Text, "    - rule          sheet\n    + rule          no-programs\n") {
		t.Errorf("got %+v", c)
	}
	if c := first.Cases[1]; c.Name != "a film & a sheet" || c.Failure == nil || c.Failure.Message != "would_refuse: wanted rule sheet, code 1025, got nothing" {
		t.Errorf("got %+v", c)
	}
	if c := first.Cases[2]; c.Failure != nil {
		t.Errorf("got %+v", c)
	}
	if second.Failures != 0 || second.Cases[0].Name != `<a> \u0007 "film" & ]]>` || second.Cases[2].Out != "" {
		t.Errorf("got %+v", second)
	}
	if coverage.Name != "coverage" || coverage.Tests != 0 || len(coverage.Cases) != 0 || coverage.Properties[1].Value != "0" || coverage.Out != "" {
		t.Errorf("got %+v", coverage)
	}
}

func TestTestCoverageAsJUnit(t *testing.T) {
	inSet(t, "a.yaml", testSet, "a_test.yaml", goodTests, "c.yaml", strings.NewReplacer("uploads", "more", "exe", "bat").Replace(testSet))
	told := "no test makes these rules refuse:\n  policies/c.yaml: more/no-programs\n"
	for _, required := range []bool{false, true} {
		args := []string{"test", "--format=junit", "-v"}
		if required {
			args = append(args, "--require-coverage")
		}
		got := runs(t, args...)
		root := readJUnit(t, got.out)
		if len(root.Suites) != 2 || len(root.Suites[0].Cases) != 3 || !strings.Contains(root.Suites[0].Cases[2].Out, "uploads/sheet") {
			t.Fatalf("status %d:\n%s", got.status, got.out)
		}
		coverage := root.Suites[1]
		if !required {
			if got.status != 0 || root.Tests != 3 || root.Failures != 0 || coverage.Out != told {
				t.Errorf("status %d:\n%s", got.status, got.out)
			}
			continue
		}
		if got.status != 1 || root.Tests != 4 || root.Failures != 1 || coverage.Tests != 1 || coverage.Failures != 1 ||
			coverage.Cases[0].Failure == nil || coverage.Cases[0].Failure.Text != told || coverage.Cases[0].Failure.Message != "1 of 4 rules without a refusing test" {
			t.Errorf("status %d:\n%s", got.status, got.out)
		}
	}
}

// TestTestTakesTheServicesSettings: what happens where no policy applies, and
// the suffix of unfinished files.
func TestTestTakesTheServicesSettings(t *testing.T) {
	const tests = `version: 1
defaults: {direction: upload, tags: {project: x}}
tests:
  - name: nobody's
    event: {direction: download, path: /a}
    accept: true
  - name: an unfinished program
    event: {path: /a.exe.part}
    refuse: {rule: no-programs}
`
	inSet(t, "a.yaml", testSet, "a_test.yaml", tests)
	if err := os.WriteFile("sluice.yaml", []byte("default: accept\npartial_suffix: .part\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("bad.yaml", []byte("default: maybe\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args   []string
		failed string // The names of the tests that fail.
	}{
		{nil, "nobody's, an unfinished program"},
		{[]string{"--default=accept"}, "an unfinished program"},
		{[]string{"--default=reject"}, "nobody's, an unfinished program"},
		{[]string{"--config=sluice.yaml"}, ""},
		{[]string{"--config=sluice.yaml", "--default=reject"}, "nobody's"},
	} {
		var report testReport
		if err := json.Unmarshal([]byte(runs(t, append([]string{"test", "--format=json"}, tc.args...)...).out), &report); err != nil {
			t.Fatal(err)
		}
		var failed []string
		for _, c := range report.Suites[0].Cases {
			if !c.Passed {
				failed = append(failed, c.Name)
			}
		}
		if got := strings.Join(failed, ", "); got != tc.failed {
			t.Errorf("%v: %q failed, want %q", tc.args, got, tc.failed)
		}
	}
	if got := runs(t, "test", "--config=bad.yaml"); got.status != 2 || !strings.Contains(got.err, `bad.yaml:1:10: "default" cannot be "maybe"`) {
		t.Errorf("status %d: %s", got.status, got.err)
	}
}

// TestTestEnds when it is interrupted, and when nobody reads what it prints.
func TestTestEnds(t *testing.T) {
	inSet(t, "a.yaml", testSet, "a_test.yaml", goodTests)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs strings.Builder
	if status := run(ctx, []string{"test"}, &stdio{out: &out, err: &errs}); status != 2 || out.Len() > 0 {
		t.Errorf("interrupted: status %d: %s%s", status, out.String(), errs.String())
	}
	for _, format := range []string{"text", "json", "junit"} {
		if status := run(t.Context(), []string{"test", "-v", "--format", format}, &stdio{out: closed{}, err: &errs}); status != 2 {
			t.Errorf("%s to nobody: status %d", format, status)
		}
	}
}

// closed is a pipe that nobody reads.
type closed struct{}

// Write implements io.Writer.
func (closed) Write([]byte) (int, error) { return 0, errors.New("closed pipe") }
