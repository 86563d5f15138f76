package validator_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// counting is a func as rules.Counters.
type counting func(rules.Count) (rules.Counted, error)

func (c counting) Count(_ context.Context, what rules.Count) (rules.Counted, error) { return c(what) }

func TestCountsAreMeasured(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	clock := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	broken := errors.New("the engine is away")
	counters := validator.MeasuredCounters(counting(func(c rules.Count) (rules.Counted, error) {
		clock = clock.Add(time.Millisecond)
		if c.Counter == "broken" {
			return rules.Counted{}, broken
		}
		return rules.Counted{Allowed: c.Counter == "good", Files: 7}, nil
	}), reg, func() time.Time { return clock }, func() (int, uint64) { return 5, 3 })
	for _, c := range []rules.Count{{Counter: "good"}, {Counter: "good"}, {Counter: "full"}, {Counter: "broken"}, {Counter: "good", Dry: true}} {
		counted, err := counters.Count(t.Context(), c)
		if (c.Counter == "broken") != errors.Is(err, broken) || counted.Allowed != (c.Counter == "good") {
			t.Errorf("%s: %+v, %v", c.Counter, counted, err)
		}
	}
	got := gather(t, reg, "sluice_store_")
	for name, want := range map[string]float64{
		`sluice_store_counts_total{result="allowed"}`: 2, `sluice_store_counts_total{result="refused"}`: 1, `sluice_store_counts_total{result="error"}`: 1,
		`sluice_store_counted_files{}`: 5, `sluice_store_counts_unread{}`: 3, `sluice_store_count_duration_seconds{}`: 4,
	} {
		if got[name] != want {
			t.Errorf("%s is %g, want %g", name, got[name], want)
		}
	}
}
