package archive

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// The methods that are known.
const (
	zipStore   = 0
	zipDeflate = 8
	zipBzip2   = 12
	zipLZMA    = 14
	zipOldZstd = 20
	zipZstd    = 93
	zipXZ      = 95
	zipAES     = 99
)

// The flags that matter.
const (
	zipEncrypted  = 1 << 0
	zipEndMarker  = 1 << 1 // of LZMA
	zipDescribed  = 1 << 3 // sizes come behind the bytes
	zipStrong     = 1 << 6
	zipMaskedHead = 1 << 13
)

// zipHeader is a member's header in the directory.
type zipHeader struct {
	name, otherName  string
	creator          byte
	flags, method    uint16
	crc              uint32
	packed, unpacked int64
	header           int64 // where its own header is
	attributes       uint32
	end              int64 // where this header ends
}

func (h *zipHeader) encrypted() bool {
	return h.flags&(zipEncrypted|zipStrong|zipMaskedHead) != 0 || h.method == zipAES
}

// mode returns the Unix type of the member, 0 where it is not known.
func (h *zipHeader) mode() uint32 {
	if h.creator == 3 || h.creator == 19 { // Unix and macOS.
		return h.attributes >> 16 & 0xf000
	}
	return 0
}

func (h *zipHeader) member(within string) Member {
	name := strings.TrimRight(h.name, "/")
	folder := name != h.name || strings.HasSuffix(name, `\`) || h.mode() == 0x4000
	return Member{Name: strings.TrimRight(name, `\`), Within: within, Folder: folder && h.unpacked == 0}
}

// central reads a header in the directory.
func (z *zipWalk) central(at int64) (h zipHeader, err error) {
	b, err := z.view.slice(at, 46)
	if err != nil {
		return h, err
	}
	if string(b[:4]) != zipCentral {
		return h, errZip
	}
	h = zipHeader{
		creator: b[5], flags: binary.LittleEndian.Uint16(b[8:]), method: binary.LittleEndian.Uint16(b[10:]),
		crc:    binary.LittleEndian.Uint32(b[16:]),
		packed: int64(binary.LittleEndian.Uint32(b[20:])), unpacked: int64(binary.LittleEndian.Uint32(b[24:])),
		header: int64(binary.LittleEndian.Uint32(b[42:])), attributes: binary.LittleEndian.Uint32(b[38:]),
	}
	nameSize, extraSize := int(binary.LittleEndian.Uint16(b[28:])), int(binary.LittleEndian.Uint16(b[30:]))
	h.end = at + 46 + int64(nameSize) + int64(extraSize) + int64(binary.LittleEndian.Uint16(b[32:]))
	if h.end > z.directory+z.dirSize {
		return h, errZip
	}
	if b, err = z.view.slice(at+46, nameSize); err != nil {
		return h, err
	}
	h.name = string(b)
	if b, err = z.view.slice(at+46+int64(nameSize), extraSize); err != nil {
		return h, err
	}
	h.otherName = extras(b, wideOf(&h.unpacked, &h.packed, &h.header))
	h.header += z.base
	if h.packed < 0 || h.unpacked < 0 || h.header < z.base {
		return h, errZip
	}
	return h, nil
}

// wideOf returns those of a header's numbers that do not fit into it.
func wideOf(numbers ...*int64) (wide []*int64) {
	for _, n := range numbers {
		if *n == 0xffffffff {
			wide = append(wide, n)
		}
	}
	return wide
}

// extras reads the numbers of 64 bits that a header has, and returns the other
// name that it gives the member, if any.
func extras(b []byte, wide []*int64) (otherName string) {
	for len(b) >= 4 {
		id, size := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		if size > len(b)-4 {
			return otherName
		}
		field := b[4 : 4+size]
		b = b[4+size:]
		switch id {
		case 1:
			for len(wide) > 0 && len(field) >= 8 {
				*wide[0] = int64(binary.LittleEndian.Uint64(field))
				wide, field = wide[1:], field[8:]
			}
		case 0x7075: // Its name in UTF-8, behind a version and a sum.
			if len(field) > 5 {
				otherName = string(field[5:])
			}
		}
	}
	return otherName
}

// compare compares a header of the directory with the member's own.
func (z *zipWalk) compare(h zipHeader) (zipPlace, error) {
	b, err := z.local.slice(h.header, 30)
	if err != nil {
		return zipPlace{}, err
	}
	if string(b[:4]) != zipLocal {
		return zipPlace{}, z.ambiguous(h.name, "the directory leads to no member")
	}
	flags, method, crc := binary.LittleEndian.Uint16(b[6:]), binary.LittleEndian.Uint16(b[8:]), binary.LittleEndian.Uint32(b[14:])
	packed, unpacked := int64(binary.LittleEndian.Uint32(b[18:])), int64(binary.LittleEndian.Uint32(b[22:]))
	nameSize, extraSize := int(binary.LittleEndian.Uint16(b[26:])), int(binary.LittleEndian.Uint16(b[28:]))
	at := h.header + 30
	if b, err = z.local.slice(at, nameSize); err != nil {
		return zipPlace{}, err
	}
	masked := h.flags&zipMaskedHead != 0
	if string(b) != h.name && !masked {
		return zipPlace{}, z.ambiguous(h.name, "it is %.100q by its own header", b)
	}
	if b, err = z.local.slice(at+int64(nameSize), extraSize); err != nil {
		return zipPlace{}, err
	}
	extras(b, wideOf(&unpacked, &packed))
	if method != h.method || (flags^h.flags)&zipEncrypted != 0 {
		return zipPlace{}, z.ambiguous(h.name, "its headers tell two methods")
	}
	later := flags&zipDescribed != 0
	same := func(own, listed int64) bool { return own == listed || later && (own == 0 || own == 0xffffffff) }
	if !masked && (!same(int64(crc), int64(h.crc)) || !same(packed, h.packed) || !same(unpacked, h.unpacked)) {
		return zipPlace{}, z.ambiguous(h.name, "its headers tell two sizes")
	}
	p := zipPlace{header: h.header, data: at + int64(nameSize) + int64(extraSize)}
	if h.packed > z.directory-p.data {
		return p, z.ambiguous(h.name, "it ends behind the directory's beginning: %v", io.ErrUnexpectedEOF)
	}
	p.end = p.data + h.packed
	if later {
		return z.described(h, p)
	}
	return p, nil
}

// described finds where the sizes behind a member end, and compares them.
func (z *zipWalk) described(h zipHeader, p zipPlace) (zipPlace, error) {
	b, err := z.local.slice(p.end, int(min(24, z.directory-p.end)))
	if err != nil {
		return p, err
	}
	for _, signature := range []string{zipDescriptor, ""} {
		rest := b
		if len(rest) < len(signature) || string(rest[:len(signature)]) != signature {
			continue
		}
		rest = rest[len(signature):]
		if len(rest) >= 12 && binary.LittleEndian.Uint32(rest) == h.crc &&
			binary.LittleEndian.Uint32(rest[4:]) == uint32(h.packed) && binary.LittleEndian.Uint32(rest[8:]) == uint32(h.unpacked) {
			p.end += int64(len(signature)) + 12
			return p, nil
		}
		if len(rest) >= 20 && binary.LittleEndian.Uint32(rest) == h.crc &&
			binary.LittleEndian.Uint64(rest[4:]) == uint64(h.packed) && binary.LittleEndian.Uint64(rest[12:]) == uint64(h.unpacked) {
			p.end += int64(len(signature)) + 20
			return p, nil
		}
	}
	if len(b) >= 4 && string(b[:4]) == zipDescriptor {
		return p, z.ambiguous(h.name, "what lies behind it tells other sizes")
	}
	return p, nil // Some programs leave it out.
}

// errLeft says that a member has more bytes than its method takes.
var errLeft = fmt.Errorf("zip: bytes lie behind the end of a member")
