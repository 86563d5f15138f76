package validator

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"

	"github.com/sluiceproject/sluice/rules"
)

// laterError is why tokens that were made are not given out: it may be better in a
// while.
type laterError struct {
	// seconds is how long to wait, and message is for the caller.
	seconds int
	message string
}

// Error implements error.
func (l *laterError) Error() string { return l.message }

// register keeps what is given out. The error is the answer to the whole call: then
// nobody gets a token of it.
func (c *call) register(ctx context.Context, given []*rules.Grant) error {
	err := c.revokedAtOnce(given)
	if err == nil && c.Register != nil && len(given) > 0 {
		if err = c.Register(ctx, given, c.address); err != nil {
			c.metrics.unregistered.Add(float64(len(given)))
			c.Log.Error("grants could not be registered", zap.Int("grants", len(given)), zap.Bool("given_out", c.IssueUnregistered), zap.Error(err))
			if err = nil; !c.IssueUnregistered {
				err = &laterError{10, "The token service cannot register tokens at the moment. Try again in a minute."}
			}
		}
	}
	result := resultGranted
	if err != nil {
		result = resultFailed
	}
	for range given {
		c.metrics.count(c.path, result)
	}
	return err
}

// revokedAtOnce says that what is given out would not hold: the client's grants, or
// the user's, were revoked up to a moment that has not come by this clock.
func (c *call) revokedAtOnce(given []*rules.Grant) error {
	if c.Known == nil || !c.Known.Any() {
		return nil
	}
	for _, g := range given {
		if revoked, err := c.Known.Revoked(g); revoked && err == nil {
			return &laterError{60, "Tokens of this client, or of its transfer user, were revoked a moment ago. Try again in a few minutes."}
		}
	}
	return nil
}

// answerLater is the answer where tokens are not given out at the moment, and err
// where that is not what it says.
func answerLater(c echo.Context, err error) error {
	var later *laterError
	if !errors.As(err, &later) {
		return err
	}
	c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(later.seconds))
	return nodeError(http.StatusServiceUnavailable, later.message)
}
