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
	heads       map[string]*tails[V]
	headLengths []int
}

// tails are the globs that begin alike.
type tails[V any] struct {
	globs   map[string][]nameGlob[V]
	lengths []int
}

type nameGlob[V any] struct {
	pattern string
	// plain says that head*tail is all there is: both ends matched, so it does.
	plain bool
	value V
}

// meta are the characters that make a glob out of a name.
const meta = `*?[\`

// CheckGlob returns what is wrong with a glob, or nil.
func CheckGlob(pattern string) error {
	if pattern == "" {
		return fmt.Errorf("an empty glob matches nothing")
	}
	if !doublestar.ValidatePattern(pattern) {
		return fmt.Errorf("%q is not a glob: a bracket, brace or backslash lacks its partner", pattern)
	}
	_, err := expandBraces(pattern)
	return err
}

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
		n.heads = map[string]*tails[V]{}
	}
	pattern = oneStar(pattern)
	head, tail := ends(pattern)
	t := n.heads[head]
	if t == nil {
		t = &tails[V]{globs: map[string][]nameGlob[V]{}}
		n.heads[head] = t
		n.headLengths = insertSorted(n.headLengths, len(head))
	}
	middle := pattern[len(head) : len(pattern)-len(tail)]
	t.globs[tail] = append(t.globs[tail], nameGlob[V]{
		pattern: pattern, plain: middle == "*", value: value,
	})
	t.lengths = insertSorted(t.lengths, len(tail))
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
	if first < 0 {
		return pattern, ""
	}
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
			for i := range t.globs[name[len(name)-l:]] {
				g := &t.globs[name[len(name)-l:]][i]
				if g.plain || doublestar.MatchUnvalidated(g.pattern, name) {
					to = append(to, g.value)
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
