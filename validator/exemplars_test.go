package validator_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// clock is a time that a test sets.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// numbered is an event with an id of its own that took d until noon of the clock.
func numbered(id byte, body string, c *clock, d time.Duration) *rules.Event {
	e := arrived(body)
	e.ID, e.Received = rules.ID{id}, c.at.Add(-d)
	return e
}

var exampleLine = regexp.MustCompile(`(?m)^sluice_\w+\{.*(?:le="([^"]+)"|code="(\w+)".*)\} \S+ # \{decision_id="([^"]*)"\} `)

// examples returns the ids of decisions that a metric is an example of, as a scraper
// sees them: of each bucket by its bound, and of a counter by its code.
func examples(t *testing.T, registry *prometheus.Registry) map[string]string {
	t.Helper()
	request := httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody)
	request.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	w := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}).ServeHTTP(w, request)
	found := map[string]string{}
	for _, m := range exampleLine.FindAllStringSubmatch(w.Body.String(), -1) {
		found[m[1]+m[2]] = m[3]
	}
	if n := strings.Count(w.Body.String(), " # {"); n != len(found) {
		t.Errorf("%d exemplars are of %d things", n, len(found))
	}
	return found
}

// TestMetricsLeadToDecisions: a bucket has the id of a decision in it that is at
// most a second older than the last one, and a counter of refusals that of one.
func TestMetricsLeadToDecisions(t *testing.T) {
	registry, c := prometheus.NewRegistry(), &clock{noon}
	d := validator.Measured(byChain(rule("small", rules.Enforce, func(_ context.Context, e *rules.Event) (*rules.Objection, error) {
		if e.User == "refused" {
			return &rules.Objection{}, nil
		}
		return nil, nil
	})), registry, c.now)
	id := func(n byte) string { return rules.ID{n}.String() }
	decide := func(n byte, body string, took time.Duration) { d.Decide(t.Context(), numbered(n, body, c, took)) }
	want := map[string]string{}
	check := func(what string) {
		t.Helper()
		if diff := cmp.Diff(want, examples(t, registry)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", what, diff)
		}
	}
	check("before the first decision")

	decide(1, event(), 80*time.Microsecond)
	decide(2, event(), 20*time.Millisecond)
	want["0.0001"], want["0.025"] = id(1), id(2)
	check("two buckets")

	c.at = c.at.Add(999 * time.Millisecond)
	decide(3, event(), 90*time.Microsecond)
	check("less than a second later")

	c.at = c.at.Add(time.Millisecond)
	decide(4, event(), 100*time.Microsecond) // A bound is in its bucket.
	want["0.0001"] = id(4)
	check("a second later")

	decide(5, event("user", "refused"), time.Hour) // Beyond the last bound.
	want["+Inf"], want["1023"] = id(5), id(5)
	check("a refusal")

	decide(6, event("user", "refused"), time.Hour)
	check("a refusal at the same time")

	c.at = c.at.Add(10 * time.Millisecond)
	decide(7, event("user", "refused"), time.Hour)
	want["1023"] = id(7)
	check("a refusal a little later")

	c.at = noon.Add(-time.Hour)
	decide(8, event(), 80*time.Microsecond)
	want["0.0001"] = id(8)
	check("after the clock was set back")
}

// TestLatenciesAreNativeHistogramsToo beside the classic ones.
func TestLatenciesAreNativeHistogramsToo(t *testing.T) {
	registry, c := prometheus.NewRegistry(), &clock{noon}
	d := validator.Measured(byChain(), registry, c.now)
	for took := time.Microsecond; took < 100*time.Second; took += took/16 + 1 {
		d.Decide(t.Context(), numbered(1, event(), c, took))
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			h := m.GetHistogram()
			if h.GetSampleCount() == 0 {
				continue
			}
			if classic, own := len(h.GetBucket()), len(h.GetPositiveDelta()); classic < 14 || own < 50 || own > 160 {
				t.Errorf("%v has %d classic buckets and %d native ones", m.GetLabel(), classic, own)
			}
			return
		}
	}
	t.Error("nothing was counted")
}

// TestCardinality: 10,000 users and 1,000,000 names are as many series as one.
func TestCardinality(t *testing.T) {
	t.Parallel()
	const users, names = 10_000, 1_000_000
	registry := prometheus.NewRegistry()
	objects := func(_ context.Context, e *rules.Event) (*rules.Objection, error) {
		if len(e.File.Raw)%2 == 0 {
			return &rules.Objection{Found: e.File.Raw}, nil
		}
		return nil, nil
	}
	unsure := func(_ context.Context, e *rules.Event) (*rules.Objection, error) {
		return nil, told(e.User + e.File.Raw)
	}
	d := validator.Measured(byChain(
		rule("shadowed", rules.Shadow, objects), lenient(rule("lenient", rules.Enforce, unsure)), rule("enforced", rules.Enforce, objects),
	), registry, func() time.Time { return noon })
	base := arrived(event())
	decide := func(i int) {
		e, user := *base, strconv.Itoa(i%users)
		e.User, e.Host, e.ClientIP, e.SessionID = "user-"+user, "host-"+user, "10.0.0."+user, "session-"+strconv.Itoa(i)
		e.File.Raw = "/ingest/" + strconv.Itoa(names+i) + ".mov"[:3+i/int(rules.PhaseCount)%2]
		e.Phase = rules.Phase(i % int(rules.PhaseCount))
		d.Decide(context.Background(), &e)
	}
	for i := range 2 * int(rules.PhaseCount) {
		decide(i)
	}
	before := len(gather(t, registry, "sluice_"))
	for i := range names {
		decide(i)
	}
	if after := len(gather(t, registry, "sluice_")); after != before {
		t.Errorf("there are %d series, and there were %d", after, before)
	}
}

// told is an error that says what an event said.
type told string

func (t told) Error() string { return string(t) }
