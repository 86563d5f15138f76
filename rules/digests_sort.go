package rules

import (
	"bytes"
	"encoding/binary"
)

const (
	// maxDigestWidth is the bytes of the widest digest.
	maxDigestWidth = 64
	// insertDigests is the most digests that are sorted by insertion.
	insertDigests = 48
)

// sortDigests sorts digests, each of width bytes, that stand one after the
// other. It does so in place, by their bytes from first to last: a second copy
// of a list would be more memory than all else that the list needs.
func sortDigests(digests []byte, width int) {
	for depth := range width {
		starts, split := partition(digests, width, depth)
		if !split {
			continue
		}
		inParallel(256, func() func(int) {
			s := digestSorter{width: width}
			return func(b int) { s.sort(digests[starts[b]:starts[b+1]], depth+1) }
		})
		return
	}
}

// partition brings the digests into the order of their byte at a depth. Those
// whose byte is b are then from starts[b] to before starts[b+1]. If the byte is
// the same in all, it does nothing and reports so.
func partition(digests []byte, width, depth int) (starts [257]int, split bool) {
	var ends [256]int
	for i := depth; i < len(digests); i += width {
		ends[digests[i]] += width
	}
	for b, size := range ends {
		if size == len(digests) {
			return starts, false
		}
		starts[b+1] = starts[b] + size
		ends[b] = starts[b+1]
	}
	next := starts // where in its part each byte's next digest goes
	for b := range ends {
		for at := next[b]; at < ends[b]; {
			c := int(digests[at+depth])
			if c == b {
				at += width
				continue
			}
			swapDigests(digests[at:at+width], digests[next[c]:next[c]+width])
			next[c] += width
		}
	}
	return starts, true
}

// swapDigests swaps two digests of one width.
func swapDigests(a, b []byte) {
	b = b[:len(a)]
	for ; len(a) >= 8; a, b = a[8:], b[8:] {
		x, y := binary.NativeEndian.Uint64(a), binary.NativeEndian.Uint64(b)
		binary.NativeEndian.PutUint64(a, y)
		binary.NativeEndian.PutUint64(b, x)
	}
	for i := range a {
		a[i], b[i] = b[i], a[i]
	}
}

// digestSorter is the memory that one goroutine sorts with.
type digestSorter struct {
	width   int
	keys    [insertDigests]uint64
	ranks   [insertDigests]uint8
	scratch [insertDigests * maxDigestWidth]byte
}

// sort sorts digests whose bytes before a depth are the same.
func (s *digestSorter) sort(digests []byte, depth int) {
	for ; depth < s.width; depth++ {
		if len(digests) <= insertDigests*s.width {
			s.insert(digests, depth)
			return
		}
		starts, split := partition(digests, s.width, depth)
		if !split {
			continue
		}
		for b := range 256 {
			s.sort(digests[starts[b]:starts[b+1]], depth+1)
		}
		return
	}
}

// insert sorts a few digests. It puts their ranks in order by the next eight
// bytes, which nearly always differ, and moves each digest once.
func (s *digestSorter) insert(digests []byte, depth int) {
	n := len(digests) / s.width
	if n < 2 {
		return
	}
	at := func(rank uint8) []byte { return digests[int(rank)*s.width:][:s.width] }
	from := min(depth, s.width-8)
	for i := range n {
		digest := at(uint8(i))
		key, j := binary.BigEndian.Uint64(digest[from:]), i
		for ; j > 0; j-- {
			if s.keys[j-1] < key || s.keys[j-1] == key && bytes.Compare(at(s.ranks[j-1]), digest) <= 0 {
				break
			}
			s.keys[j], s.ranks[j] = s.keys[j-1], s.ranks[j-1]
		}
		s.keys[j], s.ranks[j] = key, uint8(i)
	}
	for i, rank := range s.ranks[:n] {
		copy(s.scratch[i*s.width:], at(rank))
	}
	copy(digests, s.scratch[:n*s.width])
}

// compactDigests drops from sorted digests those equal to the one before.
func compactDigests(digests []byte, width int) []byte {
	end := width
	for i := width; i < len(digests); i += width {
		digest := digests[i : i+width]
		if bytes.Equal(digests[end-width:end], digest) {
			continue
		}
		if end != i {
			copy(digests[end:], digest)
		}
		end += width
	}
	return digests[:end]
}
