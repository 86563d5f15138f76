package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/aspera"
	"github.com/sluiceproject/sluice/policies"
)

// TestWhatAPlanNeeds has a rule of each sort.
func TestWhatAPlanNeeds(t *testing.T) {
	rule := func(name, kind, mode, cost string, phases ...string) policies.PlannedRule {
		return policies.PlannedRule{Rule: name, Kind: kind, Mode: mode, Cost: cost, Phases: phases}
	}
	got := plannedNeeds(&policies.Plan{Policies: []policies.PlannedPolicy{
		{Policy: "a", Rules: []policies.PlannedRule{
			rule("path", "path", "enforce", "metadata", "request", "start", "running", "stop"),
			rule("late", "size", "shadow", "metadata", "running", "stop"),
			rule("digest", "checksum", "enforce", "metadata", "stop"),
			rule("verified", "checksum", "enforce", "file", "stop"),
			rule("head", "content", "enforce", "head", "start", "stop"),
		}},
		{Policy: "b", Rules: []policies.PlannedRule{
			rule("token", "path", "enforce", "metadata", "request"),
			rule("granted", "grant", "enforce", "metadata", "request", "start"),
			rule("quota", "quota", "enforce", "store", "start"),
			rule("never", "path", "enforce", "metadata"),
		}},
		{Policy: "off"},
	}})
	want := aspera.Needs{
		Known:     true,
		Start:     aspera.Event{First: []string{"a/path", "a/head", "b/granted", "b/quota"}},
		Threshold: aspera.Event{First: []string{"a/late (shadow)"}, Again: []string{"a/path"}},
		Stop:      aspera.Event{First: []string{"a/digest", "a/verified"}, Again: []string{"a/path", "a/late (shadow)", "a/head"}},
		Token:     []string{"b/token", "b/granted"},
		Checksum:  []string{"a/digest"},
		Content:   []string{"a/verified", "a/head"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestNeedsAgreeWithThePlan: what aspera needs of the policies that ship is what
// sluice plan says.
func TestNeedsAgreeWithThePlan(t *testing.T) {
	var plan policies.Plan
	if err := json.Unmarshal([]byte(runs(t, "plan", "--format=json", "../../policies/examples").out), &plan); err != nil {
		t.Fatal(err)
	}
	needs := plannedNeeds(&plan)
	events := map[string]aspera.Event{"validation_file_start": needs.Start, "validation_threshold": needs.Threshold, "validation_file_stop": needs.Stop}
	checked := 0
	for _, s := range plan.Settings {
		if e, is := events[s.Name]; is {
			checked++
			if len(e.First) != s.First || len(e.Again) != s.Again {
				t.Errorf("%s: %d and %d again, the plan says %d and %d", s.Name, len(e.First), len(e.Again), s.First, s.Again)
			}
		}
	}
	if checked == 0 {
		t.Error("the plan has no event")
	}
}

func TestAsperaExitStatus(t *testing.T) {
	good, bad := policyOf(t, goodPolicy), policyOf(t, badPolicy)
	sound, faulty := "../../aspera/testdata/sound.conf", "../../aspera/testdata/http-fallback.conf"
	noXML, groups, notGroups := filepath.Join(t.TempDir(), "x.conf"), filepath.Join(t.TempDir(), "group"), filepath.Join(t.TempDir(), "no")
	for name, text := range map[string]string{noXML: "<CONF>\n<default>", groups: "# all\nstaff:x:50:\npartners:x:1001:partner-7, xfer\n", notGroups: "partners\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const uri = "http://127.0.0.1:8088"
	for _, tc := range []struct {
		name     string
		args     []string
		status   int
		out, err string // a part of what is written
	}{
		{"generated", []string{"generate", "--policies", good, "--uri", uri}, 0, `asconfigurator -x "set_node_data;validation_uri,` + uri + `"`, ""},
		{"for a group", []string{"generate", "--policies", good, "--uri", uri, "--for", "group:g"}, 0, `"set_group_data;group_name,g;validation_file_start,uri"`, "careful: this is for the group g alone"},
		{"for nobody", []string{"generate", "--policies", good, "--uri", uri, "--for", "user:"}, 2, "", `--for: "user:" is not global, group:NAME or user:NAME`},
		{"for all of them", []string{"generate", "--policies", good, "--uri", uri, "--for", "global:x"}, 2, "", "--for"},
		{"as XML", []string{"generate", "--policies", good, "--uri", uri, "--format", "xml"}, 0, "<validation_file_start>uri<", ""},
		{"a bad URL", []string{"generate", "--policies", good, "--uri", uri + "?a"}, 2, "", "has a query or a fragment"},
		{"no URL", []string{"generate", "--policies", good}, 2, "", "--uri"},
		{"policies with mistakes", []string{"generate", "--policies", bad, "--uri", uri}, 2, "", `"mode" cannot be "shadwo"`},
		{"an empty name", []string{"generate", "--policies", "", "--uri", uri}, 2, "", "--policies is empty"},
		{"no latency", []string{"generate", "--policies", good, "--uri", uri, "--latency", "0s"}, 2, "", "--latency"},
		{"sound", []string{"check", sound, "--group-file", groups}, 0, "0 errors, 0 warnings, 0 notes", ""},
		{"sound for policies", []string{"check", sound, "--policies", good}, 0, "0 errors", ""},
		{"a fault", []string{"check", faulty}, 1, "(http-fallback)", ""},
		{"a fault, for a program", []string{"check", faulty, "--format", "json"}, 1, `"code": "http-fallback"`, ""},
		{"groups", []string{"check", sound, "--group-file", groups}, 0, "partner-7       uri    uri 1024 KB  uri   4", ""},
		{"not a file of groups", []string{"check", sound, "--group-file", notGroups}, 2, "", `:1: "partners" is not a group`},
		{"no file of groups", []string{"check", sound, "--group-file", noXML + "x"}, 2, "", "--group-file"},
		{"not XML", []string{"check", noXML}, 2, "", "x.conf:2:10: this is not XML: unexpected EOF"},
		{"no file", []string{"check", noXML + "x"}, 2, "", "cannot be read: no such file"},
		{"a folder", []string{"check", t.TempDir()}, 2, "", "cannot be read: is a directory"},
		{"no name", []string{"check", ""}, 2, "", "the file's name is empty"},
		{"no rate", []string{"check", sound, "--rate", "0"}, 2, "", "must be above 0"},
		{"a slow service", []string{"check", sound, "--latency", "1s"}, 0, "a session moves at most 4.0 files a second", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := runs(t, append([]string{"aspera"}, tc.args...)...)
			if got.status != tc.status || !strings.Contains(got.out, tc.out) || !strings.Contains(got.err, tc.err) || (tc.out == "") != (got.out == "") {
				t.Errorf("status %d, want %d\n%s\n%s", got.status, tc.status, got.out, got.err)
			}
		})
	}
}

// TestAsperaShowsTheFirstUsers, and all of them when it is asked to.
func TestAsperaShowsTheFirstUsers(t *testing.T) {
	report := &aspera.Report{}
	for range 25 {
		report.Effective = append(report.Effective, aspera.Effective{Who: "u\u202e"})
	}
	report.Findings = []aspera.Finding{{File: "x", Line: 1, Column: 2, Severity: aspera.Note, Code: "c", Message: "m", Effect: "e", Mend: []string{"a", "b"}, Who: []string{"1", "2", "3", "4", "5", "6", "7"}}}
	var some, all strings.Builder
	if err := writeAspera(&some, painter{}, "x", report, false); err != nil {
		t.Fatal(err)
	}
	if err := writeAspera(&all, painter{}, "x", report, true); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(some.String(), `u\u202e`); n != 20 || !strings.Contains(some.String(), "and 5 more; --all shows them\n") {
		t.Errorf("%d users\n%s", n, some.String())
	}
	if n := strings.Count(all.String(), `u\u202e`); n != 25 {
		t.Errorf("%d users", n)
	}
	want := "\nx:1:2: note: m (c)\n  for:  1, 2, 3, 4, 5 and 2 more\n  then: e\n  mend: a\n        b\n\nx: 0 errors, 0 warnings, 1 note\n"
	if !strings.HasSuffix(some.String(), want) {
		t.Errorf("%s", some.String())
	}
}
