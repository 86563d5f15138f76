package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// fakeGrants knows grants by their texts, and counts their files.
type fakeGrants struct {
	known map[string]*Grant
	used  map[string]bool // by grant and path
	fails error
}

func (f *fakeGrants) Verify(text string) (*Grant, error) {
	if g := f.known[text]; g != nil {
		return g, nil
	}
	return nil, ErrForged
}

func (f *fakeGrants) Use(g *Grant, path string, _ time.Time) (bool, error) {
	count := 0
	for key := range f.used {
		if id, _, _ := strings.Cut(key, " "); id == g.ID {
			count++
		}
	}
	if key := g.ID + " " + path; !f.used[key] && f.fails == nil {
		f.used[key], count = true, count+1
	}
	return count <= g.MaxFiles, f.fails
}

// grantDay is when the events of these tests arrive.
func grantDay() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// newFakeGrants returns grants of everything for uploads by ann for two hours
// around grantDay, but for what their names say.
func newFakeGrants() *fakeGrants {
	f := &fakeGrants{known: map[string]*Grant{}, used: map[string]bool{"used /before": true}}
	day := grantDay()
	for name, change := range map[string]func(*Grant){
		"good":      func(*Grant) {},
		"early":     func(g *Grant) { g.Issued = day.Add(time.Hour) },
		"expired":   func(g *Grant) { g.Expires = day.Add(-time.Hour) },
		"guest's":   func(g *Grant) { g.User = "guest-" },
		"download":  func(g *Grant) { g.Direction = Download },
		"elsewhere": func(g *Grant) { g.Roots, g.Paths = []string{"/elsewhere"}, []string{"/in/y.mov"} },
		"file":      func(g *Grant) { g.Roots, g.Paths = nil, []string{"/in/x.mov"} },
		"folder":    func(g *Grant) { g.Roots = []string{"/in"} },
		"small":     func(g *Grant) { g.MaxSize = 10 },
		"used":      func(g *Grant) { g.MaxFiles = 1 },
		"two":       func(g *Grant) { g.MaxFiles = 2 },
	} {
		g := &Grant{ID: name, Client: "portal", User: "ann", Direction: Upload, Roots: []string{"/"}, Issued: day.Add(-time.Hour), Expires: day.Add(time.Hour)}
		change(g)
		f.known[name] = g
	}
	return f
}

// grantedFile is an event whose tags carry a grant.
func grantedFile(path, text string, change ...func(*Event)) *Event {
	return file(path, append([]func(*Event){func(e *Event) {
		e.Received, e.User, e.Size = grantDay(), "ann", Known(11)
		raw, _ := json.Marshal(map[string]any{"aspera": 1, "sluice": map[string]any{"grant": text}})
		e.Tags.Raw = string(raw)
	}}, change...)...)
}

func tags(raw string) func(*Event) { return func(e *Event) { e.Tags.Raw = raw } }

