package archive

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
)

// The kinds of members and notes that matter. POSIX has '0' to '7', 'x' and 'g';
// the others are those of GNU tar.
const (
	tarOldFile    = 0
	tarFile       = '0'
	tarHardLink   = '1'
	tarSymlink    = '2'
	tarFolder     = '5'
	tarPipe       = '6'
	tarContiguous = '7'
	tarNote       = 'x'
	tarNoteOnAll  = 'g'
	tarLongName   = 'L'
	tarLongLink   = 'K'
	tarSparse     = 'S'
)

var errTar = errors.New("tar: it is damaged")

// tarHeader is the header of a member, or of a note on the next one.
type tarHeader struct {
	kind       byte
	name, link string
	size       int64
	extended   bool // a map of holes goes on in the next block
}

// tarNotes are what the notes before a member say of it.
type tarNotes struct {
	pax        bool // there is one of POSIX
	name, link *string
	longName   *string // of GNU tar
	longLink   *string
	size       *int64
	sparse     bool
}

// readTarHeader reads a header. Fields that programs read in two ways are a
// reason to refuse the archive, which odd says.
func readTarHeader(b []byte) (h tarHeader, odd string, err error) {
	if !isTar(b) {
		return h, "", errTar
	}
	h = tarHeader{kind: b[156], name: text(b[:100]), link: text(b[157:257]), extended: b[482] != 0}
	if h.size, err = tarSize(b[124:136]); err != nil {
		return h, "", err
	}
	prefix := text(b[345:500])
	switch magic := string(b[257:265]); {
	case strings.HasPrefix(magic, "ustar\x00"):
		if prefix != "" {
			h.name = prefix + "/" + h.name
		}
		if string(b[508:512]) == "tar\x00" && b[475] != 0 {
			odd = "its name is longer for some programs"
		}
	case h.kind == tarSparse && magic == "ustar  \x00":
	case prefix != "":
		odd = "only some programs put a folder before its name"
	case strings.HasPrefix(magic, "ustar") && magic != "ustar  \x00":
		odd = "it is of no known version"
	}
	return h, odd, nil
}

// tarSize reads a size as all programs read it.
func tarSize(b []byte) (int64, error) {
	v := tarNumber(b)
	if large := b[0]&0x80 != 0; large && (v < 0 || b[0]&0x40 != 0) || !large && strings.Trim(strings.Trim(string(b), " \x00"), "01234567") != "" {
		return 0, errTar
	}
	return max(v, 0), nil // Nothing at all is none.
}

// maxTarNote is how long a note may be, in bytes.
const maxTarNote = 1 << 20

// note reads a note on the next member or on all.
func (t *tarWalk) note(h tarHeader) error {
	if h.size > maxTarNote {
		return errTar
	}
	body := make([]byte, h.size)
	if _, err := fill(t.in, body); err != nil {
		return unexpected(err)
	}
	if _, err := t.in.skip(upToBlock(h.size)); err != nil {
		return err
	}
	n, name := &t.notes, text(body)
	switch {
	case h.kind == tarNote && !n.pax:
		n.pax = true
		return t.records(body, n)
	case h.kind == tarNoteOnAll && *n == (tarNotes{}):
		all := tarNotes{}
		if err := t.records(body, &all); err != nil {
			return err
		}
		if all != (tarNotes{}) {
			return t.ambiguous("", "a note tells the name or the size of all members")
		}
		return nil
	case h.kind == tarLongName && n.longName == nil:
		n.longName = &name
		return nil
	case h.kind == tarLongLink && n.longLink == nil:
		n.longLink = &name
		return nil
	}
	return t.ambiguous(h.name, "there are two notes on one member")
}

// records reads the records of a note of POSIX: a length, a key and a value each.
func (t *tarWalk) records(b []byte, n *tarNotes) error {
	for len(b) > 0 {
		digits, _, found := bytes.Cut(b[:min(len(b), 20)], []byte(" "))
		length, err := strconv.ParseUint(string(digits), 10, 31)
		if !found || err != nil || length <= uint64(len(digits))+2 || length > uint64(len(b)) || b[length-1] != '\n' {
			return errTar
		}
		key, value, found := strings.Cut(string(b[len(digits)+1:length-1]), "=")
		if !found {
			return errTar
		}
		b = b[length:]
		switch {
		case key == "path" && (n.name == nil || *n.name == value):
			n.name = &value
		case key == "linkpath" && (n.link == nil || *n.link == value):
			n.link = &value
		case key == "size":
			size, err := strconv.ParseUint(value, 10, 62)
			if err != nil || n.size != nil && *n.size != int64(size) {
				return errTar
			}
			said := int64(size)
			n.size = &said
		case key == "path" || key == "linkpath":
			return t.ambiguous(value, "a note gives two names")
		case strings.HasPrefix(key, "GNU.sparse.") || key == "SCHILY.realsize":
			n.sparse = true
		}
	}
	return nil
}

// maxOctal is the largest size that a header has room for.
const maxOctal = 1<<33 - 1

// apply gives a header what the notes before it say. Those of GNU and of POSIX may
// not contradict each other: programs do not agree on which one holds.
func (t *tarWalk) apply(h *tarHeader) error {
	n := t.notes
	t.notes = tarNotes{}
	for _, s := range []struct {
		into      *string
		long, pax *string
	}{{&h.name, n.longName, n.name}, {&h.link, n.longLink, n.link}} {
		switch {
		case s.long != nil && s.pax != nil && *s.long != *s.pax:
			return t.ambiguous(*s.long, "another note calls it %.100q", *s.pax)
		case s.long != nil:
			*s.into = *s.long
		case s.pax != nil && *s.pax != "": // An empty one takes back what one on all said.
			*s.into = *s.pax
		}
	}
	if n.size != nil {
		if *n.size <= maxOctal && h.size != *n.size {
			return t.ambiguous(h.name, "it has %d bytes and %d", h.size, *n.size)
		}
		h.size = *n.size
	}
	if n.sparse {
		h.kind = tarSparse
		h.extended = false
	}
	return nil
}

// holes reads the blocks in which the map of a sparse member goes on.
func (t *tarWalk) holes(more bool) error {
	for more {
		b, err := t.block()
		if err != nil {
			return unexpected(err)
		}
		if len(b) < tarBlock {
			return io.ErrUnexpectedEOF
		}
		more = b[504] != 0
	}
	return nil
}

func (t *tarWalk) ambiguous(member, format string, args ...any) error {
	if member != "" {
		member = t.within + member
	}
	return t.refuse(Ambiguous, member, format, args...)
}
