package journal

import (
	"sync/atomic"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// Bounds of what waits for the disk, in bytes.
const (
	// maxBacklog is how much waits at most; beyond, decisions wait for room.
	maxBacklog = 16 << 20
	// enough is how much is written at once although nobody waits for it.
	enough = 256 << 10
	// mostKept is how large memory may be that is kept for another time.
	mostKept = 4 << 20
)

// batch is records that are written together.
type batch struct {
	// text is the records without seq and prev, a line each.
	text []byte
	// count is how many they are; nobody waits for unwaited ones of them, who have
	// been told that they are recorded.
	count, unwaited int64

	settled atomic.Bool
	done    chan struct{} // nil if nobody waits
	err     error         // set before done is closed
	late    *time.Timer
}

// settle decides what whoever waits is told. It reports whether it is the first to
// do so; if it is, release follows.
func (b *batch) settle(err error) bool {
	if !b.settled.CompareAndSwap(false, true) {
		return false
	}
	b.err = err
	return true
}

// release lets go whoever waits.
func (b *batch) release() {
	if b.done != nil {
		close(b.done)
	}
}

// await makes b one that somebody waits for. The caller has the lock.
func (b *batch) await(patience time.Duration) {
	if b.done == nil {
		b.done = make(chan struct{})
		b.late = time.AfterFunc(patience, func() {
			if b.settle(ErrSlow) {
				b.release()
			}
		})
	}
}

// Append records a decision and returns when the record is as safe as
// Options.Durability says. After an error it is not recorded, unless the process
// or the machine stops before what was written of it is taken back.
func (j *Journal) Append(e *rules.Event, d *rules.Decision) error {
	room, _ := j.rooms.Get().(*[]byte) // New makes nothing else.
	*room = append(j.encoder.appendRecord((*room)[:0], e, d), '\n')
	err := j.add(*room)
	if cap(*room) <= 64<<10 {
		j.rooms.Put(room)
	}
	return err
}

// add has a record without seq and prev written.
func (j *Journal) add(text []byte) error {
	b, err := j.room()
	if err != nil {
		return err
	}
	b.text = append(b.text, text...)
	b.count++
	wait := j.o.Durability == Commit || j.failure != nil
	if wait {
		b.await(j.o.Patience)
	} else {
		b.unwaited++
	}
	rouse := wait || len(b.text) >= enough
	j.mu.Unlock()
	if rouse {
		j.rouse()
	}
	if !wait {
		return nil
	}
	<-b.done
	return b.err
}

// room returns the batch that is being filled, once it has room for more, and
// takes the lock unless there is an error.
func (j *Journal) room() (*batch, error) {
	for {
		j.mu.Lock()
		b := j.filling
		switch {
		case j.closing:
			j.mu.Unlock()
			return nil, ErrClosed
		case len(b.text) < maxBacklog:
			return b, nil
		}
		b.await(j.o.Patience)
		j.mu.Unlock()
		j.rouse()
		<-b.done
		if b.err != nil {
			return nil, b.err
		}
	}
}

// rouse wakes the writer.
func (j *Journal) rouse() {
	select {
	case j.wake <- struct{}{}:
	default: // It is awake.
	}
}
