package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// MiB is 2²⁰ bytes; 20 of them are what the clamd of the tests takes.
const MiB = 1 << 20

// seen is what is told of one rule's look into a file.
type seen struct{ Outcome, Coverage, Reason string }

// The usual ends of a look.
var (
	clean    = seen{"passed", "clean", ""}
	bad      = seen{"refused", "bad", ""}
	tooLarge = seen{"refused_on_error", "partial", "limit"}
	failed   = seen{"refused_on_error", "error", "error"}
	changed  = seen{"refused_on_error", "error", "changed"}
	late     = seen{"refused_on_error", "timeout", "timeout"}
)

func unseen(reason string) seen { return seen{"refused_on_error", "uninspectable", reason} }

// looked is what a line of the log tells of one rule.
type looked struct {
	seen
	Policy, Error    string
	Inspected, Total int64
}

// step returns the step of a policy; one without an outcome where there is none.
func (l line) step(t *testing.T, policy string) (found looked) {
	t.Helper()
	var told struct{ Steps []looked }
	if err := json.Unmarshal([]byte(l.raw), &told); err != nil {
		t.Fatal(err)
	}
	for _, s := range told.Steps {
		if s.Policy == policy {
			return s
		}
	}
	return looked{}
}

// UnmarshalJSON reads the embedded members, too.
func (s *looked) UnmarshalJSON(text []byte) error {
	var told struct {
		Policy, Outcome, Coverage, Reason, Error string
		Inspected, Total                         int64
	}
	err := json.Unmarshal(text, &told)
	*s = looked{seen{told.Outcome, told.Coverage, told.Reason}, told.Policy, told.Error, told.Inspected, told.Total}
	return err
}

// folders returns policies about one folder of the docroot each. Each has the
// folder's name, and so has its first rule, of which the rest is given as YAML.
func folders(rules map[string]string) map[string]string {
	set := map[string]string{}
	for name, rule := range rules {
		set[name+".yaml"] = fmt.Sprintf("version: 1\npolicy: %s\napplies_to: {path: [/%s/**]}\nrules:\n  - name: %s\n    %s\n",
			name, name, name, strings.NewReplacer("\n- ", "\n  - ", "\n", "\n    ").Replace(rule))
	}
	return set
}

// looking returns a configuration with a docroot and scanners, each given as
// what stands behind its name.
func looking(docroot string, scanners map[string]string, more ...string) string {
	text := fmt.Sprintf("files:\n  mounts: [{prefix: /, dir: %s}]\n  wholes: {workers: 16}\n", docroot)
	for _, m := range more {
		text += m + "\n"
	}
	if len(scanners) > 0 {
		text += "scanners:\n"
	}
	for name, s := range scanners {
		text += "  " + name + ": {" + s + "}\n"
	}
	return text
}

// arrived posts that a file has arrived, and returns the answer and what the log
// tells of the policy of its folder.
func (s *server) arrived(t *testing.T, path string, pairs ...string) (answer, looked) {
	t.Helper()
	a := s.post(t, file(path, append([]string{"startstop", `"stop"`}, pairs...)...))
	return a, s.decision(t, a.id).step(t, strings.SplitN(path, "/", 3)[1])
}

// expect fails the test unless a file that has arrived is judged as it should be.
func (s *server) expect(t *testing.T, path, code string, want seen, pairs ...string) looked {
	t.Helper()
	a, got := s.arrived(t, path, pairs...)
	if a.code != code || got.seen != want {
		t.Errorf("%s: %d %s, want the code %q; looked %+v, want %+v; %s", path, a.status, a.body, code, got.seen, want, got.Error)
	}
	return got
}

