package archive

import (
	"bytes"
	"errors"
	"io"
)

// tarInput is what a tar is read from.
type tarInput interface {
	io.Reader
	// block returns the next block, shorter at the end, without reading it, and
	// where it is.
	block() ([]byte, int64, error)
}

// zeros counts the zeros at the end of what was read, up to a block of them.
type zeros struct{ run int }

func (z *zeros) read(p []byte) {
	if len(p) > tarBlock {
		p = p[len(p)-tarBlock:]
	}
	tail := len(p) - len(bytes.TrimRight(p, "\x00"))
	if tail < len(p) {
		z.run = 0
	}
	z.run = min(z.run+tail, tarBlock)
}

// ended reports whether what was read last is a block of zeros.
func (z *zeros) ended() bool { return z.run == tarBlock }

// tarWindow reads a tar that can be read anywhere, and seeks over what nobody
// wants to read.
type tarWindow struct {
	*window
	zeros
}

// Read implements io.Reader.
func (v *tarWindow) Read(p []byte) (int, error) {
	n, err := v.window.Read(p)
	v.read(p[:n])
	return n, err
}

// Seek implements io.Seeker.
func (v *tarWindow) Seek(offset int64, whence int) (int64, error) {
	v.run = 0
	return v.window.Seek(offset, whence)
}

func (v *tarWindow) block() ([]byte, int64, error) {
	b, err := v.slice(v.pos, int(min(tarBlock, v.size-v.pos)))
	return b, v.pos, err
}

// tarStream reads a tar from its beginning to its end.
type tarStream struct {
	*feed
	zeros
}

// Read implements io.Reader.
func (s *tarStream) Read(p []byte) (int, error) {
	n, err := s.feed.Read(p)
	s.read(p[:n])
	return n, err
}

func (s *tarStream) block() ([]byte, int64, error) {
	b, err := s.Peek(tarBlock)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b, s.taken(), err
}
