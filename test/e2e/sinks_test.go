package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// inbox is a stand-in for a receiver of batches that can be away.
type inbox struct {
	*httptest.Server
	away atomic.Bool
	// taken is called when a batch was taken, before the answer.
	taken func(records []recorded)
	mu    sync.Mutex
	got   []recorded
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	in := &inbox{}
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil || in.away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var records []recorded
		for line := range bytes.Lines(text) {
			var one recorded
			if err := json.Unmarshal(line, &one); err != nil {
				t.Errorf("%v: %q", err, line)
			}
			records = append(records, one)
		}
		in.mu.Lock()
		in.got = append(in.got, records...)
		in.mu.Unlock()
		if in.taken != nil {
			in.taken(records)
		}
	}))
	t.Cleanup(in.Close)
	return in
}

// all returns the records that came, and fails the test unless they are in order and
// what comes again comes with all behind it.
func (in *inbox) all(t *testing.T) (records []recorded) {
	t.Helper()
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, r := range in.got {
		switch next := uint64(len(records) + 1); {
		case r.Sequence > next:
			t.Fatalf("record %d comes before record %d", r.Sequence, next)
		case r.Sequence < next:
			if records[r.Sequence-1] != r {
				t.Fatalf("record %d is another one when it comes again", r.Sequence)
			}
		default:
			records = append(records, r)
		}
	}
	return records
}

// TestSinksLoseNothing: while a receiver is away decisions are answered and wait in
// the log, and afterwards it has them all; another sink does not notice.
func TestSinksLoseNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log, tail := filepath.Join(dir, "log"), filepath.Join(dir, "tail.jsonl")
	in := newInbox(t)
	in.away.Store(true)
	s := start(t, setup{config: journalOf(log, "sinks:", "  far: {http: {url: '"+in.URL+"'}}", "  near: {file: "+tail+"}")})
	for range 20 {
		if a := s.post(t, event()); a.status != http.StatusOK {
			t.Fatalf("an event: %d %s", a.status, a.body)
		}
	}
	await(t, "the sink near has all", func() bool {
		text, _ := os.ReadFile(tail)
		return bytes.Count(text, []byte("\n")) == 21
	})
	await(t, "the metrics tell what waits", func() bool {
		all := s.metrics(t)
		return all.sum("sluice_sink_lag_records", "sink", "far") == 21 && all.sum("sluice_sink_failures_total", "sink", "far") > 0 &&
			all.sum("sluice_sink_lag_records", "sink", "near") == 0 && all.sum("sluice_sink_records_total", "sink", "near", "result", "delivered") == 21
	})
	if lines := s.logged(t, "sink", "sink", "far", "what", "failing"); len(lines) != 1 {
		t.Errorf("the log tells of the failure %d times", len(lines))
	}
	in.away.Store(false)
	await(t, "the sink far has all", func() bool { return len(in.all(t)) == 21 })
	if status, err := s.stop(); status != 0 {
		t.Fatalf("exit status %d (%v)", status, err)
	}
	if got, want := in.all(t), readJournal(t, log); len(got) != len(want) {
		t.Errorf("%d records came of %d", len(got), len(want))
	}
}

// TestSinksAfterAKill: a process that is killed after a batch was taken and before
// the position is on disk sends it again; nothing is missing.
func TestSinksAfterAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	in := newInbox(t)
	o := setup{config: journalOf(log, "sinks: {far: {http: {url: '"+in.URL+"'}, batch: {records: 5}}}")}
	const rounds = 4
	for range rounds {
		s, err := launch(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		var killed sync.Once
		before := len(in.all(t))
		in.taken = func(records []recorded) {
			if int(records[len(records)-1].Sequence) > before+10 {
				killed.Do(func() { _ = s.cmd.Process.Kill() })
			}
		}
		answeredUntilGone(t, s)
	}
	in.taken = nil
	s, err := launch(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if status, err := s.stop(); status != 0 {
		t.Fatalf("exit status %d (%v)", status, err)
	}
	want := readJournal(t, log)
	got := in.all(t)
	if len(got) != len(want) {
		t.Errorf("%d records came of %d", len(got), len(want))
	}
	if len(in.got) == len(got) {
		t.Error("nothing came again: the test has killed nothing at the right moment")
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("record %d is %v, want %v", i+1, got[i], want[i])
		}
	}
	if text, err := os.ReadFile(filepath.Join(log, "far.position")); err != nil || !strings.Contains(string(text), `"sequence":`) {
		t.Errorf("the position is %q (%v)", text, err)
	}
}

// answeredUntilGone posts events until the process has ended.
func answeredUntilGone(t *testing.T, s *server) {
	t.Helper()
	client := &http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	for {
		if _, err := s.send(client, event()); err != nil {
			break
		}
	}
	<-s.ended
}
