package rules

import (
	"errors"
	"math"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "0 B": 0, "1": 1, "4096": 4096, "1 B": 1, "1B": 1, "007": 7, "08 KB": 8000,
		"1 KB": 1e3, "1 MB": 1e6, "1 GB": 1e9, "1 TB": 1e12, "1 KiB": 1 << 10, "1 MiB": 1 << 20, "1 GiB": 1 << 30, "1 TiB": 1 << 40,
		"1kb": 1e3, "1 kib": 1 << 10, "500 GiB": 500 << 30, "500   gib": 500 << 30, "1.5 TB": 1.5e12, "0.5 KiB": 512, "1.0": 1, "2.50 KB": 2500,
		"0.000000000001 TB": 1, "9223372036854775807": math.MaxInt64, "8388607.999999999999090505298227071762084960937 TiB": math.MaxInt64 - 0,
	} {
		got, err := ParseSize(text)
		if strings.HasPrefix(text, "8388607") { // Not a whole number of bytes by a hair.
			if err == nil {
				t.Errorf("%q is %d", text, got)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%q is %d (%v), want %d", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"9223372036854775808":            " is more than the largest size, 9223372036854775807 bytes",
		"8388608 TiB":                    " is more than the largest size, 9223372036854775807 bytes",
		strings.Repeat("9", 100) + " TB": " is more than the largest size, 9223372036854775807 bytes",
		"0.5":                            " is not a whole number of bytes",
		"1.0001 KB":                      " is not a whole number of bytes",
		"0.1 KiB":                        " is not a whole number of bytes",
	} {
		if _, err := ParseSize(text); err == nil || err.Error() != `"`+text+`"`+want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	for _, text := range []string{
		"", " ", "B", "GiB", "big", "-1", "+1", "1 PB", "1 K", "1 KBs", "1 GB 2 MB", "1,5 GB", "1.", ".5 GB", "1..5 GB", "1.2.3", "1e3", "0x10", "1_000", " 1", "1 ", "1 KB ",
		"1\tKB", "١ KB", "1/2 KB", "Inf", "NaN", "1 \u212aB",
	} {
		if n, err := ParseSize(text); err == nil || !strings.Contains(err.Error(), "is not a size; write a number and a unit") {
			t.Errorf("%q is %d (%v)", text, n, err)
		}
	}
}

// What was probably meant is said, and is a size.
func TestParseSizeHints(t *testing.T) {
	for text, want := range map[string]string{
		"10G": `did you mean "10 GB" or "10 GiB"?`, "10 g": `did you mean "10 GB" or "10 GiB"?`, "1.5T": `did you mean "1.5 TB" or "1.5 TiB"?`,
		"10Gi": `did you mean "10 GiB"?`, "1_000": `did you mean "1000"?`, "1'000 MB": `did you mean "1000 MB"?`, " 1 GB ": `did you mean "1 GB"?`,
		"1,5 GB": `did you mean "1.5 GB"?`, "1,000 GB": "write it without separators of thousands", "1,000,000": "write it without separators of thousands",
		"10 Gb": `did you mean "10 GB"?`, "10Gib": `did you mean "10GiB"?`, "1 Kb": `did you mean "1 KB"?`,
		"big": "", "1 PB": "", "1e9": "", "-1 GB": "", "1..2 GB": "", "": "", "1,": "",
	} {
		_, err := ParseSize(text)
		var wrong *SpecError
		if !errors.As(err, &wrong) || wrong.Hint != want {
			t.Errorf("%q: %v, want the hint %s", text, err, want)
			continue
		}
		for _, hint := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(wrong.Hint, -1) {
			if _, err := ParseSize(hint[1]); err != nil {
				t.Errorf("%q: the suggestion %q is refused: %v", text, hint[1], err)
			}
		}
	}
}

func TestFormatSize(t *testing.T) {
	for bytes, want := range map[int64]string{
		0: "0 B", 1: "1 B", 999: "999 B", 1000: "1 KB", 1001: "1001 B", 1024: "1 KiB", 1025: "1025 B", 9999: "9999 B", 10_000: "10 KB", 10_001: "9.8 KiB",
		1 << 20: "1 MiB", 1e6: "1 MB", 1536 << 10: "1536 KiB", 500 << 30: "500 GiB", 1e12: "1 TB", 1 << 40: "1 TiB", 1_234_567_890: "1.1 GiB",
		math.MaxInt64: "8388608.0 TiB", 1 << 62: "4194304.0 TiB",
	} {
		if got := FormatSize(bytes); got != want {
			t.Errorf("%d is written %q, want %q", bytes, got, want)
		}
	}
}

// Two sizes that are compared are in units of one family, and look different.
func TestFormatSizeBeside(t *testing.T) {
	for _, r := range []struct {
		bytes, limit int64
		want         string
	}{
		{2000, 1 << 10, "2000 B of 1 KiB"},
		{2 << 10, 1 << 10, "2 KiB of 1 KiB"},
		{11e9, 10 << 30, "10.2 GiB of 10 GiB"},
		{11 << 30, 10e9, "11.8 GB of 10 GB"},
		{11e9, 10e9, "11 GB of 10 GB"},
		{600 << 30, 500 << 30, "600 GiB of 500 GiB"},
		{10<<30 + 1, 10 << 30, "10737418241 B of 10 GiB"},
		{10<<30 - 1, 10 << 30, "10737418239 B of 10 GiB"},
		{1e9 + 1, 1e9, "1000000001 B of 1 GB"},
		{10 << 30, 10<<30 + 1, "10 GiB of 10.0 GiB"},
		{10<<30 + 2, 10<<30 + 1, "10737418242 B of 10.0 GiB"},
		{10<<30 + 1, 10<<30 + 1, "10.0 GiB of 10.0 GiB"},
		{2000, 1500, "2000 B of 1500 B"},
		{101, 100, "101 B of 100 B"},
		{3e6, 100, "2.9 MiB of 100 B"},
		{0, 1, "0 B of 1 B"},
		{0, 1e12, "0 B of 1 TB"},
		{math.MaxInt64, 1 << 40, "8388608.0 TiB of 1 TiB"},
	} {
		if got := FormatSizeBeside(r.bytes, r.limit) + " of " + FormatSize(r.limit); got != r.want {
			t.Errorf("%d and %d are written %q, want %q", r.bytes, r.limit, got, r.want)
		}
	}
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) int64 {
			u := rapid.SampledFrom(units).Draw(t, name+"'s unit")
			return max(rapid.Int64Range(0, 9999).Draw(t, name)*u.bytes+rapid.Int64Range(-2, 2).Draw(t, name+"'s rest"), 0)
		}
		size, limit := draw("size"), draw("limit")
		one, other := FormatSizeBeside(size, limit), FormatSize(limit)
		binary := func(text string) bool { return strings.HasSuffix(text, "iB") }
		decimal := func(text string) bool { return !binary(text) && !strings.HasSuffix(text, " B") }
		if binary(one) && decimal(other) || decimal(one) && binary(other) {
			t.Fatalf("%s of %s: two families", one, other)
		}
		if one == other && size != limit {
			t.Fatalf("%d of %d is %s of %s", size, limit, one, other)
		}
		compared++
	})
	if compared == 0 {
		t.Error("nothing was compared")
	}
}

