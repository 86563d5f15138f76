package policies

import (
	"fmt"
	"slices"

	"github.com/gaissmai/bart"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// selectorGroup is the policies that are selected alike, and their enforced
// rules by kind.
type selectorGroup struct {
	selects             *selector
	users, hosts, paths rules.GlobReach
	clients             bart.Lite
	rules               map[string][]enforced
}

// group returns the group of a selector.
func (a *analysis) group(s *selector) *selectorGroup {
	sorted := func(list []string) []string { return slices.Sorted(slices.Values(list)) }
	key := fmt.Sprintf("%d %t %t %q %q %q %v", s.fields, s.uploads, s.downloads, sorted(s.users), sorted(s.hosts), sorted(s.paths), s.clients)
	if g := a.groups[key]; g != nil {
		return g
	}
	g := &selectorGroup{
		selects: s, users: rules.NewNameReach(s.users), hosts: rules.NewNameReach(s.hosts), paths: rules.NewPathReach(s.paths),
		rules: map[string][]enforced{},
	}
	for _, prefix := range s.clients {
		g.clients.Insert(prefix)
	}
	a.groups[key] = g
	if len(a.wide) < maxSelectors {
		a.wide = append(a.wide, g)
	}
	return g
}

// around returns the group and those of the first groups that cover it.
func (a *analysis) around(g *selectorGroup) []*selectorGroup {
	list := []*selectorGroup{g}
	for _, wide := range a.wide {
		if wide != g && wide.covers(g) {
			list = append(list, wide)
		}
	}
	return list
}

// covers reports whether an enforced policy of the group applies whenever one
// of the other group does, or the event is refused before: of an event that
// lacks a field nobody is asked who selects by it, so a field by which g selects
// and the other does not would make a difference.
func (g *selectorGroup) covers(other *selectorGroup) bool {
	s, o := g.selects, other.selects
	if s.fields&byDirection != 0 {
		// An event without a direction is refused by whoever selects by it.
		all := o.fields&byDirection == 0
		if (all || o.uploads) && !s.uploads || (all || o.downloads) && !s.downloads {
			return false
		}
	}
	if rest := s.fields &^ byDirection; rest&^o.fields != 0 {
		return false
	}
	if s.fields&byUser != 0 && !g.users.Covers(other.users) ||
		s.fields&byHost != 0 && !g.hosts.Covers(other.hosts) ||
		s.fields&byPath != 0 && !g.paths.Covers(other.paths) {
		return false
	}
	for _, prefix := range o.clients {
		if s.fields&byClient != 0 && !g.clients.LookupPrefix(prefix) {
			return false
		}
	}
	return true
}

// unasked reports rules of a policy that applies by client_ip or host where
// neither is known: such a policy asks nothing about a token request. on are the
// phases that each rule names.
func (p *Policy) unasked(doc *document.Document, compiled []*rules.Rule, on [][]string) (faults document.Faults) {
	key, why := "client_ip", noAddress
	switch {
	case p.selects.fields&byClient != 0:
	case p.selects.fields&byHost != 0:
		key, why = "host", noHost
	default:
		return nil
	}
	request, asked := rules.Phases(rules.PhaseRequest), false
	for i, rule := range compiled {
		if rule != nil && rule.Limits != (rules.GrantLimits{}) && rule.Phases&^request != 0 {
			faults = append(faults, doc.AtKey(fmt.Sprintf("/rules/%d/%s", i, rule.Kind), "rule %q can never limit what is granted: its policy applies by %s, and %s", rule.Name, key, why).
				WithHint("leave the limits out here, or "+key+" out of applies_to"))
		}
		asked = asked || rule == nil || rule.Phases&^request != 0
		if j := slices.Index(on[i], rules.PhaseRequest.String()); j >= 0 && rule != nil {
			faults = append(faults, doc.At(fmt.Sprintf("/rules/%d/on/%d", i, j), "rule %q can never be decided on request: its policy applies by %s, and %s", rule.Name, key, why).
				WithHint("leave request out here, or "+key+" out of applies_to"))
		}
	}
	if !asked {
		return document.Faults{doc.AtKey("/applies_to/"+key, "policy %q can never decide anything: it applies by %s, and its rules are asked on request only, but %s", p.Name, key, why).
			WithHint("leave " + key + " out, or ask the rules on start")}
	}
	return faults
}

// Why a policy that applies by a key asks nothing on request.
const (
	noAddress = "a token is asked for by the portal, so the client's address is not known then"
	noHost    = "a token is asked for before a transfer, so the Aspera server is not known then"
)
