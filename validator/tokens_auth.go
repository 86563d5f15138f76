package validator

import (
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/sluiceproject/sluice/rules"
)

// storageHeader carries a secret for the node behind the issuer.
const storageHeader = "X-Aspera-Storage-Credentials"

// authenticate returns the client that a request comes from, or the error to
// answer and the result to count. The body has not been read when it is called.
func (t *tokens) authenticate(c echo.Context) (*Client, tokenResult, error) {
	r := c.Request()
	for _, name := range []string{echo.HeaderAuthorization, storageHeader} {
		if len(r.Header.Values(name)) > 1 { // Whoever stands before this service may have read the other one.
			return nil, resultMalformed, nodeError(http.StatusBadRequest, "The header "+name+" is there more than once. Send it once.")
		}
	}
	name, password, err := BasicCredentials(r)
	if err != nil {
		return nil, resultUnauthenticated, unauthenticated(c, err)
	}
	address := callerAddress(r)
	client, err := t.Authenticate(r.Context(), name, password, address)
	var throttled *TooManyFailures
	switch {
	case err == nil:
		return client, "", nil
	case errors.As(err, &throttled):
		t.failures.log(t.Now(), "too many failed authentications", name, address)
		c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(throttled.Seconds()))
		return nil, resultThrottled, nodeError(http.StatusTooManyRequests, throttled.Error())
	case errors.Is(err, ErrCredentials):
		t.failures.log(t.Now(), "authentication failed", name, address)
		return nil, resultUnauthenticated, unauthenticated(c, ErrCredentials)
	case errors.Is(err, ErrBusy):
		return nil, resultFailed, busy(c, ErrBusy.Error())
	default:
		return nil, resultFailed, err
	}
}

// unauthenticated is the answer to who cannot say who he is. The error's text is
// for his eyes.
func unauthenticated(c echo.Context, err error) error {
	c.Response().Header().Set(echo.HeaderWWWAuthenticate, BasicChallenge)
	return nodeError(http.StatusUnauthorized, err.Error())
}

// busy is the answer to who comes while too many others are here.
func busy(c echo.Context, message string) error {
	c.Response().Header().Set(echo.HeaderRetryAfter, "1")
	return nodeError(http.StatusServiceUnavailable, message)
}

// callerAddress returns where a request comes from, without the port.
func callerAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// failureLog writes down who failed to authenticate, a few times a second at
// most, so that guessing passwords does not fill a disk.
type failureLog struct {
	to     *zap.Logger
	pace   *rate.Limiter
	missed atomic.Int64
}

// Lines in a second, and how many of them at once.
const failureLines, failureBurst = 5, 50

func newFailureLog(to *zap.Logger) *failureLog {
	return &failureLog{to: to, pace: rate.NewLimiter(failureLines, failureBurst)}
}

// log never has the password, and of the name no more than a name has.
func (f *failureLog) log(now time.Time, what, name, address string) {
	if !f.pace.AllowN(now, 1) {
		f.missed.Add(1)
		return
	}
	fields := []zap.Field{
		zap.String("client", rules.Printable(rules.Shorten(name, 64))), zap.String("address", rules.Printable(rules.Shorten(address, 64))),
	}
	if missed := f.missed.Swap(0); missed > 0 {
		fields = append(fields, zap.Int64("lines_left_out", missed))
	}
	f.to.Warn(what, fields...)
}
