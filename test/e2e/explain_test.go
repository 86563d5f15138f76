package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// explanation is the part of an explanation that these tests look at.
type explanation struct {
	ID, Revision, Verdict, Why, Code, Policy, Rule string
	Rules                                          []struct{ Policy, Rule, Mode, Outcome string }
	Answer                                         struct {
		Status      int
		ContentType string `json:"content_type"`
		Body        string
	}
	Error json.RawMessage
}

// explain posts an event to the admin listener.
func (s *server) explain(t *testing.T, query, body string) (status int, told explanation, text string) {
	t.Helper()
	response, err := http.Post("http://"+s.admin+"/v1/explain"+query, "application/x-www-form-urlencoded", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if kind := response.Header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("explained as %s", kind)
	}
	if err := json.Unmarshal(answer, &told); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	return response.StatusCode, told, string(answer)
}

// TestWhatIsExplainedIsWhatIsAnswered: by the policies in force, whatever the
// event.
func TestWhatIsExplainedIsWhatIsAnswered(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	for _, body := range []string{
		event(), event("startstop", `"stop"`), file("/elsewhere/a.mov"), file("/ingest/a\x7f\u202e.exe"), file("/ingest/../a.mov"),
		event("direction", `"send"`), event("direction", `"sideways"`), event("size", `"1"`), `{"startstop":"start"}`, "{", "", "\xff",
	} {
		want := s.post(t, body)
		status, told, text := s.explain(t, "", body)
		if status != http.StatusOK || told.Answer.Status != want.status || told.Answer.Body != want.body || told.Answer.ContentType != strings.Join(want.header["Content-Type"], "") {
			t.Errorf("%q is answered %d %q %v, and explained as %s", body, want.status, want.body, want.header, text)
		}
		if told.Revision != s.revision(t) || told.ID == "" || told.ID == want.id {
			t.Errorf("revision %s, decision %s", told.Revision, told.ID)
		}
	}
}

// TestExplainingIsNoDecision: it is neither counted nor logged as one.
func TestExplainingIsNoDecision(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	for _, body := range []string{event(), file("/elsewhere/a.mov"), "{"} {
		s.explain(t, "", body)
	}
	decided := s.post(t, event()) // Its line comes after those that must not be there.
	s.decision(t, decided.id)
	if lines := s.log.find("decision"); len(lines) != 1 {
		t.Errorf("%d decisions are logged, want 1", len(lines))
	}
	m := s.metrics(t)
	if n := m.sum("sluice_decision_duration_seconds_count"); n != 1 || m.sum("sluice_malformed_events_total") != 0 || m.sum("sluice_decisions_total") != 1 {
		t.Errorf("%v decisions are counted, want 1", n)
	}
}

// TestExplainUsesThePoliciesInForce at once after a reload.
func TestExplainUsesThePoliciesInForce(t *testing.T) {
	t.Parallel()
	refuses := func(mode string) string {
		return "version: 1\npolicy: p\nrules:\n  - name: films\n    extension: {deny: [mov]}\n    mode: " + mode + "\n"
	}
	s := start(t, setup{policies: map[string]string{"p.yaml": refuses("shadow")}, config: "reload_interval: 1h\n"})
	_, before, _ := s.explain(t, "", event())
	if err := write(filepath.Join(s.dir, "p.yaml"), refuses("enforce")); err != nil {
		t.Fatal(err)
	}
	if status, text := s.ask(t, http.MethodPost, "/-/reload"); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	_, after, _ := s.explain(t, "", event())
	want := []string{"accept shadow would_refuse", "reject enforce refused"}
	var got []string
	for _, told := range []explanation{before, after} {
		got = append(got, fmt.Sprintf("%s %s %s", told.Verdict, told.Rules[0].Mode, told.Rules[0].Outcome))
	}
	if diff := cmp.Diff(want, got); diff != "" || before.Revision == after.Revision {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestWhatIsNotExplained says why.
func TestWhatIsNotExplained(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: "limits: {body: 2 KiB}\n"})
	if status, _, text := s.explain(t, "", strings.Repeat(" ", 3<<10)); status != http.StatusRequestEntityTooLarge || !strings.Contains(text, "larger than 2 KiB") {
		t.Errorf("%d %s", status, text)
	}
	if status, _, text := s.explain(t, "?all=perhaps", event()); status != http.StatusBadRequest || !strings.Contains(text, "true or false") {
		t.Errorf("%d %s", status, text)
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		if status, text := s.ask(t, method, "/v1/explain"); status != http.StatusMethodNotAllowed || !strings.Contains(text, "with POST") {
			t.Errorf("%s: %d %s", method, status, text)
		}
	}
	if a := s.post(t, event()); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestNoSecretIsExplained: tags, cookies and credentials stay where they are.
func TestNoSecretIsExplained(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	const tags = `{"aspera":{"node":{"storage_credentials":{"secret":"s3cr3t"}}},"project":"s3cr3t"}`
	for _, body := range []string{
		event("tags", tags, "cookie", `"s3cr3t"`), file("s3://AKIA:s3cr3t@bucket/in/a.exe", "tags", tags), event("tags", `"{s3cr3t"`),
		event("startstop", `"s3cr3t"`), `{"tags":` + tags,
	} {
		if _, _, text := s.explain(t, "?all=1", body); strings.Contains(text, "s3cr3t") || strings.Contains(text, "AKIA") {
			t.Errorf("%s", text)
		}
	}
}
