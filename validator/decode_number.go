package validator

import (
	"math"
	"strings"

	"github.com/sluiceproject/sluice/rules"
)

// number reads a number as RFC 8259 writes them.
func (s *scanner) number() bool {
	if s.text[s.at] == '-' {
		s.at++
	}
	if s.has('0') {
		s.at++
	} else if !s.digits() {
		return s.unexpected("a number has no digits")
	}
	if s.has('.') {
		s.at++
		if !s.digits() {
			return s.unexpected("a number ends in its point")
		}
	}
	if s.has('e') || s.has('E') {
		s.at++
		if s.has('+') || s.has('-') {
			s.at++
		}
		if !s.digits() {
			return s.unexpected("a number ends in its exponent")
		}
	}
	return true
}

// has reports whether c is the byte at the scanner.
func (s *scanner) has(c byte) bool { return s.at < len(s.text) && s.text[s.at] == c }

// digits reads as many digits as there are, and reports whether there are any.
func (s *scanner) digits() bool {
	start := s.at
	for s.at < len(s.text) && isDigit(s.text[s.at]) {
		s.at++
	}
	return s.at > start
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// whole returns a whole number that may be in quotes. Anything else is no
// number that is known.
func whole(v value) rules.Number {
	if !v.scalar() {
		return rules.Number{}
	}
	text := v.literal()
	digits, negative := strings.CutPrefix(text, "-")
	if digits == "" || len(digits) > 1 && digits[0] == '0' {
		return rules.Number{}
	}
	// Counted down from zero, because there is one more below it than above.
	n := int64(0)
	for i := range len(digits) {
		digit := int64(digits[i]) - '0'
		if digit < 0 || digit > 9 || n < (math.MinInt64+digit)/10 {
			return rules.Number{}
		}
		n = 10*n - digit
	}
	if negative {
		return rules.Known(n)
	}
	if n == math.MinInt64 {
		return rules.Number{}
	}
	return rules.Known(-n)
}
