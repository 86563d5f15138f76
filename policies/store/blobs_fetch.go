package store

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"
)

// unfinished is what the names of folders begin with that are being fetched.
const unfinished = ".unfinished-"

// Fetch writes the files of a revision into a folder, which must be empty or not
// there. It appears as a whole or not at all, and what is on disk is what the
// revision names: the error is ErrAltered if the store has something else.
func (s *Store) Fetch(ctx context.Context, r Revision, dir string) error {
	return s.fetch(ctx, r, dir, nil)
}

// earlier is a folder with files that a revision may have in common with what is
// there already.
type earlier struct {
	folder string // beside the one that is fetched
	names  map[string]string
}

// newEarlier returns the folder of a revision, which stands beside others.
func newEarlier(folder string, r *Revision) *earlier {
	e := &earlier{folder, make(map[string]string, len(r.Files))}
	for _, f := range r.Files {
		e.names[f.SHA256] = f.Name
	}
	return e
}

func (s *Store) fetch(ctx context.Context, r Revision, dir string, have *earlier) error {
	if err := r.check(); err != nil {
		return fmt.Errorf("revision %d cannot be written: %w", r.Number, err)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o750); err != nil {
		return err
	}
	beside, err := os.OpenRoot(filepath.Dir(dir))
	if err != nil {
		return err
	}
	defer beside.Close() //nolint:errcheck // What was written is synced by then.
	to := &fetching{store: s, beside: beside, folder: unfinished + rand.Text(), have: have}
	if err := to.all(ctx, r.Files); err != nil {
		return errors.Join(err, beside.RemoveAll(to.folder))
	}
	_ = beside.Remove(filepath.Base(dir)) // If it is not empty any more, the next line fails.
	if err := beside.Rename(to.folder, filepath.Base(dir)); err != nil {
		return errors.Join(err, beside.RemoveAll(to.folder))
	}
	return syncFolder(beside, ".")
}

// fetching is a folder that is being fetched.
type fetching struct {
	store  *Store
	beside *os.Root
	folder string
	have   *earlier // nil for none
}

// all fetches all files, and has them and their folders on disk.
func (f *fetching) all(ctx context.Context, files []File) error {
	if err := f.beside.Mkdir(f.folder, 0o777); err != nil {
		return err
	}
	folders := []string{f.folder}
	for i := range files {
		for dir := path.Dir(files[i].Name); dir != "."; dir = path.Dir(dir) {
			folders = append(folders, path.Join(f.folder, dir))
		}
	}
	slices.Sort(folders)
	folders = slices.Compact(folders)
	for _, dir := range folders[1:] {
		if err := f.beside.Mkdir(dir, 0o777); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(sideBySide)
	for i := range files {
		group.Go(func() error { return f.file(ctx, &files[i]) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, dir := range folders {
		if err := syncFolder(f.beside, dir); err != nil {
			return err
		}
	}
	return nil
}

// file fetches a file, or takes it over from the earlier folder.
func (f *fetching) file(ctx context.Context, is *File) error {
	name := path.Join(f.folder, is.Name)
	if f.have != nil && f.linked(name, is) {
		return nil
	}
	file, err := f.beside.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	to := bufio.NewWriter(file)
	return errors.Join(f.store.download(ctx, is, to), to.Flush(), file.Sync(), file.Close())
}

// linked takes a file over. What is in it is looked at: somebody may have changed it
// in the meantime.
func (f *fetching) linked(name string, is *File) bool {
	earlier, ok := f.have.names[is.SHA256]
	if !ok || f.beside.Link(path.Join(f.have.folder, earlier), name) != nil {
		return false
	}
	if verifyFile(f.beside, name, is) == nil {
		return true
	}
	_ = f.beside.Remove(name) // If that fails, making it anew says why.
	return false
}

// verify returns ErrAltered if a folder does not have the files of a revision, and
// these alone.
func verify(beside *os.Root, folder string, r *Revision) error {
	found := 0
	err := fs.WalkDir(beside.FS(), folder, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			if found++; found > len(r.Files) {
				return fmt.Errorf("%w: there are more files in %s", ErrAltered, folder)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	for i := range r.Files {
		if err := verifyFile(beside, path.Join(folder, r.Files[i].Name), &r.Files[i]); err != nil {
			return err
		}
	}
	return nil
}

func verifyFile(root *os.Root, name string, is *File) error {
	info, err := root.Lstat(name)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() != is.Size {
		return fmt.Errorf("%w: %s was changed on disk", ErrAltered, name)
	}
	file, err := root.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != is.SHA256 {
		return fmt.Errorf("%w: %s was changed on disk", ErrAltered, name)
	}
	return nil
}

func syncFolder(root *os.Root, name string) error {
	dir, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
