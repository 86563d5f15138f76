package journal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

// errStopped says that the log is closed before a segment is compressed.
var errStopped = errors.New("the decision log is being closed")

// compress replaces a segment by its compressed form with an index. What is
// there before is removed when both are on disk. The file's time stays, because
// it says how old the segment is.
func compress(dir string, name segmentName, stopped func() bool) error {
	from, err := os.Open(filepath.Join(dir, name.file(openEnding)))
	if err != nil {
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	if info.Size() == 0 { // Nothing was recorded in it.
		return os.Remove(from.Name())
	}
	index, packed := newIndexing(), filepath.Join(dir, name.file(closedEnding))
	err = replace(packed, func(to io.Writer) error { return pack(from, to, index, stopped) })
	if err != nil {
		return fmt.Errorf("compressing %s: %w", name.file(openEnding), err)
	}
	if err := os.Chtimes(packed, info.ModTime(), info.ModTime()); err != nil {
		return err
	}
	if err := writeIndex(dir, name, index); err != nil {
		return err
	}
	return os.Remove(filepath.Join(dir, name.file(openEnding)))
}

// finishCompressed removes a segment that has its compressed form, and makes the
// index that is missing.
func finishCompressed(dir string, name segmentName) error {
	if _, err := os.Stat(filepath.Join(dir, name.file(indexEnding))); err != nil {
		index := newIndexing()
		file, err := os.Open(filepath.Join(dir, name.file(openEnding)))
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pack(file, io.Discard, index, nil); err != nil {
			return err
		}
		if err := writeIndex(dir, name, index); err != nil {
			return err
		}
	}
	return os.Remove(filepath.Join(dir, name.file(openEnding)))
}

// pack compresses lines and notes what they are. It ends early with errStopped.
func pack(from io.Reader, to io.Writer, index *indexing, stopped func() bool) error {
	packer, err := zstd.NewWriter(to, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	lines := bufio.NewReaderSize(from, 1<<16)
	for {
		if stopped != nil && index.Records%1024 == 0 && stopped() {
			return errors.Join(errStopped, packer.Close())
		}
		line, err := readLine(lines)
		if len(line) > 0 {
			index.add(line)
			if _, err := packer.Write(line); err != nil {
				return errors.Join(err, packer.Close())
			}
		}
		if errors.Is(err, io.EOF) {
			return packer.Close()
		}
		if err != nil {
			return errors.Join(err, packer.Close())
		}
	}
}

// replace writes a file that is either whole on disk or not there.
func replace(name string, write func(io.Writer) error) error {
	temporary := name + unfinished
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640) //nolint:gosec // The group may read, as of any log.
	if err != nil {
		return err
	}
	err = write(file)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	if err := os.Rename(temporary, name); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(name))
}
