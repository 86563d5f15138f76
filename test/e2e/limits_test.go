package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestABodyBeyondTheLimitIsRefused: with a Content-Length unread, without one
// as soon as there is more.
func TestABodyBeyondTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: "limits: {body: 2 KiB}\n"})
	padded := func(n int) string { return event() + strings.Repeat(" ", n-len(event())) }
	if a := s.post(t, padded(2048)); a.status != http.StatusOK {
		t.Errorf("2,048 bytes: %d %s", a.status, a.body)
	}
	for _, size := range []int{2049, 100_000, 10 << 20} {
		t.Run(fmt.Sprintf("%d bytes with a length", size), func(t *testing.T) {
			s.malformed(t, "too_large", "1001", func() answer {
				w := s.dial(t)
				go w.Write([]byte(request("POST", "/validation/files", padded(size)))) // The server need not read it.
				return w.answer()
			})
		})
		t.Run(fmt.Sprintf("%d bytes in chunks", size), func(t *testing.T) {
			s.malformed(t, "too_large", "1001", func() answer {
				w := s.dial(t)
				body := chunked(padded(size), 1<<16)
				go w.Write([]byte(request("POST", "/validation/files", body, "Transfer-Encoding: chunked")))
				return w.answer()
			})
		})
	}
	if !strings.Contains(s.log.find("decision", "reason", "too_large")[0].text("message"), "2 KiB") {
		t.Error("the message does not tell the limit")
	}
}

// TestAHeaderBeyondTheLimitGets431 and the connection ends; it is no decision.
func TestAHeaderBeyondTheLimitGets431(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: "limits: {header: 1 KiB}\n"})
	w := s.dial(t)
	w.say(request("POST", "/validation/files", event(), "X-Long: "+strings.Repeat("a", 16<<10)))
	if a := w.answer(); a.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a long header: %d %s", a.status, a.body)
	}
	w = s.dial(t)
	w.say(request("POST", "/"+strings.Repeat("a", 16<<10)+"/validation/files", event()))
	if a := w.answer(); a.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a long path: %d %s", a.status, a.body)
	}
	if n := s.metrics(t).sum("sluice_decision_duration_seconds_count"); n != 0 {
		t.Errorf("%v decisions were made", n)
	}
	s.healthy(t)
}

// TestASlowHeaderIsClosed: after limits.header_time, without a verdict.
func TestASlowHeaderIsClosed(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: "limits: {header_time: 1s, read_time: 24h, idle_time: 24h}\n"})
	for _, begun := range []string{"P", "POST /validation/files HTTP/1.1\r\n", "POST /validation/files HTTP/1.1\r\nHost: sluice\r\nContent-Le"} {
		w := s.dial(t)
		w.say(begun)
		w.ended()
	}
	if n := s.metrics(t).sum("sluice_decision_duration_seconds_count"); n != 0 {
		t.Errorf("%v decisions were made", n)
	}
	s.healthy(t)
}

// TestConnectionsThatBreakOffBreakNothing: at any place of a request.
func TestConnectionsThatBreakOffBreakNothing(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	whole := request("POST", "/validation/files", event())
	for n := 0; n < len(whole); n += 9 {
		w := s.dial(t)
		w.say(whole[:n])
		w.Close()
	}
	w := s.dial(t)
	w.say("POST /valid")
	w.half()
	w.ended()
	s.healthy(t)
}

// TestAConnectionThatEndsUnreadIsTold in the log and by a counter, unless nothing
// was sent on it, as by a load balancer that looks whether the port is open.
func TestAConnectionThatEndsUnreadIsTold(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: "limits: {header_time: 1s}\n"})
	s.dial(t).Close()
	w := s.dial(t)
	w.say(request("POST", "/validation/files", event()))
	w.answer()
	w.Close()
	for range 2 {
		w = s.dial(t)
		w.say("POST /validation/files HTTP/1.1\r\n")
		w.Close()
	}
	w = s.dial(t)
	w.say("POST /validation/files HTTP/1.1\r\n")
	w.ended() // After limits.header_time.
	await(t, "three connections are counted", func() bool { return s.metrics(t).sum("sluice_connections_unread_total") == 3 })
	await(t, "and in the log", func() bool { return len(s.log.find("connection ended before a whole request was read")) == 3 })
}

