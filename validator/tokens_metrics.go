package validator

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// tokenResult is what became of a transfer_request, or of a request that did not
// come so far: a value of a metric label.
type tokenResult string

// The results.
const (
	// resultGranted: there is a token.
	resultGranted tokenResult = "granted"
	// resultRefused: a policy, or what the client may, says no.
	resultRefused tokenResult = "refused"
	// resultMalformed: it could not be read.
	resultMalformed tokenResult = "malformed"
	// resultUnauthenticated: the password is missing or wrong.
	resultUnauthenticated tokenResult = "unauthenticated"
	// resultThrottled: the password was wrong too often.
	resultThrottled tokenResult = "throttled"
	// resultFailed: it is granted, and there is no token all the same; or there are
	// too many requests at once.
	resultFailed tokenResult = "failed"
)

// tokenMetrics count what becomes of requests for tokens. Whatever they count is
// resolved once.
type tokenMetrics struct {
	results      map[string]map[tokenResult]prometheus.Counter
	duration     map[string]prometheus.Observer
	unregistered prometheus.Counter
}

func newTokenMetrics(reg prometheus.Registerer, issuer string) *tokenMetrics {
	total := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_tokens_total",
		Help: "Requests for tokens, each transfer_request by itself, by what became of them.",
	}, []string{"endpoint", "issuer", "result"})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "sluice_token_duration_seconds",
		Help:    "Time from the arrival of a call for tokens to its answer.",
		Buckets: []float64{1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"endpoint"})
	m := &tokenMetrics{
		results: map[string]map[tokenResult]prometheus.Counter{}, duration: map[string]prometheus.Observer{},
		unregistered: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_grants_unregistered_total",
			Help: "Grants that the policy store could not register, whether or not they were given out all the same.",
		}),
	}
	reg.MustRegister(total, duration, m.unregistered)
	for _, path := range []string{pathUpload, pathDownload, pathInfo} {
		endpoint := strings.TrimPrefix(path, "files/")
		m.results[path] = map[tokenResult]prometheus.Counter{}
		for _, r := range []tokenResult{resultGranted, resultRefused, resultMalformed, resultUnauthenticated, resultThrottled, resultFailed} {
			if path == pathInfo && (r == resultGranted || r == resultRefused) {
				continue // Nothing is granted there.
			}
			m.results[path][r] = total.WithLabelValues(endpoint, issuer, string(r))
		}
		if path != pathInfo {
			m.duration[path] = duration.WithLabelValues(endpoint)
		}
	}
	return m
}

// count counts one result.
func (m *tokenMetrics) count(path string, r tokenResult) { m.results[path][r].Inc() }

// took records how long a call took.
func (m *tokenMetrics) took(path string, d time.Duration) { m.duration[path].Observe(d.Seconds()) }
