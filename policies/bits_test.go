package policies

import (
	"math/bits"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// members returns what is in a set, by way of its summary.
func (b bitset) members() (list []int32) {
	for s, summary := range b.summary {
		for ; summary != 0; summary &= summary - 1 {
			w := s<<6 + bits.TrailingZeros64(summary)
			for word := b.words[w]; word != 0; word &= word - 1 {
				list = append(list, int32(w<<6+bits.TrailingZeros64(word)))
			}
		}
	}
	return list
}

func sorted(list []int32) []int32 {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}

func TestBitsetIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 63, 64, 65, 4095, 4096, 4097, 10_000}).Draw(t, "n")
		member := rapid.SliceOf(rapid.Int32Range(0, int32(n-1)))
		one, two := member.Draw(t, "one"), member.Draw(t, "two")
		b, other := newBitset(n), newBitset(n)
		for _, i := range one {
			b.add(i)
		}
		for _, i := range two {
			other.add(i)
		}
		if got, want := b.members(), sorted(one); !slices.Equal(got, want) {
			t.Fatalf("after add: got %v, want %v", got, want)
		}
		b.addAll(other)
		if got, want := b.members(), sorted(slices.Concat(one, two)); !slices.Equal(got, want) {
			t.Fatalf("after addAll: got %v, want %v", got, want)
		}
		if got, want := other.members(), sorted(two); !slices.Equal(got, want) {
			t.Fatalf("addAll changed what was added: got %v, want %v", got, want)
		}
		b.clear()
		if slices.ContainsFunc(slices.Concat(b.words, b.summary), func(w uint64) bool { return w != 0 }) {
			t.Fatal("clear left something")
		}
	})
}

func TestBitsetSizes(t *testing.T) {
	for _, tc := range []struct{ n, words, summary int }{{0, 0, 0}, {1, 1, 1}, {64, 1, 1}, {65, 2, 1}, {4096, 64, 1}, {4097, 65, 2}, {8193, 129, 3}} {
		if b := newBitset(tc.n); len(b.words) != tc.words || len(b.summary) != tc.summary {
			t.Errorf("of %d: %d words and %d of summary, want %d and %d", tc.n, len(b.words), len(b.summary), tc.words, tc.summary)
		}
	}
}

func TestPosting(t *testing.T) {
	for _, tc := range []struct {
		n, length int
		packed    bool
	}{{320, 10, false}, {320, 11, true}, {31, 0, false}, {31, 1, true}, {10_000, 312, false}, {10_000, 313, true}, {10_000, 10_000, true}} {
		p, want := posting{}, newBitset(tc.n)
		for i := range tc.length {
			id := int32(i * (tc.n / max(tc.length, 1)))
			p.list = append(p.list, id)
			want.add(id)
		}
		p.pack(tc.n)
		if packed := p.set.words != nil; packed != tc.packed || packed && p.list != nil {
			t.Errorf("%d of %d: packed %v, and the list has %d", tc.length, tc.n, packed, len(p.list))
		}
		got := newBitset(tc.n)
		p.addTo(got)
		if !slices.Equal(got.members(), want.members()) {
			t.Errorf("%d of %d: the posting adds %v", tc.length, tc.n, got.members())
		}
	}
}
