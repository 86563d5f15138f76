package rules

import (
	"strings"

	"cel.dev/cel-go/cel"
)

// token explains characters that belong to nothing.
func (i *issueText) token(text string) *SpecError {
	switch {
	case strings.HasPrefix(text, "="):
		return At("", "a single = compares nothing").WithHint(`did you mean "=="?`)
	case strings.HasPrefix(text, "&"), strings.HasPrefix(text, "|"):
		return At("", "a single %.1s joins nothing", text).WithHint("did you mean %q?", text[:1]+text[:1])
	case strings.HasPrefix(text, `"`), strings.HasPrefix(text, "'"):
		return At("", "a quote without its partner")
	default:
		return At("", "%q has no meaning here", strings.TrimSpace(text))
	}
}

// input explains a word that is not expected.
func (i *issueText) input(word string) *SpecError {
	if word == "<EOF>" {
		return At("", "the expression ends too early").WithHint("something is missing here: a value, or a bracket's partner")
	}
	fault := At("", "%q is not expected here", word)
	before := strings.TrimSpace(string(i.text[:min(i.offset, len(i.text))]))
	switch {
	case strings.EqualFold(word, "and"):
		fault.Hint = `did you mean "&&"?`
	case strings.EqualFold(word, "or"):
		fault.Hint = `did you mean "||"?`
	case strings.HasSuffix(before, "not"):
		fault.Hint = `not is written "!", as in !(event.user == "guest")`
	case isUnit(word):
		fault.Hint = "a number and its unit are multiplied, as in 10 * " + word
	}
	return fault
}

// isUnit reports whether a word is a constant that numbers are multiplied by.
func isUnit(word string) bool {
	for _, u := range units {
		if u.name == word {
			return true
		}
	}
	for _, d := range durationConstants {
		if d.name == strings.TrimSuffix(word, "s") {
			return true
		}
	}
	return false
}

// describeType names a type as a person does.
func describeType(t *cel.Type) string { return describeTypeName(cel.FormatCELType(t)) }

func describeTypeName(name string) string {
	switch name {
	case "string":
		return "a text"
	case "int", "uint":
		return "a whole number"
	case "double":
		return "a number"
	case "bool":
		return "true or false"
	case "timestamp", "google.protobuf.Timestamp":
		return "a time"
	case "duration", "google.protobuf.Duration":
		return "a length of time"
	case "null", "null_type":
		return "nothing"
	case "dyn", "any":
		return "a value of the tags"
	case eventType:
		return "the event itself"
	}
	switch {
	case strings.HasPrefix(name, "list("):
		return "a list"
	case strings.HasPrefix(name, "map("):
		return "a group of keys"
	case strings.HasPrefix(name, "optional_type("):
		return "an optional value"
	default:
		return name
	}
}

// splitTypes splits a list of types at its own commas.
func splitTypes(list string) (types []string) {
	depth, from := 0, 0
	for i := range len(list) {
		switch list[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				types = append(types, strings.TrimSpace(list[from:i]))
				from = i + 1
			}
		}
	}
	if rest := strings.TrimSpace(list[from:]); rest != "" {
		types = append(types, rest)
	}
	return types
}
