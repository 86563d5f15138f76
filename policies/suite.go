package policies

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// Suite is one file of tests of a policy set.
type Suite struct {
	// File is the file's name, Description what it says of itself.
	File, Description string
	// Cases are its tests in the order in which they are written.
	Cases []Case
}

// Case is one test: an event, and what must become of it. It never changes, and
// can be run any number of times, also at once.
type Case struct {
	// File and Line are where the test begins; lines count from 1.
	File string
	Line int
	// Name is unique in the file. Description may be empty.
	Name, Description string
	// Given is what the event says, in the order of the reference.
	Given []Given

	event       rules.Event
	content     *string // of the file; nil if there is none
	counted     rules.Counted
	accept      bool
	refuse      wanted
	wouldRefuse []wanted
}

// Given is one key of a test's event, and what it says: a string, a json.Number
// or, for tags, content, counted and grant, a map[string]any.
type Given struct {
	Key   string
	Value any
}

// wanted is what a test asks of a refusal; what is empty is not asked.
type wanted struct{ policy, rule, code, message string }

// ReadSuites reads the tests of the policy set in fsys: the files in its own
// folder whose names end in _test.yaml or _test.yml, in the order of their
// names. Policies and rules that tests name must be in the snapshot, unless that
// is nil, as it is for a set that does not compile. A set without tests has no
// suites. The error is document.Faults with every mistake found.
func ReadSuites(fsys fs.FS, s *Snapshot) ([]Suite, error) {
	f := newFiles(fsys, nil)
	names, misplaced, err := f.suites()
	if err != nil {
		return nil, document.Faults{{File: ".", Message: err.Error()}}
	}
	r := newSuiteReader(f, s)
	suites, faults := make([]Suite, len(names)), make([]document.Faults, len(names))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, name := range names {
		group.Go(func() error {
			suites[i], faults[i] = r.read(name)
			return nil
		})
	}
	_ = group.Wait() // Faults are values here; the group returns no error.
	var all document.Faults
	for i := range faults {
		all = append(all, faults[i]...)
	}
	for _, name := range misplaced {
		all = append(all, document.Fault{File: name, Message: "tests are read from the set's own folder only", Hint: "move the file up or rename it"})
	}
	if err := all.Err(); err != nil {
		return nil, err
	}
	return suites, nil
}

// ReadSuitesDir reads the tests of the policy set in a directory. Files are
// named by their path from where the caller stands.
func ReadSuitesDir(dir string, s *Snapshot) ([]Suite, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, document.Faults{{File: dir, Message: fmt.Sprintf("the policy set cannot be read: %s", reason(err))}}
	}
	defer root.Close() //nolint:errcheck // It was only read.
	suites, err := ReadSuites(root.FS(), s)
	var faults document.Faults
	if errors.As(err, &faults) {
		for i := range faults {
			faults[i].File = filepath.Join(dir, faults[i].File)
		}
	}
	for i := range suites {
		suites[i].File = filepath.Join(dir, suites[i].File)
		for j := range suites[i].Cases {
			suites[i].Cases[j].File = suites[i].File
		}
	}
	return suites, err
}

// suites returns the names of the set's files of tests in order. Hidden files
// are left out; a file of tests in a folder is misplaced, because nobody would
// notice that it tests nothing.
func (f *files) suites() (names, misplaced []string, err error) { return f.named(isSuite) }

// isSuite reports whether a file is a YAML document that tests.
func isSuite(name string) bool {
	stem, ok := strings.CutSuffix(name, ".yaml")
	if !ok {
		stem, ok = strings.CutSuffix(name, ".yml")
	}
	return ok && strings.HasSuffix(stem, "_test")
}
