package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"
)

// maxTail is the most records that Tail returns.
const maxTail = 100_000

// Tail returns the last n records of a log that are wanted, in order, and the
// number of the last record of all. It reads the segments from the end, as far as
// it must. Places that could not be read are joined in broken; err says that the
// log could not be read at all.
func (s *Search) Tail(ctx context.Context, dir string, n int) (last []*Entry, after uint64, broken, err error) {
	s.stats = ReadStats{}
	list, err := listSegments(dir)
	if err != nil {
		return nil, 0, nil, fmt.Errorf("the decision log: %w", err)
	}
	n = min(max(n, 0), maxTail)
	var wrong []error
	wants := s.record
	defer func() { s.record = wants }()
	s.record = func(r *Record) bool { // Sees every line of an empty query.
		after = max(after, r.Sequence)
		return wants(r)
	}
	for _, l := range slices.Backward(list) {
		if len(last) >= n && after > 0 {
			break
		}
		var here []*Entry
		y := &yielding{yield: func(e *Entry, err error) bool {
			if err != nil {
				wrong = append(wrong, err)
				return len(wrong) < maxListFaults && ctx.Err() == nil
			}
			kept := *e
			kept.Text = slices.Clone(e.Text)
			if here = append(here, &kept); len(here) > 2*n+16 {
				here = slices.Clone(here[len(here)-n:])
			}
			return true
		}}
		s.one(ctx, dir, l, y)
		after = max(after, uint64(l.name)-1)
		here = here[max(len(here)-(n-len(last)), 0):]
		last = append(here, last...)
	}
	return last, after, errors.Join(wrong...), context.Cause(ctx)
}

// Follow reads what is appended to a log behind a record, through every rotation,
// until ctx is done. It looks for more whenever something comes out of tick.
func (s *Search) Follow(ctx context.Context, dir string, after uint64, tick <-chan time.Time) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		s.stats = ReadStats{}
		f := &following{scan: &s.scan, dir: dir, after: after}
		defer f.leave()
		y := &yielding{yield: yield}
		for !y.over {
			f.more(ctx, y)
			select {
			case <-ctx.Done():
				return
			case <-tick:
			}
		}
	}
}

// following is a place in a log that is written to.
type following struct {
	*scan
	dir   string
	after uint64 // records up to this one are not wanted

	name   segmentName // 0 before the first
	reader *segmentReader
	at     int64 // how far the file has been read, to the end of a line
	line   int64
}

func (f *following) leave() {
	if f.reader != nil {
		f.reader.close()
	}
	f.reader = nil
}

// more reads whatever is new.
func (f *following) more(ctx context.Context, y *yielding) {
	for !y.over && ctx.Err() == nil {
		if f.reader != nil {
			f.drain(y)
		}
		next, err := f.next()
		if err != nil {
			y.err(fmt.Errorf("the decision log: %w", err))
			y.over = true
			return
		}
		if next == 0 {
			return
		}
		if f.reader != nil { // It has its end now, which may have come meanwhile.
			f.drain(y)
			f.leave()
		}
		f.enter(next, y)
	}
}

// next returns the segment behind the one that is read, 0 if there is none.
func (f *following) next() (segmentName, error) {
	list, err := listSegments(f.dir)
	if err != nil {
		return 0, err
	}
	var first segmentName
	for _, l := range list {
		switch {
		case f.name > 0 && l.name > f.name:
			return l.name, nil
		case f.name == 0 && (first == 0 || uint64(l.name) <= f.after+1):
			first = l.name
		}
	}
	return first, nil
}

// enter begins to read a segment. One that is compressed is read to its end.
func (f *following) enter(name segmentName, y *yielding) {
	f.name, f.at, f.line = name, 0, 0
	r, err := openSegment(f.dir, name)
	if err != nil {
		f.broken(y, name.file(closedEnding), 0, withoutPath(err))
		return
	}
	f.stats.Segments++
	if r.open {
		f.reader = r
		return
	}
	defer r.close()
	f.read(r, r.name, y)
}

// drain reads what is behind the place in the segment.
func (f *following) drain(y *yielding) {
	info, err := f.reader.file.Stat()
	if err == nil && info.Size() < f.at {
		f.at = info.Size()
		f.after = 0 // The numbers that were read come again.
		f.broken(y, f.reader.name, 0, ErrTakenBack)
	}
	f.read(io.NewSectionReader(f.reader.file, f.at, 1<<62), f.reader.name, y)
}

// read looks at whole lines.
func (f *following) read(in io.Reader, name string, y *yielding) {
	r := newLineReader(in)
	for !y.over {
		line, err := r.next()
		if err != nil && !errors.Is(err, errLong) {
			if !errors.Is(err, io.EOF) {
				f.broken(y, name, f.line+1, cause(err))
			}
			return
		}
		f.line++
		f.at += r.took
		if err != nil {
			f.broken(y, name, f.line, err)
			continue
		}
		if seq, _, ok := head(line); ok && seq <= f.after {
			continue
		}
		f.look(name, f.line, line, y)
	}
}
