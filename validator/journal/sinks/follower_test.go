package sinks

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// following is a follower with what it has told.
type following struct {
	follower
	missing uint64
	odds    []string
}

func newFollowing(dir string) *following {
	f := &following{}
	f.follower = follower{dir: dir, missed: func(n, _ uint64) { f.missing += n }, odd: func(text string) { f.odds = append(f.odds, text) }}
	return f
}

// all reads up to the end for now. A follower looks at the whole folder only now and
// then, so that it is asked as often.
func (f *following) all(t fatal) (seqs []uint64, err error) {
	t.Helper()
	for idle := 0; idle < 3*mostIdle; {
		e, err := f.next()
		if errors.Is(err, errEnd) {
			idle++
			continue
		}
		if err != nil {
			return seqs, err
		}
		seqs = append(seqs, e.seq)
	}
	return seqs, nil
}

// TestEveryRecordOnce: whatever a writer does to its segments while they are read,
// and wherever the reading stops and begins again, every record comes once and in
// order, unless it was removed before: then it is counted.
func TestEveryRecordOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "log") //nolint:usetesting // Each of many runs has a folder of its own.
		must(t, err)
		defer os.RemoveAll(dir)
		l, f := newLogbook(dir), newFollowing(dir)
		defer func() { f.close() }()
		var p position
		last, counted := uint64(0), uint64(0)
		take := func(most int) {
			for range most {
				e, err := f.next()
				if errors.Is(err, errEnd) {
					return
				}
				must(t, err)
				if e.seq != last+1+f.missing-counted {
					t.Fatal("record", e.seq, "comes after", last, "with", f.missing-counted, "missed")
				}
				counted = f.missing
				last = e.seq
				p = p.add(mark{e.seq, e.hash})
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) {},
			"write": func(t *rapid.T) {
				l.write(t, rapid.IntRange(1, 5).Draw(t, "count"))
			},
			"write in pieces": func(t *rapid.T) {
				l.file()
				line := l.line(t, record(l.next))
				at := rapid.IntRange(1, len(line)-1).Draw(t, "at")
				l.append(t, line[:at])
				take(10)
				l.append(t, line[at:])
			},
			"rotate":   func(*rapid.T) { l.rotate() },
			"compress": func(t *rapid.T) { l.compress(t) },
			"forget": func(t *rapid.T) {
				// A reader that has seen nothing misses nothing, and the last segment stays.
				if len(p) > 0 && (l.open != 0 && l.open < l.next || len(l.closed) > 1) {
					l.forget(t)
				}
			},
			"read": func(t *rapid.T) { take(rapid.IntRange(1, 10).Draw(t, "most")) },
			"begin again": func(t *rapid.T) {
				f.close()
				f = newFollowing(dir)
				counted = 0
				agrees, err := f.start(p)
				if err != nil || !agrees {
					t.Fatal(agrees, err)
				}
			},
		})
		if len(p) > 0 {
			l.rotate()
			l.write(t, 1)
		}
		for range 3 * mostIdle {
			take(1000)
		}
		if last != l.next-1 {
			t.Fatal("the last record that came is", last, "of", l.next-1)
		}
		if len(f.odds) > 0 {
			t.Fatal(f.odds)
		}
	})
}

