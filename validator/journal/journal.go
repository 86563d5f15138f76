package journal

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// Durability says how safe a record is when its decision is answered.
type Durability uint8

// The durabilities.
const (
	// Commit is on disk: it outlives the machine.
	Commit Durability = iota
	// Interval is on disk within Options.Interval, and the time that the disk takes.
	Interval
	// Off is with the operating system within a tenth of a second: it outlives the
	// process from then on, and the machine as the operating system sees fit.
	Off
)

// Options say where a log is and how it is kept. All but Dir, Instance, Told,
// Synced and Hold must be given.
type Options struct {
	// Dir is its folder, which is made if need be. One process at a time has it.
	Dir string
	// Instance names the service in its records.
	Instance string
	// Durability, and the Interval that goes with it.
	Durability Durability
	Interval   time.Duration
	// Patience is how long a decision waits for its record at most.
	Patience time.Duration
	// SegmentSize, in bytes, and SegmentAge are when a segment is closed. One can be
	// larger by what is written at once.
	SegmentSize int64
	SegmentAge  time.Duration
	// KeepBytes and KeepAge bound what closed segments are kept; 0 is no bound.
	KeepBytes int64
	KeepAge   time.Duration
	// Hold, when not nil, returns the lowest sequence that somebody has yet to read:
	// what is not below it stays, whatever KeepBytes and KeepAge say. It is called
	// by one goroutine at a time, from Open on.
	Hold func() uint64
	// Now is the clock.
	Now func() time.Time
	// Told, when not nil, is called with what an operator should know. It must not
	// call the log.
	Told func(Happening)
	// Synced, when not nil, is called with how long the disk took to make something
	// safe.
	Synced func(time.Duration)

	disk disk // of tests
}

// Happening is something that an operator should know of a log.
type Happening struct {
	// What is one of the words below.
	What string
	// Detail says more, and Err why.
	Detail string
	Err    error
}

// What happens to a log.
const (
	Repaired     = "repaired"     // the end was cut off when the log was opened
	Failing      = "failing"      // records cannot be written, from now on
	Recovered    = "recovered"    // they can again
	Vanished     = "vanished"     // the segment was removed from under the log
	Compressed   = "compressed"   // a closed segment is smaller now
	Uncompressed = "uncompressed" // it could not be made smaller, and stays
	Removed      = "removed"      // a closed segment is too old, or one too many
	Held         = "held"         // one would be removed if it had been read
	Untidy       = "untidy"       // old segments could not be removed
)

// Errors of Append.
var (
	// ErrSlow says that the disk did not take a record in time.
	ErrSlow = errors.New("the decision log's disk is too slow")
	// ErrClosed says that the log was closed.
	ErrClosed = errors.New("the decision log is closed")
)

// Journal is a log that is open for writing. It is safe for concurrent use.
type Journal struct {
	o      Options
	disk   disk
	unlock func() error // gives the folder back

	encoder *encoder
	rooms   sync.Pool

	mu      sync.Mutex
	filling *batch
	spare   []byte // memory for the texts of another batch
	failure error  // why the last batch failed, nil if it did not
	owed    tally  // what is to be noted
	notes   []note // what else is
	closing bool
	stats   Stats
	since   time.Time   // since when the disk has been at work; zero if it is not
	writing segmentName // that is written to; 0 for none

	wake chan struct{}
	stop chan struct{} // closed by Close
	done chan struct{} // closed when all is written
	due  chan struct{} // there may be something to tidy
	tidy chan struct{} // closed when nothing is tidied any more

	w writer
}

// Stats are numbers of a log, for metrics.
type Stats struct {
	// Records and Bytes were written by this process, Batches in so many writes.
	Records, Bytes, Batches uint64
	// Sequence is the number of the last record that is as safe as it is to be. What
	// has a higher one may be taken back.
	Sequence uint64
	// Failures counts batches that could not be written; Lost decisions that were
	// answered without a record.
	Failures, Lost uint64
	// Failing says that the last batch could not be written, or has been waiting for
	// the disk for longer than decisions wait.
	Failing bool
	// Segments and KeptBytes are those on disk.
	Segments  int
	KeptBytes int64
	// Written is when the last record was written.
	Written time.Time
}

// tally counts decisions that have no record.
type tally struct {
	lost    int64 // answered all the same
	refused int64 // refused because of that
}

// note is what the log records of itself.
type note struct {
	word    string
	count   int64
	message string
}

// Unrecorded tells the log what became of a decision that Append failed to
// record: whether it was answered all the same, or refused for that reason. The
// log notes how many there were as soon as something can be recorded.
func (j *Journal) Unrecorded(answered bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if answered {
		j.owed.lost++
		j.stats.Lost++
	} else {
		j.owed.refused++
	}
}

// Stats returns the log's numbers.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.stats
	s.Failing = j.failure != nil || !j.since.IsZero() && j.o.Now().Sub(j.since) > j.o.Patience
	return s
}

// Close writes what waits and gives the folder back. It waits for the disk about
// as long as a decision would.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closing {
		j.mu.Unlock()
		return ErrClosed
	}
	j.closing = true
	j.mu.Unlock()
	close(j.stop)
	late := time.NewTimer(2 * j.o.Patience)
	defer late.Stop()
	for _, ended := range []chan struct{}{j.done, j.tidy} {
		select {
		case <-ended:
		case <-late.C:
			return fmt.Errorf("closing the decision log: %w", ErrSlow) // The folder goes back with the process.
		}
	}
	err := j.unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if err = errors.Join(j.failure, err); err != nil {
		return fmt.Errorf("closing the decision log: %w", err)
	}
	return nil
}

// tell must not be called with the lock.
func (j *Journal) tell(h Happening) {
	if j.o.Told != nil {
		j.o.Told(h)
	}
}
