package e2e

import (
	"syscall"
	"testing"
	"time"
)

// fault is something that breaks between replicas and their engine.
type fault struct {
	name       string
	user       string
	begin, end func(t *testing.T, f *fleet)
	lasts      time.Duration
}

func faults() []fault {
	var hurt *node
	everyNode := func(do func(n *node, t *testing.T)) func(*testing.T, *fleet) {
		return func(_ *testing.T, f *fleet) {
			for _, n := range f.cluster.nodes {
				do(n, f.whole)
			}
		}
	}
	return []fault{
		{
			name: "the leader is killed", user: "counted-killed", lasts: 10 * time.Second,
			begin: func(t *testing.T, f *fleet) {
				t.Helper()
				hurt = f.cluster.leader(t, "sluice_revisions")
				hurt.kill(t)
			},
			end: func(_ *testing.T, f *fleet) { hurt.begin(f.whole) },
		},
		{
			name: "the leader hangs", user: "counted-hung", lasts: 15 * time.Second,
			begin: func(t *testing.T, f *fleet) {
				t.Helper()
				hurt = f.cluster.leader(t, "sluice_revisions")
				hurt.signal(t, syscall.SIGSTOP)
			},
			end: func(t *testing.T, _ *fleet) { t.Helper(); hurt.signal(t, syscall.SIGCONT) },
		},
		{
			name: "a replica is cut off", user: "counted-cut", lasts: 6 * time.Second,
			begin: func(_ *testing.T, f *fleet) { f.gates[0].shut(true) },
			end:   func(_ *testing.T, f *fleet) { f.gates[0].shut(false) },
		},
		{
			name: "the whole engine is gone", user: "counted-gone", lasts: 6 * time.Second,
			begin: everyNode((*node).die),
			end:   everyNode((*node).rise),
		},
	}
}

// TestAFleetOutlivesItsEngine breaks the engine of three replicas in every way, one
// after the other, under load. No event goes unanswered, nothing that was
// acknowledged is lost, and all becomes one again by itself.
func TestAFleetOutlivesItsEngine(t *testing.T) {
	f := startFleet(t)
	var before summary
	f.during(t, "counted-before", func() {
		calm := startLoad(t, f.replicas[0])
		time.Sleep(5 * time.Second) // How long the figures are gathered.
		before = calm.stop(t)
	})
	for _, fault := range faults() {
		t.Run(fault.name, func(t *testing.T) {
			var broken summary
			var ended, back time.Time
			l := f.during(t, fault.user, func() {
				load := startLoad(t, f.replicas[0])
				fault.begin(t, f)
				time.Sleep(fault.lasts) // How long it stays broken.
				fault.end(t, f)
				ended = time.Now()
				await(t, "the engine acknowledges", f.acknowledges)
				back = time.Now()
				await(t, "every replica counts", f.counts)
				broken = load.stop(t)
			})
			await(t, "the replicas agree", func() bool { return f.converged(t, l) })
			took := time.Since(ended)
			if broken.Errors > 0 || broken.Refused > 0 || broken.Events == 0 {
				t.Errorf("of the load's %d events %d were refused and %d failed", broken.Events, broken.Refused, broken.Errors)
			}
			f.nothingLost(t, l)
			t.Logf("the engine was back %.1f s after the end, and the replicas agreed %.1f s after it; %d events, p99 %.2f times that of before (%.2f ms); acknowledged: %d pushes, %d revocations, %d files; not: %d and %d",
				back.Sub(ended).Seconds(), took.Seconds(), broken.Events, broken.Latency.P99/before.Latency.P99, before.Latency.P99, len(l.pushed), len(l.revoked), len(l.accepted), l.failed, l.unsure)
		})
	}
}
