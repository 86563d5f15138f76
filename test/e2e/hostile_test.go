package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// malformed fails the test unless an answer is a refusal of an event that could
// not be read, with one log line and one more in the counter of the reason.
func (s *server) malformed(t *testing.T, reason, code string, ask func() answer) {
	t.Helper()
	before := s.metrics(t)
	a := ask()
	if a.status != http.StatusBadRequest {
		t.Fatalf("%d %s", a.status, a.body)
	}
	l := s.decision(t, a.id)
	if l.text("code") != code || l.text("reason") != reason || l.text("verdict") != "reject" || l.text("phase") != "unknown" {
		t.Errorf("the log line is %s", l.raw)
	}
	if a.header.Get("Content-Length") != "" && a.body != "" && (a.code != code || a.message != l.text("message")) {
		t.Errorf("the answer is %s, and in the log there is %s", a.body, l.raw)
	}
	after := s.metrics(t)
	for _, m := range after.with("sluice_malformed_events_total") {
		want := map[bool]float64{true: 1, false: 0}[m.labels["reason"] == reason]
		if grown := m.value - before.sum(m.name, "reason", m.labels["reason"]); grown != want {
			t.Errorf("the counter of %s grew by %v, want %v", m.labels["reason"], grown, want)
		}
	}
	labels := []string{"verdict", "reject", "mode", "enforce", "phase", "unknown", "code", code, "policy", "", "rule", "", "kind", ""}
	if grown := after.sum("sluice_decisions_total", labels...) - before.sum("sluice_decisions_total", labels...); grown != 1 {
		t.Errorf("the decisions with the code %s grew by %v", code, grown)
	}
	s.healthy(t)
}

// TestAnEventThatCannotBeReadIsRefused: by the reason, and nothing else breaks.
func TestAnEventThatCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	for _, c := range []struct{ name, reason, body string }{
		{"empty body", "empty", ""},
		{"white space", "empty", " \r\n\t "},
		{"a word", "syntax", "hello"},
		{"an array", "syntax", "[" + event() + "]"},
		{"a form", "syntax", "startstop=start&file=/ingest/a.mov"},
		{"a byte-order mark", "syntax", "\ufeff" + event()},
		{"UTF-16", "syntax", "\xff\xfe{\x00}\x00"},
		{"a comment", "syntax", "{/* */}"},
		{"a trailing comma", "syntax", `{"startstop":"start",}`},
		{"NUL between members", "syntax", "{\x00}"},
		{"NUL after the event", "trailing", event() + "\x00"},
		{"another event behind it", "trailing", event() + event()},
		{"a brace behind it", "trailing", event() + "}"},
		{"half an event", "truncated", event()[:100]},
		{"a member twice", "duplicate", event("extra", `1,"file":"/ingest/a.exe"`)},
		{"a member twice, once in escapes", "duplicate", event("extra", `1,"f\u0069le":"/ingest/a.exe"`)},
		{"a member twice in the tags", "duplicate", event("tags", `{"a":{"b":1,"b":2}}`)},
		{"not UTF-8", "encoding", event("file", "\"/ingest/a\xff.mov\"")},
		{"half a surrogate pair", "encoding", event("file", `"/ingest/\ud800.mov"`)},
		{"overlong UTF-8", "encoding", event("file", "\"/ingest/\xc0\xaf.mov\"")},
		{"5,000 objects in the tags", "depth", event("tags", strings.Repeat(`{"a":`, 5000)+"1"+strings.Repeat("}", 5000))},
		{"5,000 arrays in the tags", "depth", event("tags", strings.Repeat("[", 5000)+strings.Repeat("]", 5000))},
		{"NUL in the path", "file", event("file", `"/ingest/a.mov\u0000.exe"`)},
		{"an empty path", "file", event("file", `""`)},
		{"a path that is null", "file", event("file", `null`)},
		{"a path that is a list", "file", event("file", `["/ingest/a.mov"]`)},
		{"size 2^63", "size", event("size", "9223372036854775808")},
		{"size 2^64+1", "size", event("size", "18446744073709551617")},
		{"a negative size", "size", event("size", "-1")},
		{"a fractional size", "size", event("size", "1.5")},
		{"a size with an exponent", "size", event("size", "1e3")},
		{"a size in words", "size", event("size", `"big"`)},
		{"a size that is an object", "size", event("size", `{}`)},
		{"no phase", "startstop", event("startstop", "")},
		{"another phase", "startstop", event("startstop", `"begin"`)},
		{"a phase in another case", "startstop", event("startstop", `"Start"`)},
		{"a user that is an object", "type", event("user", `{"name":"partner-7"}`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.malformed(t, c.reason, "1001", func() answer { return s.post(t, c.body) })
		})
	}
}

