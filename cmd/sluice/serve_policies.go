package main

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// policyOptions say how the service compiles its policies. What explains its
// decisions compiles them in the same way.
// Scanners and webhooks are asked for when a rule first wants them.
func (c *config) policyOptions(keys grantKeys, shared sharedState) (o policies.Options, scanners scannerSet, err error) {
	content, err := c.content(time.Now)
	if err != nil {
		return o, nil, err
	}
	if scanners, err = c.openScanners(); err != nil {
		return o, nil, err
	}
	hooks, err := c.openWebhooks()
	if err != nil {
		return o, nil, err
	}
	return policies.Options{
		Kinds: rules.Builtin(), AcceptByDefault: c.acceptByDefault, Content: content,
		Env: rules.Env{PartialSuffix: c.partialSuffix, Scanners: scanners.named, Webhooks: hooks.named, Grants: c.grantEnv(keys), Counters: shared.counters},
	}, scanners, nil
}

// explain decides an event by the set in force, without those who watch.
func (s *server) explain(ctx context.Context, e *rules.Event) (rules.Decision, []rules.Considered) {
	snapshot := s.live.Status().Snapshot
	d := validator.Guarded(s.revocable(snapshot)).Decide(ctx, e)
	return d, snapshot.Consider(e)
}

// decideAndConsider decides an event by a set, and returns which of the set's
// policies that took into account.
func decideAndConsider(ctx context.Context, s *policies.Snapshot, e *rules.Event) (rules.Decision, []rules.Considered) {
	d := validator.Guarded(s).Decide(ctx, e)
	return d, s.Consider(e)
}

// status tells what is in force, for readiness and metrics.
func (s *server) status() validator.PolicyStatus { return tell(s.live.Status()) }

func tell(status policies.Status) validator.PolicyStatus {
	told := validator.PolicyStatus{
		Revision: status.Snapshot.Revision, StoreRevision: status.Number, Loaded: status.Loaded, RuleCount: status.Snapshot.RuleCount(),
	}
	if status.Err != nil {
		told.LastError, told.FailedAt = status.Err.Error(), &status.Failed
	}
	return told
}

// policyList tells the same with every policy.
func (s *server) policyList() validator.PolicyStatus {
	status := s.live.Status()
	told := tell(status)
	for _, p := range status.Snapshot.Policies {
		told.Policies = append(told.Policies, summary(p))
	}
	return told
}

func summary(p *policies.Policy) validator.PolicySummary {
	told := validator.PolicySummary{
		Policy: p.Name, Description: p.Description, File: p.File, Mode: p.Mode.String(),
		Rules: make([]validator.RuleSummary, 0, len(p.Rules)),
	}
	for _, r := range p.Rules {
		told.Rules = append(told.Rules, validator.RuleSummary{
			Rule: r.Name, Kind: r.Kind, Mode: r.Mode.String(), Code: string(r.Code), Phases: r.Phases.Names(),
		})
	}
	return told
}

// policiesChanged logs what became of a reload.
func (s *server) policiesChanged(status policies.Status) {
	if status.Err == nil && s.giving != nil {
		if err := s.giving.use(status.Snapshot.Clients); err != nil { // What compiles is sound.
			s.log.Error("clients not taken over, the old ones stay", zap.Error(err))
		}
	}
	number := zap.Skip()
	if status.Number > 0 {
		number = zap.Uint64("store_revision", status.Number)
	}
	if status.Err != nil {
		s.log.Error("policies not reloaded, the old ones stay in force",
			zap.String("revision", status.Snapshot.Revision), number, zap.String("mistakes", status.Err.Error()))
		return
	}
	s.log.Info("policies in force", zap.String("revision", status.Snapshot.Revision), number,
		zap.Int("policies", len(status.Snapshot.Policies)), zap.Int("rules", status.Snapshot.RuleCount()))
}
