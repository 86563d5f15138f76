package journal

import (
	"unicode"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendQuoted appends a text as a JSON string that says just that text, in which
// whatever does not print is escaped, so that no terminal obeys it. Bytes that are
// not UTF-8 become U+FFFD.
func appendQuoted(b []byte, text string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
				i++
				continue
			}
			b = append(b, text[from:i]...)
			b = appendEscape(b, rune(c))
			i++
			from = i
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		if r != utf8.RuneError && unicode.IsPrint(r) {
			i += n
			continue
		}
		b = append(b, text[from:i]...)
		b = appendEscape(b, r)
		i += n
		from = i
	}
	return append(append(b, text[from:]...), '"')
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

// appendEscaped appends a JSON string, its quotes and escapes as they are, with
// whatever does not print escaped.
func appendEscaped(b []byte, quoted string) []byte {
	for _, r := range quoted {
		if r < utf8.RuneSelf && r >= ' ' && r != 0x7f || r >= utf8.RuneSelf && r != utf8.RuneError && unicode.IsPrint(r) {
			b = utf8.AppendRune(b, r)
		} else {
			b = appendEscape(b, r)
		}
	}
	return b
}