// TestABodyThatDoesNotArriveIsRefused: what ascp never does, and a network does.
func TestABodyThatDoesNotArriveIsRefused(t *testing.T) {
	t.Parallel()
	s, hasty := start(t, setup{}), start(t, setup{config: "limits: {read_time: 1s}\n"})
	half := event()[:100]
	t.Run("half a body and half a close", func(t *testing.T) {
		s.malformed(t, "aborted", "1001", func() answer {
			w := s.dial(t)
			w.say(request("POST", "/validation/files", half, "Content-Length: 500"))
			w.half()
			return w.answer()
		})
	})
	t.Run("half a body in chunks and half a close", func(t *testing.T) {
		s.malformed(t, "aborted", "1001", func() answer {
			w := s.dial(t)
			w.say(request("POST", "/validation/files", "64\r\n"+half+"\r\n", "Transfer-Encoding: chunked"))
			w.half()
			return w.answer()
		})
	})
	t.Run("chunks that are none", func(t *testing.T) {
		s.malformed(t, "aborted", "1001", func() answer {
			w := s.dial(t)
			w.say(request("POST", "/validation/files", "zz\r\n"+half+"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"))
			return w.answer()
		})
	})
	t.Run("half a body and silence", func(t *testing.T) {
		hasty.malformed(t, "timeout", "1003", func() answer {
			w := hasty.dial(t)
			w.say(request("POST", "/validation/files", half, "Content-Length: 500"))
			a := w.answer()
			w.closed()
			return a
		})
	})
	t.Run("half a body and the connection is gone", func(t *testing.T) {
		before := len(s.log.find("decision", "reason", "aborted"))
		w := s.dial(t)
		w.say(request("POST", "/validation/files", half, "Content-Length: 500"))
		w.Close()
		await(t, "a log line", func() bool { return len(s.log.find("decision", "reason", "aborted")) == before+1 })
		s.healthy(t)
	})
}

// TestOnlyPOSTIsAnEvent: every other method is a refusal like any other, because
// no other status is a verdict.
func TestOnlyPOSTIsAnEvent(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	for _, method := range []string{"GET", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "post", "NOSUCH"} {
		t.Run(method, func(t *testing.T) {
			s.malformed(t, "method", "1001", func() answer {
				w := s.dial(t)
				w.say(request(method, "/validation/files", event()))
				return w.answerTo(method)
			})
		})
	}
}

// TestHostileNamesAreRefusedByTheRules: they can be read, so the policies which
// ship refuse them.
func TestHostileNamesAreRefusedByTheRules(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	for _, c := range []struct{ name, path, rule, code string }{
		{"dots that lead out", "/ingest/../etc/a.mov", "plain-path", "1020"},
		{"dots that lead back", "/ingest/x/../a.mov", "plain-path", "1020"},
		{"dots at the end", "/ingest/..", "plain-path", "1020"},
		{"a dot", "/ingest/./a.mov", "plain-path", "1020"},
		{"two slashes", "/ingest//a.mov", "plain-path", "1020"},
		{"a relative path", "ingest/a.mov", "plain-path", "1020"},
		{"a Windows path", `C:\ingest\..\a.mov`, "plain-path", "1020"},
		{"a line break", "/ingest/a\n.mov", "honest-name", "1021"},
		{"an escape sequence", "/ingest/\x1b[2J.mov", "honest-name", "1021"},
		{"a C1 control character", "/ingest/\u009b2J.mov", "honest-name", "1021"},
		{"right to left", "/ingest/a\u202evom.exe", "honest-name", "1021"},
		{"an isolate", "/ingest/a\u2066b.mov", "honest-name", "1021"},
		{"a program behind a film", "/ingest/a.mov.exe", "honest-name", "1021"},
		{"a device", "/ingest/CON.mov", "honest-name", "1021"},
		{"a stream", "/ingest/a.mov:b.mov", "honest-name", "1021"},
		{"300 bytes", "/ingest/" + strings.Repeat("a", 300) + ".mov", "honest-name", "1021"},
		{"a megabyte, almost", "/ingest/" + strings.Repeat("\u202e", 300_000) + ".mov", "honest-name", "1021"},
		{"a program", "/ingest/a.exe", "no-programs", "1022"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.post(t, file(c.path))
			l := s.decision(t, a.id)
			if a.code != c.code || l.text("rule") != c.rule {
				t.Errorf("%s, by the rule %q; want %s by %s", a.body, l.text("rule"), c.code, c.rule)
			}
			if strings.ContainsFunc(l.raw, func(r rune) bool {
				return r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
			}) {
				t.Errorf("the log line would obey the name: %q", l.raw)
			}
			if len(l.raw) > 16<<10 {
				t.Errorf("the log line has %d bytes", len(l.raw))
			}
		})
	}
	s.healthy(t)
}

