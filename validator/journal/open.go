package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofrs/flock"
)

// lockFile says who writes a log.
const lockFile = "writer.lock"

// ErrInUse says that another process writes a log.
var ErrInUse = errors.New("another process writes this decision log: give each service a folder of its own")

// Open opens a log for writing. What a process or machine that stopped in the
// middle has left of a record is cut off, told and noted in the log. The error
// says what is wrong with the folder; that nothing can be written to it, such as
// on a full disk, is what Append says.
func Open(o Options) (*Journal, error) {
	j := &Journal{
		o: o, disk: o.disk, filling: &batch{}, encoder: newEncoder(o.Instance),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
		due: make(chan struct{}, 1), tidy: make(chan struct{}),
	}
	j.rooms.New = func() any { return new([]byte) }
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
		return nil, fmt.Errorf("%s: %w", o.Dir, ErrInUse)
	}
	j.unlock = lock.Unlock
	if err := j.recover(); err != nil {
		return nil, fmt.Errorf("the decision log in %s: %w", o.Dir, errors.Join(err, lock.Unlock()))
	}
	j.notes = append(j.notes, note{NoteOpened, 0, "the service begins to record"})
	go j.run()
	go j.keep()
	j.rouse()
	return j, nil
}

// recover finds where the log ends, and cuts off what is there of a record.
func (j *Journal) recover() error {
	if err := removeUnfinished(j.o.Dir); err != nil {
		return err
	}
	open, closed, err := segments(j.o.Dir)
	if err != nil {
		return err
	}
	j.w.at.next = 1
	last := segmentName(0)
	if n := len(open) - 1; n >= 0 && (len(closed) == 0 || open[n] > closed[len(closed)-1]) {
		last, open = open[n], open[:n]
		if err := j.resume(last); err != nil {
			return err
		}
	}
	if j.w.segment == nil {
		if err := j.before(last, open, closed); err != nil {
			return err
		}
	}
	j.safe()
	if s := j.w.segment; s != nil {
		j.writing = s.name
	}
	return nil
}

// before goes to where the log was before a segment that has no record: behind the
// last of these. A number that a segment had is not given again.
func (j *Journal) before(name segmentName, open, closed []segmentName) error {
	last := segmentName(0)
	for _, n := range slices.Concat(open, closed) {
		last = max(last, n)
	}
	var end segmentEnd
	var err error
	switch {
	case last == 0:
	case slices.Contains(closed, last):
		end, err = readEnd(j.o.Dir, last)
	default:
		end, err = scanEnd(filepath.Join(j.o.Dir, last.file(openEnding)), last)
	}
	if err != nil {
		return fmt.Errorf("finding its end: %w", err)
	}
	j.w.at = position{next: max(end.next, uint64(name), 1), prev: end.hash}
	return nil
}

// removeUnfinished removes what was not written to its end.
func removeUnfinished(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name, cut := strings.CutSuffix(entry.Name(), unfinished)
		_, packed := parseSegment(name, closedEnding)
		_, index := parseSegment(name, indexEnding)
		if cut && (packed || index) {
			if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// segments lists the segments of a folder in order. One that is there in both
// forms is closed: the compressed form has its name when it is whole.
func segments(dir string) (open, closed []segmentName, err error) {
	open, closed, _, err = listBoth(dir)
	return open, closed, err
}

// listBoth lists those that are there in both forms, too.
func listBoth(dir string) (open, closed, both []segmentName, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() {
			continue
		}
		if name, ok := parseSegment(entry.Name(), openEnding); ok {
			open = append(open, name)
		}
		if name, ok := parseSegment(entry.Name(), closedEnding); ok {
			closed = append(closed, name)
		}
	}
	open = slices.DeleteFunc(open, func(n segmentName) bool {
		twice := slices.Contains(closed, n)
		if twice {
			both = append(both, n)
		}
		return twice
	})
	slices.Sort(open)
	slices.Sort(closed)
	return open, closed, both, nil
}
