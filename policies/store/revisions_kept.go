package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// kept says which digests the revisions that the store keeps name. What a revision
// names never changes, so that each is read once.
type kept struct {
	mu      sync.Mutex
	created time.Time // of the stream that was read
	upTo    uint64    // the number up to which it was read
	newest  uint64    // of the newest revision, 0 if there is none
	// last has the number of the newest revision that names a digest.
	last map[string]uint64
}

// position is what a push is based on.
type position struct {
	// last is the sequence after which the next revision comes.
	last uint64
	// newest is the number of the newest revision, 0 if there is none.
	newest uint64
}

// readKept reads the revisions that are new since it was last called.
func (s *Store) readKept(ctx context.Context) (position, error) {
	stream, err := s.revisionStream(ctx)
	if err != nil {
		return position{}, err
	}
	info, err := streamInfo(ctx, stream)
	if err != nil {
		return position{}, away("asking for the newest revision", err)
	}
	k := &s.kept
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last == nil || !k.created.Equal(info.Created) || k.upTo > info.State.LastSeq {
		k.created, k.upTo, k.newest, k.last = info.Created, 0, 0, map[string]uint64{}
	}
	for n := max(k.upTo+1, info.State.FirstSeq); n <= info.State.LastSeq; n++ {
		r, err := s.revisionOf(ctx, stream, n)
		switch {
		case err == nil:
			k.name(&r)
		case !errors.Is(err, ErrNoRevision) && !errors.Is(err, errOdd):
			return position{}, err
		}
		k.upTo = n
	}
	k.forget(info.State.FirstSeq)
	return position{last: info.State.LastSeq, newest: k.newest}, nil
}

// name notes what a revision names. The lock is held.
func (k *kept) name(r *Revision) {
	for _, f := range r.Files {
		k.last[f.SHA256] = max(k.last[f.SHA256], r.Number)
	}
	k.newest = max(k.newest, r.Number)
}

// forget forgets revisions before the oldest one. The lock is held.
func (k *kept) forget(oldest uint64) {
	for digest, number := range k.last {
		if number < oldest {
			delete(k.last, digest)
		}
	}
}

// add notes a revision that was stored just now.
func (k *kept) add(r *Revision) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if r.Number == k.upTo+1 {
		k.name(r)
		k.upTo = r.Number
	}
}

// has reports whether a revision that is kept names a digest.
func (k *kept) has(digest string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.last[digest]
	return ok
}

// errOdd says that a record cannot be read.
var errOdd = errors.New("it is not a revision")

// revisionOf returns the revision with a number.
func (s *Store) revisionOf(ctx context.Context, stream jetstream.Stream, number uint64) (Revision, error) {
	m, err := message(ctx, func(ctx context.Context) (*jetstream.RawStreamMsg, error) { return stream.GetMsg(ctx, number) })
	return s.read(m, err)
}
