package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// onlyDownloads is a policy that applies to downloads alone.
const onlyDownloads = "version: 1\npolicy: down\napplies_to: {direction: [download]}\nrules:\n  - name: films\n    extension: {allow: [mov]}\n"

// TestTheDefaultDecidesWhereNoPolicyApplies: reject, unless the file says accept
// and no flag says otherwise.
func TestTheDefaultDecidesWhereNoPolicyApplies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, config string
		flags        []string
		code         string
	}{
		{"nothing said", "", nil, "1000"},
		{"reject in the file", "default: reject\n", nil, "1000"},
		{"accept in the file", "default: accept\n", nil, ""},
		{"accept by a flag", "", []string{"--default", "accept"}, ""},
		{"the flag wins", "default: accept\n", []string{"--default", "reject"}, "1000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, setup{config: c.config, flags: c.flags, policies: map[string]string{"down.yaml": onlyDownloads}})
			a := s.post(t, event())
			if l := s.decision(t, a.id); a.code != c.code || l.text("code") != c.code || l.text("policy") != "" {
				t.Errorf("%d %s, want the code %q; in the log %s", a.status, a.body, c.code, l.raw)
			}
			if a := s.post(t, file("/a.txt", "direction", `"send"`)); a.code != "1022" {
				t.Errorf("a download: %d %s", a.status, a.body)
			}
		})
	}
}

// TestUploadDirectionTurnsDirectionsRound for servers that call an upload send.
func TestUploadDirectionTurnsDirectionsRound(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: "upload_direction: send\ndefault: accept\n", policies: map[string]string{"down.yaml": onlyDownloads}})
	for direction, want := range map[string]string{"send": "", "recv": "1022"} {
		if a := s.post(t, file("/a.txt", "direction", `"`+direction+`"`)); a.code != want {
			t.Errorf("%s: %d %s, want the code %q", direction, a.status, a.body, want)
		}
	}
	if a := s.post(t, file("/a.mov", "direction", `"sideways"`)); a.code != "1005" {
		t.Errorf("another direction: %d %s", a.status, a.body)
	}
}

// TestThePartialSuffixIsLookedThrough: a file that is not finished is judged by
// the name that it will have.
func TestThePartialSuffixIsLookedThrough(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: "partial_suffix: .partial\n", policies: map[string]string{"types.yaml": onlyExtension("mov")}})
	for path, want := range map[string]string{
		"/a.mov.partial": "", "/a.mov": "", "/a.mov.PARTIAL": "", "/a.exe.partial": "1022", "/a.partial": "1022", "/a.mov.part": "1022",
	} {
		if a := s.post(t, file(path)); a.code != want {
			t.Errorf("%s: %d %s, want the code %q", path, a.status, a.body, want)
		}
	}
}

// TestThePoliciesInForceAreShown by the admin listener.
func TestThePoliciesInForceAreShown(t *testing.T) {
	t.Parallel()
	s := start(t, setup{policies: map[string]string{"types.yaml": onlyExtension("mov"), "down.yaml": onlyDownloads}})
	status, body := s.ask(t, http.MethodGet, "/v1/policies")
	var shown struct {
		Revision string
		Policies []struct {
			Policy, Mode string
			Rules        []struct {
				Rule, Kind, Mode, Code string
				Phases                 []string
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &shown); status != http.StatusOK || err != nil {
		t.Fatalf("%d %s (%v)", status, body, err)
	}
	if shown.Revision != s.revision(t) || len(shown.Policies) != 2 {
		t.Fatalf("%s", body)
	}
	if p := shown.Policies[1]; p.Policy != "types" || p.Mode != "enforce" || len(p.Rules) != 1 || p.Rules[0].Rule != "type" ||
		p.Rules[0].Kind != "extension" || p.Rules[0].Code != "1022" || !slices.Equal(p.Rules[0].Phases, []string{"request", "start", "running", "stop"}) {
		t.Errorf("%+v", p)
	}
}

// TestTheReasonsAreThoseThatAreDocumented: for which an event is malformed.
func TestTheReasonsAreThoseThatAreDocumented(t *testing.T) {
	t.Parallel()
	var want, got []string
	for _, row := range documented(t, "Events") {
		want = append(want, row[0]...)
	}
	s := start(t, setup{})
	for _, m := range s.metrics(t).with("sluice_malformed_events_total") {
		got = append(got, m.labels["reason"])
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-documented +counted)\n%s", diff)
	}
}
