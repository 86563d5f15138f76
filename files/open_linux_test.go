package files_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/files"
	"github.com/sluiceproject/sluice/rules"
)

// lies returns where an open file lies, as the kernel tells.
func lies(t fatal, file rules.Handle) string {
	t.Helper()
	var name string
	var err error
	failed := file.(rules.Descriptor).Control(func(fd uintptr) { name, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)) })
	if failed != nil || err != nil {
		t.Fatalf("%v, %v", failed, err)
	}
	return name
}

// fatal is what tests and properties have in common.
type fatal interface {
	Helper()
	Fatalf(format string, args ...any)
}

func TestTheDescriptor(t *testing.T) {
	source, dir := mounted(t, "")
	put(t, filepath.Join(dir, "a"), "x")
	file, err := source.Open(t.Context(), about("/a", rules.PhaseStop))
	do(t, err)
	defer file.Close()
	if got := lies(t, file); got != filepath.Join(dir, "a") {
		t.Errorf("it lies at %s", got)
	}
	do(t, file.(rules.Descriptor).Control(func(fd uintptr) {
		for _, flag := range []struct {
			name            string
			get, mask, want int
		}{
			{"it waits for its bytes", syscall.F_GETFL, syscall.O_NONBLOCK, 0},
			{"it is only read", syscall.F_GETFL, syscall.O_ACCMODE, syscall.O_RDONLY},
			{"no other program inherits it", syscall.F_GETFD, syscall.FD_CLOEXEC, syscall.FD_CLOEXEC},
		} {
			got, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, uintptr(flag.get), 0)
			if errno != 0 || int(got)&flag.mask != flag.want {
				t.Errorf("%s: %#x, %v", flag.name, got, errno)
			}
		}
	}))
}

func TestTheIdentity(t *testing.T) {
	source, dir := mounted(t, "")
	name := filepath.Join(dir, "a")
	put(t, name, "12345")
	do(t, os.Chtimes(name, time.Unix(1, 2), time.Unix(3, 4)))
	file, err := source.Open(t.Context(), about("/a", rules.PhaseStop))
	do(t, err)
	defer file.Close()
	var stat syscall.Stat_t
	do(t, syscall.Stat(name, &stat))
	want := rules.Identity{Device: stat.Dev, Inode: stat.Ino, Size: 5, Modified: time.Unix(3, 4), Status: time.Unix(stat.Ctim.Unix())}
	if diff := cmp.Diff(want, file.Identity()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// grow makes a folder of anything: files, folders, pipes, links in, out and in
// circles. It writes through none that leads out.
func grow(t *rapid.T, dir string) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	name := rapid.SampledFrom([]string{"a", "b", "c", "a.part", "b.aspera-env"})
	for range rapid.IntRange(1, 8).Draw(t, "entries") {
		at := strings.Join(rapid.SliceOfN(name, 1, 3).Draw(t, "at"), "/")
		_ = root.MkdirAll(filepath.Dir(at), 0o700)
		switch rapid.IntRange(0, 6).Draw(t, "what") { // What is there already stays.
		case 0, 1, 2, 3:
			if f, err := root.OpenFile(at, os.O_CREATE|os.O_EXCL, 0o600); err == nil {
				f.Close()
			}
		case 4, 5:
			target := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "..", ".", "", "mount", "outside", "a.part"}), 1, 4).Draw(t, "target"), "/")
			if rapid.IntRange(0, 3).Draw(t, "absolute") == 0 {
				target = filepath.Join(filepath.Dir(dir), target)
			}
			_ = root.Symlink(target, at)
		default:
			_ = syscall.Mkfifo(filepath.Join(dir, name.Draw(t, "pipe")), 0o600)
		}
	}
}

