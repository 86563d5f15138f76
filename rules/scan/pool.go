package scan

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// Gate bounds how many files are with a scanner at once, and how many wait.
type Gate interface {
	// Enter waits for its turn and returns what gives it back; or says that too
	// many wait, or that ctx is done.
	Enter(ctx context.Context) (leave func(), err error)
	// Load returns how many are in, and how many wait.
	Load() (busy, waiting int)
}

// Times of a pool.
const (
	// memoryLife is how long an answer is remembered. Signatures of the site's
	// own do not show in the version that a scanner tells.
	memoryLife = 10 * time.Minute
	// statusLife is how long a scanner's signatures are taken for the same.
	statusLife = 10 * time.Second
	// statusTime is how long a scanner may take to say how it is.
	statusTime = 2 * time.Second
)

// PoolOptions say how a scanner is used.
type PoolOptions struct {
	// Name is what the configuration calls the scanner.
	Name string
	// Gate bounds the files that are with the scanner.
	Gate Gate
	// Remember is how many answers are remembered; 0 is none.
	Remember int
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Random returns numbers from 0 to 1; nil is math/rand's.
	Random func() float64
}

// Pool is a scanner as the service uses it: with a bound on the files that are
// with it at once, left alone for a while when it fails, and asked only once
// about the same state of a file. It is safe for concurrent use.
type Pool struct {
	name    string
	scanner Scanner
	gate    Gate
	breaker *breaker
	memory  *memory
	now     func() time.Time

	mu     sync.Mutex
	counts Counts
	status Status
	asked  time.Time // when status was asked for
	asking bool

	first sync.Once
	told  chan struct{} // closed when the first question has been answered
}

// NewPool returns a pool around a scanner.
func NewPool(s Scanner, o PoolOptions) *Pool {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	return &Pool{
		name: o.Name, scanner: s, gate: o.Gate, now: o.Now, told: make(chan struct{}),
		breaker: &breaker{now: o.Now, random: o.Random}, memory: newMemory(o.Remember, memoryLife, o.Now),
	}
}

// Name returns what the configuration calls the scanner.
func (p *Pool) Name() string { return p.name }

// Status asks the scanner how it is, also while it is left alone.
func (p *Pool) Status(ctx context.Context) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	status, err := p.scanner.Status(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.first.Do(func() { close(p.told) })
	p.asked = p.now()
	if err == nil {
		p.status = status
	}
	return status, err
}

// Begin takes a file on. Where the answer is known, or becomes known while
// somebody else has the same file scanned, known is it and job is nil. The error
// is ErrDown, or that of the gate or of ctx.
func (p *Pool) Begin(ctx context.Context, f File) (job *Job, known *Answer, err error) {
	for {
		var wait <-chan struct{}
		job, known, wait = p.look(ctx, f)
		if wait == nil {
			break
		}
		select {
		case <-wait: // It may have come to nothing.
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
	if known != nil {
		p.count(func(c *Counts) { c.Remembered++ })
		return nil, known, nil
	}
	if err := p.admit(ctx, job); err != nil {
		job.Close()
		p.refused(err)
		return nil, nil, err
	}
	return job, nil, nil
}

// TryBegin takes a file on if that can be done at once, and otherwise returns
// nil. Whoever holds one pool's job and wants another's must not wait for it:
// two such could wait for each other.
func (p *Pool) TryBegin(ctx context.Context, f File) *Job {
	if p.breaker.down() {
		return nil
	}
	job, _, _ := p.look(ctx, f)
	if job == nil {
		return nil
	}
	now, cancel := context.WithCancel(ctx)
	cancel() // The gate lets in whom it need not let wait.
	leave, err := p.gate.Enter(now)
	if err != nil {
		job.Close()
		return nil
	}
	job.entered(leave)
	return job
}

// look asks the memory about a file.
func (p *Pool) look(ctx context.Context, f File) (job *Job, known *Answer, wait <-chan struct{}) {
	job = &Job{pool: p, begun: p.now()}
	version, told := p.signatures(ctx)
	if !told || !f.settled(job.begun) {
		return job, nil, nil
	}
	known, wait, job.done = p.memory.ask(question{f, version})
	if job.done == nil {
		return nil, known, wait
	}
	return job, nil, nil
}

// admit lets a job through the breaker and the gate.
func (p *Pool) admit(ctx context.Context, job *Job) error {
	if err := p.allow(ctx); err != nil {
		return err
	}
	leave, err := p.gate.Enter(ctx)
	if err != nil {
		return err
	}
	job.entered(leave)
	return p.allow(ctx) // It may have failed while this one waited.
}

// allow asks the breaker, and the scanner itself if it has rested.
func (p *Pool) allow(ctx context.Context) error {
	probe, err := p.breaker.allow()
	if !probe {
		return err
	}
	_, err = p.Status(ctx)
	if errors.Is(ctx.Err(), context.Canceled) { // Nobody waited for the answer.
		p.breaker.probed(context.Canceled)
		return context.Cause(ctx)
	}
	p.breaker.probed(err)
	if err != nil {
		return errors.Join(ErrDown, err)
	}
	return nil
}

// signatures returns the version of the scanner's signatures, as it was not long
// ago. One caller at a time asks the scanner, and the others take what is known:
// where that is nothing yet, they wait for the answer, because otherwise the first
// events about one file would have it scanned by each.
func (p *Pool) signatures(ctx context.Context) (version string, told bool) {
	p.mu.Lock()
	old := p.asked.IsZero() || p.now().Sub(p.asked) >= statusLife
	others := p.asking
	mine := old && !others && !p.breaker.down()
	p.asking = others || mine
	p.mu.Unlock()
	switch {
	case mine:
		_, _ = p.Status(ctx) // A scanner that does not tell is still asked about the file.
	case others:
		select {
		case <-p.told:
		case <-ctx.Done():
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if mine {
		p.asking = false
	}
	return p.status.Signatures, p.status.Engine != ""
}
