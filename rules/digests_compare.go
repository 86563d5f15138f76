package rules

import (
	"bytes"
	"iter"
)

// DigestDifferences returns the digests that only one of two sets has, in order, and
// whether it is the second. A nil set has none. Digests of sets of different widths
// are all different. A digest is valid until the next one.
func DigestDifferences(first, second *Digests) iter.Seq2[[]byte, bool] {
	return func(yield func([]byte, bool) bool) {
		i, j, m, n := 0, 0, first.count(), second.count()
		for i < m || j < n {
			order := 0
			switch {
			case j == n:
				order = -1
			case i == m:
				order = 1
			default:
				order = bytes.Compare(first.at(i), second.at(j))
			}
			switch {
			case order == 0: // Then their widths are the same, too.
				i, j = i+1, j+1
			case order < 0:
				if !yield(first.at(i), false) {
					return
				}
				i++
			default:
				if !yield(second.at(j), true) {
					return
				}
				j++
			}
		}
	}
}

// count returns how many digests a set has; nil has none.
func (d *Digests) count() int {
	if d == nil {
		return 0
	}
	return d.Len()
}
