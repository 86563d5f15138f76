package validator_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluiceproject/sluice/validator"
)

// TestPolicyMetricsTellWhatIsInForce at the time of each scrape.
func TestPolicyMetricsTellWhatIsInForce(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	var status validator.PolicyStatus
	validator.RegisterPolicies(registry, func() validator.PolicyStatus { return status })
	loaded := time.Unix(1_700_000_000, 500_000_000)
	for _, tc := range []struct {
		name   string
		status validator.PolicyStatus
		want   map[string]float64
	}{
		{
			"in force",
			validator.PolicyStatus{Revision: "aaaaaaaaaaaa", Loaded: loaded, RuleCount: 7},
			map[string]float64{
				`sluice_policy_info{revision="aaaaaaaaaaaa"}`: 1, `sluice_policy_last_reload_successful{}`: 1,
				`sluice_policy_last_reload_success_timestamp_seconds{}`: 1_700_000_000.5, `sluice_policy_rules{}`: 7,
			},
		},
		{
			"a reload that failed",
			validator.PolicyStatus{Revision: "aaaaaaaaaaaa", Loaded: loaded, RuleCount: 7, LastError: "a mistake", FailedAt: &loaded},
			map[string]float64{
				`sluice_policy_info{revision="aaaaaaaaaaaa"}`: 1, `sluice_policy_last_reload_successful{}`: 0,
				`sluice_policy_last_reload_success_timestamp_seconds{}`: 1_700_000_000.5, `sluice_policy_rules{}`: 7,
			},
		},
		{
			"another set, and nothing of the one before",
			validator.PolicyStatus{Revision: "bbbbbbbbbbbb", Loaded: loaded.Add(time.Hour)},
			map[string]float64{
				`sluice_policy_info{revision="bbbbbbbbbbbb"}`: 1, `sluice_policy_last_reload_successful{}`: 1,
				`sluice_policy_last_reload_success_timestamp_seconds{}`: 1_700_003_600.5, `sluice_policy_rules{}`: 0,
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status = tc.status
			if diff := cmp.Diff(tc.want, gather(t, registry, "")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
