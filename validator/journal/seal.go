package journal

import (
	"bytes"
	"crypto/sha256"
	"strconv"
	"time"
)

// noteSize is about what a note, or a record's seq and prev, take in bytes.
const noteSize = 120

// headOpening and headMiddle are around the number at the beginning of a record.
const (
	headOpening = `{"seq":`
	headMiddle  = `,"prev":"`
	headClosing = `",`
)

// seal chains the records of a batch to the end of the log, in the writer's
// memory, and returns where the log ends then. It is done by the one who writes,
// so that what cannot be written leaves no gap.
func (j *Journal) seal(t *taken, last bool) position {
	at := j.w.at
	out := j.w.out[:0]
	if cap(out) > mostKept {
		out = nil
	}
	for _, n := range t.notes {
		out = at.chain(out, j.appendNote(nil, n))
	}
	for rest := t.text; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n')
		out = at.chain(out, rest[:end])
		rest = rest[end+1:]
	}
	if last {
		out = at.chain(out, j.appendNote(nil, note{NoteClosed, 0, "the service has ended in order"}))
	}
	j.w.out = out
	return at
}

// chain appends a record with its seq and prev, and goes behind it.
func (p *position) chain(out, text []byte) []byte {
	from := len(out)
	out = append(out, headOpening...)
	out = strconv.AppendUint(out, p.next, 10)
	out = append(out, headMiddle...)
	out = appendHash(out, &p.prev)
	out = append(out, headClosing...)
	out = append(out, text...)
	p.prev = sha256.Sum256(out[from:])
	p.next++
	return append(out, '\n')
}

// appendNote appends a record that the log makes of itself, without seq and prev.
func (j *Journal) appendNote(b []byte, n note) []byte {
	b = append(b, `"note":"`...)
	b = append(b, n.word...)
	b = append(b, '"')
	if n.count != 0 {
		b = append(b, `,"count":`...)
		b = strconv.AppendInt(b, n.count, 10)
	}
	b = append(b, `,"time":"`...)
	b = j.o.Now().UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, '"')
	b = append(b, j.encoder.instance...)
	b = appendText(b, `,"message":`, n.message)
	return append(b, '}')
}
