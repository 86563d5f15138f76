package scan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// maxAnswer is the longest answer that is read, in bytes.
const maxAnswer = 4 << 10

// longestSignature is the longest name of a signature that is kept, in bytes.
const longestSignature = 256

// ErrUnscanned says that the scanner answered that it could not scan a file,
// which says nothing of other files.
var ErrUnscanned = errors.New("the scanner could not scan the file")

// readAnswer reads up to the zero byte that ends an answer.
func readAnswer(r io.Reader) (string, error) {
	buffer := make([]byte, 0, 512)
	for {
		n, err := r.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		end := bytes.IndexByte(buffer, 0)
		switch {
		case end >= 0 && end < len(buffer)-1:
			return "", fmt.Errorf("%w: %d bytes follow it", ErrAnswer, len(buffer)-1-end)
		case end >= 0:
			return string(buffer[:end]), nil
		case len(buffer) >= maxAnswer:
			return "", fmt.Errorf("%w: it is longer than %d bytes", ErrAnswer, maxAnswer)
		case err == io.EOF && len(buffer) > 0:
			return "", fmt.Errorf("%w: it ends after %d bytes", ErrAnswer, len(buffer))
		case err == io.EOF:
			return "", fmt.Errorf("the connection ended without an answer: %w", io.ErrUnexpectedEOF)
		case err != nil:
			return "", err
		case len(buffer) == cap(buffer):
			buffer = append(make([]byte, 0, maxAnswer), buffer...)
		}
	}
}

// senseless is an answer that the protocol does not know.
func senseless(text string) error {
	if len(text) > 80 {
		text = text[:80] + "…"
	}
	return fmt.Errorf("%w: %q", ErrAnswer, text)
}

// parseAnswer reads what clamd says of a file and returns the signature that it
// found, or nothing. Whatever is not exactly an answer of clamd is an error.
func parseAnswer(text string) (signature string, err error) {
	who, what, named := strings.Cut(text, ": ")
	if !named || who != "stream" && !isDescriptor(who) {
		who, what = "", text
	}
	if what == "OK" && who != "" {
		return "", nil
	}
	if name, found := strings.CutSuffix(what, " FOUND"); found && who != "" && strings.TrimSpace(name) != "" {
		// With AlertExceedsMax, clamd says so that it has not looked at everything.
		if strings.HasPrefix(name, "Heuristics.Limits.Exceeded") {
			return "", fmt.Errorf("%w: clamd says %s", ErrLimit, cut(name))
		}
		return cut(name), nil
	}
	reason, failed := strings.CutSuffix(what, " ERROR")
	switch {
	case !failed || strings.TrimSpace(reason) == "":
		return "", senseless(text)
	case reason == "INSTREAM size limit exceeded.":
		return "", fmt.Errorf("%w: clamd's StreamMaxLength is smaller than what is configured here", ErrLimit)
	default:
		return "", fmt.Errorf("%w: clamd says %q", ErrUnscanned, cut(reason))
	}
}

func cut(name string) string {
	if len(name) > longestSignature {
		return name[:longestSignature]
	}
	return name
}

// isDescriptor reports whether a text is how clamd calls a file that it was
// given open: fd[10].
func isDescriptor(who string) bool {
	number, opened := strings.CutPrefix(who, "fd[")
	number, closed := strings.CutSuffix(number, "]")
	return opened && closed && number != "" && strings.Trim(number, "0123456789") == ""
}

// parseVersion reads the answer to VERSION: "ClamAV 1.4.6", and behind it
// "/27500/Mon Nov 23 09:12:05 2026" where there is a signature database. Of a
// date that cannot be read nothing is said.
func parseVersion(text string) (Status, error) {
	engine, rest, signed := strings.Cut(text, "/")
	if version, ok := strings.CutPrefix(engine, "ClamAV "); !ok || strings.TrimSpace(version) == "" || len(text) > longestSignature || !printable(text) {
		return Status{}, senseless(text)
	}
	s := Status{Engine: engine}
	if !signed {
		return s, nil
	}
	number, date, _ := strings.Cut(rest, "/")
	if number == "" || strings.Trim(number, "0123456789") != "" {
		return Status{}, senseless(text)
	}
	s.Signatures = number
	// clamd writes the time of its own zone, which it does not name: that of the
	// machine, as a rule.
	if built, err := time.ParseInLocation(time.ANSIC, date, time.Local); err == nil { //nolint:gosmopolitan // See above.
		s.Built = built
	}
	return s, nil
}

func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}
