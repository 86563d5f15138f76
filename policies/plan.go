package policies

import (
	"fmt"

	"github.com/sluiceproject/sluice/rules"
)

// Plan says when each rule of a set is decided, what it reads for that, and what
// must be set in the aspera.conf of the Aspera server.
type Plan struct {
	// Revision names the set.
	Revision string `json:"revision"`
	// Policies are all policies of the set in order.
	Policies []PlannedPolicy `json:"policies"`
	// Settings are those of aspera.conf that the set needs or can use, in the
	// order in which they are set.
	Settings []PlannedSetting `json:"settings"`
	// Also is what else must be so beside aspera.conf's settings, each once.
	Also []string `json:"also,omitempty"`
	// Unused are the phases in which no rule is asked.
	Unused []string `json:"unused_phases"`
}

// PlannedPolicy is one policy of a plan.
type PlannedPolicy struct {
	Policy string `json:"policy"`
	File   string `json:"file"`
	// Mode is enforce, shadow or off. A policy that is off has no rules here.
	Mode  string        `json:"mode"`
	Rules []PlannedRule `json:"rules"`
}

// PlannedRule is one rule of a plan; rules that are off have none.
type PlannedRule struct {
	Rule string `json:"rule"`
	Kind string `json:"kind"`
	// Mode is enforce or shadow, the policy's mode taken into account.
	Mode string `json:"mode"`
	// Phases are those in which the rule is asked, in the order of a transfer, and
	// First is the first of them.
	Phases []string `json:"phases"`
	First  string   `json:"first"`
	// Cost is what the rule reads: metadata, store, head or file.
	Cost string `json:"cost"`
	// Needs are the settings without which the rule is not decided at any phase of
	// a transfer, and what else its kind needs.
	Needs []string `json:"needs"`
	// Notes are what else there is to know before relying on the rule.
	Notes []string `json:"notes,omitempty"`
}

// PlannedSetting is a setting of aspera.conf.
type PlannedSetting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	// Needed says that some rule is not decided without it. Otherwise rules are
	// asked again that an earlier phase has decided.
	Needed bool `json:"needed"`
	// First is how many rules are decided for the first time in a transfer thanks
	// to it, Again how many are asked again.
	First int `json:"first"`
	Again int `json:"again"`
}

// setting is a setting of aspera.conf that a phase of a transfer needs.
type setting struct{ name, value string }

// String writes the setting as a line of a person's notes.
func (s setting) String() string { return s.name + " = " + s.value }

// settingsOf returns what must be set for ascp to ask on a phase. On request the
// token endpoint asks, whatever aspera.conf says.
func settingsOf(p rules.Phase) []setting {
	switch p {
	case rules.PhaseStart:
		return []setting{{"validation_file_start", "uri"}}
	case rules.PhaseRunning:
		return []setting{{"validation_threshold", "uri"}, {"validation_threshold_kb", "above 0"}}
	case rules.PhaseStop:
		return []setting{{"validation_file_stop", "uri"}}
	default:
		return nil
	}
}

// Plan returns when the set's rules are decided and what that needs. kinds are
// those with which the set was compiled.
func (s *Snapshot) Plan(kinds []rules.Kind) Plan {
	plan := Plan{Revision: s.Revision, Policies: make([]PlannedPolicy, 0, len(s.Policies)), Unused: []string{}}
	p := planner{plan: &plan, kinds: map[string]*rules.Kind{}, said: map[string]bool{}}
	for i := range kinds {
		p.kinds[kinds[i].Name] = &kinds[i]
	}
	for _, policy := range s.Policies {
		planned := PlannedPolicy{Policy: policy.Name, File: policy.File, Mode: policy.Mode.String(), Rules: make([]PlannedRule, 0, len(policy.Rules))}
		for _, r := range policy.Rules {
			planned.Rules = append(planned.Rules, p.rule(policy, r))
		}
		plan.Policies = append(plan.Policies, planned)
	}
	p.sum()
	return plan
}

// planner makes a plan, and counts the rules that are asked on each phase: for
// the first time in a transfer, and again.
type planner struct {
	plan         *Plan
	kinds        map[string]*rules.Kind
	said         map[string]bool
	first, again [rules.PhaseCount]int
}

