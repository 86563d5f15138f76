package policies

import "slices"

// moved returns the names, in their new order, that have another place among those
// that both lists have: as few as must be moved to get from one order to the other.
// Names are unique in a list.
func moved(was, is []string) []string {
	place := make(map[string]int, len(was))
	for i, name := range was {
		place[name] = i
	}
	both := slices.DeleteFunc(slices.Clone(is), func(name string) bool { _, had := place[name]; return !had })
	// ends[n] is where the best run of n+1 names ends that are in their old order.
	var ends []int
	before := make([]int, len(both))
	for i, name := range both {
		n, _ := slices.BinarySearchFunc(ends, place[name], func(end, at int) int { return place[both[end]] - at })
		before[i] = -1
		if n > 0 {
			before[i] = ends[n-1]
		}
		if n == len(ends) {
			ends = append(ends, i)
		} else {
			ends[n] = i
		}
	}
	stays := make([]bool, len(both))
	if len(ends) > 0 {
		for i := ends[len(ends)-1]; i >= 0; i = before[i] {
			stays[i] = true
		}
	}
	others := []string{}
	for i, name := range both {
		if !stays[i] {
			others = append(others, name)
		}
	}
	return others
}
