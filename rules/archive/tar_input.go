package archive

import (
	"bytes"
	"io"
)

// tarInput is what a tar is read from.
type tarInput interface {
	io.Reader
	// skip goes on behind n bytes, and returns where in the tar that is.
	skip(n int64) (at int64, err error)
}

// tarWindow reads a tar that can be read anywhere, and seeks over what nobody
// wants to read.
type tarWindow struct{ *window }

func (v tarWindow) skip(n int64) (int64, error) {
	if n > v.size-v.pos {
		return v.pos, io.ErrUnexpectedEOF
	}
	v.pos += n
	return v.pos, nil
}

// tarStream reads a tar from its beginning to its end.
type tarStream struct{ *feed }

func (s tarStream) skip(n int64) (int64, error) {
	_, err := io.CopyN(io.Discard, s, n)
	return s.taken(), unexpected(err)
}

// upToBlock returns how many bytes are between the end of n bytes and that of
// their last block.
func upToBlock(n int64) int64 { return -n & (tarBlock - 1) }

// text returns what is before the first zero.
func text(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}
