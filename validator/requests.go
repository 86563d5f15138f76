package validator

import (
	"strconv"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

// requests counts the answers of one listener by status.
type requests struct {
	total  *prometheus.CounterVec
	usual  map[int]prometheus.Counter // resolved once
	listen string
}

func newRequests(reg prometheus.Registerer, listen string) *requests {
	r := &requests{listen: listen, usual: map[int]prometheus.Counter{}}
	r.total = register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_http_requests_total",
		Help: "Requests answered, by listener (service, admin) and status.",
	}, []string{"listener", "code"}))
	for _, status := range []int{200, 400} {
		r.usual[status] = r.total.WithLabelValues(listen, strconv.Itoa(status))
	}
	return r
}

// register returns the vector that is registered under its name: several
// listeners share one.
func register(reg prometheus.Registerer, vec *prometheus.CounterVec) *prometheus.CounterVec {
	err := reg.Register(vec)
	if already, ok := err.(prometheus.AlreadyRegisteredError); ok { //nolint:errorlint // Register returns it bare.
		if same, ok := already.ExistingCollector.(*prometheus.CounterVec); ok {
			return same
		}
	}
	return vec
}

// count is echo middleware.
func (r *requests) count(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := next(c); err != nil {
			c.Error(err)
		}
		status := c.Response().Status
		if counter, ok := r.usual[status]; ok {
			counter.Inc()
		} else {
			r.total.WithLabelValues(r.listen, strconv.Itoa(status)).Inc()
		}
		return nil
	}
}
