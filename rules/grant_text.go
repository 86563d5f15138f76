package rules

import "strings"

// GrantText returns the grant that an event's tags carry, as it is written there:
// nobody has verified it. Tags that cannot be read carry none: they are the
// client's, who could send such tags on purpose, so that is not something that
// cannot be told. Empty and there is something that is no text.
func GrantText(e *Event) (text string, there bool) {
	if !e.Tags.parsed {
		if text, sure := findGrant(e.Tags.Raw); sure {
			return text, text != ""
		}
	}
	tree, err := e.Tags.Value()
	if err != nil {
		return "", false
	}
	ours, _ := tree["sluice"].(map[string]any)
	switch grant := ours["grant"].(type) {
	case nil:
		return "", false
	case string:
		return grant, grant != ""
	default:
		return "", true // It is something, and no grant of ours.
	}
}

// findGrant looks for the grant in tags that are written as an object, where it
// is written without escapes, at a small part of what parsing all tags costs. The
// JSON of such tags was seen to be right when the event was read; what is found
// in any other is a text that has to be signed. It is sure of what it returns, or
// the tags have to be parsed.
func findGrant(raw string) (text string, sure bool) {
	ours, sure := findMember(raw, "sluice")
	if !sure || ours == "" {
		return "", sure
	}
	grant, sure := findMember(ours, "grant")
	if !sure || grant == "" {
		return "", sure
	}
	if len(grant) < 2 || grant[0] != '"' || strings.IndexByte(grant, '\\') >= 0 {
		return "", false
	}
	return grant[1 : len(grant)-1], true
}

// findMember returns the JSON of an object's member, empty if it has none of the
// name. It is not sure where the text is no object, or names have escapes.
func findMember(object, name string) (value string, sure bool) {
	i := skipBlanks(object, 0)
	if i >= len(object) || object[i] != '{' {
		return "", false
	}
	for i = skipBlanks(object, i+1); i < len(object) && object[i] == '"'; i = skipBlanks(object, i+1) {
		end := skipString(object, i)
		key := object[i:end]
		i = skipBlanks(object, end)
		if len(key) < 2 || strings.IndexByte(key, '\\') >= 0 || i >= len(object) || object[i] != ':' {
			return "", false
		}
		i = skipBlanks(object, i+1)
		if end = skipValue(object, i); key[1:len(key)-1] == name {
			return object[i:end], end > i
		}
		if i = skipBlanks(object, end); i >= len(object) || object[i] != ',' {
			break
		}
	}
	return "", i < len(object) && object[i] == '}'
}

func skipBlanks(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r') {
		i++
	}
	return i
}

// skipString returns where the string ends that begins at i with its quote.
func skipString(s string, i int) int {
	for j := i + 1; j < len(s); {
		quote := strings.IndexByte(s[j:], '"')
		if quote < 0 {
			break
		}
		quote += j
		escapes := 0
		for quote-1-escapes > i && s[quote-1-escapes] == '\\' {
			escapes++
		}
		if j = quote + 1; escapes%2 == 0 {
			return j
		}
	}
	return len(s)
}

// skipValue returns where the value ends that begins at i.
func skipValue(s string, i int) int {
	for depth := 0; i < len(s); {
		switch s[i] {
		case '"':
			i = skipString(s, i)
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			if depth == 0 {
				return i
			}
			depth--
			i++
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
			i++
			continue
		default:
			i++
			continue
		}
		if depth == 0 {
			return i
		}
	}
	return i
}
