package policies

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"

	"github.com/sluiceproject/sluice/rules"
)

// index finds the policies that apply to an event without trying each. For
// every field by which policies are selected it keeps a structure that finds
// those whose globs or ranges match. Policies that select by the same fields
// form a shape: of each shape, those apply that every one of its fields found.
//
// Sets have a bit for each policy, the policies of a shape side by side, so that
// each shape is looked for in its own words only.
type index struct {
	order  []int32 // by bit: the policy's place in the set
	shapes []shape
	used   fieldSet

	users, hosts rules.NameGlobs[int32]
	paths        rules.PathGlobs
	clients      bart.Table[int32]
	postings     []posting
}

// shape is the policies that select by the same fields and directions.
type shape struct {
	fields     fieldSet // direction aside
	directions [3]bool  // by rules.Direction
	policies   []int32  // places in the set
	from, to   int      // words of the shape's bits
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
	x := &index{}
	for i, p := range policies {
		if p.Mode != rules.Off { // In no shape, so it never applies.
			x.shape(&p.selects).add(int32(i))
		}
	}
	b := builder{index: x, ids: map[string]int32{}, ranges: map[netip.Prefix][]int32{}}
	for s := range x.shapes {
		b.number(&x.shapes[s], policies)
	}
	b.addRanges()
	for i := range x.postings {
		x.postings[i].pack(len(x.order))
	}
	return x
}

// shape returns the shape of policies that are selected like this.
func (x *index) shape(selects *selector) *shape {
	all := selects.fields&byDirection == 0
	want := shape{fields: selects.fields &^ byDirection, directions: [3]bool{
		rules.DirectionUnknown: true, rules.Upload: all || selects.uploads, rules.Download: all || selects.downloads,
	}}
	for i := range x.shapes {
		if x.shapes[i].fields == want.fields && x.shapes[i].directions == want.directions {
			return &x.shapes[i]
		}
	}
	x.shapes = append(x.shapes, want)
	return &x.shapes[len(x.shapes)-1]
}

func (s *shape) add(i int32) { s.policies = append(s.policies, i) }

// builder collects the postings of an index.
type builder struct {
	*index
	ids    map[string]int32 // of postings, by field and glob
	ranges map[netip.Prefix][]int32
}

// number gives the policies of a shape their bits, from a new word on, and files
// them under their globs and ranges.
func (b *builder) number(s *shape, policies []*Policy) {
	s.from = len(b.order) / 64
	for _, i := range s.policies {
		b.add(int32(len(b.order)), &policies[i].selects)
		b.order = append(b.order, i)
	}
	for len(b.order)%64 != 0 {
		b.order = append(b.order, 0) // Bits of no policy, which are in no posting.
	}
	s.to = len(b.order) / 64
}

func (b *builder) add(i int32, s *selector) {
	b.used |= s.fields
	b.addGlobs("user ", s.users, i, b.users.Add)
	b.addGlobs("host ", s.hosts, i, b.hosts.Add)
	b.addGlobs("path ", s.paths, i, b.paths.Add)
	for _, prefix := range s.clients {
		b.ranges[prefix] = append(b.ranges[prefix], i)
	}
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
	return int32(len(b.postings) - 1)
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
