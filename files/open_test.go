package files_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sluiceproject/sluice/files"
	"github.com/sluiceproject/sluice/rules"
)

// put writes a file, and the folders on the way.
func put(tb testing.TB, name, text string) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// mounted returns a source with one mount, of "/", and its folder.
func mounted(tb testing.TB, suffix string) (source *files.Mounts, dir string) {
	tb.Helper()
	dir = filepath.Join(tb.TempDir(), "mount")
	if err := os.Mkdir(dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	source, err := files.New([]files.Mount{{Prefix: "/", Dir: dir}}, suffix)
	if err != nil {
		tb.Fatal(err)
	}
	return source, dir
}

func about(path string, phase rules.Phase) *rules.Event {
	return &rules.Event{File: rules.ParsePath(path), Phase: phase, Direction: rules.Upload}
}

// look returns the text of an event's file, the reason for which it is not
// inspectable, or "error".
func look(tb testing.TB, source rules.Source, path string, phase rules.Phase) string {
	tb.Helper()
	return lookAt(tb, source, about(path, phase))
}

func lookAt(tb testing.TB, source rules.Source, e *rules.Event) string {
	tb.Helper()
	file, err := source.Open(tb.Context(), e)
	if err != nil {
		return reason(err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.NewSectionReader(file, 0, file.Identity().Size))
	if err != nil {
		tb.Fatal(err)
	}
	if err := file.Unchanged(); err != nil {
		tb.Errorf("nobody changed %s: %v", e.File.Raw, err)
	}
	return string(text)
}

func reason(err error) string {
	var not *rules.UninspectableError
	if errors.As(err, &not) {
		return not.Reason
	}
	return "error"
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsOpened(t *testing.T) {
	source, dir := mounted(t, "")
	at := func(name string) string { return filepath.Join(dir, name) }
	put(t, at("film/a.mov"), "a film")
	put(t, at("empty"), "")
	put(t, at(`back\slash`), "a name")
	put(t, at("s3:/KEY:SECRET@x"), "no storage")
	put(t, at("locked.aspera-env"), "what nobody can read")
	put(t, filepath.Join(dir, "..", "outside"), "a secret")
	put(t, filepath.Join(dir, "..", "mountain", "x"), "a secret")
	do(t, os.Symlink("film/a.mov", at("inside")))
	do(t, os.Symlink("inside", at("film2")))
	do(t, os.Symlink("film", at("folder")))
	do(t, os.Symlink("../film/a.mov", at("film/up-and-down")))
	do(t, os.Symlink(at("film/a.mov"), at("absolute")))
	do(t, os.Symlink("../outside", at("out")))
	do(t, os.Symlink("..", at("up")))
	do(t, os.Symlink("/", at("root")))
	do(t, os.Symlink("/dev/null", at("null")))
	do(t, os.Symlink("/proc/self/root", at("magic")))
	do(t, os.Symlink("nothing", at("dangling")))
	do(t, os.Symlink("circle", at("circle")))
	do(t, syscall.Mkfifo(at("fifo"), 0o600))
	do(t, os.Symlink("fifo", at("to-fifo")))
	do(t, os.Mkdir(at("dir"), 0o700))
	do(t, syscall.Mkfifo(at("dir.partial"), 0o600))
	socket, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", at("socket"))
	do(t, err)
	defer socket.Close()

	for _, tc := range []struct{ path, want string }{
		{"/film/a.mov", "a film"},
		{"/film//./a.mov", "a film"},
		{"/film/a.mov/", "a film"}, // As rules see it.
		{"/empty", ""},
		{`/back\slash`, "a name"},
		{"/s3:/KEY:SECRET@x", "no storage"},
		{"/inside", "a film"},
		{"/film2", "a film"},
		{"/folder/a.mov", "a film"},
		{"/film/up-and-down", "a film"},
		{"/folder/up-and-down", "a film"},

		{"/absolute", "unmounted"}, // os.Root follows no absolute link.
		{"/out", "unmounted"},
		{"/up/outside", "unmounted"},
		{"/up/mount/film/a.mov", "unmounted"},
		{"/root/etc/passwd", "unmounted"},
		{"/magic/etc/passwd", "unmounted"},
		{"/null", "unmounted"},
		{"/../outside", "unmounted"},
		{"/film/../film/a.mov", "unmounted"}, // Where ".." leads is not known.
		{`C:\..\outside`, "unmounted"},
		{"/film/a.mov\x00", "unmounted"},
		{"/film/a.mov\x00.txt", "unmounted"},
		{"film/a.mov", "unmounted"},

		{"/", "irregular"},
		{"/film", "irregular"},
		{"/folder", "irregular"},
		{"/fifo", "irregular"},
		{"/to-fifo", "irregular"},
		{"/socket", "irregular"},
		{"/circle", "irregular"},
		{"/circle/x", "irregular"},

		{"/none", "missing"},
		{"/none/none", "missing"},
		{"/FILM/a.mov", "missing"},
		{"/dangling", "missing"},
		{"/film/a.mov/x", "missing"},
		{"/fifo/x", "missing"},
		{"/film/a.mov ", "missing"},
		{"/" + strings.Repeat("n", 300), "missing"},
		{"/" + strings.Repeat("n/", 20_000), "missing"},

		{"/film/a.mov.aspera-env", "encrypted"},
		{"/film/A.MOV.ASPERA-ENV", "encrypted"},
		{"/none.aspera-env", "encrypted"},
		{"/locked", "encrypted"}, // It has the suffix where it lies.

		{"s3://bucket/film/a.mov", "object_storage"},
		{"s3://KEY:SECRET@bucket/../a.mov", "object_storage"},
		{"azu+x://KEY:SECRET@bucket/a.aspera-env", "object_storage"},
	} {
		for _, phase := range []rules.Phase{rules.PhaseStart, rules.PhaseRunning, rules.PhaseStop} {
			if got := look(t, source, tc.path, phase); got != tc.want {
				t.Errorf("%.60q at %s is %s, want %s", tc.path, phase, got, tc.want)
			}
		}
	}
}

// TestADeviceIsRefused, also one that lies in the mount itself.
func TestADeviceIsRefused(t *testing.T) {
	source, err := files.New([]files.Mount{{Prefix: "/", Dir: "/dev"}}, "")
	do(t, err)
	for _, name := range []string{"/null", "/zero", "/tty"} {
		if got := look(t, source, name, rules.PhaseStop); got != "irregular" {
			t.Errorf("%s is %s", name, got)
		}
	}
}

// TestWhoWaitsAtAPipeGoesOnWaiting: a pipe is not even opened.
func TestWhoWaitsAtAPipeGoesOnWaiting(t *testing.T) {
	source, dir := mounted(t, "")
	pipe := filepath.Join(dir, "pipe")
	do(t, syscall.Mkfifo(pipe, 0o600))
	if got := look(t, source, "/pipe", rules.PhaseRunning); got != "irregular" {
		t.Errorf("a pipe is %s", got)
	}
	// Nobody has it open for reading.
	if _, err := os.OpenFile(pipe, os.O_WRONLY|syscall.O_NONBLOCK, 0); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("opening the other end: %v", err)
	}
}

// TestPermissionsApply, unless to root, who may read everything.
func TestPermissionsApply(t *testing.T) {
	source, dir := mounted(t, "")
	put(t, filepath.Join(dir, "unreadable"), "a secret")
	do(t, os.Chmod(filepath.Join(dir, "unreadable"), 0))
	put(t, filepath.Join(dir, "closed", "a"), "a secret")
	do(t, os.Chmod(filepath.Join(dir, "closed"), 0))
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "closed"), 0o700) })
	want := "denied"
	if os.Geteuid() == 0 {
		want = "a secret"
	}
	for _, path := range []string{"/unreadable", "/closed/a"} {
		if got := look(t, source, path, rules.PhaseStop); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}

