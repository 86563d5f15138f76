package webhooks

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

const (
	secret = "a secret of the tests: s3cr3t"
	body   = `{"phase":"stop","path":"/ingest/s3cr3t-film.mov"}`
	id     = "0190e0a0-0000-7000-8000-000000000001"
)

// clock is the time of all signatures here.
func clock() time.Time { return time.Unix(1_800_000_000, 0) }

// clientOf returns a client of a server with TLS, whose certificate it trusts.
func clientOf(t *testing.T, server *httptest.Server, change ...func(*Options)) *Client {
	t.Helper()
	o := Options{URL: server.URL + "/validate?token=s3cr3t", Secret: []byte(secret), Timeout: 10 * time.Second, Connections: 2, Now: clock}
	if server.TLS != nil {
		o.CAFile = filepath.Join(t.TempDir(), "ca.pem")
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
		if err := os.WriteFile(o.CAFile, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range change {
		c(&o)
	}
	client, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// served starts a server with TLS that ends with the test and leaves no
// goroutine behind.
func served(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	server := httptest.NewUnstartedServer(answer)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// TestAnswers: each answer of a service, and what is passed on of it.
func TestAnswers(t *testing.T) {
	refusal := `{"error":{"code":"7","message":"no"}}`
	write := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, text)
		}
	}
	long := strings.Repeat("x", MaxAnswer)
	for _, row := range []struct {
		name   string
		answer http.HandlerFunc
		status int
		text   string
		err    string
	}{
		{"no objection", write(200, ""), 200, "", ""},
		{"no objection, with a text", write(200, "fine"), 200, "", ""},
		{"no objection, with a long text", write(200, long+long), 200, "", ""},
		{"no content", write(204, ""), 204, "", ""},
		{"an objection", write(400, refusal), 400, refusal, ""},
		{"an objection without a text", write(400, ""), 400, "", ""},
		{"the longest objection", write(400, long), 400, long, ""},
		{"one that is longer", write(400, long+"x"), 0, "", "the webhook's answer has more than 65536 bytes"},
		{"a redirect is not followed", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, 307, "", ""},
		{"nor one to another host", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}, 302, "", ""},
		{"not found", write(404, refusal), 404, "", ""},
		{"a fault", write(503, refusal), 503, "", ""},
		{"a body that breaks off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, refusal)
		}, 0, "", "asking the webhook: unexpected EOF"},
		{"a connection that breaks off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, "", "asking the webhook: EOF"},
		{"a compressed answer is not taken apart", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding") != "" {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}, 200, "", ""},
		{"cookies are not kept", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Cookie") != "" {
				w.WriteHeader(http.StatusInternalServerError)
			}
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		}, 200, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			client := clientOf(t, served(t, row.answer))
			for range 2 {
				status, text, err := client.Ask(t.Context(), id, []byte(body))
				if status != row.status || string(text) != row.text || told(err) != row.err {
					t.Errorf("%d %.100q %v, want %d %.100q %s", status, text, err, row.status, row.text, row.err)
				}
			}
		})
	}
}

