package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/sluiceproject/sluice/validator/journal/sinks"
)

// noLeaks fails if the test leaves a goroutine behind.
func noLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// hold returns an address that is taken until the test ends.
func hold(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// notes is a standard error that several goroutines write and the test reads.
type notes struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (n *notes) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(b)
}

// messages are those of the log, in order.
func (n *notes) messages(t *testing.T) []string {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []string
	for lines := bufio.NewScanner(bytes.NewReader(n.text.Bytes())); lines.Scan(); {
		var line struct{ Msg string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		all = append(all, line.Msg)
	}
	return all
}

// serving is a service inside the test.
type serving struct {
	*server
	log    *notes
	stop   context.CancelFunc
	hangup chan os.Signal
	// ended has what run returned.
	ended chan error
}

// serve starts a service on loopback with a policy and stops it with the test.
func serve(t *testing.T, change func(*config)) *serving {
	t.Helper()
	noLeaks(t)
	settings := defaultConfig()
	settings.listen, settings.admin, settings.policies = "127.0.0.1:0", "127.0.0.1:0", policyOf(t, goodPolicy)
	if change != nil {
		change(&settings)
	}
	s := &serving{log: &notes{}, hangup: make(chan os.Signal), ended: make(chan error, 1)}
	var err error
	if s.server, err = newServer(settings, &stdio{err: s.log}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() { s.ended <- s.run(ctx, s.hangup) }()
	t.Cleanup(func() {
		stop()
		err := <-s.ended
		s.ended <- err
	})
	return s
}

// end waits until run has returned, and returns its error.
func (s *serving) end() error {
	err := <-s.ended
	s.ended <- err // For the test's end.
	return err
}

// client keeps no connection.
func client() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}

// got is the status and body of an answer.
func got(t *testing.T, response *http.Response, err error) (int, string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func (s *serving) post(t *testing.T, file string) (int, string) {
	t.Helper()
	response, err := client().Post("http://"+s.service.address()+"/validation/files", "", strings.NewReader(eventOf(file)))
	return got(t, response, err)
}

func (s *serving) ask(t *testing.T, method, path string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.admin.address()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client().Do(request)
	return got(t, response, err)
}

func eventOf(file string) string {
	return fmt.Sprintf(`{"startstop":"start","user":"xfer","direction":"recv","file":%q,"size":1}`, file)
}

// await waits until something has come about.
func await(t *testing.T, what string, come func() bool) {
	t.Helper()
	late := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !come() {
		select {
		case <-late:
			t.Fatal("not in time: " + what)
		case <-tick.C:
		}
	}
}

const isProgram = `{"error":{"code":"1022","message":"a.exe is a program."}}` + "\n"

func TestServe(t *testing.T) {
	s := serve(t, nil)
	if status, body := s.post(t, "/a.mov"); status != 200 || body != "" {
		t.Errorf("%d %s", status, body)
	}
	if status, body := s.post(t, "/a.exe"); status != 400 || body != isProgram {
		t.Errorf("%d %s", status, body)
	}
	if status, body := s.ask(t, "GET", "/readyz"); status != 200 || !strings.HasPrefix(body, "ready: revision ") {
		t.Errorf("%d %s", status, body)
	}
	if status, body := s.ask(t, "GET", "/v1/policies"); status != 200 || !strings.Contains(body, `"rule": "no-programs"`) {
		t.Errorf("%d %s", status, body)
	}
	if _, body := s.ask(t, "GET", "/metrics"); !strings.Contains(body, `verdict="reject"} 1`) || !strings.Contains(body, "go_goroutines") || !strings.Contains(body, "process_start_time_seconds") {
		t.Error(body)
	}
	s.stop()
	if err := s.end(); err != nil {
		t.Error(err)
	}
	want := []string{"policies in force", "ready", unrecorded, "decision", "decision", "shutting down", "stopped"}
	if diff := cmp.Diff(want, s.log.messages(t)); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
	for _, address := range []string{s.service.address(), s.admin.address()} {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			t.Errorf("%s still listens", address)
		}
	}
}

// unrecorded is what is said where there is no decision log.
const unrecorded = "decisions are not recorded: there is no journal in the configuration"

// TestServeEndsWithItsContext, as it does with SIGTERM.
func TestServeEndsWithItsContext(t *testing.T) {
	noLeaks(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	file := written(t, "sluice.yaml", "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\ndefault: accept\n")
	var out bytes.Buffer
	log := &notes{}
	status := run(ctx, []string{"serve", "--config", file, "--policies", policyOf(t, goodPolicy)}, &stdio{out: &out, err: log})
	if status != 0 || out.Len() > 0 {
		t.Errorf("status %d, on standard output %q", status, out.String())
	}
	if diff := cmp.Diff([]string{"policies in force", "ready", unrecorded, "shutting down", "stopped"}, log.messages(t)); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
}

// TestTheDefaultIsWhatIsConfigured for events to which no policy applies.
func TestTheDefaultIsWhatIsConfigured(t *testing.T) {
	for _, accept := range []bool{false, true} {
		s := serve(t, func(c *config) {
			c.acceptByDefault = accept
			c.policies = policyOf(t, strings.Replace(goodPolicy, "rules:", "applies_to: {user: [nobody]}\nrules:", 1))
		})
		if status, body := s.post(t, "/a.mov"); (status == 200) != accept || strings.Contains(body, `"1000"`) == accept {
			t.Errorf("accept by default %t: %d %s", accept, status, body)
		}
	}
}

// TestThePartialSuffixIsLookedThrough by the rules of the policies.
func TestThePartialSuffixIsLookedThrough(t *testing.T) {
	s := serve(t, func(c *config) { c.partialSuffix = ".part" })
	if status, body := s.post(t, "/a.exe.part"); status != 400 {
		t.Errorf("%d %s", status, body)
	}
}

// TestReload in each of the three ways, of sets that are good and bad.
func TestReload(t *testing.T) {
	s := serve(t, func(c *config) { c.reloadInterval = 10 * time.Millisecond })
	file := filepath.Join(s.policies, "10-test.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(name string) bool {
		status, _ := s.post(t, name)
		return status == 400
	}
	write(strings.Replace(goodPolicy, "exe", "one", 1))
	await(t, "the change is noticed", func() bool { return refused("/a.one") && !refused("/a.exe") })
	write(badPolicy)
	await(t, "the mistakes are noticed", func() bool {
		_, body := s.ask(t, "GET", "/readyz")
		return strings.HasPrefix(body, "degraded: ") && strings.Contains(body, "shadwo")
	})
	if !refused("/a.one") {
		t.Error("the old set is not in force")
	}
	if status, body := s.ask(t, "POST", "/-/reload"); status != 422 || !strings.Contains(body, "shadwo") {
		t.Errorf("%d %s", status, body)
	}
	write(strings.Replace(goodPolicy, "exe", "two", 1))
	if status, body := s.ask(t, "POST", "/-/reload"); status != 200 || !strings.Contains(body, s.status().Revision) || !refused("/a.two") {
		t.Errorf("%d %s", status, body)
	}
	if _, body := s.ask(t, "GET", "/readyz"); !strings.HasPrefix(body, "ready: ") {
		t.Error(body)
	}
}

// TestHangupReloads at once, without a look at the folder.
func TestHangupReloads(t *testing.T) {
	s := serve(t, func(c *config) { c.reloadInterval = 24 * time.Hour })
	if err := os.WriteFile(filepath.Join(s.policies, "10-test.yaml"), []byte(strings.Replace(goodPolicy, "exe", "one", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.hangup <- syscall.SIGHUP
	await(t, "the policies are read again", func() bool {
		status, _ := s.post(t, "/a.one")
		return status == 400
	})
}

// inFlight is an event of which the header is being answered and the body is
// not there yet.
type inFlight struct {
	net.Conn
	read *bufio.Reader
	rest string
}

func (s *serving) inFlight(t *testing.T) *inFlight {
	t.Helper()
	conn, err := net.Dial("tcp", s.service.address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	f := &inFlight{conn, bufio.NewReader(conn), eventOf("/a.exe")}
	// The answer to Expect says that the body is being read.
	fmt.Fprintf(conn, "POST /validation/files HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(f.rest))
	for _, want := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} {
		if line, err := f.read.ReadString('\n'); line != want {
			t.Fatalf("%q, %v", line, err)
		}
	}
	return f
}

// TestWhatIsInFlightIsAnswered while the service shuts down.
func TestWhatIsInFlightIsAnswered(t *testing.T) {
	s := serve(t, nil)
	f := s.inFlight(t)
	s.stop()
	await(t, "it says not ready", func() bool {
		status, body := s.ask(t, "GET", "/readyz")
		return status == 503 && body == "not ready: shutting down\n"
	})
	await(t, "no new connection is accepted", func() bool {
		conn, err := net.Dial("tcp", s.service.address())
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	select {
	case err := <-s.ended:
		t.Fatalf("it ended with an event in flight: %v", err)
	default:
	}
	fmt.Fprint(f, f.rest)
	response, err := http.ReadResponse(f.read, nil)
	status, body := got(t, response, err)
	if status != 400 || body != isProgram || !response.Close {
		t.Errorf("%d %s, close %t", status, body, response.Close)
	}
	if err := s.end(); err != nil {
		t.Error(err)
	}
}

// TestWhatDoesNotFinishIsCutOff after the time that it may take.
func TestWhatDoesNotFinishIsCutOff(t *testing.T) {
	s := serve(t, func(c *config) { c.shutdownTimeout = time.Millisecond })
	f := s.inFlight(t)
	s.stop()
	if err := s.end(); !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "shutting down: ") {
		t.Errorf("%v", err)
	}
	if _, err := io.Copy(io.Discard, f.read); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
	if messages := s.log.messages(t); !slices.Contains(messages, "some events were cut off") || slices.Contains(messages, "stopped") {
		t.Errorf("the log: %q", messages)
	}
}

// TestItGoesOnForTheDelay: load balancers see that it is not ready and it still
// takes connections.
func TestItGoesOnForTheDelay(t *testing.T) {
	s := serve(t, func(c *config) { c.shutdownDelay = 3 * time.Second })
	s.stop()
	await(t, "it says not ready", func() bool {
		status, _ := s.ask(t, "GET", "/readyz")
		return status == 503
	})
	if status, body := s.post(t, "/a.exe"); status != 400 || body != isProgram {
		t.Errorf("%d %s", status, body)
	}
	if err := s.end(); err != nil {
		t.Error(err)
	}
}

// TestAListenerThatFailsEndsTheService, and nothing of it is left.
func TestAListenerThatFailsEndsTheService(t *testing.T) {
	for name, fails := range map[string]func(*serving) *listening{
		"service": func(s *serving) *listening { return s.service },
		"admin":   func(s *serving) *listening { return s.admin },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, nil)
			s.post(t, "/a.mov")
			if err := fails(s).close(); err != nil {
				t.Fatal(err)
			}
			if err := s.end(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%v", err)
			}
			for _, address := range []string{s.service.address(), s.admin.address()} {
				if conn, err := net.Dial("tcp", address); err == nil {
					conn.Close()
					t.Errorf("%s still listens", address)
				}
			}
		})
	}
}

// TestAnAddressThatIsTaken is told, and the other listener is closed again.
func TestAnAddressThatIsTaken(t *testing.T) {
	noLeaks(t)
	taken, free := hold(t), freeAddress(t)
	for _, tc := range []struct{ listen, admin, want string }{
		{taken, free, "--listen: listen tcp " + taken},
		{free, taken, "--admin: listen tcp " + taken},
	} {
		settings := defaultConfig()
		settings.listen, settings.admin, settings.policies = tc.listen, tc.admin, policyOf(t, goodPolicy)
		log := &notes{}
		_, err := newServer(settings, &stdio{err: log})
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%v, want %s", err, tc.want)
		}
		if diff := cmp.Diff([]string{"policies in force"}, log.messages(t)); diff != "" {
			t.Errorf("the log (-want +got):\n%s", diff)
		}
		l, err := net.Listen("tcp", free)
		if err != nil {
			t.Fatalf("the free address is not free again: %v", err)
		}
		l.Close()
	}
}

// freeAddress returns an address that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestUnreadConnectionsAreCountedAndLogged.
func TestUnreadConnectionsAreCountedAndLogged(t *testing.T) {
	s := serve(t, nil)
	conn, err := net.Dial("tcp", s.service.address())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "POST /valid")
	conn.Close()
	await(t, "it is counted", func() bool {
		_, body := s.ask(t, "GET", "/metrics")
		return strings.Contains(body, "\nsluice_connections_unread_total 1\n")
	})
	s.stop()
	if err := s.end(); err != nil {
		t.Error(err)
	}
	if messages := s.log.messages(t); !slices.Contains(messages, "connection ended before a whole request was read") {
		t.Errorf("the log: %q", messages)
	}
}

// TestReferenceOfMetrics: the README names every metric of the service with its
// labels, and no other.
func TestReferenceOfMetrics(t *testing.T) {
	text, err := os.ReadFile("../../validator/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| metric | labels | meaning |\n|---|---|---|\n")
	if !found {
		t.Fatal("the README has no table of metrics")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	want := map[string]string{}
	for row := range strings.SplitSeq(table, "\n") {
		cells := strings.Split(row, "|")
		want[strings.Trim(cells[1], " `")] = strings.NewReplacer("`", "", " ", ",").Replace(strings.TrimSpace(cells[2]))
	}

	s := serve(t, func(c *config) {
		dir := t.TempDir()
		c.grants.keyFile, c.tokens.listen = filepath.Join(dir, "grant.pem"), "127.0.0.1:0"
		c.journal.Dir = filepath.Join(dir, "log")
		c.state.engine.Dir = filepath.Join(dir, "state")
		pushFolder(t, &c.state, c.policies)
		c.stored = storedConfig{set: true, cache: filepath.Join(dir, "cache"), wait: time.Minute}
		c.journal.Sinks = []sinks.Sink{{Name: "copy", File: &sinks.File{Path: filepath.Join(dir, "copy.jsonl")}}}
	})
	s.ask(t, "GET", "/metrics")
	descriptions := make(chan *prometheus.Desc)
	go func() {
		defer close(descriptions)
		s.registry.Describe(descriptions)
	}()
	got := map[string]string{}
	form := regexp.MustCompile(`fqName: "(\w+)".* variableLabels: \{([\w,]*)\}`)
	for d := range descriptions {
		parts := form.FindStringSubmatch(d.String())
		if parts == nil {
			t.Fatalf("not understood: %s", d)
		}
		if strings.HasPrefix(parts[1], "sluice_") {
			got[parts[1]] = parts[2]
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-README +service):\n%s", diff)
	}
}
