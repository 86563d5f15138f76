package policies

import (
	"context"
	"strings"

	"github.com/sluiceproject/sluice/rules"
)

// Result is what came of a test.
type Result struct {
	// Case is the test.
	Case *Case
	// Event is what was decided, and Decision how.
	Event    *rules.Event
	Decision rules.Decision
	// Differences are what came otherwise than wanted, in the order verdict,
	// policy, rule, code, message, would_refuse; none if the test passed.
	Differences []Difference
}

// Difference is one thing that came otherwise than wanted.
type Difference struct {
	// Key is verdict, policy, rule, code, message or would_refuse.
	Key string `json:"key"`
	// Wanted is what the test asks for, Got what the decision says: nothing
	// where it says nothing. Of a verdict they are accept or refuse. Of
	// would_refuse they name rules, with a code where the test asks for one.
	Wanted string `json:"wanted"`
	Got    string `json:"got"`
}

// Passed reports whether all came as wanted.
func (r *Result) Passed() bool { return len(r.Differences) == 0 }

// Run decides the test's event by a policy set and compares.
func (c *Case) Run(ctx context.Context, s *Snapshot) Result {
	e := c.event
	ctx = context.WithValue(ctx, countedBy{}, c.counted)
	r := Result{Case: c, Event: &e}
	if c.content != nil {
		r.Decision = s.decide(ctx, &e, &rules.ContentEnv{Files: inMemory(*c.content)})
	} else {
		r.Decision = s.decide(ctx, &e, &rules.ContentEnv{})
	}
	d := &r.Decision
	r.compare("verdict", verdictWord(c.accept), verdictWord(d.Accepted()))
	for _, part := range []struct{ key, wanted, got string }{
		{"policy", c.refuse.policy, d.Policy},
		{"rule", c.refuse.rule, d.Rule},
		{"code", c.refuse.code, string(d.Code)},
		{"message", c.refuse.message, d.Message},
	} {
		if part.wanted != "" {
			r.compare(part.key, part.wanted, part.got)
		}
	}
	for _, w := range c.wouldRefuse {
		if !noted(d, w) {
			r.compare("would_refuse", w.String(), wouldRefuse(d))
		}
	}
	return r
}

func (r *Result) compare(key, wanted, got string) {
	if wanted != got {
		r.Differences = append(r.Differences, Difference{Key: key, Wanted: wanted, Got: got})
	}
}

func verdictWord(accepted bool) string {
	if accepted {
		return "accept"
	}
	return "refuse"
}

// String names the rule as far as the test does.
func (w wanted) String() string {
	var parts []string
	for _, part := range []struct{ key, text string }{{"policy", w.policy}, {"rule", w.rule}, {"code", w.code}} {
		if part.text != "" {
			parts = append(parts, part.key+" "+part.text)
		}
	}
	return strings.Join(parts, ", ")
}

// shadowed reports whether a step is that of a shadowed rule which would have
// refused.
func shadowed(step *rules.Step) bool {
	return step.Outcome == rules.WouldRefuse || step.Outcome == rules.WouldRefuseOnError
}

// noted reports whether a shadowed rule that is wanted would have refused.
func noted(d *rules.Decision, w wanted) bool {
	for i := range d.Steps {
		step := &d.Steps[i]
		if shadowed(step) && (w.policy == "" || w.policy == step.Rule.Policy) && (w.rule == "" || w.rule == step.Rule.Name) &&
			(w.code == "" || w.code == string(step.Detail.Verdict.Code)) {
			return true
		}
	}
	return false
}

// wouldRefuse names the shadowed rules that would have refused.
func wouldRefuse(d *rules.Decision) string {
	var names []string
	for i := range d.Steps {
		if step := &d.Steps[i]; shadowed(step) {
			w := wanted{policy: step.Rule.Policy, rule: step.Rule.Name, code: string(step.Detail.Verdict.Code)}
			names = append(names, w.String())
		}
	}
	return strings.Join(names, "; ")
}

// Uncovered returns the rules of a set, in its order, of which no result shows
// that they refuse: neither did one refuse nor, in shadow mode, would one have
// refused. A rule that could not tell has not shown it. Rules that are off are
// left out, and so are those that ask somebody else, whom a test cannot answer
// for, and those that only limit what is granted.
func Uncovered(s *Snapshot, results []Result) []*rules.Rule {
	shown := map[*rules.Rule]bool{}
	for i := range results {
		steps := results[i].Decision.Steps
		for j := range steps {
			if o := steps[j].Outcome; o == rules.Refused || o == rules.WouldRefuse {
				shown[steps[j].Rule] = true
			}
		}
	}
	var missing []*rules.Rule
	for _, p := range s.Policies {
		for _, r := range p.Rules {
			if !shown[r] && !r.Remote && !r.OnlyLimits() {
				missing = append(missing, r)
			}
		}
	}
	return missing
}
