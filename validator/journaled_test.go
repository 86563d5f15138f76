package validator_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// decides is a Decider that is a function.
type decides func(*rules.Event) rules.Decision

func (d decides) Decide(_ context.Context, e *rules.Event) rules.Decision { return d(e) }

// recorder remembers what is recorded, or fails.
type recorder struct {
	err      error
	recorded []rules.Decision
	answered []bool
}

func (r *recorder) Append(_ *rules.Event, d *rules.Decision) error {
	r.recorded = append(r.recorded, *d)
	return r.err
}

func (r *recorder) Unrecorded(answered bool) { r.answered = append(r.answered, answered) }

func TestADecisionIsRecordedBeforeItIsAnswered(t *testing.T) {
	arrived := time.Unix(1_800_000_000, 0)
	now := func() time.Time { return arrived.Add(3 * time.Millisecond) }
	steps := []rules.Step{{Rule: &rules.Rule{Policy: "p", Name: "r"}}}
	accepted := rules.Decision{Revision: "1", Applied: 2, Took: 3 * time.Millisecond, Steps: steps}
	refused := accepted
	refused.Verdict, refused.Policy, refused.Rule, refused.Kind = rules.Verdict{Code: "1022", Message: "no"}, "p", "r", "extension"
	full := errors.New("no space left on device")
	unrecorded := rules.Decision{Verdict: rules.CodeJournal.Verdict(), Revision: "1", Applied: 2, Took: 3 * time.Millisecond, Steps: steps, Err: full}
	for _, tc := range []struct {
		name     string
		decided  rules.Decision
		err      error
		accept   bool
		want     rules.Decision
		answered []bool
		lines    int
	}{
		{"an accepted event that is recorded", accepted, nil, false, accepted, nil, 0},
		{"a refused event that is recorded", refused, nil, false, refused, nil, 0},
		{"an accepted event that cannot be recorded", accepted, full, false, unrecorded, []bool{false}, 1},
		{"a refused event that cannot be recorded", refused, full, false, unrecorded, []bool{false}, 1},
		{"on_error accept: an accepted event that cannot be recorded", accepted, full, true, accepted, []bool{true}, 1},
		{"on_error accept: a refused event that cannot be recorded", refused, full, true, refused, []bool{true}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			core, lines := observer.New(zap.InfoLevel)
			to := &recorder{err: tc.err}
			decided := tc.decided
			decided.Took = 0
			d := validator.Journaled(decides(func(*rules.Event) rules.Decision { return decided }), to, validator.JournaledOptions{
				Accept: tc.accept, Now: now, Log: zap.New(core),
			})
			same := []cmp.Option{cmpopts.EquateErrors(), cmp.Comparer(func(a, b *rules.Rule) bool { return a == b })}
			if diff := cmp.Diff(tc.want, d.Decide(t.Context(), &rules.Event{Received: arrived}), same...); diff != "" {
				t.Errorf("the answer (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]rules.Decision{tc.decided}, to.recorded, same...); diff != "" {
				t.Errorf("the record (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.answered, to.answered); diff != "" {
				t.Error(diff)
			}
			for range 100 { // A log is told once, not for each of many.
				d.Decide(t.Context(), &rules.Event{Received: arrived})
			}
			if n := lines.Len(); n < tc.lines || n > 2*tc.lines {
				t.Errorf("%d lines", n)
			}
		})
	}
}
