package validator_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// hearing is a service that notes the last event.
type hearing struct {
	http.Handler
	last *rules.Event
}

func hear(limit int64) *hearing {
	h := &hearing{}
	o := options(deciderFunc(func(ctx context.Context, e *rules.Event) rules.Decision {
		h.last = &rules.Event{Raw: strings.Clone(e.Raw), Fault: e.Fault}
		return byChain()(ctx, e)
	}))
	o.Limits.Body = limit
	h.Handler = validator.New(o)
	return h
}

// reason is why the last event was not read, or nothing.
func (h *hearing) reason() string {
	if h.last.Fault == nil {
		return ""
	}
	return h.last.Fault.Reason
}

// padded is a whole event of exactly n bytes.
func padded(n int) string {
	return event() + strings.Repeat(" ", n-len(event()))
}

// inPieces gives a body in pieces of the given sizes, in turn, and its end
// either with the last of them or after it.
type inPieces struct {
	text    string
	pieces  []int
	withEnd bool
	err     error // instead of the end
	reads   int
}

// Read implements io.Reader.
func (p *inPieces) Read(b []byte) (int, error) {
	end := p.err
	if end == nil {
		end = io.EOF
	}
	if p.text == "" {
		return 0, end
	}
	n := min(len(b), len(p.text), p.pieces[p.reads%len(p.pieces)])
	p.reads++
	copy(b, p.text[:n])
	p.text = p.text[n:]
	if p.text == "" && p.withEnd {
		return n, end
	}
	return n, nil
}

// post sends a body of a stated length, -1 for unknown.
func (h *hearing) post(body io.Reader, length int64) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/validation/files", body)
	r.ContentLength = length
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestBodyLimit(t *testing.T) {
	const limit = 5000
	for _, tc := range []struct {
		name   string
		size   int
		reason string
	}{
		{"far below", 1000, ""},
		{"one below", limit - 1, ""},
		{"exactly", limit, ""},
		{"one above", limit + 1, "too_large"},
		{"far above", 20 * limit, "too_large"},
	} {
		for _, length := range []int64{int64(tc.size), -1} {
			t.Run(fmt.Sprintf("%s, Content-Length %d", tc.name, length), func(t *testing.T) {
				h := hear(limit)
				w := h.post(strings.NewReader(padded(tc.size)), length)
				if h.reason() != tc.reason {
					t.Fatalf("the reason is %q, want %q", h.reason(), tc.reason)
				}
				if tc.reason == "" && (w.Code != 200 || h.last.Raw != padded(tc.size)) {
					t.Errorf("%d %s", w.Code, w.Body)
				}
				want := `{"error":{"code":"1001","message":"The Aspera server's file event is larger than 5 KB. Tell its administrator."}}` + "\n"
				if tc.reason != "" && (w.Code != 400 || w.Body.String() != want) {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			})
		}
	}
}

// endless is a body without end that counts what is taken of it.
type endless struct{ taken int64 }

// Read implements io.Reader.
func (e *endless) Read(b []byte) (int, error) {
	e.taken += int64(len(b))
	return len(b), nil
}

// TestABodyBeyondTheLimitIsNotHeld: what is read of it is bounded too.
func TestABodyBeyondTheLimitIsNotHeld(t *testing.T) {
	for _, limit := range []int64{1 << 10, 10_000, 1 << 20} {
		for _, length := range []int64{-1, 1 << 50} {
			body := &endless{}
			h := hear(limit)
			h.post(body, length)
			if h.reason() != "too_large" {
				t.Errorf("the reason is %q", h.reason())
			}
			if most := 4*limit + 8<<10; body.taken > most {
				t.Errorf("limit %d, Content-Length %d: %d bytes are read, more than %d", limit, length, body.taken, most)
			}
		}
	}
}

// errTimeout is an error as nets give it.
type errTimeout struct{ yes bool }

func (errTimeout) Error() string   { return "secret" }
func (e errTimeout) Timeout() bool { return e.yes }
func (errTimeout) Temporary() bool { return false }

func TestBodyErrors(t *testing.T) {
	const late, broken = "The Aspera server's file event did not arrive in time. Try again.", "The Aspera server's file event did not arrive whole. Try again."
	for _, tc := range []struct {
		name                  string
		err                   error
		code, reason, message string
	}{
		{"connection broken", io.ErrUnexpectedEOF, "1001", "aborted", broken},
		{"any other", errors.New("secret"), "1001", "aborted", broken},
		{"an error of nets that is no timeout", errTimeout{false}, "1001", "aborted", broken},
		{"a server's timeout", os.ErrDeadlineExceeded, "1003", "timeout", late},
		{"a wrapped timeout", fmt.Errorf("reading: %w", os.ErrDeadlineExceeded), "1003", "timeout", late},
		{"an error of nets that is a timeout", &net.OpError{Op: "read", Err: errTimeout{true}}, "1003", "timeout", late},
	} {
		for _, withEnd := range []bool{false, true} {
			for _, text := range []string{"", event()[:10], event()} {
				t.Run(fmt.Sprintf("%s after %d bytes, at once %t", tc.name, len(text), withEnd), func(t *testing.T) {
					h := hear(1 << 20)
					w := h.post(&inPieces{text: text, pieces: []int{7}, withEnd: withEnd, err: tc.err}, int64(len(event())))
					want := `{"error":{"code":"` + tc.code + `","message":"` + tc.message + `"}}` + "\n"
					if w.Code != 400 || w.Body.String() != want || h.reason() != tc.reason {
						t.Errorf("%d %s, reason %s", w.Code, w.Body, h.reason())
					}
				})
			}
		}
	}
}

// TestALyingContentLength over a real connection: the body ends before it
// should, or goes on.
func TestALyingContentLength(t *testing.T) {
	h := hear(1 << 20)
	done := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		done <- h.reason()
	}))
	defer server.Close()
	for _, tc := range []struct {
		name   string
		length int
		status int
		reason string
	}{
		{"true", len(event()), 200, ""},
		{"too long", len(event()) + 1, 400, "aborted"},
		{"far too long", 1 << 20, 400, "aborted"},
		{"longer than the limit", 1<<20 + 1, 400, "too_large"},
		{"too short", len(event()) - 1, 400, "truncated"},
		{"nothing", 0, 400, "empty"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST /validation/files HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", tc.length, event())
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if reason := <-done; reason != tc.reason {
				t.Errorf("the reason is %q, want %q", reason, tc.reason)
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != tc.status {
				t.Errorf("status %d, want %d", response.StatusCode, tc.status)
			}
		})
	}
}

