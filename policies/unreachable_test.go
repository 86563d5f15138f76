package policies_test

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// rule returns a rule on a line of its own, and what is added to it.
func rule(name, kind string, more ...string) string {
	return fmt.Sprintf("  - {name: %s, %s}\n", name, strings.Join(append([]string{kind}, more...), ", "))
}

const rulesKey = "rules:\n"

// faultTexts compiles a set and returns its faults.
func faultTexts(t interface {
	Helper()
	Fatalf(string, ...any)
}, files fstest.MapFS, kinds []rules.Kind,
) (texts []string) {
	t.Helper()
	_, err := policies.Compile(files, policies.Options{Kinds: kinds})
	var faults document.Faults
	if err != nil && !errors.As(err, &faults) {
		t.Fatalf("%v", err)
	}
	for _, f := range faults {
		texts = append(texts, f.Error())
	}
	return texts
}

// What is found, and what is let stand because it is not beyond doubt.
func TestShadowedRules(t *testing.T) {
	const (
		wide, narrow = "size: {max: 500 GiB}", "size: {max: 100 GiB}"
		b            = `rule "b" can never refuse: "a" `
		already      = ` already refuses whatever it would; `
		other        = `remove it, or change "a": what one rule refuses, no other allows`
	)
	inOne := func(list ...string) fstest.MapFS {
		return set("p.yaml", policy("p", append([]string{rulesKey}, list...)...))
	}
	inTwo := func(first, second string) fstest.MapFS {
		return set("10-p.yaml", policy("p", first), "20-q.yaml", policy("q", second))
	}
	behind := func(appliesTo, other string) fstest.MapFS {
		return inTwo("applies_to: {"+appliesTo+"}\n"+rulesKey+rule("a", narrow), "applies_to: {"+other+"}\n"+rulesKey+rule("b", wide))
	}
	const acrossPolicies = "20-q.yaml:5:12: " + b + `of policy "p" (10-p.yaml:5)` + already + other
	for _, tc := range []struct {
		name string
		set  fstest.MapFS
		want string
	}{
		{"a wider limit after a narrower", inOne(rule("a", narrow), rule("b", wide)), "p.yaml:5:12: " + b + "(line 4)" + already + other},
		{"a narrower limit after a wider", inOne(rule("a", wide), rule("b", narrow)), ""},
		{"the same twice", inOne(rule("a", wide), rule("b", "size: {max: 500GiB}")), "p.yaml:5:12: " + b + "(line 4)" + already + "remove one of the two"},
		{
			"in another policy", inTwo(rulesKey+rule("a", narrow), rulesKey+rule("b", wide)),
			"20-q.yaml:4:12: " + b + `of policy "p" (10-p.yaml:4)` + already + other,
		},
		{"what comes later hides nothing", inTwo(rulesKey+rule("a", wide), rulesKey+rule("b", narrow)), ""},
		{"another kind", inOne(rule("a", "extension: {allow: [mov]}"), rule("b", wide)), ""},

		// The mode.
		{"the earlier is a trial", inOne(rule("a", narrow, "mode: shadow"), rule("b", wide)), ""},
		{"the earlier is off", inOne(rule("a", narrow, `mode: "off"`), rule("b", wide)), ""},
		{"the earlier's policy is a trial", inTwo("mode: shadow\n"+rulesKey+rule("a", narrow), rulesKey+rule("b", wide)), ""},
		{"the later is a trial", inOne(rule("a", narrow), rule("b", wide, "mode: shadow")), `p.yaml:5:12: rule "b" can never object: "a" (line 4)` + already + other},
		{"the later is off", inOne(rule("a", narrow), rule("b", wide, `mode: "off"`)), ""},

		// The phases.
		{"the earlier is asked less often", inOne(rule("a", narrow, "on: [start, stop]"), rule("b", wide)), ""},
		{"the later is asked less often", inOne(rule("a", narrow), rule("b", wide, "on: [stop]")), "p.yaml:5:12: " + b + "(line 4)" + already + other},

		// Rules that cannot tell.
		{"the earlier accepts what it cannot tell", inOne(rule("a", narrow, "on_error: accept"), rule("b", wide)), ""},
		{"both accept what they cannot tell", inOne(rule("a", narrow, "on_error: accept"), rule("b", wide, "on_error: accept")), ""},
		{"both accept what they cannot tell, and are the same", inOne(rule("a", wide, "on_error: accept"), rule("b", wide, "on_error: accept")), "p.yaml:5:12: " + b + "(line 4)" + already + "remove one of the two"},
		{"the later accepts what it cannot tell", inOne(rule("a", narrow), rule("b", wide, "on_error: accept")), "p.yaml:5:12: " + b + "(line 4)" + already + other},
		{"the later refuses when it takes too long", inOne(rule("a", narrow), rule("b", wide, "timeout: 1s")), ""},
		{"the earlier does", inOne(rule("a", narrow, "timeout: 1s"), rule("b", wide)), "p.yaml:5:12: " + b + "(line 4)" + already + other},

		// Conditions.
		{"the earlier has a condition", inOne(rule("a", narrow, `when: event.user == "ann"`), rule("b", wide)), ""},
		{"both have the same", inOne(rule("a", narrow, `when: event.user == "ann"`), rule("b", wide, `when: event.user == "ann"`)), "p.yaml:5:12: " + b + "(line 4)" + already + other},
		{"they have different ones", inOne(rule("a", narrow, `when: event.user == "ann"`), rule("b", wide, `when: event.user == "bob"`)), ""},
		{"the later has one that may fail", inOne(rule("a", narrow), rule("b", wide, `when: event.user == "ann"`)), ""},
		{"the later has one, and accepts when it fails", inOne(rule("a", narrow), rule("b", wide, `when: event.user == "ann"`, "on_error: accept")), "p.yaml:5:12: " + b + "(line 4)" + already + other},

		// What the policies apply to.
		{"the earlier applies to fewer users", behind("user: [ann]", "user: [ann, bob]"), ""},
		{"the earlier applies to more users", behind("user: [bob, ann]", "user: [ann]"), acrossPolicies},
		{"by a glob", behind("user: [partner-*]", "user: [partner-7]"), acrossPolicies},
		{"by another glob", behind("user: [partner-*]", "user: [partner-7*]"), ""},
		{"to more clients", behind("client_ip: [10.0.0.0/8]", "client_ip: [10.1.0.0/16, 10.2.3.4]"), acrossPolicies},
		{"to fewer clients", behind("client_ip: [10.1.0.0/16]", "client_ip: [10.0.0.0/8]"), ""},
		{"to more paths", behind("path: [/in/**]", "path: [/in/film/**]"), acrossPolicies},
		{"to fewer paths", behind("path: [/in/film/**]", "path: [/in/**]"), ""},
		{"to more, of other fields", behind("path: [/in/**]", "path: [/in/film/**], user: [ann], host: [h]"), acrossPolicies},
		{"by a field that the later does not ask for", behind("path: [/in/**], host: [h]", "path: [/in/film/**]"), ""},
		{"to one direction", behind("direction: [upload]", "user: [ann]"), ""},
		{"to the same direction", behind("direction: [upload]", "direction: [upload], user: [ann]"), acrossPolicies},
		{"to both directions", behind("direction: [upload, download]", "user: [ann]"), acrossPolicies},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var want []string
			if tc.want != "" {
				want = []string{tc.want}
			}
			if diff := cmp.Diff(want, faultTexts(t, tc.set, rules.Builtin())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A rule that is hidden hides nothing itself, so that each is compared with the
// one that stays; and all of them are told.
func TestShadowedRulesAreAllTold(t *testing.T) {
	got := faultTexts(t, set(
		"10.yaml", policy("p", rulesKey, rule("a", "size: {max: 1 GiB}"), rule("b", "size: {max: 2 GiB}"), rule("c", "extension: {deny: [exe]}")),
		"20.yaml", policy("q", rulesKey, rule("d", "size: {max: 3 GiB}"), rule("e", "extension: {deny: [exe]}"), rule("f", "extension: {deny: [com]}")),
	), rules.Builtin())
	want := []string{
		`10.yaml:5:12: rule "b" can never refuse: "a" (line 4) already refuses whatever it would; remove it, or change "a": what one rule refuses, no other allows`,
		`20.yaml:4:12: rule "d" can never refuse: "a" of policy "p" (10.yaml:4) already refuses whatever it would; remove it, or change "a": what one rule refuses, no other allows`,
		`20.yaml:5:12: rule "e" can never refuse: "c" of policy "p" (10.yaml:6) already refuses whatever it would; remove one of the two`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Policies that nothing can match: nothing that they select ever gets to them.
func TestUnreachablePolicies(t *testing.T) {
	const phase = "a token is asked for by the portal, so the client's address is not known then"
	onlyIn := func(first, appliesTo string, more ...string) fstest.MapFS {
		return set("10-p.yaml", policy("p", first), "20-q.yaml", policy("q", "applies_to: {"+appliesTo+"}\n", rulesKey, rule("b", "size: {max: 1 GiB}", more...)))
	}
	const ingest = rulesKey + "  - {name: a, path: {allow: [/in/**]}}\n"
	for _, tc := range []struct {
		name string
		set  fstest.MapFS
		want []string
	}{
		{"its paths are outside what is allowed before", onlyIn(ingest, "path: [/out/**]"), []string{
			`20-q.yaml:3:14: policy "q" can never decide anything: "a" of policy "p" (10-p.yaml:4) already refuses every path to which it applies; let that rule accept them, or give policy "p" an applies_to that leaves them out`,
		}},
		{"its paths are denied before", onlyIn(rulesKey+"  - {name: a, path: {deny: [/**/old/**]}}\n", "path: [/in/old/**, /out/old/*]"), []string{
			`20-q.yaml:3:14: policy "q" can never decide anything: "a" of policy "p" (10-p.yaml:4) already refuses every path to which it applies; let that rule accept them, or give policy "p" an applies_to that leaves them out`,
		}},
		{"some of its paths are allowed", onlyIn(ingest, "path: [/out/**, /in/film/**]"), nil},
		{"its paths may be allowed", onlyIn(ingest, "path: [/**/film/**]"), nil},
		{"what allows them is a trial", onlyIn("mode: shadow\n"+ingest, "path: [/out/**]"), nil},
		{"what allows them is for others", onlyIn("applies_to: {user: [ann]}\n"+ingest, "path: [/out/**]"), nil},
		{"what allows them is not asked always", onlyIn(rulesKey+"  - {name: a, path: {allow: [/in/**]}, on: [start]}\n", "path: [/out/**]"), nil},
		{"what allows them is not asked more often", onlyIn(rulesKey+"  - {name: a, path: {allow: [/in/**]}, on: [start]}\n", "path: [/out/**]", "on: [start]"), []string{
			`20-q.yaml:3:14: policy "q" can never decide anything: "a" of policy "p" (10-p.yaml:4) already refuses every path to which it applies; let that rule accept them, or give policy "p" an applies_to that leaves them out`,
		}},
		{"its clients are outside what is allowed before", onlyIn(rulesKey+"  - {name: a, network: {allow: [10.0.0.0/8]}}\n", "client_ip: [192.0.2.0/24]"), []string{
			`20-q.yaml:3:14: policy "q" can never decide anything: "a" of policy "p" (10-p.yaml:4) already refuses every address to which it applies; let that rule accept them, or give policy "p" an applies_to that leaves them out`,
		}},
		{"some of its clients are allowed", onlyIn(rulesKey+"  - {name: a, network: {allow: [10.0.0.0/8]}}\n", "client_ip: [192.0.2.0/24, 10.1.0.0/16]"), nil},

		{"a token request has no client address", set("p.yaml", policy("p", "applies_to: {client_ip: [10.0.0.0/8]}\n", rulesKey,
			rule("a", "extension: {deny: [exe]}", "on: [request]"), rule("b", "path: {deny: [/out/**]}", "on: [request]"))), []string{
			`p.yaml:3:14: policy "p" can never decide anything: it applies by client_ip, and its rules are asked on request only, but ` + phase + "; leave client_ip out, or ask the rules on start",
		}},
		{"a token request among others", set("p.yaml", policy("p", "applies_to: {client_ip: [10.0.0.0/8]}\n", rulesKey,
			rule("a", "extension: {deny: [exe]}", "on: [start, request]"), rule("b", "path: {deny: [/out/**]}"))), []string{
			`p.yaml:5:53: rule "a" can never be decided on request: its policy applies by client_ip, and ` + phase + "; leave request out here, or client_ip out of applies_to",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, faultTexts(t, tc.set, rules.Builtin())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A rule is asked in the phases that its kind, its settings and its when leave.
func TestPhasesInWhichARuleCannotBeDecided(t *testing.T) {
	kind := rules.Kind{
		Name: "whole", Schema: `{"enum": ["any", "late", "never"]}`, Phases: rules.TransferPhases, Late: "there is no file yet", Code: "9001",
		Compile: func(_ rules.Env, dec rules.Decoder) (c rules.Compiled, err error) {
			var text string
			err = dec.Decode(&text)
			switch text {
			case "late":
				c.Scope = rules.Scope{Never: rules.EveryPhase &^ rules.OnlyStop, Why: "the file is not complete"}
			case "never":
				c.Scope = rules.Scope{Never: rules.EveryPhase, Why: "nobody knows"}
			}
			return c, err
		},
	}
	for settings, want := range map[string]string{
		"whole: any":                                          "",
		"whole: any, on: [start, request]":                    `p.yaml:4:39: whole can never be decided on request: there is no file yet; it can on start, running, stop`,
		"whole: late, on: [stop]":                             "",
		"whole: late, on: [start, stop]":                      `p.yaml:4:33: whole can never be decided on start: the file is not complete; it can on stop`,
		"whole: late, on: [request]":                          `p.yaml:4:33: whole can never be decided on request: there is no file yet, and the file is not complete; it can on stop`,
		"whole: never":                                        `p.yaml:4:5: this rule can never be decided: there is no file yet, and nobody knows`,
		"whole: never, on: [stop]":                            `p.yaml:4:34: whole can never be decided on stop: nobody knows`,
		"whole: late, when: event.user == 'a'":                "",
		`whole: any, when: "event.size > 1"`:                  "",
		"whole: any, when: event.checksum == ''":              "",
		"whole: late, when: event.checksum != ''":             "",
		"whole: any, when: event.checksum != '', on: [start]": `p.yaml:4:60: whole can never be decided on start: event.checksum is not known on request, start, running; it can on stop`,
	} {
		var wants []string
		if want != "" {
			wants = []string{want}
		}
		if diff := cmp.Diff(wants, faultTexts(t, set("p.yaml", policy("p", rulesKey, rule("a", settings))), []rules.Kind{kind})); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", settings, diff)
		}
	}
}

// chooseRule makes a rule of a kind of which some hide others often.
func chooseRule(choose chooser, name string) string {
	kind := one(choose,
		"extension: {deny: [exe]}", "extension: {deny: [exe, mov]}", "extension: {allow: [mov]}", "extension: {allow: [mov, exe]}", "extension: {deny: [exe], every: true}",
		"size: {max: 5}", "size: {max: 3}", "size: {min: 2, max: 5}", "path: {allow: [/in/**]}", "path: {allow: [/in/film/**]}", "path: {deny: [/in/film/**]}", `path: {deny: ["**/*.exe"]}`,
		"network: {allow: [10.0.0.0/8]}", "network: {allow: [10.1.0.0/16]}", "network: {deny: [10.1.0.0/16, 192.0.2.0/24]}", "transfer: {cipher: [aes-128, aes-256]}", "transfer: {cipher: [aes-256]}",
		"transfer: {cipher: [aes-256], rate_policy: [fair]}", "tags: {require: [/a]}", "tags: {require: [/a, /b]}", "filename: {max_bytes: 5}", "filename: {max_bytes: 8, forbid: [leading-dot]}",
		`expression: event.user == "ann"`,
	)
	var more []string
	for _, choice := range [][]string{
		{"on: [start]", "on: [start, stop]", "on: [stop]"},
		{"on_error: accept", "on_error: accept"},
		{`when: event.cipher == "aes-256"`, `when: event.size > 3`},
		{"mode: shadow", `mode: "off"`},
		{"timeout: 5s"},
	} {
		if choose(7) == 0 {
			more = append(more, one(choose, choice...))
		}
	}
	return rule(name, kind, more...)
}

// chooseSet makes a set of policies of which many hide each other.
func chooseSet(choose chooser) fstest.MapFS {
	files := fstest.MapFS{}
	for p := range 2 + choose(4) {
		var applies []string
		for _, choice := range [][]string{
			{"direction: [upload]", "direction: [upload, download]"},
			{"user: [ann]", "user: [ann, bob]", `user: ["*"]`, "user: [b*]"},
			{"client_ip: [10.0.0.0/8]", "client_ip: [10.1.0.0/16]", "client_ip: [192.0.2.0/24]"},
			{"path: [/in/**]", "path: [/in/film/**]", "path: [/out/**]", `path: ["/**/*.mov"]`},
		} {
			if choose(5) == 0 {
				applies = append(applies, one(choose, choice...))
			}
		}
		var text strings.Builder
		if p == 0 && choose(4) > 0 { // What most others are held against.
			text.WriteString(policy("p0", rulesKey, rule("p0-all", one(choose, "path: {allow: [/in/**]}", "network: {allow: [10.0.0.0/8]}"))))
			files["0.yaml"] = &fstest.MapFile{Data: []byte(text.String()), Mode: 0o644}
			continue
		}
		text.WriteString(policy(fmt.Sprintf("p%d", p), one(choose, "", "", "", "mode: shadow\n")))
		if applies != nil {
			fmt.Fprintf(&text, "applies_to: {%s}\n", strings.Join(applies, ", "))
		}
		text.WriteString(rulesKey)
		for r := range 1 + choose(5) {
			text.WriteString(chooseRule(choose, fmt.Sprintf("p%d-r%d", p, r)))
		}
		files[fmt.Sprintf("%d.yaml", p)] = &fstest.MapFile{Data: []byte(text.String()), Mode: 0o644}
	}
	return files
}

// chooseShadowEvent makes an event that may lack anything.
func chooseShadowEvent(choose chooser) rules.Event {
	e := rules.Event{
		Phase: rules.PhaseRequest + rules.Phase(choose(4)), Direction: one(choose, rules.Upload, rules.Download, rules.DirectionUnknown),
		User: one(choose, "ann", "bob", "cid", ""), ClientIP: one(choose, "10.1.2.3", "10.9.9.9", "192.0.2.1", "203.0.113.1", ""),
		File: rules.ParsePath(one(choose, "/in/a.mov", "/in/film/a.mov", "/in/film/long-name.mov", "/in/a.exe", "/in/a.exe.mov", "/in/a.exe:b.mov", "/out/a.mov", "/out/.a", "/in/../out/a.mov", "/in//a.mov", "")),
		Size: one(choose, rules.Known(1), rules.Known(4), rules.Known(6), rules.Number{}), Cipher: one(choose, "aes-128", "aes-256", "none", ""), RatePolicy: one(choose, "fair", "low", ""),
		Tags: rules.Tags{Raw: one(choose, "", "{}", `{"a": 1}`, `{"a": 1, "b": 2}`)},
	}
	if e.Phase == rules.PhaseRequest {
		e.ClientIP = ""
	}
	e.ClientAddr, _ = netip.ParseAddr(e.ClientIP)
	return e
}

// blind returns the kinds without what their rules are compared by.
func blind(kinds []rules.Kind) []rules.Kind {
	for i := range kinds {
		compile := kinds[i].Compile
		kinds[i].Compile = func(env rules.Env, dec rules.Decoder) (rules.Compiled, error) {
			c, err := compile(env, dec)
			c.Reach = nil
			return c, err
		}
	}
	return kinds
}

var deadName = regexp.MustCompile(`: (rule|policy) "([^"]+)" can never (refuse|object|decide anything): `)

// What is said never to refuse, never does, whatever is asked.
func TestUnreachableIsNeverClaimedWrongly(t *testing.T) {
	deadRules, deadPolicies, refusals := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		choose := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "n") }
		files := chooseSet(choose)
		s, err := policies.Compile(files, policies.Options{Kinds: blind(rules.Builtin()), AcceptByDefault: true})
		if err != nil {
			return // A phase in which a rule is never decided.
		}
		dead := map[string]bool{}
		for _, text := range faultTexts(t, files, rules.Builtin()) {
			found := deadName.FindStringSubmatch(text)
			if found == nil {
				t.Fatalf("%s", text)
			}
			dead[found[2]] = true
			if found[1] == "policy" {
				deadPolicies++
			} else {
				deadRules++
			}
		}
		for range 30 {
			e := chooseShadowEvent(choose)
			original := e
			d := decide(s, e)
			for _, step := range d.Steps {
				if dead[step.Rule.Policy] {
					t.Fatalf("%+v: the policy %s was asked", original, step.Rule.Policy)
				}
				switch step.Outcome {
				case rules.Refused, rules.RefusedOnError, rules.WouldRefuse, rules.WouldRefuseOnError:
					refusals++
					if dead[step.Rule.Name] {
						t.Fatalf("%+v: the rule %s %s\n%s", original, step.Rule.Name, step.Outcome, show(files))
					}
				}
			}
		}
	})
	if deadRules < 20 || deadPolicies == 0 || refusals < 100 {
		t.Errorf("%d rules and %d policies were said to be dead, and %d rules refused: too few to tell", deadRules, deadPolicies, refusals)
	}
}

func show(files fstest.MapFS) string {
	var all strings.Builder
	for i := range len(files) {
		fmt.Fprintf(&all, "%s\n", files[fmt.Sprintf("%d.yaml", i)].Data)
	}
	return all.String()
}

// countedReach counts how often rules are compared.
type countedReach struct{ compared *int }

func (c countedReach) Within(rules.Reach) bool {
	*c.compared++
	return false
}

// The comparisons grow with the rules, not with their square.
func TestRulesAreComparedWithAFewOthers(t *testing.T) {
	compared := 0
	kind := rules.Kind{
		Name: "counted", Schema: `{"type": "integer"}`, Phases: rules.EveryPhase, Code: "9001",
		Compile: func(rules.Env, rules.Decoder) (rules.Compiled, error) {
			return rules.Compiled{Reach: countedReach{&compared}}, nil
		},
	}
	const each, n = 100, 20
	files := fstest.MapFS{}
	for p := range n {
		text := policy(fmt.Sprintf("p%d", p), rulesKey)
		for r := range each {
			text += rule(fmt.Sprintf("r%d", r), fmt.Sprintf("counted: %d", p*each+r))
		}
		files[fmt.Sprintf("%02d.yaml", p)] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	if got := faultTexts(t, files, []rules.Kind{kind}); got != nil {
		t.Fatalf("%v", got)
	}
	if most := each * n * 64; compared == 0 || compared > most {
		t.Errorf("%d rules were compared %d times, at most %d are right", each*n, compared, most)
	}
}

// What is known of rules for comparing them is not kept.
func TestReachIsForgotten(t *testing.T) {
	s := compile(t, set("p.yaml", policy("p", rulesKey, rule("a", "size: {max: 1 GiB}"))))
	if s.Policies[0].Rules[0].Reach != nil {
		t.Error("the rule still has its reach")
	}
}
