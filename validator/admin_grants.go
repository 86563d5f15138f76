package validator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluiceproject/sluice/rules"
)

// GrantAdmin is what the admin listener does with grants, which a policy store has.
type GrantAdmin struct {
	// List returns the last grants that a query wants, in the order in which they
	// were given out, and Revocations all revocations: values that become JSON.
	List        func(ctx context.Context, q GrantQuery) ([]any, error)
	Revocations func(ctx context.Context) ([]any, error)
	// Revoke takes grants back, and returns the record once it is stored. The error
	// may be an *AdminError.
	Revoke func(ctx context.Context, r RevocationOrder) (any, error)
	// States are those that grants can have.
	States []string
}

// GrantQuery says which grants are wanted.
type GrantQuery struct {
	// ID, Client, User and State are what a grant has; empty is any.
	ID, Client, User, State string
	// Since is when it was given out at the earliest; zero is ever.
	Since time.Time
	// Limit is how many are wanted at most.
	Limit int
}

// RevocationOrder is the body of POST /v1/revocations.
type RevocationOrder struct {
	// ID, Client and User name a grant, or whose grants; one of them is there.
	ID     string `json:"id"`
	Client string `json:"client"`
	User   string `json:"user"`
	// Reason says why, and By who says so; by default where the request comes from.
	Reason string `json:"reason"`
	By     string `json:"by"`
	// Unregistered takes back an ID that nobody has registered.
	Unregistered bool `json:"unregistered"`
}

// AdminError is an error for whoever asks the admin listener.
type AdminError struct {
	// Status is the status of the answer.
	Status int
	// Message is shown.
	Message string
}

// Error implements error.
func (a *AdminError) Error() string { return a.Message }

// Limits of lists of grants, and of orders in bytes.
const (
	defaultGrants = 100
	maxGrants     = 10_000
	maxOrder      = 64 << 10
)

// routeGrants serves what is about grants, where there is a policy store.
func (a *admin) routeGrants(e *echo.Echo) {
	if a.o.Grants == nil {
		return
	}
	e.GET("/v1/grants", a.listGrants)
	e.GET("/v1/revocations", a.listRevocations)
	e.POST("/v1/revocations", a.revoke)
}

// listGrants answers GET /v1/grants.
func (a *admin) listGrants(c echo.Context) error {
	q := GrantQuery{ID: c.QueryParam("id"), Client: c.QueryParam("client"), User: c.QueryParam("user"), State: c.QueryParam("state"), Limit: defaultGrants}
	for name := range c.QueryParams() {
		if !slices.Contains([]string{"id", "client", "user", "state", "since", "limit"}, name) {
			return badOrder(`there is no parameter "%s"; there are id, client, user, state, since and limit.`, short(name))
		}
	}
	if q.State != "" && !slices.Contains(a.o.Grants.States, q.State) {
		return badOrder(`state is "%s"; it can be %s.`, short(q.State), strings.Join(a.o.Grants.States, ", "))
	}
	if text := c.QueryParam("since"); text != "" {
		var err error
		if q.Since, err = time.Parse(time.RFC3339, text); err != nil {
			return badOrder(`since is "%s"; write a time such as 2026-01-02T15:04:05Z.`, short(text))
		}
	}
	if text := c.QueryParam("limit"); text != "" {
		var err error
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 || q.Limit > maxGrants {
			return badOrder(`limit is "%s"; it can be 1 to %d.`, short(text), maxGrants)
		}
	}
	list, err := a.o.Grants.List(c.Request().Context(), q)
	if err != nil {
		return a.storeError(err)
	}
	return c.JSONPretty(http.StatusOK, map[string][]any{"grants": orEmpty(list)}, "  ")
}

// listRevocations answers GET /v1/revocations.
func (a *admin) listRevocations(c echo.Context) error {
	list, err := a.o.Grants.Revocations(c.Request().Context())
	if err != nil {
		return a.storeError(err)
	}
	return c.JSONPretty(http.StatusOK, map[string][]any{"revocations": orEmpty(list)}, "  ")
}

// revoke answers POST /v1/revocations. It wants the content type, which a page of
// another site cannot send without being asked first.
func (a *admin) revoke(c echo.Context) error {
	r := c.Request()
	if kind, _, err := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType)); err != nil || kind != echo.MIMEApplicationJSON {
		return echo.NewHTTPError(http.StatusUnsupportedMediaType, "Send what is to be revoked with Content-Type: application/json.")
	}
	order, err := readOrder(http.MaxBytesReader(c.Response(), r.Body, maxOrder))
	if err != nil {
		return err
	}
	if order.By == "" {
		order.By = "the admin listener, from " + callerAddress(r)
	}
	told, err := a.o.Grants.Revoke(r.Context(), order)
	if err != nil {
		return a.storeError(err)
	}
	return c.JSONPretty(http.StatusCreated, told, "  ")
}

// readOrder reads an order. A member that is not known is a mistake: what it would
// limit would not be limited.
func readOrder(body io.Reader) (order RevocationOrder, err error) {
	text, err := io.ReadAll(body)
	if err == nil {
		_, err = rules.ParseTree(string(text)) // It refuses a member that is given twice.
	}
	if err == nil {
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.DisallowUnknownFields()
		err = dec.Decode(&order)
	}
	if err != nil {
		return order, badOrder(`the order could not be read: %s. Write {"id":"…","reason":"…"}, or client or user in the place of id.`, short(strings.TrimPrefix(err.Error(), "json: ")))
	}
	named := 0
	for _, name := range []string{order.ID, order.Client, order.User} {
		if name != "" {
			named++
		}
	}
	if named != 1 {
		return order, badOrder("the order names %d of id, client and user; name one of them.", named)
	}
	return order, nil
}

func badOrder(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return echo.NewHTTPError(http.StatusBadRequest, strings.ToUpper(text[:1])+text[1:])
}

func short(text string) string { return rules.Printable(rules.Shorten(text, 96)) }

func orEmpty(list []any) []any {
	if list == nil {
		return []any{}
	}
	return list
}

// storeError turns an error of the store into one for whoever asked.
func (a *admin) storeError(err error) error {
	var told *AdminError
	if errors.As(err, &told) {
		return echo.NewHTTPError(told.Status, told.Message)
	}
	return err
}