// TestFilesAreLookedIntoAsTheyAre simulates a delivery of real files against
// rules of every kind that looks into files, with a real clamd and c-icap.
func TestFilesAreLookedIntoAsTheyAre(t *testing.T) {
	t.Parallel()
	c := startClamd(t, "yes")
	icap := startICAP(t, c)
	docroot := t.TempDir()
	program, err := os.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	start64, err := io.ReadAll(io.LimitReader(program, 64<<10))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{
		"clean":    "nothing to see here\n",
		"eicar":    eicar,
		"digest":   known,
		"yara":     "first, " + byRule + ".",
		"empty":    "",
		"zip.zip":  zipText(t, "inner.zip", zipText(t, "eicar.com", eicar)),
		"bomb.zip": zipped(t, "zeros", 3, 12*MiB), // Together more than clamd's MaxScanSize.
	}
	const large = 300 * MiB // Sparse, and longer than clamd takes of a file.
	cases := map[string]struct {
		code string
		seen
	}{}
	for folder, what := range map[string]string{"stream": "1032", "fildes": "1032", "icap": "1032"} {
		for name, text := range texts {
			put(t, filepath.Join(docroot, folder, name), text)
			one := cases["/"+folder+"/"+name]
			switch name {
			case "clean", "empty":
				one.seen = clean
			case "bomb.zip":
				one.code, one.seen = what, tooLarge
			default:
				one.code, one.seen = what, bad
			}
			cases["/"+folder+"/"+name] = one
		}
	}
	add := func(path, text, code string, want seen) {
		if text != "" {
			put(t, filepath.Join(docroot, path), text)
		}
		one := cases[path]
		one.code, one.seen = code, want
		cases[path] = one
	}
	sparse(t, filepath.Join(docroot, "stream/large-bad"), large, eicar)
	sparse(t, filepath.Join(docroot, "stream/large"), large, "")
	sparse(t, filepath.Join(docroot, "lenient/large"), 60*MiB, "")
	sparse(t, filepath.Join(docroot, "lenient/large-bad"), 60*MiB, eicar)
	sparse(t, filepath.Join(docroot, "fildes/large-bad"), 60*MiB, eicar)
	sparse(t, filepath.Join(docroot, "fildes/large"), 60*MiB, "")
	sparse(t, filepath.Join(docroot, "icap/large-bad"), 60*MiB, eicar)
	sparse(t, filepath.Join(docroot, "icap/large"), 60*MiB, "")
	sparse(t, filepath.Join(docroot, "wide/large"), 30*MiB, "")
	for _, folder := range []string{"stream", "lenient", "fildes", "icap"} {
		add("/"+folder+"/large-bad", "", "1032", bad)
		add("/"+folder+"/large", "", "1032", tooLarge)
	}
	add("/lenient/large", "", "", seen{"accepted_on_error", "partial", "limit"})
	add("/wide/large", "", "1032", tooLarge)
	// c-icap is not set to scan pictures, and does not say so.
	add("/icap/picture.gif", "GIF89a"+strings.Repeat("\x01", 9000), "1032", failed)
	add("/content/film.mov", "\x00\x00\x00\x14ftypqt  \x20\x05\x03\x00qt  "+strings.Repeat("\x00", 500), "", clean)
	add("/content/program.mov", string(start64), "1030", bad)
	add("/content/two.gif", "GIF89a/*"+strings.Repeat(" ", 600)+"*/=1;alert(1)", "1030", bad)
	add("/archive/films.zip", zipText(t, "film.mov", "a film"), "", clean)
	add("/archive/bomb.zip", texts["bomb.zip"], "1031", bad)
	add("/archive/bomb.mov", texts["bomb.zip"], "1031", bad)
	add("/archive/program.zip", zipText(t, "in.zip", zipText(t, "a.exe", "MZ")), "1031", bad)
	add("/archive/broken.zip", texts["zip.zip"][:len(texts["zip.zip"])/2], "1031", unseen("format"))
	// clamd says OK of an archive with a member above MaxFileSize, even with
	// AlertExceedsMax. What closes that gap is a rule about archives beside it.
	add("/guarded/member.zip", zipped(t, "zeros", 1, 30*MiB), "1031", bad)
	add("/guarded/small.zip", zipText(t, "a.txt", "small"), "", clean)
	add("/checksum/film.mov", "a film", "", clean)

	stream := fmt.Sprintf("clamd: 'unix:%s', max_size: 20 MiB", c.socket)
	s := start(t, setup{
		config: looking(docroot, map[string]string{
			"clamav": stream, "clamav-fd": stream + ", method: fildes", "icap": "icap: '" + icap + "', max_size: 20 MiB",
			"wide": fmt.Sprintf("clamd: 'unix:%s', max_size: 100 MiB", c.socket),
		}),
		policies: folders(map[string]string{
			"stream": "scan: {with: clamav}", "fildes": "scan: {with: clamav-fd}", "icap": "scan: {with: icap}", "wide": "scan: {with: wide}",
			"lenient": "scan: {with: clamav}\non_partial: accept", "content": "content: {match_extension: true}",
			"guarded": "archive: {max_unpacked: 20 MiB, max_ratio: 1000000}\n- name: malware\nscan: {with: clamav}",
			"archive": "archive: {max_ratio: 200, deny: {extension: [exe]}}", "checksum": "checksum: {verify: true}",
		}),
	})
	out, err := exec.Command(binary, "simulate", "--to", "http://"+s.service, "--docroot", docroot, "--all", "--checksum", "sha256", "--format", "json", docroot).Output()
	if code := err.(*exec.ExitError).ExitCode(); code != 1 { //nolint:errorlint // Of a command that ran.
		t.Fatalf("sluice simulate exits with %d: %s", code, out)
	}
	told := 0
	for written := range strings.Lines(string(out)) {
		var got struct{ File, Verdict, Phase, Code string }
		if err := json.Unmarshal([]byte(written), &got); err != nil || got.File == "" {
			continue
		}
		told++
		want, known := cases[got.File]
		verdict := map[bool]string{true: "ok", false: "refused"}[want.code == ""]
		if !known || got.Verdict != verdict || got.Code != want.code {
			t.Errorf("%s is %s, want %s with the code %q", strings.TrimSpace(written), got.Verdict, verdict, want.code)
		}
		lines := s.logged(t, "decision", "file", got.File, "phase", "stop")
		look := lines[0].step(t, strings.SplitN(got.File, "/", 3)[1])
		if look.seen != want.seen {
			t.Errorf("%s: looked %+v, want %+v; %s", got.File, look.seen, want.seen, look.Error)
		}
		if info, err := os.Stat(filepath.Join(docroot, got.File)); err != nil || look.Total != info.Size() {
			t.Errorf("%s has %d bytes in the log (%v)", got.File, look.Total, err)
		}
		if look.seen == clean && look.Inspected != look.Total && !strings.HasPrefix(got.File, "/content/") && !strings.HasPrefix(got.File, "/archive/") && !strings.HasPrefix(got.File, "/guarded/") {
			t.Errorf("%s is clean, and of %d bytes %d were inspected", got.File, look.Total, look.Inspected)
		}
	}
	if told != len(cases) {
		t.Errorf("%d files are told of, want %d: %s", told, len(cases), out)
	}
	checksums(t, s)
	looksAreCounted(t, s, cases)
	explained(t, s)
}

