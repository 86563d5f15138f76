package rules

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// sizeUnit is a unit, and how many bytes it stands for.
type sizeUnit struct {
	name  string
	bytes int64
}

// units are those that a size may be written in. Decimal and binary units are
// told apart as IEC 80000-13 does; they are compared without regard to case.
var units = []sizeUnit{
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

// binaryUnits and decimalUnits return the units of a family, the largest first.
func binaryUnits() []sizeUnit  { return units[:4] }
func decimalUnits() []sizeUnit { return units[4:8] }

// ParseSize returns the bytes that a text such as "500 GiB", "1.5 TB" or "4096"
// stands for: 0 to 2⁶³−1, and a whole number of bytes. A unit may be written in
// any case and without the space, but not so that it is one of bits (Gb). The
// error is a *SpecError.
func ParseSize(text string) (int64, error) {
	number, unit := text, int64(1)
	for _, u := range units {
		if head, ok := cutSuffixFold(text, u.name); ok {
			number, unit = strings.TrimRight(head, " "), u.bytes
			break
		}
	}
	switch {
	case number == "" || strings.Trim(number, "0123456789.") != "" || strings.Count(number, ".") > 1 ||
		strings.HasPrefix(number, ".") || strings.HasSuffix(number, "."):
		return 0, At("", "%q is not a size; write a number and a unit of B, KB, MB, GB, TB, KiB, MiB, GiB or TiB, such as 500 GiB", text).WithHint("%s", sizeHint(text))
	case bitUnit.MatchString(text):
		return 0, At("", "%q counts bits, and sizes are in bytes", text).WithHint("did you mean %q?", text[:len(text)-1]+"B")
	}
	value, _ := new(big.Rat).SetString(number)
	value.Mul(value, new(big.Rat).SetInt64(unit))
	if !value.IsInt() {
		return 0, At("", "%q is not a whole number of bytes", text)
	}
	if !value.Num().IsInt64() {
		return 0, At("", "%q is more than the largest size, %d bytes", text, int64(math.MaxInt64))
	}
	return value.Num().Int64(), nil
}

// bitUnit matches Gb and Gib, which stand for bits. In gb, nobody meant a case.
var bitUnit = regexp.MustCompile(`[KMGT]i?b$`)

// nearSize matches what is a size but for separators, a decimal comma, or a unit
// without its B.
var nearSize = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?(?:([KMGTkmgt])(i?)([Bb]?))?$`)

// sizeHint says what was probably meant by a text that is no size.
func sizeHint(text string) string {
	bare := strings.TrimSpace(strings.NewReplacer("_", "", "'", "").Replace(text))
	if whole, decimals, found := strings.Cut(bare, ","); found {
		if digits := len(decimals) - len(strings.TrimLeft(decimals, "0123456789")); digits == 3 {
			return "write it without separators of thousands"
		}
		bare = whole + "." + decimals
	}
	parts := nearSize.FindStringSubmatch(bare)
	if parts == nil {
		return ""
	}
	number, prefix, i := parts[1], strings.ToUpper(parts[2]), parts[3]
	switch {
	case prefix == "":
		return fmt.Sprintf("did you mean %q?", number)
	case i == "" && parts[4] == "":
		return fmt.Sprintf("did you mean %q or %q?", number+" "+prefix+"B", number+" "+prefix+"iB")
	default:
		return fmt.Sprintf("did you mean %q?", number+" "+prefix+i+"B")
	}
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
	if text, ok := exactSize(bytes, units); ok {
		return text
	}
	return roughSize(bytes, binaryUnits())
}

// FormatSizeBeside writes bytes for a person who compares them with others, such as
// a limit, that FormatSize has written: in units of the same family, decimal or
// binary, and to the byte where less would not show which of the two is more.
func FormatSizeBeside(bytes, other int64) string {
	beside, family := FormatSize(other), binaryUnits()
	for _, u := range decimalUnits() {
		if strings.HasSuffix(beside, " "+u.name) {
			family = decimalUnits()
		}
	}
	if text, ok := exactSize(bytes, family); ok {
		return text
	}
	exact := strconv.FormatInt(bytes, 10) + " B"
	if bytes < maxCount {
		return exact
	}
	text := roughSize(bytes, family)
	if cmp.Compare(sizeShown(text), sizeShown(beside)) != cmp.Compare(bytes, other) {
		return exact
	}
	return text
}

// maxCount is what the number of units in a size is below.
const maxCount = 10_000

// exactSize writes bytes in the first of some units that divides them.
func exactSize(bytes int64, family []sizeUnit) (text string, ok bool) {
	for _, u := range family {
		if bytes >= u.bytes && bytes%u.bytes == 0 && bytes/u.bytes < maxCount {
			return strconv.FormatInt(bytes/u.bytes, 10) + " " + u.name, true
		}
	}
	return "", false
}

// roughSize writes bytes with one decimal in the first of some units that they have
// one of.
func roughSize(bytes int64, family []sizeUnit) string {
	for _, u := range family {
		if bytes >= u.bytes {
			return strconv.FormatFloat(float64(bytes)/float64(u.bytes), 'f', 1, 64) + " " + u.name
		}
	}
	return strconv.FormatInt(bytes, 10) + " B"
}

// sizeShown is how many bytes a text says that FormatSize has written.
func sizeShown(text string) float64 {
	number, unit, _ := strings.Cut(text, " ")
	n, _ := strconv.ParseFloat(number, 64) // It is one.
	for _, u := range units {
		if u.name == unit {
			return n * float64(u.bytes)
		}
	}
	return n
}
