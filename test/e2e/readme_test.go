package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestTheCommandsOfEveryREADMEWork runs each ```sh block, from top to bottom, in
// a copy of the checkout, as a reader would in its top folder:
//
//   - A server (`make run`, `sluice serve`) runs in the background until the next
//     one or the end of the file. It gets ports of its own: 8080 and 9080 of
//     127.0.0.1 are replaced in every command. Where a command asks a server and
//     none was started, the policies that ship are served.
//   - What `make run` suggests is done, and gets the status that it promises.
//   - Other targets of the Makefile that test or measure must exist.
//   - A line that ends in `# on the Aspera server` must be an asconfigurator call.
//   - A line that ends in `# exits N` must exit with that status, any other
//     with 0. Each command has a shell of its own.
//   - A ```yaml block after "Save this as `FILE`" is saved.
func TestTheCommandsOfEveryREADMEWork(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(root + "/*/README.md")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, root+"/README.md")
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		steps := readmeSteps(string(text))
		if !slices.ContainsFunc(steps, func(s step) bool { return s.save == "" }) {
			if name == root+"/README.md" {
				t.Errorf("%s has no sh block", name)
			}
			continue
		}
		t.Run(strings.TrimPrefix(name, root+"/"), func(t *testing.T) {
			t.Parallel()
			newReader(t).follow(steps)
		})
	}
}

// step is a command, or a file to save.
type step struct {
	line       int
	text, save string
}

var saveAs = regexp.MustCompile("(?i)save this as `([^`]+)`")

// readmeSteps returns what a README tells its reader to do.
func readmeSteps(text string) (steps []step) {
	lines := strings.Split(text, "\n")
	save := ""
	for i := 0; i < len(lines); i++ {
		if m := saveAs.FindStringSubmatch(lines[i]); m != nil {
			save = m[1]
		}
		if !strings.HasPrefix(lines[i], "```") || lines[i] == "```" {
			continue
		}
		language, begin := strings.TrimPrefix(lines[i], "```"), i+1
		for i++; i < len(lines) && lines[i] != "```"; i++ {
		}
		block := lines[begin:min(i, len(lines))]
		switch {
		case language == "sh":
			steps = append(steps, commands(begin+1, block)...)
		case language == "yaml" && save != "":
			steps = append(steps, step{begin + 1, strings.Join(block, "\n") + "\n", save})
			save = ""
		}
	}
	return steps
}

var heredoc = regexp.MustCompile(`<<-?\s*['"]?([A-Za-z_]+)['"]?`)

