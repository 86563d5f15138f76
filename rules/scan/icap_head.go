package scan

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// The bounds of the head of an answer: icapHeads of all its lines together, in
// bytes, and icapFields of fields.
const (
	icapHeads  = 64 << 10
	icapFields = 128
)

// icapHead is the first part of an ICAP answer: its status and its fields.
type icapHead struct {
	status int
	fields []icapField
}

// icapField is one field. The lines of a folded value are joined by "\n".
type icapField struct{ name, value string }

// field returns the value of the first field of a name, and whether there is
// one.
func (h *icapHead) field(name string) (value string, has bool) {
	for _, f := range h.fields {
		if strings.EqualFold(f.name, name) {
			return f.value, true
		}
	}
	return "", false
}

// lists reports whether a field is a list with a word in it.
func (h *icapHead) lists(name, word string) bool {
	value, _ := h.field(name)
	for part := range strings.SplitSeq(value, ",") {
		if strings.EqualFold(strings.TrimSpace(part), word) {
			return true
		}
	}
	return false
}

// tag returns the version of the server's signatures, which is empty if it does
// not say.
func (h *icapHead) tag() string {
	value, _ := h.field("ISTag")
	return strings.Trim(value, `"`)
}

// errSilent says that a server ended a connection without a word.
var errSilent = errors.New("the scanner closed the connection without an answer")

// readICAPHead reads the head of an answer. The error is errSilent if there is
// none, wraps ErrAnswer if it makes no sense, and is that of the connection
// otherwise.
func readICAPHead(in *bufio.Reader) (icapHead, error) {
	if _, err := in.Peek(1); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return icapHead{}, fmt.Errorf("waiting for the scanner's answer: %w", err)
		}
		return icapHead{}, fmt.Errorf("%w: %w", errSilent, err)
	}
	left := icapHeads
	line, err := readICAPLine(in, &left)
	if err != nil {
		return icapHead{}, err
	}
	var head icapHead
	if head.status, err = parseStatus(line, "ICAP/1."); err != nil {
		return icapHead{}, err
	}
	for {
		if line, err = readICAPLine(in, &left); err != nil || line == "" {
			return head, err
		}
		if err := head.add(line); err != nil {
			return icapHead{}, err
		}
	}
}

// add takes the next line of fields.
func (h *icapHead) add(line string) error {
	if line[0] == ' ' || line[0] == '\t' {
		if len(h.fields) == 0 {
			return fmt.Errorf("%w: a field begins with a blank", ErrAnswer)
		}
		h.fields[len(h.fields)-1].value += "\n" + strings.TrimSpace(line)
		return nil
	}
	name, value, ok := strings.Cut(line, ":")
	if !ok || name == "" || strings.ContainsAny(name, " \t") {
		return fmt.Errorf("%w: a line of its head is no field", ErrAnswer)
	}
	if len(h.fields) == icapFields {
		return fmt.Errorf("%w: it has more than %d fields", ErrAnswer, icapFields)
	}
	h.fields = append(h.fields, icapField{name, strings.TrimSpace(value)})
	return nil
}

// readICAPLine reads one line without its end, and takes its length off left.
func readICAPLine(in *bufio.Reader, left *int) (string, error) {
	line, err := in.ReadSlice('\n')
	*left -= len(line)
	switch {
	case errors.Is(err, bufio.ErrBufferFull), err == nil && *left < 0:
		return "", fmt.Errorf("%w: its head is too long", ErrAnswer)
	case errors.Is(err, io.EOF):
		return "", fmt.Errorf("%w: it ends in the middle of its head", ErrAnswer)
	case err != nil:
		return "", fmt.Errorf("reading the scanner's answer: %w", err)
	}
	return strings.TrimSuffix(string(line[:len(line)-1]), "\r"), nil
}

// parseStatus reads the status of a line such as "ICAP/1.0 204 No Content". The
// protocol is what stands before the digit of the minor version.
func parseStatus(line, protocol string) (int, error) {
	version, rest, _ := strings.Cut(line, " ")
	minor, ok := strings.CutPrefix(version, protocol)
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.ParseUint(code, 10, 16) // Takes no sign.
	if !ok || len(minor) != 1 || minor[0] < '0' || minor[0] > '9' || len(code) != 3 || err != nil || status < 100 {
		return 0, fmt.Errorf("%w: its first line is none of %s", ErrAnswer, strings.TrimSuffix(protocol, "/1."))
	}
	return int(status), nil
}

// icapPart is a part of what an answer encapsulates, and where it begins.
type icapPart struct {
	name string
	at   int
}

// parseEncapsulated reads a field such as "res-hdr=0, res-body=161".
func parseEncapsulated(value string) ([]icapPart, error) {
	var parts []icapPart
	var names []string
	for text := range strings.SplitSeq(value, ",") {
		name, number, _ := strings.Cut(strings.TrimSpace(text), "=")
		at, err := strconv.ParseUint(number, 10, 31)
		switch {
		case len(parts) == 3, err != nil, len(parts) == 0 && at != 0, len(parts) > 0 && int(at) <= parts[len(parts)-1].at:
			return nil, fmt.Errorf("%w: the places in what it encapsulates make no sense", ErrAnswer)
		case at > icapHeads:
			return nil, fmt.Errorf("%w: what it encapsulates has too long a head", ErrAnswer)
		}
		parts = append(parts, icapPart{strings.ToLower(name), int(at)})
		names = append(names, parts[len(parts)-1].name)
	}
	switch strings.TrimPrefix(strings.Join(names, " "), "req-hdr res-hdr ") {
	case "res-body", "null-body", "res-hdr res-body", "res-hdr null-body":
		return parts, nil
	default:
		return nil, fmt.Errorf("%w: what it encapsulates is no answer of HTTP", ErrAnswer)
	}
}
