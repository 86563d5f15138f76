package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

// The signatures of the parts of a zip.
const (
	zipLocal      = "PK\x03\x04"
	zipCentral    = "PK\x01\x02"
	zipDescriptor = "PK\x07\x08"
	zip64Trailer  = "PK\x06\x06"
	zip64Locator  = "PK\x06\x07"
	zipTrailer    = "PK\x05\x06"
)

var errZip = errors.New("zip: it is damaged")

// zipWalk is the walk through one zip.
type zipWalk struct {
	*walk
	c      *content
	level  int
	within string
	links  links
	size   int64
	at     io.ReaderAt
	view   *window // of the directory
	local  *window // of the members' own headers

	base      int64 // what all offsets count from
	directory int64 // where the directory begins
	dirSize   int64
	members   int64
	list      []zipPlace
}

// zipPlace is where a member is: its own header, its bytes, what ends behind
// them, and its header in the directory.
type zipPlace struct{ header, data, end, central int64 }

// zip walks a zip: the directory at its end, which most programs go by, and the
// header before each member, which others do.
func (w *walk) zip(c *content, at io.ReaderAt, size int64, level int) error {
	z := &zipWalk{
		walk: w, c: c, level: level, within: c.inside(zipFormat), links: links{w: w}, size: size, at: at,
		view: newWindow(at, size), local: newWindow(at, size),
	}
	defer z.links.forget()
	if err := z.trailer(); err != nil {
		return err
	}
	release, err := z.places()
	defer release()
	if err != nil {
		return err
	}
	if err := z.between(); err != nil {
		return err
	}
	for _, p := range z.list {
		if err := z.walkMember(p); err != nil {
			return err
		}
	}
	return nil
}

// places reads the directory, judges the names in it and compares it with the
// members' own headers.
func (z *zipWalk) places() (release func(), err error) {
	taken := int64(0)
	release = func() { z.memory += taken }
	const each, step = 32, 1024
	pos, end := z.directory, z.directory+z.dirSize
	for pos < end {
		if len(z.list)%step == 0 {
			if _, err := z.reserve(2 * each * step); err != nil { // Twice: the list is copied when it grows.
				return release, err
			}
			taken += 2 * each * step
		}
		h, err := z.central(pos)
		if err != nil {
			return release, err
		}
		place, err := z.compare(&h)
		if err != nil {
			return release, err
		}
		place.central = pos
		if err := z.name(h); err != nil {
			return release, err
		}
		z.list = append(z.list, place)
		pos = h.end
	}
	if pos != end || int64(len(z.list)) != z.members {
		return release, z.ambiguous("", "the directory has %d members and says %d", len(z.list), z.members)
	}
	return release, nil
}

func (z *zipWalk) ambiguous(member, format string, args ...any) error {
	if member != "" {
		member = z.within + member
	}
	return z.refuse(Ambiguous, member, format, args...)
}

// name judges the names of a member.
func (z *zipWalk) name(h zipHeader) error {
	if err := z.member(h.member(z.within)); err != nil {
		return err
	}
	for _, other := range h.others {
		h.name = other
		if err := z.named(h.member(z.within)); err != nil {
			return err
		}
	}
	return nil
}

// between looks at what lies between the members: they may not overlap, as those
// of some bombs do, and no member may be there that the directory hides.
func (z *zipWalk) between() error {
	sorted := slices.Clone(z.list)
	slices.SortFunc(sorted, func(a, b zipPlace) int {
		switch {
		case a.header < b.header:
			return -1
		case a.header > b.header:
			return 1
		default:
			return 0
		}
	})
	end := int64(0)
	if len(sorted) > 0 && sorted[0].header > 0 {
		// What comes before all members is not read by anybody unless it is one.
		first, err := z.local.slice(0, int(min(z.size, 8)))
		if err != nil {
			return err
		}
		if bytes.HasPrefix(first, []byte(zipLocal)) || sorted[0].header != 4 && bytes.HasSuffix(first, []byte(zipLocal)) {
			return z.ambiguous("", "its first member is not in the directory")
		}
		end = sorted[0].header
		if err := z.before(end); err != nil {
			return err
		}
	}
	for _, p := range sorted {
		if p.header < end {
			return z.ambiguous("", "members overlap at %d", p.header)
		}
		if err := z.hidden(end, p.header); err != nil {
			return err
		}
		end = p.end
	}
	if end > z.directory {
		return z.ambiguous("", "members overlap the directory")
	}
	return z.hidden(end, z.directory)
}

// before looks for an archive before the first member: 7-Zip takes that one.
func (z *zipWalk) before(end int64) error {
	at, f, err := newWindow(z.at, min(end, programSize)).begins()
	if err == nil && f != plain && !z.c.besides {
		z.skip(Format, z.c.path(), fmt.Errorf("a %s lies before the zip, at %d", f, at))
		z.miss(z.c, 1)
	}
	return err
}

// hidden looks for the header of a member where the directory knows of none.
func (z *zipWalk) hidden(from, to int64) error {
	for from < to {
		n := min(to-from, bufferSize)
		piece, err := z.local.slice(from, int(n))
		if err != nil {
			return err
		}
		if i := bytes.Index(piece, []byte(zipLocal)); i >= 0 {
			return z.ambiguous("", "a member at %d is not in the directory", from+int64(i))
		}
		if from += n; from < to {
			from -= int64(len(zipLocal) - 1)
		}
	}
	return nil
}
