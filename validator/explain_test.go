package validator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// asked returns a rule that is asked on every phase.
func asked(r *rules.Rule, change ...func(*rules.Rule)) *rules.Rule {
	r.Phases = rules.EveryPhase
	for _, c := range change {
		c(r)
	}
	return r
}

func onStop(r *rules.Rule)    { r.Phases = rules.OnlyStop }
func needsFile(r *rules.Rule) { r.NeedsFile = true }
func readsFile(r *rules.Rule) { r.Cost = rules.File }

// applies is a policy whose rules are asked.
func applies(name string, mode rules.Mode, chain ...*rules.Rule) rules.Considered {
	for _, r := range chain {
		r.Policy = name
	}
	return rules.Considered{Policy: name, File: name + ".yaml", Mode: mode, Standing: rules.Applies, Rules: chain}
}

// byPolicies decides as a set of these policies does, with the default reject,
// and explains it.
func byPolicies(set ...rules.Considered) validator.Explainer {
	decide := func(ctx context.Context, e *rules.Event) (rules.Decision, []rules.Considered) {
		if e.Fault != nil {
			return byChain()(ctx, e), nil
		}
		d := rules.Begin(e, revision)
		for _, c := range set {
			if c.Standing == rules.Unclear && c.Mode == rules.Enforce {
				d.Verdict, d.Policy, d.Err = rules.CodeSelector.Verdict(), c.Policy, rules.MissingError{Field: "user"}
				return d, set
			}
			if c.Standing == rules.Applies && c.Mode == rules.Enforce {
				d.Applied++
			}
		}
		for cost := range rules.CostCount {
			for _, c := range set {
				var chain rules.Chain
				for _, r := range c.Rules {
					if c.Standing == rules.Applies && r.Cost == cost && r.Phases.Has(e.Phase) {
						chain = append(chain, r)
					}
				}
				if chain.Ask(ctx, e, &d) {
					return d, set
				}
			}
		}
		if d.Applied == 0 {
			d.Verdict = rules.CodeDefault.Verdict()
		}
		return d, set
	}
	return validator.Explainer{Limit: 1 << 20, Now: func() time.Time { return noon }, Decide: decide}
}

