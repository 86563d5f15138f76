package policies

// Reload compiles the directory now and puts it in force if it is without
// mistakes; if not, nothing changes and the mistakes are returned and kept in
// the status. A set that is the same as the one in force is left alone.
func (l *Live) Reload() error {
	l.reload.Lock()
	defer l.reload.Unlock()
	return l.reloadFrom(l.folder(), l.Status().Number)
}

// Switch compiles another directory, which has the revision of the policy store
// with a number, and puts it in force if it is without mistakes; from then on it is
// the one that Reload and Watch read. If not, nothing changes, as with Reload.
func (l *Live) Switch(dir string, number uint64) error {
	l.reload.Lock()
	defer l.reload.Unlock()
	return l.reloadFrom(dir, number)
}

// Fail keeps in the status why what is to be in force cannot be had. The set in
// force stays, and the next Switch or Reload that succeeds forgets it.
func (l *Live) Fail(err error) {
	l.reload.Lock()
	defer l.reload.Unlock()
	l.failed(err)
}

// reloadFrom is called with the lock for reloads.
func (l *Live) reloadFrom(dir string, number uint64) error {
	snapshot, err := l.load(dir)
	if err != nil {
		l.failed(err)
		return err
	}
	l.mu.Lock()
	l.dir = dir
	l.mu.Unlock()
	if current := l.Status(); current.Err == nil && current.Number == number && current.Snapshot.Revision == snapshot.Revision {
		return nil
	}
	l.use(snapshot, number)
	return nil
}

// use puts a set in force.
func (l *Live) use(s *Snapshot, number uint64) {
	l.mu.Lock()
	l.snapshot.Store(s)
	l.status = Status{Snapshot: s, Number: number, Loaded: l.now()}
	status := l.status
	l.mu.Unlock()
	l.changed(status)
}

func (l *Live) folder() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dir
}
