package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/journal"
)

const (
	loggedPolicy = `version: 1
policy: ingest
rules:
  - {name: no-programs, extension: {deny: [exe]}}
  - {name: no-video, content: {deny: ["video/*"]}}
`
	replayedPolicy = `version: 1
policy: ingest
rules:
  - {name: no-programs, extension: {deny: [exe, mxf]}}
  - {name: no-video, content: {deny: ["video/*"]}}
`
)

// hostileName is a file's name that wants to be a program.
const hostileName = `/in/<script src="//evil.example/x.js">'"&\x1b[2J</script><img src=x onerror=alert(1)>.mxf`

// loggedEvent makes the event of a number and what looking into its file told.
func loggedEvent(i int) (*rules.Event, *rules.Facts) {
	random := rand.New(rand.NewPCG(uint64(i), 7))
	extension := [...]string{"mov", "mxf", "txt", "exe"}[random.IntN(4)]
	e := &rules.Event{
		Phase: rules.PhaseStop, Direction: rules.Upload, User: fmt.Sprintf("partner-%d", random.IntN(9)), Host: "hst",
		ClientIP: fmt.Sprintf("203.0.113.%d", random.IntN(9)), File: rules.ParsePath(fmt.Sprintf("/in/%d.%s", i, extension)),
		Size: rules.Known(int64(i)), Received: time.Date(2026, time.November, 1+i%20, 12, 0, 0, i, time.UTC),
		Cookie: "aspera.portal:a secret", Tags: rules.Tags{Raw: `{"aspera":{"xfer_id":"x"},"project":"film"}`},
	}
	if i%1000 == 3 {
		e.File = rules.ParsePath(hostileName)
	}
	e.ClientAddr = netip.MustParseAddr(e.ClientIP)
	e.ID = rules.NewID(e.Received, [10]byte{byte(i), byte(i >> 8), byte(i >> 16)})
	if i%10 == 0 {
		return e, nil
	}
	return e, &rules.Facts{Types: []string{[...]string{"text/plain", "video/mp4"}[random.IntN(2)]}, Head: 10, Size: int64(i)}
}

// loggedIn records the decisions of a set about n events in a log, and returns its
// folder.
func loggedIn(tb testing.TB, s *policies.Snapshot, n int) string {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "log")
	j, err := journal.Open(journal.Options{
		Dir: dir, Durability: journal.Off, Interval: time.Second, Patience: 30 * time.Second, SegmentSize: 4 << 20, SegmentAge: time.Hour, Now: time.Now,
	})
	if err != nil {
		tb.Fatal(err)
	}
	for i := range n {
		e, facts := loggedEvent(i)
		asked := *e
		asked.Recall = &rules.Recall{Facts: facts}
		d := s.Decide(tb.Context(), &asked)
		d.Facts = facts
		if err := j.Append(e, &d); err != nil {
			tb.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		tb.Fatal(err)
	}
	return dir
}

