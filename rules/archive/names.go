package archive

import (
	"hash/maphash"
	"strings"
)

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
// spaces and dots at the end.
func isUp(segment string) bool {
	return strings.HasPrefix(segment, "..") && strings.Trim(segment, " .") == ""
}

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
	seed  maphash.Seed
	names map[uint64]bool // by their sums: names may be long, and have many folders
	taken int64
}

// each calls f with the sum of a name, and of each folder above it, without regard
// to case, empty and "." segments, and what Windows drops at the end of one.
func (l *links) each(name string, f func(sum uint64, last bool)) {
	var h maphash.Hash
	h.SetSeed(l.seed)
	sum, any := uint64(0), false
	for segment := range strings.SplitSeq(strings.ToLower(slashed(name)), "/") {
		if segment = strings.TrimRight(segment, " ."); segment == "" {
			continue
		}
		if any {
			f(sum, false)
		}
		_, _ = h.WriteString(segment + "/") // It returns no error.
		sum, any = h.Sum64(), true
	}
	if any {
		f(sum, true)
	}
}

// eachLink is what a link takes of the budget, in bytes.
const eachLink = 64

// add remembers a link, within the budget.
func (l *links) add(name string) error {
	if _, err := l.w.reserve(eachLink); err != nil {
		return err
	}
	if l.names == nil {
		l.names, l.seed = map[uint64]bool{}, maphash.MakeSeed()
	}
	l.taken += eachLink
	l.each(name, func(sum uint64, last bool) {
		if last {
			l.names[sum] = true
		}
	})
	return nil
}

// crossed reports whether a name leads through a link: what is written there
// lands wherever the link leads.
func (l *links) crossed(name string) (crossed bool) {
	if len(l.names) > 0 {
		l.each(name, func(sum uint64, last bool) { crossed = crossed || !last && l.names[sum] })
	}
	return crossed
}

// forget gives back what the names took.
func (l *links) forget() {
	l.w.memory += l.taken
	l.names, l.taken = nil, 0
}

// link judges a link; hard ones are named from the archive's folder.
func (l *links) link(m Member, target string, hard bool) error {
	if hard && outside(target) || !hard && leadsOut(m.Name, target) {
		return l.w.unsafeLink(m, "it leads to %.100q", target)
	}
	l.w.linked++
	if l.w.limits.AcceptLinks {
		return nil
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

// unsafeLink refuses a link or a device, if none are let pass.
func (w *walk) unsafeLink(m Member, format string, args ...any) error {
	w.linked, w.unsafe = w.linked+1, true
	if w.limits.AcceptLinks {
		return nil
	}
	return w.refuse(Link, m.Path(), format, args...)
}

// linkage returns what is known of links. Where they are let pass, none is
// remembered, which leaves memory for other things.
func (w *walk) linkage() Links {
	pass := w.limits.AcceptLinks
	switch {
	case w.linked == 0:
		return NoLinks
	case pass && w.lowest/eachLink < int64(w.linked) || !pass && w.short:
		return UnsureLinks
	case w.unsafe:
		return UnsafeLinks
	case pass:
		return PassedLinks
	default:
		return SafeLinks
	}
}

// oldCode are the characters from 128 on of the code page in which names in a zip
// are unless they say that they are in UTF-8.
const oldCode = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0"

// inOldCode returns what a name is in that code page, if that is another one.
func inOldCode(name string) []string {
	if strings.IndexFunc(name, func(r rune) bool { return r >= 0x80 }) < 0 {
		return nil
	}
	table := []rune(oldCode)
	runes := make([]rune, 0, len(name))
	for i := range len(name) {
		r := rune(name[i])
		if r >= 0x80 {
			r = table[r-0x80]
		}
		runes = append(runes, r)
	}
	return []string{string(runes)}
}
