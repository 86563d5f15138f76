package validator

import (
	"maps"
	"slices"
	"strings"
)

// holders returns at most maxRoots folders that hold all targets and that the
// client may ask for with everything below them, or nil. They begin as the
// folders in which the targets are, and are widened as long as there are too
// many.
func (c *call) holders(w *wanted) []string {
	folders := make([]string, len(w.targets))
	for i := range w.targets {
		t := &w.targets[i]
		switch {
		case t.below:
			folders[i] = t.path
		case c.reach.Covers(parent(t.path)):
			folders[i] = parent(t.path)
		case c.reach.Covers(t.path): // Perhaps it is a folder itself.
			folders[i] = t.path
		default:
			return nil
		}
	}
	roots := map[string]int{}
	for _, f := range outermost(folders) {
		roots[f] = c.highest(f)
	}
	for len(roots) > maxRoots || bytesIn(roots) > maxListedBytes {
		if !widen(roots) {
			return nil
		}
	}
	return slices.Sorted(maps.Keys(roots))
}

// highest returns the length of the highest folder around one, itself included,
// below which the client may ask for everything. Who may do so in a folder may
// do so in those that are in it, so that half of them can be passed over at a
// time.
func (c *call) highest(folder string) int {
	around := []int{1} // The lengths of the folders, from / on.
	for i := 1; i < len(folder); i++ {
		if folder[i] == '/' {
			around = append(around, i)
		}
	}
	if folder != "/" {
		around = append(around, len(folder))
	}
	i, _ := slices.BinarySearchFunc(around, true, func(length int, _ bool) int {
		if c.reach.Covers(folder[:length]) {
			return 0
		}
		return -1
	})
	return around[min(i, len(around)-1)]
}

// widen puts in the place of the deepest roots the folders that they are in: of
// those that share one if there are such, else of all. It reports whether there
// were any. What is given with a root is the length at which it may not be
// widened any more. Since no root is in another one before, none is afterwards.
func widen(roots map[string]int) bool {
	in := map[string][]string{} // The deepest, by the folder that they are in.
	depth, shared := 0, false
	for r, highest := range roots {
		n := strings.Count(r, "/")
		if len(r) <= highest || n < depth {
			continue
		}
		if n > depth {
			depth, shared = n, false
			clear(in)
		}
		p := parent(r)
		in[p] = append(in[p], r)
		shared = shared || len(in[p]) > 1
	}
	for p, inside := range in {
		if shared && len(inside) == 1 {
			continue
		}
		highest := roots[inside[0]]
		for _, r := range inside {
			delete(roots, r)
		}
		roots[p] = highest
	}
	return len(in) > 0
}

// parent returns the folder that a path is in; that of / is /.
func parent(path string) string {
	return path[:max(1, strings.LastIndexByte(path, '/'))]
}

// outermost returns the folders that are in none of the others, sorted.
func outermost(folders []string) []string {
	// With a slash at its end, a folder is the beginning of what is below it, and
	// stands right before it.
	slashed := make([]string, len(folders))
	for i, f := range folders {
		slashed[i] = strings.TrimSuffix(f, "/") + "/"
	}
	slices.Sort(slashed)
	var kept []string
	last := ""
	for _, f := range slashed {
		if last == "" || !strings.HasPrefix(f, last) {
			kept, last = append(kept, f[:max(1, len(f)-1)]), f
		}
	}
	return kept
}

// isBelow reports whether one of the folders is a path, or holds it.
func isBelow(path string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool {
		return strings.HasPrefix(path+"/", strings.TrimSuffix(f, "/")+"/")
	})
}

// bytesIn returns how many bytes folders have in all.
func bytesIn(folders map[string]int) (n int) {
	for f := range folders {
		n += len(f)
	}
	return n
}
