package validator

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluiceproject/sluice/validator/journal"
)

// RegisterJournal adds the metrics of a decision log. stats is called for each
// scrape.
func RegisterJournal(reg prometheus.Registerer, stats func() journal.Stats) {
	counter := func(name, help string, get func(journal.Stats) float64) {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return get(stats()) }))
	}
	level := func(name, help string, get func(journal.Stats) float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return get(stats()) }))
	}
	counter("sluice_journal_records_total", "Records that were written to the decision log.",
		func(s journal.Stats) float64 { return float64(s.Records) })
	counter("sluice_journal_bytes_total", "Bytes that were written to the decision log.",
		func(s journal.Stats) float64 { return float64(s.Bytes) })
	counter("sluice_journal_failures_total", "Writes to the decision log that failed.",
		func(s journal.Stats) float64 { return float64(s.Failures) })
	counter("sluice_journal_lost_total", "Decisions that were answered without a record.",
		func(s journal.Stats) float64 { return float64(s.Lost) })
	level("sluice_journal_failing", "1 while the decision log cannot be written.",
		func(s journal.Stats) float64 { return gauge(s.Failing) })
	level("sluice_journal_segments", "Segments of the decision log on disk.",
		func(s journal.Stats) float64 { return float64(s.Segments) })
	level("sluice_journal_bytes", "Bytes of the decision log on disk.",
		func(s journal.Stats) float64 { return float64(s.KeptBytes) })
	level("sluice_journal_last_record_timestamp_seconds", "When the last record was written, 0 if none was.",
		func(s journal.Stats) float64 {
			if s.Written.IsZero() {
				return 0
			}
			return float64(s.Written.UnixMilli()) / 1000
		})
}

// JournalSyncs adds the histogram of how long a decision log's disk takes to make
// records safe, and returns what fills it.
func JournalSyncs(reg prometheus.Registerer) func(time.Duration) {
	took := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "sluice_journal_sync_duration_seconds",
		Help:    "How long the disk took to make records of the decision log safe.",
		Buckets: []float64{1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, .1, .25, 1, 5},
	})
	reg.MustRegister(took)
	return func(d time.Duration) { took.Observe(d.Seconds()) }
}
