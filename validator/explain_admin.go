package validator

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/sluiceproject/sluice/rules"
)

// explain answers how the event in the body would be decided. Nothing is counted
// or logged as a decision: no transfer asked.
func (a *admin) explain(c echo.Context) error {
	r := c.Request()
	if r.Method != http.MethodPost {
		c.Response().Header().Set(echo.HeaderAllow, http.MethodPost)
		return echo.NewHTTPError(http.StatusMethodNotAllowed, "Send the event to explain with POST.")
	}
	all := false
	if text := c.QueryParam("all"); text != "" {
		var err error
		if all, err = strconv.ParseBool(text); err != nil {
			return echo.NewHTTPError(http.StatusBadRequest, fmt.Sprintf(`all is "%s"; it can be true or false.`, rules.Printable(rules.Shorten(text, 32))))
		}
	}
	body, fault := a.bodies.read(r)
	if fault != nil {
		return a.unread(fault)
	}
	told := a.o.Explainer.Explain(r.Context(), body, all)
	c.Response().Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	c.Response().WriteHeader(http.StatusOK)
	return told.Encode(c.Response())
}

// unread turns a body that did not arrive into an error for whoever sent it.
func (a *admin) unread(fault *rules.Fault) error {
	switch fault.Reason {
	case reasonTooLarge:
		return echo.NewHTTPError(http.StatusRequestEntityTooLarge,
			"The event is larger than "+rules.FormatSize(a.o.Explainer.Limit)+" (limits.body). The service refuses such an event with code "+string(fault.Code)+".")
	case reasonTimeout:
		return echo.NewHTTPError(http.StatusRequestTimeout, "The event did not arrive in time.")
	default:
		return echo.NewHTTPError(http.StatusBadRequest, "The event did not arrive whole.")
	}
}
