package validator

import (
	"container/list"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
	"time"
)

// digest stands for a name, a hash and a password.
type digest [sha256.Size]byte

// digests makes digests by HMAC with a key that the process never shows.
type digests struct{ pool sync.Pool }

// digester is what one digest is made with.
type digester struct {
	mac  hash.Hash
	text []byte
}

func newDigests() *digests {
	key := make([]byte, sha256.Size)
	rand.Read(key) // It never fails: the process ends instead.
	return &digests{pool: sync.Pool{New: func() any { return &digester{mac: hmac.New(sha256.New, key)} }}}
}

// of returns the digest of parts; their lengths count.
func (d *digests) of(parts ...string) (sum digest) {
	with := d.pool.Get().(*digester)
	defer d.pool.Put(with)
	with.mac.Reset()
	with.text = with.text[:0]
	for _, part := range parts {
		with.text = binary.AppendUvarint(with.text, uint64(len(part)))
		with.text = append(with.text, part...)
	}
	with.mac.Write(with.text) // A hash.Hash returns none.
	clear(with.text)          // A password was in it.
	with.mac.Sum(sum[:0])
	return sum
}

// remembered is the digests of passwords that were right not long ago.
type remembered struct {
	mu sync.Mutex
	// order has elements of rememberedOne, in the order in which they end.
	order *list.List
	byKey map[digest]*list.Element
}

type rememberedOne struct {
	key   digest
	until time.Time
}

func newRemembered() *remembered {
	return &remembered{order: list.New(), byKey: map[digest]*list.Element{}}
}

// has reports whether a password is remembered.
func (r *remembered) has(key digest, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	element := r.byKey[key]
	return element != nil && now.Before(element.Value.(*rememberedOne).until)
}

// add remembers a password. What has ended goes, and the oldest if there are too
// many.
func (r *remembered) add(key digest, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if element := r.byKey[key]; element != nil {
		r.remove(element)
	}
	for oldest := r.order.Front(); oldest != nil; oldest = r.order.Front() {
		if now.Before(oldest.Value.(*rememberedOne).until) && r.order.Len() < maxRemembered {
			break
		}
		r.remove(oldest)
	}
	r.byKey[key] = r.order.PushBack(&rememberedOne{key, now.Add(rememberedLife)})
}

func (r *remembered) remove(element *list.Element) {
	r.order.Remove(element)
	delete(r.byKey, element.Value.(*rememberedOne).key)
}

// flights are the verifications that are under way. There are as many as
// requests that lead one, and those wait in the queue of hashing.
type flights struct {
	mu        sync.Mutex
	byKey     map[digest]*flight
	followers int
}

// flight is one verification. right and err are read after landed is closed.
type flight struct {
	who    caller
	landed chan struct{}
	right  bool
	err    error
}

func newFlights() *flights { return &flights{byKey: map[digest]*flight{}} }

// join returns the flight of a key, and whether the caller leads it and must land
// it; who does not must leave. The error is ErrBusy.
func (f *flights) join(key digest, who caller) (_ *flight, leads bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if under := f.byKey[key]; under != nil {
		if f.followers >= maxFollowers {
			return nil, false, ErrBusy
		}
		f.followers++
		return under, false, nil
	}
	begun := &flight{who: who, landed: make(chan struct{})}
	f.byKey[key] = begun
	return begun, true, nil
}

// leave is called by who has waited.
func (f *flights) leave() {
	f.mu.Lock()
	f.followers--
	f.mu.Unlock()
}

// land tells the result to those who wait.
func (f *flights) land(key digest, flight *flight, right bool, err error) {
	f.mu.Lock()
	delete(f.byKey, key)
	f.mu.Unlock()
	flight.right, flight.err = right, err
	close(flight.landed)
}

// wait returns when the result is there, or with the error of ctx.
func (f *flight) wait(ctx context.Context) error {
	select {
	case <-f.landed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
