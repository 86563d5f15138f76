package archive

import (
	"bytes"
	"encoding/binary"
)

// headSize is how much detect needs, in bytes: the first two sectors that say
// something on a disk image of the kind of a CD.
const headSize = 17 * 2048

// magics are the bytes at a place by which a format is known.
var magics = []struct {
	format format
	at     int
	bytes  string
}{
	{zipFormat, 0, "PK\x03\x04"},
	{zipFormat, 0, "PK\x05\x06"},
	{zipFormat, 0, "PK\x06\x06"},
	{zipFormat, 0, "PK\x07\x08PK\x03\x04"},
	{zipFormat, 0, "PK00PK\x03\x04"},
	{gzFormat, 0, "\x1f\x8b\x08"},
	{xzFormat, 0, "\xfd7zXZ\x00"},
	{zstFormat, 0, "\x28\xb5\x2f\xfd"},
	{sevenZipFormat, 0, sevenZipMagic},
	{rarFormat, 0, rarMagic},
	{rarFormat, 0, "RE~^"},
	{cabFormat, 0, "MSCF\x00\x00\x00\x00"},
	{lz4Format, 0, "\x04\x22\x4d\x18"},
	{lz4Format, 0, "\x02\x21\x4c\x18"},
	{lzipFormat, 0, "LZIP\x01"},
	{compressFormat, 0, "\x1f\x9d"},
	{compressFormat, 0, "\x1f\x9e\x08"}, // Those three are what gunzip unpacks too.
	{compressFormat, 0, "\x1f\xa0"},
	{compressFormat, 0, "\x1f\x1e"},
	{lzopFormat, 0, "\x89LZO\x00\r\n\x1a\n"},
	{cpioFormat, 0, "070701"},
	{cpioFormat, 0, "070702"},
	{cpioFormat, 0, "070707"},
	{arFormat, 0, "!<arch>\n"},
	{rpmFormat, 0, "\xed\xab\xee\xdb"},
	{wimFormat, 0, "MSWIM\x00\x00\x00"},
	{xarFormat, 0, "xar!"},
	{aceFormat, 7, "**ACE**"},
	{zooFormat, 20, "\xdc\xa7\xc4\xfd"},
	{stuffItFormat, 0, "StuffIt (c)1997-"},
	{stuffItFormat, 10, "rLau"},
	{lrzipFormat, 0, "LRZI\x00"},
	{oldZstFormat, 0, "\x1e\xb5\x2f\xfd"},
	{oldZstFormat, 0, "\x22\xb5\x2f\xfd"},
	{oldZstFormat, 0, "\x23\xb5\x2f\xfd"},
	{oldZstFormat, 0, "\x24\xb5\x2f\xfd"},
	{oldZstFormat, 0, "\x25\xb5\x2f\xfd"},
	{oldZstFormat, 0, "\x26\xb5\x2f\xfd"},
	{oldZstFormat, 0, "\x27\xb5\x2f\xfd"},
	{chmFormat, 0, "ITSF\x03\x00\x00\x00"},
	{szddFormat, 0, "SZDD\x88\xf0\x27\x33A"},
	{szddFormat, 0, "KWAJ\x88\xf0\x27\xd1"},
	{ppmdFormat, 0, "\x8f\xaf\xac\x84"},
	{imageFormat, 0, "vhdxfile"},
	{imageFormat, 0, "conectix\x00\x00"},
	{imageFormat, 0, "KDMV\x01\x00\x00\x00"},
	{imageFormat, 0, "hsqs"},
	{imageFormat, 16, "Compressed ROMFS"},
	{imageFormat, isoAt + 1, "CD001"},
	{imageFormat, isoAt + 1, "BEA01"},
}

// isoAt is where a disk image of the kind of a CD says that it is one, in bytes.
const isoAt = 16 * 2048

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
	case isArj(head):
		return arjFormat
	case isBinaryCpio(head):
		return cpioFormat
	case isLzma(head):
		return lzmaFormat
	default:
		return plain
	}
}

// second reports whether bytes that are known for one format begin as another
// one too, which programs that ask for that one first would unpack.
func second(f format, head []byte) bool {
	image := len(head) >= headSize && (string(head[isoAt+1:isoAt+6]) == "CD001" || string(head[isoAt+1:isoAt+6]) == "BEA01")
	return f != plain && (f != tarFormat && isTar(head) || f != imageFormat && image)
}

// isTar reports whether a block is the header of a tar: its sum is right, which
// also those from before there was a magic have. The sum may be written in any
// way that some program reads.
func isTar(head []byte) bool {
	if len(head) < tarBlock {
		return false
	}
	var unsigned, signed int64
	for i, b := range head[:tarBlock] {
		if i >= 148 && i < 156 {
			b = ' '
		}
		unsigned += int64(b)
		signed += int64(int8(b))
	}
	said := tarNumber(head[148:156])
	return said == unsigned || said == signed
}

// tarNumber reads a number as leniently as any program does: octal digits behind
// blanks and before anything, or 256 to the base. It is -1 if there is none.
func tarNumber(b []byte) int64 {
	if b[0]&0x80 != 0 {
		v := int64(b[0] & 0x7f)
		for _, digit := range b[1:] {
			if v >= 1<<54 {
				return -1
			}
			v = v<<8 | int64(digit)
		}
		return v
	}
	v := int64(-1)
	for _, digit := range bytes.TrimLeft(b, " \t\n\v\f\r\x00") {
		if digit < '0' || digit > '7' {
			break
		}
		v = max(v, 0)<<3 | int64(digit-'0')
	}
	return v
}

// isArj reports whether a file begins with a header of arj, as far as one can be
// told from two bytes, sizes and kinds.
func isArj(head []byte) bool {
	return len(head) >= 12 && head[0] == 0x60 && head[1] == 0xea && binary.LittleEndian.Uint16(head[2:]) >= 30 &&
		binary.LittleEndian.Uint16(head[2:]) <= 2600 && head[4] >= 30 && head[4] <= 60 && head[10] == 2
}

// isBinaryCpio reports whether a file begins with a cpio of the oldest kind, whose
// magic is two bytes: a name with a zero behind it follows.
func isBinaryCpio(head []byte) bool {
	if len(head) < 26 {
		return false
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if head[0] == 0x71 {
		order = binary.BigEndian
	}
	size := int(order.Uint16(head[20:]))
	return order.Uint16(head) == 0o70707 && size > 1 && size <= 1024 && len(head) >= 26+size &&
		head[26+size-1] == 0 && bytes.IndexByte(head[26:26+size-1], 0) < 0
}

// isLzma reports whether a file is LZMA without anything around it. There is no
// magic: its properties must be the usual ones or its size be left open, and all
// else make sense.
func isLzma(head []byte) bool {
	if len(head) < 18 || head[0] >= 9*5*5 || head[13] != 0 || head[14] >= 0x80 { // What comes first is no repetition.
		return false
	}
	dictionary, size := binary.LittleEndian.Uint32(head[1:]), binary.LittleEndian.Uint64(head[5:])
	lowest := dictionary & -dictionary
	if dictionary < 4096 || dictionary != lowest && dictionary != lowest|lowest<<1 && dictionary != 1<<32-1 {
		return false
	}
	return size == 1<<64-1 || (head[0] == 0x5d || head[0] == 0x5e) && size > 0 && size < 1<<38
}
