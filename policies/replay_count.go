package policies

import (
	"cmp"
	"container/heap"
	"slices"
)

// ReplayTally counts changes.
type ReplayTally struct {
	NewlyRefused  int64 `json:"newly_refused"`
	NewlyAccepted int64 `json:"newly_accepted"`
	OtherReason   int64 `json:"other_reason"`
	ReasonUnknown int64 `json:"reason_unknown"`
	Undecidable   int64 `json:"undecidable"`
}

// Sum returns how many decisions were counted.
func (t *ReplayTally) Sum() int64 {
	return t.NewlyRefused + t.NewlyAccepted + t.OtherReason + t.ReasonUnknown + t.Undecidable
}

// Of returns the count of one change; there is none of Unchanged.
func (t *ReplayTally) Of(c Change) int64 {
	if n := t.of(c); n != nil {
		return *n
	}
	return 0
}

func (t *ReplayTally) of(c Change) *int64 {
	switch c {
	case NewlyRefused:
		return &t.NewlyRefused
	case NewlyAccepted:
		return &t.NewlyAccepted
	case OtherReason:
		return &t.OtherReason
	case ReasonUnknown:
		return &t.ReasonUnknown
	case Undecidable:
		return &t.Undecidable
	default:
		return nil
	}
}

// ReplayGroup counts the changes of one name: a rule, a user, a day.
type ReplayGroup struct {
	Name string `json:"name"`
	ReplayTally
	// Uncounted is the most that may be lacking, because other names were counted
	// at first; 0 where all were counted.
	Uncounted int64 `json:"uncounted,omitempty"`
}

// leaders counts names, and keeps those that have the most where there are more
// than it has room for (space-saving, Metwally et al. 2005): the one with the
// least makes room, and the one that comes may have had as many. Every name with
// more than 1/most of all changes is kept.
type leaders struct {
	most  int
	names map[string]*leader
	order leaderHeap
}

type leader struct {
	ReplayGroup
	at int // in the heap
}

// weight is what the name may have at most.
func (l *leader) weight() int64 { return l.Sum() + l.Uncounted }

func newLeaders(most int) *leaders { return &leaders{most: most, names: map[string]*leader{}} }

// add counts a change of a name.
func (l *leaders) add(name string, c Change) {
	known := l.names[name]
	switch {
	case known != nil:
	case len(l.order) < l.most:
		known = &leader{ReplayGroup: ReplayGroup{Name: name}}
		l.names[name] = known
		heap.Push(&l.order, known)
	default:
		known = l.order[0]
		delete(l.names, known.Name)
		known.ReplayGroup = ReplayGroup{Name: name, Uncounted: known.weight()}
		l.names[name] = known
	}
	if n := known.of(c); n != nil {
		*n++
	}
	heap.Fix(&l.order, known.at)
}

// list returns the names in order, those with the most first.
func (l *leaders) list(most int) []ReplayGroup {
	groups := make([]ReplayGroup, len(l.order))
	for i, one := range l.order {
		groups[i] = one.ReplayGroup
	}
	slices.SortFunc(groups, func(a, b ReplayGroup) int {
		return cmp.Or(cmp.Compare(b.Sum(), a.Sum()), cmp.Compare(a.Name, b.Name))
	})
	return groups[:min(len(groups), most)]
}

// leaderHeap has the name with the least first.
type leaderHeap []*leader

// Len implements heap.Interface.
func (h leaderHeap) Len() int { return len(h) }

// Less implements heap.Interface.
func (h leaderHeap) Less(i, j int) bool { return h[i].weight() < h[j].weight() }

// Swap implements heap.Interface.
func (h leaderHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push implements heap.Interface.
func (h *leaderHeap) Push(x any) {
	l, _ := x.(*leader) // Nothing else is pushed.
	l.at = len(*h)
	*h = append(*h, l)
}

// Pop implements heap.Interface.
func (h *leaderHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
