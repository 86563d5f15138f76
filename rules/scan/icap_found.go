package scan

import "strings"

// unknownThreat names what a scanner blocks without saying why.
const unknownThreat = "unknown"

// maxThreat is the longest name of a signature that is kept, in bytes.
const maxThreat = 256

// found returns the signature that the fields of an answer name, and whether
// they say that something was found. Servers differ in which of the three fields
// they send, and some send several.
func (h *icapHead) found() (signature string, found bool) {
	if value, has := h.field("X-Infection-Found"); has {
		signature, found = parseThreat(value), true
	}
	if value, has := h.field("X-Violations-Found"); has && value != "0" {
		if found = true; signature == "" {
			signature = parseViolation(value)
		}
	}
	if value, has := h.field("X-Virus-ID"); has {
		if found = true; signature == "" {
			signature = value
		}
	}
	if !found {
		return "", false
	}
	return boundThreat(signature), true
}

// parseThreat returns the name in a value such as "Type=0; Resolution=2;
// Threat=NAME;", empty if there is none. The name may have anything in it but
// the semicolon that ends it.
func parseThreat(value string) string {
	for part := range strings.SplitSeq(value, ";") {
		key, name, _ := strings.Cut(part, "=")
		if strings.EqualFold(strings.TrimSpace(key), "Threat") {
			return strings.TrimSpace(name)
		}
	}
	return ""
}

// parseViolation returns the name of the first of several violations: how many
// there are stands in the first line, then come four lines for each, of which
// the second is the name.
func parseViolation(value string) string {
	lines := strings.SplitN(value, "\n", 4)
	if len(lines) < 3 {
		return ""
	}
	return strings.TrimSpace(lines[2])
}

// boundThreat shortens a signature, and names one that has no name.
func boundThreat(s string) string {
	s = strings.TrimSpace(strings.ToValidUTF8(strings.ReplaceAll(s, "\n", " "), "\uFFFD"))
	if len(s) > maxThreat {
		s = strings.ToValidUTF8(s[:maxThreat], "")
	}
	if s == "" {
		return unknownThreat
	}
	return s
}
