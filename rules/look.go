package rules

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// Source reaches the files that events are about. It is what content rules read
// files through; it must be safe for concurrent use.
type Source interface {
	// Open opens the file of an event for reading. The error is an
	// *UninspectableError where the file cannot be looked into by its nature or
	// by the configuration, and any other where it should be there and is not.
	Open(ctx context.Context, e *Event) (Handle, error)
}

// Handle is an open regular file.
type Handle interface { //nolint:interfacebloat // One open file, whose parts nobody needs alone.
	io.ReaderAt
	io.Closer
	// Identity is what the file was when it was opened.
	Identity() Identity
	// Unchanged returns ErrChanged if the file is not the same any more.
	Unchanged() error
}

// Identity tells one state of one file from every other on the machine.
type Identity struct {
	Device, Inode uint64
	// Size is in bytes.
	Size             int64
	Modified, Status time.Time
}

// Descriptor is implemented by files that the operating system knows by a
// number, which a scanner on the same machine can be given.
type Descriptor interface {
	// Control calls f with the descriptor, which is valid until f returns.
	Control(f func(fd uintptr)) error
}

// ErrChanged says that a file changed while it was looked into, so that what
// was seen may not be what arrives.
var ErrChanged = errors.New("the file changed while it was looked into")

// UninspectableError says why nobody could look into a file.
type UninspectableError struct {
	// Reason is a word of a closed set, fit for a metric label: one of
	// UninspectableReasons.
	Reason string
	// Detail says it to an administrator.
	Detail string
}

// Error implements error.
func (u *UninspectableError) Error() string { return u.Detail }

// The reasons for which bytes are not inspected.
const (
	ReasonUnmounted     = "unmounted"      // no mount of the configuration has the path
	ReasonObjectStorage = "object_storage" // the path is in object storage
	ReasonEncrypted     = "encrypted"      // the client or the archive encrypted it
	ReasonIrregular     = "irregular"      // a device, a pipe, a socket or a folder
	ReasonMissing       = "missing"        // no such file
	ReasonDenied        = "denied"         // the operating system does not let us read it
	ReasonChanged       = "changed"        // it changed under the look
	ReasonBusy          = "busy"           // too many looks at once
	ReasonTimeout       = "timeout"        // out of time
	ReasonLimit         = "limit"          // larger than a limit of the rule or the scanner
	ReasonFormat        = "format"         // a format that cannot be taken apart
	ReasonError         = "error"          // anything else
)

// UninspectableReasons returns the reasons for which bytes are not inspected.
func UninspectableReasons() []string {
	return []string{
		ReasonUnmounted, ReasonObjectStorage, ReasonEncrypted, ReasonIrregular, ReasonMissing, ReasonDenied,
		ReasonChanged, ReasonBusy, ReasonTimeout, ReasonLimit, ReasonFormat, ReasonError,
	}
}

// HeadSize is how much of a file's beginning is its head, in bytes.
const HeadSize = 64 << 10

// Look is one event's look into its file: opened when a rule first needs it, and
// shared by all of them. Its methods are safe for concurrent use.
type Look struct {
	// Event is a copy of the event, which stays when the event itself is used
	// again.
	Event Event

	env  *ContentEnv
	open sync.Once
	file Handle
	err  error

	headOnce sync.Once
	head     []byte
	headErr  error

	typesOnce sync.Once
	types     []lineage

	users sync.WaitGroup
	mu    sync.Mutex
	found map[*Rule]Finding // what reading the file once has told
	facts Facts
}

// NewLook returns a look into the file of e. Close ends it.
func NewLook(e *Event, env *ContentEnv) *Look {
	return &Look{Event: *e, env: env, found: map[*Rule]Finding{}}
}

// Close closes the file once nobody reads it any more: a read from a disk that
// hangs may still be under way when its event has long been answered.
func (l *Look) Close() {
	go func() {
		l.users.Wait()
		if l.file != nil {
			_ = l.file.Close() // It was only read.
		}
	}()
}

