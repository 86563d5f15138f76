package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// tarBlock is the size of the blocks that a tar is made of, in bytes.
const tarBlock = 512

// tarWalk is the walk through one tar, or several behind each other.
type tarWalk struct {
	*walk
	c      *content
	within string
	level  int
	links  links
	in     tarInput
	zeros  *zeros // at the end of what was read of it
	last   int64  // where what follows the last member should begin, -1 if nobody knows
}

// tar walks a tar.
func (w *walk) tar(c *content, b *feed, level int) error {
	t := &tarWalk{walk: w, c: c, within: c.inside(tarFormat), level: level, links: links{w: w}}
	defer t.links.forget()
	if c.at != nil {
		in := &tarWindow{window: newWindow(c.at, c.size)}
		t.in, t.zeros = in, &in.zeros
	} else {
		in := &tarStream{feed: b}
		t.in, t.zeros = in, &in.zeros
	}
	for {
		t.last = -1
		if err := t.members(tar.NewReader(t.in)); err != nil {
			return err
		}
		_, pos, err := t.in.block()
		if err != nil {
			return err
		}
		if !t.zeros.ended() || pos < t.last+tarBlock {
			return errors.New("tar: the end is missing")
		}
		more, err := t.padding()
		if !more || err != nil {
			return err
		}
	}
}

// members walks the members of one tar.
func (t *tarWalk) members(r *tar.Reader) error {
	for {
		before := t.top.end
		h, err := guarded(r.Next)
		switch {
		case t.stop != nil:
			return t.stop
		case err == io.EOF: //nolint:errorlint // Anything that wraps it is damage.
			return nil
		case err != nil:
			return err
		}
		gaps := t.gaps
		if err := t.entry(h, r); err != nil {
			return err
		}
		switch {
		case t.gaps == gaps || !t.c.whole:
		case t.c.level == 0:
			t.missed += h.Size
		default:
			t.missed += t.top.end - before
		}
	}
}

// entry looks at one member.
func (t *tarWalk) entry(h *tar.Header, r *tar.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		for _, key := range []string{"path", "linkpath", "size"} {
			if h.PAXRecords[key] != "" {
				return t.refuse(Ambiguous, t.within+h.PAXRecords["path"], "a global header gives the %s of all members", key)
			}
		}
		t.last = -1
		return nil
	}
	_, pos, err := t.in.block()
	if err != nil {
		return err
	}
	t.last = pos
	m := Member{Name: h.Name, Within: t.within, Folder: h.Typeflag == tar.TypeDir}
	m.Name = strings.TrimRight(m.Name, "/")
	if err := t.member(m); err != nil {
		return err
	}
	if err := t.links.through(m); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return nil
	case tar.TypeSymlink, tar.TypeLink:
		if err := t.links.link(m, h.Linkname, h.Typeflag == tar.TypeLink); err != nil {
			return t.settle(err, t.c)
		}
		return nil
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		if !t.limits.AcceptLinks {
			return t.refuse(Link, m.Path(), "it is a device or a pipe")
		}
		return nil
	}
	return t.file(h, r, m, pos)
}

// file looks into a member whose bytes begin at a place. Where they lie in the
// file as they are, they need not be read to be skipped.
func (t *tarWalk) file(h *tar.Header, r *tar.Reader, m Member, at int64) error {
	inner := content{name: m.Name, within: t.within, level: t.level, size: h.Size}
	switch {
	case isSparse(h):
		t.last = -1
		counted := &meter{w: t.walk, r: r, member: m.Path(), packed: -1, taken: func() int64 {
			_, pos, _ := t.in.block() // What cannot be read has ended the walk.
			return pos - at
		}}
		inner.r, inner.size = counted, -1
		if err := t.look(inner); err != nil {
			return err
		}
		return counted.done()
	case t.c.at != nil:
		if h.Size > t.c.size-at {
			return fmt.Errorf("tar: %q: %w", m.Name, io.ErrUnexpectedEOF)
		}
		if t.c.level == 0 {
			if err := t.count(h.Size, m.Path()); err != nil {
				return err
			}
		}
		inner.at = io.NewSectionReader(t.c.at, at, h.Size)
	default:
		inner.r = &meter{w: t.walk, r: r, member: m.Path(), packed: h.Size, counted: true}
	}
	t.last = at + (h.Size+tarBlock-1)/tarBlock*tarBlock
	return t.look(inner)
}

// isSparse reports whether a member has holes: more bytes than it takes.
func isSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// padding reads the zeros behind a tar, and reports whether another one follows
// them: some programs go on with it.
func (t *tarWalk) padding() (more bool, err error) {
	zeros := make([]byte, tarBlock)
	for {
		next, _, err := t.in.block()
		switch {
		case t.stop != nil:
			return false, t.stop
		case err != nil:
			return false, err
		case len(next) == 0:
			return false, nil
		case isTar(next):
			return true, nil
		case !bytes.Equal(next, zeros[:len(next)]):
			return false, errTrailing
		}
		if _, err := fill(t.in, zeros[:len(next)]); err != nil {
			return false, err
		}
	}
}
