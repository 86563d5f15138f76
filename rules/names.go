package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// NameGlobs finds which of many globs match one name: a user, a host, or one
// segment of a path. Globs are as doublestar has them, but * and ? match any
// character of the name, a slash included. A glob is filed under the literal
// text before its first and after its last wildcard, so that a name is compared
// only with globs which share both ends with it.
type NameGlobs[V any] struct {
	exact       map[string][]V // globs without a wildcard
	few         []nameGlob[V]  // all others while they are few: comparing them costs less than looking them up
	heads       map[string]*tails[V]
	headLengths []int
}

// fewGlobs is how many globs are compared one by one.
const fewGlobs = 8

// tails are the globs that begin alike.
type tails[V any] struct {
	globs   map[string][]nameGlob[V]
	lengths []int
}

type nameGlob[V any] struct {
	pattern, head, tail string
	// plain says that head*tail is all there is: both ends matched, so it does.
	plain bool
	value V
}

// meta are the characters that make a glob out of a name.
const meta = `*?[\`

// noSlash stands for a slash while names are matched: a slash would be a
// separator to doublestar.
const noSlash = "\x01"

// Add files a value under a glob that CheckGlob accepts.
func (n *NameGlobs[V]) Add(pattern string, value V) {
	alternatives, err := expandBraces(strings.ReplaceAll(pattern, "/", noSlash))
	if err != nil {
		return
	}
	for _, p := range alternatives {
		n.add(p, value)
	}
}

func (n *NameGlobs[V]) add(pattern string, value V) {
	if n.heads == nil {
		n.exact, n.heads = map[string][]V{}, map[string]*tails[V]{}
	}
	if !strings.ContainsAny(pattern, meta) {
		n.exact[pattern] = append(n.exact[pattern], value)
		return
	}
	g := newNameGlob(pattern, value)
	switch {
	case len(n.heads) > 0:
		n.file(g)
	case len(n.few) < fewGlobs:
		n.few = append(n.few, g)
	default:
		for _, g := range append(n.few, g) {
			n.file(g)
		}
		n.few = nil
	}
}

// newNameGlob returns a glob that has a wildcard and no braces.
func newNameGlob[V any](pattern string, value V) nameGlob[V] {
	pattern = oneStar(pattern)
	head, tail := ends(pattern)
	return nameGlob[V]{
		pattern: pattern, head: head, tail: tail, plain: pattern[len(head):len(pattern)-len(tail)] == "*", value: value,
	}
}

// file puts a glob where its head and tail lead to it.
func (n *NameGlobs[V]) file(g nameGlob[V]) {
	t := n.heads[g.head]
	if t == nil {
		t = &tails[V]{globs: map[string][]nameGlob[V]{}}
		n.heads[g.head] = t
		n.headLengths = insertSorted(n.headLengths, len(g.head))
	}
	t.globs[g.tail] = append(t.globs[g.tail], g)
	t.lengths = insertSorted(t.lengths, len(g.tail))
}

// matches reports whether the glob, both of whose ends the name has, matches.
func (g *nameGlob[V]) matches(name string) bool {
	return g.plain || doublestar.MatchUnvalidated(g.pattern, name)
}

// has reports whether the glob has the name: both ends of it, and what is
// between them.
func (g *nameGlob[V]) has(name string) bool {
	return len(name) >= len(g.head)+len(g.tail) && strings.HasPrefix(name, g.head) && strings.HasSuffix(name, g.tail) && g.matches(name)
}

// oneStar writes several * in a row as one. They mean the same in a name, but
// doublestar does not see that three can stand for nothing at a name's end.
func oneStar(pattern string) string {
	if !strings.Contains(pattern, "**") {
		return pattern
	}
	one := make([]byte, 0, len(pattern))
	star := false
	for i := 0; i < len(pattern); i++ {
		if star && pattern[i] == '*' {
			continue
		}
		if star = pattern[i] == '*'; pattern[i] == '\\' && i+1 < len(pattern) {
			one = append(one, '\\')
			i++
		}
		one = append(one, pattern[i])
	}
	return string(one)
}

// ends returns the literal text before the first and after the last wildcard.
// An escape or a class could hide a wildcard from the end, so with those the
// tail is given up.
func ends(pattern string) (head, tail string) {
	first := strings.IndexAny(pattern, meta)
	if strings.ContainsAny(pattern, `[\`) {
		return pattern[:first], ""
	}
	return pattern[:first], pattern[strings.LastIndexAny(pattern, meta)+1:]
}

func insertSorted(list []int, n int) []int {
	at, found := slices.BinarySearch(list, n)
	if found {
		return list
	}
	return slices.Insert(list, at, n)
}

// AppendMatches appends the values of all globs that match the name. A value
// can be appended more than once.
func (n *NameGlobs[V]) AppendMatches(to []V, name string) []V {
	if strings.Contains(name, "/") {
		name = strings.ReplaceAll(name, "/", noSlash)
	}
	if len(n.exact) > 0 {
		to = append(to, n.exact[name]...)
	}
	for i := range n.few {
		if g := &n.few[i]; g.has(name) {
			to = append(to, g.value)
		}
	}
	return n.appendFiled(to, name)
}

// appendFiled appends the values of the globs that were filed under their ends.
func (n *NameGlobs[V]) appendFiled(to []V, name string) []V {
	for _, h := range n.headLengths {
		if h > len(name) {
			break
		}
		t := n.heads[name[:h]]
		if t == nil {
			continue
		}
		for _, l := range t.lengths {
			if h+l > len(name) {
				break
			}
			globs := t.globs[name[len(name)-l:]]
			for i := range globs {
				if globs[i].matches(name) {
					to = append(to, globs[i].value)
				}
			}
		}
	}
	return to
}

// maxAlternatives bounds what the braces of one glob may expand to.
const maxAlternatives = 256

// expandBraces returns the globs without braces that pattern stands for.
func expandBraces(pattern string) ([]string, error) {
	done, todo := []string{}, []string{pattern}
	for len(todo) > 0 {
		p := todo[0]
		todo = todo[1:]
		open, shut, commas := findBraces(p)
		if shut == 0 {
			done = append(done, p)
			continue
		}
		from := open + 1
		for _, to := range append(commas, shut) {
			todo = append(todo, p[:open]+p[from:to]+p[shut+1:])
			from = to + 1
		}
		if len(done)+len(todo) > maxAlternatives {
			return nil, fmt.Errorf("%q stands for more than %d globs", pattern, maxAlternatives)
		}
	}
	return done, nil
}

// findBraces returns the first pair of braces that is neither escaped nor in a
// class, and the commas on its own level. shut is 0 where there is none.
func findBraces(p string) (open, shut int, commas []int) {
	depth, class := 0, false
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '{':
			if depth == 0 {
				open, commas = i, nil
			}
			depth++
		case c == '}' && depth > 0:
			if depth--; depth == 0 {
				return open, i, commas
			}
		case c == ',' && depth == 1:
			commas = append(commas, i)
		}
	}
	return 0, 0, nil
}
