package main

import (
	"math"
	"math/bits"
	"time"
)

// simSteps is how many buckets a doubling of the latency has: a quantile is at
// most 1/16 above the true one.
const simSteps = 16

// simLatency is a histogram of latencies whose size does not depend on how many
// there are.
type simLatency struct {
	buckets [64 * simSteps]uint64
	count   uint64
	max     time.Duration
}

// observe counts one latency.
func (l *simLatency) observe(d time.Duration) {
	d = max(d, 0)
	l.buckets[simBucket(uint64(d))]++
	l.count++
	l.max = max(l.max, d)
}

// quantile returns what the share q of the latencies, above 0 and at most 1,
// does not exceed; 0 if there are none.
func (l *simLatency) quantile(q float64) time.Duration {
	rank := uint64(math.Ceil(q * float64(l.count)))
	var seen uint64
	for i, n := range l.buckets {
		if seen += n; n > 0 && seen >= rank {
			return min(simBucketTop(i), l.max)
		}
	}
	return l.max
}

// simBucket returns the bucket of a value: its highest bit, and the four below.
func simBucket(v uint64) int {
	if v < simSteps {
		return int(v)
	}
	shift := bits.Len64(v) - 5
	return shift*simSteps + int(v>>shift)
}

// simBucketTop returns the largest value in a bucket.
func simBucketTop(i int) time.Duration {
	if i < 2*simSteps {
		return time.Duration(i)
	}
	shift := i/simSteps - 1
	return time.Duration((uint64(i%simSteps+simSteps)+1)<<shift - 1)
}