// commands splits a block into commands, which go on after a backslash and to
// the end of what they read.
func commands(at int, block []string) (steps []step) {
	for i := 0; i < len(block); i++ {
		first, text := i, block[i]
		for strings.HasSuffix(text, `\`) && i+1 < len(block) {
			i++
			text += "\n" + block[i]
		}
		if m := heredoc.FindStringSubmatch(text); m != nil {
			for i+1 < len(block) && block[i] != m[1] {
				i++
				text += "\n" + block[i]
			}
		}
		if trimmed := strings.TrimSpace(text); trimmed != "" && !strings.HasPrefix(trimmed, "#") {
			steps = append(steps, step{line: at + first, text: text})
		}
	}
	return steps
}

// reader follows a README in a checkout of its own.
type reader struct {
	t              *testing.T
	dir            string
	service, admin string

	serving *exec.Cmd // The server that runs, and what there is to know of it.
	said    *output
	ended   chan error
	viaMake bool
}

func newReader(t *testing.T) *reader {
	t.Helper()
	r := &reader{t: t, dir: filepath.Join(t.TempDir(), "sluice"), service: freeAddress(t), admin: freeAddress(t)}
	copyCheckout(t, r.dir)
	t.Cleanup(r.stop)
	return r
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// copyCheckout copies what git would give a newcomer, and the binary.
func copyCheckout(t *testing.T, to string) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		relative, _ := filepath.Rel(root, name)
		switch {
		case err != nil:
			return err
		case relative == ".git" || relative == "bin":
			return fs.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, relative), 0o755)
		}
		return copyFile(name, filepath.Join(to, relative))
	})
	if err == nil {
		err = os.MkdirAll(filepath.Join(to, "bin"), 0o755)
	}
	if err == nil {
		err = copyFile(binary, filepath.Join(to, "bin", "sluice"))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, info.Mode().Perm())
}

func (r *reader) follow(steps []step) {
	for _, s := range steps {
		if s.save != "" {
			if err := write(filepath.Join(r.dir, s.save), s.text); err != nil {
				r.t.Fatalf("line %d: %v", s.line, err)
			}
			continue
		}
		if err := r.do(s.text); err != nil {
			r.t.Errorf("line %d: %s\n%v", s.line, s.text, err)
		}
	}
}

// checked are targets that are not made, because they test or measure.
var checked = []string{"test", "lint", "bench", "e2e", "fuzz", "soak"}

// foreign are commands that would change the machine, or need another one.
var foreign = []string{"sudo", "systemctl", "docker", "podman", "kubectl", "helm", "git", "apt", "apt-get", "dnf", "ssh", "scp", "cd"}

func (r *reader) do(text string) error {
	words := strings.Fields(text)
	sluice := filepath.Base(words[0]) == "sluice" && len(words) > 1
	switch {
	case strings.HasSuffix(strings.TrimSpace(text), "# on the Aspera server"):
		if words[0] != "asconfigurator" {
			return fmt.Errorf("what is done on the Aspera server begins with asconfigurator")
		}
		return nil
	case slices.Contains(foreign, words[0]):
		return fmt.Errorf("%s cannot be run here: fence the block as console", words[0])
	case words[0] == "make" && len(words) > 1 && slices.Contains(checked, words[1]):
		return r.isTarget(words[1])
	case words[0] == "make" && len(words) > 1 && words[1] == "run":
		if err := r.serve(text+" LISTEN="+r.service+" ADMIN="+r.admin, true); err != nil {
			return err
		}
		return r.suggested()
	case sluice && words[1] == "serve":
		return r.serve(text, false)
	case r.serving == nil && (strings.Contains(text, ":8080") || strings.Contains(text, ":9080")):
		if err := r.serve("bin/sluice serve --policies policies/examples", false); err != nil {
			return err
		}
	}
	return r.run(text)
}

func (r *reader) isTarget(name string) error {
	text, err := os.ReadFile(filepath.Join(r.dir, "Makefile"))
	if err == nil && !regexp.MustCompile(`(?m)^`+name+`:`).Match(text) {
		err = fmt.Errorf("the Makefile has no target %s", name)
	}
	return err
}

var exits = regexp.MustCompile(`\s# exits (\d+)\s*$`)

// run runs a command to its end.
func (r *reader) run(text string) error {
	want := 0
	if m := exits.FindStringSubmatch(text); m != nil {
		want, _ = strconv.Atoi(m[1])
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Minute)
	defer cancel()
	cmd := r.command(ctx, text)
	out, _ := cmd.CombinedOutput() // Its error is the exit status.
	if status := cmd.ProcessState.ExitCode(); status != want {
		return fmt.Errorf("exit status %d, want %d\n%s", status, want, out)
	}
	return nil
}

// command is a command in the copy of the checkout, with the ports replaced.
func (r *reader) command(ctx context.Context, text string) *exec.Cmd {
	ports := strings.NewReplacer("127.0.0.1:8080", r.service, "localhost:8080", r.service, "127.0.0.1:9080", r.admin, "localhost:9080", r.admin)
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", ports.Replace(text))
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(r.dir, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	return cmd
}

// output is what a process has written so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String returns it.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// serve starts a server instead of the one that runs, and waits until it is
// ready.
func (r *reader) serve(text string, viaMake bool) error {
	r.stop()
	if !viaMake {
		text = "exec " + text + " --listen " + r.service + " --admin " + r.admin
	}
	r.serving, r.said, r.viaMake, r.ended = r.command(context.Background(), text), &output{}, viaMake, make(chan error, 1)
	r.serving.Stdout, r.serving.Stderr = r.said, r.said
	r.serving.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := r.serving.Start(); err != nil {
		r.serving = nil
		return err
	}
	go func(cmd *exec.Cmd, ended chan<- error) { ended <- cmd.Wait() }(r.serving, r.ended)
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		response, err := http.Get("http://" + r.admin + "/readyz")
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-r.ended:
			r.serving = nil
			return fmt.Errorf("the server ended: %w\n%s", err, r.said)
		default:
		}
	}
	return fmt.Errorf("the server does not get ready\n%s", r.said)
}

// stop ends the server, which exits with 0.
func (r *reader) stop() {
	if r.serving == nil {
		return
	}
	_ = syscall.Kill(-r.serving.Process.Pid, syscall.SIGTERM)
	select {
	case err := <-r.ended:
		if err != nil && !r.viaMake { // make says that it was ended.
			r.t.Errorf("the server ended: %v\n%s", err, r.said)
		}
	case <-time.After(patience):
		_ = syscall.Kill(-r.serving.Process.Pid, syscall.SIGKILL)
		r.t.Errorf("the server does not end\n%s", r.said)
	}
	r.serving = nil
}

var promised = regexp.MustCompile(`\((\d{3})\)`)

// suggested does what the running server suggested before it started.
func (r *reader) suggested() error {
	status, done := "", 0
	for l := range strings.Lines(r.said.String()) {
		if m := promised.FindStringSubmatch(l); m != nil {
			status = m[1]
		}
		if l = strings.TrimSpace(l); !strings.HasPrefix(l, "curl ") {
			continue
		}
		out, err := r.command(r.t.Context(), l).Output()
		if err != nil || !strings.HasPrefix(string(out), "HTTP/1.1 "+status+" ") {
			return fmt.Errorf("%s\nis answered %q, want the status %s", l, out, status)
		}
		done++
	}
	if done < 2 {
		return fmt.Errorf("it suggests %d commands, want 2 or more\n%s", done, r.said)
	}
	return nil
}

// documented returns the first two columns of a table of validator/README.md,
// the words in backquotes, for the rows of a section.
func documented(t *testing.T, section string) (rows [][2][]string) {
	t.Helper()
	text, err := os.ReadFile(root + "/validator/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n## "+section+"\n")
	rest, _, _ = strings.Cut(rest, "\n## ")
	words := func(column string) (words []string) {
		for i, w := range strings.Split(column, "`") {
			if i%2 == 1 {
				words = append(words, w)
			}
		}
		slices.Sort(words)
		return words
	}
	for l := range strings.Lines(rest) {
		if columns := strings.Split(l, "|"); len(columns) > 3 && strings.HasPrefix(columns[1], " `") {
			rows = append(rows, [2][]string{words(columns[1]), words(columns[2])})
		}
	}
	if !found || len(rows) == 0 {
		t.Fatalf("validator/README.md has no table in a section %q", section)
	}
	return rows
}

// TestTheFieldsOfTheLogAreThoseThatAreDocumented after an event of each sort.
func TestTheFieldsOfTheLogAreThoseThatAreDocumented(t *testing.T) {
	t.Parallel()
	want := []string{"level", "msg"}
	for _, row := range documented(t, "The log") {
		want = append(want, row[0]...)
	}
	want = slices.DeleteFunc(want, func(name string) bool { return name == "client" || name == "below" }) // Of token requests alone.
	s := start(t, setup{})
	bodies := []string{
		event("cookie", `"aspera.faspex20:u:x"`, "xfer_id", `"x"`), event("tags", "{}"), file("/elsewhere/a.mov"), "",
		event("startstop", `"stop"`), event("size", ""), file("/ingest/../a"),
	}
	for _, body := range bodies {
		s.post(t, body)
	}
	await(t, "a log line for each event", func() bool { return len(s.log.find("decision")) == len(bodies) })
	var got []string
	for _, l := range s.log.find("decision") {
		for key := range l.members {
			if !slices.Contains(got, key) {
				got = append(got, key)
			}
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-documented +logged)\n%s", diff)
	}
}
