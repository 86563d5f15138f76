package files_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// TestUnchanged: each row does something to the file of /a, which is "12345" and
// lies as a, or as a.part, while it is open.
func TestUnchanged(t *testing.T) {
	const running, stop = rules.PhaseRunning, rules.PhaseStop
	write := func(flag int, text string) func(name string) error {
		return func(name string) error {
			f, err := os.OpenFile(name, os.O_WRONLY|flag, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString(text)
			return errors.Join(err, f.Close())
		}
	}
	replace := func(name string) error {
		return errors.Join(os.WriteFile(name+".new", []byte("12345"), 0o600), os.Rename(name+".new", name))
	}
	folder := filepath.Dir
	for _, tc := range []struct {
		name, lies string
		do         func(name string) error
		// changed is at which phases the look then cannot tell.
		changed []rules.Phase
	}{
		{"nothing", "a", func(string) error { return nil }, nil},
		{"nothing, with the suffix", "a.part", func(string) error { return nil }, nil},
		{"read", "a", func(name string) error { _, err := os.ReadFile(name); return err }, nil},
		{"another file beside it", "a", func(name string) error { return os.WriteFile(name+".b", nil, 0o600) }, nil},
		{"grown", "a", write(os.O_APPEND, "6"), []rules.Phase{stop}},
		{"cut", "a", func(name string) error { return os.Truncate(name, 4) }, []rules.Phase{running, stop}},
		{"cut and as long again", "a", write(os.O_TRUNC, "54321"), []rules.Phase{stop}},
		{"cut and longer", "a", write(os.O_TRUNC, "654321"), []rules.Phase{stop}},
		{"cut and shorter", "a", write(os.O_TRUNC, "1"), []rules.Phase{running, stop}},
		{"written over", "a", write(0, "54321"), []rules.Phase{stop}},
		{"replaced by the same", "a", replace, []rules.Phase{running, stop}},
		{"replaced and put back", "a", func(name string) error {
			return errors.Join(os.Rename(name, name+".old"), os.WriteFile(name, []byte("evil!"), 0o600),
				os.Chtimes(name+".old", time.Now(), time.Now()), os.Rename(name+".old", name))
		}, []rules.Phase{stop}},
		{"removed", "a", os.Remove, []rules.Phase{running, stop}},
		{"renamed", "a", func(name string) error { return os.Rename(name, name+".b") }, []rules.Phase{running, stop}},
		{"finished", "a.part", func(name string) error { return os.Rename(name, filepath.Join(folder(name), "a")) }, []rules.Phase{stop}},
		{"finished, and begun again", "a.part", func(name string) error {
			return errors.Join(os.Rename(name, filepath.Join(folder(name), "a")), os.WriteFile(name, nil, 0o600))
		}, []rules.Phase{stop}},
		{"a folder in its place", "a", func(name string) error { return errors.Join(os.Remove(name), os.Mkdir(name, 0o700)) }, []rules.Phase{running, stop}},
		{"a link to it in its place", "a", func(name string) error {
			return errors.Join(os.Rename(name, name+".b"), os.Symlink("a.b", name), os.Chtimes(name+".b", time.Now(), time.Now()))
		}, []rules.Phase{stop}},
		{"a link out in its place", "a", func(name string) error { return errors.Join(os.Remove(name), os.Symlink("/dev/null", name)) }, []rules.Phase{running, stop}},
		{"the mount is gone", "a", func(name string) error { return os.Rename(folder(name), folder(name)+".old") }, []rules.Phase{running, stop}},
		{"the mount is another", "a", func(name string) error {
			return errors.Join(os.Rename(folder(name), folder(name)+".old"), os.Mkdir(folder(name), 0o700), os.WriteFile(name, []byte("12345"), 0o600))
		}, []rules.Phase{running, stop}},
	} {
		for _, phase := range []rules.Phase{running, stop} {
			t.Run(tc.name+" at "+phase.String(), func(t *testing.T) {
				source, dir := mounted(t, ".part")
				name := filepath.Join(dir, tc.lies)
				put(t, name, "12345")
				// The clock of a file system is coarse: what is written now must differ.
				do(t, os.Chtimes(name, time.Unix(1, 0), time.Unix(1, 0)))
				file, err := source.Open(t.Context(), about("/a", phase))
				do(t, err)
				defer file.Close()
				do(t, tc.do(name))
				want := false
				for _, p := range tc.changed {
					want = want || p == phase
				}
				if err := file.Unchanged(); errors.Is(err, rules.ErrChanged) != want || err != nil && !want {
					t.Errorf("%v", err)
				} else if err != nil {
					t.Log(err)
				}
			})
		}
	}
}

// TestTimesThatAreSetBackDoNotHideAChange: the system keeps another that nobody
// can set.
func TestTimesThatAreSetBackDoNotHideAChange(t *testing.T) {
	source, dir := mounted(t, "")
	name, then := filepath.Join(dir, "a"), time.Unix(1_700_000_000, 0)
	put(t, name, "12345")
	do(t, os.Chtimes(name, then, then))
	file, err := source.Open(t.Context(), about("/a", rules.PhaseStop))
	do(t, err)
	defer file.Close()
	for !errors.Is(err, rules.ErrChanged) { // Until the clock of the file system has ticked.
		do(t, os.WriteFile(name, []byte("54321"), 0o600))
		do(t, os.Chtimes(name, then, then))
		err = file.Unchanged()
	}
}

// TestWhatWasOpenedIsRead, whatever has its name by then.
func TestWhatWasOpenedIsRead(t *testing.T) {
	source, dir := mounted(t, "")
	name := filepath.Join(dir, "a")
	put(t, name, "the first")
	file, err := source.Open(t.Context(), about("/a", rules.PhaseStop))
	do(t, err)
	defer file.Close()
	do(t, os.Remove(name))
	put(t, name, "the other")
	text := make([]byte, 9)
	if _, err := file.ReadAt(text, 0); err != nil || string(text) != "the first" {
		t.Errorf("%s, %v", text, err)
	}
}

func TestAFileThatIsClosed(t *testing.T) {
	source, dir := mounted(t, "")
	put(t, filepath.Join(dir, "a"), "x")
	file, err := source.Open(t.Context(), about("/a", rules.PhaseStop))
	do(t, err)
	do(t, file.Close())
	if err := file.Unchanged(); err == nil {
		t.Error("a closed file is unchanged")
	}
	if err := file.(rules.Descriptor).Control(func(uintptr) { t.Error("a closed file has a descriptor") }); err == nil {
		t.Error("a closed file has a descriptor")
	}
}

// BenchmarkLook opens a file, compares it with what it was, and closes it.
func BenchmarkLook(b *testing.B) {
	source, dir := mounted(b, ".part")
	put(b, filepath.Join(dir, "film", "a.mov"), "x")
	e := about("/film/a.mov", rules.PhaseStop)
	b.ReportAllocs()
	for b.Loop() {
		file, err := source.Open(b.Context(), e)
		if err != nil {
			b.Fatal(err)
		}
		if err := file.Unchanged(); err != nil {
			b.Fatal(err)
		}
		file.Close()
	}
}
