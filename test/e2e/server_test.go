package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// examples are the policies that ship.
const examples = root + "/policies/examples"

// setup says how a server is started; its zero value serves the policies that
// ship.
type setup struct {
	config   string            // The configuration file, or nothing.
	policies map[string]string // The files of the policy set.
	dir      string            // A folder that has a policy set already.
	flags    []string
	sink     func(line) bool // Takes a line of the log away, so that it is not kept.
	exit     int             // The exit status at the end.
	shared   bool            // The policies come from where the configuration says.
}

// server is a running `sluice serve`.
type server struct {
	service, admin string // Addresses.
	dir            string // Of the policy set.
	log            *book
	cmd            *exec.Cmd
	ended          chan struct{} // Closed when the process has ended and err is set.
	err            error
}

// start runs a server on free ports for as long as the test takes. At its end
// the server gets SIGTERM and must exit as the setup says.
func start(t *testing.T, o setup) *server {
	t.Helper()
	s, err := launch(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		status, err := s.stop()
		if err != nil || status != o.exit {
			t.Errorf("sluice serve exited with %d, want %d (%v); the end of its log:\n%s", status, o.exit, err, s.log.tail())
		}
	})
	return s
}

// launch starts a server that keeps its files in a folder.
func launch(dir string, o setup) (*server, error) {
	s := &server{dir: o.dir, log: &book{sink: o.sink}, ended: make(chan struct{})}
	if s.dir == "" {
		s.dir = examples
		if o.policies != nil {
			s.dir = filepath.Join(dir, "policies")
			for name, text := range o.policies {
				if err := write(filepath.Join(s.dir, name), text); err != nil {
					return nil, err
				}
			}
		}
	}
	args := []string{"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}
	if !o.shared {
		args = append(args, "--policies", s.dir)
	}
	if o.config != "" {
		name := filepath.Join(dir, "sluice.yaml")
		if err := write(name, o.config); err != nil {
			return nil, err
		}
		args = append(args, "--config", name)
	}
	s.cmd = exec.Command(binary, append(args, o.flags...)...)
	return s, s.begin()
}

// write makes a file and the folders around it.
func write(name, text string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(text), 0o644)
}

// begin starts the process and waits until it says where it listens.
func (s *server) begin() error {
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func() {
		s.log.read(stderr)
		s.err = s.cmd.Wait()
		close(s.ended)
	}()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ready := s.log.find("ready"); len(ready) > 0 {
			s.service, s.admin = ready[0].text("listen"), ready[0].text("admin")
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("sluice serve ended: %w\n%s", s.err, s.log.tail())
		default:
		}
	}
	_ = s.cmd.Process.Kill()
	return fmt.Errorf("sluice serve does not get ready\n%s", s.log.tail())
}

// signal sends a signal to the server.
func (s *server) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// wait returns the exit status once the process has ended.
func (s *server) wait() (int, error) {
	select {
	case <-s.ended:
		return s.cmd.ProcessState.ExitCode(), nil
	case <-time.After(patience):
		_ = s.cmd.Process.Signal(syscall.SIGQUIT) // The log then has the stacks.
		<-s.ended
		return -1, errors.New("it did not end and was killed")
	}
}

// stop ends the server and returns its exit status.
func (s *server) stop() (int, error) {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return -1, err
	}
	return s.wait()
}

// book is what a server has written to its log.
type book struct {
	sink  func(line) bool
	mu    sync.Mutex
	lines []line
}

// line is one line of a log. A line that is not JSON has no members.
type line struct {
	raw     string
	members map[string]any
}

func (l line) text(key string) string {
	text, _ := l.members[key].(string)
	return text
}

func (b *book) read(from io.Reader) {
	scanner := bufio.NewScanner(from)
	scanner.Buffer(nil, 4<<20)
	for scanner.Scan() {
		l := line{raw: scanner.Text()}
		_ = json.Unmarshal([]byte(l.raw), &l.members) // A panic of the server is no JSON.
		if b.sink != nil && b.sink(l) {
			continue
		}
		b.mu.Lock()
		b.lines = append(b.lines, l)
		b.mu.Unlock()
	}
}

// all returns every line so far.
func (b *book) all() []line {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.lines)
}