// checksums: what the server says must be the file's own digest.
func checksums(t *testing.T, s *server) {
	t.Helper()
	sum := sha256.Sum256([]byte("another film"))
	s.expect(t, "/checksum/film.mov", "1024", bad, "file_csum_type", `"sha256"`, "file_csum", fmt.Sprintf("%q", hex.EncodeToString(sum[:])))
}

// looksAreCounted: every look is in sluice_looks_total, and what was not looked
// at in sluice_uninspected_bytes_total.
func looksAreCounted[C any](t *testing.T, s *server, cases map[string]C) {
	t.Helper()
	m := s.metrics(t)
	for _, c := range []struct {
		policy, state string
		want          float64
	}{
		{"stream", "clean", 2},
		{"stream", "bad", 5},
		{"stream", "partial", 2},
		{"fildes", "clean", 2},
		{"fildes", "bad", 5},
		{"fildes", "partial", 2},
		{"icap", "clean", 2},
		{"icap", "bad", 5},
		{"icap", "partial", 2},
		{"icap", "error", 1},
		{"lenient", "bad", 1},
		{"lenient", "partial", 1},
		{"content", "clean", 1},
		{"content", "bad", 2},
		{"archive", "clean", 1},
		{"archive", "bad", 3},
		{"archive", "uninspectable", 1},
		{"checksum", "clean", 1},
		{"checksum", "bad", 1},
		{"wide", "partial", 1},
		{"guarded", "clean", 2},
		{"guarded", "bad", 1},
	} {
		if n := m.sum("sluice_looks_total", "policy", c.policy, "state", c.state); n != c.want {
			t.Errorf("%v looks of %s were %s, want %v", n, c.policy, c.state, c.want)
		}
	}
	if n := m.sum("sluice_looks_total"); n != float64(len(cases)+2) {
		t.Errorf("%v looks, want %d", n, len(cases)+2)
	}
	if n := m.sum("sluice_uninspected_bytes_total", "policy", "wide", "rule", "wide", "reason", "limit"); n != 30*MiB {
		t.Errorf("%v bytes that clamd did not take are counted, want all of %d", n, 30*MiB)
	}
	for _, policy := range []string{"content", "archive", "checksum"} {
		if n := m.sum("sluice_uninspected_bytes_total", "policy", policy, "reason", "limit"); n != 0 {
			t.Errorf("%v bytes are not inspected by %s", n, policy)
		}
	}
	if n := m.sum("sluice_accepted_on_error_total", "policy", "lenient"); n != 1 {
		t.Errorf("%v files passed although they were looked at in part, want 1", n)
	}
	for _, c := range []struct {
		scanner, result string
		want            float64
	}{{"clamav-fd", "clean", 2}, {"clamav-fd", "bad", 5}, {"clamav-fd", "partial", 2}, {"icap", "clean", 2}, {"icap", "bad", 5}, {"icap", "partial", 2}, {"icap", "error", 1}} {
		if n := m.sum("sluice_scans_total", "scanner", c.scanner, "result", c.result); n != c.want {
			t.Errorf("%v scans of %s were %s, want %v", n, c.scanner, c.result, c.want)
		}
	}
	if n := m.sum("sluice_scanner_up"); n != 4 {
		t.Errorf("%v scanners are up, want 4", n)
	}
}

