package tally_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/policies/store/tally"
	"github.com/sluiceproject/sluice/rules"
)

var noon = time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)

// add counts at so many minutes after noon.
func add(tb testing.TB, t *tally.Tally, minute int, c rules.Count) rules.Counted {
	tb.Helper()
	e, err := tally.EntryOf(&c)
	if err != nil {
		tb.Fatal(err)
	}
	counted, err := t.Add(noon.Add(time.Duration(minute)*time.Minute), &e)
	if err != nil {
		tb.Fatal(err)
	}
	return counted
}

// step is an entry of the counter c with a window of an hour, and what comes of it.
type step struct {
	minute       int
	file         string
	from, to     int64
	final        bool
	allowed      bool
	files, bytes int64
}

// TestWhatIsCounted tells transfers: at most 2 files and 100 bytes in an hour.
func TestWhatIsCounted(t *testing.T) {
	for _, tc := range []struct {
		name  string
		steps []step
	}{
		{"one file after the other", []step{
			{0, "a", 0, 40, false, true, 1, 40},
			{1, "a", 0, 40, true, true, 1, 40},
			{2, "b", 0, 60, false, true, 2, 100},
			{3, "c", 0, 0, false, false, 3, 100},
		}},
		{"what is said again adds nothing", []step{
			{0, "a", 0, 40, false, true, 1, 40},
			{0, "a", 0, 40, false, true, 1, 40},
			{1, "a", 0, 30, false, true, 1, 40},
			{2, "a", 0, 40, true, true, 1, 40},
			{2, "a", 0, 40, true, true, 1, 40},
		}},
		{"what was refused was not counted", []step{
			{0, "a", 0, 90, false, true, 1, 90},
			{1, "b", 0, 11, false, false, 2, 101},
			{2, "b", 0, 10, false, true, 2, 100},
		}},
		{"a file grows", []step{
			{0, "a", 0, 40, false, true, 1, 40},
			{1, "a", 0, 100, false, true, 1, 100},
			{2, "a", 0, 101, true, false, 1, 101},
			{3, "a", 0, 100, true, true, 1, 100},
		}},
		{"less moved than was announced", []step{
			{0, "a", 0, 100, false, true, 1, 100},
			{1, "b", 0, 70, false, false, 2, 170},
			{2, "a", 0, 30, true, true, 1, 30},
			{3, "b", 0, 70, false, true, 2, 100},
		}},
		{"a transfer is resumed", []step{
			{0, "a", 0, 100, false, true, 1, 100},
			{1, "a", 0, 30, true, true, 1, 30},
			{2, "a", 30, 100, false, true, 1, 100},
			{3, "a", 30, 100, true, true, 1, 100},
		}},
		{"a file in two parts at once", []step{
			{0, "a", 0, 50, false, true, 1, 50},
			{0, "a", 50, 100, false, true, 1, 100},
			{1, "a", 50, 100, true, true, 1, 100},
			{2, "a", 0, 50, true, true, 1, 100},
		}},
		{"answers overtake each other", []step{
			{0, "a", 0, 60, true, true, 1, 60},
			{0, "a", 0, 60, false, true, 1, 60},
		}},
		{"the window slides", []step{
			{0, "a", 0, 60, false, true, 1, 60},
			{30, "b", 0, 40, false, true, 2, 100},
			{59, "c", 0, 1, false, false, 3, 101},
			{60, "c", 0, 1, false, true, 2, 41},
			{90, "d", 0, 1, false, true, 2, 2},
		}},
		{"a file is counted for the window after it was last told of", []step{
			{0, "a", 0, 60, false, true, 1, 60},
			{50, "a", 0, 60, true, true, 1, 60},
			{109, "b", 0, 41, false, false, 2, 101},
			{110, "b", 0, 41, false, true, 1, 41},
		}},
		{"a clock that goes back changes nothing", []step{
			{0, "a", 0, 60, false, true, 1, 60},
			{60, "b", 0, 1, false, true, 1, 1},
			{59, "a", 0, 99, false, true, 2, 100},
			{119, "c", 0, 1, false, false, 3, 101},
			{120, "c", 0, 1, false, true, 1, 1},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			counters := tally.New(10)
			for i, s := range tc.steps {
				c := rules.Count{Counter: "c", File: s.file, From: s.from, To: s.to, Final: s.final, Window: time.Hour, Files: 2, Bytes: 100}
				want := rules.Counted{Allowed: s.allowed, Files: s.files, Bytes: s.bytes}
				if diff := cmp.Diff(want, add(t, counters, s.minute, c)); diff != "" {
					t.Fatalf("step %d (-want +got):\n%s", i+1, diff)
				}
			}
		})
	}
}

func TestCountersAreApart(t *testing.T) {
	counters := tally.New(10)
	add(t, counters, 0, rules.Count{Counter: "a", File: "bc", To: 5, Window: time.Hour})
	want := rules.Counted{Allowed: true, Files: 1, Bytes: 7}
	if got := add(t, counters, 0, rules.Count{Counter: "ab", File: "c", To: 7, Window: time.Hour}); got != want {
		t.Errorf("got %+v", got)
	}
	if counters.Files() != 2 || counters.Counters() != 2 {
		t.Errorf("%d files of %d counters", counters.Files(), counters.Counters())
	}
}

