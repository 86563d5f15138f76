package rules

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// units are those that a size may be written in. Decimal and binary units are
// told apart as IEC 80000-13 does; they are compared without regard to case.
var units = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40},
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"TB", 1e12},
	{"GB", 1e9},
	{"MB", 1e6},
	{"KB", 1e3},
	{"B", 1},
}

// ParseSize returns the bytes that a text such as "500 GiB", "1.5 TB" or "4096"
// stands for: 0 to 2⁶³−1, and a whole number of bytes.
func ParseSize(text string) (int64, error) {
	number, unit := text, int64(1)
	for _, u := range units {
		if head, ok := cutSuffixFold(text, u.name); ok {
			number, unit = strings.TrimRight(head, " "), u.bytes
			break
		}
	}
	if number == "" || strings.Trim(number, "0123456789.") != "" || strings.Count(number, ".") > 1 ||
		strings.HasPrefix(number, ".") || strings.HasSuffix(number, ".") {
		return 0, fmt.Errorf("%q is not a size; write a number and a unit of B, KB, MB, GB, TB, KiB, MiB, GiB or TiB, such as 500 GiB", text)
	}
	value, _ := new(big.Rat).SetString(number)
	value.Mul(value, new(big.Rat).SetInt64(unit))
	if !value.IsInt() {
		return 0, fmt.Errorf("%q is not a whole number of bytes", text)
	}
	if !value.Num().IsInt64() {
		return 0, fmt.Errorf("%q is more than the largest size, %d bytes", text, int64(math.MaxInt64))
	}
	return value.Num().Int64(), nil
}

// ParseSizeJSON returns the bytes of a size that is written as a JSON number of
// bytes, or as a JSON string that ParseSize reads.
func ParseSizeJSON(raw json.RawMessage) (int64, error) {
	text := string(raw)
	var unquoted string
	if json.Unmarshal(raw, &unquoted) == nil {
		text = unquoted
	}
	return ParseSize(text)
}

func cutSuffixFold(s, suffix string) (string, bool) {
	cut := len(s) - len(suffix)
	if cut < 0 || !strings.EqualFold(s[cut:], suffix) {
		return s, false
	}
	return s[:cut], true
}

// FormatSize writes bytes for a person: exactly in the largest unit that
// divides them, else with one decimal in the largest binary unit.
func FormatSize(bytes int64) string {
	for _, u := range units {
		if bytes >= u.bytes && bytes%u.bytes == 0 && bytes/u.bytes < 10_000 {
			return strconv.FormatInt(bytes/u.bytes, 10) + " " + u.name
		}
	}
	for _, u := range units[:4] {
		if bytes >= u.bytes {
			return strconv.FormatFloat(float64(bytes)/float64(u.bytes), 'f', 1, 64) + " " + u.name
		}
	}
	return strconv.FormatInt(bytes, 10) + " B"
}
