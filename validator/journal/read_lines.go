package journal

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// readBuffer is how much of a segment is read at once, in bytes.
const readBuffer = 256 << 10

// lineReader reads lines without copying those that are not long.
type lineReader struct {
	in   *bufio.Reader
	long []byte
	took int64 // bytes of the last line, with its line feed
}

func newLineReader(in io.Reader) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(in, readBuffer)}
}

// next returns the next line without its line feed, valid until the call after.
// The error is io.EOF, with what there is, where the line feed is missing; errLong
// for a line that is longer than a record can be, which is passed over; or the
// reader's.
func (r *lineReader) next() ([]byte, error) {
	line, err := r.in.ReadSlice('\n')
	r.took = int64(len(line))
	if err == nil {
		return line[:len(line)-1], nil
	}
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	r.long = append(r.long[:0], line...)
	tooLong := false
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = r.in.ReadSlice('\n')
		r.took += int64(len(line))
		if tooLong = tooLong || len(r.long)+len(line) > maxLine; !tooLong {
			r.long = append(r.long, line...)
		}
	}
	switch {
	case err != nil:
		return r.long, err
	case tooLong:
		return nil, errLong
	}
	return r.long[:len(r.long)-1], nil
}

// cut is bytes.Cut by a text.
func cut(b []byte, by string) (before, after []byte, found bool) {
	return bytes.Cut(b, []byte(by))
}