// names returns the paths of whatever lies in a folder, links among it.
func names(t *rapid.T, dir, prefix string) (list []string) {
	err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		list = append(list, prefix+strings.TrimPrefix(strings.TrimPrefix(name, dir), "/"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestWhatIsOpenedIsBeneathTheMount, whatever the path and whatever lies there.
func TestWhatIsOpenedIsBeneathTheMount(t *testing.T) {
	base := t.TempDir()
	var opened int
	tree := 0
	rapid.Check(t, func(t *rapid.T) {
		tree++
		top := filepath.Join(base, fmt.Sprint(tree))
		dirs := []string{filepath.Join(top, "mount"), filepath.Join(top, "b")}
		for _, dir := range append(dirs, filepath.Join(top, "outside")) {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			grow(t, dir)
		}
		suffix := rapid.SampledFrom([]string{"", ".part"}).Draw(t, "suffix")
		source, err := files.New([]files.Mount{{Prefix: "/", Dir: dirs[0]}, {Prefix: "/b", Dir: dirs[1]}}, suffix)
		if err != nil {
			t.Fatal(err)
		}
		segment := rapid.OneOf(rapid.SampledFrom([]string{"a", "b", "c", "a.part", "b.aspera-env", "..", ".", "", "mount", "outside"}), rapid.StringN(0, 3, 8))
		there := append(names(t, dirs[0], "/"), names(t, dirs[1], "/b/")...)
		for range 10 {
			path := rapid.SampledFrom(there).Draw(t, "there") + rapid.SampledFrom([]string{"", "", "", "/a", "/b/c", "/../a"}).Draw(t, "further")
			if rapid.Bool().Draw(t, "anywhere") {
				path = rapid.SampledFrom([]string{"/", "/", "/", "", "//", `C:\`, `\\`, "s3://", "../"}).Draw(t, "start") + strings.Join(rapid.SliceOfN(segment, 0, 4).Draw(t, "path"), "/")
			}
			e := about(path, rapid.SampledFrom([]rules.Phase{rules.PhaseStart, rules.PhaseRunning, rules.PhaseStop}).Draw(t, "phase"))
			file, err := source.Open(t.Context(), e)
			if err != nil {
				continue
			}
			opened++
			at := lies(t, file)
			file.Close()
			want := dirs[0]
			if e.File.Slash == "/b" || strings.HasPrefix(e.File.Slash, "/b/") {
				want = dirs[1]
			}
			if !strings.HasPrefix(at, want+"/") {
				t.Fatalf("%q is %s, which is not beneath %s", path, at, want)
			}
		}
	})
	t.Logf("%d files were opened", opened)
	if opened == 0 {
		t.Error("no file was opened")
	}
}

// TestLinksThatMoveUnderTheLook: whoever exchanges a folder for a link out, and a
// file for a pipe, at the right moment gains nothing.
func TestLinksThatMoveUnderTheLook(t *testing.T) {
	source, dir := mounted(t, "")
	put(t, filepath.Join(dir, "real", "a"), "inside")
	put(t, filepath.Join(dir, "..", "real", "a"), "outside")
	do(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	do(t, os.Symlink("real", filepath.Join(dir, "folder")))
	do(t, os.Symlink("real/a", filepath.Join(dir, "file")))
	const rounds = 2000
	var moving sync.WaitGroup
	moving.Go(func() {
		for i := range rounds {
			for name, targets := range map[string][]string{"folder": {"real", "../real", "..", "/etc"}, "file": {"real/a", "pipe", "../real/a", "/dev/zero"}} {
				_ = os.Remove(filepath.Join(dir, "new"))
				_ = os.Symlink(targets[(i+rand.IntN(2))%len(targets)], filepath.Join(dir, "new"))
				_ = os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, name))
			}
		}
	})
	for i := range rounds {
		file, err := source.Open(t.Context(), about([]string{"/folder/a", "/file"}[i%2], rules.PhaseStop))
		if err != nil {
			fitForLogs(t, err)
			continue
		}
		if at := lies(t, file); at != filepath.Join(dir, "real", "a") {
			t.Errorf("%s was opened", at)
		}
		file.Close()
	}
	moving.Wait()
}

// FuzzOpen: no panic, errors that can be logged, and what is opened is beneath
// the mount of the path.
func FuzzOpen(f *testing.F) {
	top := f.TempDir()
	for _, name := range []string{"mount/a", "mount/b/c", "mount/a.part", `mount/x\y`, "mount/Ä", "drive/a", "drive/b/c", "share/a", "outside/a", "a"} {
		put(f, filepath.Join(top, name), name)
	}
	for name, target := range map[string]string{"mount/in": "b", "mount/out": "../outside", "drive/up": "..", "share/root": "/"} {
		if err := os.Symlink(target, filepath.Join(top, name)); err != nil {
			f.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(top, "mount/pipe"), 0o600); err != nil {
		f.Fatal(err)
	}
	mounts := []files.Mount{{Prefix: "/", Dir: top + "/mount"}, {Prefix: "C:/", Dir: top + "/drive"}, {Prefix: `\\server\share`, Dir: top + "/share"}}
	source, err := files.New(mounts, ".part")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range []string{
		"/a", "/b/c", "/in/c", "/out/a", "/pipe", "/a.part", "/b/../a", "//b//c", `/x\y`, "/Ä", "/a\x00", "a", "/", "", ".", "..",
		`C:\a`, "c:/b/c", `C:\up\a`, `C:\..\a`, "C:", `\\server\share\a`, `\\SERVER\SHARE\root\etc\passwd`, `\\server\share`, "s3://K:S@b/a", "/a.ASPERA-ENV.part",
	} {
		f.Add(path, uint8(rules.PhaseRunning))
		f.Add(path, uint8(rules.PhaseStop))
	}
	f.Fuzz(func(t *testing.T, path string, phase uint8) {
		e := about(path, rules.Phase(phase))
		file, err := source.Open(t.Context(), e)
		if err != nil {
			if path != "" {
				fitForLogs(t, err)
			}
			return
		}
		defer file.Close()
		want := top + "/mount/"
		switch lower := strings.ToLower(e.File.Slash); {
		case strings.HasPrefix(lower, "c:/"):
			want = top + "/drive/"
		case strings.HasPrefix(lower, "/server/share/"):
			want = top + "/share/"
		}
		if at := lies(t, file); !strings.HasPrefix(at, want) {
			t.Errorf("%q is %s", path, at)
		}
		if err := file.Unchanged(); err != nil {
			t.Error(err)
		}
	})
}
