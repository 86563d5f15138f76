package journal

import (
	"errors"
	"os"
	"path/filepath"
)

// osDisk is the operating system's file system.
type osDisk struct{}

// Create implements disk.
func (osDisk) Create(name string) (diskFile, error) {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return nil, err
	}
	if err := syncFolder(filepath.Dir(name)); err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(name))
	}
	return file, nil
}

// Open implements disk.
func (osDisk) Open(name string) (diskFile, error) { return os.OpenFile(name, os.O_WRONLY, 0) }

// syncFolder has the names in a folder on disk.
func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
