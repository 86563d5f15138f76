package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

// examined returns what one part of the examination says, a line each: state, part,
// and whether it says how to mend it.
func examined(part func(p *patient)) []string {
	p := &patient{config: defaultConfig(), timeout: time.Second, now: time.Now, uid: 990}
	part(p)
	var lines []string
	for _, d := range p.found {
		line := fmt.Sprintf("%s %s: %s", d.State, d.Part, d.Text)
		if d.Mend != "" {
			line += " | " + d.Mend
		}
		lines = append(lines, line)
	}
	return lines
}

// TestWhatADoctorSaysOfFolders: what is found, and what is said of it.
func TestWhatADoctorSaysOfFolders(t *testing.T) {
	dir := t.TempDir()
	private, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(t.TempDir(), "open")
	if err := errors.Join(os.Mkdir(open, 0o700), os.Chmod(open, 0o777)); err != nil {
		t.Fatal(err)
	}
	public, err := os.Stat(open)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		state folderState
		err   error
		want  string
	}{
		{"room enough", folderState{info: private, owner: 990, free: 60 << 30}, nil, "ok journal.dir: /j can be written to, and has room for 60 GiB more"},
		{"nobody knows how much room", folderState{info: private, owner: -1, free: -1}, nil, "ok journal.dir: /j can be written to"},
		{"not there", folderState{}, fs.ErrNotExist, "fail journal.dir: /j is not there"},
		{"a file system that hangs", folderState{}, errStuck, "fail journal.dir: /j cannot be examined: the file system does not answer"},
		{"not for this user", folderState{info: private, writable: fs.ErrPermission, free: 60 << 30}, nil, "fail journal.dir: /j cannot be written to by the user 990: permission denied"},
		{"for everybody", folderState{info: public, owner: 990, free: 60 << 30}, nil, "fail journal.dir: everybody may write to /j (mode 0777)"},
		{"of another user", folderState{info: private, owner: 5, free: 60 << 30}, nil, "warn journal.dir: /j belongs to the user 5, and this is the user 990"},
		{"full", folderState{info: private, owner: 990, free: 99 << 20}, nil, "fail journal.dir: /j has room for 99 MiB more"},
		{"almost full", folderState{info: private, owner: 990, free: 1 << 29}, nil, "warn journal.dir: /j has room for 512 MiB more"},
		{"less than it may grow to", folderState{info: private, owner: 990, used: 1 << 30, free: 8 << 30}, nil, "warn journal.dir: /j may grow to 50 GiB and has room for 9 GiB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := examined(func(p *patient) { p.folder("journal.dir", "/j", 50<<30, tc.state, tc.err) })
			if len(got) != 1 || !strings.HasPrefix(got[0], tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestADoctorLooksAtFolders(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), make([]byte, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := lookAt(dir)
	if err != nil || got.writable != nil || got.used != 1000 || got.free == 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := lookAt(filepath.Join(dir, "b")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestWhatADoctorSaysOfMounts reads nothing: it says what became of reading.
func TestWhatADoctorSaysOfMounts(t *testing.T) {
	for _, tc := range []struct {
		name  string
		tried sample
		err   error
		want  string
	}{
		{"a file was read", sample{read: "/m/a"}, nil, "ok mounts: /m (for /) can be read, as /m/a was"},
		{"no file", sample{}, nil, "ok mounts: /m (for /) can be read; no file is in it to try"},
		{"none may be read", sample{denied: "/m/a"}, nil, "fail mounts: /m (for /): /m/a may not be read by the user 990 | setfacl -R -m u:sluice:rX,d:u:sluice:rX /m"},
		{"some may not be read", sample{read: "/m/b", denied: "/m/a"}, nil, "warn mounts: /m (for /): /m/b can be read, and /m/a may not be, by the user 990 | setfacl"},
		{"not there", sample{}, &fs.PathError{Op: "lstat", Path: "/m", Err: fs.ErrNotExist}, "fail mounts: /m (for /) is not there | is the storage mounted?"},
		{"not for this user", sample{}, &fs.PathError{Op: "open", Path: "/m", Err: fs.ErrPermission}, "fail mounts: /m (for /) cannot be read: permission denied"},
		{"a server that is gone", sample{}, errStuck, "fail mounts: /m (for /) cannot be read: the file system does not answer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := examined(func(p *patient) { p.mount("/m", "/", tc.tried, tc.err) })
			if len(got) != 1 || !strings.HasPrefix(got[0], tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestADoctorTriesOneFile(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		got, err := sampled(t.Context(), dir)
		if err != nil || got != (sample{}) {
			t.Errorf("%+v, %v in a folder without files", got, err)
		}
		if err := os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "a", "b", "c")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := sampled(t.Context(), dir); err != nil || got.read != file {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := sampled(t.Context(), filepath.Join(dir, "x")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestClocks: a Date has whole seconds, and lies between the question and the answer.
func TestClocks(t *testing.T) {
	asked := time.Date(2026, 5, 1, 12, 0, 10, 0, time.UTC)
	for _, tc := range []struct {
		name string
		said time.Time
		want string
	}{
		{"the same", asked, "ok clock"},
		{"the second before", asked.Add(-time.Second), "ok clock"},
		{"a little ahead", asked.Add(3 * time.Second), "ok clock"},
		{"behind", asked.Add(-10 * time.Second), "warn clock: the service's clock and the one here differ by 9s"},
		{"ahead", asked.Add(10 * time.Second), "warn clock: the service's clock and the one here differ by 9s"},
		{"more than grants may differ", asked.Add(2 * time.Minute), "fail clock: the service's clock and the one here differ by 1m59s, more than grants.skew (1m0s)"},
		{"nothing is said", time.Time{}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := strings.Join(examined(func(p *patient) { p.clock(asked, asked.Add(time.Second), tc.said) }), "\n")
			if !strings.HasPrefix(got, tc.want) || (tc.want == "") != (got == "") {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestSecretsAreForTheirOwner(t *testing.T) {
	for _, tc := range []struct {
		key  string
		mode fs.FileMode
		want string
	}{
		{"tokens.node.password_file", 0o600, "ok secrets: tokens.node.password_file: FILE is for its owner alone"},
		{"tokens.node.password_file", 0o400, "ok"},
		{"tokens.node.password_file", 0o640, "warn secrets: tokens.node.password_file: others than its owner can read FILE (mode 0640) | chmod 600 FILE"},
		{"tokens.node.password_file", 0o644, "fail"},
		{"grants.key_file", 0o640, "fail"},
	} {
		t.Run(fmt.Sprintf("%s %04o", tc.key, tc.mode), func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "secret")
			if err := errors.Join(os.WriteFile(name, []byte("x"), 0o600), os.Chmod(name, tc.mode)); err != nil {
				t.Fatal(err)
			}
			got := strings.ReplaceAll(strings.Join(examined(func(p *patient) { p.secret(tc.key, name) }), "\n"), name, "FILE")
			if !strings.HasPrefix(got, tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
	dir := t.TempDir()
	got := examined(func(p *patient) { p.secret("k", dir); p.secret("k", filepath.Join(dir, "x")) })
	if len(got) != 2 || !strings.HasPrefix(got[0], "fail secrets: k: "+dir+" is not a file") || !strings.HasSuffix(got[1], ": no such file or directory") {
		t.Errorf("%q", got)
	}
}

func TestLimitsOfConnections(t *testing.T) {
	for _, tc := range []struct {
		files       float64
		connections int
		want        string
	}{
		{65536, 10000, "ok limits: the service may have 65536 files"},
		{1024, 10000, "warn limits: the service may have 1024 files and connections open, and limits.connections is 10000"},
		{10100, 10000, "warn"},
		{1024, 500, "ok"},
	} {
		got := examined(func(p *patient) { p.files, p.limits.Connections = tc.files, tc.connections; p.descriptors() })
		if len(got) != 1 || !strings.HasPrefix(got[0], tc.want) {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}

func TestRulesThatLookIntoFiles(t *testing.T) {
	dir := policyOf(t, "version: 1\npolicy: p\nrules:\n  - name: r\n    content: {allow: [image/png]}\n")
	snapshot, err := policies.CheckDir(dir, policies.Options{Kinds: rules.Builtin()})
	if err != nil {
		t.Fatal(err)
	}
	got := examined(func(p *patient) {
		p.snapshot = snapshot
		p.mounts(t.Context())
		p.suffix()
		p.partialSuffix = ".partial"
		p.suffix()
	})
	want := []string{
		"fail mounts: there are none, and 1 rule looks into files: p/r | say under files.mounts where the server's files are",
		"warn suffix: partial_suffix is not set, and 1 rule looks into files (p/r): if ascp appends one, an older file may be looked into | set partial_suffix to what partial_file_suffix of aspera.conf is, if it is set there",
		"ok suffix: partial_suffix is .partial",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestADoctorAsksTheAdminListener has what can be wrong with its answers. The doctor
// asks by GET alone, and sends the listener of events nothing.
func TestADoctorAsksTheAdminListener(t *testing.T) {
	dir := policyOf(t, goodPolicy)
	snapshot, err := policies.CheckDir(dir, policies.Options{Kinds: rules.Builtin()})
	if err != nil {
		t.Fatal(err)
	}
	inForce := fmt.Sprintf(`{"revision": %q, "rule_count": 1}`, snapshot.Revision)
	for _, tc := range []struct {
		name     string
		answers  map[string]string
		statuses map[string]int
		status   int
		want     string
	}{
		{"all is well", nil, nil, 0, "ok    policies        revision " + snapshot.Revision + " is in force, with 1 rule"},
		{"degraded", map[string]string{"/readyz": "degraded: revision x is in force, but\nthe scanner clamav is down\n"}, nil, 0, "warn  ready           degraded: revision x is in force, but; the scanner clamav is down"},
		{"not ready", map[string]string{"/readyz": "not ready: shutting down\n"}, map[string]int{"/readyz": 503}, 1, "fail  ready           not ready: shutting down"},
		{"another set", map[string]string{"/v1/policies": `{"revision": "0123456789ab", "rule_count": 1}`}, nil, 1, "fail  policies        revision 0123456789ab is in force, and in " + dir + " is " + snapshot.Revision},
		{"a set without rules", map[string]string{"/v1/policies": strings.Replace(inForce, "1}", "0}", 1)}, nil, 0, "warn  policies"},
		{"something else", nil, map[string]int{"/healthz": 404}, 1, "fail  admin"},
		{"no entry", nil, map[string]int{"/healthz": 401}, 1, "does not let this command in (status 401)"},
		{"no policies", map[string]string{"/v1/policies": "<html>"}, nil, 1, "this is not the admin listener of sluice"},
		{"what a terminal obeys", map[string]string{"/readyz": "ready\x1b[2J"}, nil, 0, `ready\u001b[2J`},
		{"few files", map[string]string{"/metrics": "# HELP\nprocess_max_fds 1024\n"}, nil, 0, "warn  limits          the service may have 1024 files and connections open"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				text, known := map[string]string{"/healthz": "ok\n", "/readyz": "ready: revision x\n", "/v1/policies": inForce, "/metrics": "process_max_fds 65536\n"}[r.URL.Path]
				if r.Method != http.MethodGet || !known {
					t.Errorf("%s %s", r.Method, r.URL)
				}
				if status := tc.statuses[r.URL.Path]; status != 0 {
					w.WriteHeader(status)
				}
				if other, has := tc.answers[r.URL.Path]; has {
					text = other
				}
				_, _ = w.Write([]byte(text))
			}))
			defer admin.Close()
			service, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer service.Close()
			got := runs(t, "doctor", "--listen", service.Addr().String(), "--admin", admin.URL, "--policies", dir)
			if got.status != tc.status || !strings.Contains(got.out, tc.want) {
				t.Errorf("exits with %d, want %d and %q\n%s%s", got.status, tc.status, tc.want, got.out, got.err)
			}
		})
	}
}

func TestADoctorWithoutAService(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := l.Addr().String()
	l.Close()
	got := runs(t, "doctor", "--json", "--listen", gone, "--admin", gone, "--policies", policyOf(t, badPolicy), "--aspera-conf", "../../aspera/testdata/http-fallback.conf")
	var said struct {
		OK     bool
		Fails  int
		Checks []diagnosis
	}
	if err := json.Unmarshal([]byte(got.out), &said); err != nil || got.status != 1 || said.OK {
		t.Fatalf("%d, %v\n%s%s", got.status, err, got.out, got.err)
	}
	failed := map[string]int{}
	for _, d := range said.Checks {
		if d.State == broken {
			failed[d.Part]++
		}
	}
	delete(failed, "clock")
	if failed["service"] != 1 || failed["admin"] != 1 || failed["policies"] != 1 || failed["aspera"] < 1 {
		t.Errorf("%v\n%s", failed, got.out)
	}
}

func TestADoctorThatCannotBeAsked(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"a configuration that is not there", []string{"--config", "/nonexistent/x.yaml"}, "the configuration cannot be read"},
		{"an address that is none", []string{"--admin", "http://"}, "--admin cannot be"},
		{"no time", []string{"--timeout", "0s"}, "--timeout must be longer than nothing"},
		{"a secret that is not there", []string{"--token-file", "/nonexistent/x"}, "--token-file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := runs(t, append([]string{"doctor"}, tc.args...)...); got.status != 2 || got.out != "" || !strings.Contains(got.err, tc.want) {
				t.Errorf("%d %s%s", got.status, got.out, got.err)
			}
		})
	}
}

// TestAFileSystemThatHangs is given up on.
func TestAFileSystemThatHangs(t *testing.T) {
	stuck := make(chan struct{})
	defer close(stuck)
	p := &patient{timeout: time.Millisecond}
	if _, err := within(p, func() (int, error) { <-stuck; return 0, nil }); !errors.Is(err, errStuck) {
		t.Error(err)
	}
}
