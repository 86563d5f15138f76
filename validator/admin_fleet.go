package validator

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// Fleet is the services that share a policy store, as they told of themselves
// lately.
type Fleet struct {
	// Newest is the number of the newest revision of the policy store, 0 if it has
	// none.
	Newest uint64 `json:"newest"`
	// Skewed is how many members have other policies than they should.
	Skewed int `json:"skewed"`
	// Members are in order of their names.
	Members []FleetMember `json:"members"`
}

// FleetMember is one service.
type FleetMember struct {
	// Instance is its name, Version that of the program, and Admin the address of its
	// admin listener as it is configured there.
	Instance string `json:"instance"`
	Version  string `json:"version"`
	Admin    string `json:"admin"`
	// Boot is another text each time that the service starts.
	Boot string `json:"boot"`
	// Started is when it did.
	Started time.Time `json:"started"`
	// StoreRevision is the number of the revision in force, 0 where the policies are
	// from a folder. Behind is how many revisions newer there are.
	StoreRevision uint64 `json:"store_revision"`
	Behind        uint64 `json:"behind"`
	// Revision names the policies by their content, and Loaded is when they came into
	// force.
	Revision string    `json:"revision"`
	Loaded   time.Time `json:"loaded"`
	// PolicyAge is how long ago, in seconds, the policy store told the service which
	// revision is the newest; 0 where the policies are from a folder.
	PolicyAge float64 `json:"policy_age_seconds"`
	// Health is ready, degraded or not ready, and Trouble says why, a line each.
	Health  string   `json:"health"`
	Trouble []string `json:"trouble"`
	// Heard is when it reported last, by the clock of the policy store.
	Heard time.Time `json:"heard"`
	// Skewed says that it has other policies than it should: not the newest revision
	// or, from a folder, not what most others have.
	Skewed bool `json:"skewed"`
	// Twin says that another service has the same name.
	Twin bool `json:"twin"`
}

// routeFleet registers the fleet, where there is a policy store.
func (a *admin) routeFleet(e *echo.Echo) {
	if a.o.Fleet != nil {
		e.GET("/v1/fleet", a.fleet)
	}
}

// fleet answers GET /v1/fleet.
func (a *admin) fleet(c echo.Context) error {
	fleet, err := a.o.Fleet(c.Request().Context())
	if err != nil {
		return a.storeError(err)
	}
	return c.JSONPretty(http.StatusOK, fleet, "  ")
}
