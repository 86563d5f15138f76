package policies

import (
	"regexp"
	"slices"
	"strings"

	"github.com/sluiceproject/sluice/policies/document"
)

// A document of clients can hold a password where its hash should be. So no
// fault of one shows the line, nor repeats what may be part of a password.

// withoutSource removes the lines from faults.
func withoutSource(faults document.Faults) document.Faults {
	for i := range faults {
		faults[i].Source = ""
	}
	return faults
}

// discreetParts puts into other words what the schema says about values that
// may be secret. at has the pointers of the faults.
func discreetParts(doc *document.Document, faults document.Faults, at []string) document.Faults {
	for i, pointer := range at {
		parts := strings.Split(pointer, "/")
		key := parts[len(parts)-1]
		switch {
		case slices.Contains(parts, "password_hash"):
			faults[i] = doc.At(pointer, "%s", notHashed).WithHint(howToHash)
		case slices.Contains([]string{"policy", "applies_to", "rules", "mode"}, key) && len(parts) == 2:
			faults[i].Hint = "policies and clients have files of their own"
		case strings.HasPrefix(faults[i].Message, "unknown key") && isFragment(doc, key, pointer):
			faults[i].Message, faults[i].Hint = "a key that says nothing", "put a hash or text that has commas in quotes"
		case len(parts) < 3 && key == "clients":
			faults[i].Hint = "" // It may repeat the value.
		}
	}
	return faults
}

// isFragment reports whether a key looks like what is behind a comma in a text
// that lacks its quotes.
func isFragment(doc *document.Document, key, pointer string) bool {
	var value any
	err := doc.Decode(pointer, &value)
	return err != nil || value == nil || strings.ContainsAny(key, "$=,")
}

// secretKeys finds what tells that a text is of clients, or has a password.
var secretKeys = regexp.MustCompile(`(?i)(clients|pass\w*)["']?[ \t]*:`)

// quotedText finds what a message repeats of a document.
var quotedText = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'[^']*'|^\S+ is not a plain decimal number`)

// discreet removes what faults repeat of a text that cannot be read, if it may
// hold a password.
func discreet(text []byte, faults document.Faults) document.Faults {
	if !secretKeys.Match(text) {
		return faults
	}
	for i := range faults {
		faults[i].Message = quotedText.ReplaceAllStringFunc(faults[i].Message, func(found string) string {
			switch {
			case strings.HasSuffix(found, " is not a plain decimal number"):
				return "this is not a plain decimal number"
			case slices.Contains([]string{"version", "clients", "name", "password_hash", "transfer_user", "upload", "download", "max_life"}, found[1:len(found)-1]):
				return found
			default:
				return "this"
			}
		})
		if quotedText.MatchString(faults[i].Hint) {
			faults[i].Hint = ""
		}
	}
	return withoutSource(faults)
}