func TestALimitThatWasLoweredStopsNothingThatIsCounted(t *testing.T) {
	counters := tally.New(10)
	add(t, counters, 0, rules.Count{Counter: "c", File: "a", To: 50, Window: time.Hour})
	add(t, counters, 0, rules.Count{Counter: "c", File: "b", To: 50, Window: time.Hour})
	again := rules.Count{Counter: "c", File: "b", To: 50, Window: time.Hour, Files: 1, Bytes: 10}
	if got := add(t, counters, 1, again); !got.Allowed {
		t.Errorf("the file is counted, and its repetition gets %+v", got)
	}
	if again.To = 51; add(t, counters, 1, again).Allowed {
		t.Error("it may grow beyond the limit")
	}
}

func TestRoomIsBounded(t *testing.T) {
	counters := tally.New(2)
	add(t, counters, 0, rules.Count{Counter: "a", File: "1", Window: time.Hour})
	add(t, counters, 0, rules.Count{Counter: "b", File: "1", Window: time.Hour})
	third, _ := tally.EntryOf(&rules.Count{Counter: "c", File: "1", Window: time.Hour})
	if _, err := counters.Add(noon, &third); !errors.Is(err, tally.ErrFull) {
		t.Errorf("got %v", err)
	}
	if counters.Files() != 2 || counters.Counters() != 2 {
		t.Errorf("%d files of %d counters", counters.Files(), counters.Counters())
	}
	add(t, counters, 1, rules.Count{Counter: "a", File: "1", To: 1, Window: time.Hour}) // It is known.
	add(t, counters, 60, rules.Count{Counter: "c", File: "1", Window: time.Hour})       // The other one has gone.
}

func TestNoSumOverflows(t *testing.T) {
	counters := tally.New(10)
	add(t, counters, 0, rules.Count{Counter: "c", File: "a", To: math.MaxInt64, Window: time.Hour})
	e, _ := tally.EntryOf(&rules.Count{Counter: "c", File: "b", To: 1, Window: time.Hour})
	if _, err := counters.Add(noon, &e); !errors.Is(err, tally.ErrFull) {
		t.Errorf("got %v", err)
	}
}

func TestKnownAnswersWhatAddsNothing(t *testing.T) {
	counters := tally.New(10)
	c := rules.Count{Counter: "c", File: "a", From: 10, To: 50, Window: time.Hour, Files: 1, Bytes: 1}
	ask := func(change func(*rules.Count), minute int) bool {
		asked := c
		change(&asked)
		e, err := tally.EntryOf(&asked)
		if err != nil {
			t.Fatal(err)
		}
		counted, known := counters.Known(noon.Add(time.Duration(minute)*time.Minute), &e)
		if want := (rules.Counted{Allowed: true, Files: 1, Bytes: 40}); known && counted != want {
			t.Errorf("got %+v", counted)
		}
		return known
	}
	same := func(*rules.Count) {}
	if ask(same, 0) {
		t.Error("it knows what it was never told")
	}
	c.Files, c.Bytes = 0, 0
	add(t, counters, 0, c)
	for _, tc := range []struct {
		name   string
		change func(*rules.Count)
		minute int
		known  bool
	}{
		{"the same", same, 0, true},
		{"a part", func(c *rules.Count) { c.From, c.To = 20, 30 }, 0, true},
		{"under a lower limit", func(c *rules.Count) { c.Files, c.Bytes = 1, 1 }, 0, true},
		{"more in front", func(c *rules.Count) { c.From = 9 }, 0, false},
		{"more behind", func(c *rules.Count) { c.To = 51 }, 0, false},
		{"the end", func(c *rules.Count) { c.Final = true }, 0, false},
		{"another file", func(c *rules.Count) { c.File = "b" }, 0, false},
		{"another counter", func(c *rules.Count) { c.Counter = "d" }, 0, false},
		{"after half of the window", same, 30, true},
		{"when it is to be counted longer", same, 31, false},
	} {
		if known := ask(tc.change, tc.minute); known != tc.known {
			t.Errorf("%s: known is %t", tc.name, known)
		}
	}
}

