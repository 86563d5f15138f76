package rules

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/sluiceproject/sluice/rules/scan"
)

// fakeScanner finds MARKER, takes 10 MB, and fails as it is told.
type fakeScanner struct {
	fail   error
	hang   bool
	taken  bool // takes open files
	mu     sync.Mutex
	names  []string
	opened int
}

func (f *fakeScanner) Open(ctx context.Context, name string, size int64) (scan.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.names = append(f.names, name)
	if f.fail != nil {
		return nil, f.fail
	}
	return &fakeSession{scanner: f, ctx: ctx}, nil
}

func (f *fakeScanner) Status(context.Context) (scan.Status, error) {
	return scan.Status{Engine: "fake"}, nil
}

func (f *fakeScanner) TakesDescriptor(int64) bool { return f.taken }

func (f *fakeScanner) ScanDescriptor(_ context.Context, size int64, control func(func(uintptr)) error) (scan.Answer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened++
	return scan.Answer{Inspected: size}, control(func(uintptr) {})
}

type fakeSession struct {
	scanner *fakeScanner
	ctx     context.Context
	text    strings.Builder
}

func (s *fakeSession) Write(p []byte) (int, error) {
	if s.scanner.hang {
		<-s.ctx.Done()
		return 0, context.Cause(s.ctx)
	}
	if s.text.Write(p); strings.Contains(s.text.String(), "EARLY") {
		return 0, scan.ErrAnswered
	}
	return len(p), nil
}

func (s *fakeSession) Finish(context.Context) (scan.Answer, error) {
	a := scan.Answer{Inspected: int64(s.text.Len())}
	switch text := s.text.String(); {
	case strings.Contains(text, "MARKER"):
		a.Signature = "Marker\n\u202e"
	case strings.Contains(text, "EARLY"):
		a.Signature = "Early"
	case strings.Contains(text, "LARGE"):
		return a, scan.ErrLimit
	case strings.Contains(text, "PART"):
		a.Inspected--
	}
	return a, nil
}

func (*fakeSession) Close() {}

// kept is a file that has an identity, and one that the system knows.
type kept struct {
	*drawn
	inode uint64
	file  *os.File
}

func (k kept) Identity() Identity {
	long := time.Unix(1, 1)
	return Identity{Inode: k.inode, Size: int64(len(k.text)), Modified: long, Status: long}
}

func (k kept) Control(f func(uintptr)) error {
	raw, err := k.file.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(f)
}

// shelf is a Source of the file whose text is the event's path.
type shelf struct {
	changed error
	file    *os.File
}

func (s shelf) Open(_ context.Context, e *Event) (Handle, error) {
	if strings.Contains(e.File.Raw, "nowhere") {
		return nil, &UninspectableError{Reason: ReasonMissing, Detail: "no such file"}
	}
	d := &drawer{text: e.File.Raw, changed: s.changed}
	k := kept{&drawn{drawer: d, from: strings.NewReader(d.text)}, uint64(len(d.text)), s.file}
	if s.file == nil {
		return struct{ Handle }{k}, nil // Without Control.
	}
	return k, nil
}

func scanRule(t *testing.T, f *fakeScanner, gate *Gate) (*Rule, *scan.Pool) {
	t.Helper()
	pool := scan.NewPool(f, scan.PoolOptions{Name: "clamav", Gate: gate, Remember: 10})
	env := Env{Scanners: func(string) (*scan.Pool, error) { return pool, nil }}
	c := compile(t, scanKind(), env, `{"with": "clamav"}`)
	rule := ruleOf(scanKind(), env, c)
	rule.Inspect, rule.Consume = c.Inspect, c.Consume
	return rule, pool
}

func scanEvent(path string) *Event {
	return &Event{File: ParsePath(path), Size: Known(int64(len(path)))}
}

// lookAt has a rule look at a file, with or without other rules that read it.
func lookAt(ctx context.Context, rule *Rule, source Source, path string, once bool) Finding {
	l := NewLook(scanEvent(path), &ContentEnv{Files: source, Now: time.Now})
	defer l.Close()
	if once {
		l.ReadOnce(ctx, Chain{rule})
	}
	found, _ := l.inspect(ctx, rule)
	return found
}

