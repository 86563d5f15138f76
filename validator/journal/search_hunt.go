package journal

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/gaissmai/bart"

	"github.com/sluiceproject/sluice/rules"
)

// Indicators are what is hunted for: digests, addresses and names of files that are
// now known to be bad. They are read-only once they were read.
type Indicators struct {
	all []Indicator
	in  *readers

	digests  map[string]int32
	networks *bart.Table[int32]
	single   []netip.Addr // of the networks, those that are one address
	wide     bool         // there are others

	names     map[string]int32 // without wildcards, in small letters
	nameGlobs rules.NameGlobs[int32]
	paths     map[string]int32
	pathGlobs rules.PathGlobs
	named     bool // there is a name or a path
}

func newIndicators() *Indicators {
	return &Indicators{
		in: newReaders(), digests: map[string]int32{}, networks: &bart.Table[int32]{}, names: map[string]int32{}, paths: map[string]int32{},
	}
}

// All returns the indicators in the order of the list, each once.
func (h *Indicators) All() []Indicator { return h.all }

// next is the number that an indicator gets.
func (h *Indicators) add(i Indicator) int32 {
	h.all = append(h.all, i)
	return int32(len(h.all) - 1)
}

func (h *Indicators) addDigest(i Indicator) {
	if _, known := h.digests[i.Text]; !known {
		h.digests[i.Text] = h.add(i)
	}
}

func (h *Indicators) addNetwork(i Indicator, network netip.Prefix) {
	if _, known := h.networks.Get(network); known {
		return
	}
	h.networks.Insert(network, h.add(i))
	if network.IsSingleIP() {
		h.single = append(h.single, network.Addr())
	} else {
		h.wide = true
	}
}

// addBareName files a name as it stands and, if it can be one, as a glob: a bracket
// in a name may mean just that.
func (h *Indicators) addBareName(i Indicator, name string) {
	if _, known := h.names[name]; known {
		return
	}
	n := h.add(i)
	h.names[name], h.named = n, true
	if strings.ContainsAny(name, globMeta) && rules.CheckGlob(name) == nil {
		h.nameGlobs.Add(name, n)
	}
}

// addPath files a path that need not be the whole one.
func (h *Indicators) addPath(i Indicator, path string) {
	if _, known := h.paths[path]; known {
		return
	}
	n := h.add(i)
	h.paths[path], h.named = n, true
	glob := path
	if !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "**") {
		glob = "**/" + path
	}
	if rules.CheckGlob(glob) == nil {
		h.pathGlobs.Add(glob, n)
	}
}

// Hunt compiles a query that wants, of the records that it would want, those which
// have any of the indicators.
func (q *Query) Hunt(h *Indicators) (*Search, error) {
	s, err := q.Compile()
	if err != nil {
		return nil, err
	}
	s.tests = append(s.tests, test{
		segment: h.maySegment,
		line:    h.mayLine,
		record:  func(r *Record) bool { return len(h.Of(r)) > 0 },
	})
	s.notes, s.line = false, s.mayLine
	return s, nil
}

// Of returns the numbers in All of the indicators that a record has, in order.
func (h *Indicators) Of(r *Record) []int32 {
	var has []int32
	for _, digest := range digestsOf(r) {
		if n, ok := h.digests[digest]; ok {
			has = append(has, n)
		}
	}
	e := r.event()
	has = h.appendNetworks(has, e.ClientIP)
	if e.File != "" {
		has = h.appendNames(has, e.File)
	}
	slices.Sort(has)
	return slices.Compact(has)
}

// appendNetworks appends the networks that an address is in.
func (h *Indicators) appendNetworks(has []int32, text string) []int32 {
	a, err := parseAddress(text)
	if err != nil || h.networks.Size() == 0 {
		return has
	}
	for _, n := range h.networks.Supernets(netip.PrefixFrom(a, a.BitLen())) {
		has = append(has, n)
	}
	return has
}

// appendNames appends the names and paths that a file has.
func (h *Indicators) appendNames(has []int32, file string) []int32 {
	if !h.named {
		return has
	}
	path := rules.ParsePath(strings.ToLower(file))
	name := path.Name()
	if n, ok := h.names[name]; ok {
		has = append(has, n)
	}
	if n, ok := h.paths[path.Slash]; ok {
		has = append(has, n)
	}
	return h.pathGlobs.AppendMatches(h.nameGlobs.AppendMatches(has, name), path.Slash)
}

// maySegment asks an index. It knows nothing of files and of networks.
func (h *Indicators) maySegment(x *Index) bool {
	if h.named || h.wide {
		return true
	}
	for digest := range h.digests {
		if x.May("digest", digest) {
			return true
		}
	}
	return slices.ContainsFunc(h.single, func(a netip.Addr) bool { return mayHaveAddress(x, a) })
}

// mayLine looks at what a line has without taking it apart.
func (h *Indicators) mayLine(line []byte) bool {
	if len(h.digests) > 0 {
		may := false
		h.in.eachDigest(line, func(digest []byte, sure bool) {
			if !may {
				_, may = h.digests[string(digest)]
				may = may || !sure
			}
		})
		if may {
			return true
		}
	}
	if h.networks.Size() > 0 {
		text, there, sure := h.in.clientIP.member(line)
		if there && (!sure || len(h.appendNetworks(nil, string(text))) > 0) {
			return true
		}
	}
	if h.named {
		text, there, sure := h.in.file.member(line)
		if there && (!sure || len(h.appendNames(nil, string(text))) > 0) {
			return true
		}
	}
	return false
}
