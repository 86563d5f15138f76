package journal

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// mostUnpacking is the most memory that unpacking a segment may take, in bytes.
const mostUnpacking = 64 << 20

// listed is a segment of a folder as it was found.
type listedSegment struct {
	name segmentName
	open bool // not compressed when it was found
	last bool // nothing followed when it was found
}

// listSegments lists the segments of a folder in order. It looks twice: one that is
// being compressed has two names one after the other, and could hide from a single
// look.
func listSegments(dir string) ([]listedSegment, error) {
	all := map[segmentName]bool{}
	for range 2 {
		open, closed, err := segments(dir)
		if err != nil {
			return nil, err
		}
		for _, name := range open {
			all[name] = true
		}
		for _, name := range closed {
			all[name] = false
		}
	}
	list := make([]listedSegment, 0, len(all))
	for name, open := range all {
		list = append(list, listedSegment{name: name, open: open})
	}
	slices.SortFunc(list, func(a, b listedSegment) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	if len(list) > 0 {
		list[len(list)-1].last = true
	}
	return list, nil
}

// segmentReader is a segment that is open for reading.
type segmentReader struct {
	io.Reader
	file   *os.File
	packed *zstd.Decoder
	// name is the file's, and open says that it is not compressed.
	name string
	open bool
}

func (r *segmentReader) close() {
	if r.packed != nil {
		r.packed.Close()
	}
	r.file.Close()
}

// openSegment opens a segment under whichever name it has. The error is ErrRemoved
// if it has none.
func openSegment(dir string, name segmentName) (*segmentReader, error) {
	for _, ending := range [...]string{closedEnding, openEnding, closedEnding} { // It may be compressed meanwhile.
		file, err := os.Open(filepath.Join(dir, name.file(ending)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		r := &segmentReader{Reader: file, file: file, name: name.file(ending), open: ending == openEnding}
		if !r.open {
			err = r.unpack(file)
		}
		if err != nil {
			r.close()
			return nil, err
		}
		return r, nil
	}
	return nil, ErrRemoved
}

// unpack reads through a decoder that uses the caller's processor alone.
func (r *segmentReader) unpack(from io.Reader) (err error) {
	r.packed, err = zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(mostUnpacking), zstd.IgnoreChecksum(false))
	r.Reader = r.packed
	return err
}

// openFile opens a file with lines, compressed or not.
func openFile(path string) (*segmentReader, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &segmentReader{file: file, name: filepath.Base(path), open: true}
	if err := r.sniff(file); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// sniff finds out whether what comes is compressed.
func (r *segmentReader) sniff(in io.Reader) error {
	const magic = "\x28\xb5\x2f\xfd"
	buffered := bufio.NewReader(in)
	head, err := buffered.Peek(len(magic))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	r.Reader = buffered
	if string(head) == magic {
		r.open = false
		return r.unpack(buffered)
	}
	return nil
}

// knownIndex returns the index of a closed segment, or nil if there is none that
// could be trusted.
func knownIndex(dir string, name segmentName) *Index {
	text, err := os.ReadFile(filepath.Join(dir, name.file(indexEnding)))
	var x Index
	if err != nil || json.Unmarshal(text, &x) != nil || x.First != uint64(name) {
		return nil
	}
	return &x
}

// folder reads the segments of a folder.
func (s *scan) folder(ctx context.Context, dir string, y *yielding) {
	list, err := listSegments(dir)
	if err == nil && len(list) == 0 {
		err = ErrNoSegment
	}
	if err != nil {
		y.err(fmt.Errorf("the decision log: %w", err))
		return
	}
	for _, l := range list {
		if y.over {
			return
		}
		s.one(ctx, dir, l, y)
	}
}

// ErrNoSegment says that a folder has no segment of a log.
var ErrNoSegment = errors.New("there is no segment of a decision log in the folder")

// one reads a segment of a folder, unless its index says that it has nothing.
func (s *scan) one(ctx context.Context, dir string, l listedSegment, y *yielding) {
	if s.segment != nil && !l.open {
		if x := knownIndex(dir, l.name); x != nil && !s.segment(x) {
			s.stats.Skipped++
			return
		}
	}
	r, err := openSegment(dir, l.name)
	if err != nil {
		s.broken(y, l.name.file(closedEnding), 0, withoutPath(err))
		return
	}
	defer r.close()
	s.stats.Segments++
	s.lines(ctx, r.name, r, r.open && l.last, y)
}

// file reads one file.
func (s *scan) file(ctx context.Context, path string, y *yielding) {
	r, err := openFile(path)
	if err != nil {
		y.err(fmt.Errorf("the decision log: %w", err))
		return
	}
	defer r.close()
	s.stats.Segments++
	s.lines(ctx, r.name, r, r.open, y)
}

// withoutPath takes a file's name off an error that is told with it.
func withoutPath(err error) error {
	var cause *fs.PathError
	if errors.As(err, &cause) {
		return cause.Err
	}
	return err
}

// isFolder reports whether a log is a folder, and not one segment in a file.
func isFolder(path string) (bool, error) {
	info, err := os.Stat(path)
	return err == nil && info.IsDir(), err
}
