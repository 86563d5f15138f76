package policies

import (
	"fmt"
	"slices"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// expectations reads what a test wants.
func (b *suiteBuilder) expectations(c *Case, at string, test map[string]any) {
	_, accept := test["accept"]
	refuse, refused := test["refuse"]
	shadow, shadowed := test["would_refuse"]
	list, _ := shadow.([]any)
	switch {
	case accept && refused:
		b.fault(b.doc.AtKey(at+"/refuse", "a test accepts or refuses, and this one wants both").WithHint("make two tests of it"))
	case !accept && !refused && !shadowed:
		b.fault(b.doc.At(at, "the test wants nothing").WithHint("give it accept: true, refuse: true or refuse: {rule: …}"))
	case !accept && !refused:
		b.fault(b.doc.At(at, "the test does not say whether the event is accepted").WithHint("give it accept: true too, because a rule in shadow mode refuses nothing"))
	}
	c.accept = accept
	if keys, ok := refuse.(map[string]any); ok {
		c.refuse = b.wanted(at+"/refuse", keys)
	}
	for i := range list {
		if keys, ok := list[i].(map[string]any); ok {
			c.wouldRefuse = append(c.wouldRefuse, b.wanted(fmt.Sprintf("%s/would_refuse/%d", at, i), keys))
		}
	}
}

// wanted reads what a test asks of a refusal. The names in it must be of the
// policy set.
func (b *suiteBuilder) wanted(at string, keys map[string]any) wanted {
	text := func(key string) string {
		s, _ := keys[key].(string)
		if s != "" && !b.sound(at+"/"+key) {
			return ""
		}
		return s
	}
	w := wanted{policy: text("policy"), rule: text("rule"), code: text("code"), message: text("message")}
	if b.names != nil {
		b.faults = append(b.faults, b.names.check(b.doc, at, w)...)
	}
	return w
}

// ruleNames are the names that tests of a set can use.
type ruleNames struct {
	policies []string
	rules    []string            // Each once.
	of       map[string][]string // The rules of each policy.
	in       map[string]string   // The first policy that has a rule.
}

// namesOf returns the names of a set, or nil if there is none.
func namesOf(s *Snapshot) *ruleNames {
	if s == nil {
		return nil
	}
	n := &ruleNames{of: map[string][]string{}, in: map[string]string{}}
	for _, p := range s.Policies {
		n.policies = append(n.policies, p.Name)
		for _, r := range p.Rules {
			n.of[p.Name] = append(n.of[p.Name], r.Name)
			if _, known := n.in[r.Name]; !known {
				n.in[r.Name] = p.Name
				n.rules = append(n.rules, r.Name)
			}
		}
	}
	return n
}

// check reports names that are not of the set, or not of rules that are asked.
func (n *ruleNames) check(doc *document.Document, at string, w wanted) document.Faults {
	if w.policy != "" && !slices.Contains(n.policies, w.policy) {
		return document.Faults{doc.At(at+"/policy", "the set has no policy %q", w.policy).WithHint(rules.DidYouMean(w.policy, n.policies))}
	}
	in, known := n.in[w.rule]
	switch {
	case w.rule == "":
		return nil
	case w.policy == "" && !known:
		return document.Faults{doc.At(at+"/rule", "the set has no rule %q, or it is off", w.rule).WithHint(rules.DidYouMean(w.rule, n.rules))}
	case w.policy != "" && !slices.Contains(n.of[w.policy], w.rule):
		hint := rules.DidYouMean(w.rule, n.of[w.policy])
		if known {
			hint = fmt.Sprintf("the policy %q has one of this name", in)
		}
		return document.Faults{doc.At(at+"/rule", "the policy %q has no rule %q, or it is off", w.policy, w.rule).WithHint(hint)}
	default:
		return nil
	}
}
