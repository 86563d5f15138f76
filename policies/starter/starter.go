// Package starter holds the policy set that `sluice init` writes: commented
// policies for uploads and downloads, a test for each of their rules, the
// schemas by which editors complete and explain, and CI jobs that check and test
// the set.
package starter

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

//go:embed all:set
var set embed.FS

// Files returns the set's files by their paths in the set, which have slashes on
// every system. The error is a fault of the program.
func Files() (map[string][]byte, error) {
	line := func(schema string) []byte { return []byte(strings.TrimSpace(schema) + "\n") }
	files := map[string][]byte{
		".schema/policy.json":  line(policies.Schema(rules.Builtin())),
		".schema/tests.json":   line(policies.TestsSchema()),
		".schema/clients.json": line(policies.ClientsSchema()),
	}
	root, err := fs.Sub(set, "set")
	if err != nil {
		return nil, err
	}
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files[name], err = fs.ReadFile(root, name)
		return err
	})
	return files, err
}

// Write writes the set into a folder that does not exist or is empty but for a
// .git, and returns the paths of the files in the order of their names. Nothing
// is ever overwritten: whatever else is in the folder is an error, and then
// nothing is written.
func Write(dir string) (names []string, err error) {
	files, err := Files()
	if err != nil {
		return nil, err
	}
	if err := vacant(dir); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := create(to, files[name]); err != nil {
			return names, err
		}
		names = append(names, to)
	}
	return names, nil
}

// vacant returns an error if anything would be mixed with the set.
func vacant(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		if info, statErr := os.Stat(dir); statErr == nil && !info.IsDir() {
			return fmt.Errorf("%s is a file; name a folder that does not exist yet, or an empty one", dir)
		}
		return err
	}
	for _, entry := range entries {
		if entry.Name() != ".git" {
			return fmt.Errorf("%s is not empty: it has %s; name a folder that does not exist yet, or an empty one", dir, entry.Name())
		}
	}
	return nil
}

// create writes a file that must not exist, and the folders above it.
func create(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // Whoever may read the set may read the policies.
		return err
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // The same.
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Close())
}