// TestWhatIsWrongWithALog is told, and what is right of it is read.
func TestWhatIsWrongWithALog(t *testing.T) {
	edit := func(t fatal, l *logbook, change func([][]byte) [][]byte) {
		t.Helper()
		name := segmentFile(l.dir, 1, openEnding)
		text, err := os.ReadFile(name)
		must(t, err)
		lines := change(bytes.SplitAfter(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")))
		must(t, os.WriteFile(name, append(bytes.TrimSuffix(bytes.Join(lines, nil), []byte("\n")), '\n'), 0o600))
	}
	for _, row := range []struct {
		name   string
		do     func(fatal, *logbook)
		want   []uint64
		missed uint64
		odd    []string
	}{
		{"nothing", func(fatal, *logbook) {}, numbers(1, 6), 0, nil},
		{"a line that is no record", func(t fatal, l *logbook) {
			edit(t, l, func(b [][]byte) [][]byte { b[2] = []byte("what?\n"); return b })
		}, []uint64{1, 2, 4, 5, 6}, 1, []string{"a line behind record 2 is no record and was left out"}},
		{"a line that is longer than any record", func(t fatal, l *logbook) {
			edit(t, l, func(b [][]byte) [][]byte { b[2] = append(bytes.Repeat([]byte("x"), maxLine+1), '\n'); return b })
		}, []uint64{1, 2, 4, 5, 6}, 1, []string{"a line behind record 2 is no record and was left out"}},
		{"a record was changed", func(t fatal, l *logbook) {
			edit(t, l, func(b [][]byte) [][]byte { b[2] = bytes.Replace(b[2], []byte("xfer"), []byte("root"), 1); return b })
		}, numbers(1, 6), 0, []string{"record 4 does not follow the one before; sluice log verify tells more"}},
		{"a record is missing", func(t fatal, l *logbook) {
			edit(t, l, func(b [][]byte) [][]byte { return append(b[:2], b[3:]...) })
		}, []uint64{1, 2, 4, 5, 6}, 1, nil},
		{"two records changed places", func(t fatal, l *logbook) {
			edit(t, l, func(b [][]byte) [][]byte { b[2], b[3] = b[3], b[2]; return b })
		}, []uint64{1, 2, 4, 5, 6}, 1, []string{"record 3 comes behind record 4 and was left out"}},
		{"a segment is missing", func(t fatal, l *logbook) {
			l.rotate()
			l.write(t, 2)
			l.rotate()
			l.write(t, 2)
			must(t, os.Remove(segmentFile(l.dir, 7, openEnding)))
		}, append(numbers(1, 6), 9, 10), 2, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLogbook(t.TempDir())
			l.write(t, 6)
			row.do(t, l)
			f := newFollowing(l.dir)
			defer f.close()
			got, err := f.all(t)
			must(t, err)
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if f.missing != row.missed {
				t.Errorf("%d are missed, want %d", f.missing, row.missed)
			}
			if diff := cmp.Diff(row.odd, f.odds); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestASegmentThatCannotBeRead is tried several times, and then left out.
func TestASegmentThatCannotBeRead(t *testing.T) {
	for _, row := range []struct {
		name string
		read bool // something of it was read before
	}{{"from its beginning", false}, {"while it is read", true}} {
		t.Run(row.name, func(t *testing.T) {
			l := newLogbook(t.TempDir())
			l.write(t, 2)
			l.rotate()
			l.write(t, 2000)
			l.rotate()
			l.write(t, 2)
			l.compress(t)
			name := segmentFile(l.dir, 3, closedEnding)
			text, err := os.ReadFile(name)
			must(t, err)
			if row.read {
				text = text[:len(text)/2]
			} else {
				copy(text, "nothing")
			}
			must(t, os.WriteFile(name, text, 0o600))
			f := newFollowing(l.dir)
			defer f.close()
			var got []uint64
			failures := 0
			for range mostFaults + 2 {
				more, err := f.all(t)
				got = append(got, more...)
				if err != nil {
					failures++
				}
			}
			if failures != mostFaults-1 {
				t.Errorf("%d failures, want %d", failures, mostFaults-1)
			}
			if f.missing+uint64(len(got)) != 2004 || got[len(got)-1] != 2004 || len(f.odds) != 1 {
				t.Errorf("%d came, the last is %d; %d are missed; told: %q", len(got), got[len(got)-1], f.missing, f.odds)
			}
		})
	}
}

// TestALogThatWasWrittenAnew is noticed, whether while it is read or when reading
// begins again, and read from the latest record that is still there.
func TestALogThatWasWrittenAnew(t *testing.T) {
	for _, row := range []struct {
		name  string
		do    func(fatal, *logbook)
		again []uint64 // what comes when the reading begins again
	}{
		{"its end was taken back and written anew", func(t fatal, l *logbook) {
			must(t, os.Truncate(l.file(), 0))
			*l = logbook{dir: l.dir, next: 1, open: 1}
			l.write(t, 16)
			r := record(17)
			r.ID = "another"
			l.append(t, l.line(t, r))
			l.write(t, 5)
		}, numbers(17, 22)},
		{"its end was taken back", func(t fatal, l *logbook) {
			must(t, os.Truncate(l.file(), 0))
			*l = logbook{dir: l.dir, next: 1, open: 1}
			l.write(t, 16)
		}, nil},
		{"it is another log", func(t fatal, l *logbook) {
			must(t, os.Truncate(l.file(), 0))
			*l = logbook{dir: l.dir, next: 1, open: 1}
			r := record(1)
			r.ID = "another"
			l.append(t, l.line(t, r))
			l.write(t, 29)
		}, numbers(1, 30)},
		{"it is another log, and shorter", func(t fatal, l *logbook) {
			must(t, os.Truncate(l.file(), 0))
			*l = logbook{dir: l.dir, next: 1, open: 1}
			r := record(1)
			r.ID = "another"
			l.append(t, l.line(t, r))
		}, numbers(1, 1)},
		{"it is gone, and another begins", func(t fatal, l *logbook) {
			must(t, os.Remove(l.file()))
			*l = logbook{dir: l.dir, next: 1}
			r := record(1)
			r.ID = "another"
			l.file()
			l.append(t, l.line(t, r))
		}, numbers(1, 1)},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLogbook(t.TempDir())
			l.write(t, 20)
			f := newFollowing(l.dir)
			defer f.close()
			var p position
			for range 20 {
				e, err := f.next()
				must(t, err)
				p = append(position{mark{e.seq, e.hash}}, p...)
			}
			row.do(t, l)
			if _, err := f.all(t); !errors.Is(err, errDiverged) {
				t.Errorf("while it is read: %v, want %v", err, errDiverged)
			}
			agrees, err := f.start(p)
			must(t, err)
			if agrees {
				t.Error("it agrees")
			}
			got, err := f.all(t)
			must(t, err)
			if diff := cmp.Diff(row.again, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if f.missing != 0 || f.odds != nil {
				t.Error(f.missing, f.odds)
			}
		})
	}
}
