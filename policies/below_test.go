package policies_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

// said is what a decision says in a word or two.
func said(d *rules.Decision) string {
	if d.Rule != "" {
		return string(d.Code) + " " + d.Policy + "/" + d.Rule
	}
	return strings.TrimSpace(string(d.Code) + " " + d.Policy)
}

// TestFoldersOfTokenRequests: what is granted for a folder is granted for all of
// it.
func TestFoldersOfTokenRequests(t *testing.T) {
	const rule = "rules:\n  - {name: r, path: {deny: [/in/secret/**]}}\n"
	const names = "rules:\n  - {name: r, extension: {allow: [mov]}}\n  - {name: s, filename: {forbid: [leading-dot]}}\n"
	for _, tc := range []struct {
		name, policies, folder, want string
		applied                      int
	}{
		{"a policy of everything", policy("p", rule), "/in/open", "", 1},
		{"a policy of everything objects", policy("p", rule), "/in", "1020 p/r", 1},
		{"a policy of the folder", policy("p", "applies_to: {path: [/in/**]}\n", rule), "/in/open", "", 1},
		{"a policy of a folder above", policy("p", "applies_to: {path: [/**]}\n", rule), "/in/open", "", 1},
		{"a policy of a part", policy("p", "applies_to: {path: [/in/open/a/**]}\n", rule), "/in/open", "1000", 0},
		{"a policy of each folder in it", policy("p", "applies_to: {path: [\"/in/open/*/**\"]}\n", rule), "/in/open", "1000", 0},
		{"a policy of a part objects", policy("p", "applies_to: {path: [/in/secret/a/**]}\n", rule), "/in", "1020 p/r", 0},
		{"a policy of another folder", policy("p", "applies_to: {path: [/out/**]}\n", rule), "/in/open", "1000", 0},
		{"names are not asked", policy("p", names), "/in/.x.exe", "", 1},
		{"a policy of another user", policy("p", "applies_to: {user: [bob]}\n", rule), "/in", "1000", 0},
		{"a shadowed policy makes up for nothing", policy("p", "mode: shadow\n", rule), "/in/open", "1000", 0},
		{"a policy of clients", policy("p", "applies_to: {client_ip: [10.0.0.0/8]}\n", rule), "/in", "", 1},
		{"a policy of clients and the folder", policy("p", "applies_to: {client_ip: [10.0.0.0/8], path: [/in/**]}\n", rule), "/in", "", 1},
		{"a policy of clients and a part", policy("p", "applies_to: {client_ip: [10.0.0.0/8], path: [/in/a/**]}\n", rule), "/in", "1000", 0},
		{"what leads elsewhere", policy("p", "applies_to: {path: [/in/**]}\n", rule), "/in/../x", "1005 p", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := compile(t, set("p.yaml", tc.policies))
			e := transfer("")
			requestedBelow(tc.folder)(&e)
			if d := decide(s, e); said(&d) != tc.want || d.Applied != tc.applied {
				t.Errorf("%q with %d applied, want %q with %d", said(&d), d.Applied, tc.want, tc.applied)
			}
		})
	}
}

// TestWhatIsNotKnownOnRequest: policies by client and host let a request pass,
// and count as policies that apply, whatever the event says of either.
func TestWhatIsNotKnownOnRequest(t *testing.T) {
	const rule = "rules:\n  - {name: r, path: {deny: [/**]}}\n"
	for _, tc := range []struct {
		appliesTo, want string
		applied         int
	}{
		{"{client_ip: [10.0.0.0/8]}", "", 1},
		{"{host: [hst-*]}", "", 1},
		{"{host: [hst-*], client_ip: [10.0.0.0/8], path: [/in/**], direction: [upload]}", "", 1},
		{"{client_ip: [10.0.0.0/8], path: [/out/**]}", "1000", 0},
		{"{client_ip: [10.0.0.0/8], direction: [download]}", "1000", 0},
		{"{client_ip: [10.0.0.0/8], user: [ann]}", "", 1},
	} {
		for _, change := range []func(*rules.Event){func(*rules.Event) {}, func(e *rules.Event) { client("10.1.2.3")(e); e.Host = "hst-1" }, func(e *rules.Event) { client("192.0.2.1")(e); e.Host = "x" }} {
			s := compile(t, set("p.yaml", policy("p", "applies_to: "+tc.appliesTo+"\n", rule)))
			e := transfer("")
			requested("/in/a.mov")(&e)
			change(&e)
			if d := decide(s, e); said(&d) != tc.want || d.Applied != tc.applied {
				t.Errorf("%s: %q with %d applied, want %q with %d", tc.appliesTo, said(&d), d.Applied, tc.want, tc.applied)
			}
		}
	}
	s := compile(t, set("p.yaml", policy("p", "applies_to: {client_ip: [10.0.0.0/8], user: [ann]}\n", rule)))
	e := transfer("")
	requested("/in/a.mov")(&e)
	e.User = ""
	d := decide(s, e)
	if missing := (rules.MissingError{}); said(&d) != "1005 p" || !errors.As(d.Err, &missing) || missing.Field != "user" {
		t.Errorf("%q: %v", said(&d), d.Err)
	}
}

