package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sluiceproject/sluice/rules"
)

// Limits of a list of paths.
const (
	tokenMaxList = 16 << 20 // Bytes.
	tokenMaxPath = 4096     // Bytes in a line.
	tokenMaxBad  = 20       // Bad lines that are named.
)

// tokenPath is an element of the paths of a transfer_request. Neither member
// stands for whatever is below the root.
type tokenPath struct {
	Source      string `json:"source,omitempty"`
	Destination string `json:"destination,omitempty"`
}

// readTokenList reads a file that ascp takes as --file-list, or as
// --file-pair-list.
func readTokenList(name string, pairs bool) ([]tokenPath, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("the list %s cannot be read: %w", rules.Printable(name), simCause(err))
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, tokenMaxList+1))
	if err != nil {
		return nil, fmt.Errorf("the list %s cannot be read: %w", rules.Printable(name), simCause(err))
	}
	if len(text) > tokenMaxList {
		return nil, fmt.Errorf("the list %s is larger than %s; ask for several tokens", rules.Printable(name), rules.FormatSize(tokenMaxList))
	}
	paths, err := parseTokenList(string(text), pairs)
	if err != nil {
		return nil, fmt.Errorf("the list %s:\n%w", rules.Printable(name), err)
	}
	return paths, nil
}

// parseTokenList reads a path a line or, of pairs, a source and a destination on
// alternate lines. The error names every bad line: whatever ascp could read in
// another way than we do is one.
func parseTokenList(text string, pairs bool) (paths []tokenPath, err error) {
	text = strings.TrimSuffix(text, "\n")
	if text == "" {
		return nil, errors.New("  it is empty: write one path a line")
	}
	var wrong []error
	line := 0
	for path := range strings.SplitSeq(text, "\n") {
		line++
		switch bad := badTokenLine(path); {
		case bad != "" && len(wrong) == tokenMaxBad:
			return nil, errors.Join(append(wrong, errors.New("  and perhaps more"))...)
		case bad != "":
			wrong = append(wrong, fmt.Errorf("  line %d %s", line, bad))
		case pairs && line%2 == 0 && len(wrong) == 0:
			paths[len(paths)-1].Destination = path
		case len(wrong) == 0:
			paths = append(paths, tokenPath{Source: path})
		}
	}
	if pairs && line%2 == 1 {
		wrong = append(wrong, fmt.Errorf("  line %d is a source without a destination: they stand on alternate lines, the source first", line))
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	return paths, nil
}

// badTokenLine says what is wrong with a line, or nothing.
func badTokenLine(line string) string {
	switch {
	case line == "":
		return "is empty: write one path a line"
	case len(line) > tokenMaxPath:
		return fmt.Sprintf("has %d bytes; a path has at most %d", len(line), tokenMaxPath)
	case !utf8.ValidString(line):
		return "is not UTF-8: save the list as UTF-8"
	case strings.HasPrefix(line, "\ufeff"):
		return "begins with a byte-order mark: save the list as UTF-8 without one"
	case strings.HasSuffix(line, "\r"):
		return "ends in a carriage return: save the list with the line ends of Unix"
	case strings.ContainsFunc(line, unicode.IsControl):
		return "has a control character in it: " + rules.Shorten(rules.Printable(line), 80)
	case strings.TrimSpace(line) != line:
		return "begins or ends with a space: " + rules.Shorten(rules.Printable(line), 80)
	default:
		return ""
	}
}
