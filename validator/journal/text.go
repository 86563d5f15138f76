package journal

import (
	"math/bits"
	"unicode"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// plainLen returns how many bytes at the beginning of a text print as they are in a
// JSON string: no quotes, no backslashes, nothing but ASCII. It looks at eight at a
// time.
func plainLen(text string) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(text); i += 8 {
		w := uint64(text[i]) | uint64(text[i+1])<<8 | uint64(text[i+2])<<16 | uint64(text[i+3])<<24 |
			uint64(text[i+4])<<32 | uint64(text[i+5])<<40 | uint64(text[i+6])<<48 | uint64(text[i+7])<<56
		quote, slash, del := w^ones*'"', w^ones*'\\', w^ones*0x7f
		// A byte's high bit is set here if it is above 0x7f, below a blank, or one of
		// the three; borrows set bits behind such a byte only.
		odd := (w | (w - ones*' ') | (quote - ones) | (slash - ones) | (del - ones)) & high
		if odd != 0 {
			return i + bits.TrailingZeros64(odd)/8
		}
	}
	for ; i < len(text); i++ {
		if c := text[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			break
		}
	}
	return i
}

// appendQuoted appends a text as a JSON string that says just that text, in which
// whatever does not print is escaped, so that no terminal obeys it. Bytes that are
// not UTF-8 become U+FFFD.
func appendQuoted(b []byte, text string) []byte {
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
