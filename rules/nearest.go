package rules

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/agext/levenshtein"
)

// DidYouMean returns the hint `did you mean "word"?` for the option nearest to
// a misspelt word, or nothing if none is near.
func DidYouMean(word string, options []string) string {
	best, nearest := max(2, (utf8.RuneCountInString(word)+1)/3)+1, ""
	for _, option := range options {
		d := levenshtein.Distance(strings.ToLower(word), strings.ToLower(option), nil)
		if d < best && 2*d <= utf8.RuneCountInString(option) {
			best, nearest = d, option
		}
	}
	if nearest == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", nearest)
}
