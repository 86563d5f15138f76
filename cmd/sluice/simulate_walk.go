package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/sluiceproject/sluice/rules"
)

// simFile is a file that the walk found.
type simFile struct {
	local  string // Its absolute path here.
	remote string // Its path on the server, as the events say it.
}

// simMapping says which path a local file has on the server.
type simMapping struct {
	docroot string // The local folder that stands for the docroot, or empty.
	prefix  string // The docroot's path on the server, without a trailing slash.
}

func newSimMapping(docroot, as string) (simMapping, error) {
	if docroot == "" {
		if as != "" {
			return simMapping{}, errors.New("--as says where the docroot is on the server: it needs --docroot")
		}
		return simMapping{}, nil
	}
	if !utf8.ValidString(as) {
		return simMapping{}, errors.New("--as is not UTF-8")
	}
	folder, err := filepath.Abs(docroot)
	if err != nil {
		return simMapping{}, fmt.Errorf("--docroot: %w", err)
	}
	info, err := os.Stat(folder)
	if err != nil {
		return simMapping{}, fmt.Errorf("--docroot %s: %w", rules.Printable(docroot), simCause(err))
	}
	if !info.IsDir() {
		return simMapping{}, fmt.Errorf("--docroot %s is not a folder", rules.Printable(docroot))
	}
	return simMapping{docroot: folder, prefix: strings.TrimSuffix(as, "/")}, nil
}

// covers reports whether a path is in the docroot, or there is none.
func (m simMapping) covers(path string) bool {
	if m.docroot == "" {
		return true
	}
	rel, err := filepath.Rel(m.docroot, path)
	return err == nil && filepath.IsLocal(rel)
}

// remote returns the path on the server of a local path that m covers.
func (m simMapping) remote(path string) string {
	if m.docroot == "" {
		return filepath.ToSlash(path)
	}
	rel, err := filepath.Rel(m.docroot, path)
	if err != nil || rel == "." {
		return m.prefix + "/"
	}
	return m.prefix + "/" + filepath.ToSlash(rel)
}

// simWalk looks for files. It holds the names of one folder at a time and its
// parents, never those of the whole tree.
type simWalk struct {
	mapping simMapping
	report  *simReport
	// found is called with each file, in name order; it may wait.
	found func(simFile)
}

// run walks the roots. What cannot be read is reported, and the walk goes on;
// it ends early only when ctx is cancelled.
func (w *simWalk) run(ctx context.Context, roots []string) {
	for _, root := range roots {
		// The only error is that of ctx, which the caller knows.
		_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			w.visit(path, entry, err)
			return nil
		})
	}
}

func (w *simWalk) visit(path string, entry fs.DirEntry, err error) {
	remote := w.mapping.remote(path)
	switch {
	case err != nil:
		w.report.add(simResult{file: remote, verdict: simFailed, text: simCause(err).Error()})
	case entry.IsDir():
	case entry.Type()&fs.ModeSymlink != 0:
		w.report.add(simResult{file: remote, verdict: simSkipped, text: "a symbolic link, which is not followed"})
	case !entry.Type().IsRegular():
		w.report.add(simResult{file: remote, verdict: simSkipped, text: "neither a file nor a folder"})
	case !utf8.ValidString(remote):
		w.report.found()
		w.report.add(simResult{file: remote, verdict: simFailed, text: "the name is not UTF-8, so no event can say it"})
	default:
		w.report.found()
		w.found(simFile{local: path, remote: remote})
	}
}

// simCause returns an error of the file system without the path, which the line
// already has.
func simCause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
