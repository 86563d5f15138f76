package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A refusal ends the session, as it does with ascp.
func TestSimulateStopsAtRefusal(t *testing.T) {
	for _, row := range []struct {
		name    string
		refused string
		lines   []string
		events  []string
		total   string
	}{
		{
			"at start", "b start",
			[]string{"ok      /a", "REFUSED /b  start  1022  No."},
			[]string{"a start", "a stop", "b start"},
			"3: 1 accepted, 1 refused, 0 errors, 1 not sent",
		},
		{
			"at stop", "b stop",
			[]string{"ok      /a", "REFUSED /b  stop  1022  No."},
			[]string{"a start", "a stop", "b start", "b stop"},
			"3: 1 accepted, 1 refused, 0 errors, 1 not sent",
		},
		{
			"at the first file", "a start",
			[]string{"REFUSED /a  start  1022  No."},
			[]string{"a start"},
			"3: 0 accepted, 1 refused, 0 errors, 2 not sent",
		},
		{
			"at the last file", "c stop",
			[]string{"ok      /a", "ok      /b", "REFUSED /c  stop  1022  No."},
			[]string{"a start", "a stop", "b start", "b stop", "c start", "c stop"},
			"3: 2 accepted, 1 refused, 0 errors, 0 not sent",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			service := newSimService(t, simRefusing(row.refused))
			folder := simTree(t, "a", "b", "c")
			got := simulate(t, "--to", service.URL, "--threads=1", "--docroot", folder, folder)
			got.wants(t, 1, row.lines...)
			simContains(t, got.out, row.total)
			simSame(t, "events", row.events, service.heard())
		})
	}
}

// With --all the session goes on, but a file that was refused is done.
func TestSimulateAll(t *testing.T) {
	service := newSimService(t, simRefusing("a start", "c stop"))
	folder := simTree(t, "a", "b", "c", "d")
	got := simulate(t, "--to", service.URL, "--threads=1", "--all", "--docroot", folder, folder)
	got.wants(t, 1, "REFUSED /a  start  1022  No.", "ok      /b", "REFUSED /c  stop  1022  No.", "ok      /d")
	simContains(t, got.out, "files    4: 2 accepted, 2 refused, 0 errors, 0 not sent\n")
	simSame(t, "events", []string{"a start", "b start", "b stop", "c start", "c stop", "d start", "d stop"}, service.heard())
}

// simSignal is a writer that closes seen when a line holds the text.
type simSignal struct {
	text string
	seen chan struct{}
	once sync.Once
}

func (s *simSignal) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(s.text)) {
		s.once.Do(func() { close(s.seen) })
	}
	return len(line), nil
}

// What is under way when a refusal comes is finished and shown, and nothing new
// is sent.
func TestSimulateFinishesWhatIsUnderWay(t *testing.T) {
	refused := &simSignal{text: "REFUSED", seen: make(chan struct{})}
	both := make(chan struct{})
	service := newSimService(t, func(w http.ResponseWriter, _ *http.Request, e simHeard) {
		switch e.String() {
		case "a start":
			<-both // Only when b is under way.
			simRefuse(w, "7", "No.")
		case "b start":
			close(both)
			<-refused.seen // Only when the client knows of the refusal.
		}
	})
	folder := simTree(t, "a", "b", "c", "d")
	got := simulateWith(t, t.Context(), refused, "--to", service.URL, "--threads=2", "--docroot", folder, folder)
	got.wants(t, 1, "REFUSED /a  start  7  No.", "unsent  /b  stop  the session has ended")
	simContains(t, got.out, "files    4: 0 accepted, 1 refused, 0 errors, 3 not sent\n", "events   2 in")
	events := service.heard()
	slices.Sort(events)
	simSame(t, "events", []string{"a start", "b start"}, events)
}

// Each session ends by itself; together they are one transfer.
func TestSimulateSessions(t *testing.T) {
	service := newSimService(t, simRefusing("a start"))
	folder := simTree(t, "a", "b", "c", "d", "e")
	got := simulate(t, "--to", service.URL, "--threads=1", "--sessions=2", "--docroot", folder, folder)
	got.wants(t, 1, "REFUSED /a  start  1022  No.", "ok      /b", "ok      /d")
	simContains(t, got.out, "files    5: 2 accepted, 1 refused, 0 errors, 2 not sent\n")

	files, transfers := map[string][]string{}, map[string]bool{}
	for _, e := range service.events {
		files[e.Session] = append(files[e.Session], e.String())
		transfers[simMembers(t, e.body)["xfer_id"]] = true
	}
	if len(files) != 2 || len(transfers) != 1 {
		t.Errorf("%d sessions and %d transfers, want 2 and 1", len(files), len(transfers))
	}
	simSame(t, "session of a", []string{"a start"}, files[service.session("a")])
	simSame(t, "session of b", []string{"b start", "b stop", "d start", "d stop"}, files[service.session("b")])
}

