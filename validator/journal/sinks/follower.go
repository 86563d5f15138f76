package sinks

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// errDiverged says that the log does not have the record up to which was read: it
// is another log, or its end was lost and written anew.
var errDiverged = errors.New("the decision log has another record there")

// follower reads the records of a log in order, and waits at its end for more.
type follower struct {
	dir string
	at  mark // the last record that was returned
	t   *tail
	// opened is the segment that was opened last, by its first record.
	opened uint64
	// looked is the record behind which something odd was found and looked at again
	// from the disk: what is still there then is the log's own.
	looked *uint64
	faults int // how often reading failed at this record
	idle   int // how often there was nothing new
	// missed is called with the number of records that are not in the log, and odd
	// with what else is wrong with it.
	missed func(n, before uint64)
	odd    func(text string)
}

// The patience of a follower: after so many failures it leaves the rest of a segment
// out, and after so many looks without anything new it lists the folder.
const (
	mostFaults = 3
	mostIdle   = 50
)

// start goes to the latest record of a position that the log has. agrees is false if
// that is not the last one; without any it begins at the oldest record.
func (f *follower) start(p position) (agrees bool, err error) {
	for i, m := range p {
		f.to(m)
		err := f.open()
		if err == nil || errors.Is(err, errEnd) {
			return i == 0, nil
		}
		if !errors.Is(err, errDiverged) {
			return false, err
		}
	}
	f.to(mark{})
	return len(p) == 0, nil
}

// to forgets what was read after a record.
func (f *follower) to(m mark) {
	f.close()
	f.at, f.looked, f.faults = m, nil, 0
}

func (f *follower) close() {
	f.t.close()
	f.t = nil
}

// open opens the segment in which the next record will be, behind the one at which
// the follower is. The error is errEnd where there is no log yet.
func (f *follower) open() error {
	list, err := segments(f.dir)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		if f.at.seq > 0 {
			return errDiverged
		}
		return errEnd
	}
	i, found := slices.BinarySearch(list, f.at.seq)
	if !found && i > 0 {
		i--
	}
	f.opened = list[i]
	if f.t, err = openTail(f.dir, list[i]); err != nil {
		return err
	}
	if f.at.seq == 0 || list[i] > f.at.seq+1 {
		return nil
	}
	if list[i] == f.at.seq+1 {
		return f.chained()
	}
	return f.pass()
}

// chained looks whether the first record of a segment follows the one at which the
// follower is.
func (f *follower) chained() error {
	line, err := f.t.next()
	if err == nil {
		if seq, prev, ok := readHead(line); ok && seq == f.at.seq+1 && prev != f.at.hash {
			f.close()
			return errDiverged
		}
	}
	first := f.t.first
	f.close()
	if err != nil && !errors.Is(err, errEnd) && !errors.Is(err, errLong) {
		return err
	}
	f.t, err = openTail(f.dir, first)
	return err
}

// pass passes over the records of a segment up to the one at which the follower is.
func (f *follower) pass() error {
	for {
		line, err := f.t.next()
		if errors.Is(err, errLong) {
			continue
		}
		if errors.Is(err, errEnd) {
			f.close()
			return errDiverged
		}
		if err != nil {
			f.close()
			return err
		}
		if seq, _, ok := readHead(line); ok && seq == f.at.seq {
			if e, ok := parse(line); !ok || e.hash != f.at.hash {
				f.close()
				return errDiverged
			}
			return nil
		}
	}
}

// next returns the next record. The error is errEnd where there is none yet, and
// errDiverged where the log was written anew.
func (f *follower) next() (entry, error) {
	for {
		line, err := f.line()
		if err != nil && !errors.Is(err, errLong) {
			return entry{}, err
		}
		e, ok := entry{}, false
		if err == nil {
			e, ok = parse(line)
		}
		if f.plausible(e, ok) || f.accepted(e, ok) {
			f.at, f.looked, f.faults, f.idle = mark{e.seq, e.hash}, nil, 0, 0
			return e, nil
		}
	}
}

// line returns the next line of the log, of whatever segment it is in.
func (f *follower) line() ([]byte, error) {
	for {
		var line []byte
		var err error
		if f.t == nil {
			err = f.open()
		}
		if err == nil {
			line, err = f.t.next()
			if errors.Is(err, errEnd) {
				moved, err := f.onward()
				if err != nil {
					return nil, err
				}
				if !moved {
					return nil, errEnd
				}
				continue
			}
		}
		switch {
		case err == nil, errors.Is(err, errLong), errors.Is(err, errEnd), errors.Is(err, errDiverged):
			return line, err
		case errors.Is(err, fs.ErrNotExist):
			return nil, errEnd // It was removed just now; the next look finds what is there.
		}
		if err := f.fault(err); err != nil {
			return nil, err
		}
	}
}

// plausible reports whether a record is the one that must come next.
func (f *follower) plausible(e entry, ok bool) bool {
	return ok && (f.at.seq == 0 || e.seq == f.at.seq+1 && e.prev == f.at.hash)
}

// accepted looks at what should not be there: once more from the disk, where it may
// have been written anew meanwhile, and then as it is. It reports whether the record
// is to be returned in spite of it.
func (f *follower) accepted(e entry, ok bool) bool {
	if f.looked == nil {
		at := f.at.seq
		f.looked = &at
		f.close()
		return false
	}
	switch {
	case !ok:
		f.odd(fmt.Sprintf("a line behind record %d is no record and was left out", f.at.seq))
		return false
	case e.seq <= f.at.seq:
		f.odd(fmt.Sprintf("record %d comes behind record %d and was left out", e.seq, f.at.seq))
		return false
	case e.seq > f.at.seq+1:
		f.missed(e.seq-f.at.seq-1, e.seq)
	default:
		f.odd(fmt.Sprintf("record %d does not follow the one before; sluice log verify tells more", e.seq))
	}
	return true
}