// TestNamesOfMembersMatchExactly: File is not file. An event that lacks what a
// rule asks about is refused by that rule, which cannot tell; one that has
// neither a file nor a size is about the session, and no file passes with it.
func TestNamesOfMembersMatchExactly(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	for _, c := range []struct{ name, body, rule, code string }{
		{"File instead of file", event("file", "", "File", `"/ingest/a.mov"`), "plain-path", "1020"},
		{"File beside file", event("File", `"/ingest/a.exe"`), "", ""},
		{"FILE beside a file that is refused", event("file", `"/ingest/a.exe"`, "FILE", `"/ingest/a.mov"`), "no-programs", "1022"},
		{"Size instead of size", event("size", "", "Size", "1"), "not-too-big", "1023"},
		{"Cipher instead of cipher", event("cipher", "", "Cipher", `"aes-256"`), "encrypted-in-transit", "1027"},
		{"neither file nor size", event("file", "", "size", "", "File", `"/ingest/a.exe"`, "Size", "1"), "", ""},
		{"Direction instead of direction", event("direction", "", "Direction", `"recv"`), "", "1005"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.post(t, c.body)
			if l := s.decision(t, a.id); a.code != c.code || l.text("rule") != c.rule {
				t.Errorf("%d %s, by the rule %q; want the code %q by %q", a.status, a.body, l.text("rule"), c.code, c.rule)
			}
		})
	}
	s.malformed(t, "startstop", "1001", func() answer { return s.post(t, event("startstop", "", "StartStop", `"start"`)) })
}

// TestJunkAddresses: they are kept as text. A rule about addresses cannot tell
// and refuses; nobody else minds.
func TestJunkAddresses(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	download := func(ip string) string {
		return event("file", `"/outgoing/a.mov"`, "direction", `"send"`, "client_ip", fmt.Sprintf("%q", ip))
	}
	for _, c := range []struct{ ip, code string }{
		{"203.0.113.9", ""},
		{"::ffff:203.0.113.9", ""},
		{"2001:db8::1", ""},
		{"192.0.2.1", "1026"},
		{"", "1026"},
		{"999.0.0.1", "1026"},
		{"203.0.113.9:443", "1026"},
		{"203.0.113.0/24", "1026"},
		{"203.0.113.9 ", "1026"},
		{"0xcb.0.0x71.9", "1026"},
		{"[2001:db8::1]", "1026"},
		{"localhost", "1026"},
		{strings.Repeat("1", 100_000), "1026"},
	} {
		t.Run(c.ip[:min(len(c.ip), 20)], func(t *testing.T) {
			a := s.post(t, download(c.ip))
			if a.code != c.code {
				t.Errorf("a download: %d %s, want the code %q", a.status, a.body, c.code)
			}
			if l := s.decision(t, a.id); c.code != "" && l.text("rule") != "known-networks" {
				t.Errorf("the log line is %s", l.raw)
			}
			if a := s.post(t, event("client_ip", fmt.Sprintf("%q", c.ip))); a.status != http.StatusOK {
				t.Errorf("an upload: %d %s", a.status, a.body)
			}
		})
	}
}

// TestOddButWholeEventsAreDecided: numbers in quotes, null and members that
// nobody knows are no reason to refuse.
func TestOddButWholeEventsAreDecided(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	for name, body := range map[string]string{
		"numbers in quotes":       event("size", `"1048576"`, "start_byte", `"0"`, "target_rate_kbps", `"100"`),
		"null for what is absent": event("start_byte", "null", "bytes_written", "null", "cookie", "null", "tags", "null"),
		"numbers for texts":       event("userid", "1004", "user_id", "1004", "session_id", "7"),
		"unknown members":         event("new", `{"a":[1,2,{"b":null}]}`, "", `1`),
		"white space":             " \r\n\t" + strings.ReplaceAll(event(), ",", " ,\n ") + "\n",
		"tags in a string":        event("tags", `"{\"project\":\"x\"}"`),
		"tags that are rubbish":   event("tags", `"not json"`),
		"deep tags in a string":   event("tags", `"`+strings.Repeat("[", 5000)+`"`),
		"2,000 members":           event("tags", "{"+strings.TrimSuffix(manyMembers(2000), ",")+"}"),
	} {
		t.Run(name, func(t *testing.T) {
			if a := s.post(t, body); a.status != http.StatusOK {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

func manyMembers(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, `"m%d":%d,`, i, i)
	}
	return text.String()
}
