package rules

import (
	"errors"
	"slices"
	"strings"
)

// spelledFreely is the JSON Schema of one of several words that may be spelled
// in other ways too, which a pattern knows. Editors complete the words.
func spelledFreely(words []string, pattern string) string {
	return `{"anyOf": [{"enum": [` + quoteAll(words) + `]}, {"type": "string", "pattern": "` + pattern + `"}]}`
}

func quoteAll(words []string) string {
	return `"` + strings.Join(words, `", "`) + `"`
}

// placed returns a mistake at a JSON pointer into a rule's settings.
func placed(at string, err error) *SpecError {
	var spec *SpecError
	if !errors.As(err, &spec) {
		return At(at, "%s", err)
	}
	there := *spec
	there.At = at
	return &there
}

// respell returns a list of words of a closed set in the spelling that is used
// from there on, each once. Somebody who lists mov and .MOV, or SHA-256 and
// sha256, has said the same thing twice and meant nothing else by it, so that is
// no mistake. Words that canonical does not know are reported.
func respell(key, what string, list, known []string, canonical func(string) (string, bool), wrong *mistakes) []string {
	var words []string
	for i, text := range list {
		word, ok := canonical(text)
		if !ok {
			wrong.add(At(item(key, i), "%q is not %s; it is one of %s", text, what, strings.Join(known, ", ")).WithHint("%s", DidYouMean(text, known)))
			continue
		}
		if !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words
}
