package policies_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

// wrote is a policy as it is written, for the evaluator that tries each.
type wrote struct {
	name, mode                        string
	direction, user, host, addr, path []string
	rules                             []wroteRule
}

type wroteRule struct {
	name, mode, kind, answer string
	on                       []rules.Phase
	acceptOnError            bool
}

// testKinds answer what their settings say. Their names tell what they read.
func testKinds() []rules.Kind {
	kind := func(name string, cost rules.Cost, needsFile bool, phases rules.PhaseSet) rules.Kind {
		return rules.Kind{
			Name: name, Schema: `{"enum": ["pass", "object", "error", "panic"]}`, Phases: phases, Late: "late",
			NeedsFile: needsFile, Cost: cost, Code: rules.Code("9" + name),
			Compile: func(_ rules.Env, dec rules.Decoder) (rules.Compiled, error) {
				var answer string
				if err := dec.Decode(&answer); err != nil {
					return rules.Compiled{}, err
				}
				message, err := rules.ParseTemplate("no")
				return rules.Compiled{Check: func(context.Context, *rules.Event) (*rules.Objection, error) {
					switch answer {
					case "object":
						return &rules.Objection{Message: message}, nil
					case "error":
						return nil, errors.New("cannot tell")
					case "panic":
						panic("out of order")
					default:
						return nil, nil
					}
				}}, err
			},
		}
	}
	return []rules.Kind{
		kind("session", rules.Metadata, false, rules.EveryPhase),
		kind("path", rules.Metadata, true, rules.EveryPhase),
		kind("head", rules.Head, true, rules.TransferPhases),
		kind("whole", rules.File, true, rules.OnlyStop),
	}
}

// kindOf returns the kind of a name.
func kindOf(name string) rules.Kind {
	for _, k := range testKinds() {
		if k.Name == name {
			return k
		}
	}
	panic(name)
}

