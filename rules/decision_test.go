package rules

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Rules that say the same of every event.
func objects(_ context.Context, _ *Event) (*Objection, error) {
	return &Objection{Message: builtinMessage("{name} is not wanted ({found})."), Found: "what it saw"}, nil
}

func passes(context.Context, *Event) (*Objection, error) { return nil, nil }

var errTold = errors.New("the scanner is gone")

func cannot(context.Context, *Event) (*Objection, error) {
	return nil, fmt.Errorf("asking: %w", errTold)
}

func panics(context.Context, *Event) (*Objection, error) { panic("a fault in a rule") }

func rule(name string, check Check, change ...func(*Rule)) *Rule {
	r := &Rule{
		Policy: "p", Name: name, Kind: "k", Code: "1022", Phases: EveryPhase, Check: check,
		Saw: func(e *Event) string { return e.File.Name() },
	}
	for _, c := range change {
		c(r)
	}
	return r
}

func shadowed(r *Rule)      { r.Mode = Shadow }
func acceptOnError(r *Rule) { r.AcceptOnError = true }
func needsFile(r *Rule)     { r.NeedsFile = true }
func briefly(r *Rule)       { r.Timeout = time.Millisecond }
func saying(text string) func(*Rule) {
	return func(r *Rule) {
		t, err := ParseTemplate(text)
		if err != nil {
			panic(err)
		}
		r.Message = t
	}
}

// told is a decision and its steps, as text.
type told struct {
	Verdict            Verdict
	Policy, Rule, Kind string
	Steps              []string
}

func decide(t *testing.T, e *Event, chain Chain) (Decision, told) {
	t.Helper()
	d := Begin(e, "0123456789ab")
	if refused := chain.Ask(t.Context(), e, &d); refused == d.Accepted() {
		t.Errorf("Ask says refused: %v, the decision accepted: %v", refused, d.Accepted())
	}
	if d.ID != e.ID || d.Revision != "0123456789ab" {
		t.Errorf("the decision is %s of revision %q", d.ID, d.Revision)
	}
	return d, tell(e, d)
}

func tell(e *Event, d Decision) told {
	out := told{d.Verdict, d.Policy, d.Rule, d.Kind, nil}
	for _, s := range d.Steps {
		text := s.Rule.Name + " " + s.Outcome.String() + " " + s.Saw(e)
		if s.Detail != nil && s.Detail.Verdict != (Verdict{}) {
			text += " " + string(s.Detail.Verdict.Code)
		}
		out.Steps = append(out.Steps, text)
	}
	return out
}