// outline is an explanation's story in a few lines.
func outline(x *validator.Explanation) (lines []string) {
	lines = append(lines, x.Verdict+": "+x.Why)
	for _, p := range x.Policies {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s (%s) %s %s", p.Policy, p.Mode, p.Applies, strings.Join(p.Why, "; "))))
	}
	for _, r := range x.Rules {
		line := fmt.Sprintf("%s/%s (%s) %s", r.Policy, r.Rule, r.Mode, r.Outcome)
		for _, part := range []struct{ name, text string }{{"saw", r.Saw}, {"says", strings.TrimSpace(r.Code + " " + r.Message)}, {"error", r.Error}, {"when", r.When}, {"why", r.Why}} {
			if part.text != "" {
				line += ", " + part.name + " " + part.text
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func TestExplanations(t *testing.T) {
	otherUsers := rules.Considered{Policy: "guests", Mode: rules.Enforce, Why: []rules.Mismatch{{Key: "user", Saw: "xfer", Wanted: []string{"guest-*"}}}}
	when, err := rules.CompileCondition(rules.Env{}, "event.user ==\n  'nobody'")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		set   []rules.Considered
		event string
		want  []string
	}{
		{
			"the first objection refuses, and nobody is asked after it",
			[]rules.Considered{applies("a", rules.Enforce, asked(rule("r1", rules.Enforce, passes)), asked(rule("r2", rules.Enforce, finds))), applies("b", rules.Enforce, asked(rule("r1", rules.Enforce, passes)))},
			event(),
			[]string{
				"reject: a/r2 objects", "a (enforce) yes", "b (enforce) yes",
				"a/r1 (enforce) passed, saw 1 MiB", "a/r2 (enforce) refused, saw 1 MiB, says 1023 clip.mov is too large: 1 MiB.", "b/r1 (enforce) not_asked, why a/r2 refused before",
			},
		},
		{
			"a shadowed policy, and a shadowed rule in an enforced policy",
			[]rules.Considered{applies("trial", rules.Shadow, asked(rule("r", rules.Shadow, finds))), applies("a", rules.Enforce, asked(rule("trial", rules.Shadow, finds)), asked(rule("r", rules.Enforce, passes)))},
			event(),
			[]string{
				"accept: no rule objects", "trial (shadow) yes", "a (enforce) yes",
				"trial/r (shadow) would_refuse, saw 1 MiB, says 1023 clip.mov is too large: 1 MiB.", "a/trial (shadow) would_refuse, saw 1 MiB, says 1023 clip.mov is too large: 1 MiB.", "a/r (enforce) passed, saw 1 MiB",
			},
		},
		{
			"rules that cannot tell, in shadow and not",
			[]rules.Considered{applies("a", rules.Enforce, asked(rule("r1", rules.Shadow, cannot)), asked(lenient(rule("r2", rules.Shadow, cannot))), asked(lenient(rule("r3", rules.Enforce, cannot))), asked(rule("r4", rules.Enforce, cannot)))},
			event(),
			[]string{
				"reject: a/r4 cannot tell, and its on_error is reject", "a (enforce) yes",
				"a/r1 (shadow) would_refuse_on_error, saw 1 MiB, says 1023 This could not be checked by the rule r1, so it is refused. Ask the server's administrator., error the event has no usable size",
				"a/r2 (shadow) accepted_on_error, saw 1 MiB, error the event has no usable size",
				"a/r3 (enforce) accepted_on_error, saw 1 MiB, error the event has no usable size",
				"a/r4 (enforce) refused_on_error, saw 1 MiB, says 1023 This could not be checked by the rule r4, so it is refused. Ask the server's administrator., error the event has no usable size",
			},
		},
		{
			"a rule panics",
			[]rules.Considered{applies("a", rules.Enforce, asked(rule("r", rules.Enforce, panics)))},
			event(),
			[]string{
				"reject: a/r has a fault, and refuses to be safe", "a (enforce) yes",
				`a/r (enforce) refused_on_error, saw 1 MiB, says 1004 The file validation service has a fault and refuses to be safe. Tell the server's administrator., error panic: out\u000aof luck`,
			},
		},
		{
			"cheap rules of all policies before dear ones",
			[]rules.Considered{applies("a", rules.Enforce, asked(rule("scan", rules.Enforce, passes), readsFile), asked(rule("r", rules.Enforce, passes))), applies("b", rules.Enforce, asked(rule("r", rules.Enforce, passes)))},
			event(),
			[]string{
				"accept: no rule objects", "a (enforce) yes", "b (enforce) yes",
				"a/r (enforce) passed, saw 1 MiB", "b/r (enforce) passed, saw 1 MiB", "a/scan (enforce) passed, saw 1 MiB",
			},
		},
		{
			"a rule of another phase, and one whose when does not hold",
			[]rules.Considered{applies("a", rules.Enforce, asked(rule("late", rules.Enforce, finds), onStop), asked(rule("some", rules.Enforce, finds), func(r *rules.Rule) { r.When = when }))},
			event(),
			[]string{
				"accept: no rule objects", "a (enforce) yes",
				"a/late (enforce) not_asked, why it is asked on stop, not on start", "a/some (enforce) skipped, when event.user == 'nobody'",
			},
		},
		{
			"an event about a session",
			[]rules.Considered{
				applies("a", rules.Enforce, asked(rule("file", rules.Enforce, finds), needsFile)),
				{Policy: "b", Standing: rules.SessionPasses, Why: []rules.Mismatch{{Key: "path", Wanted: []string{"/in/**"}, Unknown: true}}, Rules: []*rules.Rule{asked(rule("r", rules.Enforce, finds))}},
			},
			`{"startstop":"start","user":"xfer"}`,
			[]string{
				"accept: no rule objects", "a (enforce) yes", "b (enforce) session the event has no path",
				"a/file (enforce) not_asked, why it needs a file, and the event is about the session",
			},
		},
		{
			"nobody can say whether a policy applies",
			[]rules.Considered{applies("a", rules.Enforce, asked(rule("r", rules.Enforce, finds))), {Policy: "b", Standing: rules.Unclear, Why: []rules.Mismatch{{Key: "user", Unknown: true}}}},
			event(),
			[]string{
				"reject: nobody can say whether the policy b applies", "a (enforce) yes", "b (enforce) unclear the event has no user",
				"a/r (enforce) not_asked, why the event is refused before any rule, because nobody can say whether the policy b applies",
			},
		},
		{
			"no policy applies",
			[]rules.Considered{otherUsers, {Policy: "off", Mode: rules.Off, Standing: rules.SwitchedOff}},
			event(),
			[]string{"reject: no policy applies, and the service's default is reject", `guests (enforce) no user "xfer" matches none of guest-*`, "off (off) off"},
		},
		{
			"only a shadowed policy applies",
			[]rules.Considered{applies("trial", rules.Shadow, asked(rule("r", rules.Shadow, passes)))},
			event(),
			[]string{"reject: only shadowed policies apply, and the service's default is reject", "trial (shadow) yes", "trial/r (shadow) passed, saw 1 MiB"},
		},
		{"an event that cannot be read", []rules.Considered{applies("a", rules.Enforce)}, "{}x", []string{"reject: the event could not be read (trailing)"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := byPolicies(tc.set...).Explain(t.Context(), tc.event, false)
			if diff := cmp.Diff(tc.want, outline(&x)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if x.Revision != revision || !strings.HasPrefix(x.ID, "019cb8b8-1e00-7") || (x.Verdict == "accept") != (x.Answer.Status == 200) {
				t.Errorf("%+v", x)
			}
		})
	}
}

// TestAnExplanationInFull is the JSON that is documented, member for member.
func TestAnExplanationInFull(t *testing.T) {
	x := byPolicies(applies("a", rules.Enforce, asked(rule("r", rules.Enforce, finds)))).Explain(t.Context(), event("cookie", "c", "tags", "t", "cipher", "aes-128", "target_rate_kbps", "1000"), false)
	var b bytes.Buffer
	if err := x.Encode(&b); err != nil {
		t.Fatal(err)
	}
	want := `{
  "id": "ID",
  "revision": "0123456789ab",
  "verdict": "reject",
  "why": "a/r objects",
  "code": "1023",
  "message": "clip.mov is too large: 1 MiB.",
  "policy": "a",
  "rule": "r",
  "kind": "size",
  "event": {
    "phase": "start",
    "direction": "upload",
    "user": "xfer",
    "client_ip": "203.0.113.7",
    "host": "hst",
    "session_id": "s-1",
    "file": "/ingest/clip.mov",
    "size": 1048576,
    "cipher": "aes-128",
    "target_rate_kbps": 1000
  },
  "policies": [
    {
      "policy": "a",
      "file": "a.yaml",
      "mode": "enforce",
      "applies": "yes"
    }
  ],
  "others": 0,
  "rules": [
    {
      "policy": "a",
      "rule": "r",
      "kind": "size",
      "mode": "enforce",
      "outcome": "refused",
      "saw": "1 MiB",
      "code": "1023",
      "message": "clip.mov is too large: 1 MiB."
    }
  ],
  "answer": {
    "status": 400,
    "content_type": "application/json",
    "body": "{\"error\":{\"code\":\"1023\",\"message\":\"clip.mov is too large: 1 MiB.\"}}\n"
  }
}
`
	if diff := cmp.Diff(want, strings.Replace(b.String(), x.ID, "ID", 1)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWhereAnEventCannotBeRead: the place is that of the mistake.
func TestWhereAnEventCannotBeRead(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		want       validator.ExplainedFault
	}{
		{"on the first line", `{"startstop":"start","size":-1}`, validator.ExplainedFault{Reason: "size", Byte: 28, Line: 1, Column: 29}},
		{"on another", "{\n  \"startstop\": \"start\",\n  \"file\": \"é\", \"size\": -1}", validator.ExplainedFault{Reason: "size", Byte: 50, Line: 3, Column: 24}},
		{"cut off", `{"startstop":`, validator.ExplainedFault{Reason: "truncated", Byte: 13, Line: 1, Column: 14}},
		{"a member that is missing", `{"file":"/a"}`, validator.ExplainedFault{Reason: "startstop"}},
		{"nothing", "", validator.ExplainedFault{Reason: "empty"}},
		{"too much", strings.Repeat(" ", 1<<20+1), validator.ExplainedFault{Reason: "too_large"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := byPolicies().Explain(t.Context(), tc.body, false)
			if x.Malformed == nil || x.Code != "1001" || x.Event.Phase != "unknown" || len(x.Rules)+len(x.Policies) != 0 {
				t.Fatalf("%+v", x)
			}
			if diff := cmp.Diff(tc.want, *x.Malformed); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestTheAnswerIsThatOfTheService, byte for byte.
func TestTheAnswerIsThatOfTheService(t *testing.T) {
	x := byPolicies(applies("a", rules.Enforce, asked(objecting("{user} <&>\u2028 \\ \"{name}\"")), asked(rule("r", rules.Enforce, passes))))
	accepting := byPolicies(applies("a", rules.Enforce))
	for _, body := range []string{event(), event("user", "a\nb\x1b"), event("file", "/in/\u202e\"\\.mov"), "rubbish", "", strings.Repeat("x", 1<<20+1)} {
		for name, explainer := range map[string]validator.Explainer{"refusing": x, "accepting": accepting} {
			h := validator.New(options(deciderFunc(func(ctx context.Context, e *rules.Event) rules.Decision {
				d, _ := explainer.Decide(ctx, e)
				return d
			})))
			want, _ := ask(h, http.MethodPost, "/validation/files", body)
			told := explainer.Explain(t.Context(), body, false)
			if got := (answered{told.Answer.Status, told.Answer.ContentType, told.Answer.Body}); got != want {
				t.Errorf("%s: explained as %+v, answered with %+v", name, got, want)
			}
		}
	}
}

// TestPoliciesThatDoNotApplyAreToldWhileTheyAreFew, or if they are asked for.
func TestPoliciesThatDoNotApplyAreToldWhileTheyAreFew(t *testing.T) {
	for _, tc := range []struct {
		others int
		all    bool
		told   int
		left   int
	}{{0, false, 2, 0}, {20, false, 22, 0}, {21, false, 2, 21}, {5000, false, 2, 5000}, {5000, true, 5002, 0}} {
		set := []rules.Considered{applies("first", rules.Enforce)}
		for i := range tc.others {
			set = append(set, rules.Considered{Policy: fmt.Sprint("other-", i), Standing: []rules.Standing{rules.NotMatched, rules.SwitchedOff}[i%2]})
		}
		x := byPolicies(append(set, applies("last", rules.Shadow))...).Explain(t.Context(), event(), tc.all)
		if len(x.Policies) != tc.told || x.Others != tc.left || x.Policies[0].Policy != "first" || x.Policies[tc.told-1].Policy != "last" {
			t.Errorf("%d others, all %t: %d are told and %d left out, want %d and %d", tc.others, tc.all, len(x.Policies), x.Others, tc.told, tc.left)
		}
	}
}

// TestStepsAreExplained without the policies, for those who only have a decision.
func TestStepsAreExplained(t *testing.T) {
	e := arrived(event())
	d := byChain(rule("a", rules.Shadow, finds), rule("b", rules.Enforce, passes))(t.Context(), e)
	want := []validator.ExplainedRule{
		{Policy: "ingest", Rule: "a", Kind: "size", Mode: "shadow", Outcome: "would_refuse", Saw: "1 MiB", Code: "1023", Message: "clip.mov is too large: 1 MiB."},
		{Policy: "ingest", Rule: "b", Kind: "size", Mode: "enforce", Outcome: "passed", Saw: "1 MiB"},
	}
	if diff := cmp.Diff(want, validator.ExplainSteps(e, &d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// explaining returns an admin listener that explains, and its metrics.
func explaining(x validator.Explainer) (http.Handler, *prometheus.Registry) {
	registry := prometheus.NewRegistry()
	return validator.NewAdmin(validator.AdminOptions{
		Status: func() validator.PolicyStatus { return inForce }, Policies: func() validator.PolicyStatus { return inForce },
		Reload: func() error { return nil }, Explainer: x, Draining: func() bool { return false }, Log: zap.NewNop(), Registry: registry,
	}), registry
}

func TestExplainOverHTTP(t *testing.T) {
	x := byPolicies(applies("a", rules.Enforce, asked(rule("r", rules.Enforce, passes))))
	x.Limit = 1 << 10
	const json = "application/json"
	says := func(status int, text string) answered {
		return answered{status, json, fmt.Sprintf(`{"error":{"code":"%d","message":%q}}`, status, text) + "\n"}
	}
	h, registry := explaining(x)
	for _, tc := range []struct {
		name, method, target, body string
		want                       answered
	}{
		{"GET", "GET", "/v1/explain", "", says(405, "Send the event to explain with POST.")},
		{"PUT", "PUT", "/v1/explain", event(), says(405, "Send the event to explain with POST.")},
		{"too large", "POST", "/v1/explain", strings.Repeat("x", 1<<10+1), says(413, "The event is larger than 1 KiB (limits.body). The service refuses such an event with code 1001.")},
		{"all of what", "POST", "/v1/explain?all=y%1B", event(), answered{400, json, `{"error":{"code":"400","message":"all is \"y\\u001b\"; it can be true or false."}}` + "\n"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, id := ask(h, tc.method, tc.target, tc.body)
			if diff := cmp.Diff(tc.want, got); diff != "" || id != "" {
				t.Errorf("(-want +got):\n%s%s", diff, id)
			}
		})
	}
	for _, body := range []string{event(), "rubbish", ""} {
		for _, query := range []string{"", "?all=true", "?all=0"} {
			got, id := ask(h, "POST", "/v1/explain"+query, body)
			var told validator.Explanation
			if err := unmarshal(got.Body, &told); err != nil || got.Status != 200 || got.ContentType != json || id != "" {
				t.Fatalf("%+v, %v", got, err)
			}
			if (told.Verdict == "accept") != (body == event()) {
				t.Errorf("%q is explained as %+v", body, told)
			}
		}
	}
	for name, value := range gather(t, registry, "sluice_") {
		if !strings.HasPrefix(name, "sluice_http_requests_total") && value != 0 {
			t.Errorf("explaining counts %s", name)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/explain", nil))
	if w.Header().Get("Allow") != "POST" {
		t.Errorf("Allow is %q", w.Header().Get("Allow"))
	}
}

// unmarshal reads JSON that may have no member that is not known.
func unmarshal(text string, into any) error {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

// TestABodyThatDoesNotArriveIsNotExplained.
func TestABodyThatDoesNotArriveIsNotExplained(t *testing.T) {
	h, _ := explaining(byPolicies())
	for _, tc := range []struct {
		err    error
		status int
	}{{errors.New("reset"), 400}, {context.DeadlineExceeded, 408}} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/explain", io.MultiReader(strings.NewReader("{"), failing{tc.err})))
		if w.Code != tc.status || !strings.Contains(w.Body.String(), "The event did not arrive") {
			t.Errorf("%v: %d %s", tc.err, w.Code, w.Body)
		}
	}
}

// failing is a body that breaks off.
type failing struct{ err error }

// Read implements io.Reader.
func (f failing) Read([]byte) (int, error) { return 0, f.err }

// settings are a rules.Decoder of JSON.
type settings string

// Decode implements rules.Decoder.
func (s settings) Decode(into any) error { return json.Unmarshal([]byte(s), into) }

// everyKind is a rule of every kind, first in shadow and then enforced, and with
// every message that a policy could give it.
func everyKind(tb testing.TB) validator.Explainer {
	tb.Helper()
	written := map[string]string{
		"path": `{"allow":["/in/**"]}`, "filename": `{"forbid":["control","bidi"]}`, "extension": `{"allow":["mov"]}`, "size": `{"max":"1 MiB"}`,
		"checksum": `{"require":["sha256"]}`, "tags": `{"schema":"s.json","require":["/project"]}`, "network": `{"allow":["203.0.113.0/24"]}`,
		"transfer": `{"cipher":["aes-128"],"target_rate":{"max":"1 Gbps"}}`, "schedule": `{"from":"01:00","to":"02:00"}`,
		"expression": `"event.user == 'ann'"`, "content": `{"deny":["application/x-executable"]}`, "archive": `{"max_depth":3}`,
		"scan": `{"with":"clamav"}`, "grant": `{"required":true}`, "quota": `{"per":"user","files":1,"window":"24h"}`, "webhook": `{"ask":"dam"}`,
	}
	env := rules.Env{Open: func(string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(`{"properties":{"aspera":{"type":"string"},"project":{"type":"number"}}}`)), nil
	}}
	var chain []*rules.Rule
	for _, k := range rules.Builtin() {
		spec, ok := written[k.Name]
		if !ok {
			tb.Fatalf("this test has no settings for the kind %s", k.Name)
		}
		compiled, err := k.Compile(env, settings(spec))
		if err != nil {
			tb.Fatalf("%s: %v", k.Name, err)
		}
		for i, mode := range []rules.Mode{rules.Shadow, rules.Shadow, rules.Enforce} {
			r := &rules.Rule{
				Name: fmt.Sprintf("%s-%d", k.Name, i), Kind: k.Name, Mode: mode, Phases: rules.EveryPhase, NeedsFile: k.NeedsFile, Code: k.Code,
				Values: compiled.Values, Check: compiled.Check, Saw: k.Saw, AcceptOnError: i != 1,
			}
			if compiled.Saw != nil {
				r.Saw = compiled.Saw
			}
			if i == 1 {
				r.Message = template("{name} {path} {extension} {size} {user} {found}")
			}
			chain = append(chain, r)
		}
	}
	chain = append(chain, nosyRules(tb)...)
	slices.SortStableFunc(chain, func(a, b *rules.Rule) int { return int(b.Mode) - int(a.Mode) }) // All in shadow are asked.
	return byPolicies(applies("all", rules.Enforce, chain...), rules.Considered{Policy: "others"})
}

// nosyRules fail over what the tags hold, so that their errors could tell of it.
func nosyRules(tb testing.TB) (chain []*rules.Rule) {
	tb.Helper()
	for i, text := range []string{
		`int(event.tags.project) > 1`, `event.tags[event.tags.project] == 1`, `event.tags.project.nothing == 1`,
		`timestamp(event.tags.project) > timestamp("2026-01-01T00:00:00Z")`, `duration(event.tags.project) > duration("1s")`, `bool(event.tags.project)`,
	} {
		condition, err := rules.CompileCondition(rules.Env{}, text)
		if err != nil {
			tb.Fatalf("%s: %v", text, err)
		}
		chain = append(chain, &rules.Rule{
			Name: fmt.Sprintf("nosy-%d", i), Kind: "expression", Mode: rules.Shadow, Phases: rules.EveryPhase, Code: "1029", When: condition, Check: passes, Saw: func(*rules.Event) string { return "" },
		})
	}
	return chain
}

// explainedText returns the JSON of an explanation, and fails unless it is JSON
// that prints and says what is documented.
func explainedText(t failer, x validator.Explainer, body string) string {
	t.Helper()
	told := x.Explain(context.Background(), body, true)
	var b bytes.Buffer
	if err := told.Encode(&b); err != nil {
		t.Fatalf("%v", err)
	}
	var again validator.Explanation
	if err := unmarshal(b.String(), &again); err != nil {
		t.Fatalf("%v: %s", err, b.String())
	}
	if bare := strings.ReplaceAll(b.String(), "\n", ""); !utf8.ValidString(bare) || rules.Printable(bare) != bare {
		t.Fatalf("it does not print: %q", b.String())
	}
	return b.String()
}

// TestSecretsAreNeverExplained: neither tags nor cookies nor what is hidden in a
// path, whatever the rules say of them.
func TestSecretsAreNeverExplained(t *testing.T) {
	x := everyKind(t)
	for name, body := range map[string]string{
		"cookie":           event("cookie", "aspera.aoc:"+secret+":x"),
		"tags":             strings.Replace(event(), "{", `{"tags":{"aspera":{"node":{"storage_credentials":{"secret":"`+secret+`"}}},"project":"`+secret+`"},`, 1),
		"tags in a string": event("tags", `{"project":"`+secret+`","aspera":["`+secret+`"]}`),
		"rubbish tags":     event("tags", "{{"+secret),
		"names in tags":    event("tags", `{"`+secret+`":1,"`+secret+`":2}`),
		"object storage":   event("file", "s3://AKIAKEY:"+secret+"@bucket/in/clip.mov"),
		"slashes":          event("file", "s3://AKIAKEY:"+secret+"/a/b@bucket/in/clip.mov"),
		"manifest":         event("manifest_file", "s3://AKIAKEY:"+secret+"@bucket/manifest"),
		"unknown member":   event("password", secret),
		"not whole":        `{"startstop":"start","tags":{"a":"` + secret + `"`,
		"twice":            `{"startstop":"start","cookie":"` + secret + `","cookie":"` + secret + `"}`,
		"not JSON":         secret,
		"trailing":         event() + secret,
		"a phase":          `{"startstop":"` + secret + `"}`,
		"a size":           `{"startstop":"start","size":"` + secret + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if text := explainedText(t, x, body); strings.Contains(text, secret) || strings.Contains(text, "AKIAKEY") || name == "tags" && strings.Count(text, `"error"`) < 5 {
				t.Error(text)
			}
		})
	}
}

// TestExplanationsPrint whatever the event's texts are, and hold nothing of the
// tags and the cookie.
func TestExplanationsPrint(t *testing.T) {
	x, malformed, explained := everyKind(t), 0, 0
	hostile := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("\n\r\t\v\f\x00\x1b\x7f\u0085\u009b\u2028\u2029\u202e\\\"'<>&{}/.:@\ufffd"))))
	rapid.Check(t, func(t *rapid.T) {
		members := []string{"tags", `{"project":"tag-` + secret + `","x":` + mustJSON(hostile.Draw(t, "tag")+secret) + `}`, "cookie", hostile.Draw(t, "cookie") + secret}
		for _, m := range []string{"session_id", "xfer_id", "host", "client_ip", "user", "file", "cipher", "rate_policy", "file_csum", "file_csum_type", "direction"} {
			if rapid.Bool().Draw(t, "has "+m) {
				members = append(members, m, hostile.Draw(t, m))
			}
		}
		text := explainedText(t, x, event(members...))
		if strings.Contains(text, secret) {
			t.Fatal(text)
		}
		if strings.Contains(text, `"malformed"`) {
			malformed++
		} else {
			explained++
		}
	})
	if malformed < 5 || explained < 20 {
		t.Errorf("%d malformed and %d others: too few of one to tell", malformed, explained)
	}
}

func mustJSON(value any) string {
	b, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// FuzzExplain posts any bytes: the answer is JSON that prints, and the one that
// the service would give.
func FuzzExplain(f *testing.F) {
	for _, body := range []string{event(), event("startstop", "stop"), `{"startstop":"start"}`, "", "{", "\xff", event() + "x", event("tags", "e30="), event("file", "s3://a:b@c/d\x1b")} {
		f.Add([]byte(body))
	}
	x := everyKind(f)
	x.Limit = 64 << 10
	h, _ := explaining(x)
	f.Fuzz(func(t *testing.T, body []byte) {
		got, _ := ask(h, "POST", "/v1/explain", string(body))
		if len(body) > 64<<10 {
			if got.Status != 413 {
				t.Fatalf("%+v", got)
			}
			return
		}
		var told validator.Explanation
		if err := unmarshal(got.Body, &told); err != nil || got.Status != 200 {
			t.Fatalf("%v: %+v", err, got)
		}
		if bare := strings.ReplaceAll(got.Body, "\n", ""); !utf8.ValidString(bare) || rules.Printable(bare) != bare {
			t.Fatalf("it does not print: %q", got.Body)
		}
		var e rules.Event
		x.Decoder.Decode(string(body), &e)
		if d, _ := x.Decide(t.Context(), &e); string(d.Code) != told.Code || (d.Code == "") != (told.Answer.Status == 200) {
			t.Fatalf("explained with the code %q and answered with %q", told.Code, d.Code)
		}
	})
}

// TestReferenceOfExplain: the README's members are those of an explanation, and
// its outcomes and standings those that there are.
func TestReferenceOfExplain(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n### Explain\n")
	section, _, _ = strings.Cut(section, "\n## ")
	words := map[string]bool{}
	for _, word := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(section, -1) {
		words[word[1]] = true
	}
	var names []string
	x := byPolicies(applies("a", rules.Enforce, asked(rule("r", rules.Enforce, cannot)))).Explain(t.Context(), event(), false)
	x.Malformed = &validator.ExplainedFault{Reason: "size", Byte: 1, Line: 1, Column: 1}
	x.Rules[0].When, x.Rules[0].Why, x.Rules[0].TookUS = "w", "w", 1
	x.Policies[0].Why = []string{"w"}
	x.Event = validator.ExplainedEvent{}
	b := mustJSON(x)
	for _, name := range regexp.MustCompile(`"([a-z_]+)":`).FindAllStringSubmatch(b, -1) {
		names = append(names, name[1])
	}
	for o := rules.Passed; o <= rules.Skipped; o++ {
		names = append(names, o.String())
	}
	for s := rules.NotMatched; s <= rules.SwitchedOff; s++ {
		names = append(names, s.String())
	}
	for _, name := range append(names, validator.OutcomeNotAsked) {
		if !words[name] && name != "phase" && name != "direction" {
			t.Errorf("the README does not tell of %q", name)
		}
	}
}
