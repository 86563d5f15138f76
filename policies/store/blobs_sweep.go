package store

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// sweepTime is how long a push goes on clearing up.
const sweepTime = 10 * time.Second

// orphanAge is the age from which what no revision names is removed. Before, it may
// be of a push that is not yet done.
const orphanAge = time.Hour

// sweep removes what is in no file of a revision that is kept, and old. It hurts no
// push that goes on: one that found its file named by a revision that is forgotten
// now was not the first, and stores nothing; and one that stores the file again does
// so after what is removed here. What cannot be removed now is at the next push.
func (s *Store) sweep(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, sweepTime)
	defer stop()
	if _, err := s.readKept(ctx); err != nil { // What was forgotten by the push.
		return
	}
	stream, err := s.blobStream(ctx)
	if err != nil {
		return
	}
	all := s.subject("files") + "."
	info, err := streamInfo(ctx, stream, jetstream.WithSubjectFilter(all+">"))
	if err != nil {
		return
	}
	orphans := map[string]bool{}
	for subject := range info.State.Subjects {
		digest, _, _ := strings.Cut(strings.TrimPrefix(subject, all), ".")
		if !s.kept.has(digest) {
			orphans[digest] = true
		}
	}
	s.young.keepOnly(orphans)
	for digest := range orphans {
		if !s.young.has(digest, info.TimeStamp) && s.sweepOne(ctx, stream, digest, info) != nil {
			return
		}
	}
}

// sweepOne removes what has a digest if it is old. The engine's clock counts.
func (s *Store) sweepOne(ctx context.Context, stream jetstream.Stream, digest string, at *jetstream.StreamInfo) error {
	first, err := s.surePiece(ctx, s.pieceSubject(digest, 0))
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return err
	}
	if err == nil && s.young.note(digest, first.Time, at.TimeStamp) {
		return nil
	}
	call, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	// Only what was there when the list was made: if the first piece was old after
	// that, whoever stores it again has not begun before.
	return stream.Purge(call, jetstream.WithPurgeSubject(s.subject("files")+"."+digest+".*"), jetstream.WithPurgeSequence(at.State.LastSeq+1))
}

// young has what is too young to be removed, so that it is not asked for again by
// every push. It has no more than the store has.
type young struct {
	mu sync.Mutex
	// age is from when something is old; 0 is orphanAge.
	age   time.Duration
	since map[string]time.Time // when it was stored
}

// keepOnly forgets what is no orphan any more.
func (y *young) keepOnly(orphans map[string]bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	maps.DeleteFunc(y.since, func(digest string, _ time.Time) bool { return !orphans[digest] })
}

// has reports whether something is known to be too young at a time.
func (y *young) has(digest string, now time.Time) bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	at, ok := y.since[digest]
	return ok && !y.old(at, now)
}

// note reports whether something that was stored at a time is too young, and notes it.
func (y *young) note(digest string, at, now time.Time) bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.old(at, now) {
		return false
	}
	if y.since == nil {
		y.since = map[string]time.Time{}
	}
	y.since[digest] = at
	return true
}

func (y *young) old(at, now time.Time) bool {
	age := y.age
	setDefault(&age, orphanAge)
	return now.Sub(at) >= age
}
