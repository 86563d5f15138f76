package journal

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/sluiceproject/sluice/rules"
)

// Limits of a list of indicators.
const (
	maxIndicators    = 1_000_000
	maxIndicatorLine = 4096 // Bytes.
	maxListFaults    = 20
)

// The kinds of indicators.
const (
	IndicatorDigest  = "digest"
	IndicatorAddress = "address"
	IndicatorName    = "name"
)

// Indicator is one thing that is known to be bad.
type Indicator struct {
	// Line is where it stands in the list, from 1.
	Line int
	// Text is what the list says, without what is passed over.
	Text string
	// Kind is one of the kinds of indicators.
	Kind string
}

// ListError is a line of a list that is no indicator.
type ListError struct {
	Name string
	Line int
	Err  error
}

// Error implements error.
func (e *ListError) Error() string { return fmt.Sprintf("%s:%d: %s", e.Name, e.Line, e.Err) }

// Unwrap returns the cause.
func (e *ListError) Unwrap() error { return e.Err }

// ReadIndicators reads a list: one indicator a line, of a kind that its form tells.
//
//   - A digest is 32, 40, 64, 96 or 128 hexadecimal digits: MD5, SHA-1, SHA-256,
//     SHA-384 or SHA-512. What follows behind a space is passed over, as the file
//     name that sha256sum prints.
//   - An address is IPv4 or IPv6, a network such as 203.0.113.0/24; dots and colons
//     can be in brackets. A comment may follow behind a # .
//   - Anything else is the name of a file or, with a slash, the end of its path. *
//     and ? stand for any character but a slash, and ** for any folders. Case does
//     not matter.
//
// Blank lines and lines that begin with # are passed over. The error joins a
// *ListError for each bad line, at most 20; or is the reader's, wrapped.
func ReadIndicators(name string, in io.Reader) (*Indicators, error) {
	h := newIndicators()
	var wrong []error
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 2*maxIndicatorLine), 16*maxIndicatorLine)
	number := 0
	for lines.Scan() {
		number++
		if err := h.addLine(number, lines.Text()); err != nil {
			if wrong = append(wrong, &ListError{name, number, err}); len(wrong) == maxListFaults {
				return nil, errors.Join(append(wrong, errors.New("and perhaps more"))...)
			}
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		wrong = append(wrong, &ListError{name, number + 1, errLongIndicator})
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", name, withoutPath(err))
	case len(h.all) == 0 && len(wrong) == 0:
		wrong = append(wrong, fmt.Errorf("%s has no indicator: write a digest, an address or a file name a line", name))
	}
	return h, errors.Join(wrong...)
}

var errLongIndicator = fmt.Errorf("the line has more than %d bytes", maxIndicatorLine)

// addLine reads a line.
func (h *Indicators) addLine(number int, line string) error {
	if number == 1 {
		line = strings.TrimPrefix(line, "\ufeff")
	}
	line = strings.TrimSpace(line)
	switch {
	case line == "" || line[0] == '#':
		return nil
	case len(line) > maxIndicatorLine:
		return errLongIndicator
	case !utf8.ValidString(line):
		return errors.New("the line is not UTF-8")
	case len(h.all) == maxIndicators:
		return fmt.Errorf("there are more than %d indicators; hunt for them in parts", maxIndicators)
	}
	word, rest, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
	if _, err := hex.DecodeString(word + strings.Repeat("0", len(word)%2)); err == nil && len(word) >= 2*digestWidths[0] {
		digest, ok := parseDigest(word)
		if !ok {
			return fmt.Errorf("%d hexadecimal digits are no digest: MD5 has 32, SHA-1 40, SHA-256 64, SHA-384 96, SHA-512 128", len(word))
		}
		h.addDigest(Indicator{number, digest, IndicatorDigest})
		return nil
	}
	if network, err := parseIndicatorAddress(word); err == nil || looksLikeAddress(word) {
		if rest = strings.TrimSpace(rest); rest != "" && rest[0] != '#' {
			return errors.New("there is more behind the address; a comment begins with #")
		}
		if err != nil {
			return err
		}
		h.addNetwork(Indicator{number, word, IndicatorAddress}, network)
		return nil
	}
	return h.addName(Indicator{number, line, IndicatorName})
}

// parseIndicatorAddress reads an address as lists write it, so that nobody follows
// it by accident: 203[.]0[.]113[.]7.
func parseIndicatorAddress(word string) (netip.Prefix, error) {
	return parseNetwork(strings.NewReplacer("[.]", ".", "[:]", ":").Replace(word))
}

// looksLikeAddress reports whether a word is an IPv4 address but for its numbers.
func looksLikeAddress(word string) bool {
	host, _, _ := strings.Cut(word, "/")
	return strings.Count(host, ".") == 3 && !strings.HasPrefix(host, ".") && strings.Trim(host, "0123456789.") == ""
}

// errURL says that a line is a web address.
var errURL = errors.New("this is a web address, and transfers carry none: write the file's name, its digest or the host's address")

// addName files the name or the path of a file.
func (h *Indicators) addName(i Indicator) error {
	text := strings.ToLower(i.Text)
	for _, scheme := range [...]string{"http://", "https://", "hxxp://", "hxxps://", "ftp://"} {
		if strings.HasPrefix(text, scheme) {
			return errURL
		}
	}
	if slash := rules.ParsePath(text).Slash; strings.Contains(slash, "/") && slash != text && strings.Contains(text, `\`) {
		text = slash // Of Windows.
	}
	if !strings.Contains(text, "/") {
		h.addBareName(i, text)
		return nil
	}
	if strings.HasSuffix(text, "/") {
		return fmt.Errorf("a folder is no file; write %q for whatever is below it", i.Text+"**")
	}
	h.addPath(i, text)
	return nil
}
