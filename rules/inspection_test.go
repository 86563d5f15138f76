package rules

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// drawer is a Source of one file in memory.
type drawer struct {
	text    string
	err     error
	changed error
	hang    bool
	opened  atomic.Int64
	reads   atomic.Int64
	closed  atomic.Int64
}

func (d *drawer) Open(context.Context, *Event) (Handle, error) {
	d.opened.Add(1)
	if d.err != nil {
		return nil, d.err
	}
	return &drawn{drawer: d, from: strings.NewReader(d.text)}, nil
}

type drawn struct {
	*drawer
	from *strings.Reader
}

func (d *drawn) ReadAt(p []byte, at int64) (int, error) {
	d.reads.Add(1)
	if d.hang {
		time.Sleep(time.Hour) //nolint:forbidigo // The clock of a bubble.
	}
	return d.from.ReadAt(p, at)
}
func (d *drawn) Close() error       { d.closed.Add(1); return nil }
func (d *drawn) Identity() Identity { return Identity{Size: int64(len(d.text))} }
func (d *drawn) Unchanged() error   { return d.changed }

// collector is a Consumer that keeps what it is given, up to a bound.
type collector struct {
	text bytes.Buffer
	most int
	into *string
}

func (c *collector) Write(p []byte) (int, error) {
	if c.most > 0 && c.text.Len()+len(p) > c.most {
		return 0, errors.New("full")
	}
	return c.text.Write(p)
}

func (c *collector) Finish(_ context.Context, read int64, err error) Finding {
	*c.into = fmt.Sprintf("%d bytes, %v", c.text.Len(), err)
	if err != nil {
		return FoundNothing(err, read, 10)
	}
	return FoundClean(read, read)
}

func looking(name string, change ...func(*Rule)) *Rule {
	r := &Rule{Policy: "p", Name: name, Kind: "test", Cost: File, Code: "1", PartialSuffix: ""}
	for _, c := range change {
		c(r)
	}
	return r
}

func inspecting(f func(context.Context, *Look) Finding) func(*Rule) {
	return func(r *Rule) { r.Inspect = f }
}

var nothingWrong = builtinMessage("{found}")

// outcome is what came of a rule.
type outcome struct {
	Outcome  Outcome
	Coverage Coverage
}

func lookWith(t *testing.T, env *ContentEnv, e *Event, chain Chain) (refused bool, steps []outcome, d Decision) {
	t.Helper()
	l := NewLook(e, env)
	defer l.Close()
	d = Begin(e, "")
	l.ReadOnce(t.Context(), chain)
	refused = chain.Look(t.Context(), l, e, &d)
	for _, s := range d.Steps {
		step := outcome{Outcome: s.Outcome}
		if s.Looked != nil {
			step.Coverage = s.Looked.Coverage
		}
		steps = append(steps, step)
	}
	return refused, steps, d
}

