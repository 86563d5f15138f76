package validator

import (
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/sluiceproject/sluice/rules"
)

// decisionHeader carries the decision's id with every answer.
const decisionHeader = "X-Sluice-Decision"

// Options are what the service listener is made of.
type Options struct {
	// Decider answers the events.
	Decider Decider
	// Decoder reads them.
	Decoder Decoder
	// Limits bound them.
	Limits Limits
	// Close, when not nil, says that connections are not to be kept.
	Close func() bool
	// Now is the clock.
	Now func() time.Time
	// Log takes what is no decision.
	Log *zap.Logger
	// Registerer takes the metrics of HTTP.
	Registerer prometheus.Registerer
}

// New returns the handler of the service listener: POST …/validation/files
// below any prefix. It answers 200 or 400 and, elsewhere, 404.
func New(o Options) http.Handler {
	s := &service{Options: o, bodies: newBodies(o.Limits.Body), requests: newRequests(o.Registerer, "service")}
	s.events.New = func() any { return &rules.Event{} }
	e := echo.New()
	e.HTTPErrorHandler = errorHandler(o.Log)
	handler := s.requests.count(s.route)
	e.Any("/*", handler)
	e.RouteNotFound("/*", handler) // Methods that HTTP does not define.
	return e
}

type service struct {
	Options
	bodies   *bodies
	events   sync.Pool
	requests *requests
	deciding atomic.Int64
}

// route is by hand because the prefix can have any depth, which no pattern of
// the router can say.
func (s *service) route(c echo.Context) error {
	if s.Close != nil && s.Close() {
		c.Response().Header().Set("Connection", "close")
	}
	if !isFiles(c.Request().URL.Path) {
		return echo.ErrNotFound
	}
	return s.files(c)
}

// files answers one event. Whatever goes wrong is a refusal like any other, so
// that it is counted and logged and its reason reaches the person who transfers.
func (s *service) files(c echo.Context) error {
	defer s.deciding.Add(-1)
	crowd := s.deciding.Add(1)
	body, fault := s.read(c.Request(), crowd)
	e, _ := s.events.Get().(*rules.Event) // New makes nothing else.
	defer s.events.Put(e)
	*e = rules.Event{Fault: fault}
	s.receive(e)
	if fault == nil {
		s.Decoder.Decode(body, e)
	}
	d := s.Decider.Decide(c.Request().Context(), e)
	return answer(c, &d)
}

// read returns the text of an event, or why it is refused unread.
func (s *service) read(r *http.Request, crowd int64) (string, *rules.Fault) {
	switch {
	case crowd > int64(s.Limits.Requests):
		return "", &rules.Fault{Code: rules.CodeOverloaded, Reason: reasonOverloaded, Message: rules.CodeOverloaded.Verdict().Message}
	case r.Method != http.MethodPost:
		return "", &rules.Fault{
			Code: rules.CodeMalformed, Reason: reasonMethod,
			Message: "File events are sent with POST, not with " + rules.Printable(rules.Shorten(r.Method, 16)) + ".",
		}
	default:
		return s.bodies.read(r)
	}
}

// reasonOverloaded is the reason of a refusal that says nothing of the event.
const reasonOverloaded = "overloaded"

// receive gives an event its time and its name.
func (s *service) receive(e *rules.Event) {
	e.Received = s.Now()
	var random [10]byte
	a, b := rand.Uint64(), rand.Uint32() //nolint:gosec // An id is a name and no secret.
	for i := range 8 {
		random[i] = byte(a >> (8 * i))
	}
	random[8], random[9] = byte(b), byte(b>>8)
	e.ID = rules.NewID(e.Received, random)
}

// answer is the one place that turns a decision into a status.
func answer(c echo.Context, d *rules.Decision) error {
	c.Response().Header().Set(decisionHeader, d.ID.String())
	if d.Accepted() {
		return c.NoContent(http.StatusOK)
	}
	return refuse(c, http.StatusBadRequest, string(d.Code), d.Message)
}

// refusal is the body of a refusal, members in the documented order.
type refusal struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

func refuse(c echo.Context, status int, code, message string) error {
	var body refusal
	body.Error.Code, body.Error.Message = code, message
	c.Response().Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	c.Response().WriteHeader(status)
	enc := json.NewEncoder(c.Response())
	enc.SetEscapeHTML(false) // The message is shown as text, not as a page.
	return enc.Encode(body)
}

// errorHandler is the one place that turns an error into a status.
func errorHandler(log *zap.Logger) echo.HTTPErrorHandler {
	return func(err error, c echo.Context) {
		if c.Response().Committed {
			return // The caller is gone; there is nobody to tell.
		}
		status, message := http.StatusInternalServerError, "The file validation service has a fault."
		var known *echo.HTTPError
		if errors.As(err, &known) {
			status = known.Code
			message = http.StatusText(status)
			if text, ok := known.Message.(string); ok {
				message = text
			}
		} else {
			log.Error("request failed", zap.Error(err))
		}
		if status == http.StatusNotFound {
			message = "Nothing is served here. File events go to …/validation/files: set validation_uri to the part before it."
		}
		if err := refuse(c, status, strconv.Itoa(status), message); err != nil && !errors.Is(err, io.EOF) {
			log.Debug("answer not sent", zap.Error(err))
		}
	}
}
