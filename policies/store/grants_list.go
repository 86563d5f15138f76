package store

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sluiceproject/sluice/rules"
)

// GrantState is what has become of a grant.
type GrantState string

// The states of grants.
const (
	// GrantActive holds.
	GrantActive GrantState = "active"
	// GrantRevoked was taken back.
	GrantRevoked GrantState = "revoked"
	// GrantExpired is over. Such grants vanish within minutes.
	GrantExpired GrantState = "expired"
)

// GrantStates returns the states of grants.
func GrantStates() []GrantState { return []GrantState{GrantActive, GrantRevoked, GrantExpired} }

// GrantQuery says which grants are wanted. Its zero value wants all.
type GrantQuery struct {
	// ID, Client and User are names as a whole; empty is any.
	ID, Client, User string
	// State is the state that they have; empty is any.
	State GrantState
	// Since is when they were registered at the earliest; zero is ever.
	Since time.Time
}

// GrantInfo is a registered grant and what has become of it.
type GrantInfo struct {
	GrantRecord
	// State is what has become of it.
	State GrantState `json:"state"`
	// Revoked is why it was taken back; nil if it was not.
	Revoked *Revocation `json:"revoked,omitempty"`
}

// Grants calls each with the grants that a query wants, in the order in which they
// were registered, one after the other: there may be millions. It ends with the
// error of each, or when the engine does not answer.
func (s *Store) Grants(ctx context.Context, q GrantQuery, each func(*GrantInfo) error) error {
	revoked := newTables()
	whole := map[string]*Revocation{}
	if err := s.ListRevocations(ctx, func(r *Revocation) error {
		revoked.add([]Revocation{*r})
		whole[r.key()] = r
		return nil
	}); err != nil {
		return err
	}
	stream, err := s.grantStream(ctx)
	if err != nil {
		return err
	}
	now := s.o.Now()
	return s.readAll(ctx, stream, s.grantFilter(q.Client, q.User, q.ID), q.Since, func(m jetstream.Msg) error {
		g, err := parseGrantRecord(m.Data())
		if err != nil {
			s.o.Told(Happening{What: Odd, Detail: m.Subject(), Err: err})
			return nil
		}
		told := GrantInfo{GrantRecord: g, State: GrantActive}
		if !now.Before(g.Expires) {
			told.State = GrantExpired
		}
		if key := revoked.find(g.ID, g.Client, g.User, g.Issued); key != "" {
			told.State, told.Revoked = GrantRevoked, whole[key]
		}
		if q.State != "" && q.State != told.State {
			return nil
		}
		return each(&told)
	})
}

// Bounds of reading a stream.
const (
	// readBatch is how many messages are asked for at once.
	readBatch = 1000
	// idleTime is how long the engine remembers a reader that asks no more.
	idleTime = 30 * time.Second
)

// readAll calls each with the messages that a stream has now, in order.
func (s *Store) readAll(ctx context.Context, stream jetstream.Stream, filter string, since time.Time, each func(jetstream.Msg) error) error {
	c := jetstream.ConsumerConfig{
		FilterSubject: filter, AckPolicy: jetstream.AckNonePolicy, InactiveThreshold: idleTime, MemoryStorage: true, Replicas: 1,
	}
	if !since.IsZero() {
		c.DeliverPolicy, c.OptStartTime = jetstream.DeliverByStartTimePolicy, &since
	}
	calling, stop := context.WithTimeout(ctx, callTime)
	consumer, err := stream.CreateConsumer(calling, c)
	stop()
	if err != nil {
		return away("reading the policy store", err)
	}
	left := consumer.CachedInfo().NumPending
	for left > 0 {
		n, err := readSome(ctx, consumer, &left, each)
		if err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		// What was left may have reached its end meanwhile.
		calling, stop := context.WithTimeout(ctx, callTime)
		info, err := consumer.Info(calling)
		stop()
		if err == nil && info.NumPending > 0 {
			err = jetstream.ErrNoStreamResponse
		}
		if err != nil {
			return away("reading the policy store", err)
		}
		return nil
	}
	return nil
}

// readSome calls each with the next messages, and returns how many there were. left
// becomes how many come after them.
func readSome(ctx context.Context, consumer jetstream.Consumer, left *uint64, each func(jetstream.Msg) error) (n int, err error) {
	reading, stop := context.WithTimeout(ctx, callTime)
	defer stop() // It ends what waits for messages, too.
	batch, err := consumer.Fetch(int(min(*left, readBatch)), jetstream.FetchContext(reading))
	if err != nil {
		return 0, away("reading the policy store", err)
	}
	for m := range batch.Messages() {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		meta, err := m.Metadata()
		if err != nil {
			return n, err
		}
		n++
		*left = meta.NumPending
		if err := each(m); err != nil {
			return n, err
		}
	}
	return n, away("reading the policy store", batch.Error())
}

// RevocationOf asks the engine for the revocation that a grant fell to; nil if it
// holds. Services ask Revocations instead, which wait for nobody.
func (s *Store) RevocationOf(ctx context.Context, g *rules.Grant) (*Revocation, error) {
	ctx, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	stream, err := s.revokedStream(ctx)
	if err != nil {
		return nil, err
	}
	for _, each := range [...]struct{ kind, name string }{{revokedID, g.ID}, {revokedClient, g.Client}, {revokedUser, g.User}} {
		m, err := stream.GetLastMsgForSubject(ctx, s.subject("revoked."+each.kind+"."+nameToken(each.name)))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return nil, away("asking for a revocation", err)
		}
		r, err := parseRevocation(m.Data)
		if err != nil {
			return nil, err
		}
		if each.kind == revokedID || !g.Issued.After(r.Before) {
			return &r, nil
		}
	}
	return nil, nil
}