// session returns the session that sent a file's events.
func (s *simService) session(file string) string {
	for _, e := range s.events {
		if filepath.Base(e.File) == file {
			return e.Session
		}
	}
	return "none"
}

// As many events are under way as there are threads, and never more. The events
// of one file wait for each other.
func TestSimulateThreads(t *testing.T) {
	const threads, files = 3, 12
	var under, most atomic.Int64
	full := make(chan struct{})
	service := newSimService(t, func(http.ResponseWriter, *http.Request, simHeard) {
		n := under.Add(1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		if n == threads {
			select {
			case <-full:
			default:
				close(full)
			}
		}
		<-full // Nothing is answered before so many are under way.
		under.Add(-1)
	})
	var names []string
	for i := range files {
		names = append(names, fmt.Sprintf("f%02d", i))
	}
	folder := simTree(t, names...)
	if got := simulate(t, "--to", service.URL, "--threads", fmt.Sprint(threads), folder); got.status != 0 {
		t.Fatal(got.out)
	}
	simSame(t, "most under way", int64(threads), most.Load())
	order := map[string][]string{}
	for _, e := range service.events {
		order[e.File] = append(order[e.File], e.Phase)
	}
	simSame(t, "files", files, len(order))
	for file, phases := range order {
		simSame(t, file, []string{"start", "stop"}, phases)
	}
}

// With --overtake a stop may come before its start is answered.
func TestSimulateOvertake(t *testing.T) {
	stopped := make(chan struct{})
	service := newSimService(t, func(w http.ResponseWriter, _ *http.Request, e simHeard) {
		switch e.Phase {
		case "start":
			<-stopped
			simRefuse(w, "1", "Too late.")
		case "stop":
			close(stopped)
		}
	})
	folder := simTree(t, "a")
	got := simulate(t, "--to", service.URL, "--threads=2", "--overtake", "--docroot", folder, folder)
	got.wants(t, 1, "REFUSED /a  start  1  Too late.")
	simContains(t, got.out, "events   2 in")
}

// With one thread nothing can overtake.
func TestSimulateOvertakeWithOneThread(t *testing.T) {
	service := newSimService(t, nil)
	folder := simTree(t, "a", "b")
	simulate(t, "--to", service.URL, "--threads=1", "--overtake", "--docroot", folder, folder).wants(t, 0, "ok      /a", "ok      /b")
	simSame(t, "events", []string{"a start", "a stop", "b start", "b stop"}, service.heard())
}

func TestSimulateRepeat(t *testing.T) {
	service := newSimService(t, nil)
	folder := simTree(t, "a", "b")
	got := simulate(t, "--to", service.URL, "--repeat=3", "--threads=1", "--docroot", folder, folder)
	got.wants(t, 0, "ok      /a", "ok      /a", "ok      /a", "ok      /b", "ok      /b", "ok      /b")
	simSame(t, "events", 12, len(service.heard()))
}

// Once every session has ended, the walk is not repeated.
func TestSimulateRepeatEndsWithTheSession(t *testing.T) {
	service := newSimService(t, simRefusing("a start"))
	folder := simTree(t, "a", "b")
	got := simulate(t, "--to", service.URL, "--repeat=1000000", "--threads=1", "--docroot", folder, folder)
	if got.status != 1 {
		t.Errorf("status %d, want 1", got.status)
	}
	simSame(t, "events", []string{"a start"}, service.heard())
}

func TestSimulateConnections(t *testing.T) {
	folder := simTree(t, "a", "b", "c")
	for mode, want := range map[string]int{"keep": 1, "new": 6} {
		service := newSimService(t, func(w http.ResponseWriter, _ *http.Request, e simHeard) {
			if e.Phase == "stop" { // A body that must be read for the connection to be kept.
				_, _ = io.WriteString(w, `{"file_encryption":{"passphrase":"x"}}`)
			}
		})
		if got := simulate(t, "--to", service.URL, "--threads=1", "--connections", mode, folder); got.status != 0 {
			t.Errorf("%s: %s", mode, got.out)
		}
		simSame(t, "connections with "+mode, want, service.connections)
	}
}

// What each answer means. Whatever is no verdict is an error, and ends the
// session too.
func TestSimulateAnswers(t *testing.T) {
	const jsonType = "application/json"
	const refusal = `{"error":{"code":"1022","message":"No."}}`
	for _, row := range []struct {
		name        string
		status      int
		contentType string
		body        string
		line        string
	}{
		{"200", 200, "", "", "ok      /f"},
		{"200 with file_encryption", 200, jsonType, `{"file_encryption":{"passphrase":"x"}}`, "ok      /f"},
		{"200 with something else", 200, jsonType, `{"accepted":true}`, "ERROR   /f  start  protocol error: a 200 has a body which is not that of file_encryption"},
		{"200 with file_encryption of nothing", 200, jsonType, `{"file_encryption":null}`, "ERROR   /f  start  protocol error: a 200 has a body which is not that of file_encryption"},
		{"200 with text", 200, "text/plain", "OK", "ERROR   /f  start  protocol error: a 200 has a body which is not that of file_encryption"},
		{"200 with a refusal", 200, jsonType, refusal, "ERROR   /f  start  protocol error: a 200 has a body which is not that of file_encryption"},
		{"200 without end", 200, jsonType, strings.Repeat(" ", simMaxAnswer+1), "ERROR   /f  start  protocol error: the answer is longer than 65536 bytes"},
		{"400", 400, jsonType, refusal, "REFUSED /f  start  1022  No."},
		{"400 with a charset", 400, jsonType + "; charset=UTF-8", refusal + "\n", "REFUSED /f  start  1022  No."},
		{"400 with more", 400, jsonType, `{"id":1,"error":{"code":"7","message":"No.","why":[]}}`, "REFUSED /f  start  7  No."},
		{"400 with a long message", 400, jsonType, `{"error":{"code":"7","message":"` + strings.Repeat("m", 400) + `"}}`, "REFUSED /f  start  7  " + strings.Repeat("m", 198) + "…" + strings.Repeat("m", 99)},
		{"400 of another type", 400, "text/plain", refusal, `ERROR   /f  start  protocol error: a 400 has the Content-Type "text/plain", not application/json`},
		{"400 without a body", 400, jsonType, "", "ERROR   /f  start  protocol error: the body of a 400 is not the JSON object of an error"},
		{"400 with something else", 400, jsonType, `{"message":"Bad Request"}`, "ERROR   /f  start  protocol error: the body of a 400 has no error"},
		{"400 with a text", 400, jsonType, `{"error":"No."}`, "ERROR   /f  start  protocol error: the body of a 400 is not the JSON object of an error"},
		{"400 with more behind it", 400, jsonType, refusal + refusal, "ERROR   /f  start  protocol error: the body of a 400 is not the JSON object of an error"},
		{"400 with a code twice", 400, jsonType, `{"error":{"code":"1","code":"2","message":""}}`, "ERROR   /f  start  protocol error: the body of a 400 is not the JSON object of an error"},
		{"400 with a number as code", 400, jsonType, `{"error":{"code":1022,"message":"No."}}`, "ERROR   /f  start  protocol error: the error's code is a number, not a string"},
		{"400 with null as code", 400, jsonType, `{"error":{"code":null,"message":"No."}}`, "ERROR   /f  start  protocol error: the error's code is null, not a string"},
		{"400 without a code", 400, jsonType, `{"error":{"message":"No."}}`, "ERROR   /f  start  protocol error: the error's code is missing, not a string"},
		{"400 with a code of another case", 400, jsonType, `{"error":{"Code":"1","message":"No."}}`, "ERROR   /f  start  protocol error: the error's code is missing, not a string"},
		{"400 without a message", 400, jsonType, `{"error":{"code":"1"}}`, "ERROR   /f  start  protocol error: the error's message is missing, not a string"},
		{"400 with a list as message", 400, jsonType, `{"error":{"code":"1","message":["No."]}}`, "ERROR   /f  start  protocol error: the error's message is an array, not a string"},
		{"400 with bytes that are not UTF-8", 400, jsonType, "{\"error\":{\"code\":\"1\",\"message\":\"\xff\"}}", "ERROR   /f  start  protocol error: the body of a 400 is not the JSON object of an error"},
		{"400 with a message that attacks the terminal", 400, jsonType, `{"error":{"code":"\u001b","message":"\u001b[2J\n\u202e"}}`, `REFUSED /f  start  \u001b  \u001b[2J\u000a\u202e`},
		{"201", 201, "", "", "ERROR   /f  start  status 201 Created is no verdict"},
		{"204", 204, "", "", "ERROR   /f  start  status 204 No Content is no verdict"},
		{"403 with a refusal", 403, jsonType, refusal, "ERROR   /f  start  status 403 Forbidden is no verdict"},
		{"404", 404, "", "", "ERROR   /f  start  status 404 Not Found is no verdict"},
		{"503", 503, "", "", "ERROR   /f  start  status 503 Service Unavailable is no verdict"},
	} {
		t.Run(row.name, func(t *testing.T) {
			service := newSimService(t, func(w http.ResponseWriter, _ *http.Request, _ simHeard) {
				if row.contentType != "" {
					w.Header().Set("Content-Type", row.contentType)
				}
				w.WriteHeader(row.status)
				_, _ = io.WriteString(w, row.body)
			})
			folder := simTree(t, "f", "g/g")
			got := simulate(t, "--to", service.URL, "--threads=1", "--docroot", folder, folder)
			if strings.HasPrefix(row.line, "ok") {
				got.wants(t, 0, row.line, "ok      /g/g")
				return
			}
			got.wants(t, 1, row.line)
			simSame(t, "events", []string{"f start"}, service.heard())
		})
	}
}

func TestSimulateFollowsNoRedirect(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			t.Errorf("%d was followed: %s %s", status, r.Method, r.URL)
		}))
		defer elsewhere.Close()
		service := newSimService(t, func(w http.ResponseWriter, r *http.Request, _ simHeard) {
			http.Redirect(w, r, elsewhere.URL+"/x", status)
		})
		folder := simTree(t, "f")
		got := simulate(t, "--to", service.URL, "--docroot", folder, folder)
		got.wants(t, 1, fmt.Sprintf("ERROR   /f  start  status %d %s to %q; redirects are not followed", status, http.StatusText(status), elsewhere.URL+"/x"))
	}
}

