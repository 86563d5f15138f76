package rules

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeCounters remember what they are asked, and answer all the same.
type fakeCounters struct {
	asked  []Count
	answer Counted
	err    error
}

func (f *fakeCounters) Count(_ context.Context, c Count) (Counted, error) {
	f.asked = append(f.asked, c)
	return f.answer, f.err
}

// fullCounters have one file and one byte more than is allowed.
type fullCounters struct{}

func (fullCounters) Count(_ context.Context, c Count) (Counted, error) {
	return Counted{Files: c.Files + 1, Bytes: c.Bytes + 1}, nil
}

// transferred is an event about /in/x.mov, of 100 bytes, in the session s-1 of ann's.
func transferred(phase Phase, change ...func(*Event)) *Event {
	return file("/in/x.mov", append([]func(*Event){func(e *Event) {
		e.Phase, e.User, e.SessionID, e.Size, e.StartByte = phase, "ann", "s-1", Known(100), Known(0)
		from("203.0.113.7")(e)
	}}, change...)...)
}

func transfer(id string) func(*Event) { return func(e *Event) { e.TransferID = id } }
func begins(n int64) func(*Event)     { return func(e *Event) { e.StartByte = Known(n) } }
func reaching(n int64) func(*Event)   { return func(e *Event) { e.BytesWritten = Known(n) } }
func called(path string) func(*Event) { return func(e *Event) { e.File = ParsePath(path) } }

