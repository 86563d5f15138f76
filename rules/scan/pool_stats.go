package scan

import (
	"context"
	"errors"
	"time"
)

// Counts are what has become of the files that a pool was asked about.
type Counts struct {
	// Clean, Bad and Part are files that the scanner looked at: all of them and
	// found nothing, found something, or did not take all.
	Clean, Bad, Part uint64
	// Failed are files that the scanner did not answer about, TimedOut those for
	// which time ran out, and GivenUp those that were not asked to the end.
	Failed, TimedOut, GivenUp uint64
	// Down are files that were not scanned because the scanner is left alone, and
	// Busy those for which there was no room.
	Down, Busy uint64
	// Remembered are files about which the scanner needed not be asked again.
	Remembered uint64
	// Took is the sum of the times that files were with the scanner.
	Took time.Duration
}

// Scanned returns how many files were with the scanner.
func (c Counts) Scanned() uint64 {
	return c.Clean + c.Bad + c.Part + c.Failed + c.TimedOut + c.GivenUp
}

// Stats is a pool at one moment.
type Stats struct {
	Counts
	// Working files are with the scanner, and Waiting ones wait for that.
	Working, Waiting int
	// Resting says that the scanner failed and is left alone.
	Resting bool
	// Answers is how many answers are remembered.
	Answers int
	// Status is what the scanner said of itself last, and Asked when it was asked
	// last; the zero time is never.
	Status Status
	Asked  time.Time
}

// Stats returns the pool's numbers.
func (p *Pool) Stats() Stats {
	s := Stats{Resting: p.breaker.down(), Answers: p.memory.size()}
	s.Working, s.Waiting = p.gate.Load()
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Counts, s.Status, s.Asked = p.counts, p.status, p.asked
	return s
}

func (p *Pool) count(add func(*Counts)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	add(&p.counts)
}

// refused counts a file that never reached the scanner.
func (p *Pool) refused(err error) {
	p.count(func(c *Counts) {
		switch {
		case errors.Is(err, ErrDown):
			c.Down++
		case errors.Is(err, context.DeadlineExceeded):
			c.TimedOut++
		case errors.Is(err, context.Canceled):
			c.GivenUp++
		default:
			c.Busy++
		}
	})
}

// note takes what came of a job that reached the scanner.
func (p *Pool) note(j *Job) {
	answered := j.answer != nil && j.err == nil
	if answered || j.err != nil {
		p.breaker.note(j.err)
	}
	p.count(func(c *Counts) {
		c.Took += p.now().Sub(j.begun)
		switch {
		case answered && j.answer.Signature != "":
			c.Bad++
		case answered:
			c.Clean++
		case errors.Is(j.err, ErrLimit):
			c.Part++
		case errors.Is(j.err, context.DeadlineExceeded):
			c.TimedOut++
		case j.err == nil, errors.Is(j.err, context.Canceled):
			c.GivenUp++
		default:
			c.Failed++
		}
	})
}