// ContentEnv is what rules that look into files need from outside.
type ContentEnv struct {
	// Files reaches the files; nil reaches none.
	Files Source
	// Heads and Wholes bound the looks at heads and at whole files.
	Heads, Wholes *Gate
	// Throttle, when not nil, waits until n bytes may be read.
	Throttle func(ctx context.Context, n int) error
	// Deadline bounds all looks of one event together; 0 is no bound.
	Deadline time.Duration
	// Now is the clock by which looks are timed; nil times none.
	Now func() time.Time
}

// errUnmounted says that there is no way to any file.
var errUnmounted = &UninspectableError{Reason: ReasonUnmounted, Detail: "no mount is configured (files.mounts), so no file can be looked into"}

// File opens the file, once for all rules. The caller does not close it.
func (l *Look) File(ctx context.Context) (Handle, error) {
	l.open.Do(func() {
		if l.env.Files == nil {
			l.err = errUnmounted
			l.noteUnread(l.err)
			return
		}
		l.file, l.err = l.env.Files.Open(ctx, &l.Event)
		l.noteUnread(l.err)
	})
	return l.file, l.err
}

// Head returns the first HeadSize bytes of the file, or all if it is shorter.
// Nobody may change them.
func (l *Look) Head(ctx context.Context) ([]byte, error) {
	file, err := l.File(ctx)
	if err != nil {
		return nil, err
	}
	l.headOnce.Do(func() {
		l.head = make([]byte, min(HeadSize, file.Identity().Size))
		n, err := l.Reader(ctx).ReadAt(l.head, 0)
		if err != nil && !errors.Is(err, io.EOF) {
			l.headErr = err
		}
		l.head = l.head[:n]
	})
	return l.head, l.headErr
}

// contentTypes returns what the head can be read as. whole says that it is all of
// the file. Nobody may change them.
func (l *Look) contentTypes(head []byte, whole bool) []lineage {
	l.typesOnce.Do(func() { l.types = identifyContent(head, whole) })
	return l.types
}

// Facts returns what has been learned of the file so far; nil if nothing was.
func (l *Look) Facts() *Facts {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.facts.isEmpty() {
		return nil
	}
	return l.facts.clone()
}

// learn adds to what has been learned. It is called with what is certain only:
// what was seen of a file that changed meanwhile is not.
func (l *Look) learn(add func(*Facts)) {
	size := l.Size()
	l.mu.Lock()
	defer l.mu.Unlock()
	add(&l.facts)
	l.facts.Size = max(size, 0)
}

// noteUnread keeps why the file cannot be opened, where that is the same for
// every rule and for every look.
func (l *Look) noteUnread(err error) {
	if not := (*UninspectableError)(nil); errors.As(err, &not) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.facts.Unread = not.Reason
	}
}

// Size returns the size of the file as it was opened, in bytes; the event's own
// where the file cannot be opened, and -1 where that is unknown too.
func (l *Look) Size() int64 {
	switch {
	case l.file != nil:
		return l.file.Identity().Size
	case l.Event.Size.Known:
		return l.Event.Size.Value
	default:
		return -1
	}
}

// Reader reads from the file until ctx is done, no faster than is allowed. It
// must only be used after File has returned one.
func (l *Look) Reader(ctx context.Context) io.ReaderAt { return &lookReader{ctx, l} }

type lookReader struct {
	ctx  context.Context //nolint:containedctx // io.ReaderAt has no place for it.
	look *Look
}

// ReadAt implements io.ReaderAt.
func (r *lookReader) ReadAt(p []byte, at int64) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	if wait := r.look.env.Throttle; wait != nil {
		if err := wait(r.ctx, len(p)); err != nil {
			return 0, err
		}
	}
	return r.look.file.ReadAt(p, at)
}
