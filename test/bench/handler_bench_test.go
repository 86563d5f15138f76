//go:build linux

package main

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// BenchmarkHandler measures the whole handler without a connection, for a
// profile of what the service does itself:
//
//	go test ./test/bench -run '^$' -bench Handler/sluice/small -cpuprofile cpu.prof
//	go tool pprof -top -focus ServeHTTP cpu.prof
func BenchmarkHandler(b *testing.B) {
	bodies := map[string]string{"small": body(b, "small"), "large": body(b, "large")}
	bodies["stopped"] = stoppedEvent(bodies["small"])
	for _, h := range []struct {
		name string
		make func(testing.TB) http.Handler
	}{{"floor", newFloor}, {"sluice", newSluice}} {
		for _, event := range []string{"small", "large", "stopped"} {
			b.Run(h.name+"/"+event, func(b *testing.B) {
				benchmarkHandler(b, h.make(b), bodies[event])
			})
		}
	}
}

func benchmarkHandler(b *testing.B, h http.Handler, event string) {
	b.Helper()
	text := strings.NewReader(event)
	request, err := http.NewRequest(http.MethodPost, "http://127.0.0.1/validation/files", text)
	if err != nil {
		b.Fatal(err)
	}
	answer := &answer{header: http.Header{}}
	b.ReportAllocs()
	b.SetBytes(int64(len(event)))
	for b.Loop() {
		text.Reset(event)
		clear(answer.header)
		h.ServeHTTP(answer, request)
		if answer.status != http.StatusOK {
			b.Fatalf("status %d: %s", answer.status, answer.text)
		}
	}
}

// BenchmarkDecide measures how a decision grows with the policies that do not
// apply to the event.
func BenchmarkDecide(b *testing.B) {
	event := rules.Event{Received: time.Now()}
	validator.Decoder{}.Decode(body(b, "small"), &event)
	for _, n := range []int{10, 1_000, 10_000} {
		snapshot := compileSet(b, n)
		b.Run(strconv.Itoa(n)+"-policies", func(b *testing.B) {
			var e rules.Event
			b.ReportAllocs()
			for b.Loop() {
				e = event // An event is decided once.
				if d := snapshot.Decide(b.Context(), &e); !d.Accepted() {
					b.Fatal(d.Code)
				}
			}
		})
	}
}

// answer is an http.ResponseWriter that can be used again.
type answer struct {
	header http.Header
	status int
	text   []byte
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) { a.status = status }

func (a *answer) Write(text []byte) (int, error) {
	a.text = append(a.text[:0], text...)
	return len(text), nil
}

// newFloor returns the handler of test/floor.
func newFloor(testing.TB) http.Handler {
	e := echo.New()
	e.Any("/*", func(c echo.Context) error {
		if _, err := io.Copy(io.Discard, c.Request().Body); err != nil {
			return err
		}
		return c.NoContent(http.StatusOK)
	})
	return e
}

// newSluice returns what the service listener of `sluice serve` has, with 1,000
// policies. The log goes nowhere: the kernel's part is not the handler's.
func newSluice(tb testing.TB) http.Handler {
	tb.Helper()
	encoding := zap.NewProductionEncoderConfig()
	encoding.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	encoding.TimeKey = "time"
	blocks := &zapcore.BufferedWriteSyncer{WS: zapcore.AddSync(io.Discard), Size: 64 << 10, FlushInterval: 250 * time.Millisecond}
	tb.Cleanup(func() { _ = blocks.Stop() })
	log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(encoding), blocks, zap.InfoLevel))
	registry := prometheus.NewRegistry()
	var draining atomic.Bool
	return validator.New(validator.Options{
		Decider: validator.Logged(validator.Measured(validator.Guarded(compileSet(tb, 1_000)), registry, time.Now), blocks),
		Limits:  validator.DefaultLimits(), Close: draining.Load,
		Now: time.Now, Log: log, Registerer: registry,
	})
}
