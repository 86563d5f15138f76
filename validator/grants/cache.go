package grants

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sluiceproject/sluice/rules"
)

// cache holds what was verified. What was asked for since the hand last passed
// stays: readers mark it and share a lock, as they do for each file of a transfer.
type cache struct {
	maxEntries, maxBytes int

	mu    sync.RWMutex
	known map[string]*entry
	ring  []*entry
	hand  int
	bytes int
}

type entry struct {
	text  string
	grant *rules.Grant
	used  atomic.Bool
}

func newCache(maxEntries, maxBytes int) *cache {
	return &cache{maxEntries: maxEntries, maxBytes: maxBytes, known: map[string]*entry{}}
}

// get returns nil for what is not there.
func (c *cache) get(text string) *rules.Grant {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e := c.known[text]
	if e == nil {
		return nil
	}
	if !e.used.Load() { // Writing it each time would take it from the other cores.
		e.used.Store(true)
	}
	return e.grant
}

// put copies the text, which may be a small part of a large body.
func (c *cache) put(text string, g *rules.Grant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known[text] != nil || len(text) > c.maxBytes {
		return
	}
	for len(c.ring) >= c.maxEntries || c.bytes+len(text) > c.maxBytes {
		c.evict()
	}
	e := &entry{text: strings.Clone(text), grant: g}
	c.known[e.text] = e
	c.ring = append(c.ring, e)
	c.bytes += len(e.text)
}

// evict moves the hand to the next entry that was not asked for, puts the newest
// one into its place, and goes on behind it.
func (c *cache) evict() {
	for {
		c.hand %= len(c.ring)
		e := c.ring[c.hand]
		if !e.used.Swap(false) {
			break
		}
		c.hand++
	}
	e, last := c.ring[c.hand], len(c.ring)-1
	c.ring[c.hand], c.ring[last] = c.ring[last], nil
	c.ring = c.ring[:last]
	c.hand++
	c.bytes -= len(e.text)
	delete(c.known, e.text)
}
