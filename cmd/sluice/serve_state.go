package main

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/sluiceproject/sluice/policies/store"
	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// sharedState is what rules get to know through the policy store.
type sharedState struct {
	// counters count for all validators; nil where there is no store.
	counters rules.Counters
}

// openState opens the policy store, if there is to be one.
func (s *server) openState() (err error) {
	if !s.state.set() {
		return nil
	}
	if s.store, err = s.state.open(context.Background(), false, s.storeTold); err != nil {
		return err
	}
	counters := s.store.Counters(s.state.budget)
	s.shared.counters = validator.MeasuredCounters(counters, s.registry, time.Now, func() (int, uint64) {
		stats := counters.Stats()
		return stats.Files, stats.Lag
	})
	return nil
}

// closeState ends what uses the policy store, and then the store.
func (s *server) closeState() {
	s.closeMirror()
	if s.store != nil {
		s.store.Close()
	}
}

// storeTold logs what happens to the store.
func (s *server) storeTold(h store.Happening) {
	fields := []zap.Field{zap.String("what", h.What), zap.String("detail", h.Detail)}
	if h.Err != nil {
		fields = append(fields, zap.Error(h.Err))
	}
	if h.What == store.Found {
		s.log.Info("policy store", fields...)
		return
	}
	s.log.Warn("policy store", fields...)
}

// stateDegraded tells that the store is away.
func (s *server) stateDegraded() []string {
	if s.store == nil {
		return nil
	}
	since, silent := s.store.Silent()
	if !silent {
		return nil
	}
	return []string{fmt.Sprintf("the policy store has not answered since %s: decisions go on, and what it shares is as it was then", since.UTC().Format(time.RFC3339))}
}
