package policies_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

// candidate compiles a set of one file.
func candidate(tb testing.TB, text string) *policies.Snapshot {
	tb.Helper()
	s, err := policies.Compile(fstest.MapFS{"p.yaml": {Data: []byte(text)}}, policies.Options{
		Kinds: rules.Builtin(), Env: rules.Env{Scanners: policies.StandInScanner, Grants: policies.StandInGrants(), Counters: policies.StandInCounters()},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// replayedAt is when recorded events of tests arrived: a Monday.
func replayedAt() time.Time { return time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC) }

// recordedEvent is an event of a file that has stopped.
func recordedEvent(change ...func(*rules.Event)) *rules.Event {
	e := &rules.Event{
		Phase: rules.PhaseStop, Direction: rules.Upload, User: "ann", Host: "hst", ClientIP: "203.0.113.7", Received: replayedAt(),
		ClientAddr: netip.MustParseAddr("203.0.113.7"), File: rules.ParsePath("/in/film.mov"), Size: rules.Known(1000), Recall: &rules.Recall{},
	}
	for _, c := range change {
		c(e)
	}
	return e
}

const (
	denyMov   = "{name: no-films, extension: {deny: [mov]}}"
	denyExe   = "{name: no-programs, extension: {deny: [exe]}}"
	noVideo   = `{name: no-video, content: {deny: ["video/*"]}}`
	cookie    = `{name: portal-only, expression: 'event.cookie == "a"'}`
	scanned   = "{name: scanned, scan: {with: one}}"
	weekend   = "{name: at-the-weekend, schedule: {days: [sat-sun]}}"
	workday   = "{name: on-workdays, schedule: {days: [mon-fri]}}"
	shadowed  = `{name: shadowed, mode: shadow, content: {deny: ["video/*"]}}`
	lenient   = `{name: lenient, on_error: accept, content: {deny: ["video/*"]}}`
	askingDAM = "{name: dam, webhook: {ask: dam}}"
)

// What a candidate changes about one decision.
func TestAgain(t *testing.T) {
	accepted, refused := policies.Recorded{Accepted: true}, policies.Recorded{Code: "1022", Policy: "p", Rule: "no-films"}
	video := func(e *rules.Event) {
		e.Recall.Facts = &rules.Facts{Types: []string{"video/mp4"}, Head: 10, Size: 1000}
	}
	text := func(e *rules.Event) {
		e.Recall.Facts = &rules.Facts{Types: []string{"text/plain"}, Head: 10, Size: 1000}
	}
	hides := func(fields ...string) func(*rules.Event) { return func(e *rules.Event) { e.Recall.Missing = fields } }
	for _, row := range []struct {
		name     string
		selector string
		rules    []string
		was      policies.Recorded
		event    *rules.Event
		change   policies.Change
		by, why  string
	}{
		{"still accepted", "", []string{denyExe}, accepted, recordedEvent(), policies.Unchanged, "", ""},
		{"still refused", "", []string{denyMov}, refused, recordedEvent(), policies.Unchanged, "no-films", ""},
		{"newly refused", "", []string{denyMov}, accepted, recordedEvent(), policies.NewlyRefused, "no-films", ""},
		{"newly accepted", "", []string{denyExe}, refused, recordedEvent(), policies.NewlyAccepted, "", ""},
		{"by another rule", "", []string{weekend, denyMov}, refused, recordedEvent(), policies.OtherReason, "at-the-weekend", ""},
		{"with another code", "", []string{"{name: no-films, code: X, extension: {deny: [mov]}}"}, refused, recordedEvent(), policies.OtherReason, "no-films", ""},
		{"no policy applies any more", "applies_to: {user: [bob]}", []string{denyExe}, accepted, recordedEvent(), policies.NewlyRefused, "", ""},

		{"the clock is the event's", "", []string{workday}, accepted, recordedEvent(), policies.Unchanged, "", ""},
		{"and not today's", "", []string{workday}, accepted, recordedEvent(func(e *rules.Event) { e.Received = replayedAt().Add(-24 * time.Hour) }), policies.NewlyRefused, "on-workdays", ""},

		{"content from facts", "", []string{noVideo}, accepted, recordedEvent(video), policies.NewlyRefused, "no-video", ""},
		{"other content from facts", "", []string{noVideo}, accepted, recordedEvent(text), policies.Unchanged, "", ""},
		{"content without facts", "", []string{noVideo}, accepted, recordedEvent(), policies.Undecidable, "", "p/no-video unseen"},
		{"refused then, and nobody looked", "", []string{noVideo}, refused, recordedEvent(), policies.Undecidable, "", "p/no-video unseen"},
		{"on_error is not asked", "", []string{lenient}, accepted, recordedEvent(), policies.Undecidable, "", "p/lenient unseen"},
		{"a shadowed rule decides nothing", "", []string{shadowed}, accepted, recordedEvent(), policies.Unchanged, "", ""},
		{"webhooks are not asked", "", []string{askingDAM}, accepted, recordedEvent(), policies.Undecidable, "", "p/dam remote"},

		{"a certain refusal comes first", "", []string{noVideo, denyMov}, accepted, recordedEvent(), policies.NewlyRefused, "no-films", ""},
		{"a certain refusal comes later", "", []string{cookie, denyMov}, accepted, recordedEvent(hides("cookie")), policies.NewlyRefused, "no-films", "p/portal-only hidden"},
		{"and for no known reason", "", []string{cookie, denyMov}, refused, recordedEvent(hides("cookie")), policies.ReasonUnknown, "no-films", "p/portal-only hidden"},
		{"after a scanner that was not asked", "", []string{scanned, noVideo}, accepted, recordedEvent(video), policies.NewlyRefused, "no-video", ""},

		{"what is hidden and nobody reads", "", []string{denyExe}, accepted, recordedEvent(hides("cookie")), policies.Unchanged, "", ""},
		{"what is hidden and a rule reads", "", []string{denyExe}, accepted, recordedEvent(hides("file")), policies.Undecidable, "", "p/no-programs hidden"},
		{"what is hidden and selects", "applies_to: {user: [ann]}", []string{weekend}, accepted, recordedEvent(hides("user")), policies.Undecidable, "", "hidden"},
		{"what is hidden and does not select", "applies_to: {host: [hst]}", []string{workday}, accepted, recordedEvent(hides("user")), policies.Unchanged, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			set := "version: 1\npolicy: p\n" + row.selector + "\nrules:\n"
			for _, r := range row.rules {
				set += "  - " + r + "\n"
			}
			was := row.was
			was.Event = row.event
			a := candidate(t, set).Again(t.Context(), &was)
			why := ""
			if a.Why != nil {
				if why = a.Why.Reason; a.Unasked != nil {
					why = a.Unasked.Policy + "/" + a.Unasked.Name + " " + why
				}
			}
			if a.Change != row.change || a.Decision.Rule != row.by || why != row.why {
				t.Errorf("%s by %q because %q, want %s by %q because %q", a.Change, a.Decision.Rule, why, row.change, row.by, row.why)
			}
			if a.ReasonKnown != (row.why == "") && a.Change != policies.Undecidable {
				t.Errorf("the reason is known: %v", a.ReasonKnown)
			}
		})
	}
}

const (
	replayRecorded = `version: 1
policy: ingest
applies_to: {path: ["/in/**"]}
rules:
  - {name: no-programs, extension: {deny: [exe, js]}}
  - {name: not-too-large, size: {max: 1 MiB}}
  - {name: no-video, content: {deny: ["video/*"]}}
`
	replayCandidate = `version: 1
policy: ingest
applies_to: {path: ["/in/**"]}
rules:
  - {name: no-programs, extension: {deny: [exe, js]}}
  - {name: not-too-large, size: {max: 512 KiB}}
  - {name: no-video, content: {deny: ["video/*"]}}
`
)

// someEvents returns recorded decisions of a set about random events: n of them,
// each made anew from its number, so that it can be decided twice.
func someEvents(s *policies.Snapshot, n int) func(i int) *policies.Recorded {
	return func(i int) *policies.Recorded {
		random := rand.New(rand.NewPCG(uint64(i), 1))
		e := recordedEvent(func(e *rules.Event) {
			e.File = rules.ParsePath(fmt.Sprintf("/%s/%d.%s", pick(random, "in", "in", "in", "out"), i, pick(random, "mov", "mxf", "txt", "exe")))
			e.User, e.Size = fmt.Sprintf("user-%d", random.IntN(50)), rules.Known(random.Int64N(2<<20))
			e.Received = replayedAt().Add(time.Duration(i%30) * -24 * time.Hour)
			switch random.IntN(4) {
			case 0:
				e.Recall.Facts = &rules.Facts{Types: []string{"video/mp4"}, Head: 10, Size: e.Size.Value}
			case 1, 2:
				e.Recall.Facts = &rules.Facts{Types: []string{"text/plain"}, Head: 10, Size: e.Size.Value}
			}
			if random.IntN(20) == 0 {
				e.Recall.Missing = []string{"file"}
			}
		})
		again := *e
		d := s.Decide(context.Background(), &again)
		return &policies.Recorded{ID: fmt.Sprint(i), Event: e, Accepted: d.Accepted(), Code: d.Code, Policy: d.Policy, Rule: d.Rule}
	}
}

func pick(random *rand.Rand, words ...string) string { return words[random.IntN(len(words))] }

// The report about one changed rule is what counting every decision singly gives.
func TestReplayCounts(t *testing.T) {
	const n = 20_000
	was, is := candidate(t, replayRecorded), candidate(t, replayCandidate)
	recorded := someEvents(was, n)
	replay := policies.NewReplay(is, 3)
	var want policies.ReplayTally
	var unchanged int64
	users, days, byRule := map[string]int64{}, map[string]int64{}, map[string]int64{}
	for i := range n {
		replay.Add(t.Context(), recorded(i))
		r := recorded(i)
		e, before := r.Event, r.Accepted
		// By hand: what the candidate says of an event, rule by rule.
		refused, rule, certain := false, "", true
		switch inside := e.File.Slash[:4] == "/in/"; {
		case len(e.Recall.Missing) > 0:
			certain = false
		case !inside:
			refused, rule = true, ""
		case e.File.Slash[len(e.File.Slash)-3:] == "exe":
			refused, rule = true, "no-programs"
		case e.Size.Value > 512<<10:
			refused, rule = true, "not-too-large"
		case e.Recall.Facts == nil:
			certain = false
		case e.Recall.Facts.Types[0] == "video/mp4":
			refused, rule = true, "no-video"
		}
		switch {
		case !certain:
			want.Undecidable++
		case before && refused:
			want.NewlyRefused++
			byRule["ingest/"+rule]++
		case !before && !refused:
			want.NewlyAccepted++
		case refused && rule != r.Rule:
			want.OtherReason++
		default:
			unchanged++
			continue
		}
		users[e.User]++
		days[e.Received.Format(time.DateOnly)]++
	}
	got := replay.Report()
	if diff := cmp.Diff(want, got.Changes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want.NewlyRefused == 0 || want.Undecidable == 0 || want.OtherReason == 0 {
		t.Errorf("there is nothing to count: %+v", want)
	}
	if got.Decisions != n || got.Unchanged != unchanged {
		t.Errorf("%d decisions, %d unchanged; want %d and %d", got.Decisions, got.Unchanged, n, unchanged)
	}
	for _, list := range []struct {
		name string
		want map[string]int64
		got  []policies.ReplayGroup
		of   func(*policies.ReplayGroup) int64
	}{
		{"users", users, got.Users, func(g *policies.ReplayGroup) int64 { return g.Sum() }},
		{"days", days, got.Days, func(g *policies.ReplayGroup) int64 { return g.Sum() }},
		{"rules", byRule, got.Rules, func(g *policies.ReplayGroup) int64 { return g.NewlyRefused }},
	} {
		counted := map[string]int64{}
		for i := range list.got {
			if n := list.of(&list.got[i]); n > 0 {
				counted[list.got[i].Name] = n
			}
		}
		if diff := cmp.Diff(list.want, counted); diff != "" {
			t.Errorf("%s (-want +got):\n%s", list.name, diff)
		}
	}
}

// A set that is replayed on its own decisions changes none of them that can be
// told.
func TestReplayOfItself(t *testing.T) {
	s := candidate(t, replayRecorded)
	recorded := someEvents(s, 5000)
	replay := policies.NewReplay(s, 1)
	for i := range 5000 {
		replay.Add(t.Context(), recorded(i))
	}
	r := replay.Report()
	if r.Changes.Sum() != r.Changes.Undecidable || r.Unchanged == 0 {
		t.Errorf("%+v and %d unchanged", r.Changes, r.Unchanged)
	}
}

// Examples are bounded, of each rule and of each change, and what was not asked
// is counted apart.
func TestReplayExamples(t *testing.T) {
	s := candidate(t, "version: 1\npolicy: p\nrules:\n  - "+denyMov+"\n")
	replay := policies.NewReplay(s, 2)
	for i := range 100 {
		replay.Add(t.Context(), &policies.Recorded{ID: fmt.Sprint(i), Event: recordedEvent(), Accepted: true})
		replay.Add(t.Context(), &policies.Recorded{Unasked: true})
	}
	replay.Unreadable()
	replay.Lost(7)
	r := replay.Report()
	if len(r.Examples) != 2 || r.Changes.NewlyRefused != 100 || r.Unasked != 100 || r.Unreadable != 1 || r.Lost != 7 || r.Decisions != 100 {
		t.Errorf("%+v", r)
	}
	size := int64(1000)
	want := policies.ReplayExample{
		Change: "newly_refused", ID: "0", Time: replayedAt(), Phase: "stop", User: "ann", Client: "203.0.113.7", File: "/in/film.mov", Size: &size,
		Was: policies.ReplayVerdict{Verdict: "accept"},
		Is:  &policies.ReplayVerdict{Verdict: "reject", Code: "1022", Policy: "p", Rule: "no-films", Message: r.Examples[0].Is.Message},
	}
	if diff := cmp.Diff(want, r.Examples[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// However many users there are, those with more than one in 10,000 of all changes
// are in the report, and what is lacking of a count is not more than it says.
func TestReplayForgetsOnlyTheSmall(t *testing.T) {
	s := candidate(t, "version: 1\npolicy: p\nrules:\n  - "+denyMov+"\n")
	for seed := range uint64(3) {
		random := rand.New(rand.NewPCG(seed, 1))
		replay := policies.NewReplay(s, 0)
		truth := map[string]int64{}
		const changes = 30_000
		for i := range changes {
			user := fmt.Sprintf("one-%d", i)
			if random.IntN(10) == 0 {
				user = fmt.Sprintf("often-%d", random.IntN(5))
			}
			truth[user]++
			replay.Add(t.Context(), &policies.Recorded{Event: recordedEvent(func(e *rules.Event) { e.User = user }), Accepted: true})
		}
		listed := map[string]bool{}
		for _, g := range replay.Report().Users {
			listed[g.Name] = true
			if g.Sum() > truth[g.Name] || g.Sum()+g.Uncounted < truth[g.Name] {
				t.Errorf("%s: %d and up to %d more, and %d are true", g.Name, g.Sum(), g.Uncounted, truth[g.Name])
			}
		}
		for user, n := range truth {
			if n > 100 && !listed[user] {
				t.Errorf("%s with %d changes is not listed", user, n)
			}
		}
	}
}