func TestFormatSizeParsesBack(t *testing.T) {
	exact := 0
	rapid.Check(t, func(t *rapid.T) {
		unit := units[rapid.IntRange(0, len(units)-1).Draw(t, "unit")]
		bytes := rapid.Int64Range(0, 9999).Draw(t, "count") * unit.bytes
		text := FormatSize(bytes)
		back, err := ParseSize(text)
		if err != nil || back != bytes {
			t.Fatalf("%d is written %q, which is %d (%v)", bytes, text, back, err)
		}
		exact++
	})
	if exact == 0 {
		t.Error("nothing was written")
	}
	// Any other size is near what is written.
	rapid.Check(t, func(t *rapid.T) {
		bytes := rapid.Int64Range(0, 1<<53).Draw(t, "bytes")
		text := FormatSize(bytes)
		number, unit, ok := strings.Cut(text, " ")
		if !ok || len(number) > 10 {
			t.Fatalf("%d is written %q", bytes, text)
		}
		for _, u := range units {
			if u.name != unit {
				continue
			}
			whole, _, _ := strings.Cut(number, ".")
			low, err := ParseSize(whole + " " + unit)
			if err != nil || bytes < low-u.bytes || bytes > low+u.bytes {
				t.Fatalf("%d is written %q", bytes, text)
			}
		}
	})
}

func FuzzParseSize(f *testing.F) {
	for _, seed := range []string{"500 GiB", "1.5 TB", "4096", "0.000001 MB", "1..2", "-1", "9223372036854775807 B"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseSize(text)
		if err != nil {
			if n != 0 {
				t.Fatalf("%q is %d and %v", text, n, err)
			}
			return
		}
		if n < 0 {
			t.Fatalf("%q is %d", text, n)
		}
		if back, err := ParseSize(strings.ToLower(text)); err != nil || back != n {
			t.Fatalf("%q is %d, but in lower case %d (%v)", text, n, back, err)
		}
		FormatSize(n)
	})
}
