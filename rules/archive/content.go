package archive

import (
	"errors"
	"fmt"
	"io"
)

// content is the bytes of the file or of a member of it.
type content struct {
	// r gives the bytes from the beginning; nil where at is set.
	r io.Reader
	// at gives any of the size bytes; nil where there is only r. Without at, size
	// is a hint, or -1.
	at   io.ReaderAt
	size int64
	// name is the member's own, and within the path of what it lies in.
	name, within string
	// level is how many archives it lies in.
	level int
	// stream says that it came out of a compressed file alone, and name is
	// derived: a tar does not count as a level of its own then.
	stream bool
	// alias is another name that the member may be given, or empty.
	alias string
	// whole says that it is the file, or all that comes out of it.
	whole bool
}

func (c *content) path() string {
	if c.level == 0 {
		return ""
	}
	return c.within + c.name
}

// inside is what the names of the members of an archive are put behind.
func (c *content) inside(f format) string {
	if c.level == 0 || c.stream && f == tarFormat {
		return c.within
	}
	return c.within + c.name + "/"
}

// look finds out what the bytes are and walks them. Its error is the end of the
// walk.
func (w *walk) look(c content) error {
	from := c.r
	if c.at != nil {
		from = io.NewSectionReader(c.at, 0, c.size)
	}
	b, release := w.buffered(from)
	defer release()
	head, err := b.Peek(headSize)
	if w.stop != nil {
		return w.stop
	}
	f := detect(head)
	if c.stream && f != tarFormat {
		if err := w.streamed(&c); err != nil {
			return err
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return w.settle(err, &c)
	}
	if f == plain {
		err = w.plain(&c, b, head)
	} else {
		err = w.archive(&c, b, f)
	}
	if err = w.settle(err, &c); err != nil || c.at != nil {
		return err
	}
	return w.settle(w.drain(b), &c) // What lies in it counts, also if it was given up.
}

// streamed judges the one member of a compressed file, which may be given either
// of two names.
func (w *walk) streamed(c *content) error {
	if err := w.member(Member{Name: c.name, Within: c.within}); err != nil || c.alias == "" || c.alias == c.name {
		return err
	}
	return w.named(Member{Name: c.alias, Within: c.within})
}

// archive walks the bytes as an archive of a format.
func (w *walk) archive(c *content, b *feed, f format) error {
	w.report.Known = true
	if !f.walked() {
		w.miss(c, w.size)
		return fmt.Errorf("%s cannot be taken apart", f)
	}
	level := c.level + 1
	if f == tarFormat && c.stream {
		level = c.level
	}
	if level > w.limits.Depth {
		return w.refuse(TooDeep, c.path(), "archives lie in each other more than %d deep", w.limits.Depth)
	}
	w.report.Looked = true
	switch f {
	case tarFormat:
		return w.tar(c, b, level)
	case zipFormat, sevenZipFormat:
		err := w.random(c, b, func(at io.ReaderAt, size int64) error {
			if f == zipFormat {
				return w.zip(c, at, size, level)
			}
			return w.sevenZip(c, at, size, level)
		})
		if err != nil {
			w.miss(c, w.size)
		}
		return err
	default:
		return w.compressed(c, b, f, level)
	}
}

// plain looks at bytes that do not begin as an archive does: one may lie behind
// them, as it does in a program that unpacks itself.
func (w *walk) plain(c *content, b *feed, head []byte) error {
	if c.at == nil {
		if err := w.drain(b); err != nil {
			return err
		}
		if trailer(w.ending()) {
			w.report.Known = true
			return errors.New("a zip lies behind other bytes")
		}
		return nil
	}
	behind, f, err := w.behind(c, head)
	if err != nil || f == plain {
		return err
	}
	within := *c
	within.at, within.size = io.NewSectionReader(c.at, behind, c.size-behind), c.size-behind
	return w.archive(&within, b, f)
}
