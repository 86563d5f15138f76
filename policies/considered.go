package policies

import (
	"net/netip"

	"github.com/sluiceproject/sluice/rules"
)

// Consider returns, for every policy of the set in order, whether it applies to
// an event and why not. It tries each policy, which takes time in proportion to
// the set: it is for explaining decisions, Decide is for making them. No policy
// is considered about an event that has a fault.
func (s *Snapshot) Consider(e *rules.Event) []rules.Considered {
	if e.Fault != nil {
		return nil
	}
	all := make([]rules.Considered, len(s.Policies))
	for i, p := range s.Policies {
		all[i] = p.consider(e)
	}
	return all
}

func (p *Policy) consider(e *rules.Event) rules.Considered {
	c := rules.Considered{Policy: p.Name, File: p.File, Mode: p.Mode, Rules: p.Rules, Standing: rules.Applies}
	if p.Mode == rules.Off {
		c.Standing = rules.SwitchedOff
		return c
	}
	var differs, unknown []rules.Mismatch
	for _, m := range p.selects.mismatches(e) {
		if m.Unknown {
			unknown = append(unknown, m)
		} else {
			differs = append(differs, m)
		}
	}
	switch {
	case len(differs) > 0:
		c.Standing, c.Why = rules.NotMatched, differs
	case len(unknown) == 1 && unknown[0].Key == "path" && !e.HasFile():
		c.Standing, c.Why = rules.SessionPasses, unknown
	case len(unknown) > 0 && p.selects.fields&unknownOf(e)&^lets(e) == 0:
		c.Standing, c.Why = rules.RequestPasses, unknown
	case len(unknown) > 0:
		c.Standing, c.Why = rules.Unclear, unknown
	}
	return c
}

// mismatches returns the keys of applies_to that do not match an event, or of
// which that cannot be told.
func (s *selector) mismatches(e *rules.Event) (list []rules.Mismatch) {
	missing := unknownOf(e)
	look := func(field fieldSet, matches bool, m rules.Mismatch) {
		if m.Unknown = missing&field != 0; s.fields&field != 0 && (m.Unknown || !matches) {
			if m.Unknown && e.Phase == rules.PhaseRequest && field&(byHost|byClient) != 0 {
				m.Saw = "" // Whatever the event says.
			}
			list = append(list, m)
		}
	}
	look(byDirection, s.uploads && e.Direction == rules.Upload || s.downloads && e.Direction == rules.Download,
		rules.Mismatch{Key: "direction", Saw: sawDirection(e.Direction), Wanted: s.directions()})
	look(byUser, matchesName(s.users, e.User), rules.Mismatch{Key: "user", Saw: e.User, Wanted: s.users})
	look(byHost, matchesName(s.hosts, e.Host), rules.Mismatch{Key: "host", Saw: e.Host, Wanted: s.hosts})
	look(byClient, s.hasClient(e.ClientAddr), rules.Mismatch{Key: "client_ip", Saw: e.ClientIP, Wanted: s.ranges()})
	look(byPath, matchesPath(s.paths, e), rules.Mismatch{Key: "path", Saw: e.File.Shown(), Wanted: s.paths})
	return list
}

func sawDirection(d rules.Direction) string {
	if d == rules.DirectionUnknown {
		return ""
	}
	return d.String()
}

func (s *selector) directions() (names []string) {
	if s.uploads {
		names = append(names, rules.Upload.String())
	}
	if s.downloads {
		names = append(names, rules.Download.String())
	}
	return names
}

// ranges returns the address ranges as policies write them.
func (s *selector) ranges() []string {
	texts := make([]string, len(s.clients))
	for i, prefix := range s.clients {
		if texts[i] = prefix.String(); prefix.IsSingleIP() {
			texts[i] = prefix.Addr().String()
		}
	}
	return texts
}

func (s *selector) hasClient(addr netip.Addr) bool {
	for _, prefix := range s.clients {
		if prefix.Contains(addr.WithZone("")) { // No range has a zone, and the index passes over that of an address.
			return true
		}
	}
	return false
}

func matchesName(globs []string, name string) bool {
	var list rules.NameGlobs[struct{}]
	for _, glob := range globs {
		list.Add(glob, struct{}{})
	}
	return len(list.AppendMatches(nil, name)) > 0
}

// matchesPath reports whether a glob matches the path of an event's file, or some
// of what may be below its folder.
func matchesPath(globs []string, e *rules.Event) bool {
	var list rules.PathGlobs
	for _, glob := range globs {
		list.Add(glob, 0)
	}
	if e.Below {
		return list.Meets(e.File.Slash)
	}
	return list.Match(e.File.Slash)
}
