package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// verified verifies a log and fails if it cannot be read.
func verified(tb testing.TB, from string, w Witness) *Verification {
	tb.Helper()
	v, err := Verify(tb.Context(), from, w)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// unpacked returns the lines of a segment, and a function that writes others in
// their place; the index stays.
func linesIn(tb testing.TB, file string) (lines []string, repack func([]string)) {
	tb.Helper()
	text := readText(tb, file)
	packed := strings.HasSuffix(file, closedEnding)
	if packed {
		d, err := zstd.NewReader(nil)
		if err != nil {
			tb.Fatal(err)
		}
		defer d.Close()
		b, err := d.DecodeAll([]byte(text), nil)
		if err != nil {
			tb.Fatal(err)
		}
		text = string(b)
	}
	return splitLines(text), func(lines []string) {
		tb.Helper()
		text := strings.Join(lines, "\n") + "\n"
		if packed {
			var b bytes.Buffer
			w, _ := zstd.NewWriter(&b)
			w.Write([]byte(text))
			w.Close()
			text = b.String()
		}
		writeText(tb, file, text)
	}
}

// small is a log of several closed segments and an open one.
func smallLog(tb testing.TB) (dir string, closed []string, open string) {
	tb.Helper()
	dir = makeLog(tb, shape{records: 400, segment: 64 << 10})
	closed = filesIn(tb, dir, closedEnding)
	if len(closed) < 4 {
		tb.Fatalf("%d closed segments", len(closed))
	}
	return dir, closed, filesIn(tb, dir, openEnding)[0]
}

func TestAWholeLogVerifies(t *testing.T) {
	dir, closed, open := smallLog(t)
	v := verified(t, dir, Witness{Before: strings.Repeat("0", 64)})
	if v.Break != nil || v.Others != 0 {
		t.Fatalf("%+v", v.Break)
	}
	if v.First != 1 || v.Last != 402 || v.Records != 402 || v.Segments != len(closed)+1 { // An opening and a closing note.
		t.Errorf("%+v", v)
	}
	lines, _ := linesIn(t, open)
	var last Record
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.Sequence != v.Last {
		t.Errorf("the last record is %d: %v", last.Sequence, err)
	}
	again := verified(t, dir, Witness{Sequence: v.Last, Hash: v.Hash})
	if again.Break != nil {
		t.Errorf("%+v", again.Break)
	}
	if one := verified(t, closed[1], Witness{}); one.Break != nil || one.Records == 0 {
		t.Errorf("%+v", one)
	}
}

// TestWhatIsWrongIsNamed damages a log in every way and looks at what is named.
func TestWhatIsWrongIsNamed(t *testing.T) {
	flip := func(line string) string { return strings.Replace(line, `"cipher":"aes-256"`, `"cipher":"aes-255"`, 1) }
	seqOf := func(line string) uint64 {
		seq, _, _ := head([]byte(line))
		return seq
	}
	// edit changes the lines of the closed segment in the middle.
	edit := func(change func(lines []string) ([]string, uint64)) func(*testing.T, []string, string) uint64 {
		return func(t *testing.T, closed []string, _ string) uint64 {
			t.Helper()
			lines, repack := linesIn(t, closed[1])
			lines, seq := change(lines)
			repack(lines)
			return seq
		}
	}
	reindex := func(change func(*Index)) func(*testing.T, []string, string) uint64 {
		return func(t *testing.T, closed []string, _ string) uint64 {
			t.Helper()
			file := strings.TrimSuffix(closed[1], closedEnding) + indexEnding
			var x Index
			if err := json.Unmarshal([]byte(readText(t, file)), &x); err != nil {
				t.Fatal(err)
			}
			change(&x)
			text, _ := json.Marshal(&x)
			writeText(t, file, string(text))
			return 0
		}
	}
	rows := []struct {
		name   string
		damage func(t *testing.T, closed []string, open string) uint64
		kind   string
	}{
		{"a flipped byte", edit(func(l []string) ([]string, uint64) { l[20] = flip(l[20]); return l, seqOf(l[20]) }), Altered},
		{"a flipped byte in the hash of a record", edit(func(l []string) ([]string, uint64) {
			seq := seqOf(l[20])
			other := "0"
			if l[20][40] == '0' {
				other = "1"
			}
			l[20] = l[20][:40] + other + l[20][41:]
			return l, seq
		}), Altered},
		{"a flipped byte in the number of a record", edit(func(l []string) ([]string, uint64) {
			seq := seqOf(l[20])
			l[20] = strings.Replace(l[20], fmt.Sprintf(`{"seq":%d,`, seq), fmt.Sprintf(`{"seq":%d,`, seq+800), 1)
			return l, seq
		}), Altered},
		{"a flipped byte that leaves no JSON", edit(func(l []string) ([]string, uint64) {
			seq := seqOf(l[20])
			l[20] = "[" + l[20][1:]
			return l, seq
		}), Altered},
		{"a flipped line feed", edit(func(l []string) ([]string, uint64) {
			seq := seqOf(l[20])
			l[20] += " " + l[21]
			return append(l[:21], l[22:]...), seq
		}), Altered},
		{"a flipped byte in the last record of a segment", edit(func(l []string) ([]string, uint64) {
			n := len(l) - 1
			l[n] = flip(l[n])
			return l, seqOf(l[n])
		}), Altered},
		{"a flipped byte in the first record of a segment", edit(func(l []string) ([]string, uint64) { l[0] = flip(l[0]); return l, seqOf(l[0]) }), Altered},
		{"a flipped byte in the last segment", func(t *testing.T, _ []string, open string) uint64 {
			t.Helper()
			lines, repack := linesIn(t, open)
			lines[1] = flip(lines[1])
			repack(lines)
			return seqOf(lines[1])
		}, Altered},
		{"a deleted record", edit(func(l []string) ([]string, uint64) { return append(l[:20:20], l[21:]...), seqOf(l[20]) }), Deleted},
		{"three deleted records", edit(func(l []string) ([]string, uint64) { return append(l[:20:20], l[23:]...), seqOf(l[20]) }), Deleted},
		{"the first record of a segment deleted", edit(func(l []string) ([]string, uint64) { return l[1:], seqOf(l[0]) }), Deleted},
		{"two neighbours swapped", edit(func(l []string) ([]string, uint64) { l[20], l[21] = l[21], l[20]; return l, seqOf(l[21]) }), Swapped},
		{"two records swapped that are not neighbours", edit(func(l []string) ([]string, uint64) { l[20], l[25] = l[25], l[20]; return l, seqOf(l[25]) }), Swapped},
		{"the first two of a segment swapped", edit(func(l []string) ([]string, uint64) { l[0], l[1] = l[1], l[0]; return l, seqOf(l[1]) }), Swapped},
		{"a record overwritten by another", edit(func(l []string) ([]string, uint64) { seq := seqOf(l[20]); l[20] = l[25]; return l, seq }), Deleted},
		{"a record twice", edit(func(l []string) ([]string, uint64) {
			seq := seqOf(l[20])
			return append(l[:21:21], l[20:]...), seq
		}), Repeated},
		{"the end of a segment cut off", edit(func(l []string) ([]string, uint64) { return l[:20], seqOf(l[20]) }), Truncated},
		{"the file of a segment cut off", func(t *testing.T, closed []string, _ string) uint64 {
			t.Helper()
			text := readText(t, closed[1])
			writeText(t, closed[1], text[:len(text)/2])
			return 0
		}, Truncated},
		{"the end of the last closed segment cut off, and the open one gone", func(t *testing.T, closed []string, open string) uint64 {
			t.Helper()
			if err := os.Remove(open); err != nil {
				t.Fatal(err)
			}
			lines, repack := linesIn(t, closed[len(closed)-1])
			repack(lines[:5])
			return seqOf(lines[5])
		}, Truncated},
		{"a flipped byte in the last record, and the open segment gone", func(t *testing.T, closed []string, open string) uint64 {
			t.Helper()
			if err := os.Remove(open); err != nil {
				t.Fatal(err)
			}
			lines, repack := linesIn(t, closed[len(closed)-1])
			n := len(lines) - 1
			lines[n] = flip(lines[n])
			repack(lines)
			return seqOf(lines[n])
		}, Altered},
		{"a missing segment", func(t *testing.T, closed []string, _ string) uint64 {
			t.Helper()
			lines, _ := linesIn(t, closed[1])
			if err := os.Remove(closed[1]); err != nil {
				t.Fatal(err)
			}
			return seqOf(lines[0])
		}, SegmentMissing},
		{"a segment of another name", func(t *testing.T, closed []string, _ string) uint64 {
			t.Helper()
			lines, _ := linesIn(t, closed[1])
			name := segmentName(seqOf(lines[0]) + 1)
			if err := os.Rename(closed[1], filepath.Join(filepath.Dir(closed[1]), name.file(closedEnding))); err != nil {
				t.Fatal(err)
			}
			return seqOf(lines[0])
		}, SegmentMisnamed},
		{"a file that is no zstd", func(t *testing.T, closed []string, _ string) uint64 {
			t.Helper()
			writeText(t, closed[1], "no segment")
			return 0
		}, SegmentUnreadable},
		{"an index of other records", reindex(func(x *Index) { x.Last++ }), IndexDisagrees},
		{"an index of another hash", reindex(func(x *Index) { x.Hash = strings.Repeat("0", 64) }), IndexDisagrees},
		{"an index of other times", reindex(func(x *Index) { x.To = x.From }), IndexDisagrees},
		{"an index that hides a user", reindex(func(x *Index) { x.Values["user"] = []string{"nobody"} }), IndexDisagrees},
		{"an index that hides addresses", reindex(func(x *Index) { x.Filters["client_ip"].ClearAll() }), IndexDisagrees},
		{"an index that is no JSON", func(t *testing.T, closed []string, _ string) uint64 {
			t.Helper()
			writeText(t, strings.TrimSuffix(closed[1], closedEnding)+indexEnding, "{")
			return 0
		}, IndexDisagrees},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			dir, closed, open := smallLog(t)
			seq := row.damage(t, closed, open)
			v := verified(t, dir, Witness{})
			if v.Break == nil {
				t.Fatal("nothing is found")
			}
			t.Logf("%s, line %d: %s (%d others)", v.Break.Segment, v.Break.Line, v.Break.Message, v.Others)
			if v.Break.Kind != row.kind || seq != 0 && v.Break.Sequence != seq {
				t.Errorf("%s of record %d, want %s of record %d", v.Break.Kind, v.Break.Sequence, row.kind, seq)
			}
		})
	}
}
