package policies

import (
	"encoding/json"
	"fmt"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// A rule is compared with the first maxEarlier enforced rules of its kind that
// stand before it, policies with its own applies_to first, and the applies_to of
// a policy with the first maxSelectors different ones of the set; rules with the
// same settings are found beyond that. So looking for what is unreachable takes
// time in proportion to the set, and may miss some in sets of hundreds of rules
// of one kind that all differ.
const (
	maxEarlier   = 64
	maxSelectors = 64
)

// writtenRule is where a rule is written, and what its settings are, for whoever
// compares rules.
type writtenRule struct {
	// place is a fault at the rule's name that says nothing yet.
	place document.Fault
	// settings are the kind and its settings in a canonical form.
	settings string
}

// places are where a policy is written, as long as its set is being compiled.
type places struct {
	rules []writtenRule // as Policy.Rules
	// paths and clients are faults at those keys of applies_to.
	paths, clients document.Fault
}

// whereWritten says where a compiled rule is written.
func whereWritten(doc *document.Document, at string, r *rules.Rule) writtenRule {
	w := writtenRule{place: doc.At(at+"/name", "")}
	var settings json.RawMessage
	if r.Reach != nil && doc.Decode(at+"/"+r.Kind, &settings) == nil {
		w.settings = r.Kind + " " + string(settings)
	}
	return w
}

// enforced is a rule that may refuse what a later one would.
type enforced struct {
	*rules.Rule
	writtenRule
	policy *Policy
	group  *selectorGroup
}

// analysis is what is known of the rules that come before one.
type analysis struct {
	groups map[string]*selectorGroup
	wide   []*selectorGroup      // the first of the groups
	same   map[string][]enforced // by settings
}

// unreachable reports the policies and rules that can never refuse anything,
// because whatever they would refuse is refused before they are asked. It
// forgets what is known of the policies for this only.
func unreachable(policies []*Policy) (faults document.Faults) {
	a := analysis{groups: map[string]*selectorGroup{}, same: map[string][]enforced{}}
	names := map[string]bool{}
	for _, p := range policies {
		if p != nil && p.places != nil && !names[p.Name] { // A file that was copied has said the same before.
			names[p.Name] = true
			faults = append(faults, a.policy(p)...)
		}
	}
	for _, p := range policies {
		if p == nil {
			continue
		}
		p.places = nil
		for _, r := range p.Rules {
			r.Reach = nil
		}
	}
	return faults
}

// policy compares a policy and its rules with what comes before them.
func (a *analysis) policy(p *Policy) (faults document.Faults) {
	group := a.group(&p.selects)
	around := a.around(group)
	if fault, ok := a.refusedBefore(p, group, around); ok {
		return document.Faults{fault}
	}
	for i, r := range p.Rules {
		later := enforced{r, p.places.rules[i], p, group}
		if r.Reach == nil {
			continue
		}
		if earlier, ok := a.hiding(later, around); ok {
			faults = append(faults, hiddenFault(earlier, later))
			continue
		}
		if r.Mode == rules.Enforce {
			a.add(later)
		}
	}
	return faults
}

func (a *analysis) add(e enforced) {
	if list := e.group.rules[e.Kind]; len(list) < maxEarlier {
		e.group.rules[e.Kind] = append(list, e)
	}
	if list := a.same[e.settings]; len(list) < maxEarlier {
		a.same[e.settings] = append(list, e)
	}
}

// hiding returns an earlier rule that refuses whatever a later one would.
func (a *analysis) hiding(later enforced, around []*selectorGroup) (enforced, bool) {
	for _, earlier := range a.same[later.settings] {
		if (earlier.group == later.group || earlier.group.covers(later.group)) && earlier.hides(later) {
			return earlier, true
		}
	}
	left := maxEarlier
	for _, group := range around {
		for _, earlier := range group.rules[later.Kind] {
			if left--; left < 0 {
				return enforced{}, false
			}
			if earlier.hides(later) {
				return earlier, true
			}
		}
	}
	return enforced{}, false
}

// hides reports whether an enforced rule of a policy that applies whenever the
// later one's does has refused whatever the later rule would refuse.
func (e enforced) hides(later enforced) bool {
	if later.Phases&^e.Phases != 0 || e.NeedsFile && !later.NeedsFile || e.Cost > later.Cost {
		return false // The later rule is asked where the earlier is not, or before it.
	}
	if later.Timeout > 0 && !later.AcceptOnError {
		return false // It refuses when it takes too long.
	}
	switch {
	case e.When != nil && (later.When == nil || e.When.Text != later.When.Text):
		return false
	case e.When == nil && later.When != nil && !later.AcceptOnError:
		return false // The later rule refuses when it cannot tell whether it looks at an event.
	case e.AcceptOnError && (!later.AcceptOnError || e.Timeout > 0 || e.settings != later.settings):
		return false // An earlier rule that cannot tell lets pass what the later may object to.
	default:
		return later.Reach.Within(e.Reach)
	}
}

// hiddenFault is the fault of a rule that another one hides.
func hiddenFault(earlier, later enforced) document.Fault {
	fault := later.place
	can := "refuse"
	if later.Mode == rules.Shadow {
		can = "object"
	}
	fault.Message = fmt.Sprintf("rule %q can never %s: %s already refuses whatever it would", later.Name, can, earlier.name(later.policy))
	fault.Hint = fmt.Sprintf("remove it, or change %q: what one rule refuses, no other allows", earlier.Name)
	if earlier.Reach.Within(later.Reach) {
		fault.Hint = "remove one of the two"
	}
	return fault
}

// name is how a message in a policy speaks of a rule.
func (e enforced) name(in *Policy) string {
	if e.policy == in {
		return fmt.Sprintf("%q (line %d)", e.Name, e.place.Line)
	}
	return fmt.Sprintf("%q of policy %q (%s:%d)", e.Name, e.policy.Name, e.policy.File, e.place.Line)
}

// refusedBefore reports a policy of which an earlier rule refuses all paths, or
// all clients, to which it applies. A rule that refused exactly those would be
// hidden, and so is the policy.
func (a *analysis) refusedBefore(p *Policy, group *selectorGroup, around []*selectorGroup) (document.Fault, bool) {
	var phases rules.PhaseSet
	for _, r := range p.Rules {
		phases |= r.Phases
	}
	for _, selects := range []struct {
		field      fieldSet
		kind, what string
		place      document.Fault
		phases     rules.PhaseSet
		reach      func() rules.Reach
	}{
		{byPath, "path", "path", p.places.paths, phases, func() rules.Reach { return rules.RefusesPaths(p.selects.paths) }},
		// Where the address is not known, the policy asks nothing.
		{byClient, "network", "address", p.places.clients, phases &^ rules.Phases(rules.PhaseRequest), func() rules.Reach { return rules.RefusesAddresses(p.selects.clients) }},
	} {
		if p.selects.fields&selects.field == 0 || phases == 0 {
			continue
		}
		all := rules.Rule{Kind: selects.kind, Phases: selects.phases, NeedsFile: selects.kind == "path", Reach: selects.reach()}
		if earlier, ok := a.hiding(enforced{Rule: &all, policy: p, group: group}, around); ok {
			fault := selects.place
			fault.Message = fmt.Sprintf("policy %q can never decide anything: %s already refuses every %s to which it applies", p.Name, earlier.name(p), selects.what)
			fault.Hint = fmt.Sprintf("let that rule accept them, or give policy %q an applies_to that leaves them out", earlier.policy.Name)
			return fault, true
		}
	}
	return document.Fault{}, false
}
