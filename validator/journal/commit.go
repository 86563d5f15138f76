package journal

import (
	"runtime"
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
			// Whoever is about to add a record does so first: otherwise, on one
			// processor, the few who have just been let go are written over and over
			// again, and the others wait.
			runtime.Gosched()
			j.commit(false)
		case <-tick.C:
			j.commit(false)
			j.upkeep()
		case <-j.stop:
			j.commit(true)
			if err := j.retire(); err != nil {
				j.failed(err)
			}
			return
		}
	}
}

// pace is how often the writer looks up although nobody wakes it.
func (j *Journal) pace() time.Duration {
	switch j.o.Durability {
	case Interval:
		return j.o.Interval
	case Off:
		return 100 * time.Millisecond
	default:
		return time.Second
	}
}

// taken is what is written at once.
type taken struct {
	*batch
	notes []note
	owed  tally // the part of notes that is a tally
	queue int   // how many of notes are from the queue
}

// take takes what waits, for the writer alone. There is nothing if it has no
// batch.
func (j *Journal) take(last bool) taken {
	j.mu.Lock()
	defer j.mu.Unlock()
	t := taken{owed: j.owed, queue: len(j.notes), notes: j.notes[:len(j.notes):len(j.notes)]}
	if t.owed.lost > 0 {
		t.notes = append(t.notes, note{NoteLost, t.owed.lost, "decisions were answered and could not be recorded"})
	}
	if t.owed.refused > 0 {
		t.notes = append(t.notes, note{NoteRefused, t.owed.refused, "events were refused because they could not be recorded"})
	}
	quiet := j.filling.count == 0 && j.filling.done == nil
	if quiet && !last && (len(t.notes) == 0 || j.failure != nil && !j.w.again(j.o.Now())) {
		return taken{}
	}
	t.batch = j.filling
	j.filling, j.spare = &batch{text: j.spare}, nil
	return t
}

// commit writes what waits.
func (j *Journal) commit(last bool) {
	t := j.take(last)
	if t.batch == nil {
		return
	}
	if t.settled.Load() && t.unwaited == 0 { // Nobody waits any more.
		t.text, t.count = t.text[:0], 0
		if len(t.notes) == 0 && !last {
			return
		}
	}
	j.w.tried = j.o.Now()
	j.busy(j.w.tried)
	written, err := j.write(&t, last)
	j.busy(time.Time{})
	if t.late != nil {
		t.late.Stop()
	}
	first := t.settle(err)
	if err == nil && !first && t.unwaited == 0 && t.count > 0 {
		err = ErrSlow // All who waited have been told so: it must not be there.
	}
	if err == nil {
		j.keepWritten(&t, written)
	} else {
		err = j.undo(err)
		j.lose(&t)
		j.failed(err)
	}
	if first {
		t.release()
	}
	if cap(t.text) <= mostKept {
		j.mu.Lock()
		j.spare = t.text[:0] // Whoever waited still reads what is beside it.
		j.mu.Unlock()
	}
}

// busy notes since when the disk has been at work.
func (j *Journal) busy(since time.Time) {
	j.mu.Lock()
	j.since = since
	j.mu.Unlock()
}

// keepWritten notes that a batch is written.
func (j *Journal) keepWritten(t *taken, end position) {
	w, size := &j.w, int64(len(j.w.out))
	w.segment.size += size
	w.since.decisions += t.unwaited
	w.since.lost += t.owed.lost
	w.since.refused += t.owed.refused
	w.since.notes = append(w.since.notes, t.notes[:t.queue]...)
	records := end.next - w.at.next
	w.at = end
	j.mu.Lock()
	recovered := j.failure != nil
	j.failure = nil
	j.notes = j.notes[t.queue:]
	j.owed.lost -= t.owed.lost
	j.owed.refused -= t.owed.refused
	j.stats.Records += records
	j.stats.Bytes += uint64(size)
	j.stats.KeptBytes += size
	j.stats.Batches++
	j.stats.Written = j.o.Now()
	j.mu.Unlock()
	if j.o.Durability != Interval || !w.segment.dirty {
		j.safe()
	}
	if recovered {
		j.tell(Happening{What: Recovered, Detail: "decisions are recorded again"})
	}
}

// safe notes that everything written is as safe as it is to be.
func (j *Journal) safe() {
	j.w.safe, j.w.safeSize, j.w.since = j.w.at, 0, since{}
	if j.w.segment != nil {
		j.w.safeSize = j.w.segment.size
	}
	j.mu.Lock()
	j.stats.Sequence = j.w.at.next - 1
	j.mu.Unlock()
}

// write has a batch behind what is written already. It returns where the log
// ends then.
func (j *Journal) write(t *taken, last bool) (end position, err error) {
	if err := j.rotate(int64(len(t.text)) + (t.count+int64(len(t.notes)))*noteSize); err != nil {
		return end, err
	}
	s := j.w.segment
	if err := s.mend(); err != nil {
		return end, err
	}
	end = j.seal(t, last)
	s.torn = true // Until it is known to be whole.
	if _, err := s.file.WriteAt(j.w.out, s.size); err != nil {
		return end, err
	}
	s.dirty = true
	j.mu.Lock()
	careful := j.failure != nil // It is not believed before it is seen.
	j.mu.Unlock()
	if j.o.Durability == Commit || j.o.Durability == Interval && careful {
		if err := j.sync(s); err != nil {
			return end, err
		}
	}
	s.torn = false
	return end, nil
}

// sync has the segment on disk.
func (j *Journal) sync(s *segment) error {
	begun := time.Now()
	if err := s.file.Sync(); err != nil {
		return unsafeError{err}
	}
	s.dirty = false
	if j.o.Synced != nil {
		j.o.Synced(time.Since(begun))
	}
	return nil
}

// upkeep does what is due from time to time: it has what was written on disk, and
// ends a segment that has become old or has gone.
func (j *Journal) upkeep() {
	s := j.w.segment
	if s == nil {
		return
	}
	if j.o.Durability == Interval && s.dirty && !s.torn {
		if err := j.sync(s); err != nil {
			j.failed(j.undo(err))
			return
		}
		j.safe()
	}
	now := j.o.Now()
	if j.w.looked.IsZero() || apart(now, j.w.looked) >= time.Second {
		j.w.looked = now
		if err := s.file.Linked(); err != nil {
			j.abandon(err)
			return
		}
	}
	if s.size > 0 && now.Sub(s.begun) >= j.o.SegmentAge {
		if err := j.retire(); err != nil {
			j.failed(err)
		}
	}
}

// apart is how far two times are from each other, also when the clock was set
// back between them.
func apart(a, b time.Time) time.Duration { return a.Sub(b).Abs() }
