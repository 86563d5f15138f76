package rules

import "slices"

// What a rule that has a Reach answers depends on nothing but its settings and
// the event: asked twice it says the same. Reaches compare the accepted instead
// of the refused where that is the finite side, and say no where they do not
// know: a rule that is called unreachable must be so beyond doubt.

// SameReach is the reach of settings of which only sameness is seen: equal texts
// stand for rules that answer alike.
type SameReach string

// Within implements Reach.
func (s SameReach) Within(earlier Reach) bool {
	other, ok := earlier.(SameReach)
	return ok && other == s
}

// Within implements Reach. A stream's own file is held against deny alone, so
// what the later rule denies must be denied by the earlier, and being left out
// of its allow is not enough.
func (x *extensions) Within(earlier Reach) bool {
	e, ok := earlier.(*extensions)
	if !ok || x.partial != e.partial || x.every && !e.every {
		return false
	}
	return contains(e.deny, x.deny) && (x.allow == nil || e.allow != nil && contains(x.allow, e.allow))
}

// contains reports whether the first set has every element of the second.
func contains(set, elements map[string]bool) bool {
	if len(elements) > len(set) {
		return false
	}
	for element := range elements {
		if !set[element] {
			return false
		}
	}
	return true
}

// limits is the reach of a size rule: the sizes that it accepts.
type limits struct{ low, high int64 }

// Within implements Reach.
func (l limits) Within(earlier Reach) bool {
	e, ok := earlier.(limits)
	return ok && e.low >= l.low && e.high <= l.high
}

// nameReach is what a filename rule refuses; maxBytes is 0 for no limit.
type nameReach struct {
	forbid   []string
	maxBytes int
	partial  string
}

// Within implements Reach.
func (n nameReach) Within(earlier Reach) bool {
	e, ok := earlier.(nameReach)
	if !ok || n.partial != e.partial || n.maxBytes > 0 && (e.maxBytes == 0 || e.maxBytes > n.maxBytes) {
		return false
	}
	return containsAll(e.forbid, n.forbid)
}

// containsAll reports whether the first list has every element of the second.
func containsAll(list, elements []string) bool {
	for _, element := range elements {
		if !slices.Contains(list, element) {
			return false
		}
	}
	return true
}

// Within implements Reach. What an event lacks is asked for in turn, so which of
// several faults is told may differ; that there is one does not.
func (t *transfers) Within(earlier Reach) bool {
	e, ok := earlier.(*transfers)
	switch {
	case !ok,
		t.ciphers != nil && (e.ciphers == nil || !contains(t.ciphers, e.ciphers)),
		t.ratePolicies != nil && (e.ratePolicies == nil || !containsAll(t.ratePolicies, e.ratePolicies)),
		t.asksRate && (!e.asksRate || e.low < t.low || e.high > t.high):
		return false
	default:
		return true
	}
}

// tagReach is what a tags rule asks for; schema is the file's name or empty.
type tagReach struct {
	require []string
	schema  string
}

// Within implements Reach.
func (t tagReach) Within(earlier Reach) bool {
	e, ok := earlier.(tagReach)
	return ok && (t.schema == "" || t.schema == e.schema) && containsAll(e.require, t.require)
}
