package rules

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// mxfPartition is the key of an MXF file's header partition (SMPTE ST 377-1, 7.1).
// Up to 64 KiB of anything else may stand before it.
const mxfPartition = "\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02"

// contentSignature is bytes by which a type is known: magic at the beginning,
// and more at an offset; empty for nothing more.
type contentSignature struct {
	name, magic string
	at          int
	more        string
}

func (s *contentSignature) matches(head []byte) bool {
	return hasAt(head, 0, s.magic) && hasAt(head, s.at, s.more)
}

func hasAt(head []byte, at int, text string) bool {
	return len(head) >= at+len(text) && string(head[at:at+len(text)]) == text
}

// contentStarts are types that the library does not know, or not in all their
// forms, and programs, which must be seen before anything that a library finds
// further in.
var contentStarts = []contentSignature{
	{name: "application/mxf", magic: mxfPartition},
	{name: "application/gxf", magic: "\x00\x00\x00\x00\x01\xbc", at: 10, more: "\x00\x00\x00\x00\xe1\xe2"},
	{name: "video/x-lxf", magic: "LEITCH\x00\x00"},
	{name: "image/x-dpx", magic: "SDPX"},
	{name: "image/x-dpx", magic: "XPDS"},
	{name: "image/x-cineon", magic: "\x80\x2a\x5f\xd7"},
	{name: "image/x-cineon", magic: "\xd7\x5f\x2a\x80"},
	{name: "image/x-exr", magic: "\x76\x2f\x31\x01"},
	{name: "image/x-arriraw", magic: "ARRI\x12\x34\x56\x78"},
	{name: "image/x-arriraw", magic: "ARRI\x78\x56\x34\x12"},
	{name: "image/j2c", magic: "\xff\x4f\xff\x51"},
	{name: "image/tiff", magic: "II+\x00\x08\x00"}, // BigTIFF
	{name: "image/tiff", magic: "MM\x00+\x00\x08"},
	{name: "video/x-yuv4mpeg", magic: "YUV4MPEG2 "},
	{name: "video/dv", magic: "\x1f\x07\x00\x3f"},
	{name: "video/dv", magic: "\x1f\x07\x00\xbf"},
	{name: "video/x-msvideo", magic: "RIFF", at: 8, more: "AVI "},
	{name: "audio/wav", magic: "RF64", at: 8, more: "WAVE"}, // EBU Tech 3306
	{name: "audio/wav", magic: "BW64", at: 8, more: "WAVE"}, // ITU-R BS.2088
	{name: "audio/wav", magic: "RIFX", at: 8, more: "WAVE"},
	{name: "audio/x-w64", magic: "riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb"},
	{name: "audio/aiff", magic: "FORM", at: 8, more: "AIFC"},
	{name: "audio/flac", magic: "fLaC"},
	{name: "audio/x-caf", magic: "caff\x00\x01"},
	{name: "audio/vnd.dts", magic: "\x7f\xfe\x80\x01"},
	{name: "audio/vnd.dts", magic: "\xfe\x7f\x01\x80"},
	{name: "application/x-aaf", magic: "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1AAFB\x0d\x00OM"},
	{name: "application/x-aaf", magic: "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x01\x02\x01\x0d\x00\x02\x00\x00\x06\x0e\x2b\x34"},
	{name: "application/vnd.microsoft.portable-executable", magic: "MZ"},
	{name: "application/x-elf", magic: "\x7fELF"},
	{name: "application/x-mach-binary", magic: "\xfe\xed\xfa\xce"},
	{name: "application/x-mach-binary", magic: "\xfe\xed\xfa\xcf"},
	{name: "application/x-mach-binary", magic: "\xce\xfa\xed\xfe"},
	{name: "application/x-mach-binary", magic: "\xcf\xfa\xed\xfe"},
	{name: "application/x-mach-binary", magic: "\xca\xfe\xba\xbf"}, // 64-bit, for several processors
	{name: "application/x-mach-binary", magic: "\xbe\xba\xfe\xca"},
	{name: "application/x-mach-binary", magic: "\xbf\xba\xfe\xca"},
}

