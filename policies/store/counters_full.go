package store

import (
	"context"
	"time"

	"github.com/sluiceproject/sluice/policies/store/tally"
	"github.com/sluiceproject/sluice/rules"
)

// fullRest is how often it is looked whether what the stream has was counted here.
const fullRest = 500 * time.Microsecond

// full answers an entry for which there is no room, once everything was counted that
// is in the stream at the moment. Such an entry is not appended: read again when what
// stood in its way is over, it would count. And whoever keeps asking writes nothing.
func (c *Counters) full(ctx context.Context, e *tally.Entry) (counted rules.Counted, full bool, err error) {
	if _, full := c.refuses(e, 0); !full {
		return counted, false, nil
	}
	stream, err := c.s.js.Stream(ctx, c.s.named("counts"))
	if err != nil {
		return counted, false, err
	}
	last := stream.CachedInfo().State.LastSeq
	tick := time.NewTicker(fullRest)
	defer tick.Stop()
	for !c.has(last) {
		select {
		case <-ctx.Done():
			return counted, false, context.Cause(ctx)
		case <-tick.C:
		}
	}
	counted, full = c.refuses(e, last)
	return counted, full, nil
}

// has reports whether the stream was counted up to a message.
func (c *Counters) has(last uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats.Applied >= last
}

// refuses reports whether there is no room for an entry, by what was counted here up
// to a message at least.
func (c *Counters) refuses(e *tally.Entry, last uint64) (counted rules.Counted, refuses bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stats.Applied < last { // The stream was begun anew.
		return rules.Counted{}, false
	}
	counted, err := c.tally.Would(c.s.o.Now(), e)
	return counted, err == nil && !counted.Allowed
}
