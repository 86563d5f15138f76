package sinks

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// onward goes to the next segment, once there is one. moved is false where there is
// nothing new.
func (f *follower) onward() (moved bool, err error) {
	next := f.at.seq + 1
	if f.t.first != next && there(f.dir, next) {
		return true, f.enter(next)
	}
	shorter, err := f.t.cut()
	if err != nil {
		return false, err
	}
	if shorter {
		f.close() // What is there instead is looked at from the record that was returned last.
		return true, nil
	}
	f.idle++
	if f.idle%mostIdle != 0 && there(f.dir, f.t.first) {
		return false, nil
	}
	if f.t.replaced(f.dir) {
		f.close()
		return true, nil
	}
	return f.leave(f.t.first)
}

// leave goes to whatever segment comes next, although it does not begin with the
// next record.
func (f *follower) leave(first uint64) (moved bool, err error) {
	list, err := segments(f.dir)
	if err != nil {
		return false, err
	}
	i, found := slices.BinarySearch(list, first)
	if found {
		i++
	}
	if i == len(list) {
		if there(f.dir, first) {
			return false, nil
		}
		f.close() // It is another folder than it was: let open find out.
		return true, nil
	}
	return true, f.enter(list[i])
}

// enter begins with a segment. One that was removed just now leaves the follower
// where it was.
func (f *follower) enter(first uint64) error {
	t, err := openTail(f.dir, first)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f.close()
	f.t, f.opened = t, first
	return nil
}

// fault handles a segment that cannot be read: it is tried again from the record
// that was returned last, and in the end left out as far as it was not read.
func (f *follower) fault(why error) error {
	f.faults++
	if f.faults < mostFaults {
		f.close()
		return why
	}
	first := f.opened
	moved, err := f.leave(first)
	if err != nil || !moved || f.t == nil {
		f.close()
		return errors.Join(why, err)
	}
	f.odd(fmt.Sprintf("the rest of the segment that begins with record %d cannot be read and was left out: %s", first, why))
	at := f.at.seq
	f.looked, f.faults = &at, 0 // The gap is the log's own.
	return nil
}
