package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// Durability says how safe a record is when its decision is answered.
type Durability uint8

// The durabilities.
const (
	// Commit is on disk: it outlives the machine.
	Commit Durability = iota
	// Interval is on disk within Options.Interval.
	Interval
	// Off is with the operating system soon: it outlives the process mostly.
	Off
)

// Options say where a log is and how it is kept.
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
	// SegmentSize, in bytes, and SegmentAge are when a segment is closed.
	SegmentSize int64
	SegmentAge  time.Duration
	// KeepBytes and KeepAge bound what closed segments are kept; 0 is no bound.
	KeepBytes int64
	KeepAge   time.Duration
	// Now is the clock.
	Now func() time.Time
	// Told, when not nil, is called with what an operator should know.
	Told func(Happening)

	disk disk // of tests
}

// Happening is something that an operator should know of a log.
type Happening struct {
	// What is one of repaired, failing, recovered, lost, compressed, removed.
	What string
	// Detail says more, and Err why.
	Detail string
	Err    error
}

// maxBacklog is how many bytes of records wait for a disk at most.
const maxBacklog = 8 << 20

// Errors of Append.
var (
	// ErrSlow says that the disk did not take a record in time. It may take it
	// still.
	ErrSlow = errors.New("the decision log's disk is too slow")
	// ErrBacklog says that too much waits for the disk.
	ErrBacklog = errors.New("too many records wait for the decision log's disk")
	// ErrClosed says that the log was closed.
	ErrClosed = errors.New("the decision log is closed")
)

// Journal is a log that is open for writing. It is safe for concurrent use.
type Journal struct {
	o     Options
	disk  disk
	owner func() // gives the folder back

	mu      sync.Mutex
	filling *batch
	spare   *batch
	next    uint64
	prev    [sha256.Size]byte
	failure error // why the last batch failed, nil if it did not
	lost    int64 // decisions that were answered without a record
	closing bool
	stats   Stats

	wake    chan struct{}
	stop    chan struct{} // closed by Close
	done    chan struct{} // closed when all is written
	closed  chan segmentName // to be compressed
	segment *segment
	synced  time.Time
}

// Stats are numbers of a log, for metrics.
type Stats struct {
	// Records and Bytes were written by this process, Batches in so many writes.
	Records, Bytes, Batches uint64
	// Sequence is the last record's number.
	Sequence uint64
	// Failures counts batches that could not be written; Lost decisions that were
	// answered without a record.
	Failures, Lost uint64
	// Failing says that the last batch could not be written.
	Failing bool
	// Segments and KeptBytes are those on disk.
	Segments  int
	KeptBytes int64
	// Written is when the last record was written.
	Written time.Time
}

// batch is records that are written together.
type batch struct {
	buf   []byte
	count uint64
	first uint64            // number of the first record
	prev  [sha256.Size]byte // hash before it
	lost  int64             // what its note tells of
	done  chan struct{}
	once  sync.Once
	err   error
	late  *time.Timer
}

func (b *batch) finish(err error) {
	b.once.Do(func() {
		b.err = err
		close(b.done)
	})
}

// Append records a decision and returns when the record is as safe as
// Options.Durability says. An error means that it may not be recorded.
func (j *Journal) Append(e *rules.Event, d *rules.Decision) error {
	j.mu.Lock()
	if j.closing {
		j.mu.Unlock()
		return ErrClosed
	}
	if len(j.filling.buf) > maxBacklog {
		j.mu.Unlock()
		return ErrBacklog
	}
	b := j.filling
	j.note()
	from := j.begin(b)
	b.buf = appendRecord(b.buf, j.o.Instance, e, d)
	j.end(b, from)
	wait := j.o.Durability == Commit || j.failure != nil
	if wait && b.done == nil {
		b.done = make(chan struct{})
		b.late = time.AfterFunc(j.o.Patience, func() { b.finish(ErrSlow) })
	}
	j.mu.Unlock()
	select {
	case j.wake <- struct{}{}:
	default: // It is awake.
	}
	if !wait {
		return nil
	}
	<-b.done
	return b.err
}

// Lose notes that a decision was answered although it could not be recorded. It
// is recorded as soon as something can be.
func (j *Journal) Lose() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lost++
	j.stats.Lost++
}

// note adds a record about what was lost.
func (j *Journal) note() {
	if j.lost > 0 && j.filling.count == 0 {
		j.filling.lost = j.lost
		j.addNote(NoteLost, j.lost, "decisions were answered and could not be recorded")
	}
}

// addNote adds a record that the log makes of itself. The caller has the lock.
func (j *Journal) addNote(note string, count int64, message string) {
	b := j.filling
	from := j.begin(b)
	b.buf = append(b.buf, `"note":"`...)
	b.buf = append(b.buf, note...)
	b.buf = append(b.buf, `","count":`...)
	b.buf = strconv.AppendInt(b.buf, count, 10)
	b.buf = append(b.buf, `,"time":"`...)
	b.buf = j.o.Now().UTC().AppendFormat(b.buf, time.RFC3339Nano)
	b.buf = append(b.buf, `","instance":`...)
	b.buf = appendQuoted(b.buf, j.o.Instance)
	b.buf = append(b.buf, `,"message":`...)
	b.buf = appendQuoted(b.buf, message)
	b.buf = append(b.buf, '}')
	j.end(b, from)
}

// begin appends what every record begins with, and returns where that is.
func (j *Journal) begin(b *batch) int {
	if b.count == 0 {
		b.first, b.prev = j.next, j.prev
	}
	from := len(b.buf)
	b.buf = append(b.buf, `{"seq":`...)
	b.buf = strconv.AppendUint(b.buf, j.next, 10)
	b.buf = append(b.buf, `,"prev":"`...)
	b.buf = hex.AppendEncode(b.buf, j.prev[:])
	b.buf = append(b.buf, `",`...)
	return from
}

// end closes the record that began at from.
func (j *Journal) end(b *batch, from int) {
	j.prev = sha256.Sum256(b.buf[from:])
	b.buf = append(b.buf, '\n')
	b.count++
	j.next++
}

// Stats returns the log's numbers.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.stats
	s.Sequence, s.Failing = j.next-1, j.failure != nil
	return s
}

// Close writes what waits and gives the folder back.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closing {
		j.mu.Unlock()
		return ErrClosed
	}
	j.note()
	j.addNote(NoteClosed, 0, "the service has ended in order")
	j.closing = true
	j.mu.Unlock()
	close(j.stop)
	<-j.done
	j.owner()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failure != nil {
		return fmt.Errorf("closing the decision log: %w", j.failure)
	}
	return nil
}