// explained: how far a look got is told before anything is transferred, too.
func explained(t *testing.T, s *server) {
	t.Helper()
	for path, want := range map[string]seen{
		"/stream/clean": clean, "/stream/eicar": bad, "/fildes/bomb.zip": tooLarge, "/content/program.mov": bad, "/archive/bomb.zip": bad,
		"/stream/none": unseen("missing"),
	} {
		_, _, text := s.explain(t, "", file(path, "startstop", `"stop"`))
		var told struct{ Rules []looked }
		if err := json.Unmarshal([]byte(text), &told); err != nil || len(told.Rules) != 1 || told.Rules[0].seen != want {
			t.Errorf("%s is explained as %s, want %+v (%v)", path, text, want, err)
		}
	}
}

// TestWhatIsTooLargeIsNeverClean: not even with a clamd that says OK of what it
// has not looked at.
func TestWhatIsTooLargeIsNeverClean(t *testing.T) {
	t.Parallel()
	c := startClamd(t, "no")
	docroot := t.TempDir()
	for _, folder := range []string{"stream", "fildes"} {
		sparse(t, filepath.Join(docroot, folder, "just"), 20*MiB, "")
		sparse(t, filepath.Join(docroot, folder, "over"), 20*MiB+1, "")
		sparse(t, filepath.Join(docroot, folder, "bad"), 20*MiB+100, eicar)
	}
	stream := fmt.Sprintf("clamd: 'unix:%s', max_size: 20 MiB", c.socket)
	s := start(t, setup{
		config:   looking(docroot, map[string]string{"clamav": stream, "clamav-fd": stream + ", method: fildes"}),
		policies: folders(map[string]string{"stream": "scan: {with: clamav}", "fildes": "scan: {with: clamav-fd}"}),
	})
	for _, folder := range []string{"/stream", "/fildes"} {
		s.expect(t, folder+"/just", "", clean)
		s.expect(t, folder+"/over", "1032", tooLarge)
		s.expect(t, folder+"/bad", "1032", bad)
	}
}

// TestWhatIsNoFileOfTheMountIsNotOpened: each rule says why it could not look.
func TestWhatIsNoFileOfTheMountIsNotOpened(t *testing.T) {
	t.Parallel()
	c := startClamd(t, "yes")
	base := t.TempDir()
	docroot := filepath.Join(base, "docroot")
	put(t, filepath.Join(base, "secret"), eicar)
	kinds := map[string]string{"scan": "scan: {with: clamav}", "head": "content: {match_extension: true}", "archive": "archive: {max_depth: 1}", "sum": "checksum: {verify: true}"}
	codes := map[string]string{"scan": "1032", "head": "1030", "archive": "1031", "sum": "1024"}
	for folder := range kinds {
		dir := filepath.Join(docroot, folder)
		put(t, filepath.Join(dir, "file"), "a file of no extension")
		put(t, filepath.Join(dir, "folder/x"), "")
		put(t, filepath.Join(dir, "locked.mov.aspera-env"), "")
		for name, to := range map[string]string{"within": "file", "out": "../../secret", "absolute": filepath.Join(dir, "file"), "dangling": "none", "circle": "circle"} {
			if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
			t.Fatal(err)
		}
		socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(c.dir, folder)})
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		if err := os.Rename(filepath.Join(c.dir, folder), filepath.Join(dir, "socket")); err != nil {
			t.Fatal(err)
		}
	}
	s := start(t, setup{
		config:   looking(docroot, map[string]string{"clamav": "clamd: 'unix:" + c.socket + "'"}),
		policies: folders(kinds),
	})
	digest := []string{"file_csum_type", `"sha256"`, "file_csum", `"` + strings.Repeat("a", 64) + `"`}
	var asked sync.WaitGroup
	for folder := range kinds {
		if folder != "sum" { // The digest is made up.
			s.expect(t, "/"+folder+"/file", "", clean, digest...)
			s.expect(t, "/"+folder+"/within", "", clean, digest...)
		}
		for name, reason := range map[string]string{
			"out": "unmounted", "absolute": "unmounted", "dangling": "missing", "circle": "irregular", "none": "missing", "folder": "irregular",
			"pipe": "irregular", "socket": "irregular", "locked.mov": "encrypted", "locked.mov.aspera-env": "encrypted",
		} {
			asked.Go(func() { s.expect(t, "/"+folder+"/"+name, codes[folder], unseen(reason), digest...) })
		}
	}
	asked.Wait()
}

