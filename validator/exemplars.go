package validator

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluiceproject/sluice/rules"
)

// How often decisions are kept as exemplars. One costs ten allocations and a
// microsecond, and a scraper sees the last one only.
const (
	// exampleEvery is for each bucket of a latency.
	exampleEvery = time.Second
	// refusalEvery is for refusals of all rules together.
	refusalEvery = 10 * time.Millisecond
)

// durationBuckets are those of the time that decisions take, in seconds.
var durationBuckets = [...]float64{5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 1e-3, 5e-3, 2.5e-2, .1, .5, 2.5, 10, 60}

// native has a histogram be a native one too, for scrapers that ask for that: of
// buckets that are a tenth wider each, or more once there are 160. It never begins
// anew, because what is derived from its count and from other counters would not fit.
func native(o prometheus.HistogramOpts) prometheus.HistogramOpts {
	o.NativeHistogramBucketFactor = 1.1
	o.NativeHistogramMaxBucketNumber = 160
	return o
}

// latency is the histogram of one phase. Each of its buckets has the id of a
// decision that it counted, at most a second older than the last of them.
type latency struct {
	prometheus.Observer
	examples [len(durationBuckets) + 1]occasion
}

// observe counts the decision with an id, which came at now and took d.
func (l *latency) observe(id rules.ID, d time.Duration, now time.Time) {
	seconds, bucket := d.Seconds(), 0
	for bucket < len(durationBuckets) && seconds > durationBuckets[bucket] {
		bucket++
	}
	if !l.examples[bucket].due(now, exampleEvery) {
		l.Observe(seconds)
		return
	}
	// All histograms of the library take exemplars.
	l.Observer.(prometheus.ExemplarObserver).ObserveWithExemplar(seconds, exemplar(id))
}

// exemplar leads from a metric to a decision of the log.
func exemplar(id rules.ID) prometheus.Labels { return prometheus.Labels{"decision_id": id.String()} }

// occasion says when it is time again. It is safe for concurrent use.
type occasion struct{ last atomic.Int64 }

// due reports whether it was not due for a while, to one caller only. A clock that
// was set back does not stop it.
func (o *occasion) due(now time.Time, every time.Duration) bool {
	last, at := o.last.Load(), now.UnixNano()
	if since := at - last; since >= 0 && since < int64(every) {
		return false
	}
	return o.last.CompareAndSwap(last, at)
}