func compiledPolicy(tb testing.TB, dir string) *policies.Snapshot {
	tb.Helper()
	s, err := policies.CheckDir(dir, policies.Options{Kinds: rules.Builtin()})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// The report on a log is what deciding each event singly gives.
func TestReplayCountsALog(t *testing.T) {
	const n = 6_000
	before, after := policyOf(t, loggedPolicy), policyOf(t, replayedPolicy)
	log := loggedIn(t, compiledPolicy(t, before), n)
	got := runs(t, "replay", "--policies", after, "--from", log, "--format", "json")
	if got.status != 0 {
		t.Fatal(got.err)
	}
	var report policies.ReplayReport
	if err := json.Unmarshal([]byte(got.out), &report); err != nil {
		t.Fatal(err)
	}
	candidate := compiledPolicy(t, after)
	recorded := compiledPolicy(t, before)
	var want policies.ReplayTally
	for i := range n {
		then, facts := loggedEvent(i)
		now := *then
		then.Recall, now.Recall = &rules.Recall{Facts: facts}, &rules.Recall{Facts: facts}
		was := recorded.Decide(t.Context(), then)
		is := candidate.Decide(t.Context(), &now)
		switch {
		case is.Accepted() && facts == nil:
			want.Undecidable++
		case is.Accepted() && !was.Accepted():
			want.NewlyAccepted++
		case !is.Accepted() && was.Accepted():
			want.NewlyRefused++
		case was.Rule != is.Rule || was.Code != is.Code:
			want.OtherReason++
		}
	}
	if diff := cmp.Diff(want, report.Changes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if report.Decisions != n || report.Unchanged+want.Sum() != n || report.Unreadable != 0 || want.NewlyRefused == 0 || want.Undecidable == 0 || want.OtherReason == 0 {
		t.Errorf("%s", got.out)
	}
	if again := runs(t, "replay", "--policies", before, "--from", log, "--format", "json", "--max-newly-refused=0", "--max-newly-accepted=0"); again.status != 0 {
		t.Errorf("the set changes its own decisions:\n%s%s", again.out, again.err)
	}
}

// What the flags do, by the exit status and what is said.
func TestReplayExitStatus(t *testing.T) {
	before, after, empty := policyOf(t, loggedPolicy), policyOf(t, replayedPolicy), t.TempDir()
	log := loggedIn(t, compiledPolicy(t, before), 100)
	bad := policyOf(t, badPolicy)
	service, unlogged := written(t, "sluice.yaml", "journal: {dir: "+log+"}\n"), written(t, "sluice.yaml", "default: accept\n")
	for _, tc := range []struct {
		name   string
		args   []string
		status int
		out    string
		err    string
	}{
		{"no limit", []string{"--policies", after, "--from", log}, 0, "newly refused", ""},
		{"nothing newly refused", []string{"--policies", before, "--from", log, "--max-newly-refused", "0"}, 0, "unchanged", ""},
		{"too many newly refused", []string{"--policies", after, "--from", log, "--max-newly-refused", "1"}, 1, "newly refused", ", and --max-newly-refused allows 1\n"},
		{"few enough newly refused", []string{"--policies", after, "--from", log, "--max-newly-refused", "100"}, 0, "", ""},
		{"newly accepted", []string{"--policies", after, "--from", log, "--max-newly-accepted", "0"}, 0, "", ""},
		{"undecidable", []string{"--policies", after, "--from", log, "--max-undecidable", "1"}, 1, "", "sluice: undecidable: "},
		{"too large a share", []string{"--policies", after, "--from", log, "--max-undecidable", "0.5%"}, 1, "", "--max-undecidable allows 0.5% of 100"},
		{"a small share", []string{"--policies", after, "--from", log, "--max-undecidable", "50%"}, 0, "", ""},
		{"no share", []string{"--policies", after, "--from", log, "--max-undecidable", "many"}, 2, "", `--max-undecidable: "many" is neither`},
		{"below none", []string{"--policies", after, "--from", log, "--max-newly-refused=-1"}, 2, "", "--max-newly-refused is a number from 0"},
		{"since the future", []string{"--policies", after, "--from", log, "--since", "2030-01-01"}, 0, "0 decisions, revision", ""},
		{"a day", []string{"--policies", after, "--from", log, "--since", "2026-11-03", "--until", "2026-11-04T00:00:00Z"}, 0, "5 decisions from 2026-11-03T12:00:00Z", ""},
		{"no time", []string{"--policies", after, "--from", log, "--since", "yesterday"}, 2, "", `--since: "yesterday" is neither a date`},
		{"mistakes", []string{"--policies", bad, "--from", log}, 2, "", `"mode" cannot be`},
		{"no log", []string{"--policies", after, "--from", filepath.Join(empty, "x")}, 2, "", "the decision log"},
		{"an empty folder", []string{"--policies", after, "--from", empty}, 2, "", "no segment of a decision log"},
		{"an empty name", []string{"--policies", after, "--from", ""}, 2, "", "which log? Say --from LOG"},
		{"the log of the service", []string{"--policies", after, "--config", service}, 0, "newly refused", ""},
		{"a service without a log", []string{"--policies", after, "--config", unlogged}, 2, "", "has no journal.dir"},
		{"by the name that other commands have for it", []string{"--policies", after, "--dir", log}, 0, "newly refused", ""},
		{"nothing, and a limit", []string{"--policies", after, "--from", log, "--since", "2030-01-01", "--max-undecidable", "5%"}, 2, "0 decisions", "so that no --max says anything"},
		{"nothing, and a limit of none", []string{"--policies", after, "--from", log, "--since", "2030-01-01", "--max-newly-refused", "0"}, 2, "0 decisions", "so that no --max says anything"},
		{"a window that is none", []string{"--policies", after, "--from", log, "--since", "2026-11-03", "--until", "2026-11-03"}, 2, "", "--since and --until: nothing is from"},
		{"a page nowhere", []string{"--policies", after, "--from", log, "--html", filepath.Join(empty, "x", "y.html")}, 2, "", "the page"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := runs(t, append([]string{"replay"}, tc.args...)...)
			if got.status != tc.status || !strings.Contains(got.out, tc.out) || !strings.Contains(got.err, tc.err) {
				t.Errorf("status %d, want %d\n%s\n%s", got.status, tc.status, got.out, got.err)
			}
		})
	}
}

// Lines that are no records, and what the log says of itself, are counted apart.
func TestReplayOfADamagedLog(t *testing.T) {
	policy := policyOf(t, loggedPolicy)
	dir := loggedIn(t, compiledPolicy(t, policy), 40)
	file := filepath.Join(t.TempDir(), "log.jsonl")
	var lines []string
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	lines = append(lines, strings.Split(strings.TrimSpace(string(text)), "\n")...)
	lines = append(lines,
		"rubbish", `{"seq":90}`, `{"seq":91,"prev":"","id":"x","time":"2026-11-23T12:00:00Z","event":{"phase":"later","direction":"upload"},"verdict":"accept","took_us":1}`,
		`{"seq":92,"prev":"","note":"lost","count":5,"time":"2026-11-23T12:00:00Z","took_us":0}`,
		`{"seq":93,"prev":"","note":"refused","count":6,"time":"2026-11-23T12:00:00Z","took_us":0}`,
		`{"seq":94,"prev":"","id":"018bcfe5-6800-7000-8000-000000000000","time":"2026-11-23T12:00:00Z","event":{"phase":"unknown","direction":"unknown"},"verdict":"reject","code":"1001","reason":"syntax","took_us":1}`,
	)
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	whole := strings.Join(lines, "\n") + "\n"
	if got := runsOn(t, whole, "replay", "--policies", policyOf(t, strings.Replace(loggedPolicy, "[exe]", "[mov, mxf, txt]", 1)), "--from", "-", "--max-newly-refused", "0"); got.status != 1 || !strings.Contains(got.err, "standard input, line 43: this is no record") {
		t.Errorf("what changes too much comes first: status %d\n%s", got.status, got.err)
	}
	got := runs(t, "replay", "--policies", policy, "--from", file, "--format=json")
	if got.status != 2 || strings.Count(got.err, "log.jsonl, line ") != 3 || !strings.Contains(got.err, "3 places of the log could not be read") {
		t.Errorf("what could not be read is passed over: status %d\n%s", got.status, got.err)
	}
	var report policies.ReplayReport
	if err := json.Unmarshal([]byte(got.out), &report); err != nil {
		t.Fatal(err, got.err)
	}
	if report.Decisions != 40 || report.Unreadable != 3 || report.Lost != 5 || report.Unasked != 7 {
		t.Errorf("%d decisions, %d unreadable, %d lost, %d unasked", report.Decisions, report.Unreadable, report.Lost, report.Unasked)
	}
}

// remote matches whatever a page could load or run.
func remote() *regexp.Regexp {
	return regexp.MustCompile(`(?i)<(script|link|img|iframe|object|embed|base|form|image|use|foreignObject)\b|https?:|\b(src|srcset|href|xlink:href|action|formaction|background|poster|data|on[a-z]+)\s*=|url\(|@import|javascript:`)
}

// tagsOf takes a page apart as browsers do: texts and attributes in quotes are not
// tags.
func tagsOf(tb rapid.TB, page string) (tags []string) {
	tb.Helper()
	for rest := page; ; {
		at := strings.IndexByte(rest, '<')
		if at < 0 {
			return tags
		}
		rest = rest[at:]
		quote, end := byte(0), -1
		for i := 1; i < len(rest) && end < 0; i++ {
			switch c := rest[i]; {
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case c == '"' || c == '\'':
				quote = c
			case c == '>':
				end = i
			}
		}
		if end < 0 {
			tb.Fatalf("a tag does not end: %.60q", rest)
		}
		tags = append(tags, rest[:end+1])
		rest = rest[end+1:]
	}
}

// checkPage fails if a page is not well formed, or could load or run anything.
func checkPage(tb rapid.TB, page string) {
	tb.Helper()
	head, body, found := strings.Cut(page, "<body>")
	if !found || !strings.Contains(head, `content="default-src 'none'; style-src 'unsafe-inline'"`) {
		tb.Fatal("the page has no body or no policy of its own")
	}
	if bad := remote().FindString(strings.NewReplacer("http-equiv", "", "default-src", "", "style-src", "").Replace(head)); bad != "" {
		tb.Errorf("the head has %q", bad)
	}
	var open []string
	for _, tag := range tagsOf(tb, body) {
		if bad := remote().FindString(regexp.MustCompile(`(aria-label)="[^"]*"`).ReplaceAllString(tag, "")); bad != "" {
			tb.Errorf("%s has %q", tag, bad)
		}
		name := regexp.MustCompile(`^</?([a-zA-Z0-9]+)`).FindStringSubmatch(tag)
		switch {
		case name == nil:
			tb.Errorf("%q is no tag", tag)
		case name[1] == "br" || strings.HasSuffix(tag, "/>"):
		case strings.HasPrefix(tag, "</"):
			if len(open) == 0 {
				if name[1] != "body" && name[1] != "html" {
					tb.Fatalf("%s closes nothing", tag)
				}
				continue
			}
			if open[len(open)-1] != name[1] {
				tb.Fatalf("%s closes <%s>", tag, open[len(open)-1])
			}
			open = open[:len(open)-1]
		default:
			open = append(open, name[1])
		}
	}
	if len(open) > 0 {
		tb.Errorf("%q are not closed", open)
	}
}

// The page shows what the report has, and nothing in it runs or comes from
// elsewhere, whatever files are called.
func TestReplayPage(t *testing.T) {
	before, after := policyOf(t, loggedPolicy), policyOf(t, replayedPolicy)
	log := loggedIn(t, compiledPolicy(t, before), 2000)
	name := filepath.Join(t.TempDir(), "report.html")
	if got := runs(t, "replay", "--policies", after, "--from", log, "--html", name, "--examples", "100"); got.status != 0 || strings.Contains(got.out, "\x1b") {
		t.Fatalf("%s%q", got.err, got.out)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	checkPage(t, page)
	for _, part := range []string{"2,000 decisions", `<rect class="newly_refused"`, `role="img"`, "ingest/no-programs", "&lt;script src=", "prefers-color-scheme: dark", "2026-11-20", "By user"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page has no %q", part)
		}
	}
	for _, part := range []string{"<script", "ZgotmplZ", "\x1b"} {
		if strings.Contains(page, part) {
			t.Errorf("the page has %q", part)
		}
	}
}

// Whatever a log says, the page holds.
func TestReplayPageOfAnything(t *testing.T) {
	odd := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{hostileName, `"><svg onload=alert(1)>`, "</style><script>", "{{.}}", "\u202eexe.mov", "\xff\xfe", "-->", "https://evil.example/"}))
	rapid.Check(t, func(t *rapid.T) {
		group := rapid.Custom(func(t *rapid.T) policies.ReplayGroup {
			return policies.ReplayGroup{Name: odd.Draw(t, "name"), ReplayTally: policies.ReplayTally{
				NewlyRefused: rapid.Int64Range(0, 1e12).Draw(t, "refused"), Undecidable: rapid.Int64Range(1, 1e6).Draw(t, "undecidable"),
			}}
		})
		groups := rapid.SliceOfN(group, 0, 12)
		r := &policies.ReplayReport{
			Revision: odd.Draw(t, "revision"), Decisions: rapid.Int64Range(0, 1e12).Draw(t, "decisions"),
			Rules: groups.Draw(t, "rules"), Users: groups.Draw(t, "users"), Undecidable: groups.Draw(t, "why"),
			Examples: []policies.ReplayExample{{
				Change: "newly_refused", ID: odd.Draw(t, "id"), User: odd.Draw(t, "user"), Client: odd.Draw(t, "client"), File: odd.Draw(t, "file"), Why: odd.Draw(t, "because"),
				Is: &policies.ReplayVerdict{Verdict: "reject", Policy: odd.Draw(t, "policy"), Rule: odd.Draw(t, "rule"), Code: odd.Draw(t, "code")},
			}},
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "days") {
			day := group.Draw(t, "day")
			day.Name = time.Date(2026, time.January, 1+i*rapid.IntRange(1, 900).Draw(t, "gap"), 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
			r.Days = append(r.Days, day)
		}
		var page bytes.Buffer
		if err := replayPage(&page, r, odd.Draw(t, "candidate")); err != nil {
			t.Fatal(err)
		}
		checkPage(t, page.String())
		if err := writeReplayText(io.Discard, r); err != nil {
			t.Fatal(err)
		}
	})
}

func TestParseWhen(t *testing.T) {
	now := time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"30d": "2026-10-24T12:00:00Z", "12h": "2026-11-23T00:00:00Z", "90m": "2026-11-23T10:30:00Z", "2026-11-01": "2026-11-01T00:00:00Z",
		"2026-11-01T01:02:03+01:00": "2026-11-01T00:02:03Z", "0d": "2026-11-23T12:00:00Z",
		"": "", "-1d": "", "-1h": "", "1w": "", "9999999999d": "", "2026-13-01": "", "tomorrow": "",
	} {
		got := ""
		if at, err := parseWhen(text, now); err == nil {
			got = at.UTC().Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestCounted(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 12: "12", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := counted(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}
