package policies_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

const (
	startNeeds = "validation_file_start = uri"
	stopNeeds  = "validation_file_stop = uri"
	threshold  = "validation_threshold = uri"
	kilobytes  = "validation_threshold_kb = above 0"
	sessionToo = "it needs no file, so it decides events about a session too"
)

// planOf returns the plan of a set that has one policy.
func planOf(t *testing.T, more ...string) policies.Plan {
	t.Helper()
	return compile(t, set("10-p.yaml", policy("p", more...))).Plan(rules.Builtin())
}

func TestWhenARuleIsDecidedAndWhatItNeeds(t *testing.T) {
	checksums, grants := kindNeeds(t, "checksum"), kindNeeds(t, "grant")
	for _, tc := range []struct {
		name, appliesTo, rule string
		first                 string
		needs, notes          []string
	}{
		{"wherever a path is known", "", "path: {deny: [/x/**]}", "request", []string{startNeeds}, nil},
		{"a size", "", "size: {max: 1}", "start", []string{startNeeds}, nil},
		{"a digest", "", "checksum: {require: [sha256]}", "stop", []string{stopNeeds, checksums}, []string{"the file has arrived by then"}},
		{"a size, but only of the whole file", "", "size: {max: 1}\n    on: [stop]", "stop", []string{stopNeeds}, []string{"the file has arrived by then"}},
		{"only the threshold", "", "size: {max: 1}\n    on: [running]", "running", []string{threshold, kilobytes}, []string{"files that never reach the threshold are never asked about"}},
		{"the threshold, and then the whole file", "", "size: {max: 1}\n    on: [running, stop]", "running", []string{threshold, kilobytes}, nil},
		{"only a token", "", "path: {deny: [/x/**]}\n    on: [request]", "request", []string{}, []string{"only the token endpoint asks it, so transfers that need no token from here pass it by"}},
		{"what needs no file", "", "transfer: {cipher: [aes-128]}", "start", []string{startNeeds}, []string{sessionToo}},
		{"what needs no file, below a path", "applies_to: {path: [/in/**]}\n", "transfer: {cipher: [aes-128]}", "start", []string{startNeeds}, nil},
		{"what needs no file, at the threshold", "", "transfer: {cipher: [aes-128]}\n    on: [running]", "running", []string{threshold, kilobytes}, []string{"files that never reach the threshold are never asked about"}},
		{"a rule of clients who are not known on request", "applies_to: {client_ip: [10.0.0.0/8]}\n", "path: {deny: [/x/**]}", "start", []string{startNeeds}, nil},
		{"a rule of hosts that are not known on request", "applies_to: {host: [hst]}\n", "path: {deny: [/x/**]}", "start", []string{startNeeds}, nil},
		{"a grant", "", "grant: {required: true}", "start", []string{startNeeds, grants}, []string{sessionToo}},
		{"a grant with limits", "", "grant: {required: true, max_life: 8h}", "start", []string{startNeeds, grants}, []string{"on request it limits what is granted, and refuses nothing", sessionToo}},
		{"limits alone", "", "grant: {max_life: 8h}", "request", []string{grants}, []string{"on request it limits what is granted, and refuses nothing"}},
		{"a token, and then the whole file", "", "path: {deny: [/x/**]}\n    on: [request, stop]", "request", []string{stopNeeds}, []string{"the file has arrived by then"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := planOf(t, tc.appliesTo, "rules:\n  - name: r\n    ", tc.rule, "\n").Policies[0].Rules[0]
			if got.First != tc.first || !slices.Contains(got.Phases, got.First) || got.Cost != "metadata" {
				t.Errorf("%+v", got)
			}
			if diff := cmp.Diff([][]string{tc.needs, tc.notes}, [][]string{got.Needs, got.Notes}); diff != "" {
				t.Errorf("needs and notes (-want +got):\n%s", diff)
			}
		})
	}
}

func kindNeeds(t *testing.T, name string) string {
	t.Helper()
	for _, k := range rules.Builtin() {
		if k.Name == name && k.Needs != "" {
			return k.Needs
		}
	}
	t.Fatalf("the kind %s needs nothing", name)
	return ""
}

