package grants

import (
	"container/heap"
	"errors"
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// ErrNotCounted says that no room is left to remember one more path.
var ErrNotCounted = errors.New("the files of the grant cannot be counted: too many files of grants are being counted at once")

var errExpired = errors.New("the files of the grant cannot be counted: it has expired")

// perGrant is how many paths a grant counts as, beside its own.
const perGrant = 5

// lateness is for how long a grant is remembered after its end, so that an event
// that was held up finds the count as it was.
const lateness = time.Minute

// uses counts the paths of grants that limit their number.
type uses struct {
	skew time.Duration
	seed maphash.Seed

	mu     sync.Mutex
	grants map[string]*use
	ending endings
	room   int
}

// use is what is known of one grant.
type use struct {
	id    string
	gone  time.Time // When it can be forgotten.
	paths map[uint64]struct{}
}

func newUses(room int, skew time.Duration) *uses {
	return &uses{skew: skew, seed: maphash.MakeSeed(), grants: map[string]*use{}, room: room}
}

func (u *uses) use(g *rules.Grant, path string, now time.Time) (allowed bool, err error) {
	if g.MaxFiles == 0 {
		return true, nil
	}
	end := g.Expires.Add(u.skew)
	if now.After(end) {
		return false, errExpired
	}
	hash := maphash.String(u.seed, path)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.forget(now)
	known := u.grants[g.ID]
	cost := 1
	if known == nil {
		cost += perGrant
	} else {
		if _, again := known.paths[hash]; again {
			return true, nil
		}
		if len(known.paths) >= g.MaxFiles {
			return false, nil
		}
	}
	if cost > u.room {
		return false, ErrNotCounted
	}
	if known == nil {
		known = &use{id: strings.Clone(g.ID), gone: end.Add(lateness), paths: map[uint64]struct{}{}}
		u.grants[known.id] = known
		heap.Push(&u.ending, known)
	}
	known.paths[hash] = struct{}{}
	u.room -= cost
	return true, nil
}

// forget makes room of grants whose time is over.
func (u *uses) forget(now time.Time) {
	for len(u.ending) > 0 && now.After(u.ending[0].gone) {
		old := heap.Pop(&u.ending).(*use)
		delete(u.grants, old.id)
		u.room += perGrant + len(old.paths)
	}
}

// endings is a heap of grants, with the one that ends first in front.
type endings []*use

// Len implements heap.Interface.
func (e endings) Len() int { return len(e) }

// Less implements heap.Interface.
func (e endings) Less(i, j int) bool { return e[i].gone.Before(e[j].gone) }

// Swap implements heap.Interface.
func (e endings) Swap(i, j int) { e[i], e[j] = e[j], e[i] }

// Push implements heap.Interface.
func (e *endings) Push(x any) { *e = append(*e, x.(*use)) }

// Pop implements heap.Interface.
func (e *endings) Pop() any {
	old := *e
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*e = old[:len(old)-1]
	return last
}
