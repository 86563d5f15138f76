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
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// simService is a validation service that remembers what it was sent.
type simService struct {
	*httptest.Server
	mu          sync.Mutex
	events      []simHeard
	connections int
}

// simHeard is an event that a service was sent.
type simHeard struct {
	File    string `json:"file"`
	Phase   string `json:"startstop"`
	Session string `json:"session_id"`
	body    string
}

// String returns the file's name and the phase.
func (e simHeard) String() string { return filepath.Base(e.File) + " " + e.Phase }

// newSimService returns a service which answers with reply, or accepts
// everything if that is nil.
func newSimService(t *testing.T, reply func(http.ResponseWriter, *http.Request, simHeard)) *simService {
	t.Helper()
	s := &simService{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		e := simHeard{body: string(body)}
		if err == nil {
			err = json.Unmarshal(body, &e)
		}
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/validation/files" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s with Content-Type %q and error %v", r.Method, r.URL, r.Header.Get("Content-Type"), err)
		}
		s.mu.Lock()
		s.events = append(s.events, e)
		s.mu.Unlock()
		if reply != nil {
			reply(w, r, e)
		}
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.mu.Lock()
			s.connections++
			s.mu.Unlock()
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// heard returns the events in the order in which they came.
func (s *simService) heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []string{}
	for _, e := range s.events {
		list = append(list, e.String())
	}
	return list
}

func simRefuse(w http.ResponseWriter, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"code": code, "message": message}})
}

// refusing returns a reply that refuses the events named, such as "b start".
func simRefusing(events ...string) func(http.ResponseWriter, *http.Request, simHeard) {
	return func(w http.ResponseWriter, _ *http.Request, e simHeard) {
		if slices.Contains(events, e.String()) {
			simRefuse(w, "1022", "No.")
		}
	}
}

// simTree writes files, whose content is their name, and returns their folder.
func simTree(t *testing.T, names ...string) string {
	t.Helper()
	folder := t.TempDir()
	for _, name := range names {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// simOutcome is what a run did.
type simOutcome struct {
	out, err string
	status   int   // As the process would exit.
	fault    error // What is said on stderr, nil if nothing.
}

// simulate runs the command line.
func simulate(t *testing.T, args ...string) simOutcome {
	t.Helper()
	return simulateWith(t, t.Context(), io.Discard, args...)
}

func simulateWith(t *testing.T, ctx context.Context, also io.Writer, args ...string) simOutcome {
	t.Helper()
	var cli struct {
		Simulate simulateCmd `cmd:""`
	}
	parser, err := kong.New(&cli, kong.Name("sluice"), kong.Exit(func(int) { t.Error("kong wants to exit") }))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(append([]string{"simulate"}, args...)); err != nil {
		return simOutcome{status: 2, fault: err}
	}
	var out, errs bytes.Buffer
	err = cli.Simulate.Run(ctx, &stdio{in: strings.NewReader(""), out: io.MultiWriter(&out, also), err: &errs})
	o := simOutcome{out: out.String(), err: errs.String()}
	var status exitError
	switch {
	case errors.As(err, &status):
		o.status = int(status)
	case err != nil:
		o.status, o.fault = 2, err
	}
	return o
}

// lines returns the lines before the summary, in name order: which of several
// files is done first is open.
func (o simOutcome) lines() []string {
	files, _, _ := strings.Cut(o.out, "\nfiles ")
	list := []string{}
	for line := range strings.Lines(files) {
		list = append(list, strings.TrimSuffix(line, "\n"))
	}
	slices.SortFunc(list, func(a, b string) int { return strings.Compare(a[7:], b[7:]) })
	return list
}

// wants compares the status and the lines.
func (o simOutcome) wants(t *testing.T, status int, lines ...string) {
	t.Helper()
	if o.status != status {
		t.Errorf("status %d (%v), want %d\n%s", o.status, o.fault, status, o.out)
	}
	if diff := cmp.Diff(append([]string{}, lines...), o.lines()); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func simContains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("there is no %q in:\n%s", part, text)
		}
	}
}

