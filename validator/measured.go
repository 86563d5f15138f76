package validator

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluiceproject/sluice/rules"
)

// Verdicts, as metrics and log lines write them.
const (
	verdictAccept = "accept"
	verdictReject = "reject"
	// verdictWouldReject is an objection in shadow mode.
	verdictWouldReject = "would_reject"
)

// Measured counts and times the decisions of next. Its labels come from closed
// sets: phases, verdicts, modes, and the names and codes that policies give.
func Measured(next Decider, reg prometheus.Registerer, now func() time.Time) Decider {
	m := &measured{
		next: next, now: now,
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_decisions_total",
			Help: "Decisions, and (mode shadow) objections of rules that are not enforced.",
		}, []string{"phase", "verdict", "mode", "policy", "rule", "kind", "code"}),
		onError: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_accepted_on_error_total",
			Help: "Times a rule could not tell and its on_error let the event pass; mode shadow: it could not have refused.",
		}, []string{"phase", "mode", "policy", "rule", "kind"}),
		looks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_looks_total",
			Help: "Looks of rules into files, by how far they got.",
		}, []string{"policy", "rule", "kind", "state"}),
		uninspected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_uninspected_bytes_total",
			Help: "Bytes of files that a rule was asked about and did not look at, by why.",
		}, []string{"policy", "rule", "reason"}),
		grants: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_grants_refused_total",
			Help: "Events that a rule of the kind grant refused, by what is wrong with the grant.",
		}, []string{"reason"}),
		malformed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_malformed_events_total",
			Help: "Events that were refused before any rule was asked, by reason.",
		}, []string{"reason"}),
	}
	duration := prometheus.NewHistogramVec(native(prometheus.HistogramOpts{
		Name:    "sluice_decision_duration_seconds",
		Help:    "Time from an event's arrival to its decision.",
		Buckets: durationBuckets[:],
	}), []string{"phase"})
	reg.MustRegister(m.decisions, m.onError, m.looks, m.uninspected, m.malformed, m.grants, duration)
	for p := range rules.PhaseCount {
		m.accepted[p] = m.decisions.WithLabelValues(p.String(), verdictAccept, rules.Enforce.String(), "", "", "", "")
		m.duration[p].Observer = duration.WithLabelValues(p.String())
	}
	for _, reason := range MalformedReasons() {
		m.malformed.WithLabelValues(reason)
	}
	for _, reason := range rules.GrantReasons() {
		m.grants.WithLabelValues(reason)
	}
	return m
}

type measured struct {
	next Decider
	now  func() time.Time

	decisions, onError, looks, uninspected, malformed, grants *prometheus.CounterVec
	// What every accepted event needs is resolved once.
	accepted [rules.PhaseCount]prometheus.Counter
	duration [rules.PhaseCount]latency
	// refused is when a refusal was last kept as an exemplar.
	refused occasion
}

// Decide implements Decider.
func (m *measured) Decide(ctx context.Context, e *rules.Event) rules.Decision {
	d := m.next.Decide(ctx, e)
	now := m.now()
	d.Took = now.Sub(e.Received)
	m.duration[e.Phase].observe(d.ID, d.Took, now)
	if d.Accepted() {
		m.accepted[e.Phase].Inc()
	} else {
		m.refusal(e, &d, now)
	}
	if e.Fault != nil && e.Fault.Code != rules.CodeOverloaded {
		m.malformed.WithLabelValues(e.Fault.Reason).Inc()
	}
	for i := range d.Steps {
		if d.Steps[i].Detail != nil {
			m.step(e, &d.Steps[i])
		}
		if looked := d.Steps[i].Looked; looked != nil && looked.State != rules.NotLooked {
			m.look(d.Steps[i].Rule, looked)
		}
	}
	return d
}

// refusal counts a refusal.
func (m *measured) refusal(e *rules.Event, d *rules.Decision, now time.Time) {
	c := m.decisions.WithLabelValues(e.Phase.String(), verdictReject, rules.Enforce.String(), d.Policy, d.Rule, d.Kind, string(d.Code))
	if !m.refused.due(now, refusalEvery) {
		c.Inc()
		return
	}
	// All counters of the library take exemplars.
	c.(prometheus.ExemplarAdder).AddWithExemplar(1, exemplar(d.ID))
}

// step counts what the decision's own verdict does not tell.
func (m *measured) step(e *rules.Event, s *rules.Step) {
	r, phase := s.Rule, e.Phase.String()
	switch s.Outcome {
	case rules.WouldRefuse, rules.WouldRefuseOnError:
		m.decisions.WithLabelValues(phase, verdictWouldReject, rules.Shadow.String(), r.Policy, r.Name, r.Kind, string(s.Detail.Verdict.Code)).Inc()
	case rules.AcceptedOnError:
		m.onError.WithLabelValues(phase, r.Mode.String(), r.Policy, r.Name, r.Kind).Inc()
	case rules.Refused:
		if s.Detail.Reason != "" {
			m.grants.WithLabelValues(s.Detail.Reason).Inc()
		}
	default: // Passed, or told by the verdict.
	}
}

// look counts how far a look into a file got.
func (m *measured) look(r *rules.Rule, looked *rules.Looked) {
	m.looks.WithLabelValues(r.Policy, r.Name, r.Kind, looked.State.String()).Inc()
	if missed := looked.Uninspected(); missed > 0 {
		m.uninspected.WithLabelValues(r.Policy, r.Name, looked.Reason).Add(float64(missed))
	}
}
