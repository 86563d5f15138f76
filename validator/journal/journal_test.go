package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/rules"
)

// someOptions are those of a log of a test.
func someOptions(dir string) Options {
	return Options{
		Dir: dir, Instance: "hst-eu-1", Patience: 10 * time.Second, Interval: 10 * time.Millisecond,
		SegmentSize: 1 << 20, SegmentAge: time.Hour, Now: time.Now,
	}
}

// opened opens a log, which the test closes.
func opened(tb testing.TB, o Options) *Journal {
	tb.Helper()
	j, err := Open(o)
	if err != nil {
		tb.Fatal(err)
	}
	return j
}

func closed(tb testing.TB, j *Journal) {
	tb.Helper()
	if err := j.Close(); err != nil {
		tb.Fatal(err)
	}
}

// numbered is an event that says its number.
func numbered(n int) *rules.Event {
	return &rules.Event{
		Received: time.Unix(1_800_000_000, int64(n)), Phase: rules.PhaseStart, User: fmt.Sprint(n),
		File: rules.ParsePath("/ingest/clip.mov"), Size: rules.Known(int64(n)),
	}
}

// logOf reads a log with nothing of the package that writes it, but for unpacking.
// It fails the test unless numbers and hashes are in order from the beginning.
func logOf(tb testing.TB, dir string) []Record {
	tb.Helper()
	records, err := readChain(dir)
	if err != nil {
		tb.Fatal(err)
	}
	return records
}

// usersOf returns what numbered events are there, in order.
func usersOf(records []Record) (users []string) {
	for _, r := range records {
		if r.Event != nil {
			users = append(users, r.Event.User)
		}
	}
	return users
}

// notesOf returns the notes with their counts, in order.
func notesOf(records []Record) (notes []string) {
	for _, r := range records {
		switch {
		case r.Note != "" && r.Count != 0:
			notes = append(notes, fmt.Sprintf("%s %d", r.Note, r.Count))
		case r.Note != "":
			notes = append(notes, r.Note)
		}
	}
	return notes
}

func TestRecordsOfManyAtOnceAreAllThere(t *testing.T) {
	for _, durability := range []Durability{Commit, Interval, Off} {
		t.Run(fmt.Sprint(durability), func(t *testing.T) {
			dir := t.TempDir()
			o := someOptions(dir)
			o.Durability, o.SegmentSize = durability, 64<<10
			j := opened(t, o)
			const workers, each = 16, 50
			var group sync.WaitGroup
			for w := range workers {
				group.Go(func() {
					for n := range each {
						if err := j.Append(numbered(w*each+n), &rules.Decision{}); err != nil {
							t.Error(err)
						}
					}
				})
			}
			group.Wait()
			closed(t, j)
			records := logOf(t, dir)
			users := usersOf(records)
			slices.Sort(users)
			if got := len(slices.Compact(users)); got != workers*each || len(records) != got+2 {
				t.Errorf("%d records of %d events; want one of each of %d, and two notes", len(records), got, workers*each)
			}
			if s := j.Stats(); s.Records != uint64(len(records)) || s.Sequence != records[len(records)-1].Sequence || s.Failing || s.Written.IsZero() {
				t.Errorf("the numbers are %+v, with %d records", s, len(records))
			}
		})
	}
}

func TestOneProcessWritesALog(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, someOptions(dir))
	if _, err := Open(someOptions(dir)); !errors.Is(err, ErrInUse) {
		t.Errorf("a second one got %v", err)
	}
	closed(t, j)
	closed(t, opened(t, someOptions(dir)))
}

func TestAClosedLogTakesNothing(t *testing.T) {
	j := opened(t, someOptions(t.TempDir()))
	closed(t, j)
	if err := j.Append(numbered(1), &rules.Decision{}); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := j.Close(); !errors.Is(err, ErrClosed) {
		t.Errorf("closing twice: %v", err)
	}
}

func TestAFolderThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(someOptions(filepath.Join(file, "log"))); err == nil {
		t.Error("a log was opened below a file")
	}
}

func TestALogGoesOnWhereItEnded(t *testing.T) {
	dir := t.TempDir()
	for n := range 3 {
		j := opened(t, someOptions(dir))
		if err := j.Append(numbered(n), &rules.Decision{}); err != nil {
			t.Fatal(err)
		}
		closed(t, j)
	}
	records := logOf(t, dir)
	if diff := cmp.Diff([]string{"0", "1", "2"}, usersOf(records)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"opened", "closed", "opened", "closed", "opened", "closed"}, notesOf(records)); diff != "" {
		t.Error(diff)
	}
}

// usual is an event as applications send them, with a decision of three rules.
func usual() (*rules.Event, *rules.Decision) {
	builtin := map[string]func(*rules.Event) string{}
	for _, k := range rules.Builtin() {
		builtin[k.Name] = k.Saw
	}
	e := &rules.Event{
		ID: rules.NewID(time.Now(), [10]byte{1, 2, 3}), Received: time.Now(), Phase: rules.PhaseStart, Direction: rules.Upload,
		User: "xfer", File: rules.ParsePath("/ingest/film/clip-0001.mov"), SessionID: "d1c9a6e2-8c2b-4a35-9d07-3b5a7d1c1b77",
		TransferID: "1f0f57c4-5a3a-4f52-9c02-9a2f6a1b2c3d", Size: rules.Known(1_234_567), Host: "hst-eu-1", ClientIP: "203.0.113.7",
		Cipher: "aes-256", RatePolicy: "fair", Tags: rules.Tags{Raw: `{"aspera":{"xfer_id":"1f0f57c4-5a3a-4f52-9c02-9a2f6a1b2c3d","node":{"access_key":"k"}},"project":"film"}`},
	}
	d := &rules.Decision{ID: e.ID, Revision: "9b1c4a7e20f3", Applied: 1, Took: 42 * time.Microsecond}
	for _, r := range []rules.Rule{
		{Policy: "partner-ingest", Name: "finished-video-only", Kind: "extension"},
		{Policy: "partner-ingest", Name: "not-too-large", Kind: "size"},
		{Policy: "partner-ingest", Name: "below-ingest", Kind: "path"},
	} {
		r.Saw = builtin[r.Kind]
		d.Steps = append(d.Steps, rules.Step{Rule: &r, Outcome: rules.Passed})
	}
	return e, d
}