// TestScanFindings: what a scanner says, and what it means; in the read that all
// share and in one of its own.
func TestScanFindings(t *testing.T) {
	for _, tc := range []struct {
		name    string
		fail    error
		changed error
		path    string
		want    Coverage
		found   string
		err     error
	}{
		{"clean", nil, nil, "/in/film.mov", Coverage{Clean, 12, 12, ""}, "", nil},
		{"bad", nil, nil, "/in/MARKER", Coverage{Bad, 10, 10, ""}, "Marker\n\u202e", nil},
		{"bad before the end", nil, nil, "/in/EARLY", Coverage{Bad, 9, 9, ""}, "Early", nil},
		{"bad, and changed", nil, ErrChanged, "/in/MARKER", Coverage{Bad, 10, 10, ""}, "Marker\n\u202e", nil},
		{"larger than it takes", nil, nil, "/in/LARGE", Coverage{Partial, 9, 9, ReasonLimit}, "", scan.ErrLimit},
		{"a part", nil, nil, "/in/PART", Coverage{Partial, 7, 8, ReasonLimit}, "", errPart},
		{"changed", nil, ErrChanged, "/in/film.mov", Coverage{Failed, 0, 12, ReasonChanged}, "", ErrChanged},
		{"no such file", nil, nil, "/nowhere", Coverage{Uninspectable, 0, 8, ReasonMissing}, "", &UninspectableError{}},
		{"too large to begin with", scan.ErrLimit, nil, "/in/film.mov", Coverage{Partial, 0, 12, ReasonLimit}, "", scan.ErrLimit},
		{"refused", scan.ErrAnswer, nil, "/in/film.mov", Coverage{Failed, 0, 12, ReasonError}, "", scan.ErrAnswer},
		{"out of time", context.DeadlineExceeded, nil, "/in/film.mov", Coverage{TimedOut, 0, 12, ReasonTimeout}, "", context.DeadlineExceeded},
		{"an empty file", nil, nil, "", Coverage{Clean, 0, 0, ""}, "", nil},
	} {
		for _, once := range []bool{true, false} {
			scanner := fakeScanner{fail: tc.fail}
			rule, pool := scanRule(t, &scanner, NewGate(1, 0))
			got := lookAt(t.Context(), rule, shelf{changed: tc.changed}, tc.path, once)
			if diff := cmp.Diff(tc.want, got.Coverage); diff != "" {
				t.Errorf("%s, once %v: %v (-want +got):\n%s", tc.name, once, got.Err, diff)
			}
			if found := got.Objection; (found == nil) != (tc.found == "") || found != nil && found.Found != tc.found {
				t.Errorf("%s, once %v: found %+v", tc.name, once, found)
			}
			if not := (*UninspectableError)(nil); tc.err == nil && got.Err != nil || !errors.Is(got.Err, tc.err) && !errors.As(got.Err, &not) {
				t.Errorf("%s, once %v: %v", tc.name, once, got.Err)
			}
			if busy, _ := gateOf(pool); busy != 0 {
				t.Errorf("%s, once %v: a place is not given back", tc.name, once)
			}
		}
	}
	goleak.VerifyNone(t)
}

func gateOf(p *scan.Pool) (busy, waiting int) {
	s := p.Stats()
	return s.Working, s.Waiting
}

// TestScanOnce: the same state of a file is scanned once, whoever asks and how.
func TestScanOnce(t *testing.T) {
	scanner := &fakeScanner{}
	rule, pool := scanRule(t, scanner, NewGate(2, 0))
	for _, path := range []string{"/in/film.mov", "/in/MARKER"} {
		for i := range 4 {
			lookAt(t.Context(), rule, shelf{}, path, i%2 == 0)
		}
	}
	if diff := cmp.Diff([]string{"film.mov", "MARKER"}, scanner.names); diff != "" || pool.Stats().Remembered != 6 {
		t.Errorf("%+v (-want +got):\n%s", pool.Stats(), diff)
	}
	if got := lookAt(t.Context(), rule, shelf{changed: ErrChanged}, "/in/film.mov", true); got.Coverage.State != Failed {
		t.Errorf("what is known of a file that has changed: %+v", got)
	}
}

// TestScanOfTwoRules: neither waits for the place that the other holds, although
// there is one.
func TestScanOfTwoRules(t *testing.T) {
	one, pool := scanRule(t, &fakeScanner{}, NewGate(1, 0))
	two := *one
	l := NewLook(scanEvent("/in/film.mov"), &ContentEnv{Files: shelf{}, Now: time.Now})
	defer l.Close()
	l.ReadOnce(t.Context(), Chain{one, &two})
	for _, r := range []*Rule{one, &two} {
		if got, _ := l.inspect(t.Context(), r); got.Coverage.State != Clean {
			t.Errorf("%+v", got)
		}
	}
	if s := pool.Stats(); s.Clean != 1 || s.Remembered != 1 {
		t.Errorf("%+v", s)
	}
}

