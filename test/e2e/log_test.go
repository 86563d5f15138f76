package e2e

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestALogIsFollowed: `sluice log tail -f` shows what is there and whatever comes,
// once and in order, through rotations of the log, and ends well when it is
// interrupted.
func TestALogIsFollowed(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	s := start(t, setup{config: journalOf(log, "segment_size: 256 KiB"), sink: func(l line) bool { return l.text("msg") == "decision" }})
	asked := []string{s.post(t, event()).id}
	for _, ending := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		var shown, complaints output
		tail := exec.Command(binary, "log", "tail", "-f", "-n", "100000", "--dir", log, "--verdict", "accept", "--format", "json")
		tail.Stdout, tail.Stderr = &shown, &complaints
		if err := tail.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = tail.Process.Kill() }) // After Wait it does nothing.
		await(t, "what is there is shown", func() bool { return slices.Equal(shownIDs(t, shown.String()), asked) })
		rotated := func() int {
			segments, _ := filepath.Glob(filepath.Join(log, "*.jsonl*"))
			return len(segments)
		}
		for before := rotated(); rotated() < before+2; {
			asked = append(asked, s.post(t, event()).id)
		}
		asked = append(asked, s.post(t, event()).id)
		await(t, "what comes is shown", func() bool { return strings.Count(shown.String(), "\n") >= len(asked) })
		if got := shownIDs(t, shown.String()); !slices.Equal(got, asked) {
			t.Errorf("%d decisions are shown, and not the %d that were made in their order", len(got), len(asked))
		}
		if err := tail.Process.Signal(ending); err != nil {
			t.Fatal(err)
		}
		if err := tail.Wait(); err != nil || complaints.String() != "" {
			t.Errorf("after %s it ends with %v and says %q", ending, err, complaints.String())
		}
	}
}

// shownIDs returns the ids of the lines that were shown.
func shownIDs(t *testing.T, text string) (ids []string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if !strings.HasSuffix(line, "\n") {
			break // The rest comes later.
		}
		var one recorded
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		ids = append(ids, one.ID)
	}
	return ids
}
