package validator

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluiceproject/sluice/rules"
)

// countedResults are what may come of a count: the values of a label.
var countedResults = [...]string{"allowed", "refused", "error"}

// measuredCounters are counters around others, that watch.
type measuredCounters struct {
	next    rules.Counters
	now     func() time.Time
	results [len(countedResults)]prometheus.Counter
	took    prometheus.Histogram
}

// MeasuredCounters returns counters that ask next, and registers what comes of that:
// how many files are remembered, and how many messages of the store are not read yet,
// as stats says, and what became of each count. Now is the clock.
func MeasuredCounters(next rules.Counters, reg prometheus.Registerer, now func() time.Time, stats func() (files int, unread uint64)) rules.Counters {
	counts := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_store_counts_total",
		Help: "Files that rules wanted counted, by what came of it.",
	}, []string{"result"})
	m := &measuredCounters{next: next, now: now, took: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "sluice_store_count_duration_seconds",
		Help:    "How long a count took, with the write to the policy store.",
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 10},
	})}
	for i, result := range countedResults {
		m.results[i] = counts.WithLabelValues(result)
	}
	reg.MustRegister(counts, m.took,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sluice_store_counted_files", Help: "Files that are remembered for quotas.",
		}, func() float64 {
			files, _ := stats()
			return float64(files)
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sluice_store_counts_unread", Help: "Messages of the policy store with counts that this service has not read yet.",
		}, func() float64 {
			_, unread := stats()
			return float64(unread)
		}),
	)
	return m
}

// Count implements rules.Counters.
func (m *measuredCounters) Count(ctx context.Context, c rules.Count) (rules.Counted, error) {
	if c.Dry {
		return m.next.Count(ctx, c)
	}
	began := m.now()
	counted, err := m.next.Count(ctx, c)
	m.took.Observe(m.now().Sub(began).Seconds())
	switch {
	case err != nil:
		m.results[2].Inc()
	case counted.Allowed:
		m.results[0].Inc()
	default:
		m.results[1].Inc()
	}
	return counted, err
}