func TestWhatBecomesOfAFinding(t *testing.T) {
	bad := errors.New("bad luck")
	for _, r := range []struct {
		name    string
		finding Finding
		change  func(*Rule)
		want    outcome
		refused bool
	}{
		{"clean", FoundClean(5, 5), nil, outcome{Passed, Coverage{State: Clean, Inspected: 5, Total: 5}}, false},
		{"bad", FoundBad(&Objection{Message: nothingWrong, Found: "x"}, 2, 5), nil, outcome{Refused, Coverage{State: Bad, Inspected: 2, Total: 5}}, true},
		{"bad in shadow", FoundBad(&Objection{Message: nothingWrong}, 2, 5), func(r *Rule) { r.Mode = Shadow }, outcome{WouldRefuse, Coverage{State: Bad, Inspected: 2, Total: 5}}, false},
		{"a part", FoundPart(2, 5, ReasonLimit, bad), nil, outcome{RefusedOnError, Coverage{Partial, 2, 5, ReasonLimit}}, true},
		{"a part that may pass", FoundPart(2, 5, ReasonLimit, bad), func(r *Rule) { r.AcceptPart = true }, outcome{AcceptedOnError, Coverage{Partial, 2, 5, ReasonLimit}}, false},
		{"a part is no error", FoundPart(2, 5, ReasonLimit, bad), func(r *Rule) { r.AcceptOnError = true }, outcome{RefusedOnError, Coverage{Partial, 2, 5, ReasonLimit}}, true},
		{"an error is no part", FoundNothing(bad, 0, 5), func(r *Rule) { r.AcceptPart = true }, outcome{RefusedOnError, Coverage{Failed, 0, 5, ReasonError}}, true},
		{"an error that may pass", FoundNothing(bad, 0, 5), func(r *Rule) { r.AcceptOnError = true }, outcome{AcceptedOnError, Coverage{Failed, 0, 5, ReasonError}}, false},
		{"not inspectable", FoundNothing(fmt.Errorf("x: %w", errUnmounted), 0, 5), nil, outcome{RefusedOnError, Coverage{Uninspectable, 0, 5, ReasonUnmounted}}, true},
		{"changed", FoundNothing(ErrChanged, 3, 5), nil, outcome{RefusedOnError, Coverage{Failed, 3, 5, ReasonChanged}}, true},
		{"busy", FoundNothing(ErrBusy, 0, 5), nil, outcome{RefusedOnError, Coverage{Failed, 0, 5, ReasonBusy}}, true},
		{"out of time", FoundNothing(context.DeadlineExceeded, 0, -1), nil, outcome{RefusedOnError, Coverage{TimedOut, 0, -1, ReasonTimeout}}, true},
		{"in shadow", FoundNothing(bad, 0, 5), func(r *Rule) { r.Mode = Shadow }, outcome{WouldRefuseOnError, Coverage{Failed, 0, 5, ReasonError}}, false},
		{"a panic refuses whatever on_error says", Finding{}, func(r *Rule) {
			r.AcceptOnError = true
			r.Inspect = func(context.Context, *Look) Finding { panic("oh") }
		}, outcome{RefusedOnError, Coverage{Failed, 0, -1, ReasonError}}, true},
	} {
		t.Run(r.name, func(t *testing.T) {
			rule := looking("r", inspecting(func(context.Context, *Look) Finding { return r.finding }))
			if r.change != nil {
				r.change(rule)
			}
			refused, steps, _ := lookWith(t, &ContentEnv{Files: &drawer{text: "hello"}}, file("/a"), Chain{rule})
			if diff := cmp.Diff([]outcome{r.want}, steps); diff != "" || refused != r.refused {
				t.Errorf("refused %v, (-want +got):\n%s", refused, diff)
			}
		})
	}
}

func TestUninspectedBytes(t *testing.T) {
	for _, r := range []struct {
		coverage Coverage
		want     int64
	}{
		{Coverage{}, 0},
		{Coverage{State: Clean, Inspected: 5, Total: 100}, 0}, // All that the rule looks at.
		{Coverage{State: Bad, Inspected: 5, Total: 100}, 0},
		{Coverage{State: Partial, Inspected: 5, Total: 100}, 95},
		{Coverage{State: Failed, Total: 100}, 100},
		{Coverage{State: TimedOut, Inspected: 10, Total: -1}, 0}, // Nobody knows how many.
	} {
		if got := r.coverage.Uninspected(); got != r.want {
			t.Errorf("%+v: %d, want %d", r.coverage, got, r.want)
		}
	}
}