// told is the text of an error, empty for none.
func told(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestRequest: what a service reads, with a signature that is computed here from
// what its documentation says.
func TestRequest(t *testing.T) {
	var got *http.Request
	var text []byte
	server := served(t, func(_ http.ResponseWriter, r *http.Request) {
		got = r
		text, _ = io.ReadAll(r.Body)
	})
	if _, _, err := clientOf(t, server).Ask(t.Context(), id, []byte(body)); err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.%s", clock().Unix(), body)
	want := http.Header{
		"Content-Type": {"application/json"}, "Content-Length": {fmt.Sprint(len(body))}, "User-Agent": {"sluice"}, "X-Sluice-Decision": {id},
		"X-Sluice-Timestamp": {"1800000000"}, "X-Sluice-Signature": {fmt.Sprintf("sha256=%x", mac.Sum(nil))},
	}
	if diff := cmp.Diff(want, got.Header); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Method != http.MethodPost || got.RequestURI != "/validate?token=s3cr3t" || string(text) != body {
		t.Errorf("%s %s\n%s", got.Method, got.RequestURI, text)
	}
}

// TestProxyIsNotUsed: events go to the service and nowhere else.
func TestProxyIsNotUsed(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	client := clientOf(t, served(t, func(http.ResponseWriter, *http.Request) {}))
	if client.transport.Proxy != nil {
		t.Error("there is a proxy")
	}
}

// TestServiceThatHangs: its time ends, or that of whoever asks.
func TestServiceThatHangs(t *testing.T) {
	release := make(chan struct{})
	for _, row := range []struct {
		name   string
		answer http.HandlerFunc
	}{
		{"before its answer", func(http.ResponseWriter, *http.Request) { <-release }},
		{"within its answer", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, "{")
			w.(http.Flusher).Flush()
			<-release
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			server := served(t, row.answer)
			t.Cleanup(func() { release <- struct{}{} })
			client := clientOf(t, server, func(o *Options) { o.Timeout = 200 * time.Millisecond })
			if _, _, err := client.Ask(t.Context(), id, []byte(body)); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	}
	t.Run("nobody waits any more", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		server := served(t, func(http.ResponseWriter, *http.Request) { cancel(); <-release })
		t.Cleanup(func() { release <- struct{}{} })
		if _, _, err := clientOf(t, server).Ask(ctx, id, []byte(body)); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// raw is a server that says a text and ends the connection.
func raw(t *testing.T, text string) *httptest.Server {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Add(1)
	go func() {
		defer serving.Done()
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			http.ReadRequest(bufio.NewReader(conn))
			io.WriteString(conn, text)
			conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); serving.Wait() })
	return &httptest.Server{URL: "http://" + listener.Addr().String()}
}

// TestErrorsAreDiscreet: what goes wrong is told without the URL, the secret, the
// event, or at length what the service has sent.
func TestErrorsAreDiscreet(t *testing.T) {
	says := func(text string) func(*testing.T) *httptest.Server {
		return func(t *testing.T) *httptest.Server { t.Helper(); return raw(t, text) }
	}
	trusted := func(t *testing.T) *httptest.Server {
		t.Helper()
		return served(t, func(http.ResponseWriter, *http.Request) {})
	}
	for _, row := range []struct {
		name   string
		server func(*testing.T) *httptest.Server
		change func(*Options)
		want   string
	}{
		{"nobody listens", func(*testing.T) *httptest.Server {
			s := httptest.NewServer(nil)
			s.Close()
			return s
		}, nil, "connect: connection refused"},
		{"a certificate that nobody knows", trusted, func(o *Options) { o.CAFile = "" }, "its certificate does not hold: x509: certificate signed by unknown authority"},
		{"one of another host", trusted, func(o *Options) { o.URL = strings.Replace(o.URL, "127.0.0.1", "localhost", 1) }, "its certificate does not hold: x509: certificate is valid for example.com, *.example.com, not localhost"},
		{"no TLS", says("HTTP/1.1 200 OK\r\n\r\n"), func(o *Options) { o.URL = strings.Replace(o.URL, "http:", "https:", 1) }, "it does not speak TLS"},
		{"rubbish", says("s3cr3t\r\n\r\n"), nil, "its answer makes no sense"},
		{"a lot of rubbish", says(strings.Repeat("s3cr3t ", 1000) + "\r\n\r\n"), nil, "its answer makes no sense"},
		{"a head that is too long", says("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("s3cr3t", 100_000) + "\r\n\r\n"), nil, "its answer makes no sense"},
		{"a length that is none", says("HTTP/1.1 400 No\r\nContent-Length: s3cr3t\r\n\r\n"), nil, "its answer makes no sense"},
		{"chunks that are none", says("HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\ns3cr3t\r\n"), nil, "its answer makes no sense"},
		{"nothing", says(""), nil, "EOF"},
	} {
		t.Run(row.name, func(t *testing.T) {
			client := clientOf(t, row.server(t), func(o *Options) {
				if row.change != nil {
					row.change(o)
				}
			})
			_, _, err := client.Ask(t.Context(), id, []byte(body))
			if text := told(err); !strings.HasSuffix(text, row.want) || strings.Contains(text, "s3cr3t") || strings.Contains(text, "/validate") || !strings.HasPrefix(text, "asking the webhook: ") {
				t.Errorf("%q, want …%q", text, row.want)
			}
		})
	}
	t.Run("what is behind an error can be told", func(t *testing.T) {
		_, _, err := clientOf(t, trusted(t), func(o *Options) { o.CAFile = "" }).Ask(t.Context(), id, []byte(body))
		if authority := (x509.UnknownAuthorityError{}); !errors.As(err, &authority) {
			t.Error(err)
		}
	})
	t.Run("a redirect to nowhere", func(t *testing.T) {
		client := clientOf(t, raw(t, "HTTP/1.1 307 No\r\nLocation: ://s3cr3t\r\n\r\n"))
		if status, _, err := client.Ask(t.Context(), id, []byte(body)); status != 307 || err != nil {
			t.Error(status, err)
		}
	})
}

// TestConnections: there are not more than may be, and they are used again.
func TestConnections(t *testing.T) {
	var mu sync.Mutex
	connections := 0
	t.Cleanup(func() { goleak.VerifyNone(t) })
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			mu.Lock()
			defer mu.Unlock()
			connections++
		}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	client := clientOf(t, server)
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for range 10 {
				if status, _, err := client.Ask(t.Context(), id, []byte(body)); status != 400 {
					t.Error(status, err)
				}
			}
		})
	}
	asking.Wait()
	mu.Lock()
	defer mu.Unlock()
	if connections > 2 {
		t.Errorf("there were %d connections", connections)
	}
}