func TestChain(t *testing.T) {
	const unwanted = "a.mov is not wanted (what it saw)."
	untold := func(rule string) string {
		return "This could not be checked by the rule " + rule + ", so it is refused. Ask the server's administrator."
	}
	for _, row := range []struct {
		name  string
		chain Chain
		want  told
		err   error
	}{
		{"nobody is asked", nil, told{}, nil},
		{
			"nobody objects",
			Chain{rule("a", passes), rule("b", passes)},
			told{Steps: []string{"a passed a.mov", "b passed a.mov"}},
			nil,
		},
		{
			"the first objection is the answer, and nobody is asked after it",
			Chain{rule("a", passes), rule("b", objects), rule("c", panics), rule("d", objects)},
			told{Verdict{"1022", unwanted}, "p", "b", "k", []string{"a passed a.mov", "b refused what it saw 1022"}},
			nil,
		},
		{
			"the policy's own message replaces the kind's",
			Chain{rule("a", objects, saying("{name}: no. Ask {user}."))},
			told{Verdict{"1022", "a.mov: no. Ask partner-7."}, "p", "a", "k", []string{"a refused what it saw 1022"}},
			nil,
		},
		{
			"an objection in shadow is recorded, and the next rule is asked",
			Chain{rule("a", objects, shadowed), rule("b", passes)},
			told{Steps: []string{"a would_refuse what it saw 1022", "b passed a.mov"}},
			nil,
		},
		{
			"after a shadow another rule refuses",
			Chain{rule("a", objects, shadowed), rule("b", objects)},
			told{Verdict{"1022", unwanted}, "p", "b", "k", []string{"a would_refuse what it saw 1022", "b refused what it saw 1022"}},
			nil,
		},
		{
			"a rule that cannot tell refuses",
			Chain{rule("a", cannot), rule("b", passes)},
			told{Verdict{"1022", untold("a")}, "p", "a", "k", []string{"a refused_on_error a.mov 1022"}},
			errTold,
		},
		{
			"a rule that cannot tell has its own text, not the policy's",
			Chain{rule("a", cannot, saying("No {name}."))},
			told{Verdict{"1022", untold("a")}, "p", "a", "k", []string{"a refused_on_error a.mov 1022"}},
			errTold,
		},
		{
			"a rule that accepts on error lets the event pass",
			Chain{rule("a", cannot, acceptOnError), rule("b", passes)},
			told{Steps: []string{"a accepted_on_error a.mov", "b passed a.mov"}},
			nil,
		},
		{
			"what accepts on error still objects",
			Chain{rule("a", objects, acceptOnError)},
			told{Verdict{"1022", unwanted}, "p", "a", "k", []string{"a refused what it saw 1022"}},
			nil,
		},
		{
			"a shadow that cannot tell never refuses",
			Chain{rule("a", cannot, shadowed), rule("b", cannot, shadowed, acceptOnError), rule("c", passes)},
			told{Steps: []string{"a would_refuse_on_error a.mov 1022", "b accepted_on_error a.mov", "c passed a.mov"}},
			nil,
		},
		{
			"a panic refuses, with the service's code",
			Chain{rule("a", panics), rule("b", passes)},
			told{CodeInternal.Verdict(), "p", "a", "k", []string{"a refused_on_error a.mov 1004"}},
			&PanicError{},
		},
		{
			"a panic refuses even where errors accept",
			Chain{rule("a", panics, acceptOnError), rule("b", passes)},
			told{CodeInternal.Verdict(), "p", "a", "k", []string{"a refused_on_error a.mov 1004"}},
			&PanicError{},
		},
		{
			"a panic in shadow does not refuse",
			Chain{rule("a", panics, shadowed), rule("b", panics, shadowed, acceptOnError), rule("c", passes)},
			told{Steps: []string{"a would_refuse_on_error a.mov 1004", "b would_refuse_on_error a.mov 1004", "c passed a.mov"}},
			nil,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := file("/in/a.mov", func(e *Event) { e.User, e.ID = "partner-7", ID{7} })
			d, got := decide(t, e, row.chain)
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
			var panicked *PanicError
			if want := (*PanicError)(nil); errors.As(row.err, &want) {
				if !errors.As(d.Err, &panicked) || panicked.Value != "a fault in a rule" || d.Err.Error() != "panic: a fault in a rule" {
					t.Errorf("the error is %v, want a panic", d.Err)
				}
			} else if !errors.Is(d.Err, row.err) || (d.Err == nil) != (row.err == nil) {
				t.Errorf("the error is %v, want %v", d.Err, row.err)
			}
			for _, s := range d.Steps {
				if (s.Outcome == Passed) != (s.Detail == nil) {
					t.Errorf("the step %s %s has the detail %v", s.Rule.Name, s.Outcome, s.Detail)
				}
			}
		})
	}
}

// The error of a shadowed rule, or of one that accepts, is in its step.
func TestStepsKeepTheirErrors(t *testing.T) {
	e := file("/in/a.mov")
	d, _ := decide(t, e, Chain{rule("a", cannot, shadowed), rule("b", cannot, acceptOnError), rule("c", panics, shadowed), rule("d", cannot)})
	for i, want := range []string{"asking: the scanner is gone", "asking: the scanner is gone", "panic: a fault in a rule", "asking: the scanner is gone"} {
		if got := d.Steps[i].Detail.Err; got == nil || got.Error() != want {
			t.Errorf("step %d: %v, want %s", i, got, want)
		}
	}
}

