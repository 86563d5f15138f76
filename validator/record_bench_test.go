package validator_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap/zapcore"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// accepting accepts every event by the rules that it has.
type accepting struct{ asked []*rules.Rule }

// Decide implements validator.Decider.
func (a accepting) Decide(_ context.Context, e *rules.Event) rules.Decision {
	d := rules.Begin(e, "0123456789ab")
	d.Applied = 4
	for _, r := range a.asked {
		d.Steps = append(d.Steps, rules.Step{Rule: r, Outcome: rules.Passed})
	}
	return d
}

// BenchmarkRecord measures what is written of a decision that accepts: its log
// line, as `sluice serve` writes it but without the kernel's part, and its
// metrics.
func BenchmarkRecord(b *testing.B) {
	blocks := &zapcore.BufferedWriteSyncer{WS: zapcore.AddSync(io.Discard), Size: 64 << 10, FlushInterval: 250 * time.Millisecond}
	defer blocks.Stop()
	decider := validator.Logged(validator.Measured(accepting{make([]*rules.Rule, 11)}, prometheus.NewRegistry(), time.Now), blocks)
	for _, name := range []string{"small", "large"} {
		b.Run(name, func(b *testing.B) {
			event := rules.Event{ID: rules.NewID(time.Now(), [10]byte{}), Received: time.Now()}
			validator.Decoder{}.Decode(benchEvent(b, name), &event)
			var e rules.Event
			b.ReportAllocs()
			for b.Loop() {
				e = event // An event is decided once.
				if d := decider.Decide(b.Context(), &e); !d.Accepted() {
					b.Fatal(d.Code)
				}
			}
		})
	}
}