func TestCheckURL(t *testing.T) {
	for text, right := range map[string]bool{
		"https://dam.example.com/validate":         true,
		"https://dam.example.com:8443/a?token=b":   true,
		"https://[2001:db8::1]/a":                  true,
		"http://127.0.0.1:8000/validate":           true,
		"http://[::1]:8000/validate":               true,
		"http://localhost/validate":                true,
		"http://dam.example.com/validate":          false,
		"http://localhost.example.com/":            false,
		"http://127.0.0.1.example.com/":            false,
		"https://user:s3cr3t@dam.example.com/":     false,
		"https://user:s3cr3t@dam.example.com:x/":   false,
		"https://dam.example.com/#s3cr3t":          false,
		"https:dam.example.com":                    false,
		"https://":                                 false,
		"https://:443/":                            false,
		"dam.example.com":                          false,
		"ftp://dam.example.com/s3cr3t":             false,
		"":                                         false,
		"https://dam.example.com/\x00":             false,
		"HTTPS://dam.example.com/":                 true,
		"file:///etc/passwd":                       false,
		"unix:///run/s3cr3t.sock":                  false,
		"https://dam.example.com/%zz?token=s3cr3t": false,
	} {
		err := CheckURL(text)
		if (err == nil) != right || strings.Contains(told(err), "s3cr3t") {
			t.Errorf("%s: %v", text, err)
		}
		if _, err := New(Options{URL: text, Secret: []byte(secret)}); (err == nil) != right {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	for _, row := range []struct {
		name, text, want string
		right            bool
	}{
		{"as it is", "0123456789abcdef", "0123456789abcdef", true},
		{"with a line break", "0123456789abcdef\n", "0123456789abcdef", true},
		{"with one of Windows", " 0123456789abcdef\r\n", "0123456789abcdef", true},
		{"bytes", "\x00\xff0123456789abcdef", "\x00\xff0123456789abcdef", true},
		{"the longest", strings.Repeat("s", MaxSecret), strings.Repeat("s", MaxSecret), true},
		{"too long", strings.Repeat("s", MaxSecret+1), "", false},
		{"far too long", strings.Repeat("s", 1<<20), "", false},
		{"too short", "s3cr3t", "", false},
		{"nothing", "\n", "", false},
	} {
		file := filepath.Join(dir, "key")
		if err := os.WriteFile(file, []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadSecret(file)
		if (err == nil) != row.right || string(got) != row.want || strings.Contains(told(err), "s3cr3t") {
			t.Errorf("%s: %.50q, %v", row.name, got, err)
		}
	}
	if _, err := ReadSecret(filepath.Join(dir, "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for _, n := range []int{0, MinSecret - 1, MaxSecret + 1} {
		if _, err := New(Options{URL: "https://dam.example.com", Secret: bytes.Repeat([]byte("s"), n)}); err == nil {
			t.Errorf("a secret of %d bytes is taken", n)
		}
	}
	for _, file := range []string{filepath.Join(dir, "key"), filepath.Join(dir, "missing")} {
		if _, err := New(Options{URL: "https://dam.example.com", Secret: []byte(secret), CAFile: file}); err == nil {
			t.Errorf("%s is taken for a CA file", file)
		}
	}
}