// TestWhatIsNotHTTPBreaksNothing and no event is accepted by mistake.
func TestWhatIsNotHTTPBreaksNothing(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	for _, said := range []string{
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\r\n\r\n\r\n\r\n", "GET\r\n\r\n", strings.Repeat("\x00", 100) + "\r\n\r\n",
		"POST /validation/files HTTP/9.9\r\nHost: a\r\n\r\n", "POST /validation/files HTTP/1.1\r\n\r\n",
		"POST /validation/files HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
		"POST /validation/files HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
		"POST /%zz/validation/files HTTP/1.1\r\nHost: a\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		w := s.dial(t)
		w.say(said)
		w.half()
		var rest [1 << 16]byte
		n, _ := w.read.Read(rest[:])
		if strings.HasPrefix(string(rest[:n]), "HTTP/1.1 200") {
			t.Errorf("%q is answered %q", said, rest[:n])
		}
		w.Close()
	}
	if n := s.metrics(t).sum("sluice_decisions_total", "verdict", "accept"); n != 0 {
		t.Errorf("%v events were accepted", n)
	}
	s.healthy(t)
}

// TestOneEventTooManyIsRefusedAtOnce: while another holds the only place.
func TestOneEventTooManyIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: "limits: {requests: 1, read_time: 24h}\n"})
	rest := s.dial(t).hold(event())
	for range 3 {
		a := s.post(t, event())
		if a.code != "1002" {
			t.Errorf("%d %s", a.status, a.body)
		}
		if l := s.decision(t, a.id); l.text("code") != "1002" || l.text("reason") != "overloaded" {
			t.Errorf("the log line is %s", l.raw)
		}
	}
	m := s.metrics(t)
	if n := m.sum("sluice_decisions_total", "code", "1002", "verdict", "reject"); n != 3 {
		t.Errorf("%v decisions with the code 1002", n)
	}
	if n := m.sum("sluice_malformed_events_total"); n != 0 {
		t.Errorf("%v events count as malformed", n)
	}
	if a := rest(); a.status != http.StatusOK {
		t.Errorf("the event that held the place: %d %s", a.status, a.body)
	}
	await(t, "the place is free", func() bool { return s.post(t, event()).status == http.StatusOK })
	s.healthy(t)
}

// TestOneConnectionTooManyIsClosedAtOnce: it is counted, and the others go on.
func TestOneConnectionTooManyIsClosedAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: "limits: {connections: 4, header_time: 24h, read_time: 24h}\n"})
	var held []*wire
	for range 4 {
		w := s.dial(t)
		w.say("POST /validation/files HTTP/1.1\r\n")
		held = append(held, w)
	}
	for range 3 {
		s.dial(t).closed()
	}
	if n := s.metrics(t).sum("sluice_connections_refused_total"); n != 3 {
		t.Errorf("sluice_connections_refused_total is %v, want 3", n)
	}
	for _, w := range held {
		w.say(strings.TrimPrefix(request("POST", "/validation/files", event()), "POST /validation/files HTTP/1.1\r\n"))
	}
	closing := 0
	for _, w := range held {
		a := w.answer()
		if a.status != http.StatusOK {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a.last {
			closing++
		}
	}
	if closing == 0 {
		t.Error("no connection was ended although all places were taken")
	}
	await(t, "there is room again", func() bool {
		a, err := s.send(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, event())
		return err == nil && a.status == http.StatusOK
	})
}

// TestAnIdleConnectionIsClosed: after limits.idle_time.
func TestAnIdleConnectionIsClosed(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: "limits: {idle_time: 100ms, header_time: 24h, read_time: 24h}\n"})
	w := s.dial(t)
	w.say(request("POST", "/validation/files", event()))
	if a := w.answer(); a.status != http.StatusOK || a.last {
		t.Fatalf("%d %v", a.status, a.header)
	}
	w.closed()
}
