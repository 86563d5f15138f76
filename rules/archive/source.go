package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// source is the file. An error in reading it ends the walk: no walker may take
// it for damage in the archive.
type source struct {
	w   *walk
	at  io.ReaderAt
	end int64 // the highest offset that was read
}

// ReadAt implements io.ReaderAt.
func (s *source) ReadAt(p []byte, at int64) (int, error) {
	if err := context.Cause(s.w.ctx); err != nil {
		return 0, s.w.halt(err)
	}
	n, err := s.at.ReadAt(p, at)
	s.end = max(s.end, at+int64(n))
	switch {
	case n == len(p):
		return n, nil
	case errors.Is(err, io.EOF) && at+int64(n) >= s.w.size:
		return n, io.EOF
	case err == nil, errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF // It has become shorter.
	}
	return n, s.w.halt(fmt.Errorf("reading the file: %w", err))
}

// window reads a part of a file through one buffer. It gives whatever is wanted
// of it by place, and is a reader that can seek.
type window struct {
	at    io.ReaderAt
	size  int64
	pos   int64 // of the reader
	begin int64 // where the buffer begins
	buf   []byte
}

func newWindow(at io.ReaderAt, size int64) *window {
	return &window{at: at, size: size, buf: make([]byte, 0, min(bufferSize, max(size, 1)))}
}

// slice returns n bytes at a place, n up to the buffer's size. They are good
// until the next call.
func (v *window) slice(at int64, n int) ([]byte, error) {
	if at < 0 || at > v.size || int64(n) > v.size-at {
		return nil, io.ErrUnexpectedEOF
	}
	if at < v.begin || at+int64(n) > v.begin+int64(len(v.buf)) {
		if err := v.fill(at, n); err != nil {
			return nil, err
		}
	}
	from := int(at - v.begin)
	return v.buf[from : from+n], nil
}

// fill reads what is at a place, at least n bytes of it.
func (v *window) fill(at int64, n int) error {
	v.begin, v.buf = at, v.buf[:min(int64(cap(v.buf)), v.size-at)]
	got, err := v.at.ReadAt(v.buf, at)
	v.buf = v.buf[:got]
	if got >= n {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// Read implements io.Reader.
func (v *window) Read(p []byte) (int, error) {
	if v.pos >= v.size {
		return 0, io.EOF
	}
	if v.pos < v.begin || v.pos >= v.begin+int64(len(v.buf)) {
		if err := v.fill(v.pos, 1); err != nil {
			return 0, err
		}
	}
	n := copy(p, v.buf[v.pos-v.begin:])
	v.pos += int64(n)
	return n, nil
}

// Seek implements io.Seeker.
func (v *window) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += v.pos
	case io.SeekEnd:
		offset += v.size
	}
	if offset < 0 || offset > v.size {
		return v.pos, io.ErrUnexpectedEOF
	}
	v.pos = offset
	return offset, nil
}

// chunkSize is how much of a budget an archive without a file takes at a time.
const chunkSize = 1 << 20

// chunks are bytes in memory.
type chunks struct {
	list [][]byte
	size int64
}

// ReadAt implements io.ReaderAt.
func (c *chunks) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) && at < c.size {
		got := copy(p[n:], c.list[at/chunkSize][at%chunkSize:])
		n, at = n+got, at+int64(got)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// random gives a walker access to any place of the bytes. Those that come in
// order only are kept in memory, as far as the budget goes.
func (w *walk) random(c *content, r io.Reader, walker func(at io.ReaderAt, size int64) error) error {
	if c.at != nil {
		return walker(c.at, c.size)
	}
	kept := &chunks{}
	defer func() { w.memory += int64(len(kept.list)) * chunkSize }()
	for {
		if _, err := w.reserve(chunkSize); err != nil {
			return fmt.Errorf("an archive in a compressed file: %w", err)
		}
		chunk := make([]byte, chunkSize)
		n, err := fill(r, chunk)
		kept.list, kept.size = append(kept.list, chunk[:n]), kept.size+int64(n)
		switch {
		case err == io.EOF: //nolint:errorlint // Anything that wraps it is damage.
			return walker(kept, kept.size)
		case err != nil:
			return err
		}
	}
}
