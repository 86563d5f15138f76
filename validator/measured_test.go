package validator_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap/zapcore"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// changes returns the series that are not what they were.
func changes(before, after map[string]float64) map[string]float64 {
	changed := map[string]float64{}
	for name, value := range after {
		if value != before[name] {
			changed[name] = value - before[name]
		}
	}
	return changed
}

func TestEveryOutcomeIsCounted(t *testing.T) {
	const (
		duration = `sluice_decision_duration_seconds{phase="start"}`
		accepted = `sluice_decisions_total{code="",kind="",mode="enforce",phase="start",policy="",rule="",verdict="accept"}`
	)
	overloaded := &rules.Event{Fault: &rules.Fault{Code: rules.CodeOverloaded, Reason: "overloaded", Message: "busy"}}
	late := &rules.Event{Fault: &rules.Fault{Code: rules.CodeTimeout, Reason: "timeout", Message: "late"}}
	for _, tc := range []struct {
		name    string
		decider validator.Decider
		event   *rules.Event
		want    map[string]float64
	}{
		{
			"accepted", byChain(rule("a", rules.Enforce, passes), rule("b", rules.Shadow, passes)), arrived(event()),
			map[string]float64{accepted: 1, duration: 1},
		},
		{
			"refused", byChain(rule("a", rules.Enforce, finds)), arrived(event()),
			map[string]float64{
				`sluice_decisions_total{code="1023",kind="size",mode="enforce",phase="start",policy="ingest",rule="a",verdict="reject"}`: 1, duration: 1,
			},
		},
		{
			"refused because a rule cannot tell", byChain(rule("a", rules.Enforce, cannot)), arrived(event()),
			map[string]float64{
				`sluice_decisions_total{code="1023",kind="size",mode="enforce",phase="start",policy="ingest",rule="a",verdict="reject"}`: 1, duration: 1,
			},
		},
		{
			"would be refused, by two", byChain(rule("a", rules.Shadow, finds), rule("b", rules.Shadow, cannot)), arrived(event()),
			map[string]float64{
				accepted: 1, duration: 1,
				`sluice_decisions_total{code="1023",kind="size",mode="shadow",phase="start",policy="ingest",rule="a",verdict="would_reject"}`: 1,
				`sluice_decisions_total{code="1023",kind="size",mode="shadow",phase="start",policy="ingest",rule="b",verdict="would_reject"}`: 1,
			},
		},
		{
			"would be refused by one and is by another", byChain(rule("a", rules.Shadow, finds), rule("b", rules.Enforce, finds)), arrived(event()),
			map[string]float64{
				`sluice_decisions_total{code="1023",kind="size",mode="shadow",phase="start",policy="ingest",rule="a",verdict="would_reject"}`: 1,
				`sluice_decisions_total{code="1023",kind="size",mode="enforce",phase="start",policy="ingest",rule="b",verdict="reject"}`:      1, duration: 1,
			},
		},
		{
			"accepted although a rule cannot tell", byChain(lenient(rule("a", rules.Enforce, cannot))), arrived(event()),
			map[string]float64{accepted: 1, duration: 1, `sluice_accepted_on_error_total{kind="size",mode="enforce",phase="start",policy="ingest",rule="a"}`: 1},
		},
		{
			"accepted although a rule in shadow cannot tell", byChain(lenient(rule("a", rules.Shadow, cannot))), arrived(event()),
			map[string]float64{accepted: 1, duration: 1, `sluice_accepted_on_error_total{kind="size",mode="shadow",phase="start",policy="ingest",rule="a"}`: 1},
		},
		{
			"a rule panics", byChain(lenient(rule("a", rules.Enforce, panics))), arrived(event()),
			map[string]float64{
				`sluice_decisions_total{code="1004",kind="size",mode="enforce",phase="start",policy="ingest",rule="a",verdict="reject"}`: 1, duration: 1,
			},
		},
		{
			"the machinery panics", validator.Guarded(deciderFunc(func(context.Context, *rules.Event) rules.Decision { panic("x") })), arrived(event()),
			map[string]float64{
				`sluice_decisions_total{code="1004",kind="",mode="enforce",phase="start",policy="",rule="",verdict="reject"}`: 1, duration: 1,
			},
		},
		{
			"malformed", byChain(), arrived("{}x"),
			map[string]float64{
				`sluice_malformed_events_total{reason="trailing"}`: 1, `sluice_decision_duration_seconds{phase="unknown"}`: 1,
				`sluice_decisions_total{code="1001",kind="",mode="enforce",phase="unknown",policy="",rule="",verdict="reject"}`: 1,
			},
		},
		{
			"late", byChain(), late,
			map[string]float64{
				`sluice_malformed_events_total{reason="timeout"}`: 1, `sluice_decision_duration_seconds{phase="unknown"}`: 1,
				`sluice_decisions_total{code="1003",kind="",mode="enforce",phase="unknown",policy="",rule="",verdict="reject"}`: 1,
			},
		},
		{
			"overloaded, which says nothing of the event", byChain(), overloaded,
			map[string]float64{
				`sluice_decision_duration_seconds{phase="unknown"}`:                                                             1,
				`sluice_decisions_total{code="1002",kind="",mode="enforce",phase="unknown",policy="",rule="",verdict="reject"}`: 1,
			},
		},
		{
			"another phase", byChain(), arrived(event("startstop", "running")),
			map[string]float64{
				`sluice_decision_duration_seconds{phase="running"}`:                                                         1,
				`sluice_decisions_total{code="",kind="",mode="enforce",phase="running",policy="",rule="",verdict="accept"}`: 1,
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			d := validator.Measured(tc.decider, registry, func() time.Time { return noon })
			before := gather(t, registry, "sluice_")
			d.Decide(t.Context(), tc.event)
			if diff := cmp.Diff(tc.want, changes(before, gather(t, registry, "sluice_"))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestSeriesAreThereFromTheBeginning, so that a first refusal is an increase.
func TestSeriesAreThereFromTheBeginning(t *testing.T) {
	registry := prometheus.NewRegistry()
	validator.Measured(byChain(), registry, time.Now)
	got := gather(t, registry, "sluice_")
	for _, reason := range validator.MalformedReasons() {
		if value, ok := got[fmt.Sprintf("sluice_malformed_events_total{reason=%q}", reason)]; !ok || value != 0 {
			t.Errorf("%s is %v, %t", reason, value, ok)
		}
	}
	for p := range rules.PhaseCount {
		name := fmt.Sprintf(`sluice_decisions_total{code="",kind="",mode="enforce",phase=%q,policy="",rule="",verdict="accept"}`, p)
		if value, ok := got[name]; !ok || value != 0 {
			t.Errorf("%s is %v, %t", name, value, ok)
		}
	}
}

func TestDecisionsAreTimedFromTheArrival(t *testing.T) {
	registry := prometheus.NewRegistry()
	d := validator.Measured(byChain(), registry, func() time.Time { return noon }).Decide(t.Context(), arrived(event()))
	if d.Took != 1500*time.Microsecond {
		t.Errorf("took %s", d.Took)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			sum += m.GetHistogram().GetSampleSum()
		}
	}
	if sum != 0.0015 {
		t.Errorf("the histogram holds %v s", sum)
	}
}

// TestLabelsComeFromClosedSets: whatever events say, no series is added.
func TestLabelsComeFromClosedSets(t *testing.T) {
	registry := prometheus.NewRegistry()
	random := rand.New(rand.NewPCG(1, 2))
	chain := byChain(
		rule("a", rules.Shadow, func(_ context.Context, e *rules.Event) (*rules.Objection, error) {
			return &rules.Objection{Found: e.User}, nil
		}),
		lenient(rule("b", rules.Enforce, cannot)),
		&rules.Rule{
			Policy: "ingest", Name: "c", Kind: "path", Code: "1020", Message: template("{name} {user} {found}"),
			Check: func(_ context.Context, e *rules.Event) (*rules.Objection, error) {
				if len(e.User)%2 == 0 {
					return nil, nil
				}
				return &rules.Objection{Found: e.File.Raw}, nil
			},
		},
	)
	o := options(validator.Logged(validator.Measured(validator.Guarded(chain), registry, time.Now), zapcore.AddSync(io.Discard)))
	o.Registerer = registry
	h := validator.New(o)
	word := func() string {
		letters := []rune("abcXYZ09-_./\\:\"'{}\n\x00\u202eé漢 ")
		text := make([]rune, 1+random.IntN(40))
		for i := range text {
			text[i] = letters[random.IntN(len(letters))]
		}
		return string(text)
	}
	body := func(i int) string {
		switch i % 8 {
		case 0:
			return word()
		case 1:
			return event("startstop", word())
		case 2:
			return event()[:1+random.IntN(len(event())-1)]
		case 3:
			return event() + word()
		default:
			phase := []string{"start", "running", "stop"}[random.IntN(3)]
			return event("startstop", phase, "user", word(), "file", "/"+strings.ReplaceAll(word(), "\x00", ""), "session_id", word(),
				"host", word(), "client_ip", word(), "cookie", word(), "direction", word(), "rate_policy", word(), "cipher", word(), word(), word())
		}
	}
	send := func(i int) {
		method := "POST"
		if i%13 == 0 {
			method = fmt.Sprintf("M%d", random.IntN(1_000_000))
		}
		ask(h, method, fmt.Sprintf("/%d/validation/files", random.IntN(1_000_000)), body(i))
		ask(h, method, fmt.Sprintf("/%d", random.IntN(1_000_000)), body(i))
	}
	for i := range 500 {
		send(i)
	}
	before := gather(t, registry, "sluice_")
	for i := range 1000 {
		send(i)
	}
	after := gather(t, registry, "sluice_")
	for name := range after {
		if _, ok := before[name]; !ok {
			t.Errorf("a series was added: %s", name)
		}
	}
	decided := 0.0
	for name, n := range changes(before, after) {
		if strings.HasPrefix(name, "sluice_decision_duration_seconds") {
			decided += n
		}
	}
	if decided != 1000 {
		t.Errorf("%v of 1000 events were decided", decided)
	}
}

// TestOverloadedIsNotMalformed all the way from a request.
func TestOverloadedIsNotMalformed(t *testing.T) {
	registry := prometheus.NewRegistry()
	entered, release := make(chan struct{}), make(chan struct{})
	o := options(validator.Measured(deciderFunc(func(ctx context.Context, e *rules.Event) rules.Decision {
		if e.Fault == nil {
			close(entered)
			<-release
		}
		return byChain()(ctx, e)
	}), registry, time.Now))
	o.Limits.Requests, o.Registerer = 1, registry
	h := validator.New(o)
	held := make(chan answered)
	go func() {
		got, _ := ask(h, "POST", "/validation/files", event())
		held <- got
	}()
	<-entered
	before := gather(t, registry, "sluice_")
	ask(h, "POST", "/validation/files", event())
	want := map[string]float64{
		`sluice_decision_duration_seconds{phase="unknown"}`: 1, `sluice_http_requests_total{code="400",listener="service"}`: 1,
		`sluice_decisions_total{code="1002",kind="",mode="enforce",phase="unknown",policy="",rule="",verdict="reject"}`: 1,
	}
	if diff := cmp.Diff(want, changes(before, gather(t, registry, "sluice_"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	close(release)
	if got := <-held; got.Status != 200 {
		t.Errorf("the event that held the place: %+v", got)
	}
}