func TestThePartialSuffix(t *testing.T) {
	const running, stop = rules.PhaseRunning, rules.PhaseStop
	for _, tc := range []struct {
		name  string
		there []string
		path  string
		at    map[rules.Phase]string
	}{
		{"only the plain name", []string{"a"}, "/a", map[rules.Phase]string{running: "a", stop: "a"}},
		{"only with the suffix", []string{"a.part"}, "/a", map[rules.Phase]string{running: "a.part", stop: "a.part"}},
		{"both: at stop nobody can tell", []string{"a", "a.part"}, "/a", map[rules.Phase]string{rules.PhaseStart: "a.part", running: "a.part", stop: "error"}},
		{"neither", []string{"b"}, "/a", map[rules.Phase]string{running: "missing", stop: "missing"}},
		{"the event has the suffix", []string{"a", "a.part"}, "/a.part", map[rules.Phase]string{running: "a.part", stop: "a.part"}},
		{"the event has it, the file does not", []string{"a"}, "/a.PART", map[rules.Phase]string{running: "missing", stop: "missing"}},
		{"another suffix", []string{"a.partial"}, "/a", map[rules.Phase]string{running: "missing", stop: "missing"}},
		{"a folder has the suffix", []string{"a", "a.part/x"}, "/a", map[rules.Phase]string{running: "irregular", stop: "error"}},
		{"a name as long as names can be", []string{long}, "/" + long, map[rules.Phase]string{running: long, stop: long}},
		{"encrypted", []string{"a.aspera-env.part"}, "/a.aspera-env", map[rules.Phase]string{running: "encrypted", stop: "encrypted"}},
		{"encrypted beneath the suffix", []string{"a"}, "/a.Aspera-Env.PART", map[rules.Phase]string{running: "encrypted", stop: "encrypted"}},
		{"encrypted where it lies", []string{"a.part.aspera-env"}, "/a", map[rules.Phase]string{running: "encrypted", stop: "encrypted"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			source, dir := mounted(t, ".part")
			for _, name := range tc.there {
				put(t, filepath.Join(dir, name), name)
			}
			for phase, want := range tc.at {
				if got := look(t, source, tc.path, phase); got != want {
					t.Errorf("at %s %s, want %s", phase, got, want)
				}
			}
		})
	}
}

