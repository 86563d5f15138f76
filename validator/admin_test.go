package validator_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/sluiceproject/sluice/validator"
)

// operated is a service in whose state the admin listener looks.
type operated struct {
	status   validator.PolicyStatus
	reload   func() error
	draining bool
	notReady string
	registry *prometheus.Registry
}

func (o *operated) handler() http.Handler {
	o.registry = prometheus.NewRegistry()
	validator.RegisterPolicies(o.registry, func() validator.PolicyStatus { return o.status })
	return validator.NewAdmin(validator.AdminOptions{
		Status: func() validator.PolicyStatus { return o.status },
		Policies: func() validator.PolicyStatus {
			told := o.status
			told.Policies = []validator.PolicySummary{{
				Policy: "ingest", Description: "Films <only> & nothing else.", File: "10-ingest.yaml", Mode: "shadow",
				Rules: []validator.RuleSummary{{Rule: "films", Kind: "extension", Mode: "shadow", Code: "1022", Phases: []string{"start", "stop"}}},
			}}
			return told
		},
		Reload:   func() error { return o.reload() },
		NotReady: func() string { return o.notReady },
		Draining: func() bool { return o.draining }, Log: zap.NewNop(), Registry: o.registry,
	})
}

var inForce = validator.PolicyStatus{Revision: revision, Loaded: noon, RuleCount: 3}

func degraded() validator.PolicyStatus {
	failed := noon.Add(time.Hour)
	s := inForce
	s.LastError, s.FailedAt = "10-a.yaml:3:5: unknown key \"siez\"; did you mean \"size\"?\n20-b.yaml:1:1: the file is empty", &failed
	return s
}

func TestAdminAnswers(t *testing.T) {
	const plain, json = "text/plain; charset=UTF-8", "application/json"
	works, fails := func() error { return nil }, func() error { return errors.New("10-a.yaml:3:5: unknown key \"siez\"\n20-b.yaml: empty") }
	for _, tc := range []struct {
		name, method, target string
		state                operated
		want                 answered
	}{
		{"alive", "GET", "/healthz", operated{status: inForce}, answered{200, plain, "ok\n"}},
		{"alive while shutting down", "GET", "/healthz", operated{status: inForce, draining: true}, answered{200, plain, "ok\n"}},
		{"ready", "GET", "/readyz", operated{status: inForce}, answered{200, plain, "ready: revision 0123456789ab\n"}},
		{
			"degraded", "GET", "/readyz",
			operated{status: degraded()},
			answered{
				200, plain, "degraded: revision 0123456789ab of 2026-03-04T12:00:00Z is in force, because since 2026-03-04T13:00:00Z the policies cannot be loaded:\n" +
					"10-a.yaml:3:5: unknown key \"siez\"; did you mean \"size\"?\n20-b.yaml:1:1: the file is empty\n",
			},
		},
		{"too old", "GET", "/readyz", operated{status: inForce, notReady: "the policies are too old"}, answered{503, plain, "not ready: the policies are too old\n"}},
		{"too old and degraded", "GET", "/readyz", operated{status: degraded(), notReady: "the policies are too old"}, answered{503, plain, "not ready: the policies are too old\n"}},
		{"shutting down", "GET", "/readyz", operated{status: inForce, draining: true}, answered{503, plain, "not ready: shutting down\n"}},
		{"shutting down and degraded", "GET", "/readyz", operated{status: degraded(), draining: true}, answered{503, plain, "not ready: shutting down\n"}},
		{"reloaded", "POST", "/-/reload", operated{status: inForce, reload: works}, answered{200, json, `{"revision":"0123456789ab"}` + "\n"}},
		{
			"not reloaded", "POST", "/-/reload",
			operated{status: inForce, reload: fails},
			answered{422, json, `{"error":"10-a.yaml:3:5: unknown key \"siez\"\n20-b.yaml: empty","revision":"0123456789ab"}` + "\n"},
		},
		{"a reload is no question", "GET", "/-/reload", operated{status: inForce}, answered{405, json, `{"error":{"code":"405","message":"Method Not Allowed"}}` + "\n"}},
		{"an unknown path", "GET", "/v2", operated{status: inForce}, answered{404, json, `{"error":{"code":"404","message":"` + nothingHere + `"}}` + "\n"}},
		{"no events here", "POST", "/validation/files", operated{status: inForce}, answered{404, json, `{"error":{"code":"404","message":"` + nothingHere + `"}}` + "\n"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, id := ask(tc.state.handler(), tc.method, tc.target, "")
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if id != "" {
				t.Errorf("a decision was made: %s", id)
			}
		})
	}
}

