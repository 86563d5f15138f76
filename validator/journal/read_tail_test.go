package journal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestTail(t *testing.T) {
	dir, _, _ := smallLog(t)
	for _, row := range []struct {
		q    Query
		n    int
		want []uint64
	}{
		{Query{}, 3, []uint64{399, 400, 401}},
		{Query{Notes: true}, 2, []uint64{401, 402}},
		{Query{}, 0, nil},
		{Query{Verdict: []string{Reject}}, 12, []uint64{285, 295, 305, 315, 325, 335, 345, 355, 365, 375, 385, 395}}, // Of several segments.
		{Query{ID: []string{makeEvent(0).ID.String()}}, 5, []uint64{2}},
	} {
		s, err := row.q.Compile()
		if err != nil {
			t.Fatal(err)
		}
		last, after, broken, err := s.Tail(t.Context(), dir, row.n)
		if err != nil || broken != nil {
			t.Fatal(err, broken)
		}
		var got []uint64
		for _, e := range last {
			got = append(got, e.Sequence)
		}
		if !slices.Equal(got, row.want) || after > 402 || len(row.q.ID) == 0 && after < 395 && row.n > 0 {
			t.Errorf("%+v: %v, and %d after, want %v", row.q, got, after, row.want)
		}
	}
}

// TestFollowGoesThroughRotations copies a log piece by piece: half lines, rotations,
// compression, and records that are taken back.
func TestFollowGoesThroughRotations(t *testing.T) {
	_, closed, open := smallLog(t)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tick := make(chan time.Time)
	var got []uint64
	var errs []error
	s, err := (&Query{Notes: true}).Compile()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e, err := range s.Follow(ctx, dir, 0, tick) {
			if err != nil {
				errs = append(errs, err)
				continue
			}
			got = append(got, e.Sequence)
		}
	}()
	look := func() { tick <- time.Time{} }
	put := func(name, text string) {
		t.Helper()
		file, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(text); err != nil {
			t.Fatal(err)
		}
		file.Close()
	}
	var total int
	for i, segment := range append(slices.Clone(closed[:3]), open) {
		lines, _ := linesIn(t, segment)
		total += len(lines)
		name, _ := parseSegment(segment, closedEnding)
		if segment == open {
			name, _ = parseSegment(segment, openEnding)
		}
		file := name.file(openEnding)
		for n, line := range lines {
			put(file, line[:len(line)/2])
			if n%10 == 0 {
				look()
			}
			put(file, line[len(line)/2:]+"\n")
		}
		switch i {
		case 1: // Unread records, and compressed at once.
			if err := compress(dir, name, nil); err != nil {
				t.Fatal(err)
			}
		case 3:
			look()
			look()
			path := filepath.Join(dir, file)
			text := readText(t, path)
			last := lines[len(lines)-1]
			if err := os.Truncate(path, int64(len(text)-len(last)-1)); err != nil {
				t.Fatal(err)
			}
			look()
			look()
			put(file, last+"\n")
		}
	}
	look()
	look()
	cancel()
	<-done
	if len(errs) != 1 || !errors.Is(errs[0], ErrTakenBack) {
		t.Errorf("%v", errs)
	}
	if len(got) != total+1 || !slices.IsSorted(got) { // The one that was taken back comes twice.
		t.Errorf("%d of %d records: %v", len(got), total, got)
	}
}
