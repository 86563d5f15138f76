package scan

import (
	"bufio"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net"
	"net/http/httputil"
	"strings"
)

// maxDrain is how much of an answer's body is read only so that the connection
// can be used again, in bytes.
const maxDrain = 64 << 10

// icapWhole is a file that was sent to its end.
type icapWhole struct {
	size int64
	// seed and sum tell its content from another.
	seed maphash.Seed
	sum  uint64
}

// icapVerdict is what a final answer says.
type icapVerdict struct {
	// signature is what was found, or empty.
	signature string
	// echoed says that the server sent the file back as it was, instead of 204.
	echoed bool
	// keep says that the connection is where the next transaction can begin.
	keep bool
	// tag is the version of the server's signatures.
	tag string
}

// judge reads the rest of a final answer. whole is nil while the file is not
// sent to its end: then the body is not read, because it cannot be compared.
func judge(in *bufio.Reader, head *icapHead, whole *icapWhole) (icapVerdict, error) {
	v := icapVerdict{keep: !head.lists("Connection", "close")}
	v.tag = head.tag()
	var found bool
	v.signature, found = head.found()
	switch {
	case head.status == 204:
		return v, nil
	case head.status != 200 && head.status != 201: // 201 is how some say that they put something else in the file's place.
		if v.keep = false; found {
			return v, nil
		}
		return v, statusError(head.status)
	}
	body, status, err := encapsulated(in, head)
	if err == nil && status != 200 && !found { // A page that says that the file is blocked.
		v.signature, found = unknownThreat, true
	}
	if err != nil || found || whole == nil {
		if v.keep = v.keep && err == nil && whole != nil && drained(in, body); found {
			err = nil
		}
		return v, err
	}
	same, err := unmodified(in, body, whole)
	if v.echoed = same; !same {
		v.signature, v.keep = unknownThreat, false
	}
	return v, err
}

// encapsulated reads the heads of what an answer encapsulates and returns a
// reader of its body, nil if it has none, and its HTTP status; that is 200 if it
// has no head.
func encapsulated(in *bufio.Reader, head *icapHead) (body io.Reader, status int, err error) {
	value, has := head.field("Encapsulated")
	if !has {
		return nil, 0, fmt.Errorf("%w: it does not say what it encapsulates", ErrAnswer)
	}
	parts, err := parseEncapsulated(value)
	if err != nil {
		return nil, 0, err
	}
	status = 200
	for i, p := range parts[:len(parts)-1] {
		block := make([]byte, parts[i+1].at-p.at)
		if _, err := io.ReadFull(in, block); err != nil {
			return nil, 0, cutShort(err)
		}
		if p.name == "res-hdr" {
			line, _, _ := strings.Cut(string(block), "\n")
			if status, err = parseStatus(strings.TrimSuffix(line, "\r"), "HTTP/1."); err != nil {
				return nil, 0, err
			}
		}
	}
	if parts[len(parts)-1].name == "null-body" {
		return nil, status, nil
	}
	return httputil.NewChunkedReader(in), status, nil
}

// unmodified reads the body of an answer and reports whether it is the file.
func unmodified(in *bufio.Reader, body io.Reader, whole *icapWhole) (bool, error) {
	if body == nil {
		return whole.size == 0, nil
	}
	var digest maphash.Hash
	digest.SetSeed(whole.seed)
	n, err := io.Copy(&digest, io.LimitReader(body, whole.size+1))
	switch {
	case err != nil:
		return false, cutShort(err)
	case n != whole.size || digest.Sum64() != whole.sum:
		return false, nil
	}
	return true, trailer(in)
}

// drained reads what is left of an answer, within a bound, and reports whether
// that is the end of it.
func drained(in *bufio.Reader, body io.Reader) bool {
	if body == nil {
		return true
	}
	n, err := io.Copy(io.Discard, io.LimitReader(body, maxDrain+1))
	return err == nil && n <= maxDrain && trailer(in) == nil
}

// trailer reads what follows the last chunk.
func trailer(in *bufio.Reader) error {
	for left := icapLine; ; {
		if line, err := readICAPLine(in, &left); err != nil || line == "" {
			return err
		}
	}
}

// cutShort says what an error while reading an encapsulated part means.
func cutShort(err error) error {
	var broken net.Error
	switch {
	case errors.As(err, &broken):
		return fmt.Errorf("reading the scanner's answer: %w", err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: it ends before its end", ErrAnswer)
	default:
		return fmt.Errorf("%w: its body is not in chunks", ErrAnswer)
	}
}
