package archive

import (
	"encoding/binary"
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
	zipUnicode    = 1 << 11
	zipMaskedHead = 1 << 13
)

// zipHeader is a member's header in the directory.
type zipHeader struct {
	name             string
	others           []string // what else programs may call it
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

// The kinds of members by their modes in Unix.
const (
	modeKind = 0xf000
	modeLink = 0xa000
)

// isLink reports whether programs take the member for a link, and whether all of
// them do: some ask for the system that it was packed on.
func (h *zipHeader) isLink() (link, all bool) {
	unix := h.creator == 3 || h.creator == 19 // Unix and macOS.
	return h.attributes>>16&modeKind == modeLink && unix, h.attributes>>16&modeKind != modeLink || unix
}

func (h *zipHeader) member(within string) Member {
	name := strings.TrimRight(h.name, "/")
	folder := name != h.name || strings.HasSuffix(name, `\`)
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
	var odd bool
	h.others, odd = extras(b, wideOf(&h.unpacked, &h.packed, &h.header))
	if h.flags&zipUnicode == 0 {
		h.others = append(h.others, inOldCode(h.name)...)
	}
	h.header += z.base
	if h.packed < 0 || h.unpacked < 0 || h.header < z.base {
		return h, errZip
	}
	_, all := h.isLink()
	if !all {
		z.linked, z.unsafe = z.linked+1, true
	}
	if odd || !all && !z.limits.AcceptLinks {
		return h, z.ambiguous(h.name, "only some programs take it for a link")
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
