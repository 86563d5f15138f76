package sinks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a file to which lines are appended, for whatever reads its end. It is
// opened anew when it was moved away or removed.
type File struct {
	// Path is the file, which is made if need be; its folder must be there.
	Path string
	// Fsync has every batch on disk before the next. Without it a machine that stops
	// may take away what the operating system had not written yet, although it
	// counts as sent.
	Fsync bool
}

// fileOut appends to a file.
type fileOut struct {
	File
	file *os.File
	buf  []byte
}

func newFileOut(f *File) *fileOut { return &fileOut{File: *f} }

// deliver implements destination. A batch is written as a whole or not at all, as
// far as that can be undone.
func (o *fileOut) deliver(_ context.Context, batch []item) (made progress, err error) {
	if len(batch) == 0 {
		return made, nil
	}
	size, err := o.ready()
	if err != nil {
		return made, err
	}
	o.buf = o.buf[:0]
	for i := range batch {
		o.buf = append(append(o.buf, batch[i].text...), '\n')
	}
	_, err = o.file.Write(o.buf)
	if err == nil && o.Fsync {
		err = o.file.Sync()
	}
	if cap(o.buf) > mostKept {
		o.buf = nil
	}
	if err != nil {
		err = errors.Join(err, o.file.Truncate(size), o.file.Close())
		o.file = nil
		return made, fmt.Errorf("appending to the file: %w", err)
	}
	return progress{done: len(batch)}, nil
}

// mostKept is how much memory is kept between batches, in bytes.
const mostKept = 4 << 20

// ready opens the file, if it is not open or has another name now, and returns its
// size. It ends in a line feed.
func (o *fileOut) ready() (size int64, err error) {
	if o.file != nil {
		now, err := os.Stat(o.Path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, fmt.Errorf("the file: %w", err)
		}
		open, statErr := o.file.Stat()
		if err == nil && statErr == nil && os.SameFile(now, open) {
			return open.Size(), nil
		}
		_ = o.file.Close() // All of it was written; the next write tells of a disk that fails.
		o.file = nil
	}
	info, err := os.Stat(o.Path)
	if err == nil && !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is not a plain file", o.Path)
	}
	made := errors.Is(err, fs.ErrNotExist)
	file, err := os.OpenFile(o.Path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o640) //nolint:gosec // The agent that reads it is in the group of the service.
	if err != nil {
		return 0, fmt.Errorf("opening the file: %w", err)
	}
	size, err = endLine(file)
	if err == nil && made && o.Fsync {
		err = syncFolder(filepath.Dir(o.Path))
	}
	if err != nil {
		return 0, errors.Join(err, file.Close())
	}
	o.file = file
	return size, nil
}

// syncFolder has the names of a folder's files on disk: one that was made just now
// may not be there after a power cut, whatever was written to it.
func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("the file's folder: %w", err)
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil {
		return fmt.Errorf("the file's folder: %w", err)
	}
	return nil
}

// endLine ends a line that was being written when the service stopped.
func endLine(file *os.File) (size int64, err error) {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return 0, err
	}
	var last [1]byte
	if _, err := file.ReadAt(last[:], info.Size()-1); err != nil {
		return 0, fmt.Errorf("reading the end of the file: %w", err)
	}
	if last[0] == '\n' {
		return info.Size(), nil
	}
	if _, err := file.Write([]byte{'\n'}); err != nil {
		return 0, fmt.Errorf("appending to the file: %w", err)
	}
	return info.Size() + 1, nil
}

// close implements destination.
func (o *fileOut) close(context.Context) (delivered bool) {
	if o.file == nil {
		return true
	}
	err := o.file.Close()
	o.file = nil
	return err == nil
}
