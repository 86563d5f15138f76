package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sluiceproject/sluice/rules"
)

// Bounds of revocations. Every replica has all of them in memory and forgets none,
// so that there is an end to how many there can be.
const (
	// maxRevokedIDs is how many there may be for a single grant to be revoked, and
	// maxRevokedNames how many more, for clients and users.
	maxRevokedIDs   = 200_000
	maxRevokedNames = 20_000
	// maxReason is the length of the longest reason, and of who says so, in bytes.
	maxReason = 1024
	// revokeAttempts is how often it is tried to be the last to write a record.
	revokeAttempts = 5
)

// ErrRevokedFull says that so many grants are revoked that no more can be, one by
// one.
var ErrRevokedFull = fmt.Errorf("%d grants are revoked one by one, and more are not possible: revoke the client or the user instead", maxRevokedIDs)

// Revocation takes grants back: one grant, or all that a client or a transfer user
// has up to a moment.
type Revocation struct {
	// ID, Client and User name a grant, a client, or a transfer user: one of them.
	ID     string `json:"id,omitempty"`
	Client string `json:"client,omitempty"`
	User   string `json:"user,omitempty"`
	// Reason says why, By who says so, and At when that was.
	Reason string    `json:"reason,omitempty"`
	By     string    `json:"by,omitempty"`
	At     time.Time `json:"at"`
	// Before is the moment up to which grants of a client or a user are taken back:
	// those that were issued later hold. It is At, and later by what clocks may
	// differ, and zero for a single grant.
	Before time.Time `json:"before,omitzero"`
	// Until is when the record is forgotten: by then no grant that it is about would
	// hold any more.
	Until time.Time `json:"until"`
}

// RevocationRequest says what is to be taken back.
type RevocationRequest struct {
	// ID, Client, User, Reason and By are those of Revocation.
	ID, Client, User, Reason, By string
	// Skew is how far the clocks of those who give out grants may be ahead.
	Skew time.Duration
	// Unregistered takes back an ID that nobody has registered. Without it that is
	// ErrNoGrant, because it may be mistyped.
	Unregistered bool
}

// RequestError says what is wrong with a RevocationRequest.
type RequestError struct{ Message string }

// Error implements error.
func (r *RequestError) Error() string { return r.Message }

// The kinds of revocations, as parts of subjects and of keys.
const (
	revokedID     = "id"
	revokedClient = "client"
	revokedUser   = "user"
)

// named returns what kind of revocation it is, and the name; empty if it is not
// just one.
func (r *Revocation) named() (kind, name string) {
	n := 0
	for _, each := range [...]struct{ kind, name string }{{revokedID, r.ID}, {revokedClient, r.Client}, {revokedUser, r.User}} {
		if each.name != "" {
			kind, name = each.kind, each.name
			n++
		}
	}
	if n != 1 {
		return "", ""
	}
	return kind, name
}

// key names what is revoked.
func (r *Revocation) key() string {
	kind, name := r.named()
	return kind + " " + name
}

