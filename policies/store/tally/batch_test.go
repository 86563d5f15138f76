package tally_test

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/policies/store/tally"
	"github.com/sluiceproject/sluice/rules"
)

func someBatch() tally.Batch {
	b := tally.Batch{ID: tally.Key{1, 2, 3}}
	for _, c := range []rules.Count{
		{Counter: "p/r/user/ann", File: "x/a.mov", To: 1 << 40, Window: 24 * time.Hour, Files: 1000, Bytes: 1 << 50},
		{Counter: "p/r/user/ann", File: "x/b.mov", From: 7, To: math.MaxInt64, Final: true, Window: time.Minute},
	} {
		e, _ := tally.EntryOf(&c)
		b.Entries = append(b.Entries, e)
	}
	return b
}

// TestABatchIsReadAsItWasWritten, whatever it has.
func TestABatchIsReadAsItWasWritten(t *testing.T) {
	var got tally.Batch // Used again, as whoever reads a stream does.
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.Custom(func(t *rapid.T) (k tally.Key) {
			copy(k[:], rapid.SliceOfN(rapid.Byte(), len(k), len(k)).Draw(t, "key"))
			return k
		})
		number := rapid.Int64Range(0, math.MaxInt64)
		want := tally.Batch{ID: key.Draw(t, "id"), Entries: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) tally.Entry {
			return tally.Entry{
				Counter: key.Draw(t, "counter"), File: key.Draw(t, "file"), From: number.Draw(t, "from"), To: number.Draw(t, "to"),
				Final: rapid.Bool().Draw(t, "final"), Window: time.Duration(rapid.Int64Range(1, int64(tally.MaxWindow)).Draw(t, "window")),
				Files: number.Draw(t, "files"), Bytes: number.Draw(t, "bytes"),
			}
		}), 1, 20).Draw(t, "entries")}
		if err := tally.ParseBatch(want.Append(nil), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestTheWindowOfABatchIsTheLongest(t *testing.T) {
	if b := someBatch(); b.Window() != 24*time.Hour {
		t.Errorf("got %s", b.Window())
	}
}

func TestBatchesThatCannotBeRead(t *testing.T) {
	b := someBatch()
	whole := b.Append(nil)
	change := func(at int, to byte) []byte {
		text := bytes.Clone(whole)
		text[at] = to
		return text
	}
	long := tally.Batch{Entries: make([]tally.Entry, tally.MaxEntries+1)}
	for i := range long.Entries {
		long.Entries[i].Window = 1
	}
	never := someBatch()
	never.Entries[1].Window = 0
	for _, tc := range []struct {
		name string
		text []byte
		says string
	}{
		{"nothing", nil, "too early"},
		{"another form", change(0, 2), "the form 2"},
		{"unknown flags", change(18, 2), "flags 0x2"},
		{"more than there is", change(17, 3), "too early"},
		{"less than there is", change(17, 1), "behind the last entry"},
		{"too many", long.Append(nil), "513 entries"},
		{"an entry that cannot be", never.Append(nil), "a window of 0s"},
		{"something behind it", append(bytes.Clone(whole), 0), "1 bytes behind"},
	} {
		if err := tally.ParseBatch(tc.text, &b); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.says)
		}
	}
	for cut := range whole {
		if tally.ParseBatch(whole[:cut], &b) == nil {
			t.Errorf("%d of %d bytes are a batch", cut, len(whole))
		}
	}
}

// FuzzParseBatch: what can be read can be counted, and is written the same again
// but for numbers that were longer than need be.
func FuzzParseBatch(f *testing.F) {
	b := someBatch()
	f.Add(b.Append(nil))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, text []byte) {
		var b, again tally.Batch
		if tally.ParseBatch(text, &b) != nil {
			return
		}
		written := b.Append(nil)
		if err := tally.ParseBatch(written, &again); err != nil || len(written) > len(text) {
			t.Fatalf("%d bytes are written as %d: %v", len(text), len(written), err)
		}
		if diff := cmp.Diff(b.Entries, again.Entries); diff != "" || b.ID != again.ID {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		counters := tally.New(3)
		for i := range b.Entries {
			if counted, err := counters.Add(time.Unix(0, 0), &b.Entries[i]); err == nil && (counted.Files < 1 || counted.Bytes < 0) {
				t.Fatalf("%+v was counted as %+v", b.Entries[i], counted)
			}
		}
	})
}
