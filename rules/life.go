package rules

import (
	"fmt"
	"strings"
	"time"
)

// MaxLife is the longest that a token or a grant may be valid.
const MaxLife = 720 * time.Hour

// ParseLife returns how long a token or a grant may be valid, of a text such as
// "30m" or "8h": above 0 and up to MaxLife. The error is a *SpecError.
func ParseLife(text string) (time.Duration, error) {
	life, err := time.ParseDuration(text)
	if err != nil || life <= 0 || life > MaxLife {
		return 0, At("", "%q is not a time such as 30m or 8h, up to 720h", text).WithHint("%s", lifeHint(text))
	}
	return life, nil
}

// lifeHint says what was probably meant by a time in days, such as 7d.
func lifeHint(text string) string {
	days, isDays := strings.CutSuffix(strings.TrimRight(text, "ays"), "d")
	var n int
	if _, err := fmt.Sscanf(days, "%d", &n); !isDays || err != nil || n < 1 || n > 30 {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", fmt.Sprintf("%dh", 24*n))
}
