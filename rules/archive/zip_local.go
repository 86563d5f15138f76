package archive

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

// The fields behind a header that matter.
const (
	extraLarge   = 0x0001 // numbers of 64 bits
	extraUnicode = 0x7075 // its name in UTF-8, behind a version and a sum
	extraASi     = 0x756e // a mode of Unix
	extraLate    = 0x6c78 // attributes, before the member's own bytes
)

// extras reads the numbers of 64 bits that a header has, and returns the other
// names that it gives the member. Odd is a field by which only some programs take
// the member for something else.
func extras(b []byte, wide []*int64) (others []string, odd bool) {
	for len(b) >= 4 {
		id, size := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		if size > len(b)-4 {
			break
		}
		field := b[4 : 4+size]
		b = b[4+size:]
		switch id {
		case extraLarge:
			for len(wide) > 0 && len(field) >= 8 {
				*wide[0] = int64(binary.LittleEndian.Uint64(field))
				wide, field = wide[1:], field[8:]
			}
		case extraUnicode:
			if len(field) > 5 {
				others = append(others, string(field[5:]))
			}
		case extraASi, extraLate:
			odd = true
		}
	}
	return others, odd
}

// compare compares a header of the directory with the member's own.
func (z *zipWalk) compare(h *zipHeader) (zipPlace, error) {
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
	var old []string
	if flags&zipUnicode == 0 {
		old = inOldCode(string(b))
	}
	if b, err = z.local.slice(at+int64(nameSize), extraSize); err != nil {
		return zipPlace{}, err
	}
	others, odd := extras(b, wideOf(&unpacked, &packed))
	for _, other := range append(others, old...) {
		odd = odd || other != h.name && !slices.Contains(h.others, other)
	}
	if odd && !masked {
		return zipPlace{}, z.ambiguous(h.name, "its own header tells another name or kind")
	}
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

// described finds where the sizes behind a member end, and compares them. Where
// there are none, programs that read from the beginning lose their way.
func (z *zipWalk) described(h *zipHeader, p zipPlace) (zipPlace, error) {
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
	return p, z.ambiguous(h.name, "what lies behind it does not tell its sizes")
}

// errLeft says that a member has more bytes than its method takes.
var errLeft = errors.New("zip: bytes lie behind the end of a member")