var long = strings.Repeat("n", 255)

// TestADownloadHasItsPlainName, whatever is uploaded beside it.
func TestADownloadHasItsPlainName(t *testing.T) {
	source, dir := mounted(t, ".part")
	put(t, filepath.Join(dir, "a"), "what is downloaded")
	put(t, filepath.Join(dir, "a.part"), "what is uploaded")
	for _, phase := range []rules.Phase{rules.PhaseStart, rules.PhaseRunning, rules.PhaseStop} {
		e := about("/a", phase)
		e.Direction = rules.Download
		if got := lookAt(t, source, e); got != "what is downloaded" {
			t.Errorf("at %s %s", phase, got)
		}
	}
}

func TestAnEventWithoutAFile(t *testing.T) {
	source, _ := mounted(t, "")
	var missing rules.MissingError
	if _, err := source.Open(t.Context(), &rules.Event{}); !errors.As(err, &missing) || missing.Field != "file" {
		t.Errorf("%v", err)
	}
}

func TestNothingIsOpenedOutOfTime(t *testing.T) {
	source, dir := mounted(t, "")
	put(t, filepath.Join(dir, "a"), "")
	ctx, cancel := context.WithCancelCause(t.Context())
	late := errors.New("too late")
	cancel(late)
	if _, err := source.Open(ctx, about("/a", rules.PhaseStop)); !errors.Is(err, late) {
		t.Errorf("%v", err)
	}
}

// TestErrorsAreFitToBeLogged: no credentials, no line breaks, not of any length.
func TestErrorsAreFitToBeLogged(t *testing.T) {
	source, dir := mounted(t, "")
	do(t, os.Symlink("circle", filepath.Join(dir, "circle")))
	for _, path := range []string{
		"s3://KEY:SECRET@bucket/a", "/x/s3://KEY:SECRET@bucket/a", "/circle/s3://KEY:SECRET@x", "/../s3://KEY:SECRET@x", "s3:/KEY:SECRET@x",
		"/a\nb", "/\u202egnp.exe", "/\xff", "/" + strings.Repeat("\u202e", 1000), "/" + strings.Repeat("long/", 500), "\x1b[2J", "/a\x00SECRET@", strings.Repeat("\x05", 1000),
	} {
		_, err := source.Open(t.Context(), about(path, rules.PhaseStop))
		if err == nil {
			t.Fatalf("%q is opened", path)
		}
		fitForLogs(t, err)
		if !strings.HasSuffix(path, "SECRET@") && strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%v", err)
		}
	}
}

func fitForLogs(t *testing.T, err error) {
	t.Helper()
	text := err.Error()
	if rules.Printable(text) != text {
		t.Errorf("%q does not print", text)
	}
	if len(text) > 1000 {
		t.Errorf("%d bytes: %s", len(text), text)
	}
	var not *rules.UninspectableError
	if errors.As(err, &not) && !strings.HasPrefix(not.Detail, `"`) {
		t.Errorf("%q does not name the file", text)
	}
}
