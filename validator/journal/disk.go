package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// osDisk is the operating system's file system.
type osDisk struct{}

// Create implements disk.
func (osDisk) Create(name string) (diskFile, error) {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o640) //nolint:gosec // The group may read, as of any log.
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && (info.Size() > 0 || !info.Mode().IsRegular()) { // It is not ours, and nothing is written over it.
		err = fmt.Errorf("%s is there already; move it away", name)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(name))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return osFile{file}, nil
}

// Open implements disk.
func (osDisk) Open(name string) (diskFile, error) {
	file, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	return osFile{file}, nil
}

// osFile is a file of it.
type osFile struct{ *os.File }

// Linked implements diskFile.
func (f osFile) Linked() error {
	own, err := f.Stat()
	if err != nil {
		return nil //nolint:nilerr // It cannot be told now.
	}
	named, err := os.Stat(f.Name())
	if errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil && !os.SameFile(own, named) {
		return fmt.Errorf("%s is another file now", f.Name())
	}
	return nil
}

// syncFolder has the names in a folder on disk.
func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