func TestARecordSaysHowItCameAbout(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, someOptions(dir))
	e, d := usual()
	if err := j.Append(e, d); err != nil {
		t.Fatal(err)
	}
	closed(t, j)
	got := logOf(t, dir)[1]
	size := int64(1_234_567)
	want := Record{
		Sequence: 2, Previous: got.Previous, ID: e.ID.String(), Time: e.Received.UTC(), Instance: "hst-eu-1", Revision: "9b1c4a7e20f3",
		Event: &Event{
			Phase: "start", Direction: "upload", User: "xfer", ClientIP: "203.0.113.7", Host: "hst-eu-1", SessionID: e.SessionID, TransferID: e.TransferID,
			File: "/ingest/film/clip-0001.mov", Size: &size, Cipher: "aes-256", RatePolicy: "fair", Tags: json.RawMessage(e.Tags.Raw),
		},
		Verdict: Accept, Applied: 1, TookMicros: 42,
		Steps: []Step{
			{Policy: "partner-ingest", Rule: "finished-video-only", Kind: "extension", Mode: "enforce", Outcome: "passed", Saw: "mov"},
			{Policy: "partner-ingest", Rule: "not-too-large", Kind: "size", Mode: "enforce", Outcome: "passed", Saw: "1234567 B"},
			{Policy: "partner-ingest", Rule: "below-ingest", Kind: "path", Mode: "enforce", Outcome: "passed", Saw: "/ingest/film/clip-0001.mov"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestARecordAllocatesNothing(t *testing.T) {
	c := newEncoder("hst-eu-1")
	e, d := usual()
	var text, out []byte
	var at position
	if n := testing.AllocsPerRun(100, func() {
		text = c.appendRecord(text[:0], e, d)
		out = at.chain(out[:0], text)
	}); n != 0 {
		t.Errorf("it allocates %v times", n)
	}
}

func TestALongRecordStaysReadable(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, someOptions(dir))
	e, d := usual()
	e.User, e.File = strings.Repeat("\x01", 1<<20), rules.ParsePath("/"+strings.Repeat("\u202e", 1<<16))
	e.Tags.Raw = `{"a":"` + strings.Repeat("x", 1<<20) + `"}`
	step := rules.Step{Rule: d.Steps[0].Rule, Outcome: rules.Refused, Detail: &rules.Detail{Saw: strings.Repeat("\x02", 1<<20), Err: errors.New(strings.Repeat("\x03", 1<<20))}}
	d.Steps = slices.Repeat([]rules.Step{step}, 5000)
	d.Err = step.Detail.Err
	if err := j.Append(e, d); err != nil {
		t.Fatal(err)
	}
	closed(t, j)
	got := logOf(t, dir)[1]
	if got.Unlisted == 0 || got.Unlisted+len(got.Steps) != 5000 {
		t.Errorf("%d steps are listed and %d are not", len(got.Steps), got.Unlisted)
	}
	if diff := cmp.Diff([]string{"user", "file", "tags"}, got.Event.Missing); diff != "" {
		t.Error(diff)
	}
}

// BenchmarkRecord is what a record costs: its text, its hash and its place in the
// chain.
func BenchmarkRecord(b *testing.B) {
	c := newEncoder("hst-eu-1")
	e, d := usual()
	var text, out []byte
	var at position
	b.ReportAllocs()
	for b.Loop() {
		text = c.appendRecord(text[:0], e, d)
		out = at.chain(out[:0], text)
	}
	b.ReportMetric(float64(len(out)), "B/record")
}

// BenchmarkEncode is the part of it that is done before the decision waits.
func BenchmarkEncode(b *testing.B) {
	c := newEncoder("hst-eu-1")
	e, d := usual()
	var text []byte
	b.ReportAllocs()
	for b.Loop() {
		text = c.appendRecord(text[:0], e, d)
	}
}

// BenchmarkHash is the part of it that the hash takes.
func BenchmarkHash(b *testing.B) {
	c := newEncoder("hst-eu-1")
	e, d := usual()
	text := c.appendRecord(nil, e, d)
	var out []byte
	var at position
	b.ReportAllocs()
	for b.Loop() {
		out = at.chain(out[:0], text)
	}
}

// BenchmarkAppend is Append from many goroutines on a disk that takes no time.
func BenchmarkAppend(b *testing.B) {
	for _, durability := range []Durability{Commit, Interval, Off} {
		b.Run(fmt.Sprint(durability), func(b *testing.B) {
			o := someOptions(b.TempDir())
			o.Durability, o.SegmentSize, o.disk = durability, 1<<40, noDisk{}
			j := opened(b, o)
			defer closed(b, j)
			b.SetParallelism(32)
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				e, d := usual()
				for p.Next() {
					if err := j.Append(e, d); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
