package validator

import (
	"context"
	"fmt"
	"runtime"

	"golang.org/x/sync/semaphore"
)

// hashingMemory is what the hashes at work may hold together, in KiB. The garbage
// of those before them comes on top, until it is collected.
const hashingMemory = 2 << 20

// hashing bounds the work of verifying passwords.
type hashing struct {
	with    Hashers
	threads int64
	// places are of those that hash or wait, lanes of threads, memory in KiB.
	places, lanes, memory *semaphore.Weighted
}

// newHashing returns bounds of as many threads as Go may use at once, and of so
// many that wait.
func newHashing(with Hashers, queue int) *hashing {
	threads := int64(runtime.GOMAXPROCS(0))
	return &hashing{
		with: with.orReal(), threads: threads,
		places: semaphore.NewWeighted(threads + int64(queue)),
		lanes:  semaphore.NewWeighted(threads), memory: semaphore.NewWeighted(hashingMemory),
	}
}

// matches reports whether a hash is of this password, when it is its turn. The
// error is ErrBusy, or that of ctx before hashing began: then it is carried out.
func (h *hashing) matches(ctx context.Context, hash *passwordHash, password string) (bool, error) {
	if !h.places.TryAcquire(1) {
		return false, ErrBusy
	}
	defer h.places.Release(1)
	// Memory comes first: who waits for it should not hold a thread.
	memory, lanes := min(int64(hash.memory), hashingMemory), max(1, min(int64(hash.lanes), h.threads))
	if err := h.memory.Acquire(ctx, memory); err != nil {
		return false, fmt.Errorf("waiting to hash a password: %w", err)
	}
	defer h.memory.Release(memory)
	if err := h.lanes.Acquire(ctx, lanes); err != nil {
		return false, fmt.Errorf("waiting to hash a password: %w", err)
	}
	defer h.lanes.Release(lanes)
	return hash.matches(h.with, password), nil
}
