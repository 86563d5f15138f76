package policies_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

// considered tells a policy's standing and why, a line a policy.
func considered(s *policies.Snapshot, e *rules.Event) (lines []string) {
	for _, c := range s.Consider(e) {
		text := c.Policy + " " + c.Standing.String()
		for i, m := range c.Why {
			text += map[bool]string{true: ": ", false: "; "}[i == 0] + m.String()
		}
		lines = append(lines, text)
	}
	return lines
}

func TestWhyAPolicyDoesNotApply(t *testing.T) {
	partners := "applies_to: {user: [partner-*]}\n"
	for _, tc := range []struct {
		name      string
		appliesTo string
		event     func(*rules.Event)
		want      string
	}{
		{"no applies_to", "", func(*rules.Event) {}, "yes"},
		{"one glob matches", partners, func(e *rules.Event) { e.User = "partner-7" }, "yes"},
		{"no glob matches", partners, func(e *rules.Event) { e.User = "guest" }, `no: user "guest" matches none of partner-*`},
		{"no user", partners, func(e *rules.Event) { e.User = "" }, "unclear: the event has no user"},
		{"a user who writes to the terminal", partners, func(e *rules.Event) { e.User = "\x1b[31mroot\n\u202e" }, `no: user "\u001b[31mroot\u000a\u202e" matches none of partner-*`},
		{
			"several keys", "applies_to: {user: [partner-*], host: [hst-eu-*, hst-us-1], direction: [download]}\n", func(e *rules.Event) { e.User, e.Host = "guest", "x" },
			`no: direction upload is not download; user "guest" matches none of partner-*; host "x" matches none of hst-eu-*, hst-us-1`,
		},
		{"a key that differs settles it, whatever is missing", "applies_to: {user: [partner-*], host: [hst]}\n", func(e *rules.Event) { e.User, e.Host = "guest", "" }, `no: user "guest" matches none of partner-*`},
		{"either direction", "applies_to: {direction: [upload, download]}\n", func(*rules.Event) {}, "yes"},
		{"no direction", "applies_to: {direction: [upload]}\n", func(e *rules.Event) { e.Direction = rules.DirectionUnknown }, "unclear: the event has no direction"},
		{"an address outside", "applies_to: {client_ip: [203.0.113.0/24, 10.1.2.3, \"2001:db8::/32\"]}\n", client("198.51.100.1"), `no: client_ip "198.51.100.1" is in none of 203.0.113.0/24, 10.1.2.3, 2001:db8::/32`},
		{"an address inside", "applies_to: {client_ip: [203.0.113.0/24]}\n", client("203.0.113.9"), "yes"},
		{"an address with a zone", "applies_to: {client_ip: [\"fe80::/10\"]}\n", client("fe80::1%eth0"), "yes"},
		{"what is no address", "applies_to: {client_ip: [203.0.113.0/24]}\n", client("portal"), `unclear: client_ip "portal" is not one that can be compared`},
		{"another folder", "applies_to: {path: [/out/**]}\n", func(*rules.Event) {}, `no: path "/in/clip.mov" matches none of /out/**`},
		{"credentials in a path", "applies_to: {path: [/out/**]}\n", func(e *rules.Event) { e.File = rules.ParsePath("s3://KEY:SECRET@b/x") }, `no: path "s3://***@b/x" matches none of /out/**`},
		{"a path that leads up", "applies_to: {path: [/in/**]}\n", func(e *rules.Event) { e.File = rules.ParsePath("/in/../x") }, `unclear: path "/in/../x" has a "..", so nobody can say where it leads`},
		{"a session", "applies_to: {path: [/in/**]}\n", func(e *rules.Event) { e.File, e.Size = rules.Path{}, rules.Number{} }, "session: the event has no path"},
		{"a session of an unknown user", "applies_to: {path: [/in/**], user: [a]}\n", func(e *rules.Event) { e.File, e.Size, e.User = rules.Path{}, rules.Number{}, "" }, "unclear: the event has no user; the event has no path"},
		{"a token request that a client's address would select", "applies_to: {client_ip: [203.0.113.0/24], host: [hst]}\n", requested("/in/clip.mov"), "request: the event has no host; the event has no client_ip"},
		{"a token request, another user", "applies_to: {client_ip: [203.0.113.0/24], user: [a]}\n", requested("/in/clip.mov"), `no: user "ann" matches none of a`},
		{"a token request of nobody", "applies_to: {client_ip: [203.0.113.0/24], user: [a]}\n", func(e *rules.Event) { requested("/in/clip.mov")(e); e.User = "" }, "unclear: the event has no user; the event has no client_ip"},
		{"a token request for a folder above", "applies_to: {path: [/in/a/**]}\n", requestedBelow("/in"), "yes"},
		{"a token request for another folder", "applies_to: {path: [/in/a/**]}\n", requestedBelow("/in/b"), `no: path "/in/b" matches none of /in/a/**`},
		{"a long list", "applies_to: {user: [a, b, c, d, e, f, g]}\n", func(e *rules.Event) { e.User = "x" }, `no: user "x" matches none of a, b, c, d, e and 2 more`},
		{"a policy that is off", "mode: \"off\"\n" + partners, func(*rules.Event) {}, "off"},
		{"a shadowed policy", "mode: shadow\n", func(*rules.Event) {}, "yes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := compile(t, set("p.yaml", policy("p", tc.appliesTo, noProgram)))
			e := transfer("/in/clip.mov")
			tc.event(&e)
			if diff := cmp.Diff([]string{"p " + tc.want}, considered(s, &e)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// client changes an event's client.
func client(text string) func(*rules.Event) {
	return func(e *rules.Event) {
		e.ClientIP = text
		e.ClientAddr, _ = netip.ParseAddr(text)
	}
}

// requested makes a token request of an event, for one path.
func requested(path string) func(*rules.Event) {
	return func(e *rules.Event) {
		e.Phase, e.User, e.File, e.Size = rules.PhaseRequest, "ann", rules.ParsePath(path), rules.Number{}
	}
}

// requestedBelow makes one for a folder and everything below it.
func requestedBelow(folder string) func(*rules.Event) {
	return func(e *rules.Event) {
		requested(folder)(e)
		e.Below = true
	}
}

func TestNoPolicyIsConsideredAboutAnEventThatCannotBeRead(t *testing.T) {
	s := compile(t, set("p.yaml", policy("p", noProgram)))
	if got := s.Consider(&rules.Event{Fault: &rules.Fault{Code: rules.CodeMalformed}}); got != nil {
		t.Errorf("%+v", got)
	}
}

// TestConsiderTellsTheRulesOfAPolicy in the order of the file, those that are
// off left out.
func TestConsiderTellsTheRulesOfAPolicy(t *testing.T) {
	s := compile(t, set("10-p.yaml", policy("p", "mode: shadow\nrules:\n  - {name: b, path: {deny: [/x/**]}}\n  - {name: c, mode: \"off\", path: {deny: [/x/**]}}\n  - {name: a, size: {max: 1}}\n")))
	e := transfer("/in/clip.mov")
	got := s.Consider(&e)[0]
	if got.File != "10-p.yaml" || got.Mode != rules.Shadow || len(got.Rules) != 2 || got.Rules[0].Name != "b" || got.Rules[1] != s.Policies[0].Rules[1] {
		t.Errorf("%+v", got)
	}
}

// TestConsiderAgreesWithTheIndex: what is explained is what decides. Every rule
// passes every event, so the steps of a decision tell which policies applied; and
// a policy in a set of its own tells its standing by its decision.
func TestConsiderAgreesWithTheIndex(t *testing.T) {
	seen := map[rules.Standing]int{}
	rapid.Check(t, func(t *rapid.T) {
		choose := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "n") }
		all, alone := fstest.MapFS{}, []*policies.Snapshot{}
		for i := range rapid.OneOf(rapid.IntRange(1, 6), rapid.IntRange(1, 6), rapid.IntRange(1, 6), rapid.IntRange(60, 70)).Draw(t, "policies") {
			w := choosePolicy(choose, i, false)
			w.rules = []wroteRule{{name: "r", kind: "session", answer: "pass"}}
			all[fmt.Sprintf("%05d.yaml", i)] = &fstest.MapFile{Data: []byte(w.yaml()), Mode: 0o644}
			if w.mode != "off" {
				w.mode = "enforce"
			}
			alone = append(alone, ofTestKinds(t, set("p.yaml", w.yaml())))
		}
		s := ofTestKinds(t, all)
		for range 10 {
			e := chooseEvent(choose, len(all))
			again := e
			list := s.Consider(&e)
			compareStandings(t, s, &again, list)
			for i, c := range list {
				seen[c.Standing]++
				got, want := standingAlone(alone[i], e), c.Standing
				if want == rules.RequestPasses {
					want = rules.SessionPasses // It decides alike.
				}
				if got == rules.NotMatched && want == rules.SessionPasses && e.Below {
					continue // It applies to a part of the folder.
				}
				if got != want && (got != rules.NotMatched || want != rules.SwitchedOff) {
					t.Fatalf("%s is considered %s (%v), and by itself decides as %s", c.Policy, want, c.Why, got)
				}
			}
		}
	})
	for standing := rules.NotMatched; standing <= rules.SwitchedOff; standing++ {
		if seen[standing] < 50 {
			t.Errorf("only %d policies are considered %q: too few to tell", seen[standing], standing)
		}
	}
}

func ofTestKinds(t *rapid.T, files fstest.MapFS) *policies.Snapshot {
	t.Helper()
	s, err := policies.Compile(files, policies.Options{Kinds: testKinds(), AcceptByDefault: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// compareStandings holds a decision of the whole set against what is considered.
func compareStandings(t *rapid.T, s *policies.Snapshot, e *rules.Event, list []rules.Considered) {
	t.Helper()
	var applied, asked, enforced []string
	unclear := ""
	for _, c := range list {
		switch {
		case c.Standing == rules.Unclear && c.Mode == rules.Enforce && unclear == "":
			unclear = c.Policy
		case c.Standing == rules.Applies:
			applied = append(applied, c.Policy)
			fallthrough
		case c.Standing == rules.SessionPasses, c.Standing == rules.RequestPasses:
			if c.Mode == rules.Enforce {
				enforced = append(enforced, c.Policy)
			}
		}
	}
	d := s.Decide(context.Background(), e)
	if (d.Code == rules.CodeSelector) != (unclear != "") || d.Policy != unclear {
		t.Fatalf("the decision is %q by %q, and %q is considered unclear", d.Code, d.Policy, unclear)
	}
	if unclear != "" {
		return
	}
	for _, step := range d.Steps {
		asked = append(asked, step.Rule.Policy)
	}
	if !slices.Equal(asked, applied) || d.Applied != len(enforced) && !e.Below {
		t.Fatalf("%v were asked and %d enforced policies applied; considered to apply are %v, enforced of those %v", asked, d.Applied, applied, enforced)
	}
}

// standingAlone tells the standing of the only policy of a set by a decision.
func standingAlone(s *policies.Snapshot, e rules.Event) rules.Standing {
	d := s.Decide(context.Background(), &e)
	switch {
	case d.Code == rules.CodeSelector:
		return rules.Unclear
	case len(d.Steps) > 0:
		return rules.Applies
	case d.Applied > 0:
		return rules.SessionPasses
	default:
		return rules.NotMatched
	}
}

// BenchmarkConsider tries every policy of a large set.
func BenchmarkConsider(b *testing.B) {
	files := fstest.MapFS{}
	for i := range 10_000 {
		files[fmt.Sprintf("%05d.yaml", i)] = &fstest.MapFile{Mode: 0o644, Data: []byte(policy(fmt.Sprintf("p%d", i), strings.ReplaceAll(
			"applies_to: {direction: [upload], user: [\"p#-*\", \"u#\"], client_ip: [10.0.0.0/8], path: [\"/in/#/**\"]}\n", "#", fmt.Sprint(i)), noProgram))}
	}
	s := compile(b, files)
	e := transfer("/in/77/clip.mov")
	client("10.1.2.3")(&e)
	for b.Loop() {
		s.Consider(&e)
	}
}
