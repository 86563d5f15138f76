package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/sluiceproject/sluice/policies/store"
)

// replace puts the files of the revision into a folder in the place of those that it
// has. They are fetched beside it first, so that little can go wrong in between.
func (p *pulling) replace(ctx context.Context, s *store.Store, has []store.File) error {
	dir, err := filepath.EvalSymlinks(p.dir)
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return err
	}
	fresh := "." + filepath.Base(dir) + ".pull-" + rand.Text()
	if err := s.Fetch(ctx, p.revision, filepath.Join(filepath.Dir(dir), fresh)); err != nil {
		return err
	}
	// No link in the folder leads out of what is above it.
	root, err := os.OpenRoot(filepath.Dir(dir))
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // It was only read, or only names were changed by it.
	err = p.move(root, fresh, filepath.Base(dir), has)
	if err = errors.Join(err, root.RemoveAll(fresh)); err != nil {
		return fmt.Errorf("%s has only a part of revision %d now; mend it and pull again with --force: %w", p.dir, p.revision.Number, err)
	}
	return writePulled(p.dir, &p.revision)
}

// move removes what the revision does not have, and then puts what it has in place.
func (p *pulling) move(root *os.Root, fresh, dir string, has []store.File) error {
	wanted, same := map[string]bool{}, map[store.File]bool{}
	for _, f := range p.revision.Files {
		wanted[f.Name] = true
	}
	for _, f := range has {
		same[f] = true
		if wanted[f.Name] {
			continue
		}
		if err := root.Remove(path.Join(dir, f.Name)); err != nil {
			return err
		}
		for above := path.Dir(f.Name); above != "."; above = path.Dir(above) {
			if root.Remove(path.Join(dir, above)) != nil {
				break // Something else is in it.
			}
		}
	}
	for _, f := range p.revision.Files {
		if same[f] {
			continue
		}
		if err := root.MkdirAll(path.Join(dir, path.Dir(f.Name)), 0o755); err != nil {
			return err
		}
		if err := root.Rename(path.Join(fresh, f.Name), path.Join(dir, f.Name)); err != nil {
			return err
		}
	}
	return nil
}
