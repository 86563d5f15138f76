package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestEveryPathThatEndsInTheEndpointIsTheEndpoint: ascp appends the endpoint to
// whatever validation_uri says, and what it says ends as people end it.
func TestEveryPathThatEndsInTheEndpointIsTheEndpoint(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	for _, path := range []string{
		"/validation/files",
		"/validation/files/",
		"/validation/files//",
		"//validation/files",
		"///validation/files",
		"/hst-1/validation/files",
		"/hst-1//validation/files",
		"/a/very/deep/prefix/of/many/segments/validation/files",
		"/with%20space/validation/files",
		"/validation/files/validation/files",
		"/../validation/files",
		"/./validation/files",
		"/hst-1/validation/files?question=1",
		"http://somebody.else/validation/files",
	} {
		t.Run(path, func(t *testing.T) {
			w := s.dial(t)
			w.say(request("POST", path, event()))
			if a := w.answer(); a.status != http.StatusOK {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

// TestNothingElseIsServedAndNothingIsARedirect: other paths are 404, which says
// what to set, and are no decisions.
func TestNothingElseIsServedAndNothingIsARedirect(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	for _, path := range []string{
		"/", "//", "/validation", "/validation/", "/validation/file", "/validation/filesx", "/validation/files/x",
		"/xvalidation/files", "/Validation/Files", "/metrics", "/healthz", "/-/reload",
	} {
		t.Run(path, func(t *testing.T) {
			w := s.dial(t)
			w.say(request("POST", path, event()))
			a := w.answer()
			if a.status != http.StatusNotFound || a.id != "" || len(a.header["Location"]) > 0 {
				t.Errorf("%d %v %s", a.status, a.header, a.body)
			}
			if err := a.refusal(); err != nil || !strings.Contains(a.message, "validation_uri") {
				t.Errorf("%v: %q", err, a.message)
			}
		})
	}
	if n := s.metrics(t).sum("sluice_decision_duration_seconds_count"); n != 0 {
		t.Errorf("%v decisions were made", n)
	}
}

// TestNoContentTypeIsAsked: the body is what counts.
func TestNoContentTypeIsAsked(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	for _, header := range []string{
		"Content-Type: application/json", "Content-type: application/json; charset=utf-8", "content-type: APPLICATION/JSON",
		"Content-Type: application/x-www-form-urlencoded", "Content-Type: text/plain", "Content-Type: multipart/form-data", "Content-Type:",
		"Content-Type: ;;;", "X-No: content type",
	} {
		t.Run(header, func(t *testing.T) {
			w := s.dial(t)
			w.say(request("POST", "/validation/files", event(), header))
			if a := w.answer(); a.status != http.StatusOK {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

func TestABodyMayComeInChunks(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	for _, size := range []int{1, 7, 1 << 20} {
		w := s.dial(t)
		w.say(request("POST", "/validation/files", chunked(event(), size), "Transfer-Encoding: chunked"))
		if a := w.answer(); a.status != http.StatusOK {
			t.Errorf("in chunks of %d: %d %s", size, a.status, a.body)
		}
		w.say(request("POST", "/validation/files", chunked(file("/etc/passwd"), size), "Transfer-Encoding: chunked"))
		if a := w.answer(); a.code != "1020" {
			t.Errorf("in chunks of %d: %d %s", size, a.status, a.body)
		}
	}
}

func TestExpectContinueIsAnswered(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	if a := s.dial(t).hold(event())(); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestHTTP10IsAnswered: with and without keep-alive, and with no Host.
func TestHTTP10IsAnswered(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	w := s.dial(t)
	w.say(fmt.Sprintf("POST /validation/files HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s", len(event()), event()))
	if a := w.answer(); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	w.closed()

	w = s.dial(t)
	for range 3 {
		w.say(fmt.Sprintf("POST /validation/files HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: %d\r\n\r\n%s", len(event()), event()))
		if a := w.answer(); a.status != http.StatusOK {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

// TestAConnectionForEachRequestAndOneForAll: either works, and neither makes a
// difference to the answers.
func TestAConnectionForEachRequestAndOneForAll(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	kept := s.dial(t)
	ids := map[string]bool{}
	for range 50 {
		fresh := s.dial(t)
		fresh.say(request("POST", "/validation/files", event(), "Connection: close"))
		a := fresh.answer()
		fresh.closed()
		kept.say(request("POST", "/validation/files", event()))
		b := kept.answer()
		if a.status != http.StatusOK || b.status != http.StatusOK {
			t.Fatalf("%d %s, %d %s", a.status, a.body, b.status, b.body)
		}
		ids[a.id], ids[b.id] = true, true
	}
	if len(ids) != 100 {
		t.Errorf("100 answers to the same event have %d ids", len(ids))
	}
}

// TestPipelinedRequestsAreAnsweredInOrder sends them in one piece.
func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	bodies := []string{event(), file("/elsewhere/clip.mov"), file("/ingest/clip.mov.exe"), "{", file("/ingest/clip.txt")}
	want := []string{"", "1020", "1021", "1001", "1022"}
	var all strings.Builder
	for i := range 20 {
		all.WriteString(request("POST", "/validation/files", bodies[i%len(bodies)]))
	}
	w := s.dial(t)
	w.say(all.String())
	for i := range 20 {
		if a := w.answer(); a.code != want[i%len(want)] {
			t.Errorf("answer %d has the code %q, want %q", i, a.code, want[i%len(want)])
		}
	}
}

// TestARepeatedEventGetsTheSameAnswer: whatever was asked before.
func TestARepeatedEventGetsTheSameAnswer(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	for _, body := range []string{event(), file("/ingest/a.exe"), event("cipher", `"none"`)} {
		first := s.post(t, body)
		for range 5 {
			if again := s.post(t, body); again.status != first.status || again.body != first.body {
				t.Errorf("first %d %s, then %d %s", first.status, first.body, again.status, again.body)
			}
		}
	}
}
