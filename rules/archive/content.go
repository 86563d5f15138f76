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
	// span is what it lies in as it is, and offset where; nil stands for itself.
	span   *span
	offset int64
	// besides says that it has been walked as another format and is a zip too.
	besides bool
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
	if c.span == nil {
		c.span, c.offset = &span{zipEnd: -1}, 0
	}
	var from io.Reader
	var kept *tail
	if c.at != nil {
		from = io.NewSectionReader(c.at, 0, c.size)
	} else {
		kept = w.keep(c.r)
		defer w.forget(kept)
		from = kept
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
	if second(f, head) {
		w.known(&c, f)
		return w.refuse(Ambiguous, c.path(), "it begins as two formats do, %s and another", f)
	}
	before := c.span.zipEnd
	c.span.zipEnd = -1
	defer func() { c.span.zipEnd = max(c.span.zipEnd, before) }()
	if f == plain {
		err = w.plain(&c, b)
	} else {
		err = w.archive(&c, b, f)
	}
	if err = w.settle(err, &c); err != nil {
		return err
	}
	if c.at == nil {
		if err := w.settle(drain(b), &c); err != nil { // What lies in it counts, also if it was given up.
			return err
		}
	}
	return w.settle(w.ending(&c, b, f, kept), &c)
}

// streamed judges the one member of a compressed file, which may be given either
// of two names.
func (w *walk) streamed(c *content) error {
	if err := w.member(Member{Name: c.name, Within: c.within}); err != nil || c.alias == "" || c.alias == c.name {
		return err
	}
	return w.named(Member{Name: c.alias, Within: c.within})
}

// known notes that something is an archive, and of what format the file is.
func (w *walk) known(c *content, f format) {
	w.report.Known = true
	switch {
	case w.report.Format == "":
		w.report.Format = f.String()
	case f == tarFormat && c.stream && c.level == 1:
		w.report.Format = f.String() + "." + w.report.Format
	}
}

// archive walks the bytes as an archive of a format.
func (w *walk) archive(c *content, b *feed, f format) error {
	w.known(c, f)
	if !f.walked() {
		w.miss(c, w.size)
		return fmt.Errorf("%s cannot be taken apart", f)
	}
	level := c.level + 1
	if f == tarFormat && c.stream {
		level = c.level
	}
	w.report.Depth = max(w.report.Depth, level)
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
func (w *walk) plain(c *content, b *feed) error {
	if c.at == nil {
		f, err := begun(b)
		if err != nil || f == plain {
			return err
		}
		w.report.Known = true
		return fmt.Errorf("a %s lies behind other bytes", f)
	}
	behind, f, err := w.behind(c)
	if err != nil || f == plain {
		return err
	}
	if f != zipFormat && f != sevenZipFormat {
		w.known(c, f)
		w.miss(c, w.size)
		return fmt.Errorf("a %s lies behind other bytes", f)
	}
	within := *c
	within.at, within.size = io.NewSectionReader(c.at, behind, c.size-behind), c.size-behind
	within.offset += behind
	return w.archive(&within, b, f)
}