// TestAFileThatChangesUnderTheLookIsNotClean: what the scanner saw is not what
// is there, unless it found something.
func TestAFileThatChangesUnderTheLookIsNotClean(t *testing.T) {
	t.Parallel()
	c := startClamd(t, "yes")
	docroot := t.TempDir()
	changes := map[string]func(name string) error{
		"same":     func(string) error { return nil },
		"grows":    func(name string) error { return appendTo(name, "more") },
		"shrinks":  func(name string) error { return os.Truncate(name, 3) },
		"replaced": func(name string) error { return replace(name, "another file of it\n") },
		"removed":  os.Remove,
		"moved":    func(name string) error { return os.Rename(name, name+".old") },
		"bad":      func(name string) error { return replace(name, "another file of it\n") },
	}
	scans := []string{"stream", "fildes"}
	for _, folder := range scans {
		for name := range changes {
			text := "nothing to see here\n"
			if name == "bad" {
				text = eicar
			}
			put(t, filepath.Join(docroot, folder, name), text)
		}
		put(t, filepath.Join(docroot, folder, "first"), "the scanner is known from here on\n")
	}
	stream := fmt.Sprintf("clamd: 'unix:%s', max_size: 20 MiB, workers: 10", c.socket)
	s := start(t, setup{
		config:   looking(docroot, map[string]string{"stream": stream, "fildes": stream + ", method: fildes"}),
		policies: folders(map[string]string{"stream": "scan: {with: stream}", "fildes": "scan: {with: fildes}"}),
	})
	for _, folder := range scans {
		s.expect(t, "/"+folder+"/first", "", clean)
	}
	c.freeze(t)
	var asked sync.WaitGroup
	for _, folder := range scans {
		for name := range changes {
			want, code := changed, "1032"
			switch name {
			case "same":
				want, code = clean, ""
			case "bad":
				want = bad
			}
			asked.Go(func() { s.expect(t, "/"+folder+"/"+name, code, want) })
		}
	}
	await(t, "every file is with the scanner", func() bool {
		return s.metrics(t).sum("sluice_scans_in_progress") == float64(len(scans)*len(changes))
	})
	for _, folder := range scans {
		for name, change := range changes {
			path := filepath.Join(docroot, folder, name)
			await(t, path+" is open", func() bool { return opened(s.cmd.Process.Pid, path) })
			if err := change(path); err != nil {
				t.Error(err)
			}
		}
	}
	c.thaw(t)
	asked.Wait()
	s.expect(t, "/stream/grows", "", clean) // It is what it is now.
}

// TestAFileThatChangesWhileItIsReadIsNotClean: the read is slow, so that the
// change comes in the middle of it.
func TestAFileThatChangesWhileItIsReadIsNotClean(t *testing.T) {
	t.Parallel()
	docroot := t.TempDir()
	for _, name := range []string{"grows", "replaced", "shrinks"} {
		sparse(t, filepath.Join(docroot, "sum", name), MiB, "")
	}
	s := start(t, setup{
		config:   looking(docroot, nil, "  read_rate: 1 MiB"),
		policies: folders(map[string]string{"sum": "checksum: {verify: true}"}),
	})
	sum := sha256.Sum256(make([]byte, MiB))
	digest := fmt.Sprintf("%q", hex.EncodeToString(sum[:]))
	var asked sync.WaitGroup
	for name, change := range map[string]func(name string) error{
		"grows":    func(name string) error { return appendTo(name, "more") },
		"replaced": func(name string) error { return replace(name, strings.Repeat("\x00", MiB)) },
		"shrinks":  func(name string) error { return os.Truncate(name, MiB/2) },
	} {
		path := filepath.Join(docroot, "sum", name)
		asked.Go(func() {
			s.expect(t, "/sum/"+name, "1024", changed, "file_csum_type", `"sha256"`, "file_csum", digest)
		})
		await(t, path+" is open", func() bool { return opened(s.cmd.Process.Pid, path) })
		if err := change(path); err != nil {
			t.Error(err)
		}
	}
	asked.Wait()
}

func appendTo(name, text string) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.WriteString(f, text)
	return err
}

