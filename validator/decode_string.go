package validator

import (
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf16"
)

// str reads the string whose opening quote is at the scanner. text is what is
// between the quotes; if it is escaped, unescape says what it means.
func (s *scanner) str() (text string, escaped, ok bool) {
	start := s.at + 1
	s.at = plainEnd(s.text, start)
	if !s.has('"') {
		escaped = true
		if !s.escapes() {
			return "", true, false
		}
	}
	text = s.text[start:s.at]
	s.at++
	return text, escaped, true
}

// escapes reads the rest of a string from its first escape on, up to the
// closing quote.
func (s *scanner) escapes() bool {
	for s.has('\\') {
		if !s.escape() {
			return false
		}
		s.at = plainEnd(s.text, s.at)
	}
	return s.has('"') || s.unexpected("a string holds a control character")
}

// plainEnd returns the place of the first quote, backslash or control character
// of s from i on, or len(s).
func plainEnd(s string, i int) int {
	const (
		ones  = 0x01_01_01_01_01_01_01_01
		highs = ones * 0x80
	)
	// Eight bytes at a time: a byte below n is one whose top bit is clear and
	// becomes set when n is taken away, and a byte equal to c is one that is
	// below 1 when c is xored out. Only what stands after such a byte can be
	// mistaken for another, and the first is what is asked for.
	for ; i+8 <= len(s); i += 8 {
		b := s[i : i+8]
		x := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		quote, backslash := x^ones*'"', x^ones*'\\'
		found := ((quote-ones)&^quote | (backslash-ones)&^backslash | (x-ones*' ')&^x) & highs
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c == '"' || c == '\\' || c < ' ' {
			return i
		}
	}
	return i
}

// escape reads the escape whose backslash is at the scanner. A surrogate has to
// be one of a pair, or it is no character and cannot be written in UTF-8.
func (s *scanner) escape() bool {
	const lone = "an escape is half of a surrogate pair"
	at := s.at
	r, ok := s.escaped()
	if !ok || !utf16.IsSurrogate(r) {
		return ok
	}
	if s.at < len(s.text) && !s.has('\\') {
		return s.fail(reasonEncoding, lone, at)
	}
	low, ok := s.escaped()
	if !ok {
		return false
	}
	if utf16.DecodeRune(r, low) == '\uFFFD' {
		return s.fail(reasonEncoding, lone, at)
	}
	return true
}

// escaped reads one escape, and returns the code unit that \u stands for; 0 for
// the other escapes.
func (s *scanner) escaped() (rune, bool) {
	s.at++
	if s.at >= len(s.text) {
		return 0, s.short()
	}
	switch s.text[s.at] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at++
		return 0, true
	case 'u':
		s.at++
		start := s.at
		for ; s.at < start+4; s.at++ {
			if s.at >= len(s.text) || !isHex(s.text[s.at]) {
				return 0, s.unexpected("an escape does not have four hex digits")
			}
		}
		return codeUnit(s.text[start:s.at]), true
	default:
		return 0, s.unexpected("there is an unknown escape")
	}
}

func isHex(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// codeUnit returns the value of four hex digits.
func codeUnit(hex string) rune {
	u, _ := strconv.ParseUint(hex, 16, 16) // The digits have been seen to.
	return rune(u)
}

// unescape returns the meaning of a string that the scanner has read.
func unescape(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for {
		i := strings.IndexByte(text, '\\')
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:i])
		c := text[i+1]
		text = text[i+2:]
		if c != 'u' {
			b.WriteByte(meaning(c))
			continue
		}
		r := codeUnit(text[:4])
		text = text[4:]
		if utf16.IsSurrogate(r) {
			r = utf16.DecodeRune(r, codeUnit(text[2:6]))
			text = text[6:]
		}
		b.WriteRune(r)
	}
}

// meaning returns what an escape of one letter stands for.
func meaning(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	default:
		return c
	}
}
