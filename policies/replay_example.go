package policies

import (
	"strings"

	"github.com/sluiceproject/sluice/rules"
)

// blamed returns the policy and the rule to which a change is put down.
func blamed(r *Recorded, a *Again) (policy, rule string) {
	code, name := string(a.Decision.Code), a.Decision.Rule
	switch {
	case a.Change == Undecidable && a.Unasked == nil:
		return "", a.unasked()
	case a.Change == Undecidable, a.Change == ReasonUnknown:
		return a.Unasked.Policy, a.unasked()
	case a.Change == NewlyAccepted:
		policy, name, code = r.Policy, r.Rule, string(r.Code)
	default:
		policy = a.Decision.Policy
	}
	if name == "" {
		return policy, strings.TrimPrefix(policy+" code "+code, " ")
	}
	return policy, policy + "/" + name
}

// unasked names the rule that could not be asked again.
func (a *Again) unasked() string {
	if a.Unasked == nil {
		return "which policies apply"
	}
	return a.Unasked.Policy + "/" + a.Unasked.Name
}

// clientOf returns who asks for a token, or the address of a transfer.
func clientOf(e *rules.Event) string {
	if e.Client != "" {
		return e.Client
	}
	return e.ClientIP
}

// example returns a decision as reports show it.
func example(r *Recorded, a *Again) ReplayExample {
	e := r.Event
	x := ReplayExample{
		Change: a.Change.String(), ID: r.ID, Time: e.Received.UTC(), Phase: e.Phase.String(), User: rules.Shorten(e.User, replayName), Client: rules.Shorten(clientOf(e), replayName),
		File: rules.Shorten(e.File.Shown(), replayName), Was: ReplayVerdict{Verdict: "accept"},
	}
	if e.Size.Known {
		size := e.Size.Value
		x.Size = &size
	}
	if !r.Accepted {
		x.Was = ReplayVerdict{Verdict: "reject", Code: string(r.Code), Policy: r.Policy, Rule: r.Rule}
	}
	if a.Why != nil {
		x.Why = a.unasked() + ": " + a.Why.Error()
	}
	if d := &a.Decision; a.Change != Undecidable {
		x.Is = &ReplayVerdict{Verdict: "accept"}
		if !d.Accepted() {
			x.Is = &ReplayVerdict{Verdict: "reject", Code: string(d.Code), Policy: d.Policy, Rule: d.Rule, Message: d.Message}
		}
		if !a.ReasonKnown {
			*x.Is = ReplayVerdict{Verdict: "reject"}
		}
	}
	return x
}
