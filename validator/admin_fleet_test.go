package validator_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/sluiceproject/sluice/validator"
)

func TestTheFleetIsTold(t *testing.T) {
	for _, row := range []struct {
		name  string
		fleet func(context.Context) (*validator.Fleet, error)
		want  answered
	}{
		{"without a store", nil, answered{404, "application/json", `{"error":{"code":"404","message":"` + nothingHere + `"}}` + "\n"}},
		{
			"nobody", func(context.Context) (*validator.Fleet, error) {
				return &validator.Fleet{Newest: 7, Members: []validator.FleetMember{}}, nil
			},
			answered{200, "application/json", "{\n  \"newest\": 7,\n  \"skewed\": 0,\n  \"members\": []\n}\n"},
		},
		{
			"the store is away", func(context.Context) (*validator.Fleet, error) {
				return nil, &validator.AdminError{Status: http.StatusServiceUnavailable, Message: "The policy store does not answer."}
			},
			answered{503, "application/json", `{"error":{"code":"503","message":"The policy store does not answer."}}` + "\n"},
		},
		{
			"a mistake of ours", func(context.Context) (*validator.Fleet, error) { return nil, errors.New("secret") },
			answered{500, "application/json", `{"error":{"code":"500","message":"The file validation service has a fault."}}` + "\n"},
		},
	} {
		handler := validator.NewAdmin(validator.AdminOptions{
			Status: func() validator.PolicyStatus { return inForce }, Draining: func() bool { return false },
			Log: zap.NewNop(), Registry: prometheus.NewRegistry(), Fleet: row.fleet,
		})
		got, _ := ask(handler, http.MethodGet, "/v1/fleet", "")
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
		if strings.Contains(got.Body, "secret") {
			t.Errorf("%s: %s", row.name, got.Body)
		}
	}
}