func (w *wrote) yaml() string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\npolicy: %s\n", w.name)
	if w.mode != "" {
		fmt.Fprintf(&b, "mode: %s\n", w.mode)
	}
	to := ""
	for _, s := range []struct {
		key  string
		list []string
	}{{"direction", w.direction}, {"user", w.user}, {"host", w.host}, {"client_ip", w.addr}, {"path", w.path}} {
		if s.list != nil {
			to += fmt.Sprintf("  %s: [%q]\n", s.key, s.list)
		}
	}
	if to != "" {
		b.WriteString("applies_to:\n" + strings.NewReplacer(`["`, `"`, `" "`, `", "`, `"]`, `"`, "[[", "[", "]]", "]").Replace(to))
	}
	b.WriteString("rules:\n")
	for _, r := range w.rules {
		fmt.Fprintf(&b, "  - {name: %s, %s: %s", r.name, r.kind, r.answer)
		if r.mode != "" {
			b.WriteString(", mode: " + r.mode)
		}
		if r.on != nil {
			b.WriteString(", on: [" + rules.Phases(r.on...).String() + "]")
		}
		if r.acceptOnError {
			b.WriteString(", on_error: accept")
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// outcome is what of a decision is compared.
type outcome struct {
	Code         rules.Code
	Policy, Rule string
	Field        string // that the event lacks
	Applied      int
	Steps        []string
}

func outcomeOf(d rules.Decision) outcome {
	o := outcome{Code: d.Code, Policy: d.Policy, Rule: d.Rule, Applied: d.Applied}
	var missing rules.MissingError
	if errors.As(d.Err, &missing) {
		o.Field, o.Applied = missing.Field, 0
	}
	for _, s := range d.Steps {
		o.Steps = append(o.Steps, s.Rule.Policy+"/"+s.Rule.Name+" "+s.Outcome.String())
	}
	return o
}

// glob reports whether a glob of paths matches the event's path; of a folder, some
// of what may be below it, or with whole all of it.
func glob(glob string, e *rules.Event, whole bool) bool {
	if e.Below {
		var one rules.PathGlobs
		one.Add(glob, 0)
		return whole && one.Covers(e.File.Slash) || !whole && one.Meets(e.File.Slash)
	}
	ok, err := doublestar.Match(glob, e.File.Slash)
	return ok && err == nil
}

// matches reports whether a policy applies as far as the event's fields tell,
// and the first field that would be needed to tell, of all that it lacks.
func (w *wrote) matches(e *rules.Event, whole bool) (match bool, missing []string) {
	request := e.Phase == rules.PhaseRequest
	look := func(field string, list []string, known bool, match func(string) bool) bool {
		switch {
		case list == nil:
			return true
		case !known:
			missing = append(missing, field)
			return true
		default:
			return slices.ContainsFunc(list, match)
		}
	}
	name := func(name string) func(string) bool {
		return func(glob string) bool { // In names a slash is a character like any other.
			ok, err := doublestar.Match(glob, strings.ReplaceAll(name, "/", "-"))
			return ok && err == nil
		}
	}
	match = look("direction", w.direction, e.Direction != rules.DirectionUnknown, func(d string) bool { return d == e.Direction.String() })
	match = look("user", w.user, e.User != "", name(e.User)) && match
	match = look("host", w.host, e.Host != "" && !request, name(e.Host)) && match
	match = look("client_ip", w.addr, e.ClientAddr.IsValid() && !request, func(text string) bool {
		if !strings.Contains(text, "/") {
			return netip.MustParseAddr(text) == e.ClientAddr
		}
		return netip.MustParsePrefix(text).Contains(e.ClientAddr)
	}) && match
	match = look("file", w.path, e.File.Raw != "" && !e.File.Up, func(text string) bool { return glob(text, e, whole) }) && match
	return match, missing
}

// naive decides an event by trying every policy.
func naive(set []*wrote, acceptByDefault bool, e *rules.Event) outcome {
	o := outcome{}
	var apply []*wrote
	for _, w := range set {
		match, missing := w.matches(e, false)
		all, _ := w.matches(e, true)
		judgedLater := func(field string) bool {
			return field == "file" && !e.HasFile() || (field == "host" || field == "client_ip") && e.Phase == rules.PhaseRequest
		}
		passes := !slices.ContainsFunc(missing, func(field string) bool { return !judgedLater(field) })
		switch {
		case w.mode == "off" || !match:
		case len(missing) == 0:
			apply = append(apply, w)
			fallthrough
		case passes:
			// The policy lets it pass, because its files will be judged.
			if w.mode != "shadow" && all {
				o.Applied++
			}
		case w.mode != "shadow":
			return outcome{Code: rules.CodeSelector, Policy: w.name, Field: slices.DeleteFunc(missing, judgedLater)[0]}
		}
	}
	for _, cost := range []rules.Cost{rules.Metadata, rules.Head, rules.File} {
		for _, w := range apply {
			for _, r := range w.rules {
				if kindOf(r.kind).Cost == cost && w.ask(&r, e, &o) {
					return o
				}
			}
		}
	}
	if o.Applied == 0 && !acceptByDefault {
		o.Code = rules.CodeDefault
	}
	return o
}

// ask asks one rule and reports whether it decides.
func (w *wrote) ask(r *wroteRule, e *rules.Event, o *outcome) bool {
	kind := kindOf(r.kind)
	asked := kind.Phases.Has(e.Phase)
	if r.on != nil {
		asked = slices.Contains(r.on, e.Phase)
	}
	if !asked || r.mode == "off" || kind.NeedsFile && !e.HasFile() {
		return false
	}
	what, code := "passed", rules.Code("")
	switch {
	case r.answer == "object":
		what, code = "refused", kind.Code
	case r.answer == "panic":
		what, code = "refused_on_error", rules.CodeInternal
	case r.answer == "error" && r.acceptOnError:
		what = "accepted_on_error"
	case r.answer == "error":
		what, code = "refused_on_error", kind.Code
	}
	decides := code != ""
	if decides && (w.mode == "shadow" || r.mode == "shadow") {
		decides, what = false, map[string]string{"refused": "would_refuse", "refused_on_error": "would_refuse_on_error"}[what]
	}
	o.Steps = append(o.Steps, w.name+"/"+r.name+" "+what)
	if decides {
		o.Code, o.Policy, o.Rule = code, w.name, r.name
	}
	return decides
}

// chooser returns a number below n.
type chooser func(n int) int

func one[T any](choose chooser, list ...T) T { return list[choose(len(list))] }

// some returns up to three of a list, or nil, which selects by nothing.
func some(choose chooser, list ...string) []string {
	if choose(5) < 3 {
		return nil
	}
	var all []string
	for range 1 + choose(3) {
		if s := one(choose, list...); !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// choosePolicy makes a policy. Of rare policies few apply to an event, so that
// most words of the index are empty for it.
func choosePolicy(choose chooser, i int, rare bool) *wrote {
	w := &wrote{
		name:      fmt.Sprintf("p%d", i),
		mode:      one(choose, "", "", "", "", "", "shadow", "off", "enforce"),
		direction: some(choose, "upload", "download"),
		user:      some(choose, "ann", "partner-*", "partner-7", "*", "p*-7", "{ann,bob}", "[a-c]*", "??n", "dom*", fmt.Sprintf("u%d", i)),
		host:      some(choose, "hst-*", "hst-eu-?", "hst-us-1", "*-1", fmt.Sprintf("h%d-*", i%50)),
		addr: some(choose, "0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3", "203.0.113.0/24", "::/0", "2001:db8::/32",
			"2001:db8:1::/48", "2001:db8::1", fmt.Sprintf("10.%d.%d.0/24", i>>8&255, i&255)),
		path: some(choose, "/in/**", "/in/*", "/in/*/*.mov", "/**/*.exe", "**", "/out/{a,b}/**", "/in/film/clip.mov", "/IN/**", "/in/film/**/clip.*",
			"s3://bucket/**", "C:/in/**", fmt.Sprintf("/p/%d/**", i)),
	}
	if rare && choose(20) > 0 {
		w.user = []string{fmt.Sprintf("u%d", i), fmt.Sprintf("v%d-*", i/3)}
	}
	for n := range 1 + choose(3) {
		kind := one(choose, "session", "path", "path", "head", "whole")
		r := wroteRule{
			name: fmt.Sprintf("r%d", n), kind: kind, mode: one(choose, "", "", "", "shadow", "off", "enforce"),
			answer: one(choose, "pass", "pass", "pass", "pass", "pass", "pass", "pass", "pass", "object", "error", "panic"), acceptOnError: choose(2) == 0,
		}
		if choose(4) == 0 {
			for p := rules.PhaseRequest; p < rules.PhaseCount; p++ {
				if p == rules.PhaseRequest && (w.addr != nil || w.host != nil) {
					continue // The compiler refuses it: such a rule is never asked then.
				}
				if kindOf(kind).Phases.Has(p) && (r.on == nil || choose(2) == 0) {
					r.on = append(r.on, p)
				}
			}
		}
		w.rules = append(w.rules, r)
	}
	return w
}

func chooseEvent(choose chooser, n int) rules.Event {
	e := rules.Event{
		Phase:     rules.PhaseRequest + rules.Phase(choose(4)),
		Direction: one(choose, rules.Upload, rules.Upload, rules.Download, rules.Download, rules.DirectionUnknown),
		User:      one(choose, "ann", "bob", "partner-7", "partner-8", "cid", "dom/ann", fmt.Sprintf("u%d", choose(n)), fmt.Sprintf("v%d-x", choose(n)), "nobody", ""),
		Host:      one(choose, "hst-eu-1", "hst-us-1", "other", "hst-eu-10", fmt.Sprintf("h%d-1", choose(50)), ""),
		ClientIP:  one(choose, "10.1.2.3", "10.1.2.4", "10.1.9.9", "10.9.9.9", "203.0.113.5", "198.51.100.1", "2001:db8::1", "2001:db8:1::2", "2001:db9::", fmt.Sprintf("10.%d.%d.1", choose(n)>>8&255, choose(n)&255), "none"),
		File: rules.ParsePath(one(choose, "/in/film/clip.mov", "/in/clip.mov", "/in/x/y/z.exe", "/out/a/1", "/out/c/1", "/in//film/./clip.mov", "/in/../out/a/1", "..",
			"relative.mov", "/in", "/", `C:\in\x.mov`, "s3://KEY:SECRET@bucket/x/y", fmt.Sprintf("/p/%d/x", choose(n)), "", "")),
		Size: one(choose, rules.Known(1), rules.Number{}),
	}
	e.ClientAddr, _ = netip.ParseAddr(e.ClientIP)
	e.Below = e.Phase == rules.PhaseRequest && e.File.Raw != "" && choose(2) == 0
	return e
}

// compareWithNaive compiles policies and holds decisions equal.
func compareWithNaive(t interface {
	Fatalf(string, ...any)
	Helper()
}, set []*wrote, acceptByDefault bool, events []rules.Event,
) (accepted, refused, unclear int) {
	t.Helper()
	files := fstest.MapFS{}
	for i, w := range set {
		files[fmt.Sprintf("%05d.yaml", i)] = &fstest.MapFile{Data: []byte(w.yaml()), Mode: 0o644}
	}
	s, err := policies.Compile(files, policies.Options{Kinds: testKinds(), AcceptByDefault: acceptByDefault})
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, e := range events {
		original := e
		want, got := naive(set, acceptByDefault, &original), outcomeOf(s.Decide(context.Background(), &e))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%d policies, event %+v (-tried each +index):\n%s", len(set), original, diff)
		}
		switch got.Code {
		case "":
			accepted++
		case rules.CodeSelector:
			unclear++
		default:
			refused++
		}
	}
	return accepted, refused, unclear
}

func TestIndexDecidesAsTryingEachPolicy(t *testing.T) {
	var accepted, refused, unclear int
	rapid.Check(t, func(t *rapid.T) {
		choose := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "n") }
		set := make([]*wrote, rapid.OneOf(rapid.IntRange(1, 6), rapid.IntRange(1, 200)).Draw(t, "policies"))
		for i := range set {
			set[i] = choosePolicy(choose, i, false)
		}
		events := make([]rules.Event, 10)
		for i := range events {
			events[i] = chooseEvent(choose, len(set))
		}
		a, r, u := compareWithNaive(t, set, choose(2) == 0, events)
		accepted, refused, unclear = accepted+a, refused+r, unclear+u
	})
	if accepted < 50 || refused < 50 || unclear < 50 {
		t.Errorf("%d accepted, %d refused, %d unclear: too few of one to tell", accepted, refused, unclear)
	}
}

// With more than 64 policies there are several words, and with more than 4096
// several words of summaries.
func TestIndexOfLargeSets(t *testing.T) {
	for _, tc := range []struct {
		policies, events int
		rare             bool
	}{{64, 400, false}, {65, 400, true}, {1000, 400, true}, {4200, 300, true}} {
		t.Run(fmt.Sprint(tc.policies), func(t *testing.T) {
			random := rand.New(rand.NewPCG(uint64(tc.policies), 1))
			set := make([]*wrote, tc.policies)
			for i := range set {
				set[i] = choosePolicy(random.IntN, i, tc.rare)
				if tc.rare && random.IntN(50) > 0 { // Few object, so that many steps are compared.
					for r := range set[i].rules {
						set[i].rules[r].answer = "pass"
					}
				}
			}
			events := make([]rules.Event, tc.events)
			for i := range events {
				events[i] = chooseEvent(random.IntN, len(set))
			}
			accepted, refused, unclear := compareWithNaive(t, set, true, events)
			t.Logf("%d accepted, %d refused, %d unclear", accepted, refused, unclear)
		})
	}
}
