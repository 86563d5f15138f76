package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/sluiceproject/sluice/policies/store"
	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// revocationsWait is how long a service that starts waits for the policy store to
// say what is revoked.
const revocationsWait = 3 * time.Second

// revoking is what a running service knows of grants that were taken back.
type revoking struct {
	known  *store.Revocations // nil where there is no store, or no key of grants
	verify func(text string) (*rules.Grant, error)
	began  time.Time
}

// openRevocations begins to follow what is revoked, where there is a policy store
// and grants can be verified.
func (s *server) openRevocations(keys grantKeys) (err error) {
	if s.store == nil || keys.verifier == nil {
		return nil
	}
	s.revoking.known, err = s.store.WatchRevocations(store.WatchOptions{File: s.grants.revocationsFile, MaxSilence: s.grants.maxSilence})
	if err != nil {
		return fmt.Errorf("grants.revocations_file: %w", err)
	}
	s.revoking.verify, s.revoking.began = keys.verifier.Verify, time.Now()
	validator.RegisterRevocations(s.registry, func() (int, time.Time) { return s.revoking.known.Len(), s.revoking.known.Confirmed() })
	select {
	case <-s.revoking.known.Loaded():
	case <-time.After(revocationsWait):
		s.log.Warn("the policy store does not say what is revoked; what was known before holds",
			zap.String("file", s.grants.revocationsFile), zap.Int("revocations", s.revoking.known.Len()))
	}
	return nil
}

// revocable refuses the events of transfers whose grant was taken back, and has next
// decide the others.
func (s *server) revocable(next validator.Decider) validator.Decider {
	if s.revoking.known == nil {
		return next
	}
	return validator.Revocable(next, validator.RevocableOptions{
		Verify: s.revoking.verify, Known: s.revoking.known,
		Revision: func() string { return s.live.Status().Snapshot.Revision },
	})
}

// revocationsQuiet is after how long it is told that the store does not confirm what is
// revoked.
const revocationsQuiet = 10 * time.Second

// grantsDegraded tells that it is not certain what is revoked.
func (s *server) grantsDegraded() []string {
	known := s.revoking.known
	if known == nil || time.Since(s.revoking.began) < revocationsQuiet {
		return nil
	}
	at := known.Confirmed()
	silent := time.Since(at)
	if silent < revocationsQuiet {
		return nil
	}
	since := "never"
	if !at.IsZero() {
		since = "not since " + at.UTC().Format(time.RFC3339)
	}
	consequence := "grants that were revoked since then hold here"
	if limit := s.grants.maxSilence; limit > 0 && silent > limit {
		consequence = "transfers with a grant are refused with code 1009 (grants.max_silence)"
	}
	return []string{fmt.Sprintf("the policy store has %s said which grants are revoked (%d are known): %s", since, known.Len(), consequence)}
}

// register keeps grants that are given out in the policy store.
func (s *server) register(ctx context.Context, given []*rules.Grant, address string) error {
	records := make([]store.GrantRecord, len(given))
	for i, g := range given {
		records[i] = store.Record(g, address)
	}
	return s.store.Register(ctx, records)
}

// registering adds to the token endpoint what it needs of the policy store.
func (s *server) registering(o validator.TokenOptions) validator.TokenOptions {
	if s.store == nil {
		return o
	}
	o.Register, o.IssueUnregistered = s.register, s.tokens.unregistered
	if s.revoking.known != nil {
		o.Known = s.revoking.known
	}
	return o
}

// grantAdmin is what the admin listener does with grants; nil without a store.
func (s *server) grantAdmin() *validator.GrantAdmin {
	if s.store == nil {
		return nil
	}
	a := &validator.GrantAdmin{List: s.listGrants, Revocations: s.listRevocations, Revoke: s.revoke}
	for _, state := range store.GrantStates() {
		a.States = append(a.States, string(state))
	}
	return a
}

func (s *server) listGrants(ctx context.Context, q validator.GrantQuery) (list []any, err error) {
	last := lastGrants{most: q.Limit}
	err = s.store.Grants(ctx, store.GrantQuery{
		ID: q.ID, Client: q.Client, User: q.User, State: store.GrantState(q.State), Since: q.Since,
	}, last.add)
	for _, g := range last.all() {
		list = append(list, g)
	}
	return list, adminError(err)
}

func (s *server) listRevocations(ctx context.Context) (list []any, err error) {
	err = s.store.ListRevocations(ctx, func(r *store.Revocation) error {
		list = append(list, r)
		return nil
	})
	return list, adminError(err)
}

func (s *server) revoke(ctx context.Context, r validator.RevocationOrder) (any, error) {
	told, err := s.store.Revoke(ctx, store.RevocationRequest{
		ID: r.ID, Client: r.Client, User: r.User, Reason: r.Reason, By: r.By, Skew: s.grants.skew, Unregistered: r.Unregistered,
	})
	if err != nil {
		return nil, adminError(err)
	}
	s.log.Info("revoked", zap.String("id", told.ID), zap.String("client", told.Client), zap.String("user", told.User),
		zap.String("reason", told.Reason), zap.String("by", told.By))
	return told, nil
}

// adminError tells whoever asked what is wrong with what he asked, or with the
// store.
func adminError(err error) error {
	var wrong *store.RequestError
	switch {
	case errors.As(err, &wrong):
		return &validator.AdminError{Status: http.StatusBadRequest, Message: "Not revoked: " + wrong.Message + "."}
	case errors.Is(err, store.ErrNoGrant):
		return &validator.AdminError{Status: http.StatusUnprocessableEntity, Message: `Not revoked: no grant with this id is registered, or it has expired. Check the id; with "unregistered":true it is revoked all the same.`}
	case errors.Is(err, store.ErrRevokedFull):
		return &validator.AdminError{Status: http.StatusConflict, Message: "Not revoked: " + err.Error() + "."}
	case errors.Is(err, store.ErrAway):
		return &validator.AdminError{Status: http.StatusServiceUnavailable, Message: "The policy store does not answer. Try again."}
	default:
		return err
	}
}