// TestQuotaCounts tells what each event of a transfer adds.
func TestQuotaCounts(t *testing.T) {
	nothing := func(*Event) {}
	for _, tc := range []struct {
		name  string
		event *Event
		want  Count // Of From, To and Final.
	}{
		{"a start counts what is announced", transferred(PhaseStart), Count{To: 100}},
		{"so does the threshold", transferred(PhaseRunning, reaching(40)), Count{To: 100}},
		{"a file that grows", transferred(PhaseRunning, reaching(140)), Count{To: 140}},
		{"a stop counts what has moved", transferred(PhaseStop, reaching(60)), Count{To: 60, Final: true}},
		{"a stop that does not say", transferred(PhaseStop), Count{To: 100, Final: true}},
		{"a stop without a size", transferred(PhaseStop, reaching(60), func(e *Event) { e.Size = Number{} }), Count{To: 60, Final: true}},
		{"a transfer that resumes", transferred(PhaseStart, begins(60)), Count{From: 60, To: 100}},
		{"its stop", transferred(PhaseStop, begins(60), reaching(90)), Count{From: 60, To: 90, Final: true}},
		{"a stop that counts from where it resumed", transferred(PhaseStop, begins(60), reaching(30)), Count{From: 60, To: 90, Final: true}},
		{"which never overflows", transferred(PhaseStop, begins(math.MaxInt64), reaching(30)), Count{From: math.MaxInt64, To: math.MaxInt64, Final: true}},
		{"without a beginning", transferred(PhaseStart, func(e *Event) { e.StartByte = Number{} }), Count{To: 100}},
		{"nothing else", transferred(PhaseStart, nothing), Count{To: 100}},
	} {
		counters := &fakeCounters{answer: Counted{Allowed: true}}
		c := compile(t, quotaKind(), Env{Counters: counters, Policy: "p", Rule: "r"}, `{"per": "user", "bytes": 1000, "files": 3, "window": "2h"}`)
		if got := ask(c, tc.event); got != accept() {
			t.Errorf("%s: it %v", tc.name, got)
		}
		tc.want.Counter, tc.want.File = "quota/p/r/user/ann", `session_id "s-1" /in/x.mov`
		tc.want.Window, tc.want.Files, tc.want.Bytes = 2*time.Hour, 3, 1000
		if diff := cmp.Diff([]Count{tc.want}, counters.asked); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

// TestQuotaTellsApart: whom it counts for, and which file it is.
func TestQuotaTellsApart(t *testing.T) {
	for _, tc := range []struct {
		per           string
		event         *Event
		counter, file string
	}{
		{"session", transferred(PhaseStart), "session/s-1", `session_id "s-1" /in/x.mov`},
		{"user", transferred(PhaseStart), "user/ann", `session_id "s-1" /in/x.mov`},
		{"client_ip", transferred(PhaseStart), "client_ip/203.0.113.7", `session_id "s-1" /in/x.mov`},
		{"client_ip", transferred(PhaseStart, from("::ffff:203.0.113.7")), "client_ip/203.0.113.7", `session_id "s-1" /in/x.mov`},
		{"session", transferred(PhaseStart, transfer("x-1")), "session/s-1", `xfer_id "x-1" /in/x.mov`},
		{"user", transferred(PhaseStart, transfer("s-1")), "user/ann", `xfer_id "s-1" /in/x.mov`},
		{"user", transferred(PhaseStart, transfer(`x" /in`)), "user/ann", `xfer_id "x\" /in" /in/x.mov`},
		{"user", transferred(PhaseStop, called("/in/x.mov.partial")), "user/ann", `session_id "s-1" /in/x.mov`},
		{"user", transferred(PhaseStop, called("/in//./x.mov")), "user/ann", `session_id "s-1" /in/x.mov`},
		{"user", transferred(PhaseStop, called("s3://key:secret@bucket/x.mov")), "user/ann", `session_id "s-1" s3://bucket/x.mov`},
	} {
		counters := &fakeCounters{answer: Counted{Allowed: true}}
		c := compile(t, quotaKind(), Env{Counters: counters, Policy: "p", Rule: "r", PartialSuffix: ".partial"}, `{"per": "`+tc.per+`", "files": 1, "window": "24h"}`)
		if got := ask(c, tc.event); got != accept() {
			t.Errorf("%+v: it %v", tc, got)
			continue
		}
		// Where no bytes are limited none are counted.
		want := Count{Counter: "quota/p/r/" + tc.counter, File: tc.file, Window: 24 * time.Hour, Files: 1}
		if diff := cmp.Diff([]Count{want}, counters.asked); diff != "" {
			t.Errorf("per %s (-want +got):\n%s", tc.per, diff)
		}
	}
}

func TestQuotaCannotTell(t *testing.T) {
	without := func(change func(*Event)) *Event { return transferred(PhaseStart, change) }
	judge(t, quotaKind(), Env{Counters: &fakeCounters{answer: Counted{Allowed: true}}}, []row{
		{`{"per": "session", "files": 1}`, without(func(e *Event) { e.SessionID = "" }), lacks("session_id")},
		{`{"per": "user", "files": 1, "window": "1h"}`, without(func(e *Event) { e.SessionID = "" }), lacks("session_id")},
		{`{"per": "user", "files": 1, "window": "1h"}`, without(func(e *Event) { e.SessionID, e.TransferID = "", "x-1" }), accept()},
		{`{"per": "user", "files": 1, "window": "1h"}`, without(func(e *Event) { e.User = "" }), lacks("user")},
		{`{"per": "client_ip", "files": 1, "window": "1h"}`, without(from("somewhere")), lacks("client_ip")},
		{`{"per": "user", "files": 1, "window": "1h"}`, without(func(e *Event) { e.File = Path{} }), lacks("file")},
		{`{"per": "user", "files": 1, "window": "1h"}`, without(func(e *Event) { e.Size = Number{} }), accept()},
		{`{"per": "user", "bytes": 1, "window": "1h"}`, without(func(e *Event) { e.Size = Number{} }), lacks("size")},
		{`{"per": "user", "bytes": 1, "window": "1h"}`, transferred(PhaseStop, func(e *Event) { e.Size = Number{} }), lacks("size")},
	})
	judge(t, quotaKind(), Env{Counters: &fakeCounters{err: errors.New("the engine is away")}}, []row{
		{`{"per": "session", "files": 1}`, transferred(PhaseStart), unsure("the engine is away")},
	})
	judge(t, quotaKind(), Env{}, []row{
		{`{"per": "session", "files": 1}`, transferred(PhaseStart), unsure("quotas need `state` in the service's configuration, and there is none")},
	})
}

func TestQuotaRefuses(t *testing.T) {
	for _, tc := range []struct {
		settings string
		counted  Counted
		found    string
		message  string
	}{
		{
			`{"per": "session", "files": 1000}`,
			Counted{Files: 1001},
			"1,001 of 1,000 files",
			"With x.mov this session comes to 1,001 of 1,000 files. Transfer the rest in another one, or ask the server's administrator.",
		},
		{
			`{"per": "user", "files": 1, "window": "7d"}`,
			Counted{Files: 2},
			"2 of 1 file",
			"With x.mov the user ann comes to 2 of 1 file in 7d. Try again later, or ask the server's administrator.",
		},
		{
			`{"per": "client_ip", "bytes": "1 TiB", "window": "24h"}`,
			Counted{Files: 7, Bytes: 1<<40 + 1<<38},
			"1280 GiB of 1 TiB",
			"With x.mov your address comes to 1280 GiB of 1 TiB in 24h. Try again later, or ask the server's administrator.",
		},
		{
			`{"per": "user", "files": 10, "bytes": "1 TB", "window": "1m"}`,
			Counted{Files: 10, Bytes: 1e12 + 1},
			"1000000000001 B of 1 TB",
			"With x.mov the user ann comes to 1000000000001 B of 1 TB in 1m. Try again later, or ask the server's administrator.",
		},
		{
			`{"per": "user", "files": 10, "bytes": "1 TB", "window": "1m"}`,
			Counted{Files: 11, Bytes: 5},
			"11 of 10 files",
			"With x.mov the user ann comes to 11 of 10 files in 1m. Try again later, or ask the server's administrator.",
		},
	} {
		env := Env{Counters: &fakeCounters{answer: tc.counted}}
		judge(t, quotaKind(), env, []row{{tc.settings, transferred(PhaseStart), refuse(tc.found)}})
		judgeMessages(t, quotaKind(), env, []reads{{tc.settings, transferred(PhaseStart), tc.message}})
	}
}

func TestQuotaSettings(t *testing.T) {
	for settings, want := range map[string]string{
		`{"per": "user", "files": 1}`:                                 "/: this does not say for how long what a user has moved stays counted; add a window, such as 24h",
		`{"per": "client_ip", "bytes": 1}`:                            "/: this does not say for how long what a client address has moved stays counted; add a window, such as 24h",
		`{"per": "session", "bytes": 0}`:                              "/bytes: with 0 no file but an empty one could be transferred; leave it out to limit nothing",
		`{"per": "session", "bytes": "1 Gb"}`:                         `/bytes: "1 Gb" counts bits, and sizes are in bytes; did you mean "1 GB"?`,
		`{"per": "session", "files": 1, "window": "59s"}`:             `/window: "59s" is not a time such as 90m, 24h or 7d, from 1m to 31d`,
		`{"per": "session", "files": 1, "window": "32d"}`:             `/window: "32d" is not a time such as 90m, 24h or 7d, from 1m to 31d`,
		`{"per": "session", "files": 1, "window": "1w"}`:              `/window: "1w" is not a time such as 90m, 24h or 7d, from 1m to 31d; did you mean "7d"?`,
		`{"per": "session", "files": 1, "window": "24 hours"}`:        `/window: "24 hours" is not a time such as 90m, 24h or 7d, from 1m to 31d; did you mean "24h"?`,
		`{"per": "session", "files": 1, "window": "1 month"}`:         `/window: "1 month" is not a time such as 90m, 24h or 7d, from 1m to 31d; did you mean "30d"?`,
		`{"per": "session", "files": 1, "window": "30 Minutes"}`:      `/window: "30 Minutes" is not a time such as 90m, 24h or 7d, from 1m to 31d; did you mean "30m"?`,
		`{"per": "session", "files": 1, "window": "9 weeks"}`:         `/window: "9 weeks" is not a time such as 90m, 24h or 7d, from 1m to 31d`,
		`{"per": "session", "files": 1, "window": "a day"}`:           `/window: "a day" is not a time such as 90m, 24h or 7d, from 1m to 31d`,
		`{"per": "session", "files": 1, "window": "1000000h"}`:        `/window: "1000000h" is not a time such as 90m, 24h or 7d, from 1m to 31d`,
		`{"per": "session", "files": 1, "window": "99999999999999d"}`: `/window: "99999999999999d" is not a time such as 90m, 24h or 7d, from 1m to 31d`,
	} {
		if faults := schemaFaults(t, quotaKind(), settings); faults != nil {
			t.Errorf("%s: the schema says %q", settings, faults)
		}
		_, err := quotaKind().Compile(Env{}, settingsOf(settings))
		var wrong *SpecError
		if !errors.As(err, &wrong) {
			t.Errorf("%s: got %v", settings, err)
			continue
		}
		at := wrong.At
		if at == "" {
			at = "/"
		}
		if got := at + ": " + wrong.Error(); got != want {
			t.Errorf("%s: got %s\nwant %s", settings, got, want)
		}
	}
	for _, settings := range []string{`{}`, `{"per": "user"}`, `{"files": 1}`, `{"per": "host", "files": 1}`, `{"per": "user", "files": 0}`, `{"per": "user", "files": 1000001}`, `{"per": "user", "window": "1h"}`} {
		if schemaFaults(t, quotaKind(), settings) == nil {
			t.Errorf("the schema takes %s", settings)
		}
	}
	for window, want := range map[string]time.Duration{"1m": time.Minute, "90m": 90 * time.Minute, "1h30m": 90 * time.Minute, "7d": 168 * time.Hour, "31d": 744 * time.Hour, "744h": 744 * time.Hour} {
		if got, err := parseWindow(window); got != want || err != nil {
			t.Errorf("%s is %s, %v", window, got, err)
		}
	}
}

func settingsOf(text string) settings { return settings(text) }

// TestQuotaPlaceholders: a policy's message can say what is allowed.
func TestQuotaPlaceholders(t *testing.T) {
	for text, want := range map[string]string{
		`{"per": "session", "files": 1000}`:                                      "1,000 files / 24h",
		`{"per": "session", "bytes": "1 TiB", "window": "7d"}`:                   "1 TiB / 7d",
		`{"per": "user", "files": 1, "bytes": 2000000000000, "window": "1h30m"}`: "1 file and 2 TB / 1h30m",
	} {
		c := compile(t, quotaKind(), Env{}, text)
		if got := c.Values["limit"] + " / " + c.Values["window"]; got != want {
			t.Errorf("%s: %s", text, got)
		}
		if saw := c.Saw(transferred(PhaseStart)); saw != "session s-1" && saw != "user ann" {
			t.Errorf("it saw %q", saw)
		}
	}
	if saw := compile(t, quotaKind(), Env{}, `{"per": "session", "files": 1}`).Saw(file("/x")); saw != "" {
		t.Errorf("of an event without a session it saw %q", saw)
	}
}

// TestWhoeverExplainsCountsNothing, neither for quotas nor for grants.
func TestWhoeverExplainsCountsNothing(t *testing.T) {
	counters := &fakeCounters{answer: Counted{Allowed: true}}
	env := Env{Counters: counters, Grants: &GrantEnv{Grants: newFakeGrants()}}
	quota, grant := compile(t, quotaKind(), env, `{"per": "session", "files": 1}`), compile(t, grantKind(), env, `{"required": true}`)
	for _, ctx := range []context.Context{t.Context(), Dry(t.Context())} {
		if _, err := quota.Check(ctx, transferred(PhaseStart)); err != nil {
			t.Error(err)
		}
		if _, err := grant.Check(ctx, grantedFile("/in/x.mov", "two")); err != nil {
			t.Error(err)
		}
	}
	var dry []bool
	for _, c := range counters.asked {
		dry = append(dry, c.Dry)
	}
	if diff := cmp.Diff([]bool{false, false, true, true}, dry); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestGrantsCountTogether: where services share a store, so do their counts of the
// files of a grant, until it ends.
func TestGrantsCountTogether(t *testing.T) {
	counters := &fakeCounters{answer: Counted{Allowed: true}}
	env := Env{Counters: counters, Grants: &GrantEnv{Grants: newFakeGrants(), Skew: time.Minute}, PartialSuffix: ".partial"}
	c := compile(t, grantKind(), env, `{"required": true}`)
	e := grantedFile("/in/x.mov.partial", "two")
	if got := ask(c, e); got != accept() {
		t.Errorf("it %v", got)
	}
	want := Count{Counter: "grant/two", File: "/in/x.mov", Window: time.Hour + 2*time.Minute, Files: 2}
	if diff := cmp.Diff([]Count{want}, counters.asked); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	counters.answer = Counted{Files: 3}
	if got := ask(c, e); got != refuse("2 files") {
		t.Errorf("it %v", got)
	}
	counters.err = errors.New("the engine is away")
	if got := ask(c, e); got != unsure("the engine is away") {
		t.Errorf("it %v", got)
	}
	if got := ask(c, grantedFile("/in/x.mov", "good")); got != accept() || len(counters.asked) != 3 {
		t.Errorf("a grant of any number of files %v, after %d counts", got, len(counters.asked))
	}
}

// TestQuotaIsRecalled: of a log, a quota answers as the rule of its name did.
func TestQuotaIsRecalled(t *testing.T) {
	c := compile(t, quotaKind(), Env{Policy: "p", Rule: "r"}, `{"per": "session", "files": 1}`)
	for _, tc := range []struct {
		name string
		then []RecalledQuota
		want string
	}{
		{"it passed", []RecalledQuota{{Policy: "p", Rule: "r"}}, "passes"},
		{"it refused", []RecalledQuota{{Policy: "p", Rule: "r", Refused: true, Found: "2 of 1 file"}}, "found 2 of 1 file"},
		{"it could not tell", []RecalledQuota{{Policy: "p", Rule: "r", Failed: true}}, "it could not be counted"},
		{"others were asked before", []RecalledQuota{{Policy: "p", Rule: "s", Refused: true}, {Policy: "q", Rule: "r", Refused: true}, {Policy: "p", Rule: "r"}}, "passes"},
		{"only others were asked", []RecalledQuota{{Policy: "p", Rule: "s"}}, UndecidableReasons()[UndecidableCount]},
		{"nobody was asked", nil, UndecidableReasons()[UndecidableCount]},
	} {
		e := transferred(PhaseStart)
		e.Recall = &Recall{Quotas: tc.then}
		got := "passes"
		found, err := c.Recall(e, &Facts{})
		switch {
		case err != nil:
			got = err.Error()
		case found.Err != nil:
			got = found.Err.Error()
		case found.Objection != nil:
			got = "found " + found.Objection.Found
		}
		if !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}
