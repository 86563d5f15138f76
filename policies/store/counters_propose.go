package store

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sluiceproject/sluice/policies/store/tally"
)

// proposeTime is how long one message may take before the next one is tried, if the
// budget is not longer.
const proposeTime = 250 * time.Millisecond

// flight is the one batch that is on its way.
type flight struct {
	id     tally.Key
	list   []*proposal
	landed chan struct{} // Closed when it was counted.
}

// propose sends what waits, one batch after the other.
func (c *Counters) propose(ctx context.Context) {
	var list []*proposal
	var batch tally.Batch
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-c.proposals:
			list = c.gather(list[:0], first)
		}
		if len(list) > 0 {
			c.send(ctx, list, &batch)
		}
		clear(list) // Whoever has gone is not kept in memory.
	}
}

// gather returns what waits, without those who have given up: what is not sent does
// not count.
func (c *Counters) gather(list []*proposal, p *proposal) []*proposal {
	for {
		if p.ctx.Err() == nil {
			list = append(list, p)
		}
		if len(list) == tally.MaxEntries {
			return list
		}
		select {
		case p = <-c.proposals:
		default:
			return list
		}
	}
}

// send appends a batch to the stream and waits until it comes back. Whoever has no
// answer then gets an error.
func (c *Counters) send(ctx context.Context, list []*proposal, batch *tally.Batch) {
	ctx, stop := context.WithTimeout(ctx, max(proposeTime, c.budget))
	defer stop()
	batch.ID, batch.Entries = c.nextID(), batch.Entries[:0]
	for _, p := range list {
		batch.Entries = append(batch.Entries, p.entry)
	}
	f := &flight{id: batch.ID, list: list, landed: make(chan struct{})}
	c.board(f)
	ack, err := c.s.js.Publish(ctx, c.s.subject("counts"), batch.Append(nil),
		jetstream.WithMsgTTL(lifeOf(batch.Window())), jetstream.WithRetryAttempts(0))
	if err == nil {
		select {
		case <-f.landed:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	c.board(nil)
	if err == nil {
		return
	}
	for _, p := range list {
		p.tell(answer{err: err}) // Unless it was counted and only the acknowledgement was lost.
	}
	if ack != nil && ctx.Err() != nil {
		c.lookAgain()
	}
}

// board says which batch is on its way.
func (c *Counters) board(f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flight = f
}

// lookAgain has the stream looked at anew: it took something that does not come back.
func (c *Counters) lookAgain() {
	select {
	case c.again <- struct{}{}:
	default:
	}
}

// lifeOf is how long a message is needed, in whole seconds: a restart must find what
// is still to be counted, also where clocks differ.
func lifeOf(window time.Duration) time.Duration {
	return (window + time.Hour).Truncate(time.Second)
}
