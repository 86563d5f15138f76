package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// usual are the members of an upload that the policies which ship accept, as
// JSON.
var usual = [][2]string{
	{"startstop", `"start"`},
	{"session_id", `"5f0c8e0a-0000-4000-8000-000000000001"`},
	{"host", `"hst-1"`},
	{"client_ip", `"203.0.113.7"`},
	{"user", `"partner-7"`},
	{"direction", `"recv"`},
	{"target_rate_kbps", `100000`},
	{"min_rate_kbps", `0`},
	{"rate_policy", `"fair"`},
	{"cipher", `"aes-256"`},
	{"file", `"/ingest/film/clip.mov"`},
	{"size", `1048576`},
	{"start_byte", `0`},
	{"bytes_written", `0`},
	{"tags", `{"project":"x","contact":"a@example.com"}`},
	{"file_name_encoding", `"utf8"`},
	{"file_csum_type", `"none"`},
}

// event returns an event as ascp sends it. Pairs of a member's name and its JSON
// replace what it usually says, or leave the member out where the JSON is empty.
func event(pairs ...string) string {
	members := append([][2]string{}, usual...)
next:
	for i := 0; i < len(pairs); i += 2 {
		for j := range members {
			if members[j][0] == pairs[i] {
				members[j][1] = pairs[i+1]
				continue next
			}
		}
		members = append(members, [2]string{pairs[i], pairs[i+1]})
	}
	var text []string
	for _, m := range members {
		if m[1] != "" {
			text = append(text, fmt.Sprintf("%q:%s", m[0], m[1]))
		}
	}
	return "{" + strings.Join(text, ",") + "}"
}

// file returns an event about a file of a path.
func file(path string, pairs ...string) string {
	quoted, _ := json.Marshal(path)
	return event(append([]string{"file", string(quoted)}, pairs...)...)
}

// answer is what came back for an event.
type answer struct {
	status        int
	header        http.Header
	body          string
	id            string
	code, message string // Of a refusal.
	last          bool   // The connection is not kept.
}

var uuid7 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

var codes = regexp.MustCompile(`^[A-Za-z0-9._-]{1,32}$`)

// judge reads an answer and holds it against what ascp is promised.
func judge(method string, response *http.Response) (a answer, err error) {
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	a = answer{
		status: response.StatusCode, header: response.Header, body: string(body),
		id: response.Header.Get("X-Sluice-Decision"), last: response.Close,
	}
	switch {
	case err != nil:
		return a, fmt.Errorf("the answer is cut off: %w", err)
	case a.status != http.StatusOK && a.status != http.StatusBadRequest:
		return a, nil
	case !uuid7.MatchString(a.id):
		return a, fmt.Errorf("X-Sluice-Decision is %q, no UUID of version 7", a.id)
	case len(a.header["Location"]) > 0:
		return a, fmt.Errorf("a verdict has a Location: %q", a.header["Location"])
	case a.status == http.StatusOK && (a.body != "" || response.ContentLength != 0):
		return a, fmt.Errorf("a 200 has a body, %q", a.body)
	case a.status == http.StatusOK || method == http.MethodHead:
		return a, nil
	default:
		return a, a.refusal()
	}
}

// refusal reads the body of a 400, which has exactly one form.
func (a *answer) refusal() error {
	if kind := a.header["Content-Type"]; len(kind) != 1 || kind[0] != "application/json" {
		return fmt.Errorf("the Content-Type of a 400 is %q", kind)
	}
	var body struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		return fmt.Errorf("the body of a 400 is %q: %w", a.body, err)
	}
	a.code, a.message = body.Error.Code, body.Error.Message
	var again bytes.Buffer
	enc := json.NewEncoder(&again)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		return err
	}
	switch {
	case again.String() != a.body:
		return fmt.Errorf("the body of a 400 is %q, want %q", a.body, again.String())
	case !codes.MatchString(a.code):
		return fmt.Errorf("the code is %q", a.code)
	case a.message == "" || len(a.message) > 300 || !utf8.ValidString(a.message):
		return fmt.Errorf("the message has %d bytes: %q", len(a.message), a.message)
	case strings.ContainsFunc(a.message, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("the message has characters that do not print: %q", a.message)
	default:
		return nil
	}
}

