package validator

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluiceproject/sluice/rules/scan"
)

// scannerMetrics tells of the scanners of the configuration, asked at each
// scrape.
type scannerMetrics struct {
	stats                                                     func() map[string]scan.Stats
	scans, seconds, working, waiting, up, signatures, answers *prometheus.Desc
}

// RegisterScanners adds the metrics of scanners to a registry. stats returns
// their numbers by name.
func RegisterScanners(reg prometheus.Registerer, stats func() map[string]scan.Stats) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"scanner"}, labels...), nil)
	}
	reg.MustRegister(&scannerMetrics{
		stats:      stats,
		scans:      desc("sluice_scans_total", "Files that a scanner was wanted for, by what came of it.", "result"),
		seconds:    desc("sluice_scan_seconds_total", "How long files were with the scanner, in all."),
		working:    desc("sluice_scans_in_progress", "Files that are with the scanner."),
		waiting:    desc("sluice_scans_waiting", "Files that wait for the scanner."),
		up:         desc("sluice_scanner_up", "Whether the scanner is asked: 0 while it is left alone because it failed."),
		signatures: desc("sluice_scanner_signatures_timestamp_seconds", "When the scanner's signatures were made; absent until it has said so."),
		answers:    desc("sluice_scan_answers_remembered", "Answers of the scanner that are remembered."),
	})
}

// Describe implements prometheus.Collector.
func (m *scannerMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.scans, m.seconds, m.working, m.waiting, m.up, m.signatures, m.answers} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m *scannerMetrics) Collect(to chan<- prometheus.Metric) {
	for name, s := range m.stats() {
		for _, r := range []struct {
			result string
			n      uint64
		}{
			{"clean", s.Clean},
			{"bad", s.Bad},
			{"partial", s.Part},
			{"error", s.Failed},
			{"timeout", s.TimedOut},
			{"given_up", s.GivenUp},
			{"down", s.Down},
			{"busy", s.Busy},
			{"remembered", s.Remembered},
		} {
			to <- prometheus.MustNewConstMetric(m.scans, prometheus.CounterValue, float64(r.n), name, r.result)
		}
		to <- prometheus.MustNewConstMetric(m.seconds, prometheus.CounterValue, s.Took.Seconds(), name)
		to <- prometheus.MustNewConstMetric(m.working, prometheus.GaugeValue, float64(s.Working), name)
		to <- prometheus.MustNewConstMetric(m.waiting, prometheus.GaugeValue, float64(s.Waiting), name)
		to <- prometheus.MustNewConstMetric(m.up, prometheus.GaugeValue, gauge(!s.Resting), name)
		to <- prometheus.MustNewConstMetric(m.answers, prometheus.GaugeValue, float64(s.Answers), name)
		if built := s.Status.Built; !built.IsZero() {
			to <- prometheus.MustNewConstMetric(m.signatures, prometheus.GaugeValue, float64(built.Unix()), name)
		}
	}
}

func gauge(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
