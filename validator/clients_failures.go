package validator

import (
	"container/list"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// caller is a name at an address.
type caller struct {
	name    string
	address netip.Addr
}

// callerOf returns whom a failure is counted for. An IPv6 address stands for its
// /64, which is what one host is given.
func callerOf(name, address string) caller {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		with, _ := netip.ParseAddrPort(address) // What is none stays the zero address.
		addr = with.Addr()
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		prefix, _ := addr.Prefix(64) // It is not longer than the address.
		addr = prefix.Addr()
	}
	return caller{name: name, address: addr}
}

// outcome is what became of a password that was looked at.
type outcome int

const (
	undecided outcome = iota
	succeeded
	failed
)

// failures count wrong passwords and refuse who has sent too many.
type failures struct {
	mu        sync.Mutex
	pairs     *tally[caller]
	addresses *tally[netip.Addr]
}

func newFailures(perPair, perAddress int) *failures {
	return &failures{pairs: newTally[caller](perPair), addresses: newTally[netip.Addr](perAddress)}
}

// refuse returns a *TooManyFailures if a caller has failed too often.
func (f *failures) refuse(who caller, now time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return tooMany(max(f.pairs.shut(who, now), f.addresses.shut(who.address, now)))
}

// reserve counts a password that will be looked at as if it were wrong already,
// until it is settled. It returns a *TooManyFailures if that is one too many.
func (f *failures) reserve(who caller, now time.Time) error {
	who.name = strings.Clone(who.name) // It may be a part of a whole header.
	f.mu.Lock()
	defer f.mu.Unlock()
	if wait := max(f.pairs.full(who, now), f.addresses.full(who.address, now)); wait > 0 {
		return tooMany(wait)
	}
	f.pairs.of(who).pending++
	f.addresses.of(who.address).pending++
	return nil
}

// settle tells what became of what was reserved.
func (f *failures) settle(who caller, result outcome, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pairs.settle(who, result == failed, now)
	f.addresses.settle(who.address, result == failed, now)
	if result == succeeded {
		f.pairs.forgive(who)
	}
}

// fail counts a wrong password that nothing was reserved for.
func (f *failures) fail(who caller, now time.Time) {
	who.name = strings.Clone(who.name)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pairs.fail(who, now)
	f.addresses.fail(who.address, now)
}

// forgive forgets the failures of a name at an address, not those of the
// address: else a guesser could use a password of its own in between.
func (f *failures) forgive(who caller) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pairs.forgive(who)
}

func tooMany(wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	return &TooManyFailures{RetryAfter: wait}
}

// tally counts failures by a key, of so many keys that the oldest go.
type tally[K comparable] struct {
	limit int
	byKey map[K]*list.Element
	// order has elements of *count[K], the one that failed last at the back.
	order *list.List
}

// count is the failures of a key. The first of them, and each from the limit on,
// makes them last for a window.
type count[K comparable] struct {
	key             K
	failed, pending int
	until           time.Time
}

func newTally[K comparable](limit int) *tally[K] {
	return &tally[K]{limit: limit, byKey: map[K]*list.Element{}, order: list.New()}
}

// shut returns how long a key is refused for.
func (t *tally[K]) shut(key K, now time.Time) time.Duration {
	element := t.byKey[key]
	if element == nil {
		return 0
	}
	c := element.Value.(*count[K])
	c.expire(now)
	if c.failed < t.limit {
		return 0
	}
	return c.until.Sub(now)
}

// full is shut, for who looks at a password more. While those that are looked at
// could shut the key, it is worth asking again soon.
func (t *tally[K]) full(key K, now time.Time) time.Duration {
	if wait := t.shut(key, now); wait > 0 {
		return wait
	}
	if element := t.byKey[key]; element != nil {
		if c := element.Value.(*count[K]); c.failed+c.pending >= t.limit {
			return time.Second
		}
	}
	return 0
}

// of returns the count of a key, a new one if there is none.
func (t *tally[K]) of(key K) *count[K] {
	if element := t.byKey[key]; element != nil {
		t.order.MoveToBack(element)
		return element.Value.(*count[K])
	}
	if t.order.Len() >= maxFailures {
		t.remove(t.order.Front())
	}
	c := &count[K]{key: key}
	t.byKey[key] = t.order.PushBack(c)
	return c
}

// settle ends what is pending, and counts it if it is a failure.
func (t *tally[K]) settle(key K, isFailure bool, now time.Time) {
	if element := t.byKey[key]; element != nil {
		c := element.Value.(*count[K])
		c.pending = max(0, c.pending-1) // It went and came back if there were too many.
		c.expire(now)
		t.drop(element)
	}
	if isFailure {
		t.fail(key, now)
	}
}

// fail counts a failure.
func (t *tally[K]) fail(key K, now time.Time) {
	c := t.of(key)
	c.expire(now)
	c.failed++
	if c.failed == 1 || c.failed >= t.limit {
		c.until = now.Add(failureWindow)
	}
}

// forgive forgets the failures of a key.
func (t *tally[K]) forgive(key K) {
	if element := t.byKey[key]; element != nil {
		element.Value.(*count[K]).failed = 0
		t.drop(element)
	}
}

// drop removes a count that says nothing.
func (t *tally[K]) drop(element *list.Element) {
	if c := element.Value.(*count[K]); c.failed == 0 && c.pending == 0 {
		t.remove(element)
	}
}

func (t *tally[K]) remove(element *list.Element) {
	t.order.Remove(element)
	delete(t.byKey, element.Value.(*count[K]).key)
}

// expire forgets failures that are a window old.
func (c *count[K]) expire(now time.Time) {
	if c.failed > 0 && !now.Before(c.until) {
		c.failed = 0
	}
}
