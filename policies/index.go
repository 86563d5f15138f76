package policies

import (
	"cmp"
	"math/bits"
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"

	"github.com/sluiceproject/sluice/rules"
)

// index finds the policies that apply to an event without trying each. For
// every field by which policies are selected it keeps a structure that finds
// those whose globs or ranges match. Policies that select by the same fields
// form a shape: of each shape, those apply that every one of its fields found.
type index struct {
	size       int
	directions [3]bitset // by rules.Direction
	shapes     []shape
	used       fieldSet

	users, hosts rules.NameGlobs[int32]
	paths        rules.PathGlobs
	clients      bart.Table[int32]
	postings     []posting
}

// shape is the policies that select by the same fields, direction aside.
type shape struct {
	fields   fieldSet
	policies bitset
}

// The fields whose matches are looked up, as indices.
const (
	userField = iota
	hostField
	clientField
	pathField
	fieldCount
)

// fieldBits are the same as members of a fieldSet.
var fieldBits = [fieldCount]fieldSet{byUser, byHost, byClient, byPath}

func newIndex(policies []*Policy) *index {
	x := &index{size: len(policies)}
	for d := range x.directions {
		x.directions[d] = newBitset(x.size)
	}
	b := builder{index: x, ids: map[string]int32{}, ranges: map[netip.Prefix][]int32{}}
	for i, p := range policies {
		b.add(int32(i), p) //nolint:gosec // A set has far fewer than 2³¹ policies.
	}
	b.addRanges()
	for i := range x.postings {
		x.postings[i].pack(x.size)
	}
	return x
}

// builder collects the postings of an index.
type builder struct {
	*index
	ids    map[string]int32 // of postings, by field and glob
	ranges map[netip.Prefix][]int32
}

func (b *builder) add(i int32, p *Policy) {
	if p.Mode == rules.Off {
		return // In no set, so it never applies.
	}
	s := &p.selects
	all := s.fields&byDirection == 0
	b.directions[rules.DirectionUnknown].add(i)
	if all || s.uploads {
		b.directions[rules.Upload].add(i)
	}
	if all || s.downloads {
		b.directions[rules.Download].add(i)
	}
	b.used |= s.fields
	b.shape(s.fields &^ byDirection).add(i)
	b.addGlobs("user ", s.users, i, b.users.Add)
	b.addGlobs("host ", s.hosts, i, b.hosts.Add)
	b.addGlobs("path ", s.paths, i, b.paths.Add)
	for _, prefix := range s.clients {
		b.ranges[prefix] = append(b.ranges[prefix], i)
	}
}

// shape returns the policies that select by the given fields.
func (b *builder) shape(fields fieldSet) bitset {
	for _, s := range b.shapes {
		if s.fields == fields {
			return s.policies
		}
	}
	b.shapes = append(b.shapes, shape{fields, newBitset(b.size)})
	return b.shapes[len(b.shapes)-1].policies
}

// addGlobs files a policy under each of its globs; a glob that several policies
// share is looked for once.
func (b *builder) addGlobs(field string, globs []string, i int32, file func(string, int32)) {
	for _, glob := range globs {
		id, ok := b.ids[field+glob]
		if !ok {
			id = b.newPosting(nil)
			b.ids[field+glob] = id
			file(glob, id)
		}
		b.postings[id].list = append(b.postings[id].list, i)
	}
}

func (b *builder) newPosting(list []int32) int32 {
	b.postings = append(b.postings, posting{list: list})
	return int32(len(b.postings) - 1) //nolint:gosec // Far fewer than 2³¹.
}

// addRanges files each address range with the policies of all ranges around it,
// so that the longest match is the only look-up.
func (b *builder) addRanges() {
	prefixes := make([]netip.Prefix, 0, len(b.ranges))
	for prefix := range b.ranges {
		prefixes = append(prefixes, prefix)
	}
	slices.SortFunc(prefixes, func(p, q netip.Prefix) int {
		return cmp.Or(cmp.Compare(p.Bits(), q.Bits()), p.Addr().Compare(q.Addr()))
	})
	for _, prefix := range prefixes { // Wide ranges first.
		list := b.ranges[prefix]
		if around, ok := b.clients.LookupPrefix(prefix); ok {
			list = slices.Concat(b.postings[around].list, list)
		}
		b.clients.Insert(prefix, b.newPosting(list))
	}
}

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
		sc.own[f] = newBitset(x.size)
	}
	return sc
}

// candidates returns, in order, the policies that apply to an event, or may
// apply: unknown are the fields that the event lacks, and policies that select
// by one of those are among the candidates whatever they ask of it.
func (x *index) candidates(e *rules.Event, sc *scratch) (list []int32, unknown fieldSet) {
	if e.Direction == rules.DirectionUnknown {
		unknown |= byDirection
	}
	if e.User == "" {
		unknown |= byUser
	}
	if e.Host == "" {
		unknown |= byHost
	}
	if !e.ClientAddr.IsValid() {
		unknown |= byClient
	}
	if e.File.Raw == "" || e.File.Up {
		unknown |= byPath
	}
	ask := x.used &^ unknown
	x.match(e, sc, ask)
	sc.candidates = x.intersect(&x.directions[e.Direction], sc, ask)
	for f := range sc.own {
		sc.own[f].clear()
	}
	return sc.candidates, unknown
}

// match looks up each field that is asked and marks the policies found.
func (x *index) match(e *rules.Event, sc *scratch, ask fieldSet) {
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
		sc.postings = x.paths.AppendMatches(sc.postings[:0], e.File.Slash)
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
// found. Words in which a field has nobody are passed over by way of the
// summaries.
func (x *index) intersect(direction *bitset, sc *scratch, ask fieldSet) []int32 {
	list := sc.candidates[:0]
	for i := range x.shapes {
		if x.shapes[i].fields&sc.none != 0 {
			continue
		}
		var room [fieldCount + 2]*bitset
		sets := append(room[:0], direction, &x.shapes[i].policies)
		for f, bit := range fieldBits {
			if x.shapes[i].fields&ask&bit != 0 {
				sets = append(sets, &sc.found[f])
			}
		}
		list = appendCommon(list, sets)
	}
	slices.Sort(list)
	return list
}

// appendCommon appends the members that all sets have.
func appendCommon(list []int32, sets []*bitset) []int32 {
	for s := range sets[0].summary {
		summary := ^uint64(0)
		for _, set := range sets {
			summary &= set.summary[s]
		}
		for ; summary != 0; summary &= summary - 1 {
			w := s<<6 + bits.TrailingZeros64(summary)
			word := ^uint64(0)
			for _, set := range sets {
				word &= set.words[w]
			}
			for ; word != 0; word &= word - 1 {
				list = append(list, int32(w<<6+bits.TrailingZeros64(word))) //nolint:gosec // Below the number of policies.
			}
		}
	}
	return list
}
