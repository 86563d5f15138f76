package rules

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The windows that a quota may have.
const (
	minWindow = time.Minute
	maxWindow = 31 * 24 * time.Hour
)

// parseWindow reads a time such as 90m, 24h or 7d. The error is a *SpecError.
func parseWindow(text string) (time.Duration, error) {
	window, ok := readWindow(text)
	if !ok {
		return 0, At("", "%q is not a time such as 90m, 24h or 7d, from 1m to 31d", text).WithHint("%s", windowHint(text))
	}
	return window, nil
}

func readWindow(text string) (window time.Duration, ok bool) {
	if days, inDays := strings.CutSuffix(text, "d"); inDays {
		n, err := strconv.ParseUint(days, 10, 8)
		window = time.Duration(n) * 24 * time.Hour
		return window, err == nil && window >= minWindow && window <= maxWindow
	}
	window, err := time.ParseDuration(text)
	return window, err == nil && window >= minWindow && window <= maxWindow
}

// windowHint says what was probably meant by a text such as "24 hours" or 1w.
func windowHint(text string) string {
	digits := text[:len(text)-len(strings.TrimLeft(text, "0123456789"))]
	unit := strings.ToLower(strings.TrimSpace(text[len(digits):]))
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return ""
	}
	for _, u := range []struct {
		begins, short string
		times         uint64
	}{{"mo", "d", 30}, {"m", "m", 1}, {"h", "h", 1}, {"d", "d", 1}, {"w", "d", 7}} {
		if !strings.HasPrefix(unit, u.begins) {
			continue
		}
		if meant := strconv.FormatUint(n*u.times, 10) + u.short; meant != text {
			if _, ok := readWindow(meant); ok {
				return fmt.Sprintf("did you mean %q?", meant)
			}
		}
		return ""
	}
	return ""
}

// formatFiles writes how many files there are, as formatThousands writes numbers.
func formatFiles(n int64) string {
	if n == 1 {
		return "1 file"
	}
	return formatThousands(n) + " files"
}

// formatThousands writes a number that is not below 0 so that its length can be read
// at a glance: 1,000,000.
func formatThousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
