package journal

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/gofrs/flock"
)

// maxLine is the longest record that is read, in bytes.
const maxLine = 4 << 20

// lockFile says who writes a log.
const lockFile = "writer.lock"

// errInUse says that another process writes a log.
var errInUse = errors.New("another process writes this decision log")

// Open opens a log for writing. What a process or machine that stopped in the
// middle has left of a record is cut off, told and noted in the log.
func Open(o Options) (*Journal, error) {
	j := &Journal{
		o: o, disk: o.disk, filling: &batch{}, next: 1,
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}), closed: make(chan segmentName, 16),
	}
	if j.disk == nil {
		j.disk = osDisk{}
	}
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("the decision log: %w", err)
	}
	lock := flock.New(filepath.Join(o.Dir, lockFile))
	switch held, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("the decision log: %w", err)
	case !held:
		return nil, fmt.Errorf("%s: %w", o.Dir, errInUse)
	}
	j.owner = func() { _ = lock.Unlock() } // It goes with the process anyway.
	if err := j.recover(); err != nil {
		j.owner()
		return nil, fmt.Errorf("the decision log: %w", err)
	}
	j.addNote(NoteOpened, 0, "the service begins to record")
	go j.run()
	go j.keep()
	j.wake <- struct{}{}
	return j, nil
}

// recover finds where the log ends, and cuts off what is there of a record.
func (j *Journal) recover() error {
	open, closed, err := segments(j.o.Dir)
	if err != nil {
		return err
	}
	for i, name := range open {
		if i < len(open)-1 {
			continue // Whole, and to be compressed by keep.
		}
		return j.resume(name)
	}
	if len(closed) == 0 {
		return nil
	}
	last, err := readEnd(j.o.Dir, closed[len(closed)-1])
	if err != nil {
		return err
	}
	j.next, j.prev = last.next, last.hash
	return nil
}

// resume goes on where the last segment ends.
func (j *Journal) resume(name segmentName) error {
	path := filepath.Join(j.o.Dir, name.file(openEnding))
	end, err := scanEnd(path)
	if err != nil {
		return err
	}
	file, err := j.disk.Open(path)
	if err != nil {
		return err
	}
	j.segment = &segment{name: name, file: file, size: end.size, begun: j.o.Now()}
	j.next, j.prev = end.next, end.hash
	if end.next == 0 { // Nothing was written to it yet.
		if j.next, j.prev, err = j.before(name); err != nil {
			return err
		}
	}
	if end.torn == 0 {
		return nil
	}
	if err := file.Truncate(end.size); err != nil {
		return fmt.Errorf("cutting off the end of %s: %w", path, err)
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("cutting off the end of %s: %w", path, err)
	}
	detail := fmt.Sprintf("%d bytes at the end of %s were no whole record and were cut off: the process or the machine stopped while they were written", end.torn, filepath.Base(path))
	j.tell(Happening{What: "repaired", Detail: detail})
	j.addNote(NoteRepaired, end.torn, detail)
	return nil
}

// before returns where the log was before a segment.
func (j *Journal) before(name segmentName) (next uint64, hash [sha256.Size]byte, err error) {
	open, closed, err := segments(j.o.Dir)
	if err != nil {
		return 0, hash, err
	}
	var end segmentEnd
	if i := slices.Index(open, name); i > 0 {
		end, err = scanEnd(filepath.Join(j.o.Dir, open[i-1].file(openEnding)))
	} else if len(closed) > 0 {
		end, err = readEnd(j.o.Dir, closed[len(closed)-1])
	}
	return max(end.next, uint64(name)), end.hash, err
}

// segments lists the segments of a folder in order.
func segments(dir string) (open, closed []segmentName, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		if name, ok := parseSegment(entry.Name(), openEnding); ok {
			open = append(open, name)
		}
		if name, ok := parseSegment(entry.Name(), closedEnding); ok {
			closed = append(closed, name)
		}
	}
	open = slices.DeleteFunc(open, func(n segmentName) bool { return slices.Contains(closed, n) }) // Compressed, and not removed yet.
	slices.Sort(open)
	slices.Sort(closed)
	return open, closed, nil
}

// segmentEnd is where a segment ends.
type segmentEnd struct {
	next uint64 // number of the record after its last; 0 if it has none
	hash [sha256.Size]byte
	size int64 // of all whole records
	torn int64 // bytes behind them
}

// scanEnd reads a segment that is written to, and finds where its whole records
// end.
func scanEnd(path string) (segmentEnd, error) {
	file, err := os.Open(path)
	if err != nil {
		return segmentEnd{}, err
	}
	defer file.Close()
	return endOf(file)
}

// endOf finds the last record that is whole. What follows it is torn; records
// before it that are not in order are left to whoever verifies the log.
func endOf(r io.Reader) (end segmentEnd, err error) {
	lines := bufio.NewReaderSize(r, 1<<16)
	var at int64
	for {
		line, err := readLine(lines)
		at += int64(len(line))
		if err != nil && !errors.Is(err, io.EOF) {
			return end, err
		}
		if seq, ok := sequenceOf(line); ok && err == nil {
			end = segmentEnd{next: seq + 1, hash: sha256.Sum256(bytes.TrimSuffix(line, []byte("\n"))), size: at}
		}
		if err != nil {
			end.torn = at - end.size
			return end, nil
		}
	}
}

// errLong says that a record is longer than any can be.
var errLong = fmt.Errorf("a line has more than %d bytes", maxLine)

// readLine returns the next line with its line feed. The error is io.EOF where
// that is missing.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	long := slices.Clone(line)
	for errors.Is(err, bufio.ErrBufferFull) {
		if len(long) > maxLine {
			return long, errLong
		}
		line, err = r.ReadSlice('\n')
		long = append(long, line...)
	}
	return long, err
}

// sequenceOf returns the number of a record that is whole.
func sequenceOf(line []byte) (uint64, bool) {
	var head struct {
		Sequence uint64 `json:"seq"`
		Previous string `json:"prev"`
	}
	if json.Unmarshal(line, &head) != nil || head.Sequence == 0 || len(head.Previous) != hex.EncodedLen(sha256.Size) {
		return 0, false
	}
	return head.Sequence, true
}
