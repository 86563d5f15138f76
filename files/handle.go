package files

import (
	"fmt"
	"io/fs"
	"os"

	"github.com/sluiceproject/sluice/rules"
)

// handle is an open file. It is safe for concurrent use.
type handle struct {
	file     *os.File
	was      fs.FileInfo
	identity rules.Identity

	dir string
	// names are those that the file may have now, beneath dir.
	names []string
	// growing is that the file was not complete when it was opened.
	growing bool
}

var (
	_ rules.Handle     = (*handle)(nil)
	_ rules.Descriptor = (*handle)(nil)
)

// ReadAt implements io.ReaderAt.
func (h *handle) ReadAt(p []byte, at int64) (int, error) { return h.file.ReadAt(p, at) }

// Close implements io.Closer.
func (h *handle) Close() error { return h.file.Close() }

// Identity returns what the file was when it was opened.
func (h *handle) Identity() rules.Identity { return h.identity }

// Control implements rules.Descriptor.
func (h *handle) Control(f func(fd uintptr)) error {
	conn, err := h.file.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Control(f)
}

// Unchanged returns an error that is rules.ErrChanged unless the open file is
// what it was, and what has its name now is still that file.
//
// At stop the file is complete, so its size and its times must be the same, too,
// as finely as the file system's clock tells them. That is strict: a change of
// its permissions or its name moves its times like a change of its bytes.
//
// Before stop the file grows and is renamed by nature: it must only be the same
// file, under any of its names, and not be shorter than it was. Its bytes may
// have been written again meanwhile; the look at stop is the one that counts.
func (h *handle) Unchanged() error {
	now, err := h.file.Stat()
	if err != nil {
		return fmt.Errorf("looking whether the file changed: %w", cause(err))
	}
	if err := h.compare(now); err != nil {
		return err
	}
	root, err := os.OpenRoot(h.dir)
	if isMissing(err) {
		return fmt.Errorf("%w: the mount's folder is not there any more", rules.ErrChanged)
	}
	if err != nil {
		return fmt.Errorf("looking whether the file changed: %w", cause(err))
	}
	defer func() { _ = root.Close() }()
	gone := "nothing has its name any more"
	for _, name := range h.names {
		now, err := root.Stat(name)
		switch {
		case isMissing(err):
			continue
		case err != nil: // Even one that leads out of the mount by now.
			gone = "what has its name now cannot be reached: " + cause(err).Error()
		case os.SameFile(h.was, now):
			return h.compare(now)
		default:
			gone = "another file has its name"
		}
	}
	return fmt.Errorf("%w: %s", rules.ErrChanged, gone)
}

// compare compares the file as it is now with what it was.
func (h *handle) compare(now fs.FileInfo) error {
	then, is := h.identity, identity(now, h.identity.Inode)
	switch {
	case is.Size < then.Size:
		return fmt.Errorf("%w: of %d bytes there are %d", rules.ErrChanged, then.Size, is.Size)
	case h.growing:
		return nil
	case is.Size > then.Size:
		return fmt.Errorf("%w: of %d bytes there are %d", rules.ErrChanged, then.Size, is.Size)
	case !is.Modified.Equal(then.Modified):
		return fmt.Errorf("%w: it was written to", rules.ErrChanged)
	case !is.Status.Equal(then.Status):
		return fmt.Errorf("%w: it was renamed, or what may be done with it was changed", rules.ErrChanged)
	default:
		return nil
	}
}