func TestPanicWithNil(t *testing.T) {
	d, _ := decide(t, file("/in/a"), Chain{rule("a", func(context.Context, *Event) (*Objection, error) { panic(nil) })})
	if d.Code != CodeInternal {
		t.Errorf("the decision is %v", d.Verdict)
	}
}

// A rule's timeout reaches it through its context; the others' contexts are as
// the caller's.
func TestTimeout(t *testing.T) {
	waits := func(ctx context.Context, _ *Event) (*Objection, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	unbounded := func(ctx context.Context, _ *Event) (*Objection, error) {
		if _, bounded := ctx.Deadline(); bounded || ctx.Err() != nil {
			return nil, errors.New("the context has an end")
		}
		return nil, nil
	}
	e := file("/in/a.mov")
	d, got := decide(t, e, Chain{rule("a", waits, briefly, acceptOnError), rule("b", unbounded), rule("c", waits, briefly)})
	want := []string{"a accepted_on_error a.mov", "b passed a.mov", "c refused_on_error a.mov 1022"}
	if diff := cmp.Diff(want, got.Steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if !errors.Is(d.Err, context.DeadlineExceeded) || !errors.Is(d.Steps[0].Detail.Err, context.DeadlineExceeded) {
		t.Errorf("the errors are %v and %v", d.Err, d.Steps[0].Detail.Err)
	}
}

func TestSessionEventsSkipRulesThatNeedAFile(t *testing.T) {
	chain := Chain{rule("a", objects, needsFile), rule("b", passes), rule("c", panics, needsFile)}
	_, got := decide(t, session(), chain)
	if diff := cmp.Diff(told{Steps: []string{"b passed "}}, got); diff != "" {
		t.Errorf("a session (-want +got):\n%s", diff)
	}
	// A size without a path, or a path without a size, is about a file.
	for _, e := range []*Event{file("", size(0)), file("/in/a")} {
		if _, got := decide(t, e, chain); got.Rule != "a" {
			t.Errorf("%q of %v bytes is decided by the rule %q", e.File.Raw, e.Size, got.Rule)
		}
	}
}

func TestMoreStepsThanRoom(t *testing.T) {
	var chain Chain
	var want []string
	for i := range 3 * stepRoom {
		name := fmt.Sprintf("r%02d", i)
		if i%5 == 0 {
			chain, want = append(chain, rule(name, objects, shadowed)), append(want, name+" would_refuse what it saw 1022")
		} else {
			chain, want = append(chain, rule(name, passes)), append(want, name+" passed a.mov")
		}
	}
	e := file("/in/a.mov")
	if _, got := decide(t, e, chain); !cmp.Equal(want, got.Steps) {
		t.Errorf("steps (-want +got):\n%s", cmp.Diff(want, got.Steps))
	}
}

// A second decision about an event, as a trial of other policies makes one,
// leaves the first one's steps alone.
func TestASecondDecisionHasStepsOfItsOwn(t *testing.T) {
	e := file("/in/a.mov")
	first, before := decide(t, e, Chain{rule("a", passes), rule("b", objects)})
	_, second := decide(t, e, Chain{rule("x", objects, shadowed), rule("y", passes), rule("z", passes)})
	if diff := cmp.Diff(before, tell(e, first)); diff != "" {
		t.Errorf("the first decision changed (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"x would_refuse what it saw 1022", "y passed a.mov", "z passed a.mov"}, second.Steps); diff != "" {
		t.Errorf("the second (-want +got):\n%s", diff)
	}
	if again := Begin(e, ""); cap(again.Steps) != 0 {
		t.Error("a third decision has the event's room")
	}
}

// Several chains, one after the other, fill one decision: that is how several
// policies decide.
func TestChainsShareADecision(t *testing.T) {
	e := file("/in/a.mov")
	d := Begin(e, "r")
	if (Chain{rule("a", passes)}).Ask(t.Context(), e, &d) || !(Chain{rule("b", objects)}).Ask(t.Context(), e, &d) {
		t.Error("the second chain refuses, not the first")
	}
	if diff := cmp.Diff([]string{"a passed a.mov", "b refused what it saw 1022"}, tell(e, d).Steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestRefuse(t *testing.T) {
	e := file("/in/a.mov", func(e *Event) { e.ID = ID{1} })
	d := Refuse(e, "r", CodeOverloaded.Verdict(), errTold)
	if d.Accepted() || d.ID != e.ID || d.Revision != "r" || d.Code != CodeOverloaded || !errors.Is(d.Err, errTold) || d.Rule != "" || d.Steps != nil {
		t.Errorf("the decision is %+v", d)
	}
}

func TestStepSawWithoutSaw(t *testing.T) {
	if got := (Step{Rule: &Rule{}}).Saw(&Event{}); got != "" {
		t.Errorf("saw %q", got)
	}
}

func TestFault(t *testing.T) {
	for want, f := range map[string]*Fault{
		"size: too large (byte 7)": {Reason: "size", Message: "too large", Offset: 7},
		"busy: come back":          {Reason: "busy", Message: "come back"},
	} {
		if f.Error() != want {
			t.Errorf("%q, want %q", f.Error(), want)
		}
	}
}

// An event that sixteen real rules accept is decided without an allocation.
func TestAcceptingAllocatesNothing(t *testing.T) {
	var chain Chain
	env := objectionEnv()
	for _, s := range []struct {
		kind     func() Kind
		settings string
	}{
		{pathKind, `{"allow": ["/in/**", "/{a,b}/*.mov"], "deny": ["/in/**/*.tmp"]}`},
		{filenameKind, `{"forbid": ["control", "bidi", "double-extension", "reserved", "trailing-dot", "trailing-space", "alternate-stream", "leading-dot"], "max_bytes": 255}`},
		{extensionKind, `{"allow": ["mov", "mxf"], "deny": ["exe"], "every": true}`},
		{sizeKind, `{"min": 1, "max": "500 GiB"}`},
		{checksumKind, `{"require": ["sha256"], "deny": "bad", "allow": "good"}`},
		{networkKind, `{"allow": ["203.0.113.0/24"], "deny": ["2001:db8::/32"]}`},
		{transferKind, `{"cipher": ["aes-256"], "rate_policy": ["fair"], "target_rate": {"max": "1 Gbps"}}`},
		{scheduleKind, `{"days": ["mon-fri"], "from": "08:00", "to": "18:00", "zone": "Europe/Zurich"}`},
	} {
		c := compile(t, s.kind(), env, s.settings)
		chain = append(chain, ruleOf(s.kind(), env, c), ruleOf(s.kind(), env, c))
	}
	if len(chain) != stepRoom {
		t.Fatalf("%d rules, want %d", len(chain), stepRoom)
	}
	const runs = 100
	events := make([]Event, runs+1) // One more, to warm up.
	for i := range events {
		events[i] = Event{
			Phase: PhaseStop, File: ParsePath("/in/x/A Film (2026).MOV.partial"), Size: Known(1 << 30), Cipher: "AES-256-GCM", RatePolicy: "fair",
			TargetRateKbps: Known(1000), Checksum: goodDigest, ChecksumType: "sha2-256", Received: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
		}
		from("203.0.113.7")(&events[i])
	}
	next := 0
	allocs := testing.AllocsPerRun(runs, func() {
		e := &events[next]
		next++
		d := Begin(e, "r")
		if chain.Ask(context.Background(), e, &d) || len(d.Steps) != stepRoom {
			t.Fatalf("decided after %d steps by %s: %s", len(d.Steps), d.Kind, d.Message)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for each event", allocs)
	}
}
