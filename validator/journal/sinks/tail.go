package sinks

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// The endings of the files of a segment: one that is written to, and one that is
// closed.
const (
	openEnding   = ".jsonl"
	closedEnding = ".jsonl.zst"
)

// maxLine is the longest line that is read, in bytes.
const maxLine = 4 << 20

// maxUnpacking is how much memory unpacking a segment may take, in bytes.
const maxUnpacking = 64 << 20

var (
	// errEnd says that there is no further whole line yet.
	errEnd = errors.New("the end of the decision log")
	// errLong says that a line is longer than any record.
	errLong = fmt.Errorf("the decision log: a line has more than %d bytes", maxLine)
)

func segmentFile(dir string, first uint64, ending string) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", first, ending))
}

// segments lists the numbers of the first records of a folder's segments, in order.
func segments(dir string) (list []uint64, err error) {
	folder, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the decision log: %w", err)
	}
	for _, file := range folder {
		digits, ok := strings.CutSuffix(file.Name(), closedEnding)
		if !ok {
			digits, ok = strings.CutSuffix(file.Name(), openEnding)
		}
		if !ok || len(digits) != 20 {
			continue
		}
		if first, err := strconv.ParseUint(digits, 10, 64); err == nil {
			list = append(list, first)
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil // One is there twice while it is compressed.
}

// tail reads the lines of one segment, also while it is written to.
type tail struct {
	first  uint64
	file   *os.File
	unpack *zstd.Decoder // nil where the segment is not compressed
	lines  *bufio.Reader
	at     int64  // where the next line begins; of a segment that is not compressed
	long   []byte // a line that did not fit in the buffer of lines
}

// openTail opens a segment in whatever form it has. The error is fs.ErrNotExist
// where it is not there any more.
func openTail(dir string, first uint64) (*tail, error) {
	file, err := os.Open(segmentFile(dir, first, openEnding))
	if err == nil {
		return &tail{first: first, file: file, lines: bufio.NewReaderSize(file, 64<<10)}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the decision log: %w", err)
	}
	if file, err = os.Open(segmentFile(dir, first, closedEnding)); err != nil {
		return nil, fmt.Errorf("the decision log: %w", err)
	}
	unpack, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxUnpacking))
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &tail{first: first, file: file, unpack: unpack, lines: bufio.NewReaderSize(unpack, 64<<10)}, nil
}

func (t *tail) close() {
	if t == nil {
		return
	}
	if t.unpack != nil {
		t.unpack.Close()
	}
	_ = t.file.Close() // It was only read.
}

// next returns the next line without its line feed; it holds until the next call.
// At the end the error is errEnd: what has no line feed yet is read again the next
// time. The error is errLong for a line that is passed over.
func (t *tail) next() (line []byte, err error) {
	t.long = t.long[:0]
	size := 0
	for {
		piece, err := t.lines.ReadSlice('\n')
		size += len(piece)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if size <= maxLine {
				t.long = append(t.long, piece...)
			}
			continue
		case errors.Is(err, io.EOF):
			return nil, t.again()
		case err != nil:
			return nil, fmt.Errorf("reading the decision log: %w", err)
		}
		t.at += int64(size)
		if size > maxLine {
			return nil, errLong
		}
		if len(t.long) > 0 {
			t.long = append(t.long, piece...)
			piece = t.long
		}
		return piece[:len(piece)-1], nil
	}
}

// again goes back to where the next line begins.
func (t *tail) again() error {
	if t.unpack != nil {
		return errEnd // It does not grow.
	}
	if _, err := t.file.Seek(t.at, io.SeekStart); err != nil {
		return fmt.Errorf("reading the decision log: %w", err)
	}
	t.lines.Reset(t.file)
	return errEnd
}

// cut reports whether the segment has become shorter than what was read of it: what
// a writer could not make safe it takes back.
func (t *tail) cut() (bool, error) {
	if t.unpack != nil {
		return false, nil
	}
	info, err := t.file.Stat()
	if err != nil {
		return false, fmt.Errorf("the decision log: %w", err)
	}
	return info.Size() < t.at, nil
}

// replaced reports whether another file has the segment's name now.
func (t *tail) replaced(dir string) bool {
	now, err := os.Stat(segmentFile(dir, t.first, openEnding))
	if err != nil || t.unpack != nil {
		return false
	}
	info, err := t.file.Stat()
	return err == nil && !os.SameFile(info, now)
}

// there reports whether the segment is in the folder in either form.
func there(dir string, first uint64) bool {
	for _, ending := range []string{openEnding, closedEnding} {
		if _, err := os.Lstat(segmentFile(dir, first, ending)); err == nil {
			return true
		}
	}
	return false
}
