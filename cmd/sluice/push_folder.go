package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/policies/store"
)

// candidate is a policy set that may become a revision, or is one: what is compiled
// and tested is, to the byte, what is stored.
type candidate struct {
	// name is what a person knows the set by: its folder, or its revision.
	name     string
	root     *os.Root
	fsys     fs.FS
	files    []store.File // in order of their names
	snapshot *policies.Snapshot
}

// openCandidate reads what is in a folder. It must be closed.
func openCandidate(dir, name string) (*candidate, error) {
	if dir == "" { // As of a variable that is not set; it would be the root of all folders.
		return nil, errors.New("the folder's name is empty")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("the policy set cannot be read: %w", err)
	}
	c := &candidate{name: name, root: root}
	set := store.Visible(root.FS())
	sums := map[string]store.File{}
	if c.files, err = listFiles(set); err != nil {
		return nil, errors.Join(fmt.Errorf("the policy set %s cannot be read: %w", name, err), root.Close())
	}
	for _, f := range c.files {
		sums[f.Name] = f
	}
	c.fsys = sealed{set, sums}
	return c, nil
}

func (c *candidate) close() { _ = c.root.Close() } // It was only read.

// listFiles returns the files of a set that are not hidden, with their digests.
func listFiles(set fs.FS) (files []store.File, err error) {
	err = fs.WalkDir(set, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(path.Base(name), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			return nil
		}
		if info, err := fs.Stat(set, name); err != nil || !info.Mode().IsRegular() {
			return nil // A link that leads nowhere, or a pipe: nothing that a rule could read.
		}
		if len(files) == store.MaxFiles {
			return fmt.Errorf("it has more than %d files", store.MaxFiles)
		}
		f, err := digestFile(set, name)
		files = append(files, f)
		return err
	})
	slices.SortFunc(files, func(a, b store.File) int { return strings.Compare(a.Name, b.Name) })
	return files, err
}

// digestFile returns what is in a file.
func digestFile(set fs.FS, name string) (f store.File, err error) {
	file, err := set.Open(name)
	if err != nil {
		return f, err
	}
	defer file.Close() //nolint:errcheck // It was only read.
	sum := sha256.New()
	size, err := io.Copy(sum, file)
	return store.File{Name: name, Size: size, SHA256: hex.EncodeToString(sum.Sum(nil))}, err
}

// errUnsteady says that a set changed between one look and the next.
var errUnsteady = errors.New("the file has changed since the set was looked at; try again when nobody writes to the folder")

// sealed is a set that can be read only as it was when its digests were taken.
type sealed struct {
	fs.FS
	sums map[string]store.File
}

// Open implements fs.FS.
func (s sealed) Open(name string) (fs.File, error) {
	file, err := s.FS.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return file, err
	}
	want, known := s.sums[name]
	if !known {
		return nil, errors.Join(&fs.PathError{Op: "open", Path: name, Err: errUnsteady}, file.Close())
	}
	return &sealedFile{File: file, sum: sha256.New(), want: want}, nil
}

// sealedFile is a file whose end comes only if it was the one that was looked at.
type sealedFile struct {
	fs.File
	sum  hash.Hash
	want store.File
}

// Read implements io.Reader.
func (f *sealedFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	f.sum.Write(p[:n])
	if errors.Is(err, io.EOF) && hex.EncodeToString(f.sum.Sum(nil)) != f.want.SHA256 {
		err = &fs.PathError{Op: "read", Path: f.want.Name, Err: errUnsteady}
	}
	return n, err
}

// has reports whether the set has these files and no others.
func (c *candidate) has(files []store.File) bool { return slices.Equal(c.files, files) }

// compile compiles the set. The error names files as a person finds them.
func (c *candidate) compile(o policies.Options) (err error) {
	c.snapshot, err = policies.Compile(c.fsys, o)
	return c.named(err)
}

// named puts the name of the set before those of its files.
func (c *candidate) named(err error) error {
	var faults document.Faults
	if errors.As(err, &faults) {
		for i := range faults {
			faults[i].File = filepath.Join(c.name, faults[i].File)
		}
	}
	return err
}

// test runs the tests of a set that has been compiled, and tells what came otherwise
// than wanted. The error is an exitError if one failed, or there was none to run.
func (c *candidate) test(ctx context.Context, std *stdio) error {
	suites, err := policies.ReadSuites(c.fsys, c.snapshot)
	if err != nil {
		return mistakes(std, c.named(err), 1)
	}
	for i := range suites {
		suites[i].File = filepath.Join(c.name, suites[i].File)
		for j := range suites[i].Cases {
			suites[i].Cases[j].File = suites[i].File
		}
	}
	t := &tested{dir: c.name, snapshot: c.snapshot, covers: true}
	if err := t.run(ctx, suites, regexp.MustCompile("")); err != nil {
		return err
	}
	switch {
	case t.cases == 0:
		fmt.Fprintf(std.err, "sluice: there is no test in %s; write some into a file whose name ends in _test.yaml, or say --no-tests\n", c.name)
		return exitError(1)
	case t.failed > 0:
		if err := t.write(std.err, textFormat); err != nil {
			return err
		}
		fmt.Fprintf(std.err, "sluice: nothing was stored, because %s of %s failed\n", count(t.failed, "test"), c.name)
		return exitError(1)
	default:
		return nil
	}
}

// what says what the set is.
func (c *candidate) what() string {
	what := count(len(c.snapshot.Policies), "policy", "policies") + ", " + count(c.snapshot.RuleCount(), "rule")
	if n := len(c.snapshot.Clients); n > 0 {
		what += ", " + count(n, "client")
	}
	return what + ", hash " + c.snapshot.Revision
}
