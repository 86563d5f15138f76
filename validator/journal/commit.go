package journal

import (
	"errors"
	"fmt"
	"time"
)

// run writes batches until the log is closed.
func (j *Journal) run() {
	defer close(j.done)
	tick := time.NewTicker(j.pace())
	defer tick.Stop()
	for {
		select {
		case <-j.wake:
		case <-tick.C:
		case <-j.stop:
			j.commit()
			j.retire(true)
			return
		}
		j.commit()
	}
}

// pace is how often the writer looks up although nobody wakes it: to have what
// was written on disk in time, and to close a segment that has become old.
func (j *Journal) pace() time.Duration {
	if j.o.Durability == Interval {
		return j.o.Interval
	}
	return time.Second
}

// commit writes what waits.
func (j *Journal) commit() {
	j.mu.Lock()
	b := j.filling
	some := b.count > 0
	if some {
		j.filling, j.spare = j.spare, nil
		if j.filling == nil {
			j.filling = &batch{}
		}
	}
	j.mu.Unlock()
	if !some {
		j.idle()
		return
	}
	err := j.write(b)
	j.mu.Lock()
	if err == nil {
		j.written(b)
	} else {
		j.failed(b, err)
	}
	j.mu.Unlock()
}

// written notes that a batch is as safe as it is to be. The caller has the lock.
func (j *Journal) written(b *batch) {
	if j.failure != nil {
		j.tell(Happening{What: "recovered", Detail: "decisions are recorded again"})
	}
	j.failure = nil
	j.lost -= b.lost
	j.stats.Records += b.count
	j.stats.Bytes += uint64(len(b.buf))
	j.stats.Batches++
	j.stats.Written = j.o.Now()
	j.release(b, nil)
}

// failed forgets a batch that could not be written, and what has been chained to
// it meanwhile: the sequence has no gaps. The caller has the lock.
func (j *Journal) failed(b *batch, err error) {
	if j.failure == nil {
		j.tell(Happening{What: "failing", Detail: "decisions cannot be recorded", Err: err})
	}
	j.failure = fmt.Errorf("the decision log cannot be written: %w", err)
	j.stats.Failures++
	j.next, j.prev = b.first, b.prev
	if j.o.Durability != Commit { // Nobody waits who could be told.
		lost := int64(b.count + j.filling.count)
		j.lost += lost
		j.stats.Lost += uint64(lost)
	}
	j.release(j.filling, j.failure)
	j.filling = &batch{}
	j.release(b, j.failure)
}

// release lets go whoever waits for a batch, and keeps its memory for another.
func (j *Journal) release(b *batch, err error) {
	const mostKept = 1 << 20
	if b.done != nil {
		b.late.Stop()
		b.finish(err)
		if cap(b.buf) <= mostKept {
			j.spare = &batch{buf: b.buf[:0]} // Those who waited still read b.err.
		}
		return
	}
	if cap(b.buf) <= mostKept {
		*b = batch{buf: b.buf[:0]}
		j.spare = b
	}
}

// write appends a batch to the segment. After an error the segment ends where it
// did before.
func (j *Journal) write(b *batch) error {
	if err := j.rotate(b); err != nil {
		return err
	}
	s := j.segment
	if s.torn { // An earlier batch was written in part.
		if err := s.file.Truncate(s.size); err != nil {
			return fmt.Errorf("cutting off what was written in part: %w", err)
		}
		s.torn = false
	}
	_, err := s.file.WriteAt(b.buf, s.size)
	if err == nil && j.o.Durability == Commit {
		err = s.file.Sync()
	}
	if err != nil {
		s.torn = true
		if cut := s.file.Truncate(s.size); cut != nil {
			return errors.Join(err, cut)
		}
		s.torn = false
		return err
	}
	s.size += int64(len(b.buf))
	s.dirty = j.o.Durability != Commit
	if j.o.Durability == Interval {
		return j.sync()
	}
	return nil
}

// idle does what is due although nothing is to be written.
func (j *Journal) idle() {
	if err := j.sync(); err != nil {
		j.mu.Lock()
		if j.failure == nil {
			j.tell(Happening{What: "failing", Detail: "what was written cannot be made safe", Err: err})
		}
		j.failure = fmt.Errorf("the decision log cannot be made safe: %w", err)
		j.stats.Failures++
		j.mu.Unlock()
	}
	if j.segment != nil && j.segment.size > 0 && j.o.Now().Sub(j.segment.begun) >= j.o.SegmentAge {
		j.retire(false)
	}
}

// sync has the segment on disk once the interval has passed.
func (j *Journal) sync() error {
	s := j.segment
	if j.o.Durability != Interval || s == nil || !s.dirty || j.o.Now().Sub(j.synced) < j.o.Interval {
		return nil
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	s.dirty = false
	j.synced = j.o.Now()
	return nil
}

// tell calls back without the lock's help: whoever is told must not call the log.
func (j *Journal) tell(h Happening) {
	if j.o.Told != nil {
		j.o.Told(h)
	}
}
