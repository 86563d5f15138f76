package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/rules"
)

// heard remembers what a log tells.
type heard struct {
	mu   sync.Mutex
	list []string
}

func (h *heard) told(x Happening) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, x.What)
}

func (h *heard) all() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.list)
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	look, late := time.NewTicker(time.Millisecond), time.After(20*time.Second)
	defer look.Stop()
	for !holds() {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("it never happens that %s", what)
		}
	}
}

// TestWhatADiskCannotTake: whatever fails, Append says so, nothing of what failed
// stays in the log, and it goes on without a gap when the disk is back.
func TestWhatADiskCannotTake(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fails []string
		part  float64
	}{
		{"a write that fails", []string{"write"}, 0},
		{"a write that is done in part", []string{"write"}, 0.5},
		{"a write that is done and fails", []string{"write"}, 1},
		{"a sync that fails", []string{"sync"}, 0},
		{"a write that is done in part and cannot be cut off", []string{"write", "truncate"}, 0.7},
		{"a sync that fails and cannot be cut off", []string{"sync", "truncate"}, 0},
		{"everything", []string{"write", "truncate", "sync", "create", "open"}, 0.3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			disk, ears := &badDisk{part: tc.part}, &heard{}
			o := someOptions(t.TempDir())
			o.disk, o.Told = disk, ears.told
			j := opened(t, o)
			record := func(n int) error { return j.Append(numbered(n), &rules.Decision{}) }
			if err := record(1); err != nil {
				t.Fatal(err)
			}
			disk.set(failsAt(tc.fails...))
			for n := 2; n < 5; n++ {
				if err := record(n); !errors.Is(err, syscall.ENOSPC) {
					t.Errorf("record %d: %v", n, err)
				}
				j.Unrecorded(n == 2)
			}
			if s := j.Stats(); !s.Failing || s.Failures < 3 || s.Lost != 1 {
				t.Errorf("the numbers are %+v", s)
			}
			disk.set(nil)
			if err := record(5); err != nil {
				t.Fatal(err)
			}
			if s := j.Stats(); s.Failing {
				t.Error("it says that it fails")
			}
			closed(t, j)
			records := logOf(t, o.Dir)
			if diff := cmp.Diff([]string{"1", "5"}, usersOf(records)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{"opened", "lost 1", "refused 2", "closed"}, notesOf(records)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{Failing, Recovered}, ears.all()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestASegmentThatCannotBeBegun: the log waits for the disk and goes on there.
func TestASegmentThatCannotBeBegun(t *testing.T) {
	disk := &badDisk{}
	o := someOptions(t.TempDir())
	o.disk, o.SegmentSize = disk, 1
	j := opened(t, o)
	if err := j.Append(numbered(1), &rules.Decision{}); err != nil {
		t.Fatal(err)
	}
	disk.set(failsAt("create"))
	for n := 2; n < 4; n++ {
		if err := j.Append(numbered(n), &rules.Decision{}); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("got %v", err)
		}
	}
	disk.set(nil)
	if err := j.Append(numbered(4), &rules.Decision{}); err != nil {
		t.Fatal(err)
	}
	closed(t, j)
	if diff := cmp.Diff([]string{"1", "4"}, usersOf(logOf(t, o.Dir))); diff != "" {
		t.Error(diff)
	}
}

// TestAQuietLogSaysThatTheDiskIsBack, without any decision that asks.
func TestAQuietLogSaysThatTheDiskIsBack(t *testing.T) {
	disk := &badDisk{}
	disk.set(failsAt("write"))
	o := someOptions(t.TempDir())
	o.disk, o.Durability = disk, Interval
	j := opened(t, o)
	eventually(t, "the log fails", func() bool { return j.Stats().Failing })
	j.Unrecorded(false)
	disk.set(nil)
	eventually(t, "the log recovers", func() bool { return !j.Stats().Failing })
	closed(t, j)
	if diff := cmp.Diff([]string{"opened", "refused 1", "closed"}, notesOf(logOf(t, o.Dir))); diff != "" {
		t.Error(diff)
	}
}

// TestADiskThatHangs: a decision waits as long as it may, and is not in the log
// when the disk comes back, because it has been told so.
func TestADiskThatHangs(t *testing.T) {
	for _, hangs := range []string{"write", "sync"} {
		t.Run(hangs, func(t *testing.T) {
			disk := &badDisk{}
			o := someOptions(t.TempDir())
			o.disk, o.Patience = disk, 50*time.Millisecond
			j := opened(t, o)
			if err := j.Append(numbered(1), &rules.Decision{}); err != nil {
				t.Fatal(err)
			}
			release := make(chan struct{})
			disk.set(func(operation string) error {
				if operation == hangs {
					<-release
				}
				return nil
			})
			var group sync.WaitGroup
			for n := range 8 {
				group.Go(func() {
					for range 3 {
						if err := j.Append(numbered(100+n), &rules.Decision{}); !errors.Is(err, ErrSlow) {
							t.Errorf("got %v", err)
						}
					}
				})
			}
			group.Wait()
			eventually(t, "it says that it fails", func() bool { return j.Stats().Failing })
			disk.set(nil)
			close(release)
			eventually(t, "a decision is recorded again", func() bool { return j.Append(numbered(2), &rules.Decision{}) == nil })
			closed(t, j)
			if diff := cmp.Diff([]string{"1", "2"}, usersOf(logOf(t, o.Dir))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestALogIsClosedAlthoughItsDiskHangs.
func TestALogIsClosedAlthoughItsDiskHangs(t *testing.T) {
	disk, release := &badDisk{}, make(chan struct{})
	defer close(release)
	disk.set(func(operation string) error {
		if operation == "sync" {
			<-release
		}
		return nil
	})
	o := someOptions(t.TempDir())
	o.disk, o.Patience = disk, 20*time.Millisecond
	j := opened(t, o)
	if err := j.Append(numbered(1), &rules.Decision{}); !errors.Is(err, ErrSlow) {
		t.Errorf("got %v", err)
	}
	if err := j.Close(); !errors.Is(err, ErrSlow) {
		t.Errorf("closing: %v", err)
	}
}

// TestCloseWhileDecisionsWait: each of them is recorded, or told that it is not.
func TestCloseWhileDecisionsWait(t *testing.T) {
	o := someOptions(t.TempDir())
	j := opened(t, o)
	var recorded atomic.Int64
	var group sync.WaitGroup
	for n := range 64 {
		group.Go(func() {
			for {
				err := j.Append(numbered(n), &rules.Decision{})
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
				}
				recorded.Add(1)
			}
		})
	}
	eventually(t, "some are recorded", func() bool { return recorded.Load() > 100 })
	closed(t, j)
	group.Wait()
	if got := len(usersOf(logOf(t, o.Dir))); int64(got) != recorded.Load() {
		t.Errorf("%d are there of %d", got, recorded.Load())
	}
}

// TestABacklogIsBounded: on a disk that hangs, decisions that nobody waits for take
// no more memory than is stated.
func TestABacklogIsBounded(t *testing.T) {
	disk, release := &badDisk{}, make(chan struct{})
	disk.set(func(operation string) error {
		if operation == "write" {
			<-release
		}
		return nil
	})
	o := someOptions(t.TempDir())
	o.disk, o.Durability, o.Patience = disk, Off, 50*time.Millisecond
	j := opened(t, o)
	e, recorded := numbered(1), 0
	e.Tags.Raw = `{"a":"` + strings.Repeat("x", 15<<10) + `"}`
	for {
		if err := j.Append(e, &rules.Decision{}); err != nil {
			if !errors.Is(err, ErrSlow) {
				t.Error(err)
			}
			break
		}
		recorded++
	}
	if most := 3 * maxBacklog / (15 << 10); recorded > most {
		t.Errorf("%d records of 15 KiB wait, more than %d", recorded, most)
	}
	close(release)
	eventually(t, "all are written", func() bool { return j.Stats().Records > uint64(recorded) })
	closed(t, j)
	if got := len(usersOf(logOf(t, o.Dir))); got != recorded {
		t.Errorf("%d are there of %d", got, recorded)
	}
}

// TestAnIntervalThatCannotBeMadeSafe: what was written since is taken back and
// counted, because nobody knows what of it is on disk.
func TestAnIntervalThatCannotBeMadeSafe(t *testing.T) {
	disk := &badDisk{}
	o := someOptions(t.TempDir())
	o.disk, o.Durability = disk, Interval
	j := opened(t, o)
	if err := j.Append(numbered(1), &rules.Decision{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first one is safe", func() bool { return j.Stats().Sequence == 2 })
	disk.set(failsAt("sync"))
	if err := j.Append(numbered(2), &rules.Decision{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it fails", func() bool { return j.Stats().Failing })
	if err := j.Append(numbered(3), &rules.Decision{}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("while it fails: %v", err)
	}
	disk.set(nil)
	if err := j.Append(numbered(4), &rules.Decision{}); err != nil {
		t.Fatal(err)
	}
	closed(t, j)
	records := logOf(t, o.Dir)
	if diff := cmp.Diff([]string{"1", "4"}, usersOf(records)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"opened", "lost 1", "closed"}, notesOf(records)); diff != "" {
		t.Error(diff)
	}
}

// TestASegmentThatIsTakenAway is seen within a second, and the log goes on in
// another, with the numbers that follow.
func TestASegmentThatIsTakenAway(t *testing.T) {
	ears := &heard{}
	o := someOptions(t.TempDir())
	o.Durability, o.Told = Off, ears.told
	j := opened(t, o)
	eventually(t, "there is a segment", func() bool { return j.Stats().Records > 0 })
	if err := os.Remove(filepath.Join(o.Dir, segmentName(1).file(openEnding))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is told", func() bool { return slices.Contains(ears.all(), Vanished) })
	if err := j.Append(numbered(1), &rules.Decision{}); err != nil {
		t.Fatal(err)
	}
	closed(t, j)
	if _, err := os.Stat(filepath.Join(o.Dir, segmentName(2).file(openEnding))); err != nil {
		t.Error(err)
	}
}

// clock is one that a test sets.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()) }
func (c *clock) set(to time.Time)        { c.at.Store(to.UnixNano()) }
func (c *clock) forward(d time.Duration) { c.at.Add(int64(d)) }

// TestAnOldSegmentIsClosed although nothing is written, also by a service that
// goes on with the segment of another.
func TestAnOldSegmentIsClosed(t *testing.T) {
	now := &clock{}
	now.set(time.Unix(1_800_000_000, 0))
	o := someOptions(t.TempDir())
	o.Now, o.Durability = now.now, Interval
	closed(t, opened(t, o))
	now.forward(30 * time.Minute)
	j := opened(t, o)
	eventually(t, "it is open", func() bool { return j.Stats().Records > 0 })
	now.forward(31 * time.Minute)
	eventually(t, "the segment is compressed", func() bool {
		_, err := os.Stat(filepath.Join(o.Dir, segmentName(1).file(indexEnding)))
		return err == nil
	})
	now.set(time.Unix(1_700_000_000, 0)) // The clock goes back.
	if err := j.Append(numbered(1), &rules.Decision{}); err != nil {
		t.Fatal(err)
	}
	closed(t, j)
	logOf(t, o.Dir)
	closed(t, opened(t, o))
	if diff := cmp.Diff([]string{"opened", "closed", "opened", "closed", "opened", "closed"}, notesOf(logOf(t, o.Dir))); diff != "" {
		t.Error(diff)
	}
}

// TestWhatIsKept: segments are removed from the oldest on, as far as the log is too
// large or they are too old, but never the last, nor one that is yet to be read.
func TestWhatIsKept(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	hours := func(n int) time.Time { return now.Add(-time.Duration(n) * time.Hour) }
	for _, tc := range []struct {
		name  string
		ended []time.Time // of segments with ten records each, a thousand bytes long
		set   func(*Options)
		want  int // how many are removed
	}{
		{"no bound", []time.Time{hours(9999), hours(1)}, func(*Options) {}, 0},
		{"too old", []time.Time{hours(5), hours(4), hours(2), hours(1)}, func(o *Options) { o.KeepAge = 3 * time.Hour }, 2},
		{"all too old but the last", []time.Time{hours(5), hours(4)}, func(o *Options) { o.KeepAge = time.Hour }, 1},
		{"too large", []time.Time{hours(4), hours(3), hours(2), hours(1)}, func(o *Options) { o.KeepBytes = 2500 }, 2},
		{"exactly as large as it may be", []time.Time{hours(4), hours(3)}, func(o *Options) { o.KeepBytes = 2000 }, 0},
		{"a clock that was wrong", []time.Time{hours(-9999), hours(4), hours(1)}, func(o *Options) { o.KeepAge = 3 * time.Hour }, 2},
		{"a clock that went back", []time.Time{hours(4), hours(-1)}, func(o *Options) { o.KeepAge = 3 * time.Hour }, 1},
		{"somebody has read up to the second", []time.Time{hours(5), hours(4), hours(3)}, func(o *Options) {
			o.KeepAge, o.Hold = time.Hour, func() uint64 { return 15 }
		}, 1},
		{"somebody has read up to the end of the second", []time.Time{hours(5), hours(4), hours(3)}, func(o *Options) {
			o.KeepAge, o.Hold = time.Hour, func() uint64 { return 21 }
		}, 2},
		{"somebody has read nothing", []time.Time{hours(5), hours(4)}, func(o *Options) {
			o.KeepBytes, o.Hold = 1, func() uint64 { return 1 }
		}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := someOptions(t.TempDir())
			o.Now = func() time.Time { return now }
			tc.set(&o)
			for i, ended := range tc.ended {
				name := filepath.Join(o.Dir, segmentName(10*i+1).file(closedEnding))
				if err := os.WriteFile(name, make([]byte, 1000), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(name, ended, ended); err != nil {
					t.Fatal(err)
				}
			}
			ears := &heard{}
			o.Told = ears.told
			j := &Journal{o: o}
			if err := j.remove(); err != nil {
				t.Fatal(err)
			}
			left, _ := filepath.Glob(filepath.Join(o.Dir, "*.zst"))
			if got := len(tc.ended) - len(left); got != tc.want {
				t.Errorf("%d are removed, want %d", got, tc.want)
			}
			if s := j.Stats(); s.Segments != len(left) || s.KeptBytes != int64(1000*len(left)) {
				t.Errorf("the numbers are %+v", s)
			}
			if held := slices.Contains(ears.all(), Held); held != (o.Hold != nil && tc.want < len(tc.ended)-1) {
				t.Errorf("it says %q", ears.all())
			}
		})
	}
}

// TestACompressionThatWasInterrupted is done again, whatever is there of it.
func TestACompressionThatWasInterrupted(t *testing.T) {
	make3 := func(t *testing.T, dir string) {
		t.Helper()
		o := someOptions(dir)
		o.SegmentSize = 1
		j := opened(t, o)
		for n := range 3 {
			if err := j.Append(numbered(n), &rules.Decision{}); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "two are compressed", func() bool {
			done, _ := filepath.Glob(filepath.Join(dir, "*"+indexEnding))
			open, _ := filepath.Glob(filepath.Join(dir, "*"+openEnding))
			return len(done) > 1 && len(open) == 1
		})
		closed(t, j)
	}
	path := func(dir, ending string) string { return filepath.Join(dir, segmentName(1).file(ending)) }
	for name, harm := range map[string]func(t *testing.T, dir string){
		"in the middle": func(t *testing.T, dir string) {
			t.Helper()
			text, err := unpacked(path(dir, closedEnding))
			err = errors.Join(err, os.WriteFile(path(dir, openEnding), text, 0o600), os.WriteFile(path(dir, closedEnding+unfinished), text[:5], 0o600),
				os.Remove(path(dir, closedEnding)), os.Remove(path(dir, indexEnding)))
			if err != nil {
				t.Fatal(err)
			}
		},
		"before the index": func(t *testing.T, dir string) {
			t.Helper()
			text, err := unpacked(path(dir, closedEnding))
			if err = errors.Join(err, os.WriteFile(path(dir, openEnding), text, 0o600), os.Remove(path(dir, indexEnding))); err != nil {
				t.Fatal(err)
			}
		},
		"in the index": func(t *testing.T, dir string) {
			t.Helper()
			text, err := unpacked(path(dir, closedEnding))
			err = errors.Join(err, os.WriteFile(path(dir, openEnding), text, 0o600), os.Rename(path(dir, indexEnding), path(dir, indexEnding+unfinished)))
			if err != nil {
				t.Fatal(err)
			}
		},
		"before the end": func(t *testing.T, dir string) {
			t.Helper()
			text, err := unpacked(path(dir, closedEnding))
			if err = errors.Join(err, os.WriteFile(path(dir, openEnding), text, 0o600)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			make3(t, dir)
			before := logOf(t, dir)
			harm(t, dir)
			j := opened(t, someOptions(dir))
			eventually(t, "it is compressed", func() bool {
				_, open := os.Stat(path(dir, openEnding))
				_, err := os.Stat(path(dir, indexEnding))
				return open != nil && err == nil
			})
			closed(t, j)
			if left, _ := filepath.Glob(filepath.Join(dir, "*"+unfinished)); len(left) > 0 {
				t.Errorf("%s is left", left)
			}
			if diff := cmp.Diff(before, logOf(t, dir)[:len(before)]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestDurabilitiesSync: only commit and interval ask the disk, and commit for each
// batch.
func TestDurabilitiesSync(t *testing.T) {
	for _, tc := range []struct {
		durability  Durability
		least, most int
	}{{Commit, 6, 20}, {Interval, 1, 20}, {Off, 0, 0}} {
		t.Run(fmt.Sprint(tc.durability), func(t *testing.T) {
			var syncs atomic.Int64
			o := someOptions(t.TempDir())
			o.Durability, o.Synced = tc.durability, func(time.Duration) { syncs.Add(1) }
			j := opened(t, o)
			for n := range 5 {
				if err := j.Append(numbered(n), &rules.Decision{}); err != nil {
					t.Fatal(err)
				}
			}
			closed(t, j)
			if n := int(syncs.Load()); n < tc.least || n > tc.most {
				t.Errorf("%d syncs, want %d to %d", n, tc.least, tc.most)
			}
		})
	}
}
