package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/policies/store"
)

// chainedLines is the log of a service: decisions a minute apart, chained.
func chainedLines(instance string, n int) (lines [][]byte) {
	prev := strings.Repeat("0", 64)
	for i := 1; i <= n; i++ {
		verdict := `"verdict":"accept"`
		if i%3 == 0 {
			verdict = `"verdict":"reject","code":"1022","message":"no","policy":"ingest","rule":"films","kind":"extension"`
		}
		line := fmt.Sprintf(`{"seq":%d,"prev":%q,"id":"%s","time":"2026-03-14T12:%02d:%02d.5Z","instance":%q,"revision":"r1","event":{"phase":"start","direction":"upload","user":"xfer","file":"/in/%s-%d.mov"},%s,"took_us":7}`,
			i, prev, storedID(instance, i), i/60, i%60, instance, instance, i, verdict)
		sum := sha256.Sum256([]byte(line))
		prev = hex.EncodeToString(sum[:])
		lines = append(lines, []byte(line))
	}
	return lines
}

// storedID is the id of a service's decision: a UUID of version 4, which does not
// tell its time.
func storedID(instance string, i int) string {
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", instance[len(instance)-1], i)
}

// sharedLog is a policy store with the decisions of two services, and the
// configuration that names it. Between them is what somebody else has written.
func sharedLog(t *testing.T, odd ...string) (config string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	s, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	keep := func(name string, lines [][]byte) {
		if _, _, err := s.DecisionWriter(name).Publish(t.Context(), lines); err != nil {
			t.Fatal(err)
		}
	}
	a, b := chainedLines("hst-a", 9), chainedLines("hst-b", 6)
	keep("hst-a", a[:5])
	keep("hst-b", b)
	for _, line := range odd {
		keep("who", [][]byte{[]byte(line)})
	}
	keep("hst-a", a[5:])
	return written(t, "sluice.yaml", "state: {dir: "+dir+"}\n")
}

func TestTheLogOfAllServices(t *testing.T) {
	config := sharedLog(t)
	policies := policyOf(t, goodPolicy)
	list := written(t, "list.txt", "*-b-6.mov\n")
	for _, row := range []struct {
		name, args string
		status     int
		parts      []string
	}{
		{"searching", "log search --verdict reject --from store", 0, []string{
			"hst-a  2026-03-14 12:00:03.500Z  ✗ refused", "hst-b  2026-03-14 12:00:03.500Z", "hst-b  2026-03-14 12:00:06.500Z", "hst-a  2026-03-14 12:00:06.500Z", "hst-a  2026-03-14 12:00:09.500Z",
		}},
		{"of one service", "log search --dir store --instance hst-b --file **/*-5.mov", 0, []string{"hst-b", "/in/hst-b-5.mov"}},
		{"nothing", "log search --from store --user nobody", 1, nil},
		{"from then on", "log search --from store --since 2026-03-14T12:00:08Z", 0, []string{"/in/hst-a-8.mov", "/in/hst-a-9.mov"}},
		{"from the future", "log search --from store --since 2126-03-14", 1, nil},
		{"the end", "log tail -n 3 --from store", 0, []string{"hst-a-7.mov", "hst-a-8.mov", "hst-a-9.mov"}},
		{"the end of what is wanted", "log tail -n 1 --from store --instance hst-b", 0, []string{"hst-b-6.mov"}},
		{"no end", "log tail -n 0 --from store", 1, nil},
		{"one decision", "log show --from store " + storedID("hst-b", 3), 0, []string{"by hst-b (record 3)"}},
		{"one decision that is not there", "log show --from store " + storedID("hst-x", 3), 1, []string{"is not in the log"}},
		{"explained", "explain --from store " + storedID("hst-a", 3), 0, []string{"by hst-a (record 3)", "ingest/films objected"}},
		{"counted", "log stats --from store --by instance", 0, []string{"15 decisions, 5 of them refused", "hst-a  3", "hst-b  2"}},
		{"exported", "log export --from store --instance hst-a", 0, []string{"hst-a-1.mov", "hst-a-9.mov"}},
		{"hunted", "hunt --from store " + list, 1, []string{"hst-b-6.mov"}},
		{"replayed", "replay --from store --policies " + policies, 0, []string{"15 decisions from 2026-03-14"}},
		{"verified", "log verify --from store", 0, []string{"hst-a\n✓ the log is whole\n  9 records", "hst-b\n✓ the log is whole\n  6 records", "in each service's own folder"}},
		{"verified as JSON", "log verify --from store --format json", 0, []string{`"instance": "hst-a"`, `"records": 9`}},
		{"verified by a note", "log verify --from store --expect-last 9:" + strings.Repeat("0", 64), 2, []string{"verify that in its own folder"}},
	} {
		got := runs(t, append(strings.Fields(row.args), "--config", config)...)
		if got.status != row.status {
			t.Errorf("%s: status %d, want %d\n%s", row.name, got.status, row.status, got.err)
		}
		rest := got.out + got.err
		for _, part := range row.parts {
			_, after, found := strings.Cut(rest, part)
			if !found {
				t.Errorf("%s: %q does not come in\n%s%s", row.name, part, got.out, got.err)
				break
			}
			rest = after
		}
	}
	got := runs(t, "log", "search", "--from", "store", "--config", config, "--instance", "hst-a", "--format", "json")
	var want string
	for _, line := range chainedLines("hst-a", 9) {
		want += string(line) + "\n"
	}
	if diff := cmp.Diff(want, got.out); diff != "" {
		t.Errorf("lines are not as they were (-want +got):\n%s", diff)
	}
}