// One read serves all rules that want the whole file, and each is told in its
// own way of what went wrong.
func TestReadOnce(t *testing.T) {
	text := strings.Repeat("0123456789", 100_000) // Several pieces.
	var all, some, late string
	consuming := func(into *string, most int) func(*Rule) {
		return func(r *Rule) {
			r.Consume = func(context.Context, *Look) (Consumer, error) { return &collector{most: most, into: into}, nil }
		}
	}
	d := &drawer{text: text}
	chain := Chain{
		looking("all", consuming(&all, 0)),
		looking("some", consuming(&some, 300<<10), func(r *Rule) { r.AcceptOnError = true }),
		looking("cannot-begin", func(r *Rule) {
			r.AcceptOnError = true
			r.Consume = func(context.Context, *Look) (Consumer, error) { return nil, errors.New("no") }
		}),
		looking("inspects-instead", func(r *Rule) {
			r.Consume = func(context.Context, *Look) (Consumer, error) { return nil, nil }
			r.Inspect = func(ctx context.Context, l *Look) Finding {
				head, err := l.Head(ctx)
				if err != nil || len(head) != HeadSize {
					return FoundNothing(fmt.Errorf("%d bytes, %w", len(head), err), 0, l.Size())
				}
				return FoundClean(int64(len(head)), l.Size())
			}
		}),
		looking("late", consuming(&late, 0)),
	}
	refused, steps, _ := lookWith(t, &ContentEnv{Files: d}, file("/a"), chain)
	size := int64(len(text))
	want := []outcome{
		{Passed, Coverage{State: Clean, Inspected: size, Total: size}},
		{AcceptedOnError, Coverage{Failed, 256 << 10, 10, ReasonError}},
		{AcceptedOnError, Coverage{Failed, 0, size, ReasonError}},
		{Passed, Coverage{State: Clean, Inspected: HeadSize, Total: size}},
		{Passed, Coverage{State: Clean, Inspected: size, Total: size}},
	}
	if diff := cmp.Diff(want, steps); diff != "" || refused {
		t.Errorf("refused %v (-want +got):\n%s", refused, diff)
	}
	if all != "1000000 bytes, <nil>" || late != all || some != "262144 bytes, full" {
		t.Errorf("consumers were told %q, %q and %q", all, some, late)
	}
	if d.opened.Load() != 1 || d.reads.Load() != 4+1 { // Four pieces and the head.
		t.Errorf("opened %d times, read %d times", d.opened.Load(), d.reads.Load())
	}
}

func TestAFileThatCannotBeReadOnce(t *testing.T) {
	for _, r := range []struct {
		name string
		from *drawer
		want Coverage
	}{
		{"not there", &drawer{err: &UninspectableError{Reason: ReasonMissing, Detail: "no"}}, Coverage{Uninspectable, 0, 7, ReasonMissing}},
		{"changed", &drawer{text: "hello", changed: ErrChanged}, Coverage{Failed, 5, 10, ReasonChanged}},
		{"no mount", nil, Coverage{Uninspectable, 0, 7, ReasonUnmounted}},
	} {
		t.Run(r.name, func(t *testing.T) {
			var into string
			env := &ContentEnv{}
			if r.from != nil {
				env.Files = r.from
			}
			_, steps, d := lookWith(t, env, file("/a", size(7)), Chain{looking("r", func(r *Rule) {
				r.Consume = func(context.Context, *Look) (Consumer, error) { return &collector{into: &into}, nil }
			})})
			if diff := cmp.Diff([]outcome{{RefusedOnError, r.want}}, steps); diff != "" {
				t.Errorf("%v (-want +got):\n%s", d.Err, diff)
			}
		})
	}
}

// A disk that hangs holds up neither the answer nor, for longer than it hangs,
// the file; a rule's own timeout ends its own look only.
func TestALookThatHangsIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &drawer{text: "hello", hang: true}
		gate := NewGate(1, 0)
		env := &ContentEnv{Files: d, Heads: gate, Now: time.Now}
		reads := inspecting(func(ctx context.Context, l *Look) Finding {
			if _, err := l.Head(ctx); err != nil {
				return FoundNothing(err, 0, l.Size())
			}
			return FoundClean(5, 5)
		})
		slow := looking("slow", reads, func(r *Rule) { r.Cost, r.Timeout, r.AcceptOnError = Head, time.Second, true })
		busy := looking("busy", reads, func(r *Rule) { r.Cost, r.AcceptOnError = Head, true })
		begun := time.Now()
		_, steps, decided := lookWith(t, env, file("/a", size(5)), Chain{slow, busy})
		if took := time.Since(begun); took != time.Second {
			t.Errorf("answered after %s", took)
		}
		want := []outcome{{AcceptedOnError, Coverage{TimedOut, 0, 5, ReasonTimeout}}, {AcceptedOnError, Coverage{Failed, 0, 5, ReasonBusy}}}
		if diff := cmp.Diff(want, steps); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if took := decided.Steps[0].Looked.Took; took != time.Second {
			t.Errorf("the look took %s", took)
		}
		if d.closed.Load() != 0 {
			t.Error("the file was closed under the reader")
		}
		time.Sleep(2 * time.Hour) //nolint:forbidigo // The clock of a bubble.
		synctest.Wait()
		if busy, waiting := gate.Load(); d.closed.Load() != 1 || busy != 0 || waiting != 0 {
			t.Errorf("closed %d times, %d at work, %d waiting", d.closed.Load(), busy, waiting)
		}
	})
}

func TestADeadlineOfAllLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var into string
		d := &drawer{text: "hello", hang: true}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		e := file("/a", size(5))
		l := NewLook(e, &ContentEnv{Files: d})
		rule := looking("r", func(r *Rule) {
			r.Consume = func(context.Context, *Look) (Consumer, error) { return &collector{into: &into}, nil }
		})
		l.ReadOnce(ctx, Chain{rule})
		decision := Begin(e, "")
		if !(Chain{rule}).Look(ctx, l, e, &decision) || decision.Steps[0].Looked.State != TimedOut {
			t.Errorf("got %+v", decision.Steps)
		}
		l.Close()
		time.Sleep(2 * time.Hour) //nolint:forbidigo // The clock of a bubble.
	})
}

func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(2, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		first, err := g.Enter(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Enter(ctx); err != nil {
			t.Fatal(err)
		}
		third := make(chan error)
		go func() { _, err := g.Enter(ctx); third <- err }()
		synctest.Wait()
		if _, err := g.Enter(ctx); !errors.Is(err, ErrBusy) {
			t.Errorf("a fourth: %v", err)
		}
		first()
		if err := <-third; err != nil {
			t.Errorf("the one that waited: %v", err)
		}
		if _, err := g.Enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one that waits too long: %v", err)
		}
		if busy, waiting := g.Load(); busy != 2 || waiting != 0 {
			t.Errorf("%d at work, %d waiting", busy, waiting)
		}
		var open *Gate
		if _, err := open.Enter(ctx); err != nil {
			t.Errorf("no gate: %v", err)
		}
	})
}

// Rules whose when does not hold take no part in reading the file.
func TestAFileIsNotReadForNothing(t *testing.T) {
	never, err := CompileCondition(Env{}, `event.user == "nobody"`)
	if err != nil {
		t.Fatal(err)
	}
	d := &drawer{text: "hello"}
	var into string
	_, steps, _ := lookWith(t, &ContentEnv{Files: d}, file("/a", func(e *Event) { e.User = "x" }), Chain{looking("r", func(r *Rule) {
		r.When = never
		r.Consume = func(context.Context, *Look) (Consumer, error) { return &collector{into: &into}, nil }
	})})
	if d.opened.Load() != 0 || len(steps) != 1 || steps[0].Outcome != Skipped {
		t.Errorf("opened %d times, %+v", d.opened.Load(), steps)
	}
}

