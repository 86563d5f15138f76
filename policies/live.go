package policies

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// Status is what is in force and how the last reload went.
type Status struct {
	// Snapshot is the set in force.
	Snapshot *Snapshot
	// Loaded is when it came into force.
	Loaded time.Time
	// Err is why the last reload changed nothing, nil if it succeeded.
	Err error
	// Failed is when Err happened first.
	Failed time.Time
}

// Live keeps the policy set of a directory in force. Decide is safe for
// concurrent use with Reload and Watch, and never waits for them.
type Live struct {
	dir      string
	options  Options
	now      func() time.Time
	changed  func(Status)
	snapshot atomic.Pointer[Snapshot]

	reload sync.Mutex // one reload at a time
	mu     sync.Mutex // guards what follows
	status Status
	seen   string // signature of the directory as last compiled
}

// Open loads the set of a directory. changed is called after every reload that
// did something or failed anew, and may be nil. The error is document.Faults if
// the set has mistakes.
func Open(dir string, o Options, now func() time.Time, changed func(Status)) (*Live, error) {
	l := &Live{dir: dir, options: o, now: now, changed: changed}
	if l.changed == nil {
		l.changed = func(Status) {}
	}
	snapshot, err := l.load()
	if err != nil {
		return nil, err
	}
	l.use(snapshot)
	return l, nil
}

// CheckDir compiles the set of a directory once. Faults name files by their
// path from where the caller stands.
func CheckDir(dir string, o Options) (*Snapshot, error) {
	l := &Live{dir: dir, options: o}
	return l.load()
}

// Decide answers an event by the set in force.
func (l *Live) Decide(ctx context.Context, e *rules.Event) rules.Decision {
	return l.snapshot.Load().Decide(ctx, e)
}

// Status returns what is in force and how the last reload went.
func (l *Live) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

// Reload compiles the directory now and puts it in force if it is without
// mistakes; if not, nothing changes and the mistakes are returned and kept in
// the status. A set that is the same as the one in force is left alone.
func (l *Live) Reload() error {
	l.reload.Lock()
	defer l.reload.Unlock()
	snapshot, err := l.load()
	if err != nil {
		l.failed(err)
		return err
	}
	if current := l.Status(); current.Err == nil && current.Snapshot.Revision == snapshot.Revision {
		return nil
	}
	l.use(snapshot)
	return nil
}

func (l *Live) use(s *Snapshot) {
	l.mu.Lock()
	l.snapshot.Store(s)
	l.status = Status{Snapshot: s, Loaded: l.now()}
	status := l.status
	l.mu.Unlock()
	l.changed(status)
}

func (l *Live) failed(err error) {
	l.mu.Lock()
	again := l.status.Err != nil && l.status.Err.Error() == err.Error()
	l.status.Err = err
	if !again {
		l.status.Failed = l.now()
	}
	status := l.status
	l.mu.Unlock()
	if !again {
		l.changed(status)
	}
}

// attempts is how often a directory that changes while it is read is read anew.
const attempts = 5

// errUnsteady says that the directory kept changing while it was read.
var errUnsteady = errors.New("the folder keeps changing while it is read; try again when it is at rest")

// load compiles the directory as it was at one moment: if anything in it
// changed meanwhile, what was read is thrown away.
func (l *Live) load() (*Snapshot, error) {
	options := l.options
	options.Previous = l.snapshot.Load()
	for range attempts {
		before, err := l.signature()
		if err != nil {
			return nil, err
		}
		snapshot, compileErr := l.compile(options)
		after, err := l.signature()
		if err != nil {
			return nil, err
		}
		if before == after {
			l.saw(after)
			return snapshot, compileErr
		}
	}
	return nil, document.Faults{{File: l.dir, Message: errUnsteady.Error()}}
}

// compile opens the directory as a root, out of which no link leads.
func (l *Live) compile(o Options) (*Snapshot, error) {
	root, err := os.OpenRoot(l.dir)
	if err != nil {
		return nil, l.unreadable(err)
	}
	defer root.Close() //nolint:errcheck // It was only read.
	snapshot, err := Compile(root.FS(), o)
	var faults document.Faults
	if errors.As(err, &faults) {
		for i := range faults {
			faults[i].File = filepath.Join(l.dir, faults[i].File)
		}
	}
	return snapshot, err
}

func (l *Live) unreadable(err error) error {
	return document.Faults{{File: l.dir, Message: fmt.Sprintf("the policy set cannot be read: %s", reason(err))}}
}

// signature changes whenever anything in the directory may have changed.
func (l *Live) signature() (string, error) {
	var b strings.Builder
	err := filepath.WalkDir(l.dir+string(filepath.Separator), func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) { // A link to nothing, or gone since.
			fmt.Fprintf(&b, "%s gone\n", name)
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %s\n", name, stamp(info))
		return nil
	})
	if err != nil {
		return "", l.unreadable(err)
	}
	return b.String(), nil
}

// Watch looks at the directory at every tick and reloads it once it has changed
// and then been at rest for one tick, so that a set which is written file by
// file comes into force when it is whole. It returns when ctx is done.
func (l *Live) Watch(ctx context.Context, tick <-chan time.Time) {
	last := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		now, err := l.signature()
		if err != nil {
			l.failed(err)
			l.saw("") // When it comes back it is compiled, changed or not.
			last = ""
			continue
		}
		if now == last && now != l.lastSeen() {
			_ = l.Reload() // Kept in the status and told to changed.
		}
		last = now
	}
}

func (l *Live) saw(signature string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = signature
}

func (l *Live) lastSeen() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen
}
