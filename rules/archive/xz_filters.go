package archive

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/ulikunitz/xz/lzma"
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

// lzma2 returns a decoder for at most room bytes, -1 if nobody knows.
func (w *walk) lzma2(in io.Reader, property byte, room int64) (io.Reader, func(), error) {
	if property > 40 {
		return nil, nil, errors.New("lzma: an unknown dictionary")
	}
	dictionary := (2 | int64(property)&1) << (property/2 + 11)
	if room >= 0 {
		dictionary = min(dictionary, room)
	}
	dictionary = max(dictionary, lzma.MinDictCap)
	release, err := w.reserve(dictionary)
	if err != nil {
		return nil, nil, err
	}
	out, err := guarded(func() (*lzma.Reader2, error) {
		return lzma.Reader2Config{DictCap: int(dictionary)}.NewReader2(in)
	})
	if err != nil {
		release()
		return nil, nil, unexpected(err)
	}
	return out, release, nil
}
