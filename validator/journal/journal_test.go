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

// TestStepsLeaveOutWhatIsSoForMost, and whoever reads them has it again.
func TestStepsLeaveOutWhatIsSoForMost(t *testing.T) {
	rule := func(policy, kind string, mode rules.Mode) *rules.Rule {
		return &rules.Rule{Policy: policy, Name: "r", Kind: kind, Mode: mode, Saw: func(*rules.Event) string { return "seen" }}
	}
	arrived := time.Date(2026, 3, 14, 12, 0, 0, 5, time.UTC)
	file := func(path string) *rules.Event {
		return &rules.Event{Received: arrived, File: rules.ParsePath(path), ClientIP: "203.0.113.7", Size: rules.Known(7)}
	}
	usual := file("/in/Clip.MOV")
	for _, tc := range []struct {
		name  string
		event *rules.Event
		steps []rules.Step
		text  string
		want  []Step
	}{
		{
			"rules of one policy that passed", usual,
			[]rules.Step{{Rule: rule("p", "path", rules.Enforce)}, {Rule: rule("p", "size", rules.Enforce)}},
			`[{"policy":"p","rule":"r","kind":"path"},{"rule":"r","kind":"size"}]`,
			[]Step{{Policy: "p", Rule: "r", Kind: "path", Mode: "enforce", Outcome: "passed", Saw: "/in/Clip.MOV"}, {Policy: "p", Rule: "r", Kind: "size", Mode: "enforce", Outcome: "passed", Saw: "7 B"}},
		},
		{
			"rules of two policies", usual,
			[]rules.Step{{Rule: rule("p", "filename", rules.Enforce)}, {Rule: rule("q", "network", rules.Enforce)}},
			`[{"policy":"p","rule":"r","kind":"filename"},{"policy":"q","rule":"r","kind":"network"}]`,
			[]Step{{Policy: "p", Rule: "r", Kind: "filename", Mode: "enforce", Outcome: "passed", Saw: "Clip.MOV"}, {Policy: "q", Rule: "r", Kind: "network", Mode: "enforce", Outcome: "passed", Saw: "203.0.113.7"}},
		},
		{
			"in shadow", usual,
			[]rules.Step{{Rule: rule("p", "extension", rules.Shadow)}, {Rule: rule("p", "schedule", rules.Shadow)}, {Rule: rule("p", "tags", rules.Shadow)}},
			`[{"policy":"p","rule":"r","kind":"extension","mode":"shadow"},{"rule":"r","kind":"schedule","mode":"shadow"},{"rule":"r","kind":"tags","mode":"shadow"}]`,
			[]Step{
				{Policy: "p", Rule: "r", Kind: "extension", Mode: "shadow", Outcome: "passed", Saw: "mov"},
				{Policy: "p", Rule: "r", Kind: "schedule", Mode: "shadow", Outcome: "passed", Saw: "2026-03-14T12:00:00Z"},
				{Policy: "p", Rule: "r", Kind: "tags", Mode: "shadow", Outcome: "passed", Saw: "tags"},
			},
		},
		{
			"a rule that looks at what only it knows", usual,
			[]rules.Step{{Rule: rule("p", "expression", rules.Enforce)}},
			`[{"policy":"p","rule":"r","kind":"expression","saw":"seen"}]`,
			[]Step{{Policy: "p", Rule: "r", Kind: "expression", Mode: "enforce", Outcome: "passed", Saw: "seen"}},
		},
		{
			"a rule that was not asked", usual,
			[]rules.Step{{Rule: rule("p", "path", rules.Enforce), Outcome: rules.Skipped}},
			`[{"policy":"p","rule":"r","kind":"path","outcome":"skipped","saw":"seen"}]`,
			[]Step{{Policy: "p", Rule: "r", Kind: "path", Mode: "enforce", Outcome: "skipped", Saw: "seen"}},
		},
		{
			"a refusal", usual,
			[]rules.Step{{Rule: rule("p", "path", rules.Enforce), Outcome: rules.Refused, Detail: &rules.Detail{Saw: "/in", Verdict: rules.Verdict{Code: "1021"}}}},
			`[{"policy":"p","rule":"r","kind":"path","outcome":"refused","code":"1021","saw":"/in"}]`,
			[]Step{{Policy: "p", Rule: "r", Kind: "path", Mode: "enforce", Outcome: "refused", Code: "1021", Saw: "/in"}},
		},
		{
			"a path that is not recorded as it came", file("s3://KEY:SECRET@bucket/a"),
			[]rules.Step{{Rule: rule("p", "path", rules.Enforce)}},
			`[{"policy":"p","rule":"r","kind":"path","saw":"seen"}]`,
			[]Step{{Policy: "p", Rule: "r", Kind: "path", Mode: "enforce", Outcome: "passed", Saw: "seen"}},
		},
		{
			"an event that has nothing", &rules.Event{Received: arrived},
			[]rules.Step{{Rule: rule("p", "size", rules.Enforce)}, {Rule: rule("p", "extension", rules.Enforce)}},
			`[{"policy":"p","rule":"r","kind":"size"},{"rule":"r","kind":"extension"}]`,
			[]Step{{Policy: "p", Rule: "r", Kind: "size", Mode: "enforce", Outcome: "passed"}, {Policy: "p", Rule: "r", Kind: "extension", Mode: "enforce", Outcome: "passed"}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			line := append([]byte(`{"seq":1,"prev":"",`), newEncoder("i").appendRecord(nil, tc.event, &rules.Decision{Steps: tc.steps})...)
			if !strings.Contains(string(line), `"steps":`+tc.text+`,"took_us"`) {
				t.Errorf("%s\nhas not the steps\n%s", line, tc.text)
			}
			var record, ours Record
			if err := errors.Join(json.Unmarshal(line, &record), decodeRecord(line, &ours)); err != nil {
				t.Fatal(err)
			}
			for _, got := range []Record{record, ours} {
				if diff := cmp.Diff(tc.want, got.Steps); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// TestWhatKindsLookAt: what a record leaves out is what the kind itself says.
func TestWhatKindsLookAt(t *testing.T) {
	checked := 0
	for _, path := range []string{"/in/a.tar.gz", "/in/.hidden", "C:\\in\\B.MOV", "/in/clip.mov.aspera-env", "s3://bucket/x/y.PDF", "/in/folder/", "/in/größe.ÄB"} {
		e := &rules.Event{Received: noon, File: rules.ParsePath(path), ClientIP: "2001:db8::1", Size: rules.Known(17)}
		for _, k := range rules.Builtin() {
			if lookedAt(k.Name) == nil || k.Name == "tags" {
				continue
			}
			checked++
			var r Record
			line := append([]byte(`{"seq":1,"prev":"",`), newEncoder("i").appendRecord(nil, e, &rules.Decision{Steps: []rules.Step{{Rule: &rules.Rule{Policy: "p", Name: "r", Kind: k.Name, Saw: k.Saw}}}})...)
			if err := decodeRecord(line, &r); err != nil {
				t.Fatal(err)
			}
			if got, want := r.Steps[0].Saw, k.Saw(e); got != want {
				t.Errorf("%s of %s: %q, want %q", k.Name, path, got, want)
			}
		}
	}
	if checked < 6*7 {
		t.Errorf("only %d were checked", checked)
	}
}

// TestATimeIsWrittenAsUsual, and an id.
func TestATimeIsWrittenAsUsual(t *testing.T) {
	c := newEncoder("i")
	for _, at := range []time.Time{
		noon, noon.Add(1), noon.Add(time.Second - 1), noon.Add(120 * time.Millisecond), noon.Add(time.Hour).In(time.FixedZone("", 3600)), time.Unix(0, 0), time.Unix(-1, 5), {},
	} {
		if got, want := string(c.appendTime(nil, at)), at.UTC().Format(time.RFC3339Nano); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	id := rules.NewID(noon, [10]byte{0, 1, 0x9a, 0xbc, 0xde, 0xf0, 0x12, 0x34, 0x56, 0xff})
	if got := string(appendID(nil, &id)); got != id.String() {
		t.Errorf("%s, want %s", got, id)
	}
	hash := [32]byte{0, 9, 10, 0x9f, 0xa0, 0xff, 0x0f, 0xf0, 31: 0x1a}
	if got, want := string(appendHash(nil, &hash)), fmt.Sprintf("%x", hash); got != want {
		t.Errorf("%s, want %s", got, want)
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
