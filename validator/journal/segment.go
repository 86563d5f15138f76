package journal

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// segmentName is the number of a segment's first record.
type segmentName uint64

// The endings of a segment's files.
const (
	openEnding   = ".jsonl"
	closedEnding = ".jsonl.zst"
	indexEnding  = ".index.json"
)

func (n segmentName) file(ending string) string { return fmt.Sprintf("%020d%s", uint64(n), ending) }

// parseSegment returns the segment of a file with an ending, if it is one.
func parseSegment(file, ending string) (segmentName, bool) {
	digits, ok := strings.CutSuffix(filepath.Base(file), ending)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return segmentName(n), err == nil
}

// segment is the one that is written to.
type segment struct {
	name  segmentName
	file  diskFile
	size  int64
	begun time.Time
	torn  bool // there may be something behind size
	dirty bool // not all of it is on disk
}

// disk is what a log needs of a file system; tests have others.
type disk interface {
	// Create makes a file that must not be there, and has its name on disk.
	Create(name string) (diskFile, error)
	// Open opens a file for writing.
	Open(name string) (diskFile, error)
}

// diskFile is a file that is written to.
type diskFile interface { //nolint:interfacebloat // One open file, whose parts nobody needs alone.
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
}

// rotate makes sure that there is a segment with room for a batch.
func (j *Journal) rotate(b *batch) error {
	if s := j.segment; s != nil {
		if s.size == 0 || s.size+int64(len(b.buf)) <= j.o.SegmentSize {
			return nil
		}
		if err := j.retire(false); err != nil {
			return err
		}
	}
	name := segmentName(b.first)
	file, err := j.disk.Create(filepath.Join(j.o.Dir, name.file(openEnding)))
	if err != nil {
		return fmt.Errorf("beginning a segment: %w", err)
	}
	j.segment = &segment{name: name, file: file, begun: j.o.Now()}
	return nil
}

// retire ends the segment. Unless the log ends with it, it is compressed then.
func (j *Journal) retire(last bool) error {
	s := j.segment
	if s == nil {
		return nil
	}
	if s.dirty {
		if err := s.file.Sync(); err != nil {
			return fmt.Errorf("ending a segment: %w", err)
		}
	}
	j.segment = nil
	err := s.file.Close()
	if last {
		return err
	}
	select {
	case j.closed <- s.name:
	default: // Whoever compresses looks at the folder anyway.
	}
	return nil
}