// TestGrantRefuses tells each reason, and that each is its own.
func TestGrantRefuses(t *testing.T) {
	at := func(since time.Duration) func(*Event) {
		return func(e *Event) { e.Received = grantDay().Add(since) }
	}
	size := func(n int64) func(*Event) { return func(e *Event) { e.Size = Known(n) } }
	windows := func(e *Event) { e.File = ParsePath(`C:\in\x.mov`) }
	const none, forged = "This transfer carries no grant of this server. Start it from the portal that asks for its token.",
		"This transfer's grant was not made by this server, or has been altered. Ask for a new token."
	seen := map[string]bool{}
	for _, tc := range []struct {
		name   string
		event  *Event
		reason string // or nothing
		text   string // of the refusal
	}{
		{"a grant of all", grantedFile("/in/x.mov", "good"), "", ""},
		{"tags in a string", grantedFile("/in/x.mov", "", tags(`"{\"sluice\":{\"grant\":\"good\"}}"`)), "", ""},
		{"no tags", grantedFile("/in/x.mov", "", tags("")), "missing", none},
		{"tags without a grant", grantedFile("/in/x.mov", "", tags(`{"aspera":{}}`)), "missing", none},
		{"an empty grant", grantedFile("/in/x.mov", ""), "missing", none},
		{"null", grantedFile("/in/x.mov", "", tags(`{"sluice":{"grant":null}}`)), "missing", none},
		{"no object around it", grantedFile("/in/x.mov", "", tags(`{"sluice":"good"}`)), "missing", none},
		{"tags that cannot be read", grantedFile("/in/x.mov", "", tags(`{{"sluice"`)), "missing", none},
		{"a grant given twice", grantedFile("/in/x.mov", "", tags(`"{\"sluice\":{\"grant\":\"good\",\"grant\":\"good\"}}"`)), "missing", none},
		{"a grant that is no text", grantedFile("/in/x.mov", "", tags(`{"sluice":{"grant":["good"]}}`)), "forged", forged},
		{"an altered grant", grantedFile("/in/x.mov", "good."), "forged", forged},
		{"an hour early", grantedFile("/in/x.mov", "early"), "not_yet_valid", "This transfer's grant does not hold before 2026-11-23 13:00:00 UTC. Try again then, or tell the server's administrator."},
		{"early by less than clocks differ", grantedFile("/in/x.mov", "early", at(59*time.Minute+30*time.Second)), "", ""},
		{"an hour late", grantedFile("/in/x.mov", "expired"), "expired", "This transfer's grant expired at 2026-11-23 11:00:00 UTC. Ask for a new token."},
		{"late by what clocks differ", grantedFile("/in/x.mov", "good", at(time.Hour+time.Minute)), "", ""},
		{"late by a moment more", grantedFile("/in/x.mov", "good", at(time.Hour+time.Minute+1)), "expired", "This transfer's grant expired at 2026-11-23 13:00:00 UTC. Ask for a new token."},
		{"copied to another user", grantedFile("/in/x.mov", "good", func(e *Event) { e.User = "bob" }), "user", "This transfer's grant is for the user ann, not for bob. Ask for a token of your own."},
		{"the other direction", grantedFile("/in/x.mov", "good", func(e *Event) { e.Direction = Download }), "direction", "This transfer's grant is for uploads only. Ask for a token for the other direction."},
		{"another folder", grantedFile("/in/x.mov", "elsewhere"), "path", "This transfer's grant does not cover /in/x.mov. Ask for a token for it."},
		{"the one file", grantedFile("/in/x.mov", "file"), "", ""},
		{"the one file, not finished", grantedFile("/in/x.mov.PARTIAL", "file"), "", ""},
		{"the one file, encrypted by the client", grantedFile("/in/x.mov.aspera-env.partial", "file"), "", ""},
		{"another file in its folder", grantedFile("/in/y.mov", "file"), "path", "This transfer's grant does not cover /in/y.mov. Ask for a token for it."},
		{"a file below the one", grantedFile("/in/x.mov/y", "file"), "path", "This transfer's grant does not cover /in/x.mov/y. Ask for a token for it."},
		{"in the folder", grantedFile("/in/a/b/x.mov", "folder"), "", ""},
		{"the folder itself", grantedFile("/in", "folder"), "", ""},
		{"a folder whose name begins alike", grantedFile("/in2/x.mov", "folder"), "path", "This transfer's grant does not cover /in2/x.mov. Ask for a token for it."},
		{"out of the folder", grantedFile("/in/../x.mov", "good"), "path", "This transfer's grant does not cover /in/../x.mov. Ask for a token for it."},
		{"not plain", grantedFile("/in//x.mov", "good"), "path", "This transfer's grant does not cover /in//x.mov. Ask for a token for it."},
		{"object storage", grantedFile("s3://K:S@bucket/in/x.mov", "good"), "path", "This transfer's grant does not cover s3://***@bucket/in/x.mov. Ask for a token for it."},
		{"a path of Windows outside of any docroot", grantedFile("", "good", windows), "path", `This transfer's grant does not cover C:\in\x.mov. Ask for a token for it.`},
		{"as large as granted", grantedFile("/in/x.mov", "small", size(10)), "", ""},
		{"larger than granted", grantedFile("/in/x.mov", "small"), "size", "x.mov is larger than this transfer's grant allows: 11 B of 10 B. Ask for a token that allows more."},
		{"grown above that", grantedFile("/in/x.mov", "small", size(5), func(e *Event) { e.BytesWritten = Known(11) }), "size", "x.mov is larger than this transfer's grant allows: 11 B of 10 B. Ask for a token that allows more."},
		{"one file too many", grantedFile("/in/x.mov", "used"), "files", "This transfer's grant is for 1 file, and x.mov is one more. Ask for a new token."},
		{"when a token is asked for", grantedFile("/in/x.mov", "", tags(""), func(e *Event) { e.Phase = PhaseRequest }), "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			env := Env{PartialSuffix: ".partial", Grants: &GrantEnv{Grants: newFakeGrants(), Skew: time.Minute}}
			c := compile(t, grantKind(), env, `{"required": true, "max_life": "8h"}`)
			o, err := c.Check(t.Context(), tc.event)
			if err != nil || (o == nil) != (tc.reason == "") {
				t.Fatalf("got %+v, %v", o, err)
			}
			if o == nil {
				return
			}
			seen[o.Reason] = true
			if got := ruleOf(grantKind(), env, c).render(tc.event, o); o.Reason != tc.reason || got != tc.text {
				t.Errorf("%s: %s\nwant %s: %s", o.Reason, got, tc.reason, tc.text)
			}
		})
	}
	for _, reason := range GrantReasons() {
		if !seen[reason] {
			t.Errorf("nothing is refused with the reason %q", reason)
		}
	}
	if len(seen) != len(GrantReasons()) {
		t.Errorf("the reasons %v are not all among %v", seen, GrantReasons())
	}
}

