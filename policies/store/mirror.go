package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// fetchTime is how long it may take to fetch a revision.
const fetchTime = 5 * time.Minute

// MirrorOptions say what a mirror is made of.
type MirrorOptions struct {
	// Dir is the cache: a folder that is made if need be, and that one process has
	// for itself.
	Dir string
	// Use puts a revision in force that is in a folder, which stays until Use was
	// called with another one and returned no error. An error means that the one
	// before stays in force.
	Use func(dir string, r Revision) error
	// Failed is told why the newest revision cannot be had, where it was not Use and
	// the engine answers.
	Failed func(err error)
}

// Mirror keeps the newest revision that can be used on local disk and in force. It
// is safe for concurrent use.
type Mirror struct {
	store *Store
	o     MirrorOptions
	cache *cache

	ctx  context.Context //nolint:containedctx // Of the goroutine that follows, until Close.
	stop context.CancelFunc
	done sync.WaitGroup

	working sync.Mutex // one revision at a time
	seen    place      // the newest that was tried; of working
	again   time.Time  // not before this is it tried again; zero if it need not be; of working

	mu     sync.Mutex // guards what follows
	status MirrorStatus
}

// MirrorStatus is what is in force and how sure that is.
type MirrorStatus struct {
	// Revision is in force; its number is 0 before Start.
	Revision Revision
	// Confirmed is when the engine was last heard to say which revision is the
	// newest, by the clock of the store's options; zero if it never was. It outlives
	// the process.
	Confirmed time.Time
	// Cached says that since the start the engine was not heard, and that Revision
	// is what the cache had.
	Cached bool
	// Err is why the newest revision is not in force; nil if it is, as far as known.
	Err error
}

// ErrNothing says that neither the engine nor the cache has a revision that can be
// used.
var ErrNothing = errors.New("no revision of the policies can be had")

// OpenMirror opens the cache of a mirror. Start must be called next, and Close at
// last.
func OpenMirror(ctx context.Context, s *Store, o MirrorOptions) (*Mirror, error) {
	c, err := openCache(ctx, o.Dir)
	if err != nil {
		return nil, fmt.Errorf("the cache of the policies %s: %w", o.Dir, err)
	}
	m := &Mirror{store: s, o: o, cache: c}
	m.ctx, m.stop = context.WithCancel(context.Background())
	return m, nil
}

// Start puts the newest revision in force. If the engine does not say in time which
// that is, or it cannot be used, the last good one of the cache takes its place, and
// Status tells why. If there is none either, the error says why and is ErrNothing.
func (m *Mirror) Start(ctx context.Context, wait time.Duration) error {
	m.working.Lock()
	defer m.working.Unlock()
	err := m.first(ctx, wait)
	if err == nil {
		return nil
	}
	kept, cacheErr := m.cache.current()
	if cacheErr == nil {
		cacheErr = m.o.Use(m.cache.path(kept.Folder), kept.Revision)
	}
	if cacheErr != nil {
		return fmt.Errorf("%w: %w; and in the cache: %w", ErrNothing, err, cacheErr)
	}
	m.mu.Lock()
	m.status.Revision, m.status.Cached, m.status.Err = kept.Revision, m.status.Confirmed.IsZero(), err
	if m.status.Cached {
		m.status.Confirmed = kept.Confirmed
	}
	m.mu.Unlock()
	if !errors.Is(err, ErrAway) {
		m.o.Failed(err)
	}
	return nil
}

// first asks for the newest revision until the engine answers, and uses it.
func (m *Mirror) first(ctx context.Context, wait time.Duration) error {
	asking, stop := context.WithTimeout(ctx, wait)
	defer stop()
	for {
		err := m.refresh(ctx, asking)
		if !errors.Is(err, ErrAway) {
			return err
		}
		select {
		case <-asking.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Follow puts each new revision in force, until Close. It returns at once.
func (m *Mirror) Follow() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx.Err() != nil {
		return
	}
	m.done.Go(func() {
		_ = m.store.look(m.ctx, func() { m.follow(m.ctx) }) // It ends with the context, or where the store is closed.
	})
}

// Refresh asks the engine now which revision is the newest, and puts it in force,
// also if that could not be done before.
func (m *Mirror) Refresh(ctx context.Context) error {
	m.working.Lock()
	defer m.working.Unlock()
	m.seen = place{}
	return m.refresh(ctx, ctx)
}

// Status returns what is in force and how sure that is.
func (m *Mirror) Status() MirrorStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.status
}

// Close ends following, and lets others have the cache.
func (m *Mirror) Close() error {
	m.mu.Lock()
	m.stop()
	m.mu.Unlock()
	m.done.Wait()
	m.working.Lock()
	defer m.working.Unlock()
	return errors.Join(m.cache.confirm(m.Status().Confirmed), m.cache.close())
}
