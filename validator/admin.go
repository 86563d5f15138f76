package validator

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// PolicyStatus is what the admin listener tells of the policy set in force.
type PolicyStatus struct {
	// Revision names the set by its content.
	Revision string `json:"revision"`
	// StoreRevision is its number in the policy store; 0 where it is from a folder.
	StoreRevision uint64 `json:"store_revision,omitempty"`
	// Loaded is when it came into force.
	Loaded time.Time `json:"loaded"`
	// RuleCount is how many rules can be asked.
	RuleCount int `json:"rule_count"`
	// LastError is why the last reload changed nothing, empty if it succeeded.
	LastError string `json:"last_error,omitempty"`
	// FailedAt is when that happened first.
	FailedAt *time.Time `json:"failed_at,omitempty"`
	// Policies are those of the set, in order. They are told by
	// AdminOptions.Policies only.
	Policies []PolicySummary `json:"policies,omitempty"`
}

// PolicySummary is one policy of the set.
type PolicySummary struct {
	Policy      string        `json:"policy"`
	Description string        `json:"description,omitempty"`
	File        string        `json:"file"`
	Mode        string        `json:"mode"`
	Rules       []RuleSummary `json:"rules"`
}

// RuleSummary is one rule of a policy.
type RuleSummary struct {
	Rule   string   `json:"rule"`
	Kind   string   `json:"kind"`
	Mode   string   `json:"mode"`
	Code   string   `json:"code"`
	Phases []string `json:"phases"`
}

// AdminOptions are what the admin listener is made of.
type AdminOptions struct {
	// Status returns what is in force, and Policies the same with every policy.
	Status, Policies func() PolicyStatus
	// Reload puts the policies in force as they are written now. Its error is
	// shown.
	Reload func() error
	// Explainer explains events by the policies in force.
	Explainer Explainer
	// Degraded tells, a line each, what does not work beside the policies, such as
	// a scanner that is down; nil is nothing.
	Degraded func() []string
	// NotReady tells why events should go elsewhere, although the service decides;
	// empty if they need not. Nil is never.
	NotReady func() string
	// Grants lists grants and takes them back; nil where there is no policy store.
	Grants *GrantAdmin
	// Fleet returns the services that share the policy store; nil where there is
	// none. Its error may be an *AdminError.
	Fleet func(context.Context) (*Fleet, error)
	// Draining reports whether the service is shutting down.
	Draining func() bool
	Log      *zap.Logger
	// Registry has the metrics that /metrics shows and takes those of HTTP.
	Registry *prometheus.Registry
}

// NewAdmin returns the handler of the admin listener.
func NewAdmin(o AdminOptions) http.Handler {
	a := &admin{o, newBodies(o.Explainer.Limit)}
	e := echo.New()
	e.HTTPErrorHandler = errorHandler(o.Log)
	e.Use(newRequests(o.Registry, "admin").count)
	e.GET("/metrics", echo.WrapHandler(promhttp.HandlerFor(o.Registry, promhttp.HandlerOpts{
		Registry: o.Registry, EnableOpenMetrics: true, MaxRequestsInFlight: 8,
	})))
	e.GET("/healthz", a.health)
	e.GET("/readyz", a.ready)
	e.POST("/-/reload", a.reload)
	e.GET("/v1/policies", a.policies)
	e.Any("/v1/explain", a.explain)
	a.routeGrants(e)
	a.routeFleet(e)
	return e
}

type admin struct {
	o      AdminOptions
	bodies *bodies
}

// health answers as long as the process runs.
func (a *admin) health(c echo.Context) error { return c.String(http.StatusOK, "ok\n") }

// ready says ready, degraded (an old policy set is in force, because the new
// one has mistakes) or not ready (shutting down, or as AdminOptions.NotReady says).
// Degraded is 200: the service decides, and taking it away would end every transfer.
func (a *admin) ready(c echo.Context) error {
	if a.o.Draining() {
		return c.String(http.StatusServiceUnavailable, "not ready: shutting down\n")
	}
	if a.o.NotReady != nil {
		if why := a.o.NotReady(); why != "" {
			return c.String(http.StatusServiceUnavailable, "not ready: "+why+"\n")
		}
	}
	s := a.o.Status()
	if s.LastError != "" {
		return c.String(http.StatusOK, fmt.Sprintf("degraded: revision %s of %s is in force, because since %s the policies cannot be loaded:\n%s\n",
			s.Revision, s.Loaded.UTC().Format(time.RFC3339), s.FailedAt.UTC().Format(time.RFC3339), s.LastError))
	}
	if a.o.Degraded != nil {
		if lines := a.o.Degraded(); len(lines) > 0 {
			return c.String(http.StatusOK, "degraded: revision "+s.Revision+" is in force, but\n"+strings.Join(lines, "\n")+"\n")
		}
	}
	return c.String(http.StatusOK, "ready: revision "+s.Revision+"\n")
}

// reload answers when the policies are in force, or with why they are not.
func (a *admin) reload(c echo.Context) error {
	if err := a.o.Reload(); err != nil {
		return c.JSON(http.StatusUnprocessableEntity, map[string]string{
			"revision": a.o.Status().Revision, "error": err.Error(),
		})
	}
	return c.JSON(http.StatusOK, map[string]string{"revision": a.o.Status().Revision})
}

func (a *admin) policies(c echo.Context) error {
	return c.JSONPretty(http.StatusOK, a.o.Policies(), "  ")
}
