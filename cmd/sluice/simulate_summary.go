package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// simTotal is what a run comes to so far, and the summary as JSON.
type simTotal struct {
	Files     int64          `json:"files"`    // Found by the walk, as often as it found them.
	Accepted  int64          `json:"accepted"` // Files.
	Refused   int64          `json:"refused"`  // Files.
	Errors    int64          `json:"errors"`   // Files, and folders that cannot be read.
	Unsent    int64          `json:"not_sent"` // Files of which not every event was sent, because the session had ended.
	Skipped   int64          `json:"skipped"`  // Whatever is neither a file nor a folder.
	Events    int64          `json:"events"`   // Sent, and answered or lost.
	Bytes     int64          `json:"bytes"`    // Of the files that were accepted.
	Elapsed   float64        `json:"elapsed_seconds"`
	PerSecond float64        `json:"events_per_second"`
	Latency   *simLatencyOut `json:"latency_ms,omitempty"`
}

// simLatencyOut is the latency of the events that were answered, in
// milliseconds.
type simLatencyOut struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// count adds a result.
func (t *simTotal) count(s simResult) {
	switch s.verdict {
	case simAccepted:
		t.Accepted++
		t.Bytes += s.bytes
	case simRefused:
		t.Refused++
	case simFailed:
		t.Errors++
	case simSkipped:
		t.Skipped++
	case simUnsent:
		t.Unsent++
	}
}

// finish writes the summary. The error is the first that writing met.
func (r *simReport) finish() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clear()
	elapsed := time.Since(r.began)
	r.total.Elapsed = elapsed.Seconds()
	r.total.PerSecond = float64(r.total.Events) / max(r.total.Elapsed, 1e-9)
	if r.latency.count > 0 {
		r.total.Latency = &simLatencyOut{
			P50: simMillis(r.latency.quantile(0.50)),
			P99: simMillis(r.latency.quantile(0.99)),
			Max: simMillis(r.latency.max),
		}
	}
	if r.json {
		r.write(simJSON(&struct {
			Summary *simTotal `json:"summary"`
		}{&r.total}))
	} else {
		r.write([]byte(r.total.text(elapsed)))
	}
	return r.err
}

func simMillis(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}

// text returns the summary for a person.
func (t *simTotal) text(elapsed time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nfiles    %d: %d accepted, %d refused, %d errors, %d not sent", t.Files, t.Accepted, t.Refused, t.Errors, t.Unsent)
	if t.Skipped > 0 {
		fmt.Fprintf(&b, " (%d skipped)", t.Skipped)
	}
	fmt.Fprintf(&b, "\nbytes    %s accepted\n", rules.FormatSize(t.Bytes))
	fmt.Fprintf(&b, "events   %d in %s, %.0f/s\n", t.Events, elapsed.Round(time.Millisecond), t.PerSecond)
	if l := t.Latency; l != nil {
		fmt.Fprintf(&b, "latency  p50 %.2f ms, p99 %.2f ms, max %.2f ms\n", l.P50, l.P99, l.Max)
	}
	return b.String()
}
