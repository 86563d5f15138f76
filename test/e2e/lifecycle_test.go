package e2e

import (
	"net"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestSIGTERMFinishesWhatIsInFlight: first /readyz says so and everything goes on
// for shutdown.delay, then no more is taken and what is in flight is answered.
func TestSIGTERMFinishesWhatIsInFlight(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			s := start(t, setup{config: "shutdown: {delay: 3s, timeout: 1m}\n"})
			rest := s.dial(t).hold(event())
			kept := s.dial(t)
			kept.say(request("POST", "/validation/files", event()))
			if a := kept.answer(); a.status != http.StatusOK || a.last {
				t.Fatalf("before the signal: %d, last %t", a.status, a.last)
			}
			s.signal(t, sig)
			await(t, "/readyz says 503", func() bool {
				status, body := s.ready(t)
				return status == http.StatusServiceUnavailable && strings.Contains(body, "shutting down")
			})
			if status, _ := s.ask(t, http.MethodGet, "/healthz"); status != http.StatusOK {
				t.Errorf("/healthz says %d during the delay", status)
			}
			if a := s.post(t, event()); a.status != http.StatusOK || !a.last {
				t.Errorf("an event during the delay: %d %s, last %t", a.status, a.body, a.last)
			}
			await(t, "no new connection is taken", func() bool {
				conn, err := net.Dial("tcp", s.service)
				if err == nil {
					conn.Close()
				}
				return err != nil
			})
			a := rest()
			if a.status != http.StatusOK || !a.last {
				t.Errorf("the event in flight: %d %s, last %t", a.status, a.body, a.last)
			}
			if status, err := s.wait(); status != 0 {
				t.Errorf("exit status %d (%v)", status, err)
			}
			s.decision(t, a.id)
			if n := len(s.log.find("decision")); n != 3 {
				t.Errorf("%d decisions in the log for 3 events", n)
			}
			if lines := s.log.all(); lines[len(lines)-1].text("msg") != "stopped" {
				t.Errorf("the log ends with %s", lines[len(lines)-1].raw)
			}
		})
	}
}

// TestTheLogIsWholeAfterTheEnd: what was decided before SIGTERM is in it.
func TestTheLogIsWholeAfterTheEnd(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	ids := map[string]bool{}
	for range 200 {
		ids[s.post(t, event()).id] = true
	}
	if status, err := s.stop(); status != 0 {
		t.Fatalf("exit status %d (%v)", status, err)
	}
	lines := s.log.find("decision")
	for _, l := range lines {
		delete(ids, l.text("id"))
	}
	if len(lines) != 200 || len(ids) != 0 {
		t.Errorf("%d decisions in the log, and %d answers without one", len(lines), len(ids))
	}
}

// TestAnEventThatNeverArrivesDoesNotHoldUpTheEnd: after shutdown.timeout it is
// cut off, which the log and the exit status say.
func TestAnEventThatNeverArrivesDoesNotHoldUpTheEnd(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: "{shutdown: {timeout: 100ms}, limits: {read_time: 24h}}\n", exit: 2})
	s.dial(t).hold(event())
	s.signal(t, syscall.SIGTERM)
	if status, err := s.wait(); status != 2 {
		t.Errorf("exit status %d (%v)", status, err)
	}
	if len(s.log.find("some events were cut off")) != 1 {
		t.Errorf("the log does not say that events were cut off:\n%s", s.log.tail())
	}
}

// TestSIGHUPNeverEndsTheServer: neither right after the start nor while it is
// shutting down, when an event is in flight.
func TestSIGHUPNeverEndsTheServer(t *testing.T) {
	t.Parallel()
	for range 3 {
		s := start(t, setup{})
		s.signal(t, syscall.SIGHUP)
		s.healthy(t)
		rest := s.dial(t).hold(event())
		s.signal(t, syscall.SIGTERM)
		await(t, "the log says that it is shutting down", func() bool { return len(s.log.find("shutting down")) > 0 })
		s.signal(t, syscall.SIGHUP)
		if a := rest(); a.status != http.StatusOK {
			t.Errorf("the event in flight: %d %s", a.status, a.body)
		}
		if status, err := s.wait(); status != 0 {
			t.Errorf("exit status %d (%v)", status, err)
		}
	}
}

// TestATakenPortIsAClearError: for either listener, with the exit status 2.
func TestATakenPortIsAClearError(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().String()
	for flag, other := range map[string]string{"--listen": "--admin", "--admin": "--listen"} {
		cmd := exec.CommandContext(t.Context(), binary, "serve", "--policies", examples, flag, address, other, "127.0.0.1:0")
		out, _ := cmd.CombinedOutput()
		if status := cmd.ProcessState.ExitCode(); status != 2 {
			t.Errorf("%s: exit status %d", flag, status)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		want := "sluice: " + flag + ": listen tcp " + address + ": bind: address already in use"
		if last := lines[len(lines)-1]; last != want {
			t.Errorf("it says %q, want %q", last, want)
		}
	}
}
