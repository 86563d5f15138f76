package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/policies/store"
	"github.com/sluiceproject/sluice/validator"
)

// openPolicies puts the policies in force for the first time.
func (s *server) openPolicies(o policies.Options) (err error) {
	if !s.stored.set {
		s.live, err = policies.Open(s.policies, o, time.Now, s.policiesChanged)
		return err
	}
	ctx := context.Background()
	s.mirror, err = store.OpenMirror(ctx, s.store, store.MirrorOptions{
		Dir: s.stored.cache, Failed: func(err error) { s.live.Fail(err) },
		Use: func(dir string, r store.Revision) (err error) {
			if s.live == nil {
				s.live, err = policies.OpenNumber(dir, r.Number, o, time.Now, s.policiesChanged)
				return err
			}
			return s.live.Switch(dir, r.Number)
		},
	})
	if err != nil {
		return err
	}
	if err := s.mirror.Start(ctx, s.stored.wait); err != nil {
		return s.noPolicies(err)
	}
	if status := s.mirror.Status(); status.Err != nil {
		s.log.Error("not the newest policies: those of the cache are in force", zap.Uint64("store_revision", status.Revision.Number),
			zap.Time("confirmed", status.Confirmed), zap.Duration("age", s.policyAge()), zap.NamedError("why", status.Err))
	}
	s.registerStored()
	return nil
}

// noPolicies says what to do where there are none at all.
func (s *server) noPolicies(err error) error {
	switch {
	case errors.Is(err, store.ErrEmpty):
		return fmt.Errorf("%w\nThe first step is to store a policy set: sluice push DIR --config FILE", err)
	case errors.Is(err, store.ErrAway):
		return fmt.Errorf("%w\nThe service waited %s for the store (policies.wait), and its cache %s cannot stand in", err, s.stored.wait, s.stored.cache)
	}
	return err
}

// reloadPolicies puts the policies in force as they are now.
func (s *server) reloadPolicies() error {
	if s.mirror == nil {
		return s.live.Reload()
	}
	ctx, stop := context.WithTimeout(context.Background(), refreshTime)
	defer stop()
	return s.mirror.Refresh(ctx)
}

// refreshTime is how long whoever asks for a reload waits for the policy store.
const refreshTime = 30 * time.Second

// closeMirror ends following the store.
func (s *server) closeMirror() {
	if s.mirror == nil {
		return
	}
	if err := s.mirror.Close(); err != nil {
		s.log.Warn("the cache of the policies could not be closed", zap.Error(err))
	}
}

// policyAge is how long ago the store said which revision is the newest.
func (s *server) policyAge() time.Duration { return max(0, time.Since(s.mirror.Status().Confirmed)) }

// registerStored adds the metrics of policies from the store.
func (s *server) registerStored() {
	s.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sluice_policies_age_seconds", Help: "How long ago the policy store said which revision of the policies is the newest.",
		}, func() float64 { return s.policyAge().Seconds() }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sluice_policies_store_revision", Help: "The number of the revision in force.",
		}, func() float64 { return float64(s.live.Status().Number) }),
	)
}

// fresh has the policies decide, unless they are too old and that is to be refused.
func (s *server) fresh() validator.Decider {
	if s.mirror == nil || s.stored.maxAge == 0 || !s.stored.refuse {
		return s.live
	}
	return validator.Fresh(s.live, validator.FreshOptions{
		MaxAge: s.stored.maxAge, Confirmed: func() time.Time { return s.mirror.Status().Confirmed },
		Revision: func() string { return s.live.Status().Snapshot.Revision }, Now: time.Now,
	})
}

// tooOld tells why events should go elsewhere, empty if they need not.
func (s *server) tooOld() string {
	if s.mirror == nil || s.stored.maxAge == 0 {
		return ""
	}
	age := s.policyAge()
	if age <= s.stored.maxAge {
		return ""
	}
	consequence := "decisions go on by"
	if s.stored.refuse {
		consequence = "every event is refused with code 1008; in force is"
	}
	return fmt.Sprintf("the policy store last said %s ago which policies are the newest, and policies.max_age is %s: %s revision %d",
		age.Round(time.Second), s.stored.maxAge, consequence, s.live.Status().Number)
}

// quietFor is how long the store may be silent before that is said.
const quietFor = 30 * time.Second

// storedDegraded tells that the policies may not be the newest.
func (s *server) storedDegraded() []string {
	if s.mirror == nil {
		return nil
	}
	status := s.mirror.Status()
	if !status.Cached && s.policyAge() <= quietFor {
		return nil
	}
	from := ""
	if status.Cached {
		from = ", which is from the cache,"
	}
	return []string{fmt.Sprintf("the policy store has not said since %s which policies are the newest: revision %d%s stays in force",
		status.Confirmed.UTC().Format(time.RFC3339), status.Revision.Number, from)}
}

// policySource says where the policies are from.
func (s *server) policySource() string {
	if s.stored.set {
		return "the policy store"
	}
	return s.policies
}
