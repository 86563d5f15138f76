package policies

import "math/bits"

// bitset is a set of policies, by their place in the set. The summary has a bit
// for each word that is not zero, so that sparse sets are met word by word.
type bitset struct{ words, summary []uint64 }

func newBitset(n int) bitset {
	words := (n + 63) / 64
	return bitset{words: make([]uint64, words), summary: make([]uint64, (words+63)/64)}
}

func (b bitset) add(i int32) {
	w := i >> 6
	b.words[w] |= 1 << (i & 63)
	b.summary[w>>6] |= 1 << (w & 63)
}

func (b bitset) addAll(other bitset) {
	for i, w := range other.words {
		b.words[i] |= w
	}
	for i, w := range other.summary {
		b.summary[i] |= w
	}
}

// clear empties the set at the cost of the words that are in use.
func (b bitset) clear() {
	for s, summary := range b.summary {
		for ; summary != 0; summary &= summary - 1 {
			b.words[s<<6+bits.TrailingZeros64(summary)] = 0
		}
		b.summary[s] = 0
	}
}

// posting is the policies that one glob or range selects: a list where it is
// short, a bitset where that is cheaper to add.
type posting struct {
	list []int32
	set  bitset
}

// pack turns a long list into a bitset of n.
func (p *posting) pack(n int) {
	if len(p.list) <= n/32 {
		return
	}
	p.set = newBitset(n)
	for _, i := range p.list {
		p.set.add(i)
	}
	p.list = nil
}

func (p *posting) addTo(b bitset) {
	for _, i := range p.list {
		b.add(i)
	}
	if p.set.words != nil {
		b.addAll(p.set)
	}
}
