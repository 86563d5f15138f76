package sinks

import (
	"crypto/sha256"
	"encoding/binary"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func markOf(seq uint64) mark {
	return mark{seq, sha256.Sum256(binary.BigEndian.AppendUint64(nil, seq))}
}

var marksCompared = cmp.AllowUnexported(mark{})

// TestPositionsAreShort: however many records they have seen, and however far back
// one looks, there is a mark not much further back.
func TestPositionsAreShort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p position
		var seen []uint64
		for _, step := range rapid.SliceOfN(rapid.Uint64Range(1, 1<<rapid.IntRange(1, 40).Draw(t, "bits")), 1, 300).Draw(t, "steps") {
			seq := p.last().seq + step
			seen = append(seen, seq)
			p = p.add(markOf(seq))
		}
		if len(p) >= maxMarks {
			t.Fatal(len(p), "marks")
		}
		last := p.last().seq
		for i, m := range p {
			if m != markOf(m.seq) || i > 0 && m.seq >= p[i-1].seq {
				t.Fatal("mark", i, "is", m.seq)
			}
		}
		for _, seq := range seen {
			best := uint64(0) // The latest mark that is no later.
			for _, m := range p {
				if m.seq <= seq {
					best = m.seq
					break
				}
			}
			earliest := p[len(p)-1].seq
			if seq >= earliest && last-best > 2*(last-seq) && best != seq && !adjacent(seen, best, seq) {
				t.Fatal("for", seq, "the mark is", best, "of", last)
			}
		}
		if p[len(p)-1].seq != seen[0] {
			t.Fatal("the first record has no mark")
		}
		got, err := parsePosition(p.text())
		must(t, err)
		if diff := cmp.Diff(p, got, marksCompared); diff != "" {
			t.Fatal(diff)
		}
	})
}

// adjacent reports whether nothing was seen between two records.
func adjacent(seen []uint64, a, b uint64) bool {
	for i := 1; i < len(seen); i++ {
		if seen[i-1] == a && seen[i] == b {
			return true
		}
	}
	return false
}

// TestAPositionThatGoesBack has no marks of what was taken back.
func TestAPositionThatGoesBack(t *testing.T) {
	var p position
	for _, seq := range []uint64{10, 20, 30, 40} {
		p = p.add(markOf(seq))
	}
	p = p.add(mark{seq: 25})
	if diff := cmp.Diff(position{{seq: 25}, markOf(20), markOf(10)}, p, marksCompared); diff != "" {
		t.Error(diff)
	}
}

// TestPositionsOnDisk are there after a restart; none is no mistake, and what is no
// position is one.
func TestPositionsOnDisk(t *testing.T) {
	dir := t.TempDir()
	p, err := readPosition(dir, "siem")
	if p != nil || err != nil {
		t.Fatal(p, err)
	}
	want := position{markOf(7), markOf(5)}
	must(t, want.save(dir, "siem"))
	got, err := readPosition(dir, "siem")
	must(t, err)
	if diff := cmp.Diff(want, got, marksCompared); diff != "" {
		t.Error(diff)
	}
	must(t, os.WriteFile(positionName(dir, "siem"), []byte(`{"sequence":7}`), 0o600))
	if _, err := readPosition(dir, "siem"); err == nil {
		t.Error("there is no error")
	}
}

// FuzzPosition: what is read as a position is what is written for it.
func FuzzPosition(f *testing.F) {
	f.Add([]byte(`{"sequence":7,"hash":""}`))
	f.Add(position{markOf(1)}.text())
	f.Add(position{markOf(700), markOf(600), markOf(3)}.text())
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := parsePosition(text)
		if err != nil {
			return
		}
		again, err := parsePosition(p.text())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p, again, marksCompared); diff != "" {
			t.Error(diff)
		}
		for i := 1; i < len(p); i++ {
			if p[i].seq >= p[i-1].seq {
				t.Error(p[i].seq, "follows", p[i-1].seq)
			}
		}
	})
}
