package validator

import "slices"

const (
	// namesRoom is how many names of objects that are still open are kept
	// without allocating: a usual event has half as many.
	namesRoom = 48
	// namesListed is how many names of one object are compared one by one; an
	// object with more gets a map, so that hostile bodies take linear time.
	namesListed = 32
)

// nameStack holds the member names of every object that is open, those of the
// innermost last. It has no pointer into itself, so that it can live on the
// stack; what has no room there goes on in more, which namesListed and
// rules.MaxDepth bound.
type nameStack struct {
	room [namesRoom]string
	n    int
	more []string
}

func (s *nameStack) len() int { return s.n + len(s.more) }

func (s *nameStack) push(name string) {
	if s.n < len(s.room) {
		s.room[s.n] = name
		s.n++
		return
	}
	s.more = append(s.more, name)
}

// cut forgets all but the first n names.
func (s *nameStack) cut(n int) {
	if n <= len(s.room) {
		s.n, s.more = n, s.more[:0]
		return
	}
	s.more = s.more[:n-len(s.room)]
}

// after returns all but the first n names, in two parts.
func (s *nameStack) after(n int) [2][]string {
	return [2][]string{s.room[min(n, s.n):s.n], s.more[max(0, n-len(s.room)):]}
}

// has reports whether name is among all but the first n names.
func (s *nameStack) has(n int, name string) bool {
	parts := s.after(n)
	return slices.Contains(parts[0], name) || slices.Contains(parts[1], name)
}

// object is an open object whose names must differ.
type object struct {
	// base is how many names were open before it.
	base int
	// begun is set once a member was read: a comma is due.
	begun bool
	// filter has a bit set for each name: most new names are known to be new
	// without a look at the others.
	filter uint64
	// seen replaces the list when there are many names.
	seen map[string]struct{}
}

// claim reports whether name is new in o, and remembers it.
func (o *object) claim(s *nameStack, name string) bool {
	if o.seen != nil {
		before := len(o.seen)
		o.seen[name] = struct{}{}
		return len(o.seen) > before
	}
	bit := filterBit(name)
	if o.filter&bit != 0 && s.has(o.base, name) {
		return false
	}
	o.filter |= bit
	if s.len() < o.base+namesListed {
		s.push(name)
		return true
	}
	o.seen = make(map[string]struct{}, namesListed*3/2)
	for _, names := range s.after(o.base) {
		for _, n := range names {
			o.seen[n] = struct{}{}
		}
	}
	o.seen[name] = struct{}{}
	s.cut(o.base)
	return true
}

// filterBit returns one bit. The factors are chosen so that it differs between
// all names of an event, and between those of the usual tags.
func filterBit(name string) uint64 {
	if name == "" {
		return 1
	}
	n := len(name)
	return 1 << ((n + int(name[0]) + 2*int(name[n-1]) + 4*int(name[n/2])) % 64)
}