// TestReloadTellsTheRevisionThatCameOfIt.
func TestReloadTellsTheRevisionThatCameOfIt(t *testing.T) {
	o := &operated{status: inForce}
	o.reload = func() error {
		o.status.Revision = "bbbbbbbbbbbb"
		return nil
	}
	if got, _ := ask(o.handler(), "POST", "/-/reload", ""); got.Body != `{"revision":"bbbbbbbbbbbb"}`+"\n" {
		t.Error(got.Body)
	}
}

func TestPoliciesAreTold(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status validator.PolicyStatus
		failed map[string]any
	}{
		{"in force", inForce, nil},
		{"degraded", degraded(), map[string]any{"last_error": degraded().LastError, "failed_at": "2026-03-04T13:00:00Z"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := &operated{status: tc.status}
			got, _ := ask(o.handler(), "GET", "/v1/policies", "")
			want := map[string]any{
				"revision": revision, "loaded": "2026-03-04T12:00:00Z", "rule_count": 3.0,
				"policies": []any{map[string]any{
					"policy": "ingest", "description": "Films <only> & nothing else.", "file": "10-ingest.yaml", "mode": "shadow",
					"rules": []any{map[string]any{"rule": "films", "kind": "extension", "mode": "shadow", "code": "1022", "phases": []any{"start", "stop"}}},
				}},
			}
			for key, value := range tc.failed {
				want[key] = value
			}
			var told map[string]any
			if err := json.Unmarshal([]byte(got.Body), &told); err != nil || got.Status != 200 || got.ContentType != "application/json" {
				t.Fatalf("%+v, %v", got, err)
			}
			if diff := cmp.Diff(want, told); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestMetricsAreScraped(t *testing.T) {
	o := &operated{status: inForce}
	h := o.handler()
	for _, tc := range []struct{ accept, contentType, has string }{
		{"", "text/plain; version=0.0.4", "\nsluice_policy_info{revision=\"0123456789ab\"} 1\n"},
		{"application/openmetrics-text; version=1.0.0", "application/openmetrics-text; version=1.0.0", "# EOF\n"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Header.Set("Accept", tc.accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Header().Get("Content-Type"); w.Code != 200 || !strings.HasPrefix(got, tc.contentType) || !strings.Contains(w.Body.String(), tc.has) {
			t.Errorf("Accept %q: %d, %s\n%s", tc.accept, w.Code, got, w.Body)
		}
	}
}

// TestBothListenersAreCounted by one metric, each under its name.
func TestBothListenersAreCounted(t *testing.T) {
	o := &operated{status: inForce}
	admin := o.handler()
	service := options(byChain())
	service.Registerer = o.registry
	h := validator.New(service)
	ask(h, "POST", "/validation/files", event())
	ask(h, "POST", "/validation/files", "")
	ask(admin, "GET", "/healthz", "")
	ask(admin, "GET", "/healthz", "")
	for range 3 {
		ask(admin, "GET", "/nothing", "")
	}
	want := map[string]float64{
		`sluice_http_requests_total{code="200",listener="service"}`: 1, `sluice_http_requests_total{code="400",listener="service"}`: 1,
		`sluice_http_requests_total{code="200",listener="admin"}`: 2, `sluice_http_requests_total{code="400",listener="admin"}`: 0,
		`sluice_http_requests_total{code="404",listener="admin"}`: 3,
	}
	if diff := cmp.Diff(want, gather(t, o.registry, "sluice_http_requests_total")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