// TestAFolderIsGrantedOnlyIfEveryPathInItIs: by policies that select by path and
// rules about paths, whatever a folder is given for, each path in it is accepted
// when it is asked for by itself.
func TestAFolderIsGrantedOnlyIfEveryPathInItIs(t *testing.T) {
	names := []string{"a", "b", "ab", "c[1]"}
	segment := rapid.SampledFrom([]string{"a", "b", "*", "**", "**", "a*", "{a,b}", "c[[]1]"})
	glob := rapid.Map(rapid.SliceOfN(segment, 0, 3), func(s []string) string {
		return "/" + strings.Join(append(s, "**"), "/") // A bare name is refused.
	})
	ending := rapid.Map(rapid.SliceOfN(segment, 1, 3), func(s []string) string { return "/" + strings.Join(append(s, "*.x"), "/") })
	globs := rapid.Map(rapid.SliceOfNDistinct(rapid.OneOf(glob, glob, glob, ending), 1, 2, rapid.ID[string]), func(s []string) string {
		return `["` + strings.Join(s, `", "`) + `"]`
	})
	path := rapid.SliceOfN(rapid.SampledFrom(append(names, "n.x")), 0, 3)
	granted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		files := set()
		for i := range rapid.IntRange(1, 4).Draw(t, "policies") {
			name := fmt.Sprintf("p%d", i)
			text := []string{}
			if rapid.IntRange(0, 3).Draw(t, "selects") > 0 {
				text = append(text, "applies_to: {path: "+globs.Draw(t, "applies to")+"}\n")
			}
			if rapid.IntRange(0, 4).Draw(t, "mode") == 0 {
				text = append(text, "mode: shadow\n")
			}
			rule := "allow: " + globs.Draw(t, "allow")
			if rapid.Bool().Draw(t, "denies") {
				rule = "deny: " + globs.Draw(t, "deny")
			}
			files[name+".yaml"] = set("f", policy(name, append(text, "rules:\n  - {name: r, path: {"+rule+"}}\n")...))["f"]
		}
		s, err := policies.Compile(files, policies.Options{Kinds: rules.Builtin(), AcceptByDefault: rapid.IntRange(0, 3).Draw(t, "default") == 0})
		if err != nil {
			return // Something in it can never be reached.
		}
		for range 10 {
			folder := "/" + strings.Join(path.Draw(t, "folder"), "/")
			e := transfer("")
			requestedBelow(folder)(&e)
			if d := decide(s, e); !d.Accepted() {
				refused++
				continue
			}
			granted++
			for range 20 {
				file := strings.TrimSuffix(strings.TrimSuffix(folder, "/")+"/"+strings.Join(path.Draw(t, "below"), "/"), "/")
				if file == "" {
					file = "/"
				}
				e := transfer("")
				requested(file)(&e)
				if d := decide(s, e); !d.Accepted() {
					t.Fatalf("%s is granted, and %s in it is refused: %s", folder, file, said(&d))
				}
			}
		}
	})
	if granted < 20 || refused < 20 {
		t.Errorf("%d granted, %d refused: too few of one to tell", granted, refused)
	}
}

