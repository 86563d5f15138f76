package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/sluiceproject/sluice/rules"
)

const hexDigits = "0123456789abcdef"

// ones has a one in each of eight bytes.
const ones = 0x0101010101010101

// plainLen returns how many bytes at the beginning of a text print as they are in a
// JSON string: no quotes, no backslashes, nothing but ASCII. It looks at eight at a
// time, and at the last eight as a whole, some of them once more.
func plainLen(text string) int {
	if len(text) < 8 {
		return plainLenShort(text)
	}
	last := len(text) - 8
	for i := 0; i < last; i += 8 {
		if odd := oddBytes(eight(text[i:])); odd != 0 {
			return i + bits.TrailingZeros64(odd)/8
		}
	}
	if odd := oddBytes(eight(text[last:])); odd != 0 {
		return last + bits.TrailingZeros64(odd)/8
	}
	return len(text)
}

// plainLenShort is plainLen of less than eight bytes.
func plainLenShort(text string) int {
	if n := len(text); n >= 4 && oddBytes(uint64(four(text))|uint64(four(text[n-4:]))<<32) == 0 {
		return n
	}
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return i
		}
	}
	return len(text)
}

// oddBytes sets the high bit of the first byte that does not print as it is, and
// maybe of those behind it; it returns 0 if all do.
func oddBytes(w uint64) uint64 {
	const high = ones * 0x80
	quote, slash, del := w^ones*'"', w^ones*'\\', w^ones*0x7f
	// A byte's high bit is set here if it is above 0x7f, below a blank, or one of
	// the three; borrows set bits behind such a byte only.
	return (w | (w - ones*' ') | (quote - ones) | (slash - ones) | (del - ones)) & high
}

// eight and four return the first bytes of a text.
func eight(text string) uint64 {
	return uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
		uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56
}

func four(text string) uint32 {
	return uint32(text[0]) | uint32(text[1])<<8 | uint32(text[2])<<16 | uint32(text[3])<<24
}

// appendText appends what stands before a text and the text as appendQuoted does,
// unless it is empty.
func appendText(b []byte, before, text string) []byte {
	if text == "" {
		return b
	}
	if plainLen(text) < len(text) {
		return appendOdd(append(b, before...), text)
	}
	end := len(b) + len(before) + len(text) + 2
	if end > cap(b) {
		b = slices.Grow(b, end-len(b))
	}
	to := b[len(b):end]
	n := copy(to, before)
	to[n] = '"'
	copy(to[n+1:], text)
	to[len(to)-1] = '"'
	return b[:end]
}

// appendQuoted appends a text as a JSON string that says just that text, in which
// whatever does not print is escaped, so that no terminal obeys it. Bytes that are
// not UTF-8 become U+FFFD.
func appendQuoted(b []byte, text string) []byte {
	if text == "" {
		return append(b, `""`...)
	}
	return appendText(b, "", text)
}

// appendOdd is appendQuoted of a text in which something does not print as it is.
func appendOdd(b []byte, text string) []byte {
	b = append(b, '"')
	for {
		n := plainLen(text)
		b = append(b, text[:n]...)
		if text = text[n:]; text == "" {
			return append(b, '"')
		}
		r, n := utf8.DecodeRuneInString(text)
		if r >= utf8.RuneSelf && r != utf8.RuneError && unicode.IsPrint(r) {
			b = append(b, text[:n]...)
		} else {
			b = appendEscape(b, r)
		}
		text = text[n:]
	}
}

// hexOfFour returns the eight hex digits of four bytes, both with the first byte
// lowest.
func hexOfFour(bytes uint32) uint64 {
	v := uint64(bytes)
	v = (v | v<<16) & 0x0000ffff0000ffff
	v = (v | v<<8) & 0x00ff00ff00ff00ff
	v = v>>4&0x000f000f000f000f | v&0x000f000f000f000f<<8
	letters := (v + ones*6) >> 4 & ones
	return v + ones*'0' + letters*('a'-'0'-10)
}

// appendHash appends a hash in hex.
func appendHash(b []byte, hash *[sha256.Size]byte) []byte {
	var digits [2 * sha256.Size]byte
	for i := 0; i < len(hash); i += 4 {
		binary.LittleEndian.PutUint64(digits[2*i:], hexOfFour(binary.LittleEndian.Uint32(hash[i:])))
	}
	return append(b, digits[:]...)
}

// appendID appends the 36 characters of an id.
func appendID(b []byte, id *rules.ID) []byte {
	var text [36]byte
	second, third := hexOfFour(binary.LittleEndian.Uint32(id[4:])), hexOfFour(binary.LittleEndian.Uint32(id[8:]))
	binary.LittleEndian.PutUint64(text[0:], hexOfFour(binary.LittleEndian.Uint32(id[0:])))
	binary.LittleEndian.PutUint32(text[9:], uint32(second))
	binary.LittleEndian.PutUint32(text[14:], uint32(second>>32))
	binary.LittleEndian.PutUint32(text[19:], uint32(third))
	binary.LittleEndian.PutUint32(text[24:], uint32(third>>32))
	binary.LittleEndian.PutUint64(text[28:], hexOfFour(binary.LittleEndian.Uint32(id[12:])))
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return append(b, text[:]...)
}

func appendEscape(b []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\n':
		return append(b, '\\', 'n')
	case '\t':
		return append(b, '\\', 't')
	}
	if r > 0xffff {
		r -= 0x10000
		return appendUnit(appendUnit(b, 0xd800+r>>10), 0xdc00+r&0x3ff)
	}
	return appendUnit(b, r)
}

func appendUnit(b []byte, u rune) []byte {
	return append(b, '\\', 'u', hexDigits[u>>12&15], hexDigits[u>>8&15], hexDigits[u>>4&15], hexDigits[u&15])
}

// appendPrinting appends a JSON string, its quotes and escapes as they are, with
// whatever does not print escaped.
func appendPrinting(b []byte, quoted string) []byte {
	for quoted != "" {
		n := plainLen(quoted)
		b = append(b, quoted[:n]...)
		if quoted = quoted[n:]; quoted == "" {
			break
		}
		r, n := utf8.DecodeRuneInString(quoted)
		if r < utf8.RuneSelf && r >= ' ' && r != 0x7f || r >= utf8.RuneSelf && r != utf8.RuneError && unicode.IsPrint(r) {
			b = append(b, quoted[:n]...)
		} else {
			b = appendEscape(b, r)
		}
		quoted = quoted[n:]
	}
	return b
}
