package rules

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/gaissmai/bart"
)

// GlobReach is the texts that any of several globs matches, in a form in which
// they can be compared with those of other globs.
type GlobReach struct {
	alternatives [][]string
	segments     int
}

// NewPathReach returns the paths that globs match which CheckPathGlob accepts.
func NewPathReach(globs []string) GlobReach {
	return newGlobReach(globs, func(glob string) []string { return strings.Split(glob, "/") })
}

// NewNameReach returns the names that globs match which CheckGlob accepts.
func NewNameReach(globs []string) GlobReach {
	return newGlobReach(globs, func(glob string) []string { return []string{oneStar(strings.ReplaceAll(glob, "/", noSlash))} })
}

func newGlobReach(globs []string, split func(string) []string) (g GlobReach) {
	for _, glob := range globs {
		plain, err := expandBraces(glob)
		if err != nil {
			continue // CheckGlob has refused it.
		}
		for _, p := range plain {
			segments := split(p)
			g.alternatives, g.segments = append(g.alternatives, segments), g.segments+len(segments)
		}
	}
	return g
}

// maxCells is how many pairs of segments are compared at most to find whether
// one list of globs covers another.
const maxCells = 4096

// few reports whether two lists are short enough to be compared.
func (g GlobReach) few(other GlobReach) bool {
	return g.segments*other.segments <= maxCells
}

// Covers reports whether each text that other matches is certainly matched by g.
func (g GlobReach) Covers(other GlobReach) bool {
	return g.few(other) && !slices.ContainsFunc(other.alternatives, func(narrow []string) bool { return !g.cover(narrow) })
}

// cover reports whether one of the globs matches whatever narrow matches.
func (g GlobReach) cover(narrow []string) bool {
	return slices.ContainsFunc(g.alternatives, func(wide []string) bool { return follow(wide, narrow, coversSegment, false) })
}

// meets reports whether one of the globs may match something that other matches.
func (g GlobReach) meets(other []string) bool {
	return slices.ContainsFunc(g.alternatives, func(one []string) bool { return follow(one, other, meetSegments, true) })
}

// deepSegment stands for any number of segments.
const deepSegment = "**"

// follow reports whether the segments of two globs can be paired from the first
// to the last, each with one that fits; a ** of the first, and of the second if
// both is set, takes in any number of the other's, those that are ** included.
// A ** that nothing takes in fits nothing.
func follow(first, second []string, fits func(a, b string) bool, both bool) bool {
	var room [32]bool // Enough for any usual glob.
	reached := append(room[:0], make([]bool, len(second)+1)...)
	reached[0] = true
	for j := 0; both && j < len(second) && second[j] == deepSegment; j++ {
		reached[j+1] = true
	}
	for _, a := range first {
		before := reached[0] // Of the row before, one place to the left.
		reached[0] = before && a == deepSegment
		some := reached[0]
		for j, b := range second {
			above := reached[j+1]
			switch {
			case a == deepSegment:
				reached[j+1] = above || reached[j]
			case b == deepSegment:
				reached[j+1] = both && (above || reached[j])
			default:
				reached[j+1] = before && fits(a, b)
			}
			before, some = above, some || reached[j+1]
		}
		if !some {
			return false
		}
	}
	return reached[len(second)]
}

// coversSegment reports whether a segment matches whatever another one matches.
func coversSegment(wide, narrow string) bool {
	if wide == narrow || oneStar(wide) == "*" {
		return true
	}
	return !strings.ContainsAny(narrow, meta) && strings.ContainsAny(wide, meta) && segmentHas(wide, narrow)
}

// segmentHas reports whether a segment with wildcards matches one without.
func segmentHas(wild, name string) bool {
	g := newNameGlob(wild, struct{}{})
	return g.has(name)
}

// meetSegments reports whether a name may match both segments.
func meetSegments(a, b string) bool {
	switch wildA, wildB := strings.ContainsAny(a, meta), strings.ContainsAny(b, meta); {
	case wildA && wildB:
		return true
	case wildA:
		return segmentHas(a, b)
	case wildB:
		return segmentHas(b, a)
	default:
		return a == b
	}
}

// pathReach is what a path rule allows and denies.
type pathReach struct {
	allows      bool
	allow, deny GlobReach
}

// Within implements Reach. A path that is not plain is refused by any allow, and
// is held against deny in two forms; one that is plain has one form only. So
// what the later rule denies must be denied by the earlier, or be out of its
// allow.
func (p pathReach) Within(earlier Reach) bool {
	e, ok := earlier.(pathReach)
	if !ok || p.allows && !e.allows || !p.allow.few(e.allow) || !p.allow.few(e.deny) ||
		!p.deny.few(e.deny) || !p.deny.few(e.allow) {
		return false
	}
	for _, denied := range p.deny.alternatives {
		if !e.deny.cover(denied) && (!e.allows || e.allow.meets(denied)) {
			return false
		}
	}
	if !p.allows {
		return true
	}
	return !slices.ContainsFunc(e.allow.alternatives, func(allowed []string) bool {
		return !p.allow.cover(allowed) && !e.deny.cover(allowed)
	})
}

// networkReach is what a network rule allows and denies.
type networkReach struct {
	allows      bool
	allow, deny *bart.Lite
}

// Within implements Reach.
func (n networkReach) Within(earlier Reach) bool {
	e, ok := earlier.(networkReach)
	if !ok || n.allows && !e.allows {
		return false
	}
	for denied := range n.deny.All() {
		if !e.deny.LookupPrefix(denied) && (!e.allows || meetsPrefix(e.allow, denied)) {
			return false
		}
	}
	if !n.allows {
		return true
	}
	for allowed := range e.allow.All() {
		if !n.allow.LookupPrefix(allowed) && !e.deny.LookupPrefix(allowed) {
			return false
		}
	}
	return true
}

// meetsPrefix reports whether a range has addresses in common with a table's.
func meetsPrefix(table *bart.Lite, prefix netip.Prefix) bool {
	for range table.Subnets(prefix) {
		return true
	}
	return table.LookupPrefix(prefix)
}

// RefusesPaths is the reach of a path rule that refuses the paths that globs
// match.
func RefusesPaths(globs []string) Reach { return pathReach{deny: NewPathReach(globs)} }

// RefusesAddresses is the reach of a network rule that refuses clients in some
// ranges.
func RefusesAddresses(ranges []netip.Prefix) Reach {
	var deny bart.Lite
	for _, prefix := range ranges {
		deny.Insert(prefix)
	}
	return networkReach{allow: &bart.Lite{}, deny: &deny}
}