func TestSimulateTimeout(t *testing.T) {
	for name, begin := range map[string]bool{"before the answer": false, "within the answer": true} {
		t.Run(name, func(t *testing.T) {
			service := newSimService(t, func(w http.ResponseWriter, r *http.Request, e simHeard) {
				if e.Phase == "start" {
					return
				}
				if begin {
					w.WriteHeader(http.StatusOK)
					_ = http.NewResponseController(w).Flush()
				}
				<-r.Context().Done()
			})
			folder := simTree(t, "f")
			got := simulate(t, "--to", service.URL, "--timeout=100ms", "--docroot", folder, folder)
			got.wants(t, 1, "ERROR   /f  stop  no answer within 100ms")
		})
	}
}

// A service that never answers is a wrong --to; one that stops answering is a
// failed session.
func TestSimulateNoAnswer(t *testing.T) {
	hangUp := func(w http.ResponseWriter) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			conn.Close()
		}
	}
	folder := simTree(t, "f")
	t.Run("nobody there", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listener.Close()
		got := simulate(t, "--to", "http://"+listener.Addr().String()+"/secret", "--docroot", folder, folder)
		if got.status != 2 || got.fault == nil || strings.Contains(got.fault.Error()+got.out, "secret") {
			t.Errorf("status %d (%v)", got.status, got.fault)
		}
		simContains(t, got.out, "ERROR   /f  start  dial tcp", "connection refused", "files    1: 0 accepted, 0 refused, 1 errors")
		simContains(t, fmt.Sprint(got.fault), "the service gave no answer: dial tcp")
	})
	t.Run("never", func(t *testing.T) {
		service := newSimService(t, func(w http.ResponseWriter, _ *http.Request, _ simHeard) { hangUp(w) })
		got := simulate(t, "--to", service.URL, "--docroot", folder, folder)
		got.wants(t, 2, "ERROR   /f  start  EOF")
		simSame(t, "events, none of which is repeated", []string{"f start"}, service.heard())
	})
	t.Run("no more", func(t *testing.T) {
		service := newSimService(t, func(w http.ResponseWriter, _ *http.Request, e simHeard) {
			if e.Phase == "stop" {
				hangUp(w)
			}
		})
		got := simulate(t, "--to", service.URL, "--docroot", folder, folder)
		got.wants(t, 1, "ERROR   /f  stop  EOF")
		simSame(t, "events, none of which is repeated", []string{"f start", "f stop"}, service.heard())
	})
}

