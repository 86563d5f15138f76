package archive

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// format is what bytes begin as.
type format uint8

const (
	plain format = iota
	zipFormat
	tarFormat
	gzFormat
	bz2Format
	xzFormat
	zstFormat
	sevenZipFormat
	// Those behind it are known, and cannot be taken apart.
	rarFormat
	cabFormat
	lz4Format
	lzipFormat
	compressFormat
	lzopFormat
	cpioFormat
	arFormat
	rpmFormat
	wimFormat
	xarFormat
	lhaFormat
	aceFormat
)

// String returns the format's name.
func (f format) String() string {
	return [...]string{
		"no archive", "zip", "tar", "gz", "bz2", "xz", "zst", "7z",
		"rar", "cab", "lz4", "lz", "Z", "lzo", "cpio", "ar", "rpm", "wim", "xar", "lha", "ace",
	}[f]
}

// walked reports whether the format can be taken apart.
func (f format) walked() bool { return f < rarFormat }

// suffixes are what a compressed file's name ends in, and what its content's
// name ends in instead.
var suffixes = []struct{ packed, plain string }{
	{".tgz", ".tar"},
	{".tbz2", ".tar"},
	{".tbz", ".tar"},
	{".txz", ".tar"},
	{".tzst", ".tar"},
	{".gz", ""},
	{".bz2", ""},
	{".xz", ""},
	{".zst", ""},
}

// unpackedName returns the name that a compressed file has without its format.
func unpackedName(name string) string {
	name = name[strings.LastIndexByte(name, '/')+1:]
	for _, s := range suffixes {
		if cut := len(name) - len(s.packed); cut > 0 && strings.EqualFold(name[cut:], s.packed) {
			return name[:cut] + s.plain
		}
	}
	return name
}

// headSize is how much detect needs, in bytes: one block of a tar.
const headSize = 512

// magics are the bytes at a place by which a format is known.
var magics = []struct {
	format format
	at     int
	bytes  string
}{
	{zipFormat, 0, "PK\x03\x04"},
	{zipFormat, 0, "PK\x05\x06"},
	{zipFormat, 0, "PK\x07\x08PK\x03\x04"},
	{zipFormat, 0, "PK00PK\x03\x04"},
	{gzFormat, 0, "\x1f\x8b\x08"},
	{xzFormat, 0, "\xfd7zXZ\x00"},
	{zstFormat, 0, "\x28\xb5\x2f\xfd"},
	{sevenZipFormat, 0, sevenZipMagic},
	{rarFormat, 0, rarMagic},
	{cabFormat, 0, "MSCF\x00\x00\x00\x00"},
	{lz4Format, 0, "\x04\x22\x4d\x18"},
	{lzipFormat, 0, "LZIP\x01"},
	{compressFormat, 0, "\x1f\x9d"},
	{lzopFormat, 0, "\x89LZO\x00\r\n\x1a\n"},
	{cpioFormat, 0, "070701"},
	{cpioFormat, 0, "070702"},
	{cpioFormat, 0, "070707"},
	{arFormat, 0, "!<arch>\n"},
	{rpmFormat, 0, "\xed\xab\xee\xdb"},
	{wimFormat, 0, "MSWIM\x00\x00\x00"},
	{xarFormat, 0, "xar!"},
	{aceFormat, 7, "**ACE**"},
}

const (
	sevenZipMagic = "7z\xbc\xaf\x27\x1c"
	rarMagic      = "Rar!\x1a\x07"
)

// detect returns what a file that begins with head is. Names are not asked.
func detect(head []byte) format {
	for _, m := range magics {
		if len(head) >= m.at && bytes.HasPrefix(head[m.at:], []byte(m.bytes)) {
			return m.format
		}
	}
	switch {
	case len(head) >= 10 && string(head[:3]) == "BZh" && head[3] >= '1' && head[3] <= '9' &&
		(string(head[4:10]) == "1AY&SY" || string(head[4:10]) == "\x17\x72\x45\x38\x50\x90"):
		return bz2Format
	case len(head) >= 8 && head[0]&0xf0 == 0x50 && string(head[1:4]) == "\x2a\x4d\x18":
		return zstFormat // It begins with a frame to be skipped.
	case len(head) >= 7 && string(head[2:4]) == "-l" && head[6] == '-' && (head[4] == 'h' || head[4] == 'z'):
		return lhaFormat
	case isTar(head):
		return tarFormat
	default:
		return plain
	}
}

// isTar reports whether a block is the header of a tar: its sum is right, which
// also those from before there was a magic have.
func isTar(head []byte) bool {
	if len(head) < headSize || head[0] == 0 {
		return false
	}
	var want, unsigned, signed int64
	digits := bytes.Trim(head[148:156], " \x00")
	for _, d := range digits {
		if d < '0' || d > '7' {
			return false
		}
		want = want<<3 | int64(d-'0')
	}
	for i, b := range head[:headSize] {
		if i >= 148 && i < 156 {
			b = ' '
		}
		unsigned += int64(b)
		signed += int64(int8(b))
	}
	return len(digits) > 0 && (want == unsigned || want == signed)
}

// programSize is how large the program before an archive that unpacks itself may
// be for the archive to be looked for, in bytes.
const programSize = 2 << 20

// behind looks for an archive behind other bytes: a zip in any file, and the
// others behind a program. It returns where the archive begins.
func (w *walk) behind(c *content, head []byte) (int64, format, error) {
	size := min(c.size, tailSize)
	end := make([]byte, size)
	if n, err := c.at.ReadAt(end, c.size-size); n < len(end) {
		return 0, plain, err
	}
	if trailer(end) {
		return 0, zipFormat, nil
	}
	if !bytes.HasPrefix(head, []byte("MZ")) && !bytes.HasPrefix(head, []byte("\x7fELF")) {
		return 0, plain, nil
	}
	v := newWindow(c.at, min(c.size, programSize))
	for at := int64(0); at+32 <= v.size; at += bufferSize - 32 {
		piece, err := v.slice(at, int(min(bufferSize, v.size-at)))
		if err != nil {
			return 0, plain, err
		}
		for i := range piece[:len(piece)-31] {
			if f := begins(piece[i:]); f != plain {
				return at + int64(i), f, nil
			}
		}
	}
	return 0, plain, nil
}

// begins reports whether a 7z, whose header has a sum, or a rar begins here.
func begins(b []byte) format {
	switch {
	case b[0] == '7' && bytes.HasPrefix(b, []byte(sevenZipMagic)) && crc32.ChecksumIEEE(b[12:32]) == binary.LittleEndian.Uint32(b[8:]):
		return sevenZipFormat
	case b[0] == 'R' && bytes.HasPrefix(b, []byte(rarMagic)) && (b[6] == 0 || b[6] == 1 && b[7] == 0):
		return rarFormat
	default:
		return plain
	}
}
