package archive

import (
	"bufio"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/ulikunitz/xz/lzma"
)

// inflate returns a decoder of deflate, which is used again for the next member.
func (w *walk) inflate(in io.Reader) (io.Reader, func(), error) {
	if n := len(w.inflaters); n > 0 {
		f := w.inflaters[n-1]
		w.inflaters = w.inflaters[:n-1]
		if err := f.(flate.Resetter).Reset(in, nil); err != nil {
			return nil, nil, err
		}
		return f, func() { w.inflaters = append(w.inflaters, f) }, nil
	}
	f := flate.NewReader(in)
	return f, func() { w.inflaters = append(w.inflaters, f) }, nil
}

// bzip2Memory is what a decoder of bzip2 takes, in bytes: four for each byte of a
// block.
const bzip2Memory = 4 * 900_000

func (w *walk) bzip2(in io.Reader) (io.Reader, func(), error) {
	release, err := w.reserve(bzip2Memory)
	if err != nil {
		return nil, nil, err
	}
	return bzip2.NewReader(in), release, nil
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

// lzma returns a decoder of LZMA with five bytes of properties, for size bytes,
// or -1 if a marker ends them. Its dictionary is for at most room bytes.
func (w *walk) lzma(in *bufio.Reader, props []byte, size, room int64) (io.Reader, func(), error) {
	dictionary := max(min(int64(binary.LittleEndian.Uint32(props[1:])), room), lzma.MinDictCap)
	literals := int64(props[0]%9) + int64(props[0]/9%5) // As many bits choose among tables of 1536 bytes.
	release, err := w.reserve(dictionary + 1536<<literals)
	if err != nil {
		return nil, nil, err
	}
	header := binary.LittleEndian.AppendUint32([]byte{props[0]}, uint32(dictionary))
	header = binary.LittleEndian.AppendUint64(header, uint64(size))
	out, err := guarded(func() (*lzma.Reader, error) {
		return lzma.ReaderConfig{DictCap: int(dictionary)}.NewReader(&headed{header, in})
	})
	if err != nil {
		release()
		return nil, nil, unexpected(err)
	}
	return out, release, nil
}

// headed reads bytes before those of a reader.
type headed struct {
	head []byte
	r    *bufio.Reader
}

// Read implements io.Reader.
func (h *headed) Read(p []byte) (int, error) {
	if len(h.head) > 0 {
		n := copy(p, h.head)
		h.head = h.head[n:]
		return n, nil
	}
	return h.r.Read(p)
}

// ReadByte implements io.ByteReader.
func (h *headed) ReadByte() (byte, error) {
	if len(h.head) > 0 {
		b := h.head[0]
		h.head = h.head[1:]
		return b, nil
	}
	return h.r.ReadByte()
}
