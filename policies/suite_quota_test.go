package policies_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

// TestWhatWasCountedBefore: a test counts on from what it says, each rule for itself,
// and knows nothing of other tests. Rules that read metadata are asked before those
// that count, wherever they stand.
func TestWhatWasCountedBefore(t *testing.T) {
	files := set("p.yaml", `version: 1
policy: p
rules:
  - {name: a-day, quota: {per: user, files: 3, bytes: 1 GiB, window: 24h}, mode: shadow}
  - {name: a-session, quota: {per: session, files: 5}}
  - {name: films, extension: {allow: [mov]}}
`)
	s, err := policies.Compile(files, policies.Options{Kinds: rules.Builtin(), Env: rules.Env{Counters: policies.StandInCounters()}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		event string
		want  []string
	}{
		{"", []string{"films passed", "a-day passed", "a-session passed"}},
		{"counted: {files: 2, bytes: 1023 MiB}", []string{"films passed", "a-day passed", "a-session passed"}},
		{"counted: {files: 3}", []string{"films passed", "a-day would_refuse 4 of 3 files", "a-session passed"}},
		{"counted: {bytes: 1 GiB}", []string{"films passed", "a-day would_refuse 1025 MiB of 1 GiB", "a-session passed"}},
		{"counted: {bytes: 1 GiB}, start_byte: 1 MiB", []string{"films passed", "a-day passed", "a-session passed"}},
		{"counted: {bytes: 9223372036854775807}", []string{"films passed", "a-day would_refuse", "a-session passed"}},
		{"counted: {files: 5}", []string{"films passed", "a-day would_refuse 6 of 3 files", "a-session refused 6 of 5 files"}},
		{"counted: {files: 5}, path: /in/a.exe", []string{"films refused exe"}},
		{"counted: {files: 5}, session_id: null", []string{"films passed", "a-day would_refuse_on_error", "a-session refused_on_error"}},
	} {
		keys := "    event: {" + tc.event + "}\n    accept: true\n"
		if tc.event == "" {
			keys = "    accept: true\n"
		}
		c := oneCase(t, s, "defaults: {user: ann, session_id: s-1, path: /in/a.mov, size: 1 MiB}\n", keys)
		for range 2 { // It says the same again.
			r := c.Run(t.Context(), s)
			var got []string
			for _, step := range r.Decision.Steps {
				text := step.Rule.Name + " " + step.Outcome.String()
				if step.Detail != nil && step.Detail.Saw != "" && tc.event != "counted: {bytes: 9223372036854775807}" {
					text += " " + step.Detail.Saw
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.event, diff)
			}
		}
	}
}
