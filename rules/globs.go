package rules

import (
	"slices"
	"strings"
)

// PathGlobs finds which of many globs match a path. Globs are as doublestar has
// them: * and ? stay within a segment, ** as a whole segment stands for any
// number of segments, {a,b} and [a-z] are known and a backslash escapes.
//
// The globs are a trie over segments, walked with a set of active nodes, so that
// a path costs what its segments cost, however many globs there are and however
// many ** they have.
type PathGlobs struct{ root globNode }

type globNode struct {
	literals []literal // while they are few
	literal  map[string]*globNode
	wild     NameGlobs[*globNode]
	hasWild  bool
	byWild   map[string]*globNode // the same by segment
	// deep is reached by a ** at this place: it stays active for all segments
	// that follow.
	deep *globNode
	loop bool
	// leaf is a loop that leads nowhere: whatever follows, its globs match.
	leaf bool
	ends []int32
}

// literal is a segment without wildcards and where it leads.
type literal struct {
	segment string
	node    *globNode
}

// fewLiterals is how many segments are compared one by one, which costs less
// than looking them up.
const fewLiterals = 4

// Add files an id under a glob that CheckGlob accepts.
func (g *PathGlobs) Add(pattern string, id int32) {
	alternatives, err := expandBraces(pattern)
	if err != nil {
		return
	}
	for _, p := range alternatives {
		n := &g.root
		for segment := range strings.SplitSeq(p, "/") {
			n = n.child(segment)
		}
		n.ends = append(n.ends, id)
	}
}

func (n *globNode) child(segment string) *globNode {
	switch {
	case segment == "**":
		if n.loop { // ** after ** adds nothing.
			return n
		}
		if n.deep == nil {
			n.deep = &globNode{loop: true, leaf: true}
		}
		return n.deep
	case strings.ContainsAny(segment, meta):
		n.leaf = false
		c := n.byWild[segment]
		if c == nil {
			c = &globNode{}
			if n.byWild == nil {
				n.byWild = map[string]*globNode{}
			}
			n.byWild[segment], n.hasWild = c, true
			n.wild.add(segment, c)
		}
		return c
	default:
		n.leaf = false
		c := n.find(segment)
		if c == nil {
			c = &globNode{}
			n.addLiteral(literal{segment, c})
		}
		return c
	}
}

func (n *globNode) addLiteral(l literal) {
	if n.literal == nil && len(n.literals) < fewLiterals {
		n.literals = append(n.literals, l)
		return
	}
	if n.literal == nil {
		n.literal = map[string]*globNode{}
		for _, few := range n.literals {
			n.literal[few.segment] = few.node
		}
		n.literals = nil
	}
	n.literal[l.segment] = l.node
}

// find returns where a segment without wildcards leads, or nil.
func (n *globNode) find(segment string) *globNode {
	for i := range n.literals {
		if n.literals[i].segment == segment {
			return n.literals[i].node
		}
	}
	if n.literal == nil {
		return nil
	}
	return n.literal[segment]
}

// activeRoom is how many nodes can be active before the set is moved to the
// heap.
const activeRoom = 24

// walk returns the nodes that are active after the last segment.
func (g *PathGlobs) walk(now, next []*globNode, path string) []*globNode {
	now = activate(now, &g.root)
	for more := true; more && !settled(now); {
		segment := path
		if i := strings.IndexByte(path, '/'); i >= 0 {
			segment, path = path[:i], path[i+1:]
		} else {
			more = false
		}
		next = next[:0]
		for _, n := range now {
			if n.loop {
				next = activate(next, n)
			}
			if c := n.find(segment); c != nil {
				next = activate(next, c)
			}
			if n.hasWild {
				next = n.matchWild(next, segment)
			}
		}
		now, next = next, now
	}
	return now
}

// settled reports whether what is still to come of a path changes nothing.
func settled(active []*globNode) bool {
	for _, n := range active {
		if !n.leaf {
			return false
		}
	}
	return true
}

func (n *globNode) matchWild(active []*globNode, segment string) []*globNode {
	var room [activeRoom]*globNode
	for _, c := range n.wild.AppendMatches(room[:0], segment) {
		active = activate(active, c)
	}
	return active
}

// activate adds a node and what can be reached from it without a segment.
func activate(active []*globNode, n *globNode) []*globNode {
	if !slices.Contains(active, n) {
		active = append(active, n)
	}
	if n.deep != nil && !slices.Contains(active, n.deep) {
		active = append(active, n.deep)
	}
	return active
}

// AppendMatches appends the ids of all globs that match the path. An id can be
// appended more than once.
func (g *PathGlobs) AppendMatches(to []int32, path string) []int32 {
	var a, b [activeRoom]*globNode
	for _, n := range g.walk(a[:0], b[:0], path) {
		to = append(to, n.ends...)
	}
	return to
}

// Match reports whether any of the globs matches the path.
func (g *PathGlobs) Match(path string) bool {
	var a, b [activeRoom]*globNode
	for _, n := range g.walk(a[:0], b[:0], path) {
		if len(n.ends) > 0 {
			return true
		}
	}
	return false
}
