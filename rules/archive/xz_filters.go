package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// filters builds the decoders of a block, the last of which is LZMA2.
func (x *xzReader) filters(body []byte, count int, room int64) (io.Reader, error) {
	var list []xzFilter
	for range count {
		id, n := binary.Uvarint(body)
		if n <= 0 {
			return nil, errXZ
		}
		size, m := binary.Uvarint(body[n:])
		if m <= 0 || size > uint64(len(body)-n-m) {
			return nil, errXZ
		}
		list = append(list, xzFilter{id, body[n+m : n+m+int(size)]})
		body = body[n+m+int(size):]
	}
	if len(bytes.Trim(body, "\x00")) > 0 {
		return nil, errXZ
	}
	if count > 1 && x.sum == nil { // Nothing says that what comes out is what other programs make of it.
		return nil, errors.New("xz: filtered, and without a sum that is known")
	}
	last := list[count-1]
	if last.id != 0x21 || len(last.props) != 1 {
		return nil, errors.New("xz: an unknown method")
	}
	out, err := x.lzma2(last.props[0], room)
	for i := count - 2; i >= 0 && err == nil; i-- {
		out, err = branch(out, xzBranches[list[i].id], list[i].props)
	}
	return out, err
}

type xzFilter struct {
	id    uint64
	props []byte
}

// lzma2 returns a decoder whose dictionary is no larger than what it is for.
func (x *xzReader) lzma2(property byte, room int64) (io.Reader, error) {
	x.close()
	out, release, err := x.w.lzma2(x.in.Reader, property, room)
	x.release = release
	return out, err
}