func TestWhatASetNeeds(t *testing.T) {
	const (
		size  = "  - name: size\n    size: {max: 1}\n"
		path  = "  - name: path\n    path: {deny: [/x/**]}\n"
		token = "  - name: token\n    path: {deny: [/x/**]}\n    on: [request]\n"
		whole = "  - name: whole\n    checksum: {require: [md5]}\n"
		off   = "  - name: off\n    checksum: {require: [md5]}\n    mode: \"off\"\n"
		early = "  - name: early\n    size: {max: 1}\n    on: [start]\n"
		trial = "  - name: trial\n    size: {min: 1}\n    on: [start]\n    mode: shadow\n"
	)
	for _, tc := range []struct {
		name, rules string
		want        []string
		also        int
		unused      []string
	}{
		{"a size", size, []string{"validation_uri 1+2", "validation_file_start 1+0", "(validation_threshold 0+1)", "(validation_threshold_kb 0+1)", "(validation_file_stop 0+1)"}, 0, []string{"request"}},
		{"a path and a digest", path + whole, []string{"validation_uri 2+2", "validation_file_start 1+0", "(validation_threshold 0+1)", "(validation_threshold_kb 0+1)", "validation_file_stop 1+1"}, 1, nil},
		{"tokens alone", token, nil, 0, []string{"start", "running", "stop"}},
		{"one phase, a rule of it in shadow", early + trial, []string{"validation_uri 2+0", "validation_file_start 2+0"}, 0, []string{"request", "running", "stop"}},
		{"rules that are off need nothing", early + off, []string{"validation_uri 1+0", "validation_file_start 1+0"}, 0, []string{"request", "running", "stop"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			plan := planOf(t, "rules:\n", tc.rules)
			var got []string
			for _, s := range plan.Settings {
				text := fmt.Sprintf("%s %d+%d", s.Name, s.First, s.Again)
				if !s.Needed {
					text = "(" + text + ")"
				}
				got = append(got, text)
			}
			if !slices.Equal(got, tc.want) || len(plan.Also) != tc.also || !slices.Equal(plan.Unused, tc.unused) {
				t.Errorf("%v, also %v, unused %v; want %v, %d, %v", got, plan.Also, plan.Unused, tc.want, tc.also, tc.unused)
			}
		})
	}
}

// TestAPlanInFull is its JSON, member for member.
func TestAPlanInFull(t *testing.T) {
	s := compile(t, set(
		"10-a.yaml", policy("a", "mode: shadow\nrules:\n  - name: sizes\n    size: {max: 1}\n    on: [start]\n"),
		"20-b.yaml", policy("b", "mode: \"off\"\n", noProgram)))
	got, err := json.Marshal(s.Plan(rules.Builtin()))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer("\n", "", "REVISION", s.Revision).Replace(`{"revision":"REVISION","policies":[
{"policy":"a","file":"10-a.yaml","mode":"shadow","rules":[
{"rule":"sizes","kind":"size","mode":"shadow","phases":["start"],"first":"start","cost":"metadata","needs":["validation_file_start = uri"]}]},
{"policy":"b","file":"20-b.yaml","mode":"off","rules":[]}],
"settings":[
{"name":"validation_uri","value":"the URL at which sluice listens","needed":true,"first":1,"again":0},
{"name":"validation_file_start","value":"uri","needed":true,"first":1,"again":0}],
"unused_phases":["request","running","stop"]}`)
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPlanOfWhatReadsTheFile(t *testing.T) {
	s, err := policies.Compile(set("p.yaml", policy("p", "rules:\n  - {name: a, head: pass}\n  - {name: b, whole: pass}\n")), policies.Options{Kinds: testKinds()})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range s.Plan(testKinds()).Policies[0].Rules {
		got = append(got, r.Rule+" "+r.First+" "+r.Cost)
	}
	if diff := cmp.Diff([]string{"a start head", "b stop file"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestSettingsAreThoseOfTheOperatorsGuide: a plan names no other.
func TestSettingsAreThoseOfTheOperatorsGuide(t *testing.T) {
	text, err := os.ReadFile("../deploy/README.md")
	if err != nil {
		t.Fatal(err)
	}
	guide := string(text)
	plan := planOf(t, "rules:\n  - {name: a, path: {deny: [/x/**]}}\n  - {name: b, checksum: {require: [md5]}}\n  - {name: c, size: {max: 1}, on: [running]}\n")
	if len(plan.Settings) != 5 {
		t.Errorf("%+v", plan.Settings)
	}
	for _, s := range plan.Settings {
		if !strings.Contains(guide, "set_node_data;"+s.Name+",") {
			t.Errorf("deploy/README.md does not tell how to set %s", s.Name)
		}
	}
}
