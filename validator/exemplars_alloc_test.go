//go:build !race

package validator_test

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// TestCountingAllocatesNothing for a decision that is nobody's example.
func TestCountingAllocatesNothing(t *testing.T) {
	answer := rules.Decision{}
	d := validator.Measured(deciderFunc(func(context.Context, *rules.Event) rules.Decision { return answer }), prometheus.NewRegistry(), func() time.Time { return noon })
	e := arrived(event())
	if n := testing.AllocsPerRun(1000, func() { d.Decide(context.Background(), e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkMeasured counts decisions that come one after the other.
func BenchmarkMeasured(b *testing.B) {
	for _, row := range []struct {
		name   string
		answer rules.Decision
	}{
		{"accepted", rules.Decision{}},
		{"refused", rules.Decision{Verdict: rules.Verdict{Code: "1023"}, Policy: "p", Rule: "r", Kind: "size"}},
	} {
		b.Run(row.name, func(b *testing.B) {
			d := validator.Measured(deciderFunc(func(context.Context, *rules.Event) rules.Decision { return row.answer }), prometheus.NewRegistry(), time.Now)
			e := arrived(event())
			b.ReportAllocs()
			for b.Loop() {
				e.Received = time.Now()
				d.Decide(context.Background(), e)
			}
		})
	}
}