// rule plans one rule.
func (p *planner) rule(policy *Policy, r *rules.Rule) PlannedRule {
	phases := r.Phases
	if policy.selects.fields&(byClient|byHost) != 0 {
		phases &^= rules.Phases(rules.PhaseRequest) // Its policy asks nothing then.
	}
	planned := PlannedRule{Rule: r.Name, Kind: r.Kind, Mode: r.Mode.String(), Phases: phases.Names(), First: first(r, phases).String(), Cost: r.Cost.String(), Needs: []string{}}
	for _, s := range settingsOf(p.count(phases)) {
		planned.Needs = append(planned.Needs, s.String())
	}
	if kind := p.kinds[r.Kind]; kind != nil && kind.Needs != "" {
		planned.Needs = append(planned.Needs, kind.Needs)
		if also := fmt.Sprintf("%s: %s", kind.Name, kind.Needs); !p.said[also] {
			p.said[also] = true
			p.plan.Also = append(p.plan.Also, also)
		}
	}
	planned.Notes = notes(policy, r)
	return planned
}

// first returns the first of a rule's phases in which it can refuse. One that limits what
// is granted refuses nothing on request.
func first(r *rules.Rule, phases rules.PhaseSet) rules.Phase {
	for phase := rules.PhaseRequest; phase < rules.PhaseCount; phase++ {
		limits := phase == rules.PhaseRequest && r.Limits != rules.GrantLimits{} && !r.OnlyLimits()
		if phases.Has(phase) && !limits {
			return phase
		}
	}
	return rules.PhaseUnknown
}

// count counts a rule's phases and returns the first of a transfer, or
// PhaseUnknown if it is only asked when a token is requested.
func (p *planner) count(phases rules.PhaseSet) (first rules.Phase) {
	for phase := rules.PhaseRequest; phase < rules.PhaseCount; phase++ {
		switch {
		case !phases.Has(phase):
		case phase == rules.PhaseRequest, first == rules.PhaseUnknown:
			p.first[phase]++
			if phase != rules.PhaseRequest {
				first = phase
			}
		default:
			p.again[phase]++
		}
	}
	return first
}

// notes say what a security team may not expect of a rule.
func notes(policy *Policy, r *rules.Rule) (list []string) {
	if r.Limits != (rules.GrantLimits{}) && r.Phases.Has(rules.PhaseRequest) {
		list = append(list, "on request it limits what is granted, and refuses nothing")
	}
	switch transfer := r.Phases & rules.TransferPhases; {
	case r.OnlyLimits():
	case transfer == 0:
		list = append(list, "only the token endpoint asks it, so transfers that need no token from here pass it by")
	case transfer == rules.OnlyStop:
		list = append(list, "the file has arrived by then")
	case transfer == rules.Phases(rules.PhaseRunning):
		list = append(list, "files that never reach the threshold are never asked about")
	}
	if !r.NeedsFile && policy.selects.fields&byPath == 0 && r.Phases&rules.Phases(rules.PhaseStart, rules.PhaseStop) != 0 {
		list = append(list, "it needs no file, so it decides events about a session too")
	}
	return list
}

// sum says what the whole set needs.
func (p *planner) sum() {
	p.plan.Settings = []PlannedSetting{}
	var first, again int
	for phase := rules.PhaseRequest; phase < rules.PhaseCount; phase++ {
		f, a := p.first[phase], p.again[phase]
		if f+a == 0 {
			p.plan.Unused = append(p.plan.Unused, phase.String())
			continue
		}
		for _, s := range settingsOf(phase) {
			p.plan.Settings = append(p.plan.Settings, PlannedSetting{Name: s.name, Value: s.value, Needed: f > 0, First: f, Again: a})
		}
		if phase != rules.PhaseRequest {
			first, again = first+f, again+a
		}
	}
	if first > 0 {
		uri := PlannedSetting{Name: "validation_uri", Value: "the URL at which sluice listens", Needed: true, First: first, Again: again}
		p.plan.Settings = append([]PlannedSetting{uri}, p.plan.Settings...)
	}
}
