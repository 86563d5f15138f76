package rules

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

const (
	// maxDigestLine is the most bytes of a line, without its end.
	maxDigestLine = 4096
	// maxDigestFaults is the most mistakes that one reading reports.
	maxDigestFaults = 10
	// digestBuffer is the bytes read at once. It is more than a line may have.
	digestBuffer = 64 << 10
)

// ReadDigests reads a list of digests: one a line, in hexadecimal digits of
// either case. Blank lines and lines that begin with # are passed over, and so
// is what follows a digest after a space or a tab, such as the file name that
// sha256sum prints, with its * before the name and its \ before the digest.
// Lines end in LF or CRLF, and a UTF-8 byte order mark may stand at the start.
//
// All digests have one width: 16, 20, 32, 48 or 64 bytes. Mistakes are joined
// errors of type *FileError with the file's name and the line, at most ten: what
// is no digest, a digest of another width than those before it, a line longer
// than 4096 bytes, more than MaxDigests lines with a digest, none at all. Any
// other error is the reader's, wrapped.
//
// The size hint is the file's size in bytes, or 0 when it is not known. It
// saves memory while the list is read and changes nothing else.
func ReadDigests(name string, r io.Reader, sizeHint int64) (*Digests, error) {
	p := digestParser{file: name, limit: MaxDigests, in: bufio.NewReaderSize(r, digestBuffer), size: sizeHint}
	if err := p.readAll(); err != nil {
		return nil, err
	}
	return newDigests(p.digests, p.width, p.ascending), nil
}

// digestParser reads one list. It makes no text of a line and holds no more
// than its buffer and the digests.
type digestParser struct {
	file  string
	limit int // of lines with a digest
	in    *bufio.Reader
	size  int64 // the file's, or 0

	begin, end int64 // of the line in hand, in bytes from the file's start
	line       int   // its number
	first      int64 // where the first line with a digest begins

	digests   []byte
	width     int // 0 before the first digest
	lines     int // with a digest
	ascending bool
	faults    []error
}

// readAll reads the list, or returns what is wrong with it.
func (p *digestParser) readAll() error {
	p.ascending = true
	for len(p.faults) < maxDigestFaults {
		line, err := p.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				break
			}
			return fmt.Errorf("%s: %w", p.file, err)
		}
		if p.take(line) {
			continue
		}
		if fault := p.examine(line); fault != "" {
			p.faults = append(p.faults, &FileError{File: p.file, Line: p.line, Message: fault})
			if p.lines == p.limit {
				break
			}
		}
	}
	if p.lines == 0 && len(p.faults) == 0 {
		return &FileError{File: p.file, Line: 1, Message: "the list has no digest"}
	}
	return errors.Join(p.faults...)
}

// next returns the next line without its end, which is valid until the next
// call, or io.EOF after the last. Of a line that the buffer cannot hold it
// returns so much that the line is seen to be too long.
func (p *digestParser) next() ([]byte, error) {
	line, err := p.in.ReadSlice('\n')
	p.line++
	p.begin, p.end = p.end, p.end+int64(len(line))
	if err == nil {
		line = line[:len(line)-1]
	} else if err = p.rest(line, err); err != nil {
		return nil, err
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, nil
}

// rest passes over the rest of a line that the buffer cannot hold, and returns
// nil if the last line of a file has no end.
func (p *digestParser) rest(line []byte, err error) error {
	for errors.Is(err, bufio.ErrBufferFull) {
		var more []byte
		more, err = p.in.ReadSlice('\n')
		p.end += int64(len(more))
	}
	if errors.Is(err, io.EOF) && len(line) > 0 {
		return nil
	}
	return err
}

// take adds the digest of a line that begins with one of the width of those
// before it, which is nearly every line, and reports whether it did.
func (p *digestParser) take(line []byte) bool {
	digits := 2 * p.width
	if digits == 0 || p.lines == p.limit || len(line) < digits || len(line) > maxDigestLine ||
		len(line) > digits && line[digits] != ' ' && line[digits] != '\t' {
		return false
	}
	p.reserve()
	end := len(p.digests)
	digest := p.digests[end : end+p.width]
	if _, err := hex.Decode(digest, line[:digits]); err != nil {
		return false
	}
	p.lines++
	if p.ascending && end > 0 {
		order := bytes.Compare(p.digests[end-p.width:end], digest)
		if order == 0 {
			return true
		}
		p.ascending = order < 0
	}
	p.digests = p.digests[:end+p.width]
	return true
}

// reserve makes room for one digest more. By the size of the file and that of
// the lines so far it makes room for all, so that in a file whose lines are
// alike it makes room once.
func (p *digestParser) reserve() {
	if cap(p.digests)-len(p.digests) >= p.width {
		return
	}
	room := p.lines + p.lines/2 + 64
	if rest := p.size - p.begin; rest > 0 {
		perLine := (p.end - p.first) / int64(p.lines+1)
		room = p.lines + p.lines/16 + 1
		room = max(room, p.lines+int(min(rest/perLine+1, int64(p.limit))))
	}
	grown := make([]byte, len(p.digests), min(room, p.limit)*p.width)
	copy(grown, p.digests)
	p.digests = grown
}

// examine looks at a line that take did not want. It passes over what is no
// digest and need not be, adds the digest that the line has in spite of its
// looks, or returns what is wrong.
func (p *digestParser) examine(line []byte) string {
	if len(line) > maxDigestLine {
		return fmt.Sprintf("the line is longer than %d bytes", maxDigestLine)
	}
	if p.line == 1 {
		line = bytes.TrimPrefix(line, []byte("\uFEFF"))
	}
	text := bytes.Trim(line, " \t")
	if len(text) == 0 || text[0] == '#' {
		return ""
	}
	// This is how sha256sum marks a file name in which it escaped a character.
	text = bytes.TrimPrefix(text, []byte(`\`))
	if i := bytes.IndexAny(text, " \t"); i >= 0 {
		text = text[:i]
	}
	if fault := p.faultOf(text); fault != "" {
		return fault
	}
	if p.width == 0 {
		p.width, p.first = len(text)/2, p.begin
	}
	if !p.take(text) {
		return fmt.Sprintf("the list has more than %d digests", p.limit)
	}
	return ""
}

// faultOf returns why a word is no digest of this list, or nothing.
func (p *digestParser) faultOf(word []byte) string {
	width := len(word) / 2
	switch {
	case len(word) == 0 || len(bytes.Trim(word, "0123456789abcdefABCDEF")) > 0:
		return fmt.Sprintf("%q is not a digest in hexadecimal digits", cutWord(word))
	case len(word)%2 != 0:
		return fmt.Sprintf("the digest has an odd number of hexadecimal digits, %d", len(word))
	case digestAlgorithm(width) == "":
		return fmt.Sprintf("the digest has %d hexadecimal digits; md5 has 32, sha1 40, sha256 64, sha384 96 and sha512 128", len(word))
	case p.width != 0 && p.width != width:
		return fmt.Sprintf("the digest is of %s, those before it are of %s", digestAlgorithm(width), digestAlgorithm(p.width))
	}
	return ""
}

// cutWord returns the word, or its beginning when it is long.
func cutWord(word []byte) string {
	const most = 64
	if len(word) > most {
		return string(word[:most]) + "…"
	}
	return string(word)
}

// digestAlgorithm returns the name of the algorithm whose digests have so many
// bytes, or nothing.
func digestAlgorithm(width int) string {
	switch width {
	case 16:
		return "md5"
	case 20:
		return "sha1"
	case 32:
		return "sha256"
	case 48:
		return "sha384"
	case 64:
		return "sha512"
	}
	return ""
}
