package policies_test

import (
	"errors"
	"os"
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

const badSuites = "testdata/suites/bad"

// testedSet returns the set that the tests below testdata/suites are about.
func testedSet(tb testing.TB) *policies.Snapshot {
	tb.Helper()
	s, err := policies.CheckDir("testdata/suites/set", policies.Options{Kinds: rules.Builtin()})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// Each file in testdata/suites/bad is the only one with tests of the set in
// testdata/suites/set. The faults that reading it must give stand in comments,
// one after each "# want:", without the file's name.
func TestBadSuites(t *testing.T) {
	s := testedSet(t)
	files, err := filepath.Glob(filepath.Join(badSuites, "*_test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(strings.TrimSuffix(name, "_test.yaml"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			suites := fstest.MapFS{name: {Data: text}}
			want := wanted(suites)
			if len(want) == 0 {
				t.Fatal("nothing says which faults are wanted")
			}
			var got []string
			for _, fault := range suiteFaults(t, suites, s) {
				got = append(got, strings.TrimLeft(strings.TrimPrefix(fault.Error(), name+":"), " "))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if len(files) < 70 {
		t.Errorf("found only %d cases in %s", len(files), badSuites)
	}
}

// suiteFaults reads tests that have mistakes.
func suiteFaults(t *testing.T, files fstest.MapFS, s *policies.Snapshot) document.Faults {
	t.Helper()
	suites, err := policies.ReadSuites(files, s)
	var faults document.Faults
	if suites != nil || !errors.As(err, &faults) {
		t.Fatalf("got suites %v and error %v, want faults", suites, err)
	}
	if !slices.Equal(faults, slices.Clone(faults).Sorted()) {
		t.Errorf("the faults are not in order:\n%s", faults)
	}
	return faults
}
