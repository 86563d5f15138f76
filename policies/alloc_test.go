//go:build !race

package policies_test

import (
	"context"
	"testing"

	"github.com/sluiceproject/sluice/rules"
)

// The race detector makes sync.Pool forget at random, so this is not counted
// under it.
func TestAcceptingAllocatesNothing(t *testing.T) {
	for _, n := range []int{1, 10, 1000} {
		s, events := benchmarkSet(t, n)
		for _, event := range events {
			var e rules.Event
			allocations := testing.AllocsPerRun(200, func() {
				e = event // The room for steps is used once for each event.
				if d := s.Decide(context.Background(), &e); !d.Accepted() || len(d.Steps) == 0 {
					t.Fatalf("got %+v", d.Verdict)
				}
			})
			if allocations != 0 {
				t.Errorf("%d policies: %v allocations to accept %s", n, allocations, event.File.Raw)
			}
		}
	}
}
