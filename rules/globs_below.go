package rules

import "strings"

// What follows asks globs about a folder instead of about a path: about the
// folder itself and every path that could be below it. The globs are walked with
// the folder's segments, as a path would be. What can still follow then leads
// from the nodes that are active.

// Meets reports whether one of the globs matches the folder or a path that could
// be below it.
func (g *PathGlobs) Meets(folder string) bool {
	var a, b [activeRoom]*globNode
	for _, n := range g.into(a[:0], b[:0], folder) {
		if n.any() {
			return true
		}
	}
	return false
}

// Covers reports whether one glob matches the folder and every path that could be
// below it. That several do so together is not seen.
func (g *PathGlobs) Covers(folder string) bool {
	var a, b [activeRoom]*globNode
	for _, n := range g.into(a[:0], b[:0], folder) {
		if n.loop && len(n.ends) > 0 {
			return true
		}
	}
	return false
}

// AppendMeeting appends the ids of the globs of which Meets tells. An id can be
// appended more than once.
func (g *PathGlobs) AppendMeeting(to []int32, folder string) []int32 {
	var a, b [activeRoom]*globNode
	for _, n := range g.into(a[:0], b[:0], folder) {
		to = n.appendAll(to)
	}
	return to
}

// AppendCovering appends the ids of the globs of which Covers tells. An id can be
// appended more than once.
func (g *PathGlobs) AppendCovering(to []int32, folder string) []int32 {
	var a, b [activeRoom]*globNode
	for _, n := range g.into(a[:0], b[:0], folder) {
		if n.loop {
			to = append(to, n.ends...)
		}
	}
	return to
}

// into returns the nodes that are active after the last segment of a folder,
// which may have a slash at its end.
func (g *PathGlobs) into(now, next []*globNode, folder string) []*globNode {
	return g.walk(now, next, strings.TrimSuffix(folder, "/"))
}

// any reports whether a glob ends here or further on.
func (n *globNode) any() bool {
	if len(n.ends) > 0 || n.deep != nil && n.deep.any() {
		return true
	}
	for i := range n.literals {
		if n.literals[i].node.any() {
			return true
		}
	}
	for _, c := range n.literal {
		if c.any() {
			return true
		}
	}
	for _, c := range n.byWild {
		if c.any() {
			return true
		}
	}
	return false
}

// appendAll appends the ids of the globs that end here or further on.
func (n *globNode) appendAll(to []int32) []int32 {
	to = append(to, n.ends...)
	if n.deep != nil {
		to = n.deep.appendAll(to)
	}
	for i := range n.literals {
		to = n.literals[i].node.appendAll(to)
	}
	for _, c := range n.literal {
		to = c.appendAll(to)
	}
	for _, c := range n.byWild {
		to = c.appendAll(to)
	}
	return to
}