func TestCountsThatCannotBe(t *testing.T) {
	for name, c := range map[string]rules.Count{
		"no window":      {},
		"a long window":  {Window: tally.MaxWindow + 1},
		"a negative one": {Window: -1},
		"from below 0":   {Window: 1, From: -1},
		"to below 0":     {Window: 1, To: -1},
		"files below 0":  {Window: 1, Files: -1},
		"bytes below 0":  {Window: 1, Bytes: -1},
	} {
		if _, err := tally.EntryOf(&c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// heard is an entry that was allowed, at its time.
type heard struct {
	at int64
	e  tally.Entry
}

// model counts by going through all that was ever allowed.
type model struct {
	room  int
	now   int64
	heard []heard
}

// files returns what is known of each file now, had extra been allowed too.
func (m *model) files(extra ...heard) map[tally.Key]*modelFile {
	files := map[tally.Key]*modelFile{}
	for _, h := range append(m.heard[:len(m.heard):len(m.heard)], extra...) {
		f := files[h.e.File]
		if f == nil || f.until <= h.at {
			f = &modelFile{counter: h.e.Counter, from: h.e.From, final: -1}
			files[h.e.File] = f
		}
		f.from, f.until = min(f.from, h.e.From), max(f.until, h.at+int64(h.e.Window))
		if h.e.Final {
			f.final = max(f.final, h.e.To)
			f.to = f.final
		} else {
			f.to = max(f.to, h.e.To)
		}
	}
	for key, f := range files {
		if f.until <= m.now {
			delete(files, key)
		}
	}
	return files
}

type modelFile struct {
	counter         tally.Key
	from, to, final int64
	until           int64
}

func (f *modelFile) size() int64 { return max(0, f.to-f.from) }

func sum(files map[tally.Key]*modelFile, of tally.Key) (n, bytes int64) {
	for _, f := range files {
		if f.counter == of {
			n++
			bytes += f.size()
		}
	}
	return n, bytes
}

func (m *model) add(at int64, e tally.Entry) (rules.Counted, error) {
	m.now = max(m.now, at)
	before, after := m.files(), m.files(heard{m.now, e})
	hadFiles, hadBytes := sum(before, e.Counter)
	files, bytes := sum(after, e.Counter)
	counted := rules.Counted{Files: files, Bytes: bytes}
	if files > hadFiles && e.Files > 0 && files > e.Files || bytes > hadBytes && e.Bytes > 0 && bytes > e.Bytes {
		return counted, nil
	}
	if len(after) > m.room {
		return rules.Counted{}, tally.ErrFull
	}
	m.heard = append(m.heard, heard{m.now, e})
	counted.Allowed = true
	return counted, nil
}

// TestATallyIsItsModel: whatever comes in whatever order, a tally answers as
// somebody who goes through all that was allowed.
func TestATallyIsItsModel(t *testing.T) {
	outcomes := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		room := rapid.IntRange(1, 8).Draw(t, "room")
		got, want := tally.New(room), &model{room: room}
		files, bytes := rapid.Int64Range(0, 4).Draw(t, "files"), rapid.Int64Range(0, 60).Draw(t, "bytes")
		at := noon
		for range rapid.IntRange(1, 60).Draw(t, "entries") {
			at = at.Add(time.Duration(rapid.IntRange(-3, 20).Draw(t, "minutes")) * time.Minute)
			c := rules.Count{
				Counter: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "counter"), File: rapid.SampledFrom([]string{"1", "2", "3", "4", "5"}).Draw(t, "file"),
				From: rapid.Int64Range(0, 20).Draw(t, "from"), To: rapid.Int64Range(0, 40).Draw(t, "to"), Final: rapid.Bool().Draw(t, "final"),
				Window: time.Duration(rapid.IntRange(1, 60).Draw(t, "window")) * time.Minute, Files: files, Bytes: bytes,
			}
			e, err := tally.EntryOf(&c)
			if err != nil {
				t.Fatal(err)
			}
			quick, known := got.Known(at, &e)
			would, wouldErr := got.Would(at, &e)
			counted, err := got.Add(at, &e)
			if would != counted || !errors.Is(wouldErr, err) {
				t.Fatalf("%+v at %s: would be %+v (%v) and is %+v (%v)", c, at, would, wouldErr, counted, err)
			}
			if wanted, wantedErr := want.add(at.UnixNano(), e); counted != wanted || !errors.Is(err, wantedErr) {
				t.Fatalf("%+v at %s: got %+v and %v, want %+v and %v", c, at, counted, err, wanted, wantedErr)
			}
			if known && (!quick.Allowed || !counted.Allowed || err != nil) && at.UnixNano() >= want.now {
				t.Fatalf("%+v at %s: was known as %+v and is %+v (%v)", c, at, quick, counted, err)
			}
			if left := want.files(); got.Files() != len(left) {
				t.Fatalf("%d files are remembered, and %d count", got.Files(), len(left))
			}
			switch {
			case err != nil:
				outcomes["full"]++
			case counted.Allowed:
				outcomes["allowed"]++
			default:
				outcomes["refused"]++
			}
			if known {
				outcomes["known"]++
			}
		}
	})
	if len(outcomes) != 4 {
		t.Errorf("the property saw only %v", outcomes)
	}
}

// BenchmarkAdd counts files of 1,000 counters, with a million in the window.
func BenchmarkAdd(b *testing.B) {
	counters := tally.New(2_000_000)
	var e tally.Entry
	e.Window, e.To = 1_000_000, 1
	n := 0
	next := func() {
		n++
		e.Counter[0], e.Counter[1] = byte(n%1000), byte(n%1000>>8)
		for i := range 8 {
			e.File[i] = byte(n >> (8 * i))
		}
		if _, err := counters.Add(time.Unix(0, int64(n)), &e); err != nil {
			b.Fatal(err)
		}
	}
	for range 1_000_000 {
		next()
	}
	for b.Loop() {
		next()
	}
}
