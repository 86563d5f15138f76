package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/policies/store/tally"
	"github.com/sluiceproject/sluice/rules"
)

// patience is a budget of those who do not try out what becomes of a short one.
const patience = 30 * time.Second

// day counts a file of a counter that may have so many in a day.
func day(counter, file string, files int64) rules.Count {
	return rules.Count{Counter: counter, File: file, To: 10, Window: 24 * time.Hour, Files: files}
}

// count counts, and fails the test if that cannot be.
func count(t *testing.T, c rules.Counters, what rules.Count) rules.Counted {
	t.Helper()
	counted, err := c.Count(t.Context(), what)
	if err != nil {
		t.Fatal(err)
	}
	return counted
}

// twoStores are one with the engine, which listens, and one beside it.
func twoStores(t *testing.T) (first, second *Store) {
	t.Helper()
	const secret = "a secret of the fleet"
	first = open(t, Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", Token: secret})
	return first, open(t, Options{Servers: []string{"nats://" + first.Address().String()}, Token: secret})
}

// TestExactlyAsManyAsAllowed: 64 callers on two validators ask for 400 files, each
// on both of them, and 100 are allowed: the same ones wherever they are asked for.
func TestExactlyAsManyAsAllowed(t *testing.T) {
	first, second := twoStores(t)
	replicas := []*Counters{first.Counters(patience), second.Counters(patience)}
	const files, limit = 400, 100
	var allowed, asked [files]atomic.Int32
	var group sync.WaitGroup
	for caller := range 64 {
		group.Go(func() {
			for n := caller; n < 2*files; n += 64 {
				counted, err := replicas[caller%2].Count(t.Context(), day("c", fmt.Sprint(n/2), limit))
				if err != nil {
					t.Error(err)
					return
				}
				asked[n/2].Add(1)
				if counted.Allowed {
					allowed[n/2].Add(1)
				}
			}
		})
	}
	group.Wait()
	n := 0
	for i := range files {
		if asked[i].Load() != 2 {
			t.Errorf("the file %d was asked for %d times", i, asked[i].Load())
		}
		if allowed[i].Load() > 0 {
			n++
		}
	}
	if n != limit {
		t.Errorf("%d of %d files were allowed, and the limit is %d", n, files, limit)
	}
	want := rules.Counted{Files: limit + 1, Bytes: 10*limit + 10}
	for i, r := range replicas {
		if diff := cmp.Diff(want, count(t, r, day("c", "one more", limit))); diff != "" {
			t.Errorf("the validator %d (-want +got):\n%s", i+1, diff)
		}
	}
	if stats := replicas[0].Stats(); stats.Files != limit || stats.Counters != 1 || stats.Failed != 0 || !stats.Ready {
		t.Errorf("got %+v", stats)
	}
}

func TestWhatOneValidatorCountsTheOtherKnows(t *testing.T) {
	first, second := twoStores(t)
	a, b := first.Counters(patience), second.Counters(patience)
	for _, step := range []struct {
		by   *Counters
		what rules.Count
		want rules.Counted
	}{
		{a, rules.Count{File: "x", To: 60}, rules.Counted{Allowed: true, Files: 1, Bytes: 60}},
		{b, rules.Count{File: "x", To: 60}, rules.Counted{Allowed: true, Files: 1, Bytes: 60}},
		{b, rules.Count{File: "y", To: 50}, rules.Counted{Files: 2, Bytes: 110}},
		{a, rules.Count{File: "x", To: 40, Final: true}, rules.Counted{Allowed: true, Files: 1, Bytes: 40}},
		{b, rules.Count{File: "y", To: 50}, rules.Counted{Allowed: true, Files: 2, Bytes: 90}},
		{a, rules.Count{File: "y", To: 60}, rules.Counted{Allowed: true, Files: 2, Bytes: 100}},
	} {
		step.what.Counter, step.what.Window, step.what.Bytes = "c", time.Hour, 100
		if diff := cmp.Diff(step.want, count(t, step.by, step.what)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", step.what, diff)
		}
	}
}

func TestADryCountCountsNothing(t *testing.T) {
	c := open(t, Options{Dir: t.TempDir()}).Counters(patience)
	what := day("c", "a", 1)
	for _, dry := range []bool{true, true, false, true} {
		what.Dry = dry
		if counted := count(t, c, what); counted != (rules.Counted{Allowed: true, Files: 1, Bytes: 10}) {
			t.Errorf("got %+v", counted)
		}
	}
	what.File, what.Dry = "b", true
	if counted := count(t, c, what); counted != (rules.Counted{Files: 2, Bytes: 20}) {
		t.Errorf("got %+v", counted)
	}
	if applied := c.Stats().Applied; applied != 1 {
		t.Errorf("%d messages", applied)
	}
}

func TestCountsOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	const files = 50
	for restart := range 3 {
		s, err := Open(t.Context(), Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		c := s.Counters(patience)
		for n := range files {
			if counted := count(t, c, day("c", fmt.Sprint(n), files)); !counted.Allowed || restart > 0 && counted.Files != files {
				t.Errorf("after %d restarts the file %d gets %+v", restart, n, counted)
			}
		}
		if count(t, c, day("c", "one more", files)).Allowed {
			t.Errorf("after %d restarts there is one more", restart)
		}
		s.Close()
	}
}

// TestNobodyAnswersBeforeAllIsRead: a validator that has just started, while others
// go on to count, never takes a part for the whole.
func TestNobodyAnswersBeforeAllIsRead(t *testing.T) {
	first, second := twoStores(t)
	before := first.Counters(patience)
	const limit = 500
	var group sync.WaitGroup
	for caller := range 50 {
		group.Go(func() {
			for n := caller; n < limit; n += 50 {
				if _, err := before.Count(t.Context(), day("c", fmt.Sprint(n), limit)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	for range 5 {
		late := second.Counters(patience)
		if counted := count(t, late, day("c", "one more", limit)); counted.Allowed || counted.Files != limit+1 {
			t.Errorf("it answers %+v", counted)
		}
	}
}

func TestAnEngineThatIsNotThereIsAnErrorOfCounts(t *testing.T) {
	s := open(t, Options{Servers: []string{"nats://127.0.0.1:1"}})
	c := s.Counters(time.Millisecond)
	if _, err := c.Count(t.Context(), day("c", "a", 1)); !errors.Is(err, ErrAway) {
		t.Errorf("got %v", err)
	}
	if stats := c.Stats(); stats.Failed != 1 || stats.Ready {
		t.Errorf("got %+v", stats)
	}
}

func TestACountThatCannotBeIsAnError(t *testing.T) {
	c := open(t, Options{Dir: t.TempDir()}).Counters(patience)
	if _, err := c.Count(t.Context(), rules.Count{Counter: "c", File: "a"}); err == nil || errors.Is(err, ErrAway) {
		t.Errorf("a count without a window gets %v", err)
	}
}

func TestWhoeverGivesUpWaitsNoLonger(t *testing.T) {
	c := open(t, Options{Servers: []string{"nats://127.0.0.1:1"}}).Counters(time.Hour)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := c.Count(ctx, day("c", "a", 1)); !errors.Is(err, ErrAway) {
		t.Errorf("got %v", err)
	}
}

// hungEngine passes bytes between a store and an engine until it is told to hang.
type hungEngine struct {
	listener net.Listener
	mu       sync.Mutex
}

// behind returns the address of an engine that can hang.
func (h *hungEngine) behind(t *testing.T, address string) string {
	t.Helper()
	var err error
	if h.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.listener.Close() })
	pass := func(to, from net.Conn) {
		defer to.Close()
		buffer := make([]byte, 64<<10)
		for {
			n, err := from.Read(buffer)
			h.mu.Lock() // Held while it hangs.
			_, failed := to.Write(buffer[:n])
			h.mu.Unlock()
			if err != nil || failed != nil {
				return
			}
		}
	}
	go func() {
		for {
			visitor, err := h.listener.Accept()
			if err != nil {
				return
			}
			engine, err := net.Dial("tcp", address)
			if err != nil {
				visitor.Close()
				continue
			}
			go pass(engine, visitor)
			go pass(visitor, engine)
		}
	}()
	return "nats://" + h.listener.Addr().String()
}

// TestAHungEngine: whoever counts while the engine hangs gets an error in his
// budget, and once it goes on nothing was counted twice.
func TestAHungEngine(t *testing.T) {
	const secret = "a secret of the fleet"
	engine := open(t, Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", Token: secret})
	var hung hungEngine
	s := open(t, Options{Servers: []string{hung.behind(t, engine.Address().String())}, Token: secret})
	sure, hasty := s.Counters(patience), s.Counters(20*time.Millisecond)
	count(t, sure, day("c", "before", 10))
	for counted := false; !counted; { // Until it has read the stream.
		_, err := hasty.Count(t.Context(), day("c", "before", 10))
		counted = err == nil
	}

	hung.mu.Lock()
	for n := range 3 {
		if _, err := hasty.Count(t.Context(), day("c", fmt.Sprint("meanwhile ", n), 10)); !errors.Is(err, ErrAway) {
			t.Errorf("while the engine hangs the error is %v", err)
		}
	}
	if counted, err := hasty.Count(t.Context(), day("c", "before", 10)); err != nil || !counted.Allowed {
		t.Errorf("what adds nothing gets %+v and %v", counted, err)
	}
	hung.mu.Unlock()

	for n := range 3 {
		count(t, sure, day("c", fmt.Sprint("meanwhile ", n), 10))
	}
	if counted := count(t, sure, day("c", "after", 10)); counted.Files != 5 {
		t.Errorf("5 files were counted as %d", counted.Files)
	}
	if failed := hasty.Stats().Failed; failed < 3 {
		t.Errorf("%d counts have failed", failed)
	}
}

// TestAStreamThatIsGone: the counters begin anew, and say so.
func TestAStreamThatIsGone(t *testing.T) {
	told := make(chan Happening, 100)
	s := open(t, Options{Dir: t.TempDir(), Told: func(h Happening) { told <- h }})
	c := s.Counters(patience)
	for n := range 5 {
		count(t, c, day("c", fmt.Sprint(n), 5))
	}
	if err := s.js.DeleteStream(t.Context(), s.named("counts")); err != nil {
		t.Fatal(err)
	}
	for h := range told {
		if h.What == Odd && errors.Is(h.Err, errOther) {
			break
		}
	}
	if counted := count(t, c, day("c", "5", 5)); counted != (rules.Counted{Allowed: true, Files: 1, Bytes: 10}) {
		t.Errorf("got %+v", counted)
	}
}

// TestAStreamOfWhichAllIsOver is read to its end although there is nothing.
func TestAStreamOfWhichAllIsOver(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	count(t, s.Counters(patience), day("c", "a", 1))
	stream, err := s.js.Stream(t.Context(), s.named("counts"))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if counted := count(t, s.Counters(patience), day("c", "b", 1)); !counted.Allowed {
		t.Errorf("got %+v", counted)
	}
}

func TestOddMessagesOfCountsArePassedOver(t *testing.T) {
	var told []Happening
	var mu sync.Mutex
	s := open(t, Options{Dir: t.TempDir(), Told: func(h Happening) {
		mu.Lock()
		defer mu.Unlock()
		if h.What == Odd { // The connection tells of itself, too.
			told = append(told, h)
		}
	}})
	c := s.Counters(patience)
	count(t, c, day("c", "a", 2))
	for _, text := range []string{"", "rubbish", "\x01"} {
		if _, err := s.js.Publish(t.Context(), s.subject("counts"), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if counted := count(t, c, day("c", "b", 2)); counted != (rules.Counted{Allowed: true, Files: 2, Bytes: 20}) {
		t.Errorf("got %+v", counted)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(told) != 1 || told[0].Err == nil {
		t.Errorf("of three odd messages this was told: %v", told)
	}
	if odd := c.Stats().Odd; odd != 3 {
		t.Errorf("%d odd messages", odd)
	}
}

// TestAFullStreamIsAnErrorOfCounts and not of the engine, which is there.
func TestAFullStreamIsAnErrorOfCounts(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), MaxBytes: 8 << 10})
	c := s.Counters(patience)
	for n := range 100 {
		_, err := c.Count(t.Context(), day("c", fmt.Sprint(n), 0))
		if errors.Is(err, ErrAway) {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
	}
	t.Error("a stream of 1 KiB took 100 counts")
}

// BenchmarkCount counts on the engine in the process.
func BenchmarkCount(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s, err := Open(b.Context(), Options{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			c := s.Counters(patience)
			var n atomic.Int64
			ask := func() bool {
				i := n.Add(1)
				_, err := c.Count(context.Background(), day("c", fmt.Sprint(i), 0))
				if err != nil {
					b.Error(err)
				}
				return i < int64(b.N)
			}
			ask()
			b.ResetTimer()
			var group sync.WaitGroup
			for range callers {
				group.Go(func() {
					for ask() {
					}
				})
			}
			group.Wait()
		})
	}
}

// BenchmarkCountersStart reads a stream of messages of one entry, as those of a
// service are that is not busy.
func BenchmarkCountersStart(b *testing.B) {
	s, err := Open(b.Context(), Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if _, err := (&Counters{s: s}).counts(b.Context()); err != nil {
		b.Fatal(err)
	}
	batch := tally.Batch{Entries: make([]tally.Entry, 1)}
	for n := range b.N {
		what := day("c", fmt.Sprint(n), 0)
		batch.Entries[0], _ = tally.EntryOf(&what)
		if _, err := s.js.PublishAsync(s.subject("counts"), batch.Append(nil)); err != nil {
			b.Fatal(err)
		}
	}
	<-s.js.PublishAsyncComplete()
	b.ResetTimer()
	c := s.Counters(time.Hour)
	if counted, err := c.Count(b.Context(), day("c", "one more", 0)); err != nil || counted.Files != int64(b.N)+1 {
		b.Fatalf("%+v, %v", counted, err)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

// TestWhatIsRefusedIsNotStored: a stream that is read again when what stood in the way
// is over would otherwise count it.
func TestWhatIsRefusedIsNotStored(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	c := s.Counters(time.Minute)
	for n := range 10 {
		counted, err := c.Count(t.Context(), rules.Count{Counter: "c", File: fmt.Sprint(n), To: 1, Window: time.Hour, Files: 3})
		if err != nil || counted.Allowed != (n < 3) {
			t.Fatalf("file %d: %+v, %v", n, counted, err)
		}
	}
	stream, err := s.js.Stream(t.Context(), s.named("counts"))
	if err != nil {
		t.Fatal(err)
	}
	if n := stream.CachedInfo().State.LastSeq; n != 3 {
		t.Errorf("the stream has %d messages of 3 files that are counted", n)
	}
}