// check says what is wrong with a revocation.
func (r *Revocation) check() error {
	kind, name := r.named()
	switch {
	case kind == "":
		return &RequestError{"name one grant, one client or one transfer user, and one of them only"}
	case len(name) > maxGrantName || strings.ContainsFunc(name, isControl):
		return &RequestError{fmt.Sprintf("the name of what is revoked has more than %d bytes, or a control character in it", maxGrantName)}
	case len(r.Reason) > maxReason || len(r.By) > maxReason:
		return &RequestError{fmt.Sprintf("the reason, or who says so, has more than %d bytes", maxReason)}
	default:
		return nil
	}
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// parseRevocation reads a record. Members that are not known are those of newer
// versions.
func parseRevocation(text []byte) (Revocation, error) {
	var r Revocation
	if len(text) > maxRecord {
		return r, fmt.Errorf("a revocation has more than %d bytes", maxRecord)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("a revocation: %w", err)
	}
	if err := r.check(); err != nil {
		return r, fmt.Errorf("a revocation: %w", err)
	}
	if r.Until.IsZero() || r.ID == "" && r.Before.IsZero() {
		return r, errors.New("a revocation lacks its times")
	}
	return r, nil
}

// revokedStream has the stream of revocations: the last one of each grant, client
// and user, which the engine removes when its time is over.
func (s *Store) revokedStream(ctx context.Context) (jetstream.Stream, error) {
	return s.revoked.get(ctx, func(ctx context.Context) (jetstream.Stream, error) {
		return s.recordStream(ctx, jetstream.StreamConfig{
			Name: s.named("revoked"), Description: "Grants that were taken back", Subjects: []string{s.subject("revoked.>")},
			MaxMsgs: maxRevokedIDs + maxRevokedNames,
		})
	})
}

// Revoke takes grants back, and returns the record once the engine has it: from
// then on it is not lost. The error is a *RequestError, ErrNoGrant, ErrRevokedFull,
// or wraps ErrAway. Nothing can be given back: grants that are issued later hold
// by themselves.
func (s *Store) Revoke(ctx context.Context, q RevocationRequest) (Revocation, error) {
	now := s.o.Now().UTC()
	r := Revocation{ID: q.ID, Client: q.Client, User: q.User, Reason: q.Reason, By: q.By, At: now}
	if err := r.check(); err != nil {
		return r, err
	}
	r.Until = now.Add(q.Skew + rules.MaxLife + afterwards)
	if r.ID == "" {
		r.Before = now.Add(q.Skew)
	} else if g, err := s.Grant(ctx, r.ID); err == nil {
		r.Until = g.Expires.Add(afterwards).UTC()
	} else if !errors.Is(err, ErrNoGrant) || !q.Unregistered {
		return r, err
	}
	ctx, stop := context.WithTimeout(ctx, 2*callTime)
	defer stop()
	stream, err := s.revokedStream(ctx)
	if err != nil {
		return r, err
	}
	for range revokeAttempts {
		if err = s.revoke(ctx, stream, &r); !isOvertaken(err) {
			break
		}
	}
	if errors.Is(err, ErrRevokedFull) || isFull(err) {
		return r, ErrRevokedFull
	}
	return r, away("revoking", err)
}

// isFull reports whether a stream takes no more messages.
func isFull(err error) bool {
	const storeFailed = 10077 // JSStreamStoreFailedF of the server, for several reasons.
	var refused *jetstream.APIError
	return errors.As(err, &refused) && refused.ErrorCode == storeFailed && strings.Contains(refused.Description, "maximum messages")
}

// revoke stores a revocation if nobody else writes the same one meanwhile. One that
// reaches further than this one still does afterwards.
func (s *Store) revoke(ctx context.Context, stream jetstream.Stream, r *Revocation) error {
	kind, name := r.named()
	m := &nats.Msg{Subject: s.subject("revoked." + kind + "." + nameToken(name))}
	before := uint64(0)
	switch old, err := stream.GetLastMsgForSubject(ctx, m.Subject); {
	case err == nil:
		before = old.Sequence
		if known, err := parseRevocation(old.Data); err == nil {
			r.Before, r.Until = later(r.Before, known.Before), later(r.Until, known.Until)
		}
	case !errors.Is(err, jetstream.ErrMsgNotFound):
		return err
	case kind == revokedID:
		info, err := stream.Info(ctx)
		if err != nil {
			return err
		}
		if info.State.Msgs+maxRevokedNames >= uint64(info.Config.MaxMsgs) {
			return ErrRevokedFull
		}
	}
	var err error
	if m.Data, err = json.Marshal(r); err != nil {
		return err
	}
	life := max(r.Until.Sub(s.o.Now()).Round(time.Second), time.Second)
	_, err = s.js.PublishMsg(ctx, m, jetstream.WithMsgTTL(life), jetstream.WithExpectLastSequencePerSubject(before))
	return err
}

// isOvertaken reports whether somebody else was first.
func isOvertaken(err error) bool {
	var refused *jetstream.APIError
	return errors.As(err, &refused) &&
		(refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// ListRevocations calls each with the revocations that are not forgotten, in the
// order in which they were made.
func (s *Store) ListRevocations(ctx context.Context, each func(*Revocation) error) error {
	stream, err := s.revokedStream(ctx)
	if err != nil {
		return err
	}
	return s.readAll(ctx, stream, "", time.Time{}, func(m jetstream.Msg) error {
		r, err := parseRevocation(m.Data())
		if err != nil {
			s.o.Told(Happening{What: Odd, Detail: m.Subject(), Err: err})
			return nil
		}
		return each(&r)
	})
}
