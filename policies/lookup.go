package policies

import (
	"math/bits"
	"slices"

	"github.com/sluiceproject/sluice/rules"
)

// scratch is the memory of one look-up, used again by the next.
type scratch struct {
	// found has, for each field, the policies whose globs or ranges match: own
	// memory, or the set of the one posting that was found.
	found      [fieldCount]bitset
	own        [fieldCount]bitset
	none       fieldSet // the fields for which nothing was found
	postings   []int32
	candidates []int32
}

func (x *index) newScratch() *scratch {
	sc := &scratch{postings: make([]int32, 0, 32), candidates: make([]int32, 0, 64)}
	for f := range sc.own {
		sc.own[f] = newBitset(len(x.order))
	}
	return sc
}

// candidates returns, in order, the policies that apply to an event, or may
// apply: unknown are the fields that the event lacks, and policies that select
// by one of those are among the candidates whatever they ask of it. To what may
// be below a folder those apply whose globs match any of it; with whole, those
// of which a glob matches all of it.
func (x *index) candidates(e *rules.Event, sc *scratch, whole bool) (list []int32, unknown fieldSet) {
	unknown = unknownOf(e)
	ask := x.used &^ unknown
	x.match(e, sc, ask, whole)
	sc.candidates = x.intersect(e.Direction, sc, ask)
	for f := range sc.own {
		sc.own[f].clear()
	}
	return sc.candidates, unknown
}

// unknownOf returns the fields that an event lacks. Who asks for a token is not
// who transfers, and asks no Aspera server: its address and the host are not
// known then, whatever the event says.
func unknownOf(e *rules.Event) (unknown fieldSet) {
	if e.Direction == rules.DirectionUnknown {
		unknown |= byDirection
	}
	if e.User == "" {
		unknown |= byUser
	}
	if e.Host == "" || e.Phase == rules.PhaseRequest {
		unknown |= byHost
	}
	if !e.ClientAddr.IsValid() || e.Phase == rules.PhaseRequest {
		unknown |= byClient
	}
	if e.File.Raw == "" || e.File.Up {
		unknown |= byPath
	}
	return unknown
}

// lets returns the fields that need not be known for an event to pass by the
// policies that select by them: its files will be judged, by path in a session,
// and by the client and the host when those are known.
func lets(e *rules.Event) (fields fieldSet) {
	if !e.HasFile() {
		fields |= byPath
	}
	if e.Phase == rules.PhaseRequest {
		fields |= byHost | byClient
	}
	return fields
}

// match looks up each field that is asked and marks the policies found.
func (x *index) match(e *rules.Event, sc *scratch, ask fieldSet, whole bool) {
	sc.none = 0
	if ask&byUser != 0 {
		sc.postings = x.users.AppendMatches(sc.postings[:0], e.User)
		x.mark(sc, userField)
	}
	if ask&byHost != 0 {
		sc.postings = x.hosts.AppendMatches(sc.postings[:0], e.Host)
		x.mark(sc, hostField)
	}
	if ask&byPath != 0 {
		sc.postings = x.matchPath(e, sc.postings[:0], whole)
		x.mark(sc, pathField)
	}
	if ask&byClient != 0 {
		sc.postings = sc.postings[:0]
		if id, ok := x.clients.Lookup(e.ClientAddr); ok {
			sc.postings = append(sc.postings, id)
		}
		x.mark(sc, clientField)
	}
}

// matchPath appends the postings of the globs that match an event's path.
func (x *index) matchPath(e *rules.Event, to []int32, whole bool) []int32 {
	switch {
	case !e.Below:
		return x.paths.AppendMatches(to, e.File.Slash)
	case whole:
		return x.paths.AppendCovering(to, e.File.Slash)
	default:
		return x.paths.AppendMeeting(to, e.File.Slash)
	}
}

// mark collects the policies of the postings that were found for a field.
func (x *index) mark(sc *scratch, field int) {
	if len(sc.postings) == 0 {
		sc.none |= fieldBits[field]
		return
	}
	if len(sc.postings) == 1 && x.postings[sc.postings[0]].set.words != nil {
		sc.found[field] = x.postings[sc.postings[0]].set
		return
	}
	sc.found[field] = sc.own[field]
	for _, id := range sc.postings {
		x.postings[id].addTo(sc.own[field])
	}
}

// intersect returns, in order, the policies that all fields of their shape have
// found.
func (x *index) intersect(d rules.Direction, sc *scratch, ask fieldSet) []int32 {
	list := sc.candidates[:0]
	for i := range x.shapes {
		s := &x.shapes[i]
		if !s.directions[d] || s.fields&sc.none != 0 {
			continue
		}
		var room [fieldCount]*bitset
		sets := room[:0]
		for f, bit := range fieldBits {
			if s.fields&ask&bit != 0 {
				sets = append(sets, &sc.found[f])
			}
		}
		if len(sets) == 0 {
			list = append(list, s.policies...)
			continue
		}
		list = x.appendCommon(list, s, sets)
	}
	slices.Sort(list)
	return list
}

// appendCommon appends the policies of a shape that all sets have. Words in
// which a set has nobody are passed over by way of the summaries.
func (x *index) appendCommon(list []int32, shape *shape, sets []*bitset) []int32 {
	for s := shape.from >> 6; s<<6 < shape.to; s++ {
		summary := within(s, shape.from, shape.to)
		for _, set := range sets {
			summary &= set.summary[s]
		}
		for ; summary != 0; summary &= summary - 1 {
			w := s<<6 + bits.TrailingZeros64(summary)
			word := sets[0].words[w]
			for _, set := range sets[1:] {
				word &= set.words[w]
			}
			for ; word != 0; word &= word - 1 {
				list = append(list, x.order[w<<6+bits.TrailingZeros64(word)])
			}
		}
	}
	return list
}

// within returns the bits of the summary word s that stand for words from…to-1.
func within(s, from, to int) uint64 {
	mask := ^uint64(0)
	if low := from - s<<6; low > 0 {
		mask <<= low
	}
	if high := to - s<<6; high < 64 {
		mask &= 1<<high - 1
	}
	return mask
}