// TestABodyThatIsLate over a real connection whose time is up.
func TestABodyThatIsLate(t *testing.T) {
	h := hear(1 << 20)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)); err != nil {
			t.Error(err)
		}
		h.ServeHTTP(w, r)
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /validation/files HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusBadRequest || !bytes.Contains(body, []byte(`"1003"`)) {
		t.Errorf("%d %s %v", response.StatusCode, body, err)
	}
}

// TestBodyReadIsBodySent however it arrives, whatever was read before it into
// the same memory, and whatever is read afterwards.
func TestBodyReadIsBodySent(t *testing.T) {
	const limit = 200_000
	type kept struct{ got, want string }
	var earlier []kept
	h := &hearing{}
	o := options(deciderFunc(func(ctx context.Context, e *rules.Event) rules.Decision {
		h.last = &rules.Event{Raw: e.Raw, Fault: e.Fault} // Not cloned: texts of events are the events' own.
		return byChain()(ctx, e)
	}))
	o.Limits.Body = limit
	h.Handler = validator.New(o)
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.OneOf(rapid.IntRange(0, 300), rapid.IntRange(0, limit), rapid.SampledFrom([]int{
			4 << 10, 4<<10 - 1, 4<<10 + 1, 64 << 10, 64<<10 - 1, 64<<10 + 1, limit - 1, limit,
		})).Draw(t, "size")
		first := rapid.Byte().Draw(t, "first")
		body := make([]byte, size)
		for i := range body {
			body[i] = first + byte(i*7)
		}
		length := rapid.SampledFrom([]int64{-1, int64(size), 0, limit}).Draw(t, "length")
		sent := &inPieces{
			text: string(body), withEnd: rapid.Bool().Draw(t, "end with the last piece"),
			pieces: rapid.SliceOfN(rapid.IntRange(1, 9000), 1, 5).Draw(t, "pieces"),
		}
		h.post(sent, length)
		if reason := h.reason(); reason == "too_large" || reason == "aborted" || h.last.Raw != string(body) {
			t.Fatalf("%d bytes became %d, reason %q", size, len(h.last.Raw), reason)
		}
		earlier = append(earlier, kept{h.last.Raw, string(body)})
		if len(earlier) > 10 {
			earlier = earlier[1:]
		}
		for _, k := range earlier {
			if k.got != k.want {
				t.Fatal("the text of an earlier event has changed")
			}
		}
	})
}
