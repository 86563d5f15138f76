package store

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sluiceproject/sluice/rules"
)

// Times of the watch.
const (
	// watchTurn is how long the engine is asked at once for revocations to come, and
	// so how often it is asked whether there are others.
	watchTurn = 500 * time.Millisecond
	// watchTime is how long it may take to answer.
	watchTime = 2 * time.Second
	// watchRest is for how long nothing is asked after an error.
	watchRest = 250 * time.Millisecond
	// forgetEvery is how often what is over is forgotten.
	forgetEvery = time.Hour
	// watchPatience is how often a revocation that is there may fail to come.
	watchPatience = 3
)

// WatchOptions are those of Store.WatchRevocations.
type WatchOptions struct {
	// File keeps the revocations that are known, for a start while the engine is
	// away; empty for none. It is made if need be, and one process has it for itself.
	File string
	// MaxSilence is after how long without the engine nobody says any more that a
	// grant holds; 0 is never.
	MaxSilence time.Duration
}

// Revocations are all grants that were taken back, in memory. They are safe for
// concurrent use.
type Revocations struct {
	s       *Store
	o       WatchOptions
	known   *tables
	ledger  *ledger // nil where nothing is kept on disk
	checked atomic.Int64
	loaded  chan struct{}
	once    sync.Once

	// What only the watch uses.
	stream    jetstream.Stream
	created   time.Time
	seen      uint64 // in the stream
	delivered uint64 // by the consumer
	forgotten time.Time
}

// errUnconfirmed says that nobody can say whether a grant was taken back.
type errUnconfirmed struct{ limit time.Duration }

func (e errUnconfirmed) Error() string {
	return fmt.Sprintf("for more than %s the policy store has not confirmed which grants are revoked", e.limit)
}

// WatchRevocations begins to keep what is revoked in memory, until Close. The
// engine need not be there: what the file has holds at once, and the rest as soon as
// it answers. The error is that of the file.
func (s *Store) WatchRevocations(o WatchOptions) (*Revocations, error) {
	v := &Revocations{s: s, o: o, known: newTables(), loaded: make(chan struct{}), forgotten: s.o.Now()}
	if o.File != "" {
		v.ledger = &ledger{name: o.File}
		list, err := v.ledger.open(s.o.Now())
		if err != nil {
			return nil, fmt.Errorf("the file of revocations %s: %w", o.File, err)
		}
		v.known.add(list)
		v.checked.Store(max(v.ledger.confirmed.UnixNano(), 0))
	}
	s.start(v.watch)
	return v, nil
}

// Any reports whether Revoked may say anything but no.
func (v *Revocations) Any() bool { return v.o.MaxSilence > 0 || v.known.count.Load() > 0 }

// Revoked reports whether a grant was taken back. It waits for nobody. The error
// says that this is not known, because the engine has been silent for too long.
func (v *Revocations) Revoked(g *rules.Grant) (bool, error) {
	if v.known.has(g.ID, g.Client, g.User, g.Issued) {
		return true, nil
	}
	if v.o.MaxSilence > 0 && v.s.o.Now().UnixNano()-v.checked.Load() > int64(v.o.MaxSilence) {
		return false, errUnconfirmed{v.o.MaxSilence}
	}
	return false, nil
}

// Len returns how many revocations are known.
func (v *Revocations) Len() int { return int(v.known.count.Load()) }

// Confirmed returns when the engine has last said that there are no others, also to
// an earlier process with the same file; zero for never.
func (v *Revocations) Confirmed() time.Time {
	if at := v.checked.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// Loaded is closed when the engine has said that for the first time.
func (v *Revocations) Loaded() <-chan struct{} { return v.loaded }
