package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Entry is one record that was read. It is valid until the next is asked for.
type Entry struct {
	Record
	// Segment is the file that holds it, and Line its number there, from 1.
	Segment string
	Line    int64
	// Text is the line as it is written, without its line feed.
	Text []byte
}

// ReadError is a place of a log that could not be read. What follows it is read
// nevertheless.
type ReadError struct {
	// Segment is the file, and Line the number of the line in it, from 1; 0 where
	// it is about the file as a whole.
	Segment string
	Line    int64
	Err     error
}

// Error implements error.
func (e *ReadError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s, line %d: %s", e.Segment, e.Line, e.Err)
	}
	return e.Segment + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *ReadError) Unwrap() error { return e.Err }

// Causes of a ReadError.
var (
	// ErrRemoved says that a segment was removed while the log was read: it had
	// become too old, or the log too large.
	ErrRemoved = errors.New("it was removed while the log was read")
	// ErrNoRecord says that a line is no record.
	ErrNoRecord = errors.New("this is no record")
	// ErrCut says that a segment ends in the middle of a record.
	ErrCut = errors.New("it ends in the middle of a record")
	// ErrTakenBack says that records which were read were cut off again, because
	// they could not be made safe. Nobody had their answers.
	ErrTakenBack = errors.New("its last records were taken back, because the disk failed")
)

// ReadStats count what a reading has done so far.
type ReadStats struct {
	// Segments were read, Skipped passed over because of their index.
	Segments, Skipped int
	// Lines and Bytes were looked at, uncompressed; Decoded of the lines were taken
	// apart, the others passed over by their bytes.
	Lines, Decoded, Bytes int64
	// Broken counts places that could not be read.
	Broken int
	// Untold counts records of which the query's expression could not tell.
	Untold int64
}

// Read reads a log: a folder, or one segment in a file, compressed or not. A
// service may write to it meanwhile: what is read is what was there at the
// beginning, up to the last whole record. The error is a *ReadError where the
// reading goes on, a *QueryError where the query is wrong, and any other where the
// log cannot be read at all; after the last two nothing follows.
func Read(ctx context.Context, from string, q *Query) iter.Seq2[*Entry, error] {
	s, err := q.Compile()
	if err != nil {
		return func(yield func(*Entry, error) bool) { yield(nil, err) }
	}
	return s.Read(ctx, from)
}

// scan is what a reading looks for. A nil function takes everything.
type scan struct {
	// segment reports whether a segment with an index may have anything.
	segment func(*Index) bool
	// line reports whether a line in the log's own form may be wanted.
	line func([]byte) bool
	// record reports whether a record is wanted.
	record func(*Record) bool

	stats ReadStats
}

// yielding hands out what was found, and remembers whether more is wanted.
type yielding struct {
	yield func(*Entry, error) bool
	over  bool
}

func (y *yielding) entry(e *Entry) { y.over = y.over || !y.yield(e, nil) }
func (y *yielding) err(err error)  { y.over = y.over || !y.yield(nil, err) }

// broken tells of a place that could not be read.
func (s *scan) broken(y *yielding, segment string, line int64, err error) {
	s.stats.Broken++
	y.err(&ReadError{Segment: segment, Line: line, Err: err})
}

// lines looks at the lines of a segment. open says that it is being written to, so
// that its end may lack something.
func (s *scan) lines(ctx context.Context, name string, in io.Reader, open bool, y *yielding) {
	r := newLineReader(in)
	for number := int64(1); !y.over; number++ {
		if number%1024 == 0 && ctx.Err() != nil {
			y.err(context.Cause(ctx))
			y.over = true
			return
		}
		line, err := r.next()
		switch {
		case err == nil:
			s.look(name, number, line, y)
		case errors.Is(err, errLong):
			s.broken(y, name, number, err)
		case errors.Is(err, io.EOF):
			if len(line) > 0 && !open {
				s.broken(y, name, number, ErrCut)
			}
			return
		default:
			s.broken(y, name, number, cause(err))
			return
		}
	}
}

// cause says in our words that what is compressed ends too early.
func cause(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrCut
	}
	return withoutPath(err)
}

// look takes a line apart if it may be wanted, and hands it out if it is.
func (s *scan) look(segment string, number int64, line []byte, y *yielding) {
	s.stats.Lines++
	s.stats.Bytes += int64(len(line)) + 1
	if s.line != nil && inForm(line) && !s.line(line) {
		return
	}
	s.stats.Decoded++
	e := Entry{Segment: segment, Line: number, Text: line}
	if err := decodeRecord(line, &e.Record); err != nil {
		s.broken(y, segment, number, err)
		return
	}
	if s.record == nil || s.record(&e.Record) {
		y.entry(&e)
	}
}

// inForm reports whether a line begins and ends as the log writes it. One that does
// not is damaged, or may have been through another program: its bytes tell nothing.
func inForm(line []byte) bool {
	const begin = `{"seq":`
	return len(line) > len(begin) && string(line[:len(begin)]) == begin && line[len(begin)] != ' ' && line[len(line)-1] == '}'
}

// decodeRecord reads a line. Its error holds nothing of what the line says.
func decodeRecord(line []byte, r *Record) error {
	err := json.Unmarshal(line, (*asWritten)(r))
	var syntactic *jsontext.SyntacticError
	var semantic *json.SemanticError
	switch {
	case errors.As(err, &syntactic):
		return fmt.Errorf("%w: not JSON at byte %d", ErrNoRecord, syntactic.ByteOffset)
	case errors.As(err, &semantic):
		return fmt.Errorf("%w: its member %s is none that a record can have", ErrNoRecord, semantic.JSONPointer)
	case err != nil:
		return fmt.Errorf("%w: not JSON", ErrNoRecord)
	case r.Sequence == 0:
		return fmt.Errorf("%w: it has no number", ErrNoRecord)
	}
	r.complete()
	return nil
}

// timeOf returns the time of a line in the log's own form without taking it apart.
func timeOf(line []byte) (time.Time, bool) {
	const before, most = `","time":"`, 256
	head := line[:min(len(line), most)]
	_, rest, found := cut(head, before)
	if !found {
		return time.Time{}, false
	}
	text, _, found := cut(rest, `"`)
	if !found {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, string(text))
	return t, err == nil
}