// startOfContent returns the type that a head's first bytes are the signature
// of, or nothing.
func startOfContent(head []byte) string {
	for i := range contentStarts {
		if contentStarts[i].matches(head) {
			return contentStarts[i].name
		}
	}
	switch {
	case hasAt(head, 0, "\xca\xfe\xba\xbe") && len(head) >= 8:
		// Followed by the number of processors, or else by the version of Java,
		// which began at 45.
		if binary.BigEndian.Uint32(head[4:]) > 30 {
			return "application/x-java-applet"
		}
		return "application/x-mach-binary"
	case isScript(head):
		return anyScript
	case hasAt(head, 3, "STL25.01"), hasAt(head, 3, "STL30.01"): // EBU Tech 3264, after three digits
		if strings.Trim(string(head[:3]), "0123456789") == "" {
			return "application/x-ebu-stl"
		}
	case len(head) >= 6 && hasAt(head, 0, "\x0b\x77") && head[5]>>3 <= 16: // ETSI TS 102 366: sync word and bsid
		return "audio/ac3"
	}
	return ""
}

// noScript is what stands behind #! in files that are no scripts: sound, news,
// and settings in TOML.
var noScript = []string{"AMR", " rnews", "schema "}

// isScript reports whether a head begins with #! and the interpreter's name. A
// byte-order mark before it keeps a kernel from running it, and no shell.
func isScript(head []byte) bool {
	line, ok := bytes.CutPrefix(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), []byte("#!"))
	if !ok || slices.ContainsFunc(noScript, func(s string) bool { return hasAt(line, 0, s) }) {
		return false
	}
	line = bytes.TrimLeft(line, " \t")
	return len(line) > 0 && (line[0] == '/' || isLetter(line[0]))
}

// boxOfContent returns the type of a head that begins with the length of a box
// and its name, where the library, which found m, does not know it or was misled
// by the length.
func boxOfContent(head []byte, m *mimetype.MIME) string {
	if len(head) < 12 {
		return ""
	}
	length, small := binary.BigEndian.Uint32(head), head[0] == 0
	switch string(head[4:8]) {
	case "ftyp":
		switch brand := string(head[8:12]); {
		case !small:
		case brand == "MSNV": // Cameras of Sony; audio to the library.
			return "video/mp4"
		case isISOMedia(m):
		case brand == "qt  ":
			return "video/quicktime"
		default:
			return "video/mp4"
		}
	case "styp":
		if small {
			return "video/iso.segment"
		}
	case "RED1", "RED2":
		if small {
			return "video/x-r3d"
		}
	case "free", "skip", "wide", "pnot":
		if small && length >= 8 {
			return "video/quicktime"
		}
	case "moov", "mdat": // 0 is to the end of the file, 1 a longer length elsewhere.
		if (length < 2 || length >= 8) && !lineageFrom(m).is(anyText) {
			return "video/quicktime"
		}
	}
	return ""
}

// isISOMedia reports whether the library has found a file of the family of MP4.
func isISOMedia(m *mimetype.MIME) bool {
	for ; m != nil; m = m.Parent() {
		if m.Is("video/mp4") || m.Is("video/quicktime") {
			return true
		}
	}
	return false
}

// isTransportStream reports whether a head is packets of MPEG-TS (ISO/IEC
// 13818-1), of which each has its sync byte: 188 bytes long, with a time before
// each, or with a checksum behind it.
func isTransportStream(head []byte) bool {
	for _, p := range []struct{ first, length int }{{0, 188}, {4, 192}, {0, 204}} {
		packets := 0
		for at := p.first; at < len(head) && packets < 32 && head[at] == 0x47; at += p.length {
			packets++
		}
		if packets == 32 || packets >= 3 && p.first+packets*p.length >= len(head) {
			return true
		}
	}
	return false
}
