package document

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/xeipuuv/gojsonschema"
)

// typeHint says how a value is written so that it is of the type that is wanted.
func (s *Schema) typeHint(d *Document, pointer string, details gojsonschema.ErrorDetails) string {
	expected, given := fmt.Sprint(details["expected"]), fmt.Sprint(details["given"])
	value := fmt.Sprint(d.value(pointer))
	switch {
	case strings.Contains(expected, "array") && given == "string":
		return fmt.Sprintf("write it in brackets: [%s]", value)
	case strings.Contains(expected, "array") && given == "object" && !strings.Contains(expected, "string"):
		return d.dashHint(pointer)
	case strings.Contains(expected, "boolean") && given == "string":
		return booleanHint(value)
	case strings.Contains(expected, "string") && (given == "integer" || given == "number"):
		if example := s.exampleAt(pointer); hasUnit(example) {
			return fmt.Sprintf("write it with its unit, as in %s", example)
		}
		fallthrough
	case strings.Contains(expected, "string") && given == "boolean":
		return fmt.Sprintf("write it in quotes: %q", d.sourceWord(d.values[pointer], value))
	case given == "null" && strings.HasPrefix(strings.TrimLeft(d.sourceFrom(d.values[pointer]), " "), "#"):
		return "put it in quotes: without, what follows a # is a comment"
	case given == "null":
		return s.leaveOut(pointer)
	default:
		return ""
	}
}

// dashHint says how the elements of a list are written, of which one or several
// were written without their dashes.
func (d *Document) dashHint(pointer string) string {
	group, _ := d.value(pointer).(map[string]any)
	if name, ok := group["name"].(string); ok {
		return fmt.Sprintf("begin each element with a dash: %q", "- name: "+name)
	}
	keys := make([]string, 0, len(group))
	for key, value := range group {
		if _, isGroup := value.(map[string]any); !isGroup {
			return "begin each element with a dash"
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return ""
	}
	return fmt.Sprintf("begin each element with a dash and its name: %q", "- name: "+slices.Min(keys))
}

func booleanHint(value string) string {
	switch strings.ToLower(value) {
	case "yes", "y", "on", "true":
		return "write true"
	case "no", "n", "off", "false":
		return "write false"
	default:
		return ""
	}
}

// exampleAt returns the first example of the value at a pointer, if it is a text.
func (s *Schema) exampleAt(pointer string) string {
	examples, _ := s.at(pointer)["examples"].([]any)
	if len(examples) == 0 {
		return ""
	}
	text, _ := examples[0].(string)
	return text
}

// withUnit matches a number and its unit.
var withUnit = regexp.MustCompile(`^[0-9.]+ ?[A-Za-z]+$`)

func hasUnit(example string) bool { return withUnit.MatchString(example) }

// requiredHint says what to write for a key that can have one value only.
func (s *Schema) requiredHint(pointer, key string) string {
	if only, ok := s.at(pointer + "/" + key)["const"]; ok {
		return fmt.Sprintf("add %s: %v", key, only)
	}
	return ""
}

// constHint says what is wrong with the spelling of the right value.
func constHint(value, only string) string {
	if value == only {
		return "write it without quotes"
	}
	return ""
}

// patternHint says what was probably meant by a text that a pattern refused, or
// what the schema says of such texts.
func (s *Schema) patternHint(pointer, text string) string {
	at := s.at(pointer)
	pattern, _ := at["pattern"].(string)
	if dashed := strings.Join(strings.Fields(text), "-"); dashed != text && !strings.Contains(text, "\n") && strings.ContainsFunc(text, unicode.IsLetter) {
		if allowed, err := regexp.Compile(pattern); err == nil && allowed.MatchString(dashed) {
			return fmt.Sprintf("did you mean %q?", dashed)
		}
	}
	hint, _ := at["description"].(string)
	first, size := utf8.DecodeRuneInString(hint)
	if size == 0 {
		return ""
	}
	return strings.TrimSuffix(string(unicode.ToLower(first))+hint[size:], ".")
}