// replace puts another file in the place of one.
func replace(name, text string) error {
	if err := os.WriteFile(name+".new", []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// TestAScannerThatIsStoppedIsDownUntilItIsBack: whoever asks is refused at once,
// operators are told, and when it is back service goes on by itself.
func TestAScannerThatIsStoppedIsDownUntilItIsBack(t *testing.T) {
	t.Parallel()
	c := startClamd(t, "yes")
	docroot := t.TempDir()
	for _, folder := range []string{"stream", "lax"} {
		for i := range 6 {
			put(t, filepath.Join(docroot, folder, fmt.Sprint(i)), fmt.Sprint("file ", i))
		}
	}
	s := start(t, setup{
		config: looking(docroot, map[string]string{"clamav": "clamd: 'unix:" + c.socket + "'"}),
		policies: folders(map[string]string{
			"stream": "scan: {with: clamav}", "lax": "scan: {with: clamav}\non_error: accept", "film": "extension: {allow: [mov]}",
		}),
	})
	s.expect(t, "/stream/0", "", clean)
	c.kill(t)
	for i := 1; i <= 3; i++ {
		if got := s.expect(t, fmt.Sprint("/stream/", i), "1032", failed); strings.Contains(got.Error, "the scanner is down") {
			t.Errorf("the failure %d is %q already", i, got.Error)
		}
	}
	if got := s.expect(t, "/stream/4", "1032", failed); !strings.Contains(got.Error, "the scanner is down") {
		t.Errorf("after three failures: %q", got.Error)
	}
	s.expect(t, "/lax/4", "", seen{"accepted_on_error", "error", "error"})
	if status, body := s.ready(t); status != http.StatusOK || !strings.HasPrefix(body, "degraded: ") || !strings.Contains(body, "the scanner clamav is down") {
		t.Errorf("/readyz: %d %s", status, body)
	}
	m := s.metrics(t)
	if m.sum("sluice_scanner_up", "scanner", "clamav") != 0 || m.sum("sluice_scans_total", "result", "error") != 3 || m.sum("sluice_scans_total", "result", "down") != 2 {
		t.Errorf("in the metrics: %v", m.with("sluice_scans_total"))
	}
	if a := s.post(t, file("/film/a.mov")); a.code != "" {
		t.Errorf("what no scanner is wanted for is answered %d %s", a.status, a.body)
	}
	if n := m.sum("sluice_uninspected_bytes_total", "policy", "stream", "reason", "error"); n != 4*float64(len("file 0")) {
		t.Errorf("%v bytes of four files are counted as not inspected", n)
	}
	c.run(t)
	await(t, "the scanner is asked again", func() bool { a, _ := s.arrived(t, "/stream/5"); return a.code == "" })
	s.expect(t, "/stream/4", "", clean)
	if status, body := s.ready(t); status != http.StatusOK || !strings.HasPrefix(body, "ready: ") {
		t.Errorf("/readyz: %d %s", status, body)
	}
}

// TestAScannerThatHangsHoldsUpNothingElse: who waits for it is answered when the
// time of the rule is over, or that of the event; the others at once.
func TestAScannerThatHangsHoldsUpNothingElse(t *testing.T) {
	t.Parallel()
	c := startClamd(t, "yes")
	docroot := t.TempDir()
	for _, name := range []string{"patient/first", "patient/1", "patient/2", "patient/3", "patient/4", "short/1", "overall/1", "sum/1", "head/1"} {
		put(t, filepath.Join(docroot, name), name)
	}
	scanner := fmt.Sprintf("clamd: 'unix:%s', workers: 2, waiting: 1", c.socket)
	s := start(t, setup{
		config: looking(docroot, map[string]string{"clamav": scanner, "other": scanner, "third": scanner}, "  deadline: 2s"),
		policies: folders(map[string]string{
			"short": "scan: {with: other}\ntimeout: 200ms", "overall": "scan: {with: third}", "film": "extension: {allow: [mov]}",
			"sum": "checksum: {verify: true}", "head": "content: {match_extension: true}",
		}),
	})
	patient := start(t, setup{ // With the deadline that there is by default.
		config: looking(docroot, map[string]string{"clamav": scanner}),
		policies: folders(map[string]string{
			"patient": "scan: {with: clamav}", "film": "extension: {allow: [mov]}", "sum": "checksum: {verify: true}", "head": "content: {match_extension: true}",
		}),
	})
	patient.expect(t, "/patient/first", "", clean)
	c.freeze(t)
	s.expect(t, "/short/1", "1032", late)
	s.expect(t, "/overall/1", "1032", late)

	var asked sync.WaitGroup
	answered := make(chan struct{})
	load := func(busy, waiting float64) func() bool {
		return func() bool {
			m := patient.metrics(t)
			return m.sum("sluice_scans_in_progress") == busy && m.sum("sluice_scans_waiting") == waiting
		}
	}
	for i := 1; i <= 3; i++ {
		asked.Go(func() { patient.expect(t, fmt.Sprint("/patient/", i), "", clean) })
		await(t, "a file is with the scanner or waits for it", load(float64(min(i, 2)), float64(i-min(i, 2))))
	}
	go func() { asked.Wait(); close(answered) }()
	patient.expect(t, "/patient/4", "1032", seen{"refused_on_error", "error", "busy"})
	for range 100 {
		if a := patient.post(t, file("/film/a.mov", "startstop", `"stop"`)); a.code != "" {
			t.Fatalf("what needs no scanner is answered %d %s", a.status, a.body)
		}
	}
	patient.expect(t, "/head/1", "", clean)
	sum := sha256.Sum256([]byte("sum/1"))
	patient.expect(t, "/sum/1", "", clean, "file_csum_type", `"sha256"`, "file_csum", fmt.Sprintf("%q", hex.EncodeToString(sum[:])))
	select {
	case <-answered:
		t.Error("what waits for the scanner was answered before it had gone on")
	default:
	}
	c.thaw(t)
	asked.Wait()
	patient.expect(t, "/patient/4", "", clean)
	await(t, "the scanner is asked again", func() bool { a, _ := s.arrived(t, "/short/1"); return a.code == "" })
	s.expect(t, "/overall/1", "", clean)
}

// TestWhatAnswersRubbishIsNoScanner: nothing that a listener may say or do makes
// a file clean, and a scanner beside it goes on.
func TestWhatAnswersRubbishIsNoScanner(t *testing.T) {
	t.Parallel()
	c := startClamd(t, "yes")
	docroot := t.TempDir()
	put(t, filepath.Join(docroot, "good/file"), "nothing")
	scanners, rules := map[string]string{"clamav": "clamd: 'unix:" + c.socket + "'"}, map[string]string{"good": "scan: {with: clamav}"}
	impostors := map[string]func(net.Conn){
		"closes at once":       func(net.Conn) {},
		"closes when asked":    says(""),
		"another protocol":     says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
		"another word":         says("stream: FINE\x00"),
		"an OK of nothing":     says("OK\x00"),
		"an OK without an end": says("stream: OK"),
		"an OK too early":      says("stream: OK\x00"),
		"more than an answer":  says("stream: OK\x00stream: OK\x00"),
		"an endless answer":    says(strings.Repeat("stream: OK ", 10000)),
		"zeros":                says(strings.Repeat("\x00", 10000)),
		"ICAP early":           says("ICAP/1.0 204 No Content\r\n\r\n"),
		"ICAP rubbish":         says("ICAP/1.0 200 OK\r\nEncapsulated: x=y\r\n\r\n"),
		"ICAP closes":          says(""),
	}
	for name, treat := range impostors {
		id := strings.ReplaceAll(strings.ToLower(name), " ", "-")
		sparse(t, filepath.Join(docroot, id, "large"), 4*MiB, "") // No socket holds all of it.
		rules[id] = "scan: {with: " + id + "}\ntimeout: 10s"
		if strings.HasPrefix(name, "ICAP") {
			scanners[id] = "icap: 'icap://" + impostor(t, "tcp", treat) + "/avscan'"
		} else {
			scanners[id] = "clamd: 'unix:" + impostor(t, "unix", treat) + "'"
		}
	}
	s := start(t, setup{config: looking(docroot, scanners), policies: folders(rules)})
	var asked sync.WaitGroup
	for id := range rules {
		asked.Go(func() {
			if id == "good" {
				s.expect(t, "/good/file", "", clean)
				return
			}
			for range 4 { // The last one finds it down.
				s.expect(t, "/"+id+"/large", "1032", failed)
			}
		})
	}
	asked.Wait()
	s.expect(t, "/good/file", "", clean)
	_, body := s.ready(t)
	if n := strings.Count(body, " is down"); n != len(impostors) || strings.Contains(body, "the scanner clamav is down") {
		t.Errorf("%d scanners are down, want %d: %s", n, len(impostors), body)
	}
}

// TestTheSameFileIsScannedOnce: also when it is asked about five times at the
// same time, as the threads of one session do; and again when it has changed.
func TestTheSameFileIsScannedOnce(t *testing.T) {
	t.Parallel()
	docroot := t.TempDir()
	put(t, filepath.Join(docroot, "stream/clean"), "nothing to see here\n")
	put(t, filepath.Join(docroot, "stream/bad"), eicar)
	c := startClamd(t, "yes")
	s := start(t, setup{
		config:   looking(docroot, map[string]string{"clamav": "clamd: 'unix:" + c.socket + "'"}),
		policies: folders(map[string]string{"stream": "scan: {with: clamav}"}),
	})
	const threads = 5
	for name, want := range map[string]seen{"clean": clean, "bad": bad} {
		var asked sync.WaitGroup
		code := map[string]string{"clean": "", "bad": "1032"}[name]
		for range threads {
			asked.Go(func() { s.expect(t, "/stream/"+name, code, want) })
		}
		asked.Wait()
		m := s.metrics(t)
		if n := m.sum("sluice_scans_total", "result", name); n != 1 {
			t.Errorf("the %s file was scanned %v times", name, n)
		}
	}
	m := s.metrics(t)
	if n := m.sum("sluice_scans_total", "result", "remembered"); n != 2*(threads-1) {
		t.Errorf("%v answers were remembered, want %d", n, 2*(threads-1))
	}
	if n := m.sum("sluice_looks_total", "policy", "stream"); n != 2*threads {
		t.Errorf("%v looks, want %d", n, 2*threads)
	}
	if err := replace(filepath.Join(docroot, "stream/clean"), eicar); err != nil {
		t.Fatal(err)
	}
	s.expect(t, "/stream/clean", "1032", bad)
}

// TestAWebhookIsAskedAndProvesWhoAsks: a service of the site that checks the
// signature and answers in every way.
func TestAWebhookIsAskedAndProvesWhoAsks(t *testing.T) {
	t.Parallel()
	const secret = "sixteen bytes and a few more"
	secretFile := filepath.Join(t.TempDir(), "secret")
	put(t, secretFile, secret+"\n")
	over := make(chan struct{})
	var mu sync.Mutex
	ids, elsewhere := map[string]string{}, 0
	mux := http.NewServeMux()
	mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) { mu.Lock(); elsewhere++; mu.Unlock() })
	mux.HandleFunc("/validate", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte(secret))
		fmt.Fprintf(mac, "%s.%s", r.Header.Get("X-Sluice-Timestamp"), body)
		var asked struct{ ID, Path, Phase string }
		switch {
		case err != nil, r.Method != http.MethodPost, r.Header.Get("X-Sluice-Signature") != "sha256="+hex.EncodeToString(mac.Sum(nil)):
			http.Error(w, "not signed", http.StatusForbidden)
			return
		case json.Unmarshal(body, &asked) != nil, asked.ID != r.Header.Get("X-Sluice-Decision"), asked.Phase != "stop":
			http.Error(w, "no event", http.StatusUnprocessableEntity)
			return
		}
		mu.Lock()
		ids[asked.Path] = asked.ID
		mu.Unlock()
		switch filepath.Base(asked.Path) {
		case "ordered":
		case "no-content":
			w.WriteHeader(http.StatusNoContent)
		case "unknown":
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"error":{"code":"77","message":"Nobody has ordered {name}."}}`)
		case "rubbish":
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `no!`)
		case "moved":
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		case "late":
			<-over
		default:
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	peer := httptest.NewServer(mux)
	t.Cleanup(peer.Close)
	t.Cleanup(func() { close(over) })
	s := start(t, setup{
		config: fmt.Sprintf("webhooks:\n  dam: {url: '%s/validate', secret_file: %s, timeout: 1s}\n  gone: {url: 'http://127.0.0.1:1/', secret_file: %s}\n", peer.URL, secretFile, secretFile),
		policies: folders(map[string]string{
			"dam": "webhook: {ask: dam}\non: [stop]", "lax": "webhook: {ask: dam}\non: [stop]\non_error: accept", "gone": "webhook: {ask: gone}\non: [stop]",
		}),
	})
	unsure := "This could not be checked by the rule "
	for path, want := range map[string]struct{ code, message string }{
		"/dam/ordered": {}, "/dam/no-content": {}, "/lax/broken": {},
		"/dam/unknown": {"1035", "Nobody has ordered {name}."},
		"/lax/unknown": {"1035", "Nobody has ordered {name}."},
		"/dam/rubbish": {"1035", unsure}, "/dam/moved": {"1035", unsure}, "/dam/broken": {"1035", unsure}, "/dam/late": {"1035", unsure},
		"/gone/ordered": {"1035", unsure},
	} {
		a, _ := s.arrived(t, path)
		if a.code != want.code || !strings.HasPrefix(a.message, want.message) {
			t.Errorf("%s: %d %s, want %q", path, a.status, a.body, want)
		}
		mu.Lock()
		if !strings.HasPrefix(path, "/gone/") && ids[path] != a.id {
			t.Errorf("%s is the decision %s, and was asked about as %q", path, a.id, ids[path])
		}
		mu.Unlock()
	}
	if a := s.post(t, file("/dam/unknown")); a.code != "" {
		t.Errorf("at start nobody is asked, and the answer is %d %s", a.status, a.body)
	}
	mu.Lock()
	defer mu.Unlock()
	if elsewhere != 0 {
		t.Error("a redirect was followed")
	}
	for _, look := range s.metrics(t).with("sluice_looks_total") {
		t.Errorf("a look into a file is counted, and there was none: %v", look)
	}
	for _, l := range s.log.all() {
		if strings.Contains(l.raw, secret) {
			t.Errorf("the secret is in the log: %s", l.raw)
		}
	}
}
