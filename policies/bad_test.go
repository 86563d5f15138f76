package policies_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

const badSets = "testdata/bad"

// Each file testdata/bad/NAME.yaml is a set of its own, with the lists and the
// schemas beside it, and each other folder is a set. The faults that compiling
// it must give stand in comments, one after each "# want:", or "# want schema:"
// where the JSON Schema alone finds it; without the file's name where it is the
// file itself.
func TestBadSets(t *testing.T) {
	entries, err := os.ReadDir(badSets)
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for _, entry := range entries {
		if entry.Name() == "lists" || entry.Name() == "schemas" {
			continue
		}
		cases++
		t.Run(strings.TrimSuffix(entry.Name(), ".yaml"), func(t *testing.T) {
			set, self := badSet(t, entry)
			want := wanted(set)
			if len(want) == 0 {
				t.Fatal("nothing says which faults are wanted")
			}
			got := wording(faultsOf(t, set), self)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if cases < 50 {
		t.Errorf("found only %d cases in %s", cases, badSets)
	}
}

// badSet returns the set of an entry of testdata/bad, and the name of the file
// that it is, if it is one.
func badSet(t *testing.T, entry fs.DirEntry) (set fstest.MapFS, self string) {
	t.Helper()
	set = fstest.MapFS{}
	if entry.IsDir() {
		addFiles(t, set, filepath.Join(badSets, entry.Name()), ".")
		return set, ""
	}
	addFiles(t, set, badSets, "lists")
	addFiles(t, set, badSets, "schemas")
	addFiles(t, set, badSets, entry.Name())
	return set, entry.Name()
}

// wording returns faults as comments ask for them.
func wording(faults document.Faults, self string) (texts []string) {
	for _, fault := range faults {
		text := fault.Error()
		if fault.File == self {
			text = strings.TrimLeft(strings.TrimPrefix(text, self+":"), " ")
		}
		texts = append(texts, text)
	}
	return texts
}

// addFiles adds a file, or all files of a folder, below dir to a set.
func addFiles(t *testing.T, set fstest.MapFS, dir, name string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), name, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		set[path.Clean(name)] = &fstest.MapFile{Data: text, Mode: 0o644}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// wanted returns the faults that comments in a set ask for.
func wanted(set fstest.MapFS) []string { return marked(set, "# want: ", "# want schema: ") }

// marked returns the faults behind marks, in the order in which they stand.
func marked(set fstest.MapFS, marks ...string) (faults []string) {
	for _, name := range slices.Sorted(maps.Keys(set)) {
		for line := range strings.Lines(string(set[name].Data)) {
			for _, mark := range marks {
				if _, fault, ok := strings.Cut(line, mark); ok {
					faults = append(faults, strings.TrimSpace(fault))
				}
			}
		}
	}
	return faults
}

// faultsOf compiles a set that has mistakes.
func faultsOf(t *testing.T, set fs.FS) document.Faults {
	t.Helper()
	snapshot, err := policies.Compile(set, policies.Options{Kinds: rules.Builtin()})
	var faults document.Faults
	if snapshot != nil || !errors.As(err, &faults) {
		t.Fatalf("got snapshot %v and error %v, want faults", snapshot, err)
	}
	if !slices.Equal(faults, slices.Clone(faults).Sorted()) {
		t.Errorf("the faults are not in order:\n%s", faults)
	}
	return faults
}
