package scan

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Descriptors is implemented by scanners that can be given an open file.
type Descriptors interface {
	// TakesDescriptor reports whether a file of size bytes can be given.
	TakesDescriptor(size int64) bool
	// ScanDescriptor gives one. control calls a function with its descriptor.
	ScanDescriptor(ctx context.Context, size int64, control func(f func(fd uintptr)) error) (Answer, error)
}

// TakesDescriptor reports whether the pool's scanner can be given an open file of
// size bytes instead of its bytes.
func (p *Pool) TakesDescriptor(size int64) bool {
	d, ok := p.scanner.(Descriptors)
	return ok && d.TakesDescriptor(size)
}

// Job is one file that a pool has taken on. Either Open begins it, Write gives
// it the file and Finish ends it; or Descriptor does it all. Close must be
// called. One goroutine at a time uses a job.
type Job struct {
	pool    *Pool
	begun   time.Time
	session Session
	answer  *Answer
	asked   bool
	err     error
	keep    bool
	done    func(*Answer) // of the memory; nil where nothing is to be remembered
	leave   func()        // of the gate; nil before
	stop    func() bool
	once    sync.Once
}

func (j *Job) entered(leave func()) { j.leave = leave }

// Open begins to scan. When ctx is done the job's place is given away, whether
// or not it is closed.
func (j *Job) Open(ctx context.Context, name string, size int64) error {
	j.asked = true
	j.session, j.err = j.pool.scanner.Open(ctx, name, size)
	if j.err == nil {
		j.stop = context.AfterFunc(ctx, func() { j.release(nil) })
	}
	return j.err
}

// Write gives the next piece of the file. The error is ErrAnswered if Finish
// knows the answer already.
func (j *Job) Write(p []byte) (int, error) {
	n, err := j.session.Write(p)
	if err != nil && !errors.Is(err, ErrAnswered) {
		j.err = err
	}
	return n, err
}

// Finish says that the file has ended, and returns the scanner's answer. Where it
// has a signature, the error is nil.
func (j *Job) Finish(ctx context.Context) (Answer, error) {
	if j.err != nil {
		return Answer{}, j.err
	}
	answer, err := j.session.Finish(ctx)
	j.err = err
	j.answer = &answer
	return answer, err
}

// Descriptor gives the scanner the open file.
func (j *Job) Descriptor(ctx context.Context, size int64, control func(f func(fd uintptr)) error) (Answer, error) {
	d, ok := j.pool.scanner.(Descriptors)
	if !ok {
		return Answer{}, errors.ErrUnsupported
	}
	j.asked = true
	answer, err := d.ScanDescriptor(ctx, size, control)
	j.err = err
	j.answer = &answer
	return answer, err
}

// Remember lets the answer stand for the same state of the file from now on. It
// is to be called when the file is known not to have changed meanwhile. Only an
// answer about all of the file, or one with a signature, is remembered.
func (j *Job) Remember(size int64) {
	j.keep = j.err == nil && j.answer != nil && (j.answer.Signature != "" || j.answer.Inspected >= size)
}

// Close ends the job.
func (j *Job) Close() {
	if j.stop != nil {
		j.stop()
	}
	if j.session != nil {
		j.session.Close()
	}
	if j.asked {
		j.pool.note(j)
		j.asked = false
	}
	if j.keep {
		j.release(j.answer)
	}
	j.release(nil)
}

// release gives the job's place away and tells who waits for its answer.
func (j *Job) release(a *Answer) {
	j.once.Do(func() {
		if j.done != nil {
			j.done(a)
		}
		if j.leave != nil {
			j.leave()
		}
	})
}
