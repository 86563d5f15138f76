package journal

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
)

// lines reads the lines of a segment. open says that it is being written to.
func (v *verifier) lines(ctx context.Context, r *segmentReader, open bool) error {
	in := newLineReader(r)
	for number := int64(1); ; number++ {
		if number%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		line, err := in.next()
		switch {
		case err == nil:
			v.line(line, number)
		case errors.Is(err, errLong):
			v.push(link{}, number)
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil
		case errors.Is(err, io.EOF) && open:
			v.Unfinished = int64(len(line))
			return nil
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			v.cutOff(number)
			return nil
		default:
			v.unreadable(number, err)
			return nil
		}
	}
}

// cutOff notes that a segment ends too early.
func (v *verifier) cutOff(number int64) {
	v.settle()
	v.segment.cut = true
	b := &Break{
		Kind: Truncated, Segment: v.segment.file, Line: number, Sequence: v.expected(),
		Message: "the segment ends in the middle of " + v.recordAfter(),
	}
	if x := v.segment.index; x != nil && x.Last >= b.Sequence && b.Sequence > 0 {
		b.Message += fmt.Sprintf("; its index says that it went on to record %d", x.Last)
	}
	v.fault(b)
	v.forget()
}

// unreadable notes that the rest of a segment cannot be read.
func (v *verifier) unreadable(number int64, err error) {
	v.settle()
	v.segment.cut = true
	v.fault(&Break{
		Kind: SegmentUnreadable, Segment: v.segment.file, Line: number, Sequence: v.expected(),
		Message: fmt.Sprintf("the segment cannot be read from %s on: %s", v.recordAfter(), strings.TrimPrefix(withoutPath(err).Error(), "zstd: ")),
	})
	v.forget()
}

// expected is the number of the record that should come next, 0 if that is not
// known.
func (v *verifier) expected() uint64 {
	if v.base.numbered {
		return v.base.seq + 1
	}
	return v.segment.name
}

func (v *verifier) recordAfter() string {
	if n := v.expected(); n > 0 {
		return fmt.Sprintf("record %d", n)
	}
	return "a record"
}

// forget makes the next record one that is held against nothing.
func (v *verifier) forget() {
	v.settle()
	v.base = base{}
}

// line takes in a line.
func (v *verifier) line(line []byte, number int64) {
	var l link
	l.seq, l.prev, l.record = head(line)
	l.hash = sha256.Sum256(line)
	v.Records++
	v.Bytes += int64(len(line)) + 1
	s := &v.segment
	s.records++
	s.bytes += int64(len(line)) + 1
	if l.record {
		var r Record
		l.whole = decodeRecord(line, &r) == nil
		if l.whole {
			v.count(&r, number)
		}
		if s.first == 0 {
			s.first, s.prev = l.seq, hexOf(l.prev)
		}
		s.last, s.hash = l.seq, hexOf(l.hash)
	}
	v.push(l, number)
}

// count sums up what a record says, and holds it against the index.
func (v *verifier) count(r *Record, number int64) {
	if v.From.IsZero() || r.Time.Before(v.From) {
		v.From = r.Time
	}
	if r.Time.After(v.To) {
		v.To = r.Time
	}
	switch r.Note {
	case NoteLost:
		v.Lost += r.Count
	case NoteRepaired:
		v.Repaired++
	}
	if x := v.segment.index; x != nil && !v.wrong[v.segment.file] {
		if field := hides(x, r); field != "" {
			v.wrong[v.segment.file] = true
			v.fault(&Break{
				Kind: IndexDisagrees, Segment: v.segment.file, Line: number, Sequence: r.Sequence, at: v.taken + 1,
				Message: fmt.Sprintf("the index of the segment does not know the %s of record %d: a search would pass over it. Remove the index; it can be made again", field, r.Sequence),
			})
		}
	}
}

// push takes in a record, and judges the one before it.
func (v *verifier) push(l link, number int64) {
	v.taken++
	l.segment, l.line, l.at, l.name = v.segment.file, number, v.taken, v.segment.name
	if l.first = number == 1; l.first {
		l.ended = v.before
	}
	if l.record && l.seq == v.witness.Sequence && l.seq > 0 {
		v.testify(&l)
	}
	v.waiting = append(v.waiting, l)
	if len(v.waiting) > 1 {
		v.judge()
	}
}

// testify holds a record against the witness.
func (v *verifier) testify(l *link) {
	if v.seen = true; !strings.EqualFold(hexOf(l.hash), v.witness.Hash) {
		v.fault(&Break{
			Kind: NoteDisagrees, Segment: l.segment, Line: l.line, Sequence: l.seq, at: l.at,
			Message: fmt.Sprintf("record %d has the hash %s, and was noted with %s", l.seq, hexOf(l.hash), strings.ToLower(v.witness.Hash)),
		})
	}
}

// settle judges what waits although nothing follows.
func (v *verifier) settle() {
	for len(v.waiting) > 0 {
		v.judge()
	}
}

// fault notes something that is wrong; the first of all is told.
func (v *verifier) fault(b *Break) {
	if b.at == 0 {
		b.at = v.taken
	}
	switch {
	case v.Break == nil:
		v.Break = b
	case b.at < v.Break.at:
		v.Break = b
		v.Others++
	default:
		v.Others++
	}
}

// end finishes what is known when all was read.
func (v *verifier) end() {
	v.settle()
	v.settleMoved()
	v.holdIndex(&v.segment, false)
	if w := v.witness; w.Sequence > 0 && !v.seen {
		message := fmt.Sprintf("record %d was noted and is not in the log, which ends with record %d: its end was cut off", w.Sequence, v.Last)
		switch {
		case w.Sequence < v.First:
			message = fmt.Sprintf("record %d was noted and is not in the log any more, which begins with record %d; keep a newer note", w.Sequence, v.First)
		case w.Sequence <= v.Last:
			message = fmt.Sprintf("record %d was noted and is not in the log", w.Sequence)
		}
		v.fault(&Break{Kind: NoteDisagrees, Sequence: w.Sequence, Message: message})
	}
}
