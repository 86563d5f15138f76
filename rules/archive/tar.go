package archive

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// tarBlock is the size of the blocks that a tar is made of, in bytes.
const tarBlock = 512

// tarWalk is the walk through one tar, or several behind each other. It reads the
// headers itself: a library gives what one program makes of them, and what
// programs do not agree on must be seen.
type tarWalk struct {
	*walk
	c      *content
	within string
	level  int
	links  links
	in     tarInput
	notes  tarNotes
	buf    [tarBlock]byte
}

// tar walks a tar.
func (w *walk) tar(c *content, b *feed, level int) error {
	t := &tarWalk{walk: w, c: c, within: c.inside(tarFormat), level: level, links: links{w: w}, in: tarStream{b}}
	defer t.links.forget()
	if c.at != nil {
		t.in = tarWindow{newWindow(c.at, c.size)}
	}
	for ended := false; ; {
		before := t.top.end
		b, err := t.block()
		switch {
		case err == io.EOF && ended: //nolint:errorlint // Anything that wraps it is damage.
			return nil
		case err == io.EOF: //nolint:errorlint // As above.
			return errors.New("tar: the end is missing")
		case err != nil:
			return err
		case len(b) < tarBlock && !ended:
			return io.ErrUnexpectedEOF
		case strings.Trim(string(b), "\x00") == "":
			if t.notes != (tarNotes{}) {
				return errTar
			}
			ended = true // Zeros end it, and another one may follow them: some programs go on with it.
			continue
		case ended && !isTar(b):
			return errTrailing
		}
		ended = false
		gaps := t.gaps
		size, err := t.next(b)
		if err != nil {
			return err
		}
		switch {
		case t.gaps == gaps || !c.whole:
		case c.level == 0:
			t.missed += size
		default:
			t.missed += t.top.end - before
		}
	}
}

// block reads a block, which is shorter at the end. The error is io.EOF behind it.
func (t *tarWalk) block() ([]byte, error) {
	n, err := fill(t.in, t.buf[:])
	if n > 0 && err == io.EOF { //nolint:errorlint // Anything that wraps it is damage.
		err = nil
	}
	return t.buf[:n], err
}

// next walks what a header begins, and returns how many bytes it has.
func (t *tarWalk) next(b []byte) (size int64, err error) {
	h, odd, err := readTarHeader(b)
	if err != nil {
		return 0, err
	}
	if odd != "" {
		return 0, t.ambiguous(h.name, "%s", odd)
	}
	switch h.kind {
	case tarNote, tarNoteOnAll, tarLongName, tarLongLink:
		return 0, t.note(h)
	}
	if err := t.apply(&h); err != nil {
		return 0, err
	}
	return h.size, t.entry(&h)
}

// entry looks at one member.
func (t *tarWalk) entry(h *tarHeader) error {
	folder := h.kind == tarFolder || h.kind == tarOldFile && strings.HasSuffix(h.name, "/")
	m := Member{Name: strings.TrimRight(h.name, "/"), Within: t.within, Folder: folder}
	if err := t.member(m); err != nil {
		return err
	}
	if err := t.links.through(m); err != nil {
		return err
	}
	bare := folder || h.kind >= tarHardLink && h.kind <= tarPipe
	switch {
	case bare && h.size > 0:
		return t.ambiguous(h.name, "it has %d bytes, and only some programs take them for its own", h.size)
	case folder:
		return nil
	case h.kind == tarSymlink, h.kind == tarHardLink:
		return t.settle(t.links.link(m, h.link, h.kind == tarHardLink), t.c)
	case bare:
		return t.unsafeLink(m, "it is a device or a pipe")
	case h.kind == tarSparse:
		t.skip(Format, m.Path(), errors.New("tar: members with holes cannot be taken apart"))
		if err := t.holes(h.extended); err != nil {
			return err
		}
		return t.pass(h.size, h.size)
	case h.kind != tarFile && h.kind != tarOldFile && h.kind != tarContiguous:
		t.skip(Format, m.Path(), fmt.Errorf("tar: its kind, %q, is not known", h.kind))
	}
	return t.file(h, m)
}

// pass goes on behind what is left of a member's bytes, and what fills its last
// block.
func (t *tarWalk) pass(left, size int64) error {
	if _, err := t.in.skip(left); err != nil {
		return err
	}
	_, err := t.in.skip(upToBlock(size))
	return err
}

// file looks into a member. Where its bytes lie in the file as they are, they
// need not be read to be skipped.
func (t *tarWalk) file(h *tarHeader, m Member) error {
	at, err := t.in.skip(0)
	if err != nil {
		return err
	}
	inner := content{name: m.Name, within: t.within, level: t.level, size: h.size, span: t.c.span, offset: t.c.offset + at}
	if t.c.at == nil {
		inner.r = &meter{w: t.walk, r: io.LimitReader(t.in, h.size), member: m.Path(), packed: h.size, counted: true}
		if err := t.look(inner); err != nil {
			return err
		}
		now, err := t.in.skip(0)
		if err != nil {
			return err
		}
		return t.pass(at+h.size-now, h.size)
	}
	if h.size > t.c.size-at {
		return fmt.Errorf("tar: %q: %w", m.Name, io.ErrUnexpectedEOF)
	}
	if t.c.level == 0 {
		if err := t.count(h.size, m.Path()); err != nil {
			return err
		}
	}
	inner.at = io.NewSectionReader(t.c.at, at, h.size)
	if err := t.look(inner); err != nil {
		return err
	}
	return t.pass(h.size, h.size)
}
