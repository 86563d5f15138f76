package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"
)

// logLines are records of a log with so many bytes each, from first to last.
func logLines(log string, first, last, size int) (lines [][]byte) {
	for n := first; n <= last; n++ {
		line := fmt.Appendf(nil, `{"seq":%d,"prev":"%x","id":"%s-%d","fill":"`, n, sha256.Sum256(fmt.Append(nil, log, n-1)), log, n)
		line = append(line, strings.Repeat("x", max(size-len(line)-2, 0))...)
		lines = append(lines, append(line, `"}`...))
	}
	return lines
}

// publish stores lines, in batches as a sink does.
func publish(t *testing.T, w *DecisionWriter, lines [][]byte) {
	t.Helper()
	for batch := range slices.Chunk(lines, 100) {
		done, tooLong, err := w.Publish(t.Context(), batch)
		if err != nil || done != len(batch) || len(tooLong) > 0 {
			t.Fatalf("of %d records %d are stored, %v are too long, and the error is %v", len(batch), done, tooLong, err)
		}
	}
}

// read returns what a query finds, as instance and number of each record.
func readDecisions(t *testing.T, s *Store, q DecisionQuery) (found []string) {
	t.Helper()
	for d, err := range s.Decisions(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, fmt.Sprint(d.Instance, " ", sequenceOf(d.Line)))
	}
	return found
}

func named(instance string, first, last int) (list []string) {
	for n := first; n <= last; n++ {
		list = append(list, fmt.Sprint(instance, " ", n))
	}
	return list
}

// messages is how many messages the stream has.
func messages(t *testing.T, s *Store) uint64 {
	t.Helper()
	info, err := s.decisionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.State.Msgs
}

// two returns two stores on one engine.
func two(t *testing.T) (*Store, *Store) {
	t.Helper()
	a := open(t, Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", Token: "a secret of the fleet", Instance: "a"})
	return a, open(t, Options{Servers: []string{"nats://" + a.Address().String()}, Token: "a secret of the fleet", Instance: "b"})
}

func TestDecisionsOfAllServices(t *testing.T) {
	a, b := two(t)
	if found := readDecisions(t, b, DecisionQuery{}); found != nil {
		t.Errorf("before anything was stored there is %v", found)
	}
	first, second := a.DecisionWriter("dmz/1 – élan"), b.DecisionWriter("b")
	publish(t, first, logLines("a", 1, 250, 200))
	publish(t, second, logLines("b", 1, 30, 200))
	publish(t, first, logLines("a", 251, 300, 200))
	want := slices.Concat(named("dmz/1 – élan", 1, 250), named("b", 1, 30), named("dmz/1 – élan", 251, 300))
	for _, s := range []*Store{a, b} {
		if diff := cmp.Diff(want, readDecisions(t, s, DecisionQuery{})); diff != "" {
			t.Errorf("in order of storing (-want +got):\n%s", diff)
		}
	}
	if diff := cmp.Diff(named("b", 1, 30), readDecisions(t, a, DecisionQuery{Instance: "b"})); diff != "" {
		t.Errorf("of one service (-want +got):\n%s", diff)
	}
	from, to, err := a.DecisionMessages(t.Context())
	if err != nil || from != 1 || to != 5 {
		t.Fatalf("the stream has the messages %d to %d, %v", from, to, err)
	}
	if diff := cmp.Diff(named("b", 1, 30), readDecisions(t, a, DecisionQuery{From: 4, To: 4})); diff != "" {
		t.Errorf("of one message (-want +got):\n%s", diff)
	}
	if found := readDecisions(t, a, DecisionQuery{Since: time.Now().Add(time.Hour)}); found != nil {
		t.Errorf("of the future there is %v", found)
	}
	if found := readDecisions(t, a, DecisionQuery{Since: time.Now().Add(-time.Hour)}); len(found) != len(want) {
		t.Errorf("of the last hour there are %d records", len(found))
	}
	names, err := a.DecisionInstances(t.Context())
	if diff := cmp.Diff([]string{"b", "dmz/1 – élan"}, names); err != nil || diff != "" {
		t.Errorf("the services (-want +got): %v\n%s", err, diff)
	}
}

func TestALineIsStoredAsItIs(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	lines := logLines("a", 1, 3, 4<<20) // Each larger than a message of many.
	publish(t, s.DecisionWriter("a"), lines)
	var got [][]byte
	for d, err := range s.Decisions(t.Context(), DecisionQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, bytes.Clone(d.Line))
	}
	if !slices.EqualFunc(lines, got, bytes.Equal) {
		t.Errorf("%d records came back, and not as they were", len(got))
	}
	if n := messages(t, s); n != 3 {
		t.Errorf("they are in %d messages", n)
	}
}

