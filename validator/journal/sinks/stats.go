package sinks

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Stats are numbers of one sink.
type Stats struct {
	// Sink is its name.
	Sink string
	// Delivered were sent, again if they were sent again. Filtered were passed over
	// by its filter, Refused not taken by the destination, and Missed removed from
	// the log before they were sent.
	Delivered, Filtered, Refused, Missed uint64
	// Failures counts attempts that failed.
	Failures uint64
	// LagRecords are how many records wait, and Lag how long the first of them has.
	LagRecords uint64
	Lag        time.Duration
	// Success is when something was sent last; zero if never.
	Success time.Time
	// FailingSince is when the present failure began, zero if there is none, and Why
	// its last error.
	FailingSince time.Time
	Why          string

	oldest time.Time // of the record that waits first
	told   time.Time // when a failure was told last
	at     uint64    // record up to which was sent
}

func (p *pump) count(change func(*Stats)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.stats)
	p.stats.oldest = time.Time{}
	p.stats.at = p.read.seq
	if len(p.batch) > 0 {
		p.stats.oldest, p.stats.at = p.batch[0].record.Time, p.batch[0].seq-1
	}
}

// tellEvery is how often a failure that goes on is told.
const tellEvery = time.Minute

// note notes a failure, and tells of it now and then.
func (p *pump) note(err error, always bool) {
	now := p.o.Now()
	tell := false
	p.count(func(s *Stats) {
		s.Failures++
		s.Why = err.Error()
		if s.FailingSince.IsZero() {
			s.FailingSince = now
		}
		if tell = always || s.told.IsZero() || now.Sub(s.told) >= tellEvery; tell {
			s.told = now
		}
	})
	if tell {
		p.tell("failing", "records wait in the log and are sent when this works again", err, 0)
	}
}

// succeeded notes that nothing is wrong.
func (p *pump) succeeded(made progress) {
	p.failures = 0
	recovered := false
	now := p.o.Now()
	p.count(func(s *Stats) {
		if made.done > len(made.refused) {
			s.Success = now
		}
		recovered = !s.FailingSince.IsZero()
		s.FailingSince, s.told, s.Why = time.Time{}, time.Time{}, ""
	})
	if recovered {
		p.tell("recovered", "records are sent again", nil, 0)
	}
}

// Stats returns the numbers of every sink.
func (s *Set) Stats() []Stats {
	list := make([]Stats, 0, len(s.pumps))
	for _, p := range s.pumps {
		p.mu.Lock()
		one := p.stats
		p.mu.Unlock()
		if p.o.Last != nil {
			if last := p.o.Last(); last > one.at {
				one.LagRecords = last - one.at
			}
		}
		if !one.oldest.IsZero() {
			one.Lag = max(0, s.now().Sub(one.oldest))
		}
		list = append(list, one)
	}
	return list
}

// worrying is how long a sink may fail before Degraded tells of it.
const worrying = time.Minute

// Degraded tells which sinks have failed for more than a minute, a line each.
func (s *Set) Degraded() (lines []string) {
	for _, one := range s.Stats() {
		if !one.FailingSince.IsZero() && s.now().Sub(one.FailingSince) > worrying {
			lines = append(lines, fmt.Sprintf("the sink %s has sent nothing since %s, %d records wait: %s",
				one.Sink, one.FailingSince.UTC().Format(time.RFC3339), one.LagRecords, one.Why))
		}
	}
	return lines
}

// metrics tells of sinks, asked at each scrape.
type metrics struct {
	stats                                    func() []Stats
	records, lag, seconds, failures, success *prometheus.Desc
}

// Register adds the metrics of sinks to a registry.
func Register(reg prometheus.Registerer, s *Set) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"sink"}, labels...), nil)
	}
	reg.MustRegister(&metrics{
		stats:    s.Stats,
		records:  desc("sluice_sink_records_total", "Records of the decision log that a sink is done with, by what came of them.", "result"),
		lag:      desc("sluice_sink_lag_records", "Records of the decision log that the sink has not sent yet."),
		seconds:  desc("sluice_sink_lag_seconds", "Age of the first record that waits for the sink; 0 where none does."),
		failures: desc("sluice_sink_failures_total", "Attempts to send that failed."),
		success:  desc("sluice_sink_last_success_timestamp_seconds", "When the sink sent something last; 0 until it has."),
	})
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.records, m.lag, m.seconds, m.failures, m.success} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	for _, s := range m.stats() {
		for _, r := range []struct {
			result string
			n      uint64
		}{{"delivered", s.Delivered}, {"filtered", s.Filtered}, {"refused", s.Refused}, {"missed", s.Missed}} {
			to <- prometheus.MustNewConstMetric(m.records, prometheus.CounterValue, float64(r.n), s.Sink, r.result)
		}
		to <- prometheus.MustNewConstMetric(m.lag, prometheus.GaugeValue, float64(s.LagRecords), s.Sink)
		to <- prometheus.MustNewConstMetric(m.seconds, prometheus.GaugeValue, s.Lag.Seconds(), s.Sink)
		to <- prometheus.MustNewConstMetric(m.failures, prometheus.CounterValue, float64(s.Failures), s.Sink)
		success := 0.0
		if !s.Success.IsZero() {
			success = float64(s.Success.UnixMilli()) / 1e3
		}
		to <- prometheus.MustNewConstMetric(m.success, prometheus.GaugeValue, success, s.Sink)
	}
}