// An interrupt ends the run at once, with the summary of what was done.
func TestSimulateInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	service := newSimService(t, func(_ http.ResponseWriter, r *http.Request, e simHeard) {
		if e.String() == "b start" {
			interrupt()
			<-r.Context().Done()
		}
	})
	folder := simTree(t, "a", "b", "c", "d")
	got := simulateWith(t, ctx, io.Discard, "--to", service.URL, "--threads=1", "--all", "--docroot", folder, folder)
	got.wants(t, 130, "ok      /a", "unsent  /b  start  interrupted")
	simContains(t, got.out, ": 1 accepted, 0 refused, 0 errors, ", "events   2 in")
	simSame(t, "events", []string{"a start", "a stop", "b start"}, service.heard())
}

func TestSimulateInterruptedBefore(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	service := newSimService(t, nil)
	got := simulateWith(t, ctx, io.Discard, "--to", service.URL, simTree(t, "a"))
	got.wants(t, 130)
	simSame(t, "events", []string{}, service.heard())
}

// simBroken is a writer that fails.
type simBroken struct{}

func (simBroken) Write([]byte) (int, error) { return 0, errors.New("nobody reads this") }

// When nobody reads the output, the run ends.
func TestSimulateOutputBroken(t *testing.T) {
	service := newSimService(t, nil)
	got := simulateWith(t, t.Context(), simBroken{}, "--to", service.URL, "--repeat=1000000", "--threads=1", simTree(t, "a"))
	if got.status != 2 {
		t.Errorf("status %d, want 2", got.status)
	}
	simContains(t, fmt.Sprint(got.fault), "nobody reads this")
}