// find returns the lines of a message that have the members given in pairs.
func (b *book) find(message string, pairs ...string) (found []line) {
	for _, l := range b.all() {
		same := l.text("msg") == message
		for i := 0; i < len(pairs); i += 2 {
			same = same && l.text(pairs[i]) == pairs[i+1]
		}
		if same {
			found = append(found, l)
		}
	}
	return found
}

func (b *book) tail() string {
	lines := b.all()
	var text strings.Builder
	for _, l := range lines[max(0, len(lines)-20):] {
		text.WriteString(l.raw + "\n")
	}
	return text.String()
}

// logged waits for lines of the log and returns them.
func (s *server) logged(t *testing.T, message string, pairs ...string) (lines []line) {
	t.Helper()
	await(t, fmt.Sprintf("a log line %q with %q", message, pairs), func() bool {
		lines = s.log.find(message, pairs...)
		return len(lines) > 0
	})
	return lines
}

// decision returns the one log line of an answer.
func (s *server) decision(t *testing.T, id string) line {
	t.Helper()
	lines := s.logged(t, "decision", "id", id)
	if len(lines) != 1 {
		t.Fatalf("%d log lines for the decision %s, want 1", len(lines), id)
	}
	return lines[0]
}

// ask sends a request to the admin listener.
func (s *server) ask(t *testing.T, method, path string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.admin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// ready returns what /readyz says.
func (s *server) ready(t *testing.T) (status int, body string) {
	t.Helper()
	return s.ask(t, http.MethodGet, "/readyz")
}

// revision returns the revision in force, as /readyz tells it.
func (s *server) revision(t *testing.T) string {
	t.Helper()
	_, body := s.ready(t)
	_, rest, found := strings.Cut(body, "revision ")
	if !found || len(rest) < 12 {
		t.Fatalf("/readyz tells no revision: %q", body)
	}
	return rest[:12]
}

// healthy fails the test unless the server is alive, ready and accepts what it
// should.
func (s *server) healthy(t *testing.T) {
	t.Helper()
	if status, body := s.ask(t, http.MethodGet, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: %d %s", status, body)
	}
	if status, body := s.ready(t); status != http.StatusOK || !strings.HasPrefix(body, "ready: ") {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if a := s.post(t, event()); a.status != http.StatusOK {
		t.Errorf("a plain upload is answered %d %s", a.status, a.body)
	}
}

// samples are the metrics of one scrape.
type samples []sample

type sample struct {
	name   string
	labels map[string]string
	value  float64
}

// metrics scrapes the server.
func (s *server) metrics(t *testing.T) (all samples) {
	t.Helper()
	status, text := s.ask(t, http.MethodGet, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("/metrics: %d %s", status, text)
	}
	for written := range strings.Lines(text) {
		if written = strings.TrimSuffix(written, "\n"); written != "" && !strings.HasPrefix(written, "#") {
			all = append(all, parseSample(t, written))
		}
	}
	return all
}

// parseSample reads name{label="value",…} value.
func parseSample(t *testing.T, text string) sample {
	t.Helper()
	s := sample{labels: map[string]string{}}
	end := strings.IndexAny(text, "{ ")
	s.name, text = text[:end], text[end:]
	for text[0] != ' ' {
		equals := strings.IndexByte(text, '=')
		name := text[1:equals] // After the brace or the comma.
		quoted, err := strconv.QuotedPrefix(text[equals+1:])
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if s.labels[name], err = strconv.Unquote(quoted); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		text = strings.TrimPrefix(text[equals+1+len(quoted):], "}")
	}
	var err error
	if s.value, err = strconv.ParseFloat(text[1:], 64); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return s
}

// with returns the series of a name that have the labels given in pairs.
func (m samples) with(name string, pairs ...string) (found samples) {
	for _, s := range m {
		same := s.name == name
		for i := 0; i < len(pairs); i += 2 {
			same = same && s.labels[pairs[i]] == pairs[i+1]
		}
		if same {
			found = append(found, s)
		}
	}
	return found
}

// sum returns the sum of these series.
func (m samples) sum(name string, pairs ...string) (sum float64) {
	for _, s := range m.with(name, pairs...) {
		sum += s.value
	}
	return sum
}

// series returns the names and labels of every series.
func (m samples) series() (names []string) {
	for _, s := range m {
		name := s.name
		for _, label := range slices.Sorted(maps.Keys(s.labels)) {
			name += fmt.Sprintf(",%s=%q", label, s.labels[label])
		}
		names = append(names, name)
	}
	return names
}