// TestScanIsBusy: beyond the bounds the answer comes at once.
func TestScanIsBusy(t *testing.T) {
	gate := NewGate(1, 0)
	rule, pool := scanRule(t, &fakeScanner{}, gate)
	leave, err := gate.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := lookAt(t.Context(), rule, shelf{}, "/in/film.mov", true)
	if got.Coverage.Reason != ReasonBusy || pool.Stats().Busy != 1 {
		t.Errorf("%+v", got)
	}
	leave()
	if got := lookAt(t.Context(), rule, shelf{}, "/in/film.mov", true); got.Coverage.State != Clean {
		t.Errorf("%+v", got)
	}
}

// TestScanHangs: the rule's timeout ends it.
func TestScanHangs(t *testing.T) {
	for _, once := range []bool{true, false} {
		rule, pool := scanRule(t, &fakeScanner{hang: true}, NewGate(1, 0))
		rule.Timeout = 10 * time.Millisecond
		if got := lookAt(t.Context(), rule, shelf{}, "/in/film.mov", once); got.Coverage.State != TimedOut {
			t.Errorf("once %v: %+v", once, got)
		}
		goleak.VerifyNone(t)
		if busy, _ := gateOf(pool); busy != 0 {
			t.Error("a place is not given back")
		}
	}
}

// TestScanGivesTheOpenFile to a scanner that takes it, and reads nothing.
func TestScanGivesTheOpenFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	scanner := &fakeScanner{taken: true}
	rule, _ := scanRule(t, scanner, NewGate(1, 0))
	if got := lookAt(t.Context(), rule, shelf{file: file}, "/in/MARKER", true); got.Coverage.State != Clean || scanner.opened != 1 || scanner.names != nil {
		t.Errorf("%+v", got)
	}
	// A file that the system does not know by a number is read.
	if got := lookAt(t.Context(), rule, shelf{}, "/in/other/MARKER", true); got.Coverage.State != Bad || scanner.opened != 1 {
		t.Errorf("%+v", got)
	}
}

// TestScanMessage: the person reads what was found, and by which scanner.
func TestScanMessage(t *testing.T) {
	rule, _ := scanRule(t, &fakeScanner{}, nil)
	d := Begin(&Event{}, "r1")
	l := NewLook(scanEvent("/in/MARKER"), &ContentEnv{Files: shelf{}, Now: time.Now})
	defer l.Close()
	if !(Chain{rule}).Look(t.Context(), l, scanEvent("/in/MARKER"), &d) {
		t.Fatal("accepted")
	}
	want := Verdict{"1032", `MARKER is refused: the scanner clamav found Marker\u000a\u202e in it. Do not send it again, and have your machine checked.`}
	if d.Verdict != want {
		t.Errorf("%+v", d.Verdict)
	}
}

func TestScanSettings(t *testing.T) {
	unknown := Env{Scanners: func(name string) (*scan.Pool, error) {
		return nil, At("", "no scanner of the configuration is called %q", name).WithHint("did you mean %q?", "clamav")
	}}
	_, err := scanKind().Compile(unknown, settings(`{"with": "clamv"}`))
	var spec *SpecError
	if !errors.As(err, &spec) || spec.At != "/with" || spec.Error() != `no scanner of the configuration is called "clamv"; did you mean "clamav"?` {
		t.Errorf("%v", err)
	}
	for _, s := range []string{`{}`, `{"with": ""}`, `{"with": 1}`, `{"with": "a", "on": "b"}`} {
		if schemaFaults(t, scanKind(), s) == nil {
			t.Errorf("%s is accepted", s)
		}
	}
	// Where there is no configuration a name is not checked, and nothing is clean.
	c := compile(t, scanKind(), Env{}, `{"with": "clamav"}`)
	l := NewLook(scanEvent("/in/film.mov"), &ContentEnv{Files: shelf{}, Now: time.Now})
	defer l.Close()
	if got := c.Inspect(t.Context(), l); got.Coverage != (Coverage{Failed, 0, 12, ReasonError}) || got.Err == nil || got.Err.Error() != `the scanner "clamav" is not configured` {
		t.Errorf("%+v", got)
	}
}
