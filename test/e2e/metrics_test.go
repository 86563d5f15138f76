package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// TestTheMetricsAreThoseThatAreDocumented: names and labels, no more and no
// less, after an event of each sort.
func TestTheMetricsAreThoseThatAreDocumented(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "policies")
	if err := os.CopyFS(dir, os.DirFS(examples)); err != nil {
		t.Fatal(err)
	}
	if err := write(filepath.Join(dir, "50-scan.yaml"), "version: 1\npolicy: scan\nmode: shadow\nrules: [{name: scanned, scan: {with: clamav}}]\n"); err != nil {
		t.Fatal(err)
	}
	scratch := t.TempDir()
	s := start(t, setup{dir: dir, config: "scanners: {clamav: {clamd: 'unix:/nowhere/clamd'}}\n" +
		"grants: {key_file: " + filepath.Join(scratch, "grant.pem") + "}\ntokens: {listen: '127.0.0.1:0'}\n" +
		"state: {dir: " + filepath.Join(scratch, "state") + "}\n" +
		journalOf(filepath.Join(scratch, "log"), "sinks: {copy: {file: "+filepath.Join(scratch, "copy.jsonl")+"}}")})
	for _, body := range []string{
		event(), event("tags", "{}"), file("/elsewhere/a.mov"), "",
		event("startstop", `"stop"`), // There is no digest, and known-bad accepts on error.
	} {
		s.post(t, body)
	}
	await(t, "the service knows its fleet", func() bool { return len(s.metrics(t).with("sluice_fleet_members")) > 0 })
	all := s.metrics(t)
	got := map[string][]string{}
	for _, m := range all {
		labels := slices.DeleteFunc(slices.Sorted(maps.Keys(m.labels)), func(l string) bool { return l == "le" })
		name := regexp.MustCompile("^(sluice_.*_seconds)_(bucket|sum|count)$").ReplaceAllString(m.name, "$1")
		if strings.HasPrefix(name, "sluice_") {
			got[name] = labels
		}
	}
	want := map[string][]string{}
	for _, row := range documented(t, "Metrics") {
		want[row[0][0]] = row[1]
	}
	// Only a scanner that can be asked tells of its signatures; this one cannot.
	if name := "sluice_scanner_signatures_timestamp_seconds"; strings.Join(want[name], " ") == "scanner" {
		delete(want, name)
	}
	// TestPoliciesFromTheStore asks for these: here policies are from a folder.
	for _, name := range []string{"sluice_policies_age_seconds", "sluice_policies_store_revision"} {
		if labels, ok := want[name]; ok && len(labels) == 0 {
			delete(want, name)
		}
	}
	// What the table must have, whatever else it has.
	for name, labels := range map[string]string{
		"sluice_decisions_total":                              "code kind mode phase policy rule verdict",
		"sluice_decision_duration_seconds":                    "phase",
		"sluice_http_requests_total":                          "code listener",
		"sluice_malformed_events_total":                       "reason",
		"sluice_policy_info":                                  "revision",
		"sluice_policy_last_reload_successful":                "",
		"sluice_policy_last_reload_success_timestamp_seconds": "",
		"sluice_policy_rules":                                 "",
		"sluice_accepted_on_error_total":                      "kind mode phase policy rule",
		"sluice_connections_refused_total":                    "",
	} {
		if strings.Join(want[name], " ") != labels {
			t.Errorf("validator/README.md gives %s the labels %q, want %q", name, want[name], labels)
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-documented +served)\n%s", diff)
	}
	for _, name := range []string{"go_goroutines", "process_resident_memory_bytes", "process_open_fds"} {
		if all.sum(name) <= 0 {
			t.Errorf("%s is %v", name, all.sum(name))
		}
	}
	if loaded := all.sum("sluice_policy_last_reload_success_timestamp_seconds"); time.Since(time.Unix(int64(loaded), 0)).Abs() > time.Hour {
		t.Errorf("the policies were loaded at %v", loaded)
	}
	if len(all.with("sluice_policy_info", "revision", s.revision(t))) != 1 {
		t.Error("sluice_policy_info and /readyz tell different revisions")
	}
}

