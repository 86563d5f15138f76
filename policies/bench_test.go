package policies_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

// benchmarkSet returns n policies that select by what installations do, with
// three rules each, and events that they accept.
func benchmarkSet(tb testing.TB, n int) (*policies.Snapshot, []rules.Event) {
	tb.Helper()
	files := set("00000.yaml", policy("hygiene", "rules:\n  - {name: honest, filename: {forbid: [control, bidi, double-extension]}}\n",
		"  - {name: no-programs, extension: {deny: [exe, bat, com]}}\n  - {name: size, size: {max: 1 TiB}}\n"))
	for i := 1; i < n; i++ {
		var to string
		switch i % 5 {
		case 0:
			to = fmt.Sprintf("{user: [partner-%d], direction: [upload]}", i)
		case 1:
			to = fmt.Sprintf(`{user: ["team-%d-*"], path: ["/in/project-%d/**"]}`, i, i)
		case 2:
			to = fmt.Sprintf(`{path: ["/in/project-%d/**"], direction: [upload]}`, i-1)
		case 3:
			to = fmt.Sprintf(`{client_ip: [10.%d.%d.0/24, "2001:db8:%x::/48"]}`, i>>8&255, i&255, i)
		default:
			to = fmt.Sprintf(`{client_ip: [10.%d.0.0/16], path: ["/in/*/customer-%d/*.mov"], direction: [download]}`, i>>8&255, i)
		}
		files[fmt.Sprintf("%05d.yaml", i)] = set("f", policy(fmt.Sprintf("p%d", i), "applies_to: ", to, "\nrules:\n",
			"  - {name: types, extension: {allow: [mov, mxf, mp4]}}\n  - {name: size, size: {max: 500 GiB}}\n",
			"  - {name: cipher, transfer: {cipher: [aes-128, aes-256]}}\n"))["f"]
	}
	event := func(user, addr, path string) rules.Event {
		return rules.Event{
			Phase: rules.PhaseStart, Direction: rules.Upload, User: user, Host: "hst-eu-1", ClientIP: addr, ClientAddr: netip.MustParseAddr(addr),
			File: rules.ParsePath(path), Size: rules.Known(1 << 30), Cipher: "aes-256-gcm", RatePolicy: "fair",
		}
	}
	middle := n / 2 / 5 * 5
	return compile(tb, files), []rules.Event{
		event(fmt.Sprintf("partner-%d", middle), fmt.Sprintf("10.%d.%d.7", (middle+3)>>8&255, (middle+3)&255), fmt.Sprintf("/in/project-%d/reel-1/clip.mov", middle+1)),
		event(fmt.Sprintf("team-%d-ann", middle+1), "2001:db8:8::7", fmt.Sprintf("/in/project-%d/clip.mxf", middle+1)),
		event("nobody", "192.0.2.1", "/elsewhere/clip.mp4"),
	}
}

// BenchmarkDecide decides an event to which four policies apply, with twelve
// rules, and one to which only the policy for all events does, with three.
func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		s, events := benchmarkSet(b, n)
		for _, event := range []rules.Event{events[0], events[2]} {
			e := event
			d := s.Decide(b.Context(), &e)
			b.Run(fmt.Sprintf("policies=%d/applying=%d/rules=%d", n, d.Applied, len(d.Steps)), func(b *testing.B) {
				ctx := context.Background()
				b.ReportAllocs()
				for b.Loop() {
					e = event // An event is decided once.
					if d := s.Decide(ctx, &e); !d.Accepted() {
						b.Fatalf("refused: %+v", d.Verdict)
					}
				}
			})
		}
	}
}
