package validator_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
	"github.com/sluiceproject/sluice/validator/grants"
)

// TestTokenRegistration: what is given out is registered first, and what cannot be
// is not given out, unless that is wanted.
func TestTokenRegistration(t *testing.T) {
	lost := errors.New("the store is away")
	none := func(ctx context.Context, call grants.Call) ([]grants.Answer, error) {
		answers, err := issue(ctx, call)
		answers[0] = grants.Answer{Err: &grants.Error{Code: 404, Reason: "Not Found", UserMessage: "no"}}
		return answers, err
	}
	for _, row := range []struct {
		name       string
		change     func(*validator.TokenOptions)
		fails      error
		status     int
		retry      string
		message    string
		registered int
		missed     float64
		results    map[string]int
	}{
		{"both", func(*validator.TokenOptions) {}, nil, 200, "", "", 2, 0, map[string]int{"granted": 2}},
		{"the node gave one", func(o *validator.TokenOptions) { o.Issuer = issuerFunc(none) }, nil, 200, "", "", 1, 0, map[string]int{"granted": 1, "failed": 1}},
		{"the store is away", func(*validator.TokenOptions) {}, lost, 503, "10", "The token service cannot register tokens at the moment. Try again in a minute.", 2, 2, map[string]int{"failed": 2}},
		{"away, and that is no matter", func(o *validator.TokenOptions) { o.IssueUnregistered = true }, lost, 200, "", "", 2, 2, map[string]int{"granted": 2}},
		{"revoked up to a moment that is to come", func(o *validator.TokenOptions) { o.Known = everyone{true} }, nil, 503, "60", "Tokens of this client, or of its transfer user, were revoked a moment ago. Try again in a few minutes.", 0, 0, map[string]int{"failed": 2}},
		{"others were revoked", func(o *validator.TokenOptions) { o.Known = everyone{} }, nil, 200, "", "", 2, 0, map[string]int{"granted": 2}},
	} {
		t.Run(row.name, func(t *testing.T) {
			registered := map[string]bool{}
			d := newDesk(func(o *validator.TokenOptions) {
				o.Register = func(_ context.Context, given []*rules.Grant, address string) error {
					for _, g := range given {
						registered[g.ID] = address == "192.0.2.1" && g.Client == "portal"
					}
					return row.fails
				}
				row.change(o)
			})
			w := d.send(http.MethodPost, "/files/upload_setup", requests(`{"paths":[{"destination":"/a"}]}`, `{"paths":[{"destination":"/b"}]}`))
			if w.Code != row.status || w.Header().Get("Retry-After") != row.retry || !strings.Contains(w.Body.String(), row.message) {
				t.Errorf("the answer is %d %v %s", w.Code, w.Header(), w.Body)
			}
			if row.status != 200 && strings.Contains(w.Body.String(), "ATV7_") {
				t.Errorf("a token is given out: %s", w.Body)
			}
			sound := 0
			for _, ok := range registered {
				if ok {
					sound++
				}
			}
			if sound != row.registered || len(registered) != sound {
				t.Errorf("%v are registered, want %d", registered, row.registered)
			}
			if missed := gather(t, d.reg, "sluice_grants_unregistered_total")["sluice_grants_unregistered_total{}"]; missed != row.missed {
				t.Errorf("%v could not be registered, want %v", missed, row.missed)
			}
			d.wantResults(t, "upload_setup", row.results)
			if (row.fails != nil) != (d.log.FilterMessage("grants could not be registered").Len() == 1) {
				t.Errorf("the log has %v", d.log.All())
			}
		})
	}
}

// everyone is Revocations of all grants, or of none.
type everyone struct{ all bool }

func (everyone) Any() bool { return true }

func (e everyone) Revoked(*rules.Grant) (bool, error) { return e.all, nil }
