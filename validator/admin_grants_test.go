package validator_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/sluiceproject/sluice/validator"
)

// revoking is an admin listener with a store of fakes, and what it asked them.
type revoking struct {
	query validator.GrantQuery
	order validator.RevocationOrder
	fails error
	none  bool // There is no store.
}

func (r *revoking) handler() http.Handler {
	o := validator.AdminOptions{
		Status: func() validator.PolicyStatus { return inForce }, Draining: func() bool { return false },
		Log: zap.NewNop(), Registry: prometheus.NewRegistry(),
	}
	if !r.none {
		o.Grants = &validator.GrantAdmin{
			States: []string{"active", "revoked"},
			List: func(_ context.Context, q validator.GrantQuery) ([]any, error) {
				r.query = q
				return nil, r.fails
			},
			Revocations: func(context.Context) ([]any, error) { return []any{"one"}, r.fails },
			Revoke: func(_ context.Context, order validator.RevocationOrder) (any, error) {
				r.order = order
				return map[string]string{"id": order.ID}, r.fails
			},
		}
	}
	return validator.NewAdmin(o)
}

func (r *revoking) ask(method, target, body, contentType string) answered {
	request := httptest.NewRequest(method, target, strings.NewReader(body))
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	r.handler().ServeHTTP(w, request)
	return answered{w.Code, w.Header().Get("Content-Type"), w.Body.String()}
}

func TestGrantsAtTheAdminListener(t *testing.T) {
	const json = "application/json"
	away := &validator.AdminError{Status: 503, Message: "The policy store does not answer. Try again."}
	wrong := func(status int, message string) answered {
		return answered{status, json, `{"error":{"code":"` + strconv.Itoa(status) + `","message":"` + message + `"}}` + "\n"}
	}
	const form = ` Write {\"id\":\"…\",\"reason\":\"…\"}, or client or user in the place of id.`
	for _, tc := range []struct {
		name, method, target, body, kind string
		state                            revoking
		want                             answered
	}{
		{"grants", "GET", "/v1/grants", "", "", revoking{}, answered{200, json, "{\n  \"grants\": []\n}\n"}},
		{"a state that is none", "GET", "/v1/grants?state=lost", "", "", revoking{}, wrong(400, `State is \"lost\"; it can be active, revoked.`)},
		{"a limit that is none", "GET", "/v1/grants?limit=0", "", "", revoking{}, wrong(400, `Limit is \"0\"; it can be 1 to 10000.`)},
		{"a time that is none", "GET", "/v1/grants?since=today", "", "", revoking{}, wrong(400, `Since is \"today\"; write a time such as 2026-01-02T15:04:05Z.`)},
		{"an unknown parameter", "GET", "/v1/grants?clint=a", "", "", revoking{}, wrong(400, `There is no parameter \"clint\"; there are id, client, user, state, since and limit.`)},
		{"the store is away", "GET", "/v1/grants", "", "", revoking{fails: away}, wrong(503, away.Message)},
		{"a fault", "GET", "/v1/grants", "", "", revoking{fails: context.Canceled}, wrong(500, "The file validation service has a fault.")},
		{"revocations", "GET", "/v1/revocations", "", "", revoking{}, answered{200, json, "{\n  \"revocations\": [\n    \"one\"\n  ]\n}\n"}},
		{"revocations, and the store is away", "GET", "/v1/revocations", "", "", revoking{fails: away}, wrong(503, away.Message)},
		{"revoked", "POST", "/v1/revocations", `{"id":"a"}`, json, revoking{}, answered{201, json, "{\n  \"id\": \"a\"\n}\n"}},
		{"revoked, with a charset", "POST", "/v1/revocations", `{"id":"a"}`, "application/json; charset=utf-8", revoking{}, answered{201, json, "{\n  \"id\": \"a\"\n}\n"}},
		{"not revoked", "POST", "/v1/revocations", `{"id":"a"}`, json, revoking{fails: away}, wrong(503, away.Message)},
		{"what a page of another site sends", "POST", "/v1/revocations", `{"id":"a"}`, "text/plain", revoking{}, wrong(415, "Send what is to be revoked with Content-Type: application/json.")},
		{"no content type", "POST", "/v1/revocations", `{"id":"a"}`, "", revoking{}, wrong(415, "Send what is to be revoked with Content-Type: application/json.")},
		{"nothing", "POST", "/v1/revocations", "", json, revoking{}, wrong(400, "The order could not be read: not JSON."+form)},
		{"nobody", "POST", "/v1/revocations", `{"reason":"x"}`, json, revoking{}, wrong(400, "The order names 0 of id, client and user; name one of them.")},
		{"two", "POST", "/v1/revocations", `{"id":"x","user":"y"}`, json, revoking{}, wrong(400, "The order names 2 of id, client and user; name one of them.")},
		{"a member that is not known", "POST", "/v1/revocations", `{"id":"x","until":"y"}`, json, revoking{}, wrong(400, `The order could not be read: unknown field \"until\".`+form)},
		{"a member twice", "POST", "/v1/revocations", `{"id":"x","id":"y"}`, json, revoking{}, wrong(400, `The order could not be read: a member is given twice.`+form)},
		{"two orders", "POST", "/v1/revocations", `{"id":"x"}{}`, json, revoking{}, wrong(400, `The order could not be read: there is more after the value.`+form)},
		{"a long one", "POST", "/v1/revocations", `{"id":"` + strings.Repeat("x", 64<<10) + `"}`, json, revoking{}, wrong(400, `The order could not be read: http: request body too large.`+form)},
		{"no store", "GET", "/v1/grants", "", "", revoking{none: true}, wrong(404, nothingHere)},
		{"no store to revoke in", "POST", "/v1/revocations", `{"id":"a"}`, json, revoking{none: true}, wrong(404, nothingHere)},
		{"another method", "DELETE", "/v1/revocations", "", "", revoking{}, wrong(405, "Method Not Allowed")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.state.ask(tc.method, tc.target, tc.body, tc.kind)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestWhatIsAskedAboutGrants is what the store gets.
func TestWhatIsAskedAboutGrants(t *testing.T) {
	r := &revoking{}
	r.ask("GET", "/v1/grants?id=a&client=b%20c&user=d&state=revoked&since=2026-01-02T15:04:05Z&limit=7", "", "")
	want := validator.GrantQuery{ID: "a", Client: "b c", User: "d", State: "revoked", Since: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC), Limit: 7}
	if diff := cmp.Diff(want, r.query); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.ask("GET", "/v1/grants", "", "")
	if diff := cmp.Diff(validator.GrantQuery{Limit: 100}, r.query); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for body, want := range map[string]validator.RevocationOrder{
		`{"client":"a","reason":"b","by":"c"}`: {Client: "a", Reason: "b", By: "c"},
		`{"id":"a","unregistered":true}`:       {ID: "a", Unregistered: true, By: "the admin listener, from 192.0.2.1"},
	} {
		r.ask("POST", "/v1/revocations", body, "application/json")
		if diff := cmp.Diff(want, r.order); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
