package journal

import (
	"errors"
	"fmt"
)

// lose counts those decisions of a batch that could not be written although
// whoever asked was told that they are recorded.
func (j *Journal) lose(t *taken) {
	j.mu.Lock()
	j.owed.lost += t.unwaited
	j.stats.Lost += uint64(t.unwaited)
	j.mu.Unlock()
}

// failed notes that something could not be written.
func (j *Journal) failed(err error) {
	j.mu.Lock()
	first := j.failure == nil
	j.failure = fmt.Errorf("the decision log cannot be written: %w", err)
	j.stats.Failures++
	j.mu.Unlock()
	if first {
		j.tell(Happening{What: Failing, Detail: "decisions cannot be recorded", Err: err})
	}
}

// unsafeError says that what was written may not be on disk.
type unsafeError struct{ error }

// Unwrap returns what the disk said.
func (u unsafeError) Unwrap() error { return u.error }

// undo takes back what was written in part, or too late. Where something before
// it was to be made safe and was not, that is taken back too: nobody knows what of
// it is on disk, and the disk does not say so twice.
func (j *Journal) undo(err error) error {
	s := j.w.segment
	if s == nil {
		return err
	}
	s.torn = true
	if unsafe := (unsafeError{}); errors.As(err, &unsafe) && j.w.at != j.w.safe {
		j.rollBack()
	}
	return errors.Join(err, s.mend())
}

// rollBack goes back to where the log was safe, in the same segment. What was
// recorded since is lost.
func (j *Journal) rollBack() {
	w := &j.w
	gone := w.since
	w.at, w.segment.size, w.since = w.safe, w.safeSize, since{}
	w.segment.torn, w.segment.dirty = true, false
	j.mu.Lock()
	j.notes = append(gone.notes, j.notes...)
	j.owed.lost += gone.decisions + gone.lost
	j.owed.refused += gone.refused
	j.stats.Lost += uint64(gone.decisions)
	j.mu.Unlock()
}
