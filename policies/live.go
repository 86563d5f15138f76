package policies

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"path/filepath"
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
	// Number is which revision of the policy store it is, 0 if it is from elsewhere.
	Number uint64
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
	seed     maphash.Seed
	options  Options
	now      func() time.Time
	changed  func(Status)
	snapshot atomic.Pointer[Snapshot]

	reload sync.Mutex // one reload at a time
	mu     sync.Mutex // guards what follows
	dir    string
	status Status
	seen   signature // of the directory as last compiled
}

// Open loads the set of a directory. changed is called after every reload that
// did something or failed anew, and may be nil. The error is document.Faults if
// the set has mistakes.
func Open(dir string, o Options, now func() time.Time, changed func(Status)) (*Live, error) {
	return OpenNumber(dir, 0, o, now, changed)
}

// OpenNumber does the same with a directory that has a revision of the policy
// store. Switch moves on to others.
func OpenNumber(dir string, number uint64, o Options, now func() time.Time, changed func(Status)) (*Live, error) {
	l := &Live{dir: dir, seed: maphash.MakeSeed(), options: o, now: now, changed: changed}
	if l.changed == nil {
		l.changed = func(Status) {}
	}
	snapshot, err := l.load(dir)
	if err != nil {
		return nil, err
	}
	l.use(snapshot, number)
	return l, nil
}

// CheckDir compiles the set of a directory once. Faults name files by their
// path from where the caller stands.
func CheckDir(dir string, o Options) (*Snapshot, error) {
	l := &Live{seed: maphash.MakeSeed(), options: o}
	return l.load(dir)
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
func (l *Live) load(dir string) (*Snapshot, error) {
	options := l.options
	options.Previous = l.snapshot.Load()
	for range attempts {
		snapshot, at, err := l.compile(dir, options)
		if errors.Is(err, errUnsteady) {
			continue
		}
		if at != (signature{}) {
			l.saw(at)
		}
		return snapshot, err
	}
	return nil, document.Faults{{File: dir, Message: errUnsteady.Error()}}
}

// compile opens the directory as a root, out of which no link leads, and
// compiles it. If dir is itself a link, it may lead elsewhere meanwhile: what
// was opened is what is looked at before and after.
func (l *Live) compile(dir string, o Options) (*Snapshot, signature, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, signature{}, unreadable(dir, err)
	}
	defer root.Close() //nolint:errcheck // It was only read.
	before, err := sign(root, l.seed)
	if err != nil {
		return nil, signature{}, unreadable(dir, err)
	}
	snapshot, compileErr := Compile(root.FS(), o)
	after, err := sign(root, l.seed)
	if err != nil {
		return nil, signature{}, unreadable(dir, err)
	}
	if before != after {
		return nil, signature{}, errUnsteady
	}
	var faults document.Faults
	if errors.As(compileErr, &faults) {
		for i := range faults {
			faults[i].File = filepath.Join(dir, faults[i].File)
		}
	}
	return snapshot, after, compileErr
}

func unreadable(dir string, err error) error {
	return document.Faults{{File: dir, Message: fmt.Sprintf("the policy set cannot be read: %s", reason(err))}}
}

// look returns the directory's signature as it is now.
func (l *Live) look() (signature, error) {
	dir := l.folder()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return signature{}, unreadable(dir, err)
	}
	defer root.Close() //nolint:errcheck // It was only read.
	s, err := sign(root, l.seed)
	if err != nil {
		return signature{}, unreadable(dir, err)
	}
	return s, nil
}

// Watch looks at the directory at every tick and reloads it once it has changed
// and then been at rest for one tick, so that a set which is written file by
// file comes into force when it is whole. It returns when ctx is done.
func (l *Live) Watch(ctx context.Context, tick <-chan time.Time) {
	var last signature
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		now, err := l.look()
		if err != nil {
			l.failed(err)
			l.saw(signature{}) // When it comes back it is compiled, changed or not.
			last = signature{}
			continue
		}
		if now == last && now != l.lastSeen() {
			_ = l.Reload() // Kept in the status and told to changed.
		}
		last = now
	}
}

func (l *Live) saw(s signature) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = s
}

func (l *Live) lastSeen() signature {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen
}
