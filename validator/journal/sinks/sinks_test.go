package sinks

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/journal"
)

// writeNew replaces a file.
func writeNew(name, text string) error {
	if err := os.WriteFile(name+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// stepped is a set of one sink that a test moves on its own.
func stepped(t *testing.T, o Options) (*Set, func()) {
	t.Helper()
	if o.Now == nil {
		o.Now = newClock().Now
	}
	o.pause = func(<-chan struct{}, time.Duration) {}
	s, err := Open(o)
	must(t, err)
	p := s.pumps[0]
	if !p.begin() {
		t.Fatal("it does not begin")
	}
	t.Cleanup(func() { p.follow.close(); p.dest.close(t.Context()) })
	return s, func() {
		for range 200 { // A log is looked at as a whole now and then.
			for p.round(t.Context()) && p.failures == 0 {
			}
			p.settled()
			p.save()
		}
	}
}

// lines returns the numbers of the records in a file.
func lines(t *testing.T, name string) []uint64 {
	t.Helper()
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	must(t, err)
	return numbersIn(text)
}

// TestAFileToTail has every line as it is in the log, and is opened anew when it was
// moved away, removed or cut.
func TestAFileToTail(t *testing.T) {
	for _, fsync := range []bool{false, true} {
		l := newLogbook(t.TempDir())
		out := filepath.Join(t.TempDir(), "decisions.jsonl")
		_, send := stepped(t, Options{Dir: l.dir, Sinks: []Sink{{Name: "tail", File: &File{Path: out, Fsync: fsync}}}})
		l.write(t, 3)
		send()
		want, err := os.ReadFile(l.file())
		must(t, err)
		got, err := os.ReadFile(out)
		must(t, err)
		if !bytes.Equal(want, got) {
			t.Errorf("the file has %q, want %q", got, want)
		}
		must(t, os.Rename(out, out+".1"))
		l.write(t, 3)
		send()
		must(t, os.Remove(out))
		l.write(t, 2)
		send()
		must(t, os.Truncate(out, 0)) // As logrotate's copytruncate does.
		l.write(t, 1)
		send()
		if diff := cmp.Diff([][]uint64{numbers(1, 3), {9}}, [][]uint64{lines(t, out+".1"), lines(t, out)}); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// TestAFileWithHalfALine at its end, as of a service that was killed, goes on with a
// line of its own.
func TestAFileWithHalfALine(t *testing.T) {
	l := newLogbook(t.TempDir())
	l.write(t, 1)
	out := written(t, "decisions.jsonl", `{"half`)
	_, send := stepped(t, Options{Dir: l.dir, Sinks: []Sink{{Name: "tail", File: &File{Path: out}}}})
	send()
	text, err := os.ReadFile(out)
	must(t, err)
	if first, rest, _ := strings.Cut(string(text), "\n"); first != `{"half` || !strings.HasPrefix(rest, `{"seq":1,`) {
		t.Errorf("%q", text)
	}
}

// TestAFileThatCannotBeWritten is tried again; readyz tells of it after a minute.
func TestAFileThatCannotBeWritten(t *testing.T) {
	l := newLogbook(t.TempDir())
	l.write(t, 3)
	out := filepath.Join(t.TempDir(), "folder", "decisions.jsonl")
	now := newClock()
	var log told
	s, send := stepped(t, Options{
		Dir: l.dir, Sinks: []Sink{{Name: "tail", File: &File{Path: out}}}, Now: now.Now, Told: log.tell,
		Last: func() uint64 { return l.next - 1 },
	})
	send()
	if got := s.Degraded(); got != nil {
		t.Errorf("%q", got)
	}
	now.move(worrying + time.Second)
	want := []string{"the sink tail has sent nothing since 2026-03-01T12:00:00Z, 3 records wait: opening the file: open " + out + ": no such file or directory"}
	if diff := cmp.Diff(want, s.Degraded()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	send()
	if got := len(log.of("failing")); got != 2 {
		t.Errorf("the failure is told %d times in a minute, want 2", got)
	}
	must(t, os.Mkdir(filepath.Dir(out), 0o700))
	send()
	if got := s.Degraded(); got != nil || len(log.of("recovered")) != 1 {
		t.Errorf("%q; told: %q", got, log.of("recovered"))
	}
	if diff := cmp.Diff(numbers(1, 3), lines(t, out)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestSomethingElseThanAFile is not written to: a pipe would keep the sink waiting.
func TestSomethingElseThanAFile(t *testing.T) {
	l := newLogbook(t.TempDir())
	l.write(t, 1)
	dir := t.TempDir()
	var log told
	_, send := stepped(t, Options{Dir: l.dir, Sinks: []Sink{{Name: "tail", File: &File{Path: dir}}}, Told: log.tell})
	send()
	if got := log.of("failing"); len(got) != 1 || !strings.HasSuffix(got[0], dir+" is not a plain file") {
		t.Errorf("%q", got)
	}
}

// TestPositionsOfSinks say where to go on after a restart, or that it is told where
// they do not fit.
func TestPositionsOfSinks(t *testing.T) {
	for _, row := range []struct {
		name    string
		onlyNew bool
		between func(fatal, *logbook)
		want    []uint64 // sent after the restart, of 10 records before and 5 behind
		missed  uint64
		told    string // under position or missed
	}{
		{"nothing happens", false, func(fatal, *logbook) {}, numbers(11, 15), 0, ""},
		{"the position is lost", false, func(t fatal, l *logbook) { must(t, os.Remove(positionName(l.dir, "tail"))) }, numbers(1, 15), 0, ""},
		{"the position is lost, and only new records are wanted", true, func(t fatal, l *logbook) {
			must(t, os.Remove(positionName(l.dir, "tail")))
			l.rotate()
			must(t, os.WriteFile(segmentFile(l.dir, 99, openEnding), nil, 0o600)) // Begun, and empty still.
		}, nil, 0, ""},
		{"the position is nonsense", true, func(t fatal, l *logbook) {
			must(t, os.WriteFile(positionName(l.dir, "tail"), []byte("x"), 0o600))
		}, numbers(1, 15), 0, "the file of the position cannot be read, so that the whole log is sent again: "},
		{"the log is another one", false, func(t fatal, l *logbook) {
			must(t, os.Remove(l.file()))
			*l = logbook{dir: l.dir, next: 1}
			l.file()
			r := record(1)
			r.ID = "another"
			l.append(t, l.line(t, r))
			l.write(t, 9)
		}, numbers(1, 15), 0, "record 10, the last one that was sent, is not in the log, nor any before it: it is another log; all of it is sent"},
		{"the log was restored from before", false, func(t fatal, l *logbook) {
			must(t, os.Remove(l.file()))
			*l = logbook{dir: l.dir, next: 1}
			l.write(t, 7)
			l.file()
			for range 3 {
				r := record(l.next)
				r.ID = "another"
				l.append(t, l.line(t, r))
			}
		}, numbers(7, 15), 0, "record 10, the last one that was sent, is not in the log: its end was lost or restored; all behind record 6 is sent, also if it was sent before"},
		{"retention was faster", false, func(t fatal, l *logbook) {
			l.rotate()
			l.write(t, 4)
			l.rotate()
			l.compress(t)
			l.forget(t)
			l.forget(t)
		}, []uint64{15, 16, 17, 18, 19}, 4, "4 records before record 15 are not in the log any more and were never sent"},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLogbook(t.TempDir())
			out := filepath.Join(t.TempDir(), "out")
			sink := Sink{Name: "tail", BatchRecords: 2, File: &File{Path: out}}
			o := Options{Dir: l.dir, Sinks: []Sink{sink}}
			func() {
				l.write(t, 10)
				s, send := stepped(t, o)
				send()
				if s.Hold() != 11 {
					t.Errorf("%d is needed, want 11", s.Hold())
				}
			}()
			if diff := cmp.Diff(numbers(1, 10), lines(t, out)); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			must(t, os.Remove(out))
			row.between(t, l)
			l.write(t, 5)
			var log told
			o.Told = log.tell
			o.Sinks[0].OnlyNew = row.onlyNew
			s, send := stepped(t, o)
			send()
			if diff := cmp.Diff(row.want, lines(t, out)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := s.Stats()[0].Missed; got != row.missed {
				t.Errorf("%d are missed, want %d", got, row.missed)
			}
			texts := append(log.of("position"), log.of("missed")...)
			if row.told == "" && texts != nil || row.told != "" && (len(texts) != 1 || !strings.HasPrefix(texts[0], row.told)) {
				t.Errorf("told: %q, want %q", texts, row.told)
			}
		})
	}
}

// TestOnlyWhatIsSafe is sent, and the lag says what waits.
func TestOnlyWhatIsSafe(t *testing.T) {
	l := newLogbook(t.TempDir())
	l.write(t, 10)
	safe := uint64(4)
	out := filepath.Join(t.TempDir(), "out")
	s, send := stepped(t, Options{Dir: l.dir, Sinks: []Sink{{Name: "tail", File: &File{Path: out}}}, Last: func() uint64 { return safe }})
	send()
	if diff := cmp.Diff(numbers(1, 4), lines(t, out)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	safe = 10
	if got := s.Stats()[0].LagRecords; got != 6 {
		t.Errorf("%d wait, want 6", got)
	}
	send()
	if diff := cmp.Diff(numbers(1, 10), lines(t, out)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAFilteredSink keeps up with the log although it sends little of it.
func TestAFilteredSink(t *testing.T) {
	l := newLogbook(t.TempDir())
	l.write(t, 10)
	out := filepath.Join(t.TempDir(), "out")
	s, send := stepped(t, Options{Dir: l.dir, Sinks: []Sink{{Name: "tail", Filter: Filter{Verdict: "reject"}, File: &File{Path: out}}}})
	send()
	if diff := cmp.Diff([]uint64{3, 6, 9}, lines(t, out)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s.Hold() != 11 || s.Stats()[0].Filtered != 7 {
		t.Errorf("%d is needed, %d are filtered", s.Hold(), s.Stats()[0].Filtered)
	}
}

// TestALogTakenBack while it is followed: what was sent of it stays sent, what is
// written instead is sent too, and it is told.
func TestALogTakenBack(t *testing.T) {
	l := newLogbook(t.TempDir())
	l.write(t, 5)
	size, next, prev := l.sizeNow(t), l.next, l.prev
	out := filepath.Join(t.TempDir(), "out")
	var log told
	_, send := stepped(t, Options{Dir: l.dir, Sinks: []Sink{{Name: "tail", BatchRecords: 1, File: &File{Path: out}}}, Told: log.tell})
	send()
	l.write(t, 2)
	send()
	l.back(t, size, next, prev)
	r := record(6)
	r.ID = "another"
	l.append(t, l.line(t, r))
	l.write(t, 3)
	send()
	got := lines(t, out)
	inOrder(t, got, 9)
	if len(log.of("position")) != 1 {
		t.Errorf("told: %q", log.of("position"))
	}
}

// TestWithARealLog: records of the writer, over many segments, some of which are
// compressed while they are read, come once and in order.
func TestWithARealLog(t *testing.T) {
	dir := t.TempDir()
	r := receive(t, func(n int, _ []uint64, _ http.ResponseWriter) (int, string) {
		if n%5 == 0 {
			return 503, ""
		}
		return 200, ""
	})
	out := filepath.Join(t.TempDir(), "out")
	s, err := Open(Options{Dir: dir, Now: time.Now, every: time.Millisecond, pause: shortPause, Sinks: []Sink{
		httpSink(r, nil), {Name: "tail", File: &File{Path: out}},
	}})
	must(t, err)
	j, err := journal.Open(journal.Options{
		Dir: dir, Instance: "test", Durability: journal.Off, Patience: patience, Interval: time.Second,
		SegmentSize: 4 << 10, SegmentAge: time.Hour, Now: time.Now, Hold: s.Hold, KeepBytes: 1,
	})
	must(t, err)
	s.Start()
	for range 400 {
		must(t, j.Append(&rules.Event{Received: time.Now(), Phase: rules.PhaseStart, User: "xfer", File: rules.ParsePath("/in/a.mov")}, &rules.Decision{}))
	}
	must(t, j.Close())
	got := r.until(t, 402)
	s.Close(t.Context())
	if diff := cmp.Diff(numbers(1, 402), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(numbers(1, 402), lines(t, out)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, one := range s.Stats() {
		if one.Missed > 0 {
			t.Errorf("%s has missed %d", one.Sink, one.Missed)
		}
	}
}

// TestNoSinks need nothing.
func TestNoSinks(t *testing.T) {
	s, err := Open(Options{Dir: t.TempDir(), Now: time.Now})
	must(t, err)
	s.Start()
	if s.Hold() != math.MaxUint64 {
		t.Error(s.Hold())
	}
	s.Close(t.Context())
}

// TestMetricsOfSinks are those that are documented.
func TestMetricsOfSinks(t *testing.T) {
	l := newLogbook(t.TempDir())
	l.write(t, 4)
	now := newClock()
	s, send := stepped(t, Options{Dir: l.dir, Now: now.Now, Last: func() uint64 { return l.next - 1 }, Sinks: []Sink{
		{Name: "tail", Filter: Filter{Verdict: "accept"}, File: &File{Path: filepath.Join(t.TempDir(), "out")}},
	}})
	send()
	must(t, os.Remove(s.pumps[0].sink.File.Path))
	must(t, os.Mkdir(s.pumps[0].sink.File.Path, 0o700))
	l.write(t, 2)
	now.move(65 * time.Second) // Record 5 is 60 s old then.
	p := s.pumps[0]
	p.round(t.Context())
	reg := prometheus.NewRegistry()
	Register(reg, s)
	families, err := reg.Gather()
	must(t, err)
	var got []string
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			value := metric.GetGauge().GetValue()
			if metric.Counter != nil {
				value = metric.GetCounter().GetValue()
			}
			var labels []string
			for _, label := range metric.GetLabel() {
				labels = append(labels, label.GetValue())
			}
			got = append(got, fmt.Sprintf("%s %s %.3f", family.GetName(), strings.Join(labels, ","), value))
		}
	}
	want := []string{
		"sluice_sink_failures_total tail 1.000",
		"sluice_sink_lag_records tail 2.000",
		"sluice_sink_lag_seconds tail 60.000",
		"sluice_sink_last_success_timestamp_seconds tail 1772366400.123",
		"sluice_sink_records_total delivered,tail 3.000",
		"sluice_sink_records_total filtered,tail 2.000",
		"sluice_sink_records_total missed,tail 0.000",
		"sluice_sink_records_total refused,tail 0.000",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