// TestGrantCannotTell without keys, and about an event that lacks what it needs.
func TestGrantCannotTell(t *testing.T) {
	broken := newFakeGrants()
	broken.fails = errors.New("the count is lost")
	for _, tc := range []struct {
		name  string
		env   *GrantEnv
		event *Event
		want  answer
	}{
		{"no configuration", nil, grantedFile("/in/x", "good"), unsure("grants are not configured, so none can be verified")},
		{"no grants", &GrantEnv{}, grantedFile("/in/x", "good"), unsure("grants are not configured, so none can be verified")},
		{"no user", &GrantEnv{Grants: newFakeGrants()}, grantedFile("/in/x", "good", func(e *Event) { e.User = "" }), lacks("user")},
		{"no direction", &GrantEnv{Grants: newFakeGrants()}, grantedFile("/in/x", "good", func(e *Event) { e.Direction = DirectionUnknown }), lacks("direction")},
		{"a size and no path", &GrantEnv{Grants: newFakeGrants()}, grantedFile("", "good"), lacks("file")},
		{"no size, and a limit", &GrantEnv{Grants: newFakeGrants()}, grantedFile("/in/x", "small", func(e *Event) { e.Size = Number{} }), lacks("size")},
		{"no size, and no limit", &GrantEnv{Grants: newFakeGrants()}, grantedFile("/in/x", "good", func(e *Event) { e.Size = Number{} }), accept()},
		{"a session", &GrantEnv{Grants: newFakeGrants()}, grantedFile("", "elsewhere", func(e *Event) { e.Size = Number{} }), accept()},
		{"a session of somebody else", &GrantEnv{Grants: newFakeGrants()}, grantedFile("", "good", func(e *Event) { e.Size, e.User = Number{}, "bob" }), refuse("ann")},
		{"a count that fails", &GrantEnv{Grants: broken}, grantedFile("/in/x", "two"), unsure("the count is lost")},
	} {
		c := compile(t, grantKind(), Env{Grants: tc.env}, `{"required": true}`)
		if got := ask(c, tc.event); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

// TestGrantStripsTheDocroot of the user from the paths of events.
func TestGrantStripsTheDocroot(t *testing.T) {
	for _, tc := range []struct {
		docroot, path, grant string
		want                 answer
	}{
		{"/srv/xfer", "/srv/xfer/in/x.mov", "folder", accept()},
		{"/srv/xfer", "/srv/xfer/in/x.mov", "file", accept()},
		{"/srv/xfer", "/srv/xfer", "good", accept()},
		{"/srv/xfer", "/srv/xfer", "folder", refuse("/srv/xfer")},
		{"/srv/xfer", "/in/x.mov", "folder", refuse("/in/x.mov")},
		{"/srv/xfer", "/srv/xfer2/in/x.mov", "good", refuse("/srv/xfer2/in/x.mov")},
		{"/srv/xfer", "/srv/xferin/x.mov", "good", refuse("/srv/xferin/x.mov")},
		{"C:/data", `C:\data\in\x.mov`, "file", accept()},
		{"/", "/in/x.mov", "file", accept()},
		{"", "/in/x.mov", "file", accept()},
		{"", "in/x.mov", "good", refuse("in/x.mov")},
		{"s3://bucket/xfer", "s3://K:S@bucket/xfer/in/x.mov", "file", accept()},
		{"s3://bucket/xfer", "s3://bucket/in/x.mov", "good", refuse("s3://bucket/in/x.mov")},
		{"/bucket", "s3://bucket/in/x.mov", "good", refuse("s3://bucket/in/x.mov")},
	} {
		env := Env{Grants: &GrantEnv{Grants: newFakeGrants(), Docroot: func(user string) string {
			if user != "ann" {
				t.Errorf("the docroot of %q is asked for", user)
			}
			return tc.docroot
		}}}
		if got := ask(compile(t, grantKind(), env, `{"required": true}`), grantedFile(tc.path, tc.grant)); got != tc.want {
			t.Errorf("%s in %s by %q: %v, want %v", tc.path, tc.docroot, tc.grant, got, tc.want)
		}
	}
}

// TestGrantCountsAFileOnce, whatever its phase and however its name ends while it
// moves.
func TestGrantCountsAFileOnce(t *testing.T) {
	env := Env{PartialSuffix: ".partial", Grants: &GrantEnv{Grants: newFakeGrants()}}
	c := compile(t, grantKind(), env, `{"required": true}`)
	for i, step := range []struct {
		path  string
		phase Phase
		want  answer
	}{
		{"/in/a.partial", PhaseStart, accept()},
		{"/in/a.partial", PhaseRunning, accept()},
		{"/in/b", PhaseStart, accept()},
		{"/in/a", PhaseStop, accept()},
		{"/in/c", PhaseStart, refuse("2 files")},
	} {
		e := grantedFile(step.path, "two", func(e *Event) { e.Phase = step.phase })
		if got := ask(c, e); got != step.want {
			t.Errorf("step %d, %s: %v, want %v", i, step.path, got, step.want)
		}
	}
}

func TestGrantSettings(t *testing.T) {
	for _, tc := range []struct {
		settings string
		limits   GrantLimits
		never    PhaseSet
	}{
		{`{"required": true}`, GrantLimits{}, Phases(PhaseRequest)},
		{`{"required": true, "max_life": "8h"}`, GrantLimits{MaxLife: 8 * time.Hour}, 0},
		{`{"max_size": "500 GiB"}`, GrantLimits{MaxSize: 500 << 30}, TransferPhases},
		{`{"required": false, "max_files": 1000, "max_size": 5}`, GrantLimits{MaxFiles: 1000, MaxSize: 5}, TransferPhases},
	} {
		c := compile(t, grantKind(), Env{}, tc.settings)
		if c.Limits != tc.limits || c.Scope.Never != tc.never || (c.Scope.Why == "") != (tc.never == 0) {
			t.Errorf("%s: limits %+v, never on %s", tc.settings, c.Limits, c.Scope.Never)
		}
		r := Rule{Limits: c.Limits, Phases: EveryPhase &^ c.Scope.Never}
		if r.OnlyLimits() != (tc.never == TransferPhases) {
			t.Errorf("%s only limits: %v", tc.settings, r.OnlyLimits())
		}
	}
	judgeMistakes(t, grantKind(), Env{}, []slip{
		{`{"required": false}`, []string{"/required: this asks for nothing and limits nothing; write `required: true`, or add max_life, max_size or max_files"}},
		{`{"max_life": "7d", "max_size": "5 Gb"}`, []string{
			`/max_life: "7d" is not a time such as 30m or 8h, up to 720h; did you mean "168h"?`, `/max_size: "5 Gb" counts bits, and sizes are in bytes; did you mean "5 GB"?`,
		}},
		{`{"max_life": "721h"}`, []string{`/max_life: "721h" is not a time such as 30m or 8h, up to 720h`}},
		{`{"max_size": 0}`, []string{`/max_size: with 0 no file but an empty one could be transferred; leave it out to limit nothing`}},
	})
	judgeSchema(t, grantKind(), `{}`, `{"required": "yes"}`, `{"max_life": 8}`, `{"max_size": true}`, `{"max_files": 0}`, `{"max_files": "9"}`, `{"max_files": 1000001}`, `{"roots": ["/"]}`)
}

// FuzzFindGrant holds the search against a parser: of tags that can be read it
// finds what is there, or is not sure.
func FuzzFindGrant(f *testing.F) {
	for _, tags := range []string{
		`{"sluice":{"grant":"x"}}`, ` { "a" : [1, {"sluice":2}, "}\""], "sluice" : { "b":null , "grant" : "x\y" } , "c":true}`, `{}`, `{"sluice":{}}`,
		`{"sluice":"grant"}`, `{"sluice":{"grant":5}}`, `{"sluice":{"grant":""}}`, `{"sl\u0075ice":{"grant":"x"}}`, `{"a":-1.5e3,"sluice":{"grant":null}}`, `"{}"`, "", "{", `{"a`, `{"sluice":`,
	} {
		f.Add(tags)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		found, sure := findGrant(raw)
		tags := Tags{Raw: raw}
		tree, err := tags.Value()
		if !sure || err != nil {
			return
		}
		ours, _ := tree["sluice"].(map[string]any)
		if want, _ := ours["grant"].(string); found != want || found == "" && ours["grant"] != nil && ours["grant"] != "" {
			t.Fatalf("%q has the grant %q, and %q was found", raw, ours["grant"], found)
		}
	})
}

// TestSawGrant names a grant, and shows nothing of its text.
func TestSawGrant(t *testing.T) {
	with := compile(t, grantKind(), Env{Grants: &GrantEnv{Grants: newFakeGrants()}}, `{"required": true}`).Saw
	without := compile(t, grantKind(), Env{}, `{"required": true}`).Saw
	for _, tc := range []struct {
		name string
		saw  func(*Event) string
		text string
		want string
	}{
		{"a grant", with, "good", "grant good of portal, until 2026-11-23 13:00:00 UTC"},
		{"a forged one", with, "secret", "a grant that is not ours"},
		{"none", with, "", ""},
		{"no keys", without, "good", "a grant"},
	} {
		if got := tc.saw(grantedFile("/x", tc.text)); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// TestWhatAGrantCovers: a covered path is in the list or below a root, as its
// segments tell, and has no "..".
func TestWhatAGrantCovers(t *testing.T) {
	segment := rapid.SampledFrom([]string{"a", "b", "ab", "..", ".", "", "*", "a*", "x.partial", "..partial", "\x00"})
	path := rapid.Map(rapid.SliceOfN(segment, 0, 4), func(s []string) string { return "/" + strings.Join(s, "/") })
	plain := rapid.Custom(func(t *rapid.T) string {
		return ParsePath(path.Draw(t, "path")).Slash
	})
	covered, not := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		g := &Grant{Roots: rapid.SliceOfN(plain, 0, 2).Draw(t, "roots"), Paths: rapid.SliceOfN(plain, 0, 2).Draw(t, "paths")}
		p := rapid.OneOf(path, rapid.SampledFrom(append(g.Paths, "/"))).Draw(t, "path")
		segments := strings.Split(p, "/")
		want := slices.Contains(g.Paths, p)
		for _, root := range g.Roots {
			in := strings.Split(strings.TrimSuffix(root, "/"), "/")
			want = want || len(segments) >= len(in) && slices.Equal(segments[:len(in)], in)
		}
		if p != "/" && slices.ContainsFunc(segments[1:], func(s string) bool { return s == "" || s == "." || s == ".." }) || strings.Contains(p, "\x00") {
			want = false
		}
		if got := g.Covers(p); got != want {
			t.Fatalf("%+v covers %q: %v", g, p, got)
		}
		if want {
			covered++
		} else {
			not++
		}
	})
	if covered < 10 || not < 10 {
		t.Errorf("%d covered, %d not: too few of one to tell", covered, not)
	}
}

// TestNothingThatLeadsUpIsEverGranted, whatever an event's path is: what passes a
// grant of a folder is a plain path below the docroot and the folder.
func TestNothingThatLeadsUpIsEverGranted(t *testing.T) {
	f := newFakeGrants()
	c := compile(t, grantKind(), Env{PartialSuffix: ".partial", Grants: &GrantEnv{Grants: f, Docroot: func(string) string { return "/srv" }}}, `{"required": true}`)
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SampledFrom([]string{"/srv/in/", "/srv/in/", "/srv/", "/", "", `C:\srv\in\`, "s3://srv/in/"}).Draw(t, "before") +
			strings.Join(rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom([]string{"a", "..", ".", "", "..partial", "...partial", "x.aspera-env", "in", "srv"}), rapid.String()), 0, 4).Draw(t, "segments"), "/")
		if raw == "" {
			return
		}
		e := grantedFile(raw, "folder")
		switch got := ask(c, e); {
		case got == refuse(e.File.Shown()):
		case got == accept():
			accepted++
			if raw != "/srv/in" && !strings.HasPrefix(bareOf(raw, ".partial"), "/srv/in/") && bareOf(raw, ".partial") != "/srv/in" || slices.Contains(strings.Split(raw, "/"), "..") {
				t.Fatalf("%q is granted", raw)
			}
		default:
			t.Fatalf("%q: %v", raw, got)
		}
	})
	if accepted < 5 {
		t.Errorf("only %d paths were granted: too few to tell", accepted)
	}
}

// BenchmarkGrant is a usual event with the grant of a hundred files, whose
// verification is remembered: the tags are parsed, the last path covers it.
func BenchmarkGrant(b *testing.B) {
	f := newFakeGrants()
	g := f.known["file"]
	for i := range 99 {
		g.Paths = append([]string{fmt.Sprintf("/in/reel-%d.mov", i)}, g.Paths...)
	}
	text := strings.Repeat("x", 8<<10) // As long as such a grant is.
	f.known[text] = g
	c, err := grantKind().Compile(Env{Grants: &GrantEnv{Grants: f}}, settings(`{"required": true}`))
	if err != nil {
		b.Fatal(err)
	}
	for _, length := range []int{600, len(text)} {
		f.known[text[:length]] = g
		event := grantedFile("/in/x.mov", text[:length])
		b.Run(fmt.Sprintf("grant=%dB", length), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e := *event
				if o, err := c.Check(b.Context(), &e); o != nil || err != nil {
					b.Fatal(o, err)
				}
			}
		})
	}
}

// TestGrantReasonReachesTheDecision.
func TestGrantReasonReachesTheDecision(t *testing.T) {
	env := Env{Grants: &GrantEnv{Grants: newFakeGrants()}}
	r := ruleOf(grantKind(), env, compile(t, grantKind(), env, `{"required": true}`))
	e := grantedFile("/in/x.mov", "expired")
	d := Begin(e, "r")
	if !(Chain{r}).Ask(t.Context(), e, &d) || len(d.Steps) != 1 {
		t.Fatalf("%+v", d)
	}
	want := &Detail{Reason: "expired", Saw: "2026-11-23 11:00:00 UTC", Verdict: d.Verdict}
	if diff := cmp.Diff(want, d.Steps[0].Detail); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