func TestChecksumVerify(t *testing.T) {
	const hello = "hello"
	sha256Hello, md5Hello := "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", "5d41402abc4b2a76b9719d911017c592"
	env := folder{"sha256": sha256Hello, "md5": md5Hello, "other": goodDigest}.env("")
	says := func(algorithm, digest string) *Event {
		return file("/a", func(e *Event) { e.ChecksumType, e.Checksum, e.Phase = algorithm, digest, PhaseStop })
	}
	for _, r := range []struct {
		settings string
		event    *Event
		want     outcome
		found    string
	}{
		{`{"verify": true}`, says("sha256", sha256Hello), outcome{Passed, Coverage{Clean, 5, 5, ""}}, ""},
		{`{"verify": true}`, says("MD5", strings.ToUpper(md5Hello)), outcome{Passed, Coverage{Clean, 5, 5, ""}}, ""},
		{`{"verify": true}`, says("sha256", goodDigest), outcome{Refused, Coverage{Bad, 5, 5, ""}}, "sha256 " + sha256Hello},
		{`{"verify": true}`, says("none", ""), outcome{RefusedOnError, Coverage{Failed, 0, 5, ReasonError}}, ""},
		{`{"verify": true, "require": ["sha256"]}`, says("md5", md5Hello), outcome{Refused, Coverage{Bad, 5, 5, ""}}, "md5"},
		{`{"verify": true, "deny": "sha256"}`, says("md5", md5Hello), outcome{Refused, Coverage{Bad, 5, 5, ""}}, "sha256 " + sha256Hello},
		{`{"verify": true, "deny": "other"}`, says("md5", md5Hello), outcome{Passed, Coverage{Clean, 5, 5, ""}}, ""},
		{`{"verify": true, "allow": ["sha256"]}`, says("md5", md5Hello), outcome{Passed, Coverage{Clean, 5, 5, ""}}, ""},
		{`{"verify": true, "allow": ["other"]}`, says("md5", md5Hello), outcome{Refused, Coverage{Bad, 5, 5, ""}}, "md5 " + md5Hello},
	} {
		c := compile(t, checksumKind(), env, r.settings)
		rule := ruleOf(checksumKind(), env, c)
		rule.Consume, rule.Cost = c.Consume, c.Cost
		_, steps, d := lookWith(t, &ContentEnv{Files: &drawer{text: hello}}, r.event, Chain{rule})
		if diff := cmp.Diff([]outcome{r.want}, steps); diff != "" {
			t.Errorf("%s (-want +got):\n%s", r.settings, diff)
			continue
		}
		if detail := d.Steps[0].Detail; r.found != "" && detail.Saw != r.found {
			t.Errorf("%s: found %q, want %q", r.settings, detail.Saw, r.found)
		}
	}
}

func TestHeadOfAShortFile(t *testing.T) {
	l := NewLook(file("/a"), &ContentEnv{Files: &drawer{text: "hello"}, Throttle: func(ctx context.Context, n int) error {
		if n != 5 {
			return io.ErrShortBuffer
		}
		return nil
	}})
	defer l.Close()
	head, err := l.Head(t.Context())
	if string(head) != "hello" || err != nil {
		t.Errorf("got %q, %v", head, err)
	}
}

// A consumer that waits for somebody else, such as a scanner that hangs, takes no
// place among those that read files.
func TestWhoWaitsTakesNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := &ContentEnv{Files: &drawer{text: "hello"}, Wholes: NewGate(1, 0), Now: time.Now}
		hangs := looking("scan", func(r *Rule) {
			r.Waits, r.Timeout = true, time.Minute
			r.Consume = func(ctx context.Context, _ *Look) (Consumer, error) { return hanging{ctx}, nil }
		})
		answered := make(chan []outcome)
		go func() {
			_, steps, _ := lookWith(t, env, file("/a", size(5)), Chain{hangs})
			answered <- steps
		}()
		synctest.Wait()
		var into string
		begun := time.Now()
		_, steps, _ := lookWith(t, env, file("/b", size(5)), Chain{looking("verify", func(r *Rule) {
			r.Consume = func(context.Context, *Look) (Consumer, error) { return &collector{into: &into}, nil }
		})})
		if steps[0].Outcome != Passed || time.Since(begun) != 0 {
			t.Errorf("another file: %+v after %s", steps, time.Since(begun))
		}
		if steps := <-answered; steps[0].Coverage.State != TimedOut {
			t.Errorf("the file that hangs: %+v", steps)
		}
		if busy, waiting := env.Wholes.Load(); busy != 0 || waiting != 0 {
			t.Errorf("%d at work, %d waiting", busy, waiting)
		}
	})
}

// hanging is a Consumer that waits until its time is over.
type hanging struct{ ctx context.Context }

func (h hanging) Write([]byte) (int, error) { <-h.ctx.Done(); return 0, context.Cause(h.ctx) }

func (h hanging) Finish(_ context.Context, read int64, err error) Finding {
	return FoundNothing(err, read, 5)
}
