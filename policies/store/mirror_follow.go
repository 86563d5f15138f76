package store

import (
	"context"
	"errors"
	"time"
)

// tryAgain is after which time a revision is fetched again that could not be had. One
// that could not be used is not used again: it never changes.
const tryAgain = 10 * time.Second

// confirmEvery is how often the cache is told that its revision is still the newest.
const confirmEvery = time.Minute

// unusable is an error of MirrorOptions.Use.
type unusable struct{ error }

// Unwrap returns the error.
func (u unusable) Unwrap() error { return u.error }

// follow looks whether there is a new revision, and uses it.
func (m *Mirror) follow(ctx context.Context) {
	m.working.Lock()
	defer m.working.Unlock()
	_ = m.refresh(ctx, ctx) // Kept in the status.
}

// refresh asks the engine for the newest revision, with the context asking, and uses
// it if it is not in force. The lock for working is held.
func (m *Mirror) refresh(ctx, asking context.Context) error {
	newest, err := m.store.newest(asking)
	if errors.Is(err, ErrAway) {
		return err
	}
	now := m.store.o.Now()
	if err == nil {
		m.confirmed(now)
		if newest == m.seen && (m.again.IsZero() || now.Before(m.again)) {
			return m.Status().Err
		}
		err = m.get(ctx)
	}
	if errors.Is(err, ErrAway) { // While it was fetched.
		return err
	}
	m.seen, m.again = newest, time.Time{}
	var bad unusable
	if err != nil && !errors.As(err, &bad) {
		m.again = now.Add(tryAgain)
		if m.Status().Revision.Number != 0 {
			m.o.Failed(err)
		}
	}
	m.mu.Lock()
	m.status.Err = err
	m.mu.Unlock()
	return err
}

// confirmed notes that the engine said which revision is the newest.
func (m *Mirror) confirmed(now time.Time) {
	m.mu.Lock()
	m.status.Confirmed, m.status.Cached = now, false
	m.mu.Unlock()
	if now.Sub(m.cache.written) >= confirmEvery {
		_ = m.cache.confirm(now) // The next time it is younger still.
	}
}

// get fetches the newest revision and uses it.
func (m *Mirror) get(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, fetchTime)
	defer stop()
	r, err := m.store.Head(ctx)
	if err != nil {
		return err
	}
	folder, err := m.fetch(ctx, r)
	if err != nil {
		return err
	}
	if err := m.o.Use(m.cache.path(folder), r); err != nil {
		return unusable{err}
	}
	m.mu.Lock()
	m.status.Revision = r
	m.mu.Unlock()
	return m.cache.use(folder, r, m.Status().Confirmed)
}

// fetch has the files of a revision in the cache, and returns their folder. What the
// cache has of it is not fetched again.
func (m *Mirror) fetch(ctx context.Context, r Revision) (string, error) {
	folder, err := folderOf(&r)
	if err != nil {
		return "", err
	}
	if verify(m.cache.root, folder, &r) == nil {
		return folder, nil
	}
	if err := m.cache.root.RemoveAll(folder); err != nil {
		return "", err
	}
	var have *earlier
	if m.cache.now != nil {
		have = newEarlier(m.cache.now.Folder, &m.cache.now.Revision)
	}
	if err := m.cache.prune(folder); err != nil {
		return "", err
	}
	return folder, m.store.fetch(ctx, r, m.cache.path(folder), have)
}