// TestARecordIsStoredOnce although what publishes does not know how far it came.
func TestARecordIsStoredOnce(t *testing.T) {
	lines := logLines("a", 1, 1000, 3000)
	for _, row := range []struct {
		name string
		from int // where it goes on
	}{
		{"at the end", 1000},
		{"a few before the end", 997},
		{"in the middle of a message", 803},
		{"far before", 150},
		{"all anew", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(t, Options{Dir: t.TempDir()})
			publish(t, s.DecisionWriter("other"), logLines("other", 1, 50, 100))
			publish(t, s.DecisionWriter("a"), lines)
			publish(t, s.DecisionWriter("other"), logLines("other", 51, 100, 100))
			before := messages(t, s)
			again := s.DecisionWriter("a")
			publish(t, again, lines[row.from:])
			if now := messages(t, s); now != before {
				t.Errorf("%d messages became %d", before, now)
			}
			publish(t, again, logLines("a", 1001, 1010, 3000))
			if diff := cmp.Diff(named("a", 1, 1010), readDecisions(t, s, DecisionQuery{Instance: "a"})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestALogThatBeganAnew is another log, whose numbers were there before.
func TestALogThatBeganAnew(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	publish(t, s.DecisionWriter("a"), logLines("old", 1, 300, 500))
	publish(t, s.DecisionWriter("a"), logLines("new", 1, 200, 500))
	publish(t, s.DecisionWriter("a"), logLines("new", 150, 400, 500))
	want := slices.Concat(named("a", 1, 300), named("a", 1, 400))
	if diff := cmp.Diff(want, readDecisions(t, s, DecisionQuery{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWhatWasStoredTwiceIsReadOnce: a message that comes late, after its records
// were sent again in others.
func TestWhatWasStoredTwiceIsReadOnce(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	lines := logLines("a", 1, 20, 100)
	publish(t, s.DecisionWriter("a"), lines[:10])
	late := append(bytes.Join(lines[5:12], []byte("\n")), '\n')
	if _, err := s.js.Publish(t.Context(), s.subject("decisions."+nameToken("a")), late); err != nil {
		t.Fatal(err)
	}
	publish(t, s.DecisionWriter("a"), lines[10:])
	if diff := cmp.Diff(named("a", 1, 20), readDecisions(t, s, DecisionQuery{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestHostileMessages are handed on as lines that are no records, and stop nothing.
func TestHostileMessages(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	w := s.DecisionWriter("a")
	publish(t, w, logLines("a", 1, 3, 100))
	for _, m := range []struct{ token, data string }{
		{"who", "no record\n"},
		{"n!!", `{"seq":7`},
		{nameToken("a"), "\n\n"},
		{nameToken("a"), ""},
		{nameToken("a"), `{"seq":99999999999999999999,"prev":""}`},
		{nameToken("a"), `{"seq":-1,"prev":""}` + "\n\x00\xff"},
	} {
		if _, err := s.js.Publish(t.Context(), s.subject("decisions."+m.token), []byte(m.data)); err != nil {
			t.Fatal(err)
		}
	}
	publish(t, s.DecisionWriter("a"), logLines("a", 4, 6, 100))
	want := slices.Concat(named("a", 1, 3), []string{"who 0", "n!! 0", "a 0", "a 0", "a 0"}, named("a", 4, 6))
	if diff := cmp.Diff(want, readDecisions(t, s, DecisionQuery{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestARecordThatNoMessageTakes(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	lines := slices.Concat(logLines("a", 1, 2, 100), logLines("a", 3, 3, maxMessage), logLines("a", 4, 5, 100))
	done, tooLong, err := s.DecisionWriter("a").Publish(t.Context(), lines)
	if err != nil || done != 5 || len(tooLong) != 1 || tooLong[0].Index != 2 {
		t.Errorf("%d are stored, %v are too long, and the error is %v", done, tooLong, err)
	}
	if diff := cmp.Diff([]string{"a 1", "a 2", "a 4", "a 5"}, readDecisions(t, s, DecisionQuery{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTheStreamIsBounded by its size: the oldest decisions go.
func TestTheStreamIsBounded(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), KeepDecisionBytes: 1 << 20})
	publish(t, s.DecisionWriter("a"), logLines("a", 1, 3000, 1000))
	found := readDecisions(t, s, DecisionQuery{})
	if n := len(found); n < 500 || n > 1050 || found[n-1] != "a 3000" {
		t.Errorf("of 3000 records of 1000 bytes there are %d, the last is %s", n, found[n-1])
	}
	info, err := s.decisionInfo(t.Context())
	if err != nil || info.Config.MaxAge != 30*24*time.Hour || info.State.Bytes > 1<<20 {
		t.Errorf("the stream has %d bytes and keeps them for %s, %v", info.State.Bytes, info.Config.MaxAge, err)
	}
	// What is gone is stored again when it is sent again: nothing tells that it was there.
	publish(t, s.DecisionWriter("a"), logLines("a", 3001, 3010, 1000))
}

func TestAStreamThatIsLargerThanTheEngineMayBe(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), MaxBytes: 1 << 20, KeepDecisionBytes: 2 << 20})
	_, _, err := s.DecisionWriter("a").Publish(t.Context(), logLines("a", 1, 2, 10))
	if err == nil || errors.Is(err, ErrAway) || !strings.Contains(err.Error(), "keep_decision_bytes") {
		t.Errorf("the error is %v", err)
	}
}

func TestADecisionStreamThatWasRemovedIsMadeAnew(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	w := s.DecisionWriter("a")
	publish(t, w, logLines("a", 1, 5, 100))
	if err := s.js.DeleteStream(t.Context(), s.named("decisions")); err != nil {
		t.Fatal(err)
	}
	lines := logLines("a", 6, 8, 100)
	if done, _, err := w.Publish(t.Context(), lines); err == nil || done > 0 {
		t.Fatalf("without a stream %d were stored, %v", done, err)
	}
	publish(t, w, lines)
	if diff := cmp.Diff(named("a", 6, 8), readDecisions(t, s, DecisionQuery{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestPublishingWithoutAnEngine is an error, and reading as well.
func TestPublishingWithoutAnEngine(t *testing.T) {
	s := open(t, Options{Servers: []string{"nats://127.0.0.1:1"}})
	if done, _, err := s.DecisionWriter("a").Publish(t.Context(), logLines("a", 1, 2, 10)); done != 0 || !errors.Is(err, ErrAway) {
		t.Errorf("%d were stored, and the error is %v", done, err)
	}
	if _, _, err := s.DecisionMessages(t.Context()); !errors.Is(err, ErrAway) {
		t.Errorf("asking for the stream: %v", err)
	}
}

// TestFollowingDecisions goes on when the engine was away, with each record once.
func TestFollowingDecisions(t *testing.T) {
	o := Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", Token: "a secret of the fleet"}
	engine, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Listen = engine.Address().String() // The same, when it comes back.
	reader := open(t, Options{Servers: []string{"nats://" + o.Listen}, Token: o.Token})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	found := make(chan string)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for d, err := range reader.Decisions(ctx, DecisionQuery{Follow: true}) {
			if err != nil {
				t.Error(err)
				return
			}
			select {
			case found <- fmt.Sprint(d.Instance, " ", sequenceOf(d.Line)):
			case <-ctx.Done():
				return
			}
		}
	}()
	next := func(n int) (got []string) {
		for range n {
			select {
			case one := <-found:
				got = append(got, one)
			case <-time.After(time.Minute):
				t.Fatalf("only %v came", got)
			}
		}
		return got
	}
	publish(t, engine.DecisionWriter("a"), logLines("a", 1, 5, 100))
	got := next(5)
	engine.Close()
	engine = open(t, o)
	publish(t, engine.DecisionWriter("a"), logLines("a", 4, 9, 100))
	if diff := cmp.Diff(named("a", 1, 9), append(got, next(4)...)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	stop()
	<-ended
}

// TestAnyRestartLosesAndRepeatsNothing: a publisher that ends at any time and goes
// on at any place that it had noted.
func TestAnyRestartLosesAndRepeatsNothing(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	const records = 600
	lines := logLines("a", 1, records, 2000)
	random := rand.New(rand.NewPCG(1, 2))
	noted, sent := 0, 0
	for sent < records {
		w := s.DecisionWriter("a")
		at := noted
		for range 1 + random.IntN(4) {
			n := min(1+random.IntN(60), records-at)
			if n == 0 {
				break
			}
			publish(t, w, lines[at:at+n])
			at += n
		}
		sent = max(sent, at)
		noted += random.IntN(at - noted + 1) // The rest was not noted.
	}
	if diff := cmp.Diff(named("a", 1, records), readDecisions(t, s, DecisionQuery{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	bytes := 0
	consumer, err := s.js.OrderedConsumer(t.Context(), s.named("decisions"), jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := consumer.FetchNoWait(10_000)
	if err != nil {
		t.Fatal(err)
	}
	for m := range batch.Messages() {
		bytes += len(m.Data())
	}
	if want := records * 2001; bytes != want {
		t.Errorf("the stream has %d bytes of records, not %d: some were stored twice", bytes, want)
	}
}
