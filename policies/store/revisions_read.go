package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Head returns the newest revision. The error is ErrEmpty if there is none.
func (s *Store) Head(ctx context.Context) (Revision, error) {
	stream, err := s.revisionStream(ctx)
	if err != nil {
		return Revision{}, err
	}
	m, err := message(ctx, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		return stream.GetLastMsgForSubject(ctx, s.subject("revisions"))
	})
	r, err := s.read(m, err)
	if errors.Is(err, ErrNoRevision) {
		return Revision{}, ErrEmpty
	}
	return r, err
}

// Revision returns a revision by its number. The error is ErrNoRevision if the store
// does not have it.
func (s *Store) Revision(ctx context.Context, number uint64) (Revision, error) {
	if number == 0 { // The engine would take it for any.
		return Revision{}, fmt.Errorf("revision 0: %w", ErrNoRevision)
	}
	stream, err := s.revisionStream(ctx)
	if err != nil {
		return Revision{}, err
	}
	r, err := s.revisionOf(ctx, stream, number)
	if errors.Is(err, ErrNoRevision) {
		return Revision{}, fmt.Errorf("revision %d: %w", number, ErrNoRevision)
	}
	return r, err
}

// History returns the newest revisions, newest first: limit of them, or with 0 all
// that the store has. Without any it returns none and no error.
func (s *Store) History(ctx context.Context, limit int) ([]Revision, error) {
	stream, err := s.revisionStream(ctx)
	if err != nil {
		return nil, err
	}
	info, err := streamInfo(ctx, stream)
	if err != nil {
		return nil, away("asking for the newest revision", err)
	}
	var list []Revision
	for n := info.State.LastSeq; n >= max(1, info.State.FirstSeq) && (limit <= 0 || len(list) < limit); n-- {
		r, err := s.revisionOf(ctx, stream, n)
		switch {
		case errors.Is(err, ErrNoRevision): // Forgotten since, and so are those before.
		case errors.Is(err, errOdd):
			s.o.Told(Happening{What: Odd, Detail: fmt.Sprintf("revision %d", n), Err: err})
		case err != nil:
			return nil, err
		default:
			list = append(list, r)
		}
	}
	return list, nil
}

// read makes a revision of what the engine answered.
func (s *Store) read(m *jetstream.RawStreamMsg, err error) (Revision, error) {
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return Revision{}, ErrNoRevision
	case err != nil:
		return Revision{}, away("asking for a revision", err)
	}
	r, err := decodeRevision(m.Data)
	if err != nil {
		return Revision{}, fmt.Errorf("revision %d cannot be read: %w: %w", m.Sequence, errOdd, err)
	}
	r.Number = m.Sequence
	return r, nil
}

// lookEvery is how often the store is asked for news by whoever follows it, beside
// being told.
const lookEvery = 500 * time.Millisecond

// Follow calls f with the newest revision, and then with each new one, until ctx is
// done, whose error it returns. It waits for an engine that is away. Of several that
// came at once f gets the newest only.
func (s *Store) Follow(ctx context.Context, f func(Revision)) error {
	var seen place
	return s.look(ctx, func() {
		at, err := s.newest(ctx)
		if err != nil || at == seen {
			return
		}
		if r, err := s.Head(ctx); err == nil {
			seen = at
			f(r)
		}
	})
}

// look calls f now, and whenever there may be a new revision, until ctx is done.
func (s *Store) look(ctx context.Context, f func()) error {
	news, stop, err := s.listenForNews()
	if err != nil {
		return err
	}
	defer stop()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		f()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		case <-news:
		}
	}
}

// place differs whenever there is another newest revision.
type place struct {
	created time.Time // of the stream
	last    uint64    // number of the newest revision there ever was
}

// newest asks which revision is the newest. The error is ErrEmpty if there is none.
func (s *Store) newest(ctx context.Context) (place, error) {
	stream, err := s.revisionStream(ctx)
	if err != nil {
		return place{}, err
	}
	info, err := streamInfo(ctx, stream)
	if err != nil {
		return place{}, away("asking for the newest revision", err)
	}
	if info.State.Msgs == 0 {
		return place{}, ErrEmpty
	}
	return place{info.Created.UTC(), info.State.LastSeq}, nil
}
