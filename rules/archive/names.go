package archive

import "strings"

// slashed returns a name whose separators are slashes, as programs for Windows
// take them.
func slashed(name string) string { return strings.ReplaceAll(name, `\`, "/") }

// absolute reports whether a name does not begin in the folder in which the
// archive is unpacked.
func absolute(name string) bool {
	drive := len(name) >= 2 && name[1] == ':' && name[0]|0x20 >= 'a' && name[0]|0x20 <= 'z'
	return drive || strings.HasPrefix(name, "/") || strings.IndexByte(name, 0) >= 0
}

// isUp reports whether a segment of a name is the folder above. Windows drops
// spaces at the end.
func isUp(segment string) bool { return strings.TrimRight(segment, " ") == ".." }

// outside reports whether a member of this name, or the target of a hard link,
// is or could be outside of the folder in which the archive is unpacked.
func outside(name string) bool {
	name = slashed(name)
	if absolute(name) {
		return true
	}
	for segment := range strings.SplitSeq(name, "/") {
		if isUp(segment) {
			return true
		}
	}
	return false
}

// leadsOut reports whether a symbolic link of this name leads out of the folder,
// or may once other links are in it: ".." is known to be one folder up only at
// the beginning.
func leadsOut(name, target string) bool {
	target = slashed(target)
	if target == "" || absolute(target) {
		return true
	}
	depth, below := -1, false
	for segment := range strings.SplitSeq(slashed(name), "/") {
		if segment != "" && segment != "." {
			depth++
		}
	}
	for segment := range strings.SplitSeq(target, "/") {
		switch {
		case segment == "" || segment == ".":
		case !isUp(segment):
			below = true
		case below || depth <= 0:
			return true
		default:
			depth--
		}
	}
	return false
}

// links are the links of one archive so far, by the names that a file system
// without regard to case would know them by.
type links struct {
	w     *walk
	names map[string]bool
	taken int64
}

// plainName returns a name without empty and "." segments, in lower case.
func plainName(name string) string {
	var kept []string
	for segment := range strings.SplitSeq(strings.ToLower(slashed(name)), "/") {
		if segment != "" && segment != "." {
			kept = append(kept, segment)
		}
	}
	return strings.Join(kept, "/")
}

// add remembers a link, within the budget.
func (l *links) add(name string) error {
	name = plainName(name)
	bytes := int64(len(name)) + 64
	if _, err := l.w.reserve(bytes); err != nil {
		return err
	}
	if l.names == nil {
		l.names = map[string]bool{}
	}
	l.taken += bytes
	l.names[name] = true
	return nil
}

// crossed reports whether a name leads through a link: what is written there
// lands wherever the link leads.
func (l *links) crossed(name string) bool {
	if len(l.names) == 0 {
		return false
	}
	name = plainName(name)
	for i := range len(name) {
		if name[i] == '/' && l.names[name[:i]] {
			return true
		}
	}
	return false
}

// forget gives back what the names took.
func (l *links) forget() {
	l.w.memory += l.taken
	l.names, l.taken = nil, 0
}

// link judges a link; hard ones are named from the archive's folder.
func (l *links) link(m Member, target string, hard bool) error {
	if l.w.limits.AcceptLinks {
		return nil
	}
	if hard && outside(target) || !hard && leadsOut(m.Name, target) {
		return l.w.refuse(Link, m.Path(), "it leads to %.100q", target)
	}
	if hard {
		return l.through(Member{Name: target, Within: m.Within})
	}
	return l.add(m.Name)
}

// through judges whether a member lies behind a link.
func (l *links) through(m Member) error {
	if !l.w.limits.AcceptLinks && l.crossed(m.Name) {
		return l.w.refuse(Link, m.Path(), "it lies behind a link")
	}
	return nil
}
