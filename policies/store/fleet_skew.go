package store

// Skewed reports which members have other policies than they should. Those whose
// policies are from the store should have its newest revision. Those that have them
// from a folder should have what most of those have; if that is not one set, what
// the one of them has that loaded its policies last.
func Skewed(members []Member, newest uint64) []bool {
	hashes := map[string]int{}
	last := map[string]int64{}
	for i := range members {
		if m := &members[i]; m.Revision == 0 {
			hashes[m.Hash]++
			last[m.Hash] = max(last[m.Hash], m.Loaded.UnixNano())
		}
	}
	usual := ""
	for hash, n := range hashes {
		if n > hashes[usual] || n == hashes[usual] && (last[hash] > last[usual] || last[hash] == last[usual] && hash > usual) {
			usual = hash
		}
	}
	skewed := make([]bool, len(members))
	for i := range members {
		m := &members[i]
		skewed[i] = m.Revision != newest
		if m.Revision == 0 {
			skewed[i] = m.Hash != usual
		}
	}
	return skewed
}
