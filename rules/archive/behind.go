package archive

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// programSize is how much may lie before an archive that programs find behind
// other bytes, in bytes: 7-Zip looks that far.
const programSize = 8 << 20

// behind looks for an archive behind other bytes: a zip at the end, or what
// unpacks itself. It returns where the archive begins.
func (w *walk) behind(c *content) (int64, format, error) {
	end, err := w.lastOf(c)
	if err != nil {
		return 0, plain, err
	}
	if at := w.lastZip(c, end); at >= 0 || w.stop != nil {
		return 0, zipFormat, w.stop
	}
	if isImage(end) {
		return 0, imageFormat, nil
	}
	return newWindow(c.at, min(c.size, programSize)).begins()
}

// begins looks for an archive in all of a window, and returns where the first one
// begins.
func (v *window) begins() (int64, format, error) {
	for at := int64(0); ; at += bufferSize - overlap {
		piece, err := v.slice(at, int(min(bufferSize, v.size-at)))
		if err != nil {
			return 0, plain, err
		}
		if i, f := begins(piece); f != plain {
			return at + int64(i), f, nil
		}
		if at+bufferSize >= v.size {
			return 0, plain, nil
		}
	}
}

// begun is behind for bytes that come in order: it reads as far as an archive
// may begin, and says which does.
func begun(b *feed) (format, error) {
	for from := b.taken(); b.taken()-from < programSize; {
		piece, err := b.Peek(bufferSize)
		if _, f := begins(piece); f != plain || err == io.EOF { //nolint:errorlint // Anything that wraps it is damage.
			return f, nil
		}
		if err != nil {
			return plain, err
		}
		if _, err := b.Discard(bufferSize - overlap); err != nil {
			return plain, err
		}
	}
	return plain, nil
}

// overlap is how much of a piece is looked at again with the next one, in bytes:
// what it takes to see that an archive begins.
const overlap = 1 << 10

// beginnings are the magics of archives that programs find behind other bytes.
// Where a magic is short, what follows must make sense too.
var beginnings = []struct {
	format format
	magic  string
	before int // how much of the archive is before the magic, in bytes
	is     func(b []byte) bool
}{
	{sevenZipFormat, sevenZipMagic, 0, func(b []byte) bool {
		return len(b) >= sevenStart && crc32.ChecksumIEEE(b[12:sevenStart]) == binary.LittleEndian.Uint32(b[8:])
	}},
	{rarFormat, rarMagic, 0, func(b []byte) bool { return len(b) >= 8 && (b[6] == 0 || b[6] == 1 && b[7] == 0) }},
	{zipFormat, zipLocal, 0, isLocal},
	{cabFormat, "MSCF\x00\x00\x00\x00", 0, func(b []byte) bool {
		return len(b) >= 36 && string(b[12:16]) == "\x00\x00\x00\x00" && b[24] <= 3 && b[25] == 1
	}},
	{xzFormat, "\xfd7zXZ\x00\x00", 0, func(b []byte) bool {
		return len(b) >= 12 && crc32.ChecksumIEEE(b[6:8]) == binary.LittleEndian.Uint32(b[8:])
	}},
	{tarFormat, "ustar", 257, isTar},
	{bz2Format, "1AY&SY", 4, func(b []byte) bool { return detect(b) == bz2Format }},
	{gzFormat, "\x1f\x8b\x08", 0, isGzip},
	{zstFormat, "\x28\xb5\x2f\xfd", 0, isZstd},
}

// begins returns where in a piece the first archive begins.
func begins(piece []byte) (first int, f format) {
	first = len(piece)
	for _, k := range beginnings {
		for i := 0; ; i++ {
			at := bytes.Index(piece[i:], []byte(k.magic))
			if i += at; at < 0 || i-k.before >= first {
				break
			}
			if i >= k.before && k.is(piece[i-k.before:]) {
				first, f = i-k.before, k.format
				break
			}
		}
	}
	return first, f
}

// isLocal reports whether bytes are the header of a member of a zip, of a method
// that there is, and with a name.
func isLocal(b []byte) bool {
	if len(b) < 30 || b[8] > 19 && b[8] < 93 || b[8] > 99 || b[9] != 0 {
		return false
	}
	size := int(binary.LittleEndian.Uint16(b[26:]))
	name := bytes.TrimRight(b[30:min(30+size, len(b))], "\x00")
	return len(name) > 0 && bytes.IndexByte(name, 0) < 0
}

// isGzip reports whether bytes are the header of a gz, and what can be decoded.
func isGzip(b []byte) bool {
	if len(b) < 18 || b[3] >= 0x20 || b[8] != 0 && b[8] != 2 && b[8] != 4 || b[9] > 13 && b[9] != 255 {
		return false
	}
	_, err := guarded(func() (int, error) {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return 0, err
		}
		return io.ReadFull(z, make([]byte, 64))
	})
	return err == nil || err == io.EOF || err == io.ErrUnexpectedEOF //nolint:errorlint // Anything that wraps them is damage.
}

// isZstd reports whether bytes are the header of a frame and of its first block.
func isZstd(b []byte) bool {
	var h zstd.Header
	if len(b) < zstd.HeaderMaxSize || h.Decode(b) != nil || h.DictionaryID != 0 || !h.FirstBlock.OK {
		return false
	}
	return h.FirstBlock.CompressedSize <= 128<<10 && h.WindowSize <= zstdWindow
}