// TestGrantsOfTests: what a grant of a test says is what the rule finds.
func TestGrantsOfTests(t *testing.T) {
	s, err := policies.Compile(set("p.yaml", policy("p", "rules:\n  - {name: g, grant: {required: true}}\n")),
		policies.Options{Kinds: rules.Builtin(), Env: rules.Env{Grants: policies.StandInGrants(), Counters: policies.StandInCounters()}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ event, reason, saw string }{
		{"{grant: valid}", "", "grant test-grant-used-0, until 2024-01-01 13:00:00 UTC"},
		{"{grant: valid, tags: {project: film}}", "", "grant test-grant-used-0, until 2024-01-01 13:00:00 UTC"},
		{"{grant: valid, tags: rubbish}", "missing", ""},
		{"{tags: {sluice: {grant: rubbish}}}", "forged", "a grant that is not ours"},
		{"{grant: {client: portal, forged: true}}", "forged", "a grant that is not ours"},
		{"{grant: {client: portal}}", "", "grant test-grant-used-0 of portal, until 2024-01-01 13:00:00 UTC"},
		{"{grant: {expired: true}}", "expired", "2024-01-01 11:00:00 UTC"},
		{"{grant: {early: true}}", "not_yet_valid", "2024-01-01 13:00:00 UTC"},
		{"{grant: {expired: true}, time: \"2026-01-01T00:00:00Z\"}", "expired", "2025-12-31 23:00:00 UTC"},
		{"{grant: {user: bob}}", "user", "bob"},
		{"{grant: {direction: download}}", "direction", "downloads"},
		{"{grant: {roots: [/out]}}", "path", "/in/a.mov"},
		{"{grant: {paths: [/in/a.mov]}}", "", "grant test-grant-used-0, until 2024-01-01 13:00:00 UTC"},
		{"{grant: {max_size: 1}}", "size", "2 B of 1 B"},
		{"{grant: {max_files: 2, used: 1}}", "", "grant test-grant-used-1, until 2024-01-01 13:00:00 UTC"},
		{"{grant: {max_files: 2, used: 2}}", "files", "2 files"},
		{"{path: null, size: null, grant: {roots: [/out]}}", "", "grant test-grant-used-0, until 2024-01-01 13:00:00 UTC"},
	} {
		r := oneCase(t, s, "defaults: {user: ann, direction: upload, path: /in/a.mov, size: 2}\n", "    event: "+tc.event+"\n    accept: true\n").Run(t.Context(), s)
		if len(r.Decision.Steps) != 1 {
			t.Errorf("%s: %+v", tc.event, r.Decision)
			continue
		}
		step, reason := r.Decision.Steps[0], ""
		if step.Detail != nil {
			reason = step.Detail.Reason
		}
		if got := step.Saw(r.Event); reason != tc.reason || got != tc.saw || r.Decision.Accepted() != (reason == "") {
			t.Errorf("%s: %q, saw %q; want %q, %q", tc.event, reason, got, tc.reason, tc.saw)
		}
	}
}

// TestFoldersOfTests: a slash at the end of a path is a folder, on request only.
func TestFoldersOfTests(t *testing.T) {
	s := testedSet(t)
	for _, tc := range []struct {
		event string
		path  string
		below bool
	}{
		{"{phase: request, path: /in/a/}", "/in/a", true},
		{"{phase: request, path: /}", "/", true},
		{"{phase: request, path: /in/a}", "/in/a", false},
		{"{phase: request, path: /in//}", "/in/", true},
		{"{path: /in/a/}", "/in/a/", false},
	} {
		got := oneCase(t, s, "", "    event: "+tc.event+"\n    refuse: true\n").Run(t.Context(), s).Event
		if got.File != rules.ParsePath(tc.path) || got.Below != tc.below {
			t.Errorf("%s: %+v, below %v", tc.event, got.File, got.Below)
		}
	}
}

// TestRulesThatOnlyLimitNeedNoTest, because there is nothing that they refuse.
func TestRulesThatOnlyLimitNeedNoTest(t *testing.T) {
	s := compile(t, set("p.yaml", policy("p", "rules:\n  - {name: limits, grant: {max_life: 8h}}\n  - {name: both, grant: {required: true, max_files: 5}}\n")))
	var got []string
	for _, r := range policies.Uncovered(s, nil) {
		got = append(got, r.Name)
	}
	if diff := cmp.Diff([]string{"both"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLimitsThatLimitNothing are mistakes: a rule that is not asked on request, or
// whose policy is not.
func TestLimitsThatLimitNothing(t *testing.T) {
	const grant = "rules:\n  - {name: g, grant: {required: true, max_life: 8h}"
	for _, tc := range []struct {
		text string
		want []string
	}{
		{policy("p", grant+", on: [start]}\n"), []string{"p.yaml:4:15: this rule limits what is granted on request, but it is not asked then; ask it on request too, or make two rules of it"}},
		{policy("p", grant+", when: event.size > 5}\n"), []string{"p.yaml:4:15: this rule limits what is granted on request, but it is not asked then; ask it on request too, or make two rules of it"}},
		{policy("p", "applies_to: {client_ip: [10.0.0.0/8]}\n", grant+"}\n"), []string{
			`p.yaml:5:15: rule "g" can never limit what is granted: its policy applies by client_ip, and a token is asked for by the portal, so the client's address is not known then; leave the limits out here, or client_ip out of applies_to`,
		}},
		{policy("p", "applies_to: {host: [hst]}\nrules:\n  - {name: g, grant: {max_life: 8h}}\n"), []string{
			`p.yaml:3:14: policy "p" can never decide anything: it applies by host, and its rules are asked on request only, but a token is asked for before a transfer, so the Aspera server is not known then; leave host out, or ask the rules on start`,
		}},
		{policy("p", "rules:\n  - {name: g, grant: {required: true}, on: [request, start]}\n"), []string{
			"p.yaml:4:45: grant can never be decided on request: a grant is made when a token is asked for, and there is none before; it can on start, running, stop",
		}},
		{policy("p", grant+", on: [request, start]}\n"), nil},
	} {
		_, err := policies.Compile(set("p.yaml", tc.text), policies.Options{Kinds: rules.Builtin()})
		var got []string
		if err != nil {
			got = strings.Split(err.Error(), "\n")
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s(-want +got):\n%s", tc.text, diff)
		}
	}
}

// BenchmarkFolder decides token requests for folders, by sets of which few
// policies apply.
func BenchmarkFolder(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		s, _ := benchmarkSet(b, n)
		event := transfer("")
		requestedBelow(fmt.Sprintf("/in/project-%d/reels", n/2/5*5+1))(&event)
		event.User = fmt.Sprintf("team-%d-ann", n/2/5*5+1)
		b.Run(fmt.Sprintf("policies=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e := event // An event is decided once.
				if d := decide(s, e); !d.Accepted() {
					b.Fatalf("refused: %+v", d.Verdict)
				}
			}
		})
	}
}
