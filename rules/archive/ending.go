package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// span is bytes that lie behind each other: the file, or all that comes out of
// something compressed. Programs that want a zip look for one at the end of
// whatever they are given.
type span struct {
	zipEnd int64 // where the trailer of the last zip in it that was walked is, or -1
}

// tailSize is where the trailer of a zip can begin, in bytes before the end:
// unzip looks a little further back than a comment can be long.
const tailSize = 66 << 10

// tail reads on, and keeps what comes last.
type tail struct {
	r    io.Reader
	size int64
	buf  []byte
}

// keep returns a reader that keeps the end of what is read.
func (w *walk) keep(r io.Reader) *tail {
	if n := len(w.tails); n > 0 {
		t := w.tails[n-1]
		w.tails = w.tails[:n-1]
		t.r = r
		return t
	}
	return &tail{r: r}
}

func (w *walk) forget(t *tail) {
	*t = tail{buf: t.buf[:0]}
	w.tails = append(w.tails, t)
}

// Read implements io.Reader.
func (t *tail) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.size += int64(n)
	last := p[max(n-tailSize, 0):n]
	if len(t.buf)+len(last) > 2*tailSize {
		t.buf = t.buf[:copy(t.buf, t.buf[len(t.buf)-tailSize:])]
	}
	t.buf = append(t.buf, last...)
	return n, err
}

// end returns the end of what was read.
func (t *tail) end() []byte { return t.buf[max(len(t.buf)-tailSize, 0):] }

// drain reads to the end.
func drain(b *feed) error {
	for {
		if _, err := b.Discard(1 << 30); err == io.EOF { //nolint:errorlint // Anything that wraps it is damage.
			return nil
		} else if err != nil {
			return err
		}
	}
}

// trailer returns where the last trailer of a zip in the end of something is that
// could be one, and -1 if there is none. One that tells of no members leads
// nowhere.
func trailer(end []byte, could func(at int) bool) int {
	for room := end[:max(len(end)-22+len(zipTrailer), 0)]; ; {
		at := bytes.LastIndex(room, []byte(zipTrailer))
		if at < 0 || wide(end, at) || (binary.LittleEndian.Uint16(end[at+10:]) > 0 || binary.LittleEndian.Uint32(end[at+12:]) > 0) && could(at) {
			return at
		}
		room = room[:at+len(zipTrailer)-1]
	}
}

// wide reports whether the locator of a large zip lies before a trailer.
func wide(end []byte, at int) bool {
	return at >= 20 && bytes.HasPrefix(end[at-20:], []byte(zip64Locator))
}

// lastZip returns where the trailer of the last zip is in bytes that can be read
// anywhere: one whose directory is in one of the two places where programs look
// for it. It is -1 if there is none.
func (w *walk) lastZip(c *content, end []byte) int64 {
	begin := c.size - int64(len(end))
	at := trailer(end, func(at int) bool {
		size, offset := int64(binary.LittleEndian.Uint32(end[at+12:])), int64(binary.LittleEndian.Uint32(end[at+16:]))
		for _, place := range []int64{begin + int64(at) - size, offset} {
			var b [len(zipCentral)]byte
			if place < 0 || place > c.size-int64(len(b)) {
				continue
			}
			if n, _ := c.at.ReadAt(b[:], place); string(b[:n]) == zipCentral { // An error ends the walk.
				return true
			}
		}
		return false
	})
	if at < 0 {
		return -1
	}
	return begin + int64(at)
}

// lastZip is the same for bytes that came in order, as far as their end tells.
func (t *tail) lastZip() int64 {
	end := t.end()
	at := trailer(end, func(at int) bool {
		size := int64(binary.LittleEndian.Uint32(end[at+12:]))
		switch directory := int64(at) - size; {
		case directory >= 0:
			return bytes.HasPrefix(end[directory:], []byte(zipCentral))
		default:
			one := binary.LittleEndian.Uint32(end[at+4:]) == 0 || bytes.Equal(end[at+8:at+10], end[at+10:at+12])
			return one && size <= t.size
		}
	})
	if at < 0 {
		return -1
	}
	return t.size - int64(len(end)-at)
}

// ending looks at the end of what was walked as a format: a zip may lie there
// besides, and programs that want one will find it, unless one that was walked
// comes behind it.
func (w *walk) ending(c *content, b *feed, f format, kept *tail) error {
	if f == zipFormat || !f.walked() || f == plain && c.at != nil || c.besides {
		return nil
	}
	if c.at == nil {
		at := kept.lastZip()
		switch {
		case at >= 0 && c.offset+at > c.span.zipEnd:
			w.report.Known = true
			return errors.New("a zip lies behind other bytes")
		case f == plain && isImage(kept.end()):
			w.report.Known = true
			return errors.New("it ends as a disk image does")
		}
		return nil
	}
	end, err := w.lastOf(c)
	if err != nil {
		return err
	}
	if at := w.lastZip(c, end); at < 0 || c.offset+at <= c.span.zipEnd {
		return w.stop
	}
	besides := *c
	besides.besides = true
	return w.archive(&besides, b, zipFormat)
}

// lastOf reads the end of bytes that can be read anywhere.
func (w *walk) lastOf(c *content) ([]byte, error) {
	end := make([]byte, min(c.size, tailSize))
	if n, err := c.at.ReadAt(end, c.size-int64(len(end))); n < len(end) {
		return nil, unexpected(err)
	}
	return end, nil
}

// isImage reports whether bytes end as the image of a disk does that need not
// have a magic at its beginning.
func isImage(end []byte) bool {
	foot := end[max(len(end)-512, 0):]
	return bytes.HasPrefix(foot, []byte("koly\x00\x00\x00\x04\x00\x00\x02\x00")) || bytes.HasPrefix(foot, []byte("conectix\x00\x00"))
}
