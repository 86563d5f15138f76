package main

import (
	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/journal"
)

// recordedDecision returns a decision of the log as it is decided again. The error
// says what of it cannot be understood.
func recordedDecision(r *journal.Record) (*policies.Recorded, error) {
	d, err := r.Recorded()
	if err != nil {
		return nil, err
	}
	e := &d.Event
	e.Recall = &rules.Recall{Facts: d.Facts, Missing: d.Missing, Grant: recalledGrant(d.Grants), Quotas: recalledQuotas(d.Quotas)}
	return &policies.Recorded{
		ID: r.ID, Event: e, Accepted: d.Accepted, Code: d.Code, Policy: d.Policy, Rule: d.Rule,
		// What the service refuses by itself names no policy, but for events to which
		// none applies.
		Unasked: e.Fault != nil || !d.Accepted && d.Policy == "" && d.Code != rules.CodeDefault,
	}, nil
}

// recalledGrant returns what came of asking about the event's grant: all rules
// about grants ask the same, so the first tells for all.
func recalledGrant(asked []journal.RecordedGrant) *rules.RecalledGrant {
	if len(asked) == 0 {
		return nil
	}
	return &rules.RecalledGrant{Refused: asked[0].Refused, Failed: asked[0].Untold}
}

// recalledQuotas returns what came of the rules that counted the event.
func recalledQuotas(asked []journal.RecordedGrant) (all []rules.RecalledQuota) {
	for i := range asked {
		q := &asked[i]
		all = append(all, rules.RecalledQuota{Policy: q.Policy, Rule: q.Rule, Refused: q.Refused, Found: q.Saw, Failed: q.Untold})
	}
	return all
}
