package journal

import (
	"crypto/sha256"
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
	tornEnding   = ".torn"
	// unfinished is put behind the name of a file that is not whole yet.
	unfinished = ".new"
)

func (n segmentName) file(ending string) string { return fmt.Sprintf("%020d%s", uint64(n), ending) }

// parseSegment returns the segment of a file with an ending, if it is one.
func parseSegment(file, ending string) (segmentName, bool) {
	digits, ok := strings.CutSuffix(filepath.Base(file), ending)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return segmentName(n), err == nil && n > 0
}

// position is a place between two records.
type position struct {
	next uint64            // number of the record behind it
	prev [sha256.Size]byte // hash of the one before it
}

// writer is what only the goroutine that writes uses.
type writer struct {
	segment *segment // nil before the first record of one
	at      position // the end of the log
	// safe is how far everything is as safe as it is to be, in the segment, and
	// since counts what was written since. They differ from the end where records
	// are made safe later only.
	safe     position
	safeSize int64
	since    since

	out    []byte // what is written next
	tried  time.Time
	looked time.Time
}

// since counts decisions, and what was noted.
type since struct {
	decisions, lost, refused int64
	notes                    []note
}

// again reports whether it is time to try once more although no decision waits.
func (w *writer) again(now time.Time) bool { return apart(now, w.tried) >= time.Second }

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
	// Create makes an empty file and has its name on disk. One that is there must be
	// empty.
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
	// Linked returns an error if the file does not have its name any more.
	Linked() error
}

// mend cuts off what was written in part.
func (s *segment) mend() error {
	if !s.torn {
		return nil
	}
	if err := s.file.Truncate(s.size); err != nil {
		return fmt.Errorf("cutting off what was written in part: %w", err)
	}
	s.torn = false
	return nil
}

// rotate makes sure that there is a segment with room for so many bytes.
func (j *Journal) rotate(size int64) error {
	if s := j.w.segment; s != nil {
		if s.size == 0 || s.size+size <= j.o.SegmentSize {
			return nil
		}
		if err := j.retire(); err != nil {
			return err
		}
	}
	name := segmentName(j.w.at.next)
	j.mu.Lock()
	j.writing = name // Before it is there: tidy sees the folder first and then this.
	j.mu.Unlock()
	file, err := j.disk.Create(filepath.Join(j.o.Dir, name.file(openEnding)))
	if err != nil {
		return fmt.Errorf("beginning a segment: %w", err)
	}
	j.w.segment = &segment{name: name, file: file, begun: j.o.Now()}
	j.safe()
	j.mu.Lock()
	j.stats.Segments++
	j.mu.Unlock()
	j.tidyUp()
	return nil
}

// retire ends the segment, which is compressed then.
func (j *Journal) retire() error {
	s := j.w.segment
	if s == nil {
		return nil
	}
	if err := s.mend(); err != nil {
		return err
	}
	if s.dirty && j.o.Durability != Off {
		if err := j.sync(s); err != nil {
			return j.undo(fmt.Errorf("ending a segment: %w", err))
		}
	}
	j.safe()
	j.w.segment = nil
	j.mu.Lock()
	j.writing = 0
	j.mu.Unlock()
	j.tidyUp()
	if err := s.file.Close(); err != nil {
		return fmt.Errorf("ending a segment: %w", err)
	}
	return nil
}

// abandon leaves a segment that somebody has removed or replaced. The next record
// begins another, and the chain goes on: what is missing is seen.
func (j *Journal) abandon(why error) {
	s := j.w.segment
	_ = s.file.Close() // It has no name any more.
	j.w.segment = nil
	j.safe()
	j.mu.Lock()
	j.writing = 0
	j.mu.Unlock()
	j.tell(Happening{What: Vanished, Detail: s.name.file(openEnding) + " with records from " + strconv.FormatUint(uint64(s.name), 10) + " was taken away while it was written to", Err: why})
}

// tidyUp has closed segments looked after.
func (j *Journal) tidyUp() {
	select {
	case j.due <- struct{}{}:
	default: // It is going to be done.
	}
}
