package sinks

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"github.com/sluiceproject/sluice/validator/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// began is when the records of tests begin.
var began = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

// logbook writes a decision log as a test wants it.
type logbook struct {
	dir    string
	next   uint64
	prev   hash
	open   uint64 // first record of the segment that is written to, 0 for none
	closed []uint64
}

func newLogbook(dir string) *logbook { return &logbook{dir: dir, next: 1} }

// fatal is what testing.T and rapid.T have in common.
type fatal interface {
	Helper()
	Fatal(args ...any)
}

func must(t fatal, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// record is the n-th record of tests.
func record(n uint64) journal.Record {
	size := int64(n)
	r := journal.Record{
		ID: fmt.Sprintf("id-%d", n), Time: began.Add(time.Duration(n) * time.Second), Instance: "hst-1", Revision: "r1", Verdict: journal.Accept,
		Event: &journal.Event{Phase: "start", Direction: "upload", User: "xfer", File: fmt.Sprintf("/in/%d.mov", n), Size: &size},
		Steps: []journal.Step{{Policy: "ingest", Rule: "video-only", Kind: "extension", Mode: "enforce", Outcome: "passed"}},
	}
	if n%3 == 0 {
		r.Verdict, r.Code, r.Message, r.Policy, r.Rule, r.Kind = journal.Reject, "2001", "only video", "ingest", "video-only", "extension"
	}
	return r
}

// line returns the next line of the log.
func (l *logbook) line(t fatal, r journal.Record) []byte {
	t.Helper()
	r.Sequence, r.Previous = l.next, hex.EncodeToString(l.prev[:])
	text, err := json.Marshal(r)
	must(t, err)
	l.prev = sha256.Sum256(text)
	l.next++
	return append(text, '\n')
}

// file returns the segment that is written to.
func (l *logbook) file() string {
	if l.open == 0 {
		l.open = l.next
	}
	return segmentFile(l.dir, l.open, openEnding)
}

func (l *logbook) append(t fatal, text []byte) {
	t.Helper()
	f, err := os.OpenFile(l.file(), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	must(t, err)
	_, err = f.Write(text)
	must(t, err)
	must(t, f.Close())
}

// write appends so many records.
func (l *logbook) write(t fatal, count int) {
	t.Helper()
	for range count {
		l.file() // Named before the line is numbered.
		l.append(t, l.line(t, record(l.next)))
	}
}

// rotate ends the segment.
func (l *logbook) rotate() {
	if l.open != 0 {
		l.closed = append(l.closed, l.open)
		l.open = 0
	}
}

// compress does what the writer does with segments that have ended.
func (l *logbook) compress(t fatal) {
	t.Helper()
	for _, first := range l.closed {
		plain := segmentFile(l.dir, first, openEnding)
		text, err := os.ReadFile(plain)
		if os.IsNotExist(err) {
			continue
		}
		must(t, err)
		packer, err := zstd.NewWriter(nil)
		must(t, err)
		must(t, os.WriteFile(segmentFile(l.dir, first, closedEnding), packer.EncodeAll(text, nil), 0o600))
		must(t, packer.Close())
		must(t, os.Remove(plain))
	}
}

// forget removes the oldest segment that has ended, as retention does.
func (l *logbook) forget(t fatal) {
	t.Helper()
	if len(l.closed) == 0 {
		return
	}
	for _, ending := range []string{openEnding, closedEnding} {
		if err := os.Remove(segmentFile(l.dir, l.closed[0], ending)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	l.closed = l.closed[1:]
}

// back makes the log what it was when it had so many records: what a writer does
// with a batch that it cannot make safe.
func (l *logbook) back(t fatal, size int64, next uint64, prev hash) {
	t.Helper()
	must(t, os.Truncate(l.file(), size))
	l.next, l.prev = next, prev
}

// sizeNow is the size of the segment that is written to.
func (l *logbook) sizeNow(t fatal) int64 {
	t.Helper()
	info, err := os.Stat(l.file())
	must(t, err)
	return info.Size()
}

// told collects what an operator is told.
type told struct {
	mu   sync.Mutex
	list []Happening
}

func (l *told) tell(h Happening) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, h)
}

// of returns the details of what was told under a word.
func (l *told) of(what string) (texts []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.list {
		if h.What == what {
			text := h.Detail
			if h.Err != nil {
				text += ": " + h.Err.Error()
			}
			texts = append(texts, text)
		}
	}
	return texts
}

// numbers are from first to last.
func numbers(first, last uint64) (list []uint64) {
	for n := first; n <= last; n++ {
		list = append(list, n)
	}
	return list
}

// unique returns the numbers without what comes again.
func unique(list []uint64) []uint64 { return slices.Compact(slices.Sorted(slices.Values(list))) }

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: began} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// shortPause stands for the pauses after failures.
func shortPause(done <-chan struct{}, _ time.Duration) { pause(done, time.Millisecond) }

// running starts sinks for as long as the test takes, or until the func is called.
func running(t *testing.T, o Options) (*Set, func()) {
	t.Helper()
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.pause == nil {
		o.pause = shortPause
	}
	o.every = time.Millisecond
	s, err := Open(o)
	must(t, err)
	s.Start()
	var once sync.Once
	end := func() { once.Do(func() { s.Close(t.Context()) }) }
	t.Cleanup(end)
	return s, end
}

// written makes a file.
func written(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
