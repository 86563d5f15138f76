package validator

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/grants"
)

// TokenOptions are what the token endpoint is made of. All members but Docroot,
// Register, Known and Close must be set.
type TokenOptions struct {
	// Decider answers the events: one for each path that is asked for.
	Decider Decider
	// Authenticate returns the client that a name and a password belong to, as
	// Authenticator does. An error that is none of those that it names is logged
	// and not shown. address is where the request comes from, without the port.
	Authenticate func(ctx context.Context, name, password, address string) (*Client, error)
	// Sign returns a grant as it travels in the tags.
	Sign func(*rules.Grant) (string, error)
	// Issuer makes the tokens.
	Issuer grants.Issuer
	// Docroot returns the docroot of a transfer user, as rules.GrantEnv has it;
	// nil and empty mean that paths of events are inside it already.
	Docroot func(user string) string
	// Register, when not nil, keeps what is given out, before it is answered, so that
	// it can be found and revoked. address is where the request came from.
	Register func(ctx context.Context, given []*rules.Grant, address string) error
	// IssueUnregistered has tokens given out all the same where Register fails.
	IssueUnregistered bool
	// Known, when not nil, are the grants that were taken back: what would be revoked
	// as soon as it is issued is not given out.
	Known Revocations
	// Limits bound the requests: Body and Requests are read.
	Limits Limits
	// ID, Name and Version are what GET /info tells of this service.
	ID, Name, Version string
	// Close, when not nil, says that connections are not to be kept.
	Close func() bool
	// Now is the clock.
	Now func() time.Time
	// Log takes what is no decision.
	Log *zap.Logger
	// Registerer takes the metrics of tokens and of HTTP.
	Registerer prometheus.Registerer
}

// NewTokens returns the handler of the token endpoint, which is the part of the
// Node API that gives out tokens: POST /files/upload_setup and
// /files/download_setup, GET /ping and /info, and the same below /node_api.
// Elsewhere it answers 404.
func NewTokens(o TokenOptions) http.Handler {
	if o.Docroot == nil {
		o.Docroot = func(string) string { return "" }
	}
	t := &tokens{
		TokenOptions: o, bodies: newBodies(o.Limits.Body), failures: newFailureLog(o.Log),
		metrics: newTokenMetrics(o.Registerer, o.Issuer.Name()), reaches: newClientReaches(),
	}
	e := echo.New()
	e.HTTPErrorHandler = t.answerError
	handler := newRequests(o.Registerer, "tokens").count(t.guard(t.route))
	e.Any("/*", handler)
	e.RouteNotFound("/*", handler) // Methods that HTTP does not define.
	return e
}

// TokenPaths reports whether NewTokens serves a path, for a listener that serves
// more than tokens.
func TokenPaths(path string) bool {
	switch tokenPath(path) {
	case pathUpload, pathDownload, pathPing, pathInfo:
		return true
	default:
		return false
	}
}

// The paths, without the slash at the beginning and without node_api.
const (
	pathUpload   = "files/upload_setup"
	pathDownload = "files/download_setup"
	pathPing     = "ping"
	pathInfo     = "info"
)

// tokenPath returns a path without node_api and without the slashes that are too
// many.
func tokenPath(path string) string {
	segments := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	if len(segments) > 0 && segments[0] == "node_api" {
		segments = segments[1:]
	}
	return strings.Join(segments, "/")
}

// tokens is the handler.
type tokens struct {
	TokenOptions
	bodies   *bodies
	metrics  *tokenMetrics
	failures *failureLog
	reaches  *clientReaches
	deciding atomic.Int64
}

// guard turns a panic into an answer, so that a fault costs one request and not
// the service.
func (t *tokens) guard(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if v := recover(); v != nil {
				t.Log.Error("token request failed", zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
				err = internalError()
			}
		}()
		return next(c)
	}
}

// route is by hand because slashes may be doubled, as on the files endpoint.
func (t *tokens) route(c echo.Context) error {
	if t.Close != nil && t.Close() {
		c.Response().Header().Set("Connection", "close")
	}
	path := tokenPath(c.Request().URL.Path)
	method, serve := http.MethodPost, t.setup
	switch path {
	case pathUpload, pathDownload:
	case pathPing:
		method, serve = http.MethodGet, ping
	case pathInfo:
		method, serve = http.MethodGet, t.info
	default:
		return nodeError(http.StatusNotFound, "Nothing is served here. Tokens are given out by POST /files/upload_setup and POST /files/download_setup.")
	}
	if c.Request().Method != method {
		c.Response().Header().Set(echo.HeaderAllow, method)
		return nodeError(http.StatusMethodNotAllowed, "This is asked for with "+method+", not with "+rules.Printable(rules.Shorten(c.Request().Method, 16))+".")
	}
	return serve(c)
}

// ping says that there is somebody.
func ping(c echo.Context) error { return c.NoContent(http.StatusOK) }

// nodeInfo is the answer to GET /info.
type nodeInfo struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Version     string `json:"version"`
	CurrentTime string `json:"current_time"`
}

func (t *tokens) info(c echo.Context) error {
	if _, result, err := t.authenticate(c); err != nil {
		t.metrics.count(pathInfo, result)
		return err
	}
	return c.JSON(http.StatusOK, nodeInfo{t.ID, t.Name, t.Version, t.Now().UTC().Format(time.RFC3339)})
}

// nodeError is an error in the form of the Node API.
func nodeError(status int, message string) *grants.Error {
	return &grants.Error{Code: status, Reason: http.StatusText(status), UserMessage: message}
}

func internalError() *grants.Error {
	return nodeError(http.StatusInternalServerError, "The token service has a fault. Tell the server's administrator.")
}

// errorAnswer is the body of an error.
type errorAnswer struct {
	Error *grants.Error `json:"error"`
}

// answerError is the one place that turns an error into a status.
func (t *tokens) answerError(err error, c echo.Context) {
	if c.Response().Committed {
		return // The caller is gone; there is nobody to tell.
	}
	var known *grants.Error
	var behind *grants.Unreachable
	if errors.As(err, &behind) { // The caller gets to know nothing of why.
		t.Log.Warn("no tokens from the node", zap.Error(behind.Cause))
	}
	switch {
	case errors.As(err, &known) && known.Code >= 400 && known.Code < 600:
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded): // Nobody's fault here.
		known = nodeError(http.StatusServiceUnavailable, "The request was broken off. Try again.")
	default:
		t.Log.Error("token request failed", zap.Error(err))
		known = internalError()
	}
	if err := writeJSON(c, known.Code, errorAnswer{known}); err != nil {
		t.Log.Debug("answer not sent", zap.Error(err))
	}
}