// post sends an event to a server as a plain client does.
func (s *server) post(t *testing.T, body string) answer {
	t.Helper()
	a, err := s.send(http.DefaultClient, body)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// send is post for other goroutines than that of the test.
func (s *server) send(client *http.Client, body string) (answer, error) {
	response, err := client.Post("http://"+s.service+"/validation/files", "application/json", strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	return judge(http.MethodPost, response)
}

// wire is one connection on which a test says what it likes.
type wire struct {
	net.Conn
	t    *testing.T
	read *bufio.Reader
}

// dial opens a connection to the service listener.
func (s *server) dial(t *testing.T) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", s.service)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &wire{conn, t, bufio.NewReader(conn)}
}

// say sends a text as it is.
func (w *wire) say(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		w.t.Fatalf("sending: %v", err)
	}
}

// half closes the direction to the server.
func (w *wire) half() {
	w.t.Helper()
	if err := w.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		w.t.Fatal(err)
	}
}

// answer reads the answer to a POST.
func (w *wire) answer() answer {
	w.t.Helper()
	return w.answerTo(http.MethodPost)
}

func (w *wire) answerTo(method string) answer {
	w.t.Helper()
	response, err := http.ReadResponse(w.read, &http.Request{Method: method})
	if err != nil {
		w.t.Fatalf("reading an answer: %v", err)
	}
	a, err := judge(method, response)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// hold sends an event of which the last half is missing, and returns what sends
// that once the server has begun to read: from then on it is being decided.
func (w *wire) hold(body string) (rest func() answer) {
	w.t.Helper()
	w.say(request("POST", "/validation/files", body[:len(body)/2],
		"Content-Length: "+fmt.Sprint(len(body)), "Expect: 100-continue"))
	response, err := http.ReadResponse(w.read, nil)
	if err != nil || response.StatusCode != http.StatusContinue {
		w.t.Fatalf("waiting for 100 Continue: %v %v", response, err)
	}
	return func() answer {
		w.t.Helper()
		w.say(body[len(body)/2:])
		return w.answer()
	}
}

// closed fails the test unless the server closes the connection without another
// word.
func (w *wire) closed() {
	w.t.Helper()
	rest, err := io.ReadAll(w.read)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		w.t.Fatal("the connection is not closed")
	}
	if len(rest) > 0 {
		w.t.Fatalf("before the connection is closed there is %q", rest)
	}
}

// ended fails the test unless the server closes the connection with at most a
// status line and no verdict: what the HTTP library says of half a header.
func (w *wire) ended() {
	w.t.Helper()
	rest, err := io.ReadAll(w.read)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		w.t.Fatal("the connection is not closed")
	}
	if bytes.HasPrefix(rest, []byte("HTTP/1.1 200")) || bytes.Contains(rest, []byte("X-Sluice-Decision")) {
		w.t.Fatalf("before the connection is closed there is %q", rest)
	}
}

// request writes a request. A Content-Length is added unless the headers frame
// the body themselves.
func request(method, path, body string, headers ...string) string {
	text := method + " " + path + " HTTP/1.1\r\nHost: sluice\r\n"
	framed := false
	for _, h := range headers {
		text += h + "\r\n"
		framed = framed || strings.HasPrefix(h, "Content-Length:") || strings.HasPrefix(h, "Transfer-Encoding:")
	}
	if !framed {
		text += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	return text + "\r\n" + body
}

// chunked writes a body in chunks of a size.
func chunked(body string, size int) string {
	var text strings.Builder
	for body != "" {
		n := min(size, len(body))
		fmt.Fprintf(&text, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	return text.String() + "0\r\n\r\n"
}
