package validator

import (
	"strings"

	"github.com/sluiceproject/sluice/rules"
)

// ExplainedRule is one rule and what came of it.
type ExplainedRule struct {
	Policy string `json:"policy"`
	Rule   string `json:"rule"`
	Kind   string `json:"kind"`
	// Mode is enforce or shadow, the policy's mode taken into account.
	Mode string `json:"mode"`
	// Outcome is passed, refused, would_refuse, refused_on_error,
	// would_refuse_on_error, accepted_on_error, skipped or not_asked.
	Outcome string `json:"outcome"`
	// Saw is the value that the rule looked at, if it has one.
	Saw string `json:"saw,omitempty"`
	// Code and Message are what the rule says, or would say if it were enforced.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	// Error is why the rule could not tell.
	Error string `json:"error,omitempty"`
	// When is the rule's condition, for a rule that was skipped because of it.
	When string `json:"when,omitempty"`
	// Why says why the rule was not asked.
	Why string `json:"why,omitempty"`
	// TookUS is how long the answer took in microseconds, for rules that read more
	// than metadata.
	TookUS int64 `json:"took_us,omitempty"`
	// Coverage is how far a look into the file got: clean, bad, partial,
	// uninspectable, error or timeout. It is absent for rules that read metadata.
	Coverage string `json:"coverage,omitempty"`
	// Inspected is how many bytes were looked at, of Total; absent if unknown.
	Inspected *int64 `json:"inspected,omitempty"`
	Total     *int64 `json:"total,omitempty"`
	// Reason is one word for why not all was looked at, or for why a grant does not
	// hold.
	Reason string `json:"reason,omitempty"`
}

// OutcomeNotAsked is the outcome of a rule that left no step.
const OutcomeNotAsked = "not_asked"

// ExplainSteps tells what was asked about an event, in order.
func ExplainSteps(e *rules.Event, d *rules.Decision) []ExplainedRule {
	told := make([]ExplainedRule, len(d.Steps))
	for i := range d.Steps {
		told[i] = explainStep(e, &d.Steps[i])
	}
	return told
}

func explainStep(e *rules.Event, s *rules.Step) ExplainedRule {
	told := nameRule(s.Rule)
	told.Outcome = s.Outcome.String()
	if l := s.Looked; l != nil {
		told.TookUS, told.Coverage, told.Reason = l.Took.Microseconds(), l.State.String(), l.Reason
		if l.State != rules.NotLooked {
			told.Inspected = &l.Inspected
		}
		if l.State != rules.NotLooked && l.Total >= 0 {
			told.Total = &l.Total
		}
	}
	if s.Outcome == rules.Skipped {
		told.When = shown(strings.Join(strings.Fields(s.Rule.When.Text), " "))
		return told
	}
	told.Saw = shown(s.Saw(e))
	if s.Detail != nil {
		told.Code, told.Message = string(s.Detail.Verdict.Code), s.Detail.Verdict.Message
		if s.Detail.Reason != "" {
			told.Reason = s.Detail.Reason
		}
		if s.Detail.Err != nil {
			told.Error = shown(s.Detail.Err.Error())
		}
	}
	return told
}

func nameRule(r *rules.Rule) ExplainedRule {
	return ExplainedRule{Policy: r.Policy, Rule: r.Name, Kind: r.Kind, Mode: r.Mode.String()}
}

// explainRules tells the rules of the policies that apply in the order in which
// they are asked: cheap ones before dear ones, and otherwise as they are written.
func explainRules(e *rules.Event, d *rules.Decision, considered []rules.Considered) []ExplainedRule {
	steps := make(map[*rules.Rule]*rules.Step, len(d.Steps))
	for i := range d.Steps {
		steps[d.Steps[i].Rule] = &d.Steps[i]
	}
	told := []ExplainedRule{}
	for cost := range rules.CostCount {
		for i := range considered {
			if considered[i].Standing != rules.Applies {
				continue
			}
			for _, r := range considered[i].Rules {
				if r.Cost != cost {
					continue
				}
				if s := steps[r]; s != nil {
					told = append(told, explainStep(e, s))
				} else {
					told = append(told, notAsked(e, d, r))
				}
			}
		}
	}
	return told
}

// notAsked tells why a rule left no step. What would keep it from being asked in
// any case goes before what was refused earlier.
func notAsked(e *rules.Event, d *rules.Decision, r *rules.Rule) ExplainedRule {
	told := nameRule(r)
	told.Outcome = OutcomeNotAsked
	switch {
	case !r.Phases.Has(e.Phase):
		told.Why = "it is asked on " + r.Phases.String() + ", not on " + e.Phase.String()
	case r.NeedsFile && !e.HasFile():
		told.Why = "it needs a file, and the event is about the session"
	case r.NeedsName && e.Below:
		told.Why = "it judges the names of files, and a whole folder is asked for"
	case d.Rule != "":
		told.Why = d.Policy + "/" + d.Rule + " refused before"
	case d.Code == rules.CodeSelector:
		told.Why = "the event is refused before any rule, because nobody can say whether the policy " + d.Policy + " applies"
	case d.Code == rules.CodeRevoked:
		told.Why = "the event is refused before any rule, because of its grant"
	default:
		told.Why = "there is a fault inside sluice"
	}
	return told
}