// TestTheMetricsAreAsPrometheusWantsThem by its own linter.
func TestTheMetricsAreAsPrometheusWantsThem(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	s.post(t, event())
	_, text := s.ask(t, http.MethodGet, "/metrics")
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "sluice_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// TestEveryDecisionIsCountedOnce: by what decided it, and shadowed objections
// apart from the decision about their event.
func TestEveryDecisionIsCountedOnce(t *testing.T) {
	t.Parallel()
	s := start(t, setup{policies: map[string]string{"p.yaml": `version: 1
policy: p
rules:
  - name: shadowed
    mode: shadow
    extension: {deny: [mov, exe]}
    code: SHADOW
  - name: unsure-in-shadow
    mode: shadow
    checksum: {allow: [list.sha256]}
    on_error: accept
  - name: unsure
    checksum: {allow: [list.sha256]}
    on_error: accept
  - name: enforced
    extension: {deny: [exe]}
    code: ENFORCED
`, "q.yaml": `version: 1
policy: q
mode: shadow
rules:
  - name: shadowed
    extension: {deny: [mov]}
    code: POLICY
  - name: unsure
    checksum: {allow: [list.sha256]}
`, "list.sha256": strings.Repeat("00", 32) + "\n"}})
	for body, times := range map[string]int{
		file("/a.mov"): 3, file("/a.exe"): 5, file("/a.mxf"): 7, file("/a.txt", "startstop", `"stop"`): 2, "": 4,
	} {
		for range times {
			s.post(t, body)
		}
	}
	m := s.metrics(t)
	count := func(phase, verdict, mode, rule, kind, code string) float64 {
		policy := map[bool]string{true: "p"}[rule != ""]
		return m.sum("sluice_decisions_total", "phase", phase, "verdict", verdict, "mode", mode, "policy", policy, "rule", rule, "kind", kind, "code", code)
	}
	for _, c := range []struct {
		what      string
		got, want float64
	}{
		{"accepted at start, three of them with a shadowed objection", count("start", "accept", "enforce", "", "", ""), 10},
		{"accepted at stop", count("stop", "accept", "enforce", "", "", ""), 2},
		{"refused by the rule", count("start", "reject", "enforce", "enforced", "extension", "ENFORCED"), 5},
		{"would be refused", count("start", "would_reject", "shadow", "shadowed", "extension", "SHADOW"), 8},
		{"malformed", count("unknown", "reject", "enforce", "", "", "1001"), 4},
		{"malformed by reason", m.sum("sluice_malformed_events_total", "reason", "empty"), 4},
		{"all decisions that are enforced", m.sum("sluice_decisions_total", "mode", "enforce"), 21},
		{"all durations", m.sum("sluice_decision_duration_seconds_count"), 21},
		{"would be refused by a policy in shadow", m.sum("sluice_decisions_total", "verdict", "would_reject", "mode", "shadow", "policy", "q", "rule", "shadowed", "code", "POLICY"), 3},
		{"would be refused by a policy in shadow that cannot tell", m.sum("sluice_decisions_total", "verdict", "would_reject", "mode", "shadow", "policy", "q", "rule", "unsure", "code", "1024"), 2},
		{"accepted on error", m.sum("sluice_accepted_on_error_total", "phase", "stop", "mode", "enforce", "policy", "p", "rule", "unsure", "kind", "checksum"), 2},
		{"on error in shadow", m.sum("sluice_accepted_on_error_total", "phase", "stop", "mode", "shadow", "policy", "p", "rule", "unsure-in-shadow", "kind", "checksum"), 2},
		{"answers with 200", m.sum("sluice_http_requests_total", "listener", "service", "code", "200"), 12},
		{"answers with 400", m.sum("sluice_http_requests_total", "listener", "service", "code", "400"), 9},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
	for _, l := range s.logged(t, "decision", "file", "/a.mov") {
		if steps := fmt.Sprint(l.members["steps"]); !strings.Contains(steps, "would_refuse") || l.text("verdict") != "accept" {
			t.Errorf("the log line is %s", l.raw)
		}
	}
}

// TestWhatClientsWriteMakesNoSeries: 2,000 users, paths, hosts and sessions.
func TestWhatClientsWriteMakesNoSeries(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	ask := func(i int) {
		q := func(format string) string { return fmt.Sprintf(`"`+format+`"`, i) }
		s.post(t, event("user", q("user-%d"), "host", q("host-%d"), "session_id", q("%d"), "file", q("/ingest/%d.mov"), "cipher", q("c%d")))
		s.post(t, event("user", q("user-%d"), "file", q("/elsewhere/%d.mov"), "startstop", `"stop"`))
		s.post(t, event("startstop", q("phase-%d")))
		s.post(t, event("direction", q("direction-%d"), "client_ip", q("ip-%d"), "rate_policy", q("r%d"), "file_csum_type", q("t%d")))
	}
	ask(0)
	s.metrics(t) // The scrape counts itself the next time.
	before := s.metrics(t).series()
	for i := range 500 {
		ask(i + 1)
	}
	if diff := cmp.Diff(before, s.metrics(t).series()); diff != "" {
		t.Errorf("(-before +after)\n%s", diff)
	}
}