func simSame(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestSimulateAccepted(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	service := newSimService(t, nil)
	defer service.Close()
	folder := simTree(t, "in/b/two.mov", "in/a.mov", "in/b/one.mov", "in/c.mov")

	got := simulate(t, "--to", service.URL, "--threads", "1", "--docroot", folder, folder)

	got.wants(t, 0, "ok      /in/a.mov", "ok      /in/b/one.mov", "ok      /in/b/two.mov", "ok      /in/c.mov")
	simContains(t, got.out, "\nfiles    4: 4 accepted, 0 refused, 0 errors, 0 not sent\n", "\nbytes    40 B accepted\n", "\nevents   8 in ", "\nlatency  p50 ")
	simSame(t, "events", []string{
		"a.mov start", "a.mov stop", "one.mov start", "one.mov stop",
		"two.mov start", "two.mov stop", "c.mov start", "c.mov stop",
	}, service.heard())
	simSame(t, "stderr, which is no terminal", "", got.err)
}

// What a file's name is on the server.
func TestSimulateDocroot(t *testing.T) {
	service := newSimService(t, nil)
	folder := simTree(t, "in/a.mov", "out/b.mov", "d,1.mov")
	at := func(name string) string { return filepath.Join(folder, name) }
	for _, row := range []struct {
		name string
		args []string
		file string
	}{
		{"without a docroot: the local path", []string{at("in")}, filepath.ToSlash(at("in/a.mov"))},
		{"a file itself", []string{at("in/a.mov")}, filepath.ToSlash(at("in/a.mov"))},
		{"a comma in a path", []string{"--docroot", folder, at("d,1.mov")}, "/d,1.mov"},
		{"docroot", []string{"--docroot", at("in"), at("in")}, "/a.mov"},
		{"docroot above", []string{"--docroot", folder, at("in")}, "/in/a.mov"},
		{"docroot with a slash", []string{"--docroot", at("in") + "/", at("in") + "//."}, "/a.mov"},
		{"as", []string{"--docroot", folder, "--as", "/srv/x", at("in")}, "/srv/x/in/a.mov"},
		{"as with a slash", []string{"--docroot", folder, "--as", "/srv/x/", at("in")}, "/srv/x/in/a.mov"},
		{"as the root", []string{"--docroot", folder, "--as", "/", at("in")}, "/in/a.mov"},
		{"as a bucket", []string{"--docroot", folder, "--as", "s3://bucket/x", at("in")}, "s3://bucket/x/in/a.mov"},
		{"as a drive", []string{"--docroot", folder, "--as", "C:/data", at("in")}, "C:/data/in/a.mov"},
	} {
		t.Run(row.name, func(t *testing.T) {
			service.events = nil
			got := simulate(t, append([]string{"--to", service.URL}, row.args...)...)
			got.wants(t, 0, "ok      "+row.file)
			for _, e := range service.events {
				simSame(t, "file", row.file, e.File)
			}
		})
	}
}

// Whatever is wrong with the command line is said before anything is sent.
func TestSimulateUsage(t *testing.T) {
	service := newSimService(t, func(_ http.ResponseWriter, _ *http.Request, e simHeard) { t.Errorf("%s was sent", e) })
	folder := simTree(t, "in/a.mov", "not.json")
	to, in := "--to="+service.URL, filepath.Join(folder, "in")
	for _, row := range []struct {
		name, says string
		args       []string
	}{
		{"no service", "--to", []string{in}},
		{"no path", "<path>", []string{to}},
		{"an empty path", "a path is empty", []string{to, ""}},
		{"a path that is not there", "no such file", []string{to, in, filepath.Join(folder, "nothing")}},
		{"a URL without its scheme", "not a URL such as http://", []string{"--to=127.0.0.1:8080", in}},
		{"a URL of another scheme", "such as http://", []string{"--to=ftp://127.0.0.1", in}},
		{"a URL without a host", "such as http://", []string{"--to=http:///x", in}},
		{"a URL with a user", "no credential", []string{"--to=http://u:geheim@127.0.0.1", in}},
		{"a URL with a query", "no path can be appended", []string{to + "/?x=1", in}},
		{"a URL with a fragment", "no path can be appended", []string{to + "#", in}},
		{"not a URL", "is not a URL", []string{"--to=http://geheim\x7f", in}},
		{"tags that are not JSON", "--tags: not JSON at byte 1", []string{to, "--tags={geheim", in}},
		{"tags with a member twice", "--tags: a member is given twice", []string{to, `--tags={"a":1,"a":"geheim"}`, in}},
		{"tags in a file that is not JSON", "--tags: not JSON", []string{to, "--tags=@" + filepath.Join(folder, "not.json"), in}},
		{"tags in a file that is not there", "--tags: open", []string{to, "--tags=@" + filepath.Join(folder, "no.json"), in}},
		{"no thread", "--threads is 0", []string{to, "--threads=0", in}},
		{"too many threads", "--threads is 257", []string{to, "--threads=257", in}},
		{"no session", "--sessions is 0", []string{to, "--sessions=0", in}},
		{"too many sessions", "--sessions is 65", []string{to, "--sessions=65", in}},
		{"too many threads in all", "at most 1024", []string{to, "--sessions=64", "--threads=17", in}},
		{"no walk", "--repeat is 0", []string{to, "--repeat=0", in}},
		{"no time", "--timeout is 0s", []string{to, "--timeout=0", in}},
		{"a threshold of nothing", "--threshold-kb is 0", []string{to, "--threshold-kb=0", in}},
		{"a threshold beyond every size", "--threshold-kb is 9007199254740992", []string{to, "--threshold-kb=9007199254740992", in}},
		{"a rate below nothing", "cannot be below 0", []string{to, "--min-rate-kbps=-1", in}},
		{"an address that is none", "--client-ip", []string{to, "--client-ip=here", in}},
		{"a cookie that is not UTF-8", "--cookie is not UTF-8", []string{to, "--cookie", "\xff", in}},
		{"an unknown digest", "--checksum", []string{to, "--checksum=crc32", in}},
		{"an unknown direction", "--direction", []string{to, "--direction=recv", in}},
		{"as without a docroot", "needs --docroot", []string{to, "--as=/x", in}},
		{"as that is not UTF-8", "--as is not UTF-8", []string{to, "--docroot=" + folder, "--as", "\xff", in}},
		{"a docroot that is not there", "--docroot", []string{to, "--docroot=" + filepath.Join(folder, "no"), in}},
		{"a docroot that is a file", "is not a folder", []string{to, "--docroot=" + filepath.Join(in, "a.mov"), in}},
		{"a path outside the docroot", "is not in the docroot", []string{to, "--docroot=" + in, in, folder}},
		{"a path beside the docroot", "is not in the docroot", []string{to, "--docroot=" + in, in + "/../not.json"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := simulate(t, row.args...)
			if got.fault == nil {
				t.Fatalf("status %d and no error:\n%s", got.status, got.out)
			}
			simContains(t, got.fault.Error(), row.says)
			if strings.Contains(got.fault.Error(), "geheim") {
				t.Errorf("the error tells a secret: %v", got.fault)
			}
			simSame(t, "output", "", got.out)
		})
	}
}

func TestSimulateNoFile(t *testing.T) {
	service := newSimService(t, nil)
	folder := simTree(t)
	if err := os.MkdirAll(filepath.Join(folder, "a", "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	got := simulate(t, "--to", service.URL, folder)
	got.wants(t, 2)
	simContains(t, fmt.Sprint(got.fault), "no file found")
}

func TestSimulateHelp(t *testing.T) {
	text := new(simulateCmd).Help()
	if n := strings.Count(text, "\n  sluice simulate "); n != 2 {
		t.Errorf("%d examples, want 2", n)
	}
	// The examples are command lines that parse.
	example := regexp.MustCompile(`(?m)^  sluice simulate (.*\\\n)?.*$`)
	for _, line := range example.FindAllString(text, -1) {
		var cli struct {
			Simulate simulateCmd `cmd:""`
		}
		parser, err := kong.New(&cli)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(strings.Fields(strings.ReplaceAll(line, "\\\n", " "))[1:]); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}
