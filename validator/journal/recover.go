package journal

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// maxLine is the longest record that is read, in bytes.
const maxLine = 4 << 20

// resume goes on where the last segment ends.
func (j *Journal) resume(name segmentName) error {
	path := filepath.Join(j.o.Dir, name.file(openEnding))
	end, err := scanEnd(path, name)
	if err != nil {
		return err
	}
	if end.torn > 0 {
		if err := j.repair(path, end); err != nil {
			return fmt.Errorf("cutting off the end of %s: %w", path, err)
		}
	}
	if end.next == 0 { // Nothing was recorded in it: the next one has its number.
		return os.Remove(path)
	}
	file, err := j.disk.Open(path)
	if err != nil {
		return err
	}
	begun := j.o.Now()
	if end.begun.Before(begun) {
		begun = end.begun
	}
	j.w.segment = &segment{name: name, file: file, size: end.size, begun: begun}
	j.w.at = position{next: end.next, prev: end.hash}
	return nil
}

// repair cuts off what follows the last record of a segment that is whole and in
// order. If there are records in it, they are kept beside the log: that is no
// write that was broken off, and somebody may want to see it.
func (j *Journal) repair(path string, end segmentEnd) error {
	detail := fmt.Sprintf("%d bytes at the end of %s were no whole record and were cut off: the process or the machine stopped while they were written", end.torn, filepath.Base(path))
	if end.more {
		kept, err := setAside(path, end.size)
		if err != nil {
			return err
		}
		detail = fmt.Sprintf("%d bytes of %s from byte %d on are not the records that belong there; they were moved to %s", end.torn, filepath.Base(path), end.size, kept)
	}
	file, err := j.disk.Open(path)
	if err != nil {
		return err
	}
	if err := errors.Join(file.Truncate(end.size), file.Sync(), file.Close()); err != nil {
		return err
	}
	j.tell(Happening{What: Repaired, Detail: detail})
	j.notes = append(j.notes, note{NoteRepaired, end.torn, detail})
	return nil
}

// setAside copies a file from a byte on to another one, and returns its name.
func setAside(path string, from int64) (string, error) {
	source, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer source.Close()
	for i := range 1000 {
		name := path + "." + strconv.Itoa(i) + tornEnding
		if _, err := os.Lstat(name); err == nil {
			continue
		}
		return filepath.Base(name), replace(name, func(to io.Writer) error {
			_, err := io.Copy(to, io.NewSectionReader(source, from, 1<<62))
			return err
		})
	}
	return "", fmt.Errorf("there are too many files %s.*%s; move them away", path, tornEnding)
}

// segmentEnd is where a segment ends.
type segmentEnd struct {
	next  uint64 // number of the record after its last; 0 if it has none
	hash  [sha256.Size]byte
	size  int64     // of all records that are whole and in order
	torn  int64     // bytes behind them
	more  bool      // there are records in these
	begun time.Time // of its first record; zero if that is not known
}

// scanEnd reads a segment that is written to, and finds where its records end.
func scanEnd(path string, name segmentName) (segmentEnd, error) {
	file, err := os.Open(path)
	if err != nil {
		return segmentEnd{}, err
	}
	defer file.Close()
	return endOf(file, name)
}

// endOf finds how far a segment has the records that it should have, each with
// the hash of the one before. What follows is torn. That a record is whole is
// proved by the one behind it; the last one must be JSON.
func endOf(r io.Reader, name segmentName) (end segmentEnd, err error) {
	lines := bufio.NewReaderSize(r, 1<<18)
	var last segmentEnd // without the last record
	var line []byte
	next := uint64(name)
	for end.torn == 0 {
		text, err := readLine(lines)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errLong) {
			return end, err
		}
		seq, prev, ok := head(text)
		if err != nil || !ok || seq != next || end.next != 0 && prev != end.hash {
			end.torn = int64(len(text))
			end.more = err == nil && ok
			break
		}
		last, line = end, append(line[:0], text...)
		next++
		end.next, end.size, end.hash = next, end.size+int64(len(text)), sha256.Sum256(text[:len(text)-1])
		if last.next == 0 {
			end.begun = timeIn(text)
		}
	}
	if line != nil && !json.Valid(line) {
		last.torn, last.more = end.torn+int64(len(line)), end.more
		end = last
	}
	return end, end.measure(lines)
}

// measure adds what follows.
func (s *segmentEnd) measure(lines *bufio.Reader) error {
	for {
		text, err := readLine(lines)
		s.torn += int64(len(text))
		_, _, ok := head(text)
		s.more = s.more || ok && err == nil
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, errLong) {
			return err
		}
	}
}

// errLong says that a record is longer than any can be.
var errLong = fmt.Errorf("a line has more than %d bytes", maxLine)

// readLine returns the next line with its line feed. The error is io.EOF where
// that is missing, and errLong where it does not come in time.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	long := slices.Clone(line)
	for errors.Is(err, bufio.ErrBufferFull) {
		if len(long) > maxLine {
			return long, errLong
		}
		line, err = r.ReadSlice('\n')
		long = append(long, line...)
	}
	return long, err
}

// head reads the beginning of a record as it is written: its number and the hash
// before it.
func head(line []byte) (seq uint64, prev [sha256.Size]byte, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte(headOpening))
	if !ok {
		return 0, prev, false
	}
	digits, rest, ok := bytes.Cut(rest, []byte(headMiddle))
	if !ok || len(rest) < hex.EncodedLen(sha256.Size)+len(headClosing) || len(digits) == 0 || digits[0] == '0' || digits[0] == '+' {
		return 0, prev, false
	}
	seq, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		return 0, prev, false
	}
	if _, err := hex.Decode(prev[:], rest[:hex.EncodedLen(sha256.Size)]); err != nil {
		return 0, prev, false
	}
	return seq, prev, bytes.HasPrefix(rest[hex.EncodedLen(sha256.Size):], []byte(headClosing))
}

// timeIn returns the time of a record.
func timeIn(line []byte) time.Time {
	var r struct {
		Time time.Time `json:"time"`
	}
	_ = json.Unmarshal(line, &r) // It is not known then.
	return r.Time
}
