package validator_test

import (
	"context"
	"testing"
	"time"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// TestFreshRefusesWhatIsTooOld, and nothing at the very age that is allowed.
func TestFreshRefusesWhatIsTooOld(t *testing.T) {
	accepts := deciderFunc(func(_ context.Context, e *rules.Event) rules.Decision { return rules.Begin(e, "in force") })
	for _, row := range []struct {
		name string
		age  time.Duration
		want rules.Code
	}{
		{"just confirmed", 0, ""},
		{"as old as may be", time.Hour, ""},
		{"older", time.Hour + 1, rules.CodeStale},
		{"a clock that went back", -time.Hour, ""},
		{"never confirmed", noon.Sub(time.Time{}), rules.CodeStale},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := validator.Fresh(accepts, validator.FreshOptions{
				MaxAge: time.Hour, Confirmed: func() time.Time { return noon.Add(-row.age) },
				Revision: func() string { return "in force" }, Now: func() time.Time { return noon },
			}).Decide(t.Context(), &rules.Event{})
			if d.Code != row.want || d.Revision != "in force" {
				t.Errorf("the decision is %+v, want the code %q", d, row.want)
			}
			if (d.Err != nil) != (row.want != "") {
				t.Errorf("its error is %v", d.Err)
			}
		})
	}
}
