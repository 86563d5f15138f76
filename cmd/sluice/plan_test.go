package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/policies"
)

func TestPlanExitStatus(t *testing.T) {
	good, bad, empty := policyOf(t, goodPolicy), policyOf(t, badPolicy), t.TempDir()
	for _, tc := range []struct {
		name     string
		args     []string
		status   int
		out, err string // a part of what is written
	}{
		{"good", []string{good}, 0, "no-programs  extension  enforce first   again again   again metadata\n", ""},
		{"mistakes", []string{bad}, 2, "", `:6:11: "mode" cannot be "shadwo"`},
		{"no policy", []string{empty}, 2, "", "there is no policy here"},
		{"no folder", []string{filepath.Join(empty, "x")}, 2, "", "the policy set cannot be read: no such file or directory"},
		{"the usual folder", nil, 2, "", "policies: the policy set cannot be read"},
		{"an empty name", []string{""}, 2, "", "sluice: the folder's name is empty"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := runs(t, append([]string{"plan"}, tc.args...)...)
			if got.status != tc.status || !strings.Contains(got.out, tc.out) || !strings.Contains(got.err, tc.err) || (tc.out == "") != (got.out == "") {
				t.Errorf("status %d, want %d\n%s\n%s", got.status, tc.status, got.out, got.err)
			}
		})
	}
}

func TestPlanAsJSON(t *testing.T) {
	got := runs(t, "plan", "--format=json", policyOf(t, goodPolicy))
	var plan policies.Plan
	if err := json.Unmarshal([]byte(got.out), &plan); err != nil || got.status != 0 {
		t.Fatalf("%v: %s", err, got.out)
	}
	if len(plan.Policies) != 1 || plan.Policies[0].Rules[0].First != "request" {
		t.Errorf("%+v", plan)
	}
}

// TestPlanText has everything that a plan can have.
func TestPlanText(t *testing.T) {
	plan := &policies.Plan{
		Policies: []policies.PlannedPolicy{
			{Policy: "a", File: "10-a.yaml", Mode: "enforce", Rules: []policies.PlannedRule{
				{Rule: "a-name-that-is-long", Kind: "path", Mode: "enforce", Phases: []string{"request", "start", "stop"}, First: "request", Cost: "metadata", Needs: []string{"s = uri"}},
				{Rule: "token", Kind: "path", Mode: "shadow", Phases: []string{"request"}, First: "request", Cost: "metadata", Notes: []string{"only then"}},
				{Rule: "grant", Kind: "grant", Mode: "enforce", Phases: []string{"request", "start"}, First: "start", Cost: "metadata", Needs: []string{"s = uri"}},
				{Rule: "scan", Kind: "checksum", Mode: "shadow", Phases: []string{"stop"}, First: "stop", Cost: "file", Needs: []string{"s = uri", "more"}, Notes: []string{"late", "and more"}},
			}},
			{Policy: "b", File: "20-b.yaml", Mode: "off"},
			{Policy: "c", File: "30-c.yaml", Mode: "enforce"},
		},
		Settings: []policies.PlannedSetting{{Name: "one", Value: "uri", Needed: true, First: 1, Again: 2}, {Name: "other", Value: "above 0", Again: 2}, {Name: "a-third", Value: "uri", Needed: true, First: 3}},
		Also:     []string{"checksum: more"}, Unused: []string{"running"},
	}
	want := `  rule                 kind      mode    request start running stop  reads

a (10-a.yaml)
  a-name-that-is-long  path      enforce first   again -       again metadata
    needs s = uri; on request the token endpoint asks
  token                path      shadow  first   -     -       -     metadata
    needs no setting; on request the token endpoint asks
    only then
  grant                grant     enforce limits  first -       -     metadata
    needs s = uri
  scan                 checksum  shadow  -       -     -       first file
    needs s = uri; more
    late
    and more

b (20-b.yaml)
  is off: nothing is asked

c (30-c.yaml)
  has no rule that is not off

aspera.conf must have, for this set:
  one      uri      1 rule, 2 again
  a-third  uri      3 rules

aspera.conf can have, to ask again what was decided before:
  other    above 0  2 again

and beside it:
  checksum: more

no rule is asked on: running
`
	if diff := cmp.Diff(want, planText(plan)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
