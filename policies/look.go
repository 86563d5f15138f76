package policies

import (
	"context"
	"fmt"

	"github.com/sluiceproject/sluice/rules"
)

// look asks the rules that look into the event's file, those that read its head
// before those that read all of it, and reports whether one of them refused.
func (s *Snapshot) look(ctx context.Context, e *rules.Event, content *rules.ContentEnv, candidates []int32, d *rules.Decision) (refused bool) {
	var chains [rules.CostCount][]rules.Chain
	any := false
	for cost := rules.Head; cost <= s.dearest; cost++ {
		for _, i := range candidates {
			if chain := s.Policies[i].chains[e.Phase][cost]; len(chain) > 0 {
				chains[cost] = append(chains[cost], chain)
				any = true
			}
		}
	}
	if !any {
		return false
	}
	if e.Recall != nil {
		return recall(ctx, e, &chains, d)
	}
	l := rules.NewLook(e, content)
	defer l.Close()
	defer func() { d.Facts = l.Facts() }()
	if limit := content.Deadline; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, fmt.Errorf("the %s that all looks of an event have are over: %w", limit, context.DeadlineExceeded))
		defer cancel()
	}
	for cost := rules.Head; cost <= s.dearest; cost++ {
		if cost == rules.File {
			l.ReadOnce(ctx, chains[cost]...)
		}
		for _, chain := range chains[cost] {
			if chain.Look(ctx, l, e, d) {
				return true
			}
		}
	}
	return false
}

// recall asks the same rules about an event of a log, whose file nobody looks
// into again.
func recall(ctx context.Context, e *rules.Event, chains *[rules.CostCount][]rules.Chain, d *rules.Decision) (refused bool) {
	for cost := range chains {
		for _, chain := range chains[cost] {
			if chain.Look(ctx, nil, e, d) {
				return true
			}
		}
	}
	return false
}
