package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// pushAttempts is how often a proposal that may follow any revision is made anew
// because somebody else was first.
const pushAttempts = 5

// Push stores a set as the newest revision, as a whole or not at all. The error is
// ErrConflict, which says who was first and when, if Parent is not the newest,
// ErrTooLarge, or ErrAway: then the revision may have been stored all the same, and
// Head tells.
func (s *Store) Push(ctx context.Context, p Proposal) (Revision, error) {
	set, err := collect(ctx, p.Files)
	if err != nil {
		return Revision{}, err
	}
	r := Revision{
		Hash: p.Hash, Author: p.Author, Message: p.Message, Time: s.o.Now().UTC().Round(0),
		Files: set.list(), RollbackOf: p.RollbackOf, Replay: p.Replay,
	}
	if err := r.check(); err != nil {
		return Revision{}, err
	}
	for range pushAttempts {
		err = s.push(ctx, &r, p.Parent, set)
		if p.Parent != nil || !errors.Is(err, ErrConflict) {
			break
		}
	}
	if err != nil {
		return Revision{}, err
	}
	s.sweep(ctx)
	return r, nil
}

// push stores what the store lacks of a set, and then the revision, if the newest
// one is still the same as at first.
func (s *Store) push(ctx context.Context, r *Revision, parent *uint64, set *fileSet) error {
	at, err := s.readKept(ctx)
	if err != nil {
		return err
	}
	if parent != nil && *parent != at.newest {
		return s.conflict(ctx)
	}
	if err := s.upload(ctx, set); err != nil {
		return err
	}
	r.Parent = at.newest
	text, err := r.encode(s.conn.MaxPayload())
	if err != nil {
		return err
	}
	call, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	ack, err := s.js.Publish(call, s.subject("revisions"), text, jetstream.WithExpectLastSequence(at.last))
	if isConflict(err) {
		return s.conflict(ctx)
	}
	if err != nil {
		return away("storing the revision", err)
	}
	r.Number = ack.Sequence
	s.kept.add(r)
	_ = s.conn.Publish(s.subject("revised"), nil) // Who does not hear it looks soon by itself.
	_ = s.conn.FlushTimeout(time.Second)
	return nil
}

// isConflict reports whether the engine refused a message because it is not the
// next one.
func isConflict(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) &&
		(api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// conflict returns an ErrConflict that says who was first.
func (s *Store) conflict(ctx context.Context) error {
	switch first, err := s.Head(ctx); {
	case errors.Is(err, ErrEmpty):
		return fmt.Errorf("%w: the store has no revision; what you began with is gone", ErrConflict)
	case err != nil:
		return fmt.Errorf("%w (who that was cannot be told: %w)", ErrConflict, err)
	default:
		return fmt.Errorf("%w: revision %d is by %q, of %s; look at what it changes, and push on top of it", ErrConflict, first.Number, first.Author, first.Time.Format(time.RFC3339))
	}
}

// revisionStream returns the stream of revisions: each message is one, and its
// sequence the number.
func (s *Store) revisionStream(ctx context.Context) (jetstream.Stream, error) {
	return s.revisions.get(ctx, func(ctx context.Context) (jetstream.Stream, error) {
		return s.makeStream(ctx, jetstream.StreamConfig{
			Name: s.named("revisions"), Description: "Revisions of the policy set of sluice.", Subjects: []string{s.subject("revisions")},
			MaxMsgs: int64(s.o.KeepRevisions), Discard: jetstream.DiscardOld, Storage: jetstream.FileStorage, Replicas: s.o.Replicas,
		})
	})
}

// blobStream returns the stream of what is in files: a message for each piece, of
// which the last one counts.
func (s *Store) blobStream(ctx context.Context) (jetstream.Stream, error) {
	return s.files.get(ctx, func(ctx context.Context) (jetstream.Stream, error) {
		return s.makeStream(ctx, jetstream.StreamConfig{
			Name: s.named("files"), Description: "Files of the policy sets of sluice.", Subjects: []string{s.subject("files") + ".*.*"},
			MaxMsgsPerSubject: 1, AllowDirect: true, Discard: jetstream.DiscardOld, Storage: jetstream.FileStorage, Replicas: s.o.Replicas,
		})
	})
}

// makeStream returns a stream, which it makes if need be. How much an existing one
// keeps is what a service says, and not a command beside it, which may not know.
func (s *Store) makeStream(ctx context.Context, o jetstream.StreamConfig) (jetstream.Stream, error) {
	if s.o.Join {
		stream, err := s.js.Stream(ctx, o.Name)
		if !errors.Is(err, jetstream.ErrStreamNotFound) {
			return stream, err
		}
	}
	return s.js.CreateOrUpdateStream(ctx, o)
}

// message asks for one message of a stream, with a deadline.
func message(ctx context.Context, ask func(context.Context) (*jetstream.RawStreamMsg, error)) (*jetstream.RawStreamMsg, error) {
	ctx, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	return ask(ctx)
}

// streamInfo asks how a stream is, with a deadline.
func streamInfo(ctx context.Context, of jetstream.Stream, o ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	ctx, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	return of.Info(ctx, o...)
}

// listenForNews returns what is told when there is a new revision, until stop is
// called.
func (s *Store) listenForNews() (news <-chan *nats.Msg, stop func(), err error) {
	told := make(chan *nats.Msg, 1)
	sub, err := s.conn.ChanSubscribe(s.subject("revised"), told)
	if err != nil {
		return nil, nil, away("listening for revisions", err)
	}
	return told, func() { _ = sub.Unsubscribe() }, nil
}
