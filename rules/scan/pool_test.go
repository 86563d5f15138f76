package scan

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// errFull is what the gate of these tests says.
var errFull = errors.New("full")

// gate is a Gate with slots and nobody waiting beyond.
type gate struct {
	slots   chan struct{}
	waiting chan struct{}
}

func newGate(workers, waiting int) *gate {
	return &gate{make(chan struct{}, workers), make(chan struct{}, waiting)}
}

func (g *gate) Enter(ctx context.Context) (func(), error) {
	leave := func() { <-g.slots }
	select {
	case g.slots <- struct{}{}:
		return leave, nil
	default:
	}
	select {
	case g.waiting <- struct{}{}:
		defer func() { <-g.waiting }()
	default:
		return nil, errFull
	}
	select {
	case g.slots <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (g *gate) Load() (busy, waiting int) { return len(g.slots), len(g.waiting) }

// scanner is a Scanner of functions, and its only Session.
type scanner struct {
	mu       sync.Mutex
	scans    int
	statuses int

	open   func(ctx context.Context) error
	finish func(ctx context.Context) (Answer, error)
	status func(ctx context.Context) (Status, error)
}

func (s *scanner) Open(ctx context.Context, _ string, _ int64) (Session, error) {
	s.mu.Lock()
	s.scans++
	s.mu.Unlock()
	if s.open != nil {
		if err := s.open(ctx); err != nil {
			return nil, err
		}
	}
	return &session{s, ctx, 0}, nil
}

func (s *scanner) Status(ctx context.Context) (Status, error) {
	s.mu.Lock()
	s.statuses++
	s.mu.Unlock()
	if s.status != nil {
		return s.status(ctx)
	}
	return Status{Engine: "fake", Signatures: "1"}, nil
}

func (s *scanner) asked() (scans, statuses int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.scans, s.statuses
}

type session struct {
	of  *scanner
	ctx context.Context
	n   int64
}

func (s *session) Write(p []byte) (int, error) {
	s.n += int64(len(p))
	return len(p), context.Cause(s.ctx)
}

func (s *session) Finish(ctx context.Context) (Answer, error) {
	if s.of.finish != nil {
		return s.of.finish(ctx)
	}
	return Answer{Inspected: s.n}, nil
}

func (*session) Close() {}

// pool returns a pool of two workers with one waiting.
func newTestPool(t *testing.T, s Scanner, clock *clock) *Pool {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	return NewPool(s, PoolOptions{Name: "fake", Gate: newGate(2, 1), Remember: 10, Now: clock.now, Random: middle})
}

// state of a file that changed long ago.
func file(inode uint64) File { return File{Inode: inode, Size: 4, Modified: 1, Status: 1} }

// use has a file scanned, or its answer remembered.
func use(ctx context.Context, p *Pool, f File) (Answer, error) {
	job, known, err := p.Begin(ctx, f)
	switch {
	case err != nil:
		return Answer{}, err
	case known != nil:
		return *known, nil
	}
	defer job.Close()
	return work(ctx, job, f)
}

func work(ctx context.Context, job *Job, f File) (Answer, error) {
	if err := job.Open(ctx, "film.mov", f.Size); err != nil {
		return Answer{}, err
	}
	if _, err := job.Write(make([]byte, f.Size)); err != nil && !errors.Is(err, ErrAnswered) {
		return Answer{}, err
	}
	a, err := job.Finish(ctx)
	job.Remember(f.Size)
	return a, err
}

// TestPoolRemembers: only what was said of all of a file that has not changed.
func TestPoolRemembers(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer Answer
		err    error
		scans  int
		counts Counts
	}{
		{"clean", Answer{Inspected: 4}, nil, 1, Counts{Clean: 1, Remembered: 1}},
		{"bad", Answer{Signature: "Eicar", Inspected: 1}, nil, 1, Counts{Bad: 1, Remembered: 1}},
		{"part", Answer{Inspected: 3}, nil, 2, Counts{Clean: 2}},
		{"more than it takes", Answer{Inspected: 4}, ErrLimit, 2, Counts{Part: 2}},
		{"an error", Answer{}, ErrUnscanned, 2, Counts{Failed: 2}},
		{"rubbish", Answer{}, ErrAnswer, 2, Counts{Failed: 2}},
		{"out of time", Answer{}, context.DeadlineExceeded, 2, Counts{TimedOut: 2}},
		{"given up", Answer{}, context.Canceled, 2, Counts{GivenUp: 2}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &scanner{finish: func(context.Context) (Answer, error) { return tc.answer, tc.err }}
			p := newTestPool(t, s, newClock())
			for range 2 {
				if got, err := use(t.Context(), p, file(1)); got != tc.answer || !errors.Is(err, tc.err) {
					t.Errorf("%+v, %v", got, err)
				}
			}
			scans, _ := s.asked()
			if scans != tc.scans {
				t.Errorf("%d scans, want %d", scans, tc.scans)
			}
			if diff := cmp.Diff(tc.counts, p.Stats().Counts); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestPoolForgets: another state, other signatures, or ten minutes.
func TestPoolForgets(t *testing.T) {
	clock := newClock()
	version := "1"
	s := &scanner{status: func(context.Context) (Status, error) { return Status{Engine: "fake", Signatures: version}, nil }}
	p := newTestPool(t, s, clock)
	base := file(1)
	with := func(change func(*File)) File { f := base; change(&f); return f }
	for i, tc := range []struct {
		name string
		do   func()
		file File
		scan bool
	}{
		{"the first time", func() {}, base, true},
		{"again", func() {}, base, false},
		{"another device", func() {}, with(func(f *File) { f.Device = 9 }), true},
		{"another file", func() {}, with(func(f *File) { f.Inode = 9 }), true},
		{"another size", func() {}, with(func(f *File) { f.Size = 9 }), true},
		{"changed", func() {}, with(func(f *File) { f.Modified = 9 }), true},
		{"changed and dated back", func() {}, with(func(f *File) { f.Status = 9 }), true},
		{"changed just now", func() {}, with(func(f *File) { f.Status = clock.at.UnixNano() - 1 }), true},
		{"changed just now, again", func() {}, with(func(f *File) { f.Status = clock.at.UnixNano() - 1 }), true},
		{"the first one", func() {}, base, false},
		{"new signatures that nobody has seen yet", func() { version = "2"; clock.pass(statusLife - 1) }, base, false},
		{"new signatures", func() { clock.pass(1) }, base, true},
		{"again with them", func() {}, base, false},
		{"nine minutes later", func() { clock.pass(9 * time.Minute) }, base, false},
		{"ten minutes later", func() { clock.pass(time.Minute) }, base, true},
	} {
		tc.do()
		before, _ := s.asked()
		if _, err := use(t.Context(), p, tc.file); err != nil {
			t.Fatal(err)
		}
		if after, _ := s.asked(); (after > before) != tc.scan {
			t.Errorf("step %d, %s: scanned: %v", i, tc.name, after > before)
		}
	}
}

// TestPoolJoins: who asks about a file that is being scanned waits for the
// answer, no longer than its own context, and asks itself if there is none.
func TestPoolJoins(t *testing.T) {
	p := newTestPool(t, &scanner{}, newClock())
	first, _, err := p.Begin(t.Context(), file(1))
	if err != nil {
		t.Fatal(err)
	}
	if p.TryBegin(t.Context(), file(1)) != nil {
		t.Error("a second job for the same file")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := use(gone, p, file(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("one that does not wait: %v", err)
	}
	answers := make(chan Answer, 3)
	var all sync.WaitGroup
	join := func() {
		for range cap(answers) {
			all.Go(func() {
				a, err := use(t.Context(), p, file(1))
				if err != nil {
					t.Error(err)
				}
				answers <- a
			})
		}
		all.Wait()
		for range cap(answers) {
			if a := <-answers; a.Inspected != 4 {
				t.Errorf("%+v", a)
			}
		}
	}
	all.Go(func() { // It comes to nothing, so that one of the others scans.
		first.Close()
	})
	join()
	if scans, _ := p.scanner.(*scanner).asked(); scans != 1 {
		t.Errorf("%d scans of one file", scans)
	}
	if s := p.Stats(); s.Answers != 1 || s.Working != 0 || s.Remembered != 2 || len(p.memory.asked) != 0 {
		t.Errorf("%+v", s)
	}
}

// TestPoolBounds: so many at once, so many waiting, and the rest are told so.
func TestPoolBounds(t *testing.T) {
	p := newTestPool(t, &scanner{}, newClock())
	var jobs []*Job
	for i := range uint64(2) {
		job := p.TryBegin(t.Context(), file(i+1))
		if job == nil {
			t.Fatal("there is room")
		}
		jobs = append(jobs, job)
	}
	if p.TryBegin(t.Context(), file(3)) != nil {
		t.Error("a job beyond the bound")
	}
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan error)
	go func() { _, err := use(ctx, p, file(3)); waited <- err }()
	for {
		if _, waiting := p.gate.Load(); waiting == 1 {
			break
		}
	}
	if _, err := use(t.Context(), p, file(4)); !errors.Is(err, errFull) {
		t.Errorf("one too many: %v", err)
	}
	cancel()
	if err := <-waited; !errors.Is(err, context.Canceled) {
		t.Errorf("one that gave up waiting: %v", err)
	}
	for _, job := range jobs {
		job.Close()
		job.Close() // Twice is once.
	}
	if s := p.Stats(); s.Working != 0 || s.Waiting != 0 || s.Busy != 1 || s.GivenUp != 1 || len(p.memory.asked) != 0 {
		t.Errorf("%+v", s)
	}
}

// TestPoolGivesAPlaceAway: when time is over, whoever holds a job, and even if
// nobody closes it.
func TestPoolGivesAPlaceAway(t *testing.T) {
	p := newTestPool(t, &scanner{}, newClock())
	ctx, cancel := context.WithCancel(t.Context())
	job := p.TryBegin(ctx, file(1))
	if err := job.Open(ctx, "", 4); err != nil {
		t.Fatal(err)
	}
	cancel()
	if a, err := use(t.Context(), p, file(1)); err != nil || a.Inspected != 4 {
		t.Errorf("who waits for the file: %+v, %v", a, err)
	}
	if busy, _ := p.gate.Load(); busy != 0 {
		t.Errorf("%d busy", busy)
	}
	job.Close()
	if busy, _ := p.gate.Load(); busy != 0 {
		t.Errorf("%d busy", busy)
	}
}

// TestPoolLeavesAScannerAlone that fails, and lets it back.
func TestPoolLeavesAScannerAlone(t *testing.T) {
	clock := newClock()
	broken := errors.New("connection refused")
	s := &scanner{
		open:   func(context.Context) error { return broken },
		status: func(context.Context) (Status, error) { return Status{}, broken },
	}
	p := newTestPool(t, s, clock)
	for i := range 5 {
		_, err := use(t.Context(), p, file(uint64(i+1)))
		if want := map[bool]error{true: broken, false: ErrDown}[i < failuresInARow]; !errors.Is(err, want) {
			t.Errorf("file %d: %v, want %v", i, err, want)
		}
	}
	if p.TryBegin(t.Context(), file(1)) != nil {
		t.Error("a job while the scanner is left alone")
	}
	if s := p.Stats(); !s.Resting || s.Failed != 3 || s.Down != 2 || s.Working != 0 {
		t.Errorf("%+v", s)
	}
	clock.pass(time.Second)
	if _, err := use(t.Context(), p, file(1)); !errors.Is(err, ErrDown) || !errors.Is(err, broken) {
		t.Errorf("a probe that fails: %v", err)
	}
	s.open, s.status = nil, nil
	if _, err := use(t.Context(), p, file(1)); !errors.Is(err, ErrDown) {
		t.Errorf("the rest is longer now: %v", err)
	}
	clock.pass(2 * time.Second)
	gone, cancel := context.WithCancel(t.Context())
	s.status = func(ctx context.Context) (Status, error) { cancel(); return Status{}, context.Cause(ctx) }
	if _, err := use(gone, p, file(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("a probe that nobody waits for: %v", err)
	}
	s.status = nil
	if a, err := use(t.Context(), p, file(1)); err != nil || a.Inspected != 4 {
		t.Errorf("it is back: %+v, %v", a, err)
	}
	if s := p.Stats(); s.Resting || s.Status.Engine != "fake" {
		t.Errorf("%+v", s)
	}
}

// TestPoolScansWithoutAStatus: a scanner that does not say what it is scans all
// the same, and nothing is remembered.
func TestPoolScansWithoutAStatus(t *testing.T) {
	s := &scanner{status: func(context.Context) (Status, error) { return Status{}, ErrAnswer }}
	p := newTestPool(t, s, newClock())
	for range 2 {
		if a, err := use(t.Context(), p, file(1)); err != nil || a.Inspected != 4 {
			t.Errorf("%+v, %v", a, err)
		}
	}
	if scans, statuses := s.asked(); scans != 2 || statuses != 1 {
		t.Errorf("%d scans, %d questions", scans, statuses)
	}
	if _, err := use(t.Context(), p, File{Size: 4}); err != nil {
		t.Error(err)
	}
	if _, err := p.Status(t.Context()); !errors.Is(err, ErrAnswer) || p.Name() != "fake" {
		t.Error(err)
	}
}

// TestPoolWaitsForTheFirstStatus: whoever asks about a file before the scanner has
// said what its signatures are waits for that, so that the file is scanned once.
func TestPoolWaitsForTheFirstStatus(t *testing.T) {
	const askers = 5
	var started, done sync.WaitGroup
	started.Add(askers)
	s := &scanner{status: func(context.Context) (Status, error) {
		started.Wait()
		return Status{Engine: "fake", Signatures: "1"}, nil
	}}
	p := newTestPool(t, s, newClock())
	for range askers {
		done.Go(func() {
			started.Done()
			if a, err := use(t.Context(), p, file(1)); err != nil || a.Inspected != 4 {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
	done.Wait()
	if scans, statuses := s.asked(); scans != 1 || statuses != 1 {
		t.Errorf("%d scans, %d questions", scans, statuses)
	}
}

// TestPoolDoesNotWaitForAStatusForever: the end of the event ends the wait.
func TestPoolDoesNotWaitForAStatusForever(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	s := &scanner{status: func(context.Context) (Status, error) {
		close(asked)
		<-release
		return Status{}, ErrAnswer
	}}
	p := newTestPool(t, s, newClock())
	var first sync.WaitGroup
	first.Go(func() { _, _ = use(t.Context(), p, file(1)) })
	<-asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if version, told := p.signatures(ctx); told {
		t.Errorf("the scanner has said %q", version)
	}
	close(release)
	first.Wait()
}

// TestPoolOfClamd: the pool and clamd together, with the open file.
func TestPoolOfClamd(t *testing.T) {
	f := (&fakeClamd{answer: clamdSays("stream: OK\x00")}).start(t)
	p := NewPool(f.client(t, ClamdOptions{}), PoolOptions{Gate: newGate(1, 0), Remember: 1})
	for range 2 {
		if a, err := use(t.Context(), p, file(1)); err != nil || a.Inspected != 4 {
			t.Errorf("%+v, %v", a, err)
		}
	}
	if n := f.calls.Load(); n != 1 {
		t.Errorf("%d scans", n)
	}
	if p.TakesDescriptor(1) {
		t.Error("it was not asked for")
	}
	job := p.TryBegin(t.Context(), file(2))
	if _, err := job.Descriptor(t.Context(), 4, nil); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
	job.Close()
	other := NewPool(&scanner{}, PoolOptions{Gate: newGate(1, 0)})
	job = other.TryBegin(t.Context(), file(2))
	if _, err := job.Descriptor(t.Context(), 4, nil); !errors.Is(err, errors.ErrUnsupported) || other.TakesDescriptor(4) {
		t.Error(err)
	}
	job.Close()
}