// Every line of JSON is an object; the names in them are whole.
func TestSimulateJSON(t *testing.T) {
	service := newSimService(t, simRefusing("c stop"))
	folder := simTree(t, "a", "b\u202e\u009b\x1b[2J\n\U000e0001", "c", "d")
	if err := os.Symlink("a", filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	got := simulate(t, "--to", service.URL, "--threads=1", "--format=json", "--docroot", folder, folder)
	if got.status != 1 {
		t.Errorf("status %d, want 1", got.status)
	}
	if bad := strings.ContainsFunc(strings.ReplaceAll(got.out, "\n", ""), func(r rune) bool { return r < ' ' || r > '~' }); bad {
		t.Errorf("a terminal could obey this:\n%q", got.out)
	}
	var lines []map[string]any
	for line := range strings.Lines(got.out) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		lines = append(lines, object)
	}
	session := service.events[0].Session
	last := len(lines) - 1
	summary, _ := lines[last]["summary"].(map[string]any)
	for _, varies := range []string{"elapsed_seconds", "events_per_second", "latency_ms"} {
		if summary[varies] == nil {
			t.Errorf("the summary has no %s", varies)
		}
		delete(summary, varies)
	}
	slices.SortStableFunc(lines[:last], func(a, b map[string]any) int { return strings.Compare(fmt.Sprint(a["file"]), fmt.Sprint(b["file"])) })
	simSame(t, "lines", []map[string]any{
		{"file": "/a", "verdict": "ok", "session_id": session},
		{"file": "/b\u202e\u009b\x1b[2J\n\U000e0001", "verdict": "ok", "session_id": session},
		{"file": "/c", "verdict": "refused", "phase": "stop", "code": "1022", "message": "No.", "session_id": session},
		{"file": "/link", "verdict": "skipped", "cause": "a symbolic link, which is not followed"},
		{"summary": map[string]any{
			"files": 4.0, "accepted": 2.0, "refused": 1.0, "errors": 0.0, "not_sent": 1.0, "skipped": 1.0,
			"events": 6.0, "bytes": float64(len("a") + len("b\u202e\u009b\x1b[2J\n\U000e0001")),
		}},
	}, lines)
}

func TestSimulateQuiet(t *testing.T) {
	service := newSimService(t, simRefusing("b start"))
	folder := simTree(t, "a", "b", "c")
	got := simulate(t, "--to", service.URL, "--quiet", "--all", "--docroot", folder, folder)
	got.wants(t, 1, "REFUSED /b  start  1022  No.")
	simContains(t, got.out, "files    3: 2 accepted, 1 refused")
}