// TestOddLinesInTheStore are told, and what is behind them is read.
func TestOddLinesInTheStore(t *testing.T) {
	config := sharedLog(t, "no record", `{"seq":3,"prev":"`+"\x1b[2J"+`"}`, `{"seq":1}`, strings.Repeat("x", 5<<20))
	for _, command := range []string{"log search", "log tail -n 100", "log export"} {
		got := runs(t, append(strings.Fields(command), "--from", "store", "--config", config)...)
		if n := strings.Count(got.out, ".mov"); got.status != 2 || n != 15 {
			t.Errorf("%s: status %d, and %d records", command, got.status, n)
		}
		if !strings.Contains(got.err, "the policy store, line 12: this is no record") || strings.Contains(got.err, "\x1b") {
			t.Errorf("%s: told was\n%s", command, got.err)
		}
	}
	got := runs(t, "log", "verify", "--from", "store", "--config", config)
	if got.status != 1 || !strings.Contains(got.out, "who\n✗ altered") || !strings.Contains(got.out, "hst-a\n✓ the log is whole") {
		t.Errorf("verify: status %d\n%s%s", got.status, got.out, got.err)
	}
}

func TestTheStoreMustBeNamed(t *testing.T) {
	t.Chdir(t.TempDir())
	without := written(t, "without.yaml", "listen: 127.0.0.1:0\n")
	empty := written(t, "empty.yaml", "state: {dir: "+filepath.Join(t.TempDir(), "state")+"}\n")
	if err := os.Mkdir("store", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		args   string
		status int
		part   string
	}{
		{"log search --from store", 2, "Name the service's configuration with --config"},
		{"log tail --from store", 2, "Name the service's configuration with --config"},
		{"log verify --from store", 2, "Name the service's configuration with --config"},
		{"log search --from store --config " + without, 2, "has no state, so there is no policy store"},
		{"log search --from ./store", 2, "there is no segment of a decision log in the folder"},
		{"log search --from store --config " + empty, 1, ""},
		{"log tail --from store --config " + empty, 1, ""},
		{"log verify --from store --config " + empty, 2, "journal.sinks must have one with store"},
	} {
		got := runs(t, strings.Fields(row.args)...)
		if got.status != row.status || !strings.Contains(got.err, row.part) {
			t.Errorf("%s: status %d\n%swant %d and %q", row.args, got.status, got.err, row.status, row.part)
		}
	}
}

// TestStoredLinesAreReadAsAFile, however little is read at once.
func TestStoredLinesAreReadAsAFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOf(rapid.StringMatching(`[a-z]{1,40}`)).Draw(t, "lines")
		in := newStoredLines(func(yield func(store.StoredDecision, error) bool) {
			for _, line := range lines {
				if !yield(store.StoredDecision{Line: []byte(line)}, nil) {
					return
				}
			}
		})
		defer in.stop()
		var want strings.Builder
		for _, line := range lines {
			want.WriteString(line + "\n")
		}
		var got strings.Builder
		buffer := make([]byte, rapid.IntRange(1, 50).Draw(t, "buffer"))
		_, err := io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{in}, buffer)
		if diff := cmp.Diff(want.String(), got.String()); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
	in := newStoredLines(func(yield func(store.StoredDecision, error) bool) {
		_ = yield(store.StoredDecision{Line: []byte("first")}, nil) && yield(store.StoredDecision{}, store.ErrAway)
	})
	defer in.stop()
	if err := iotest.TestReader(in, []byte("first\n")); err != nil {
		t.Error(err)
	}
	if in.err == nil {
		t.Error("that the store was away is not known")
	}
}
