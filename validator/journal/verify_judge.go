package journal

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// judge holds the first record that waits against the one before it. The one behind
// it, if there is one, tells which of the two is not as it was written: it has the
// hash of what was there.
func (v *verifier) judge() {
	b := v.waiting[0]
	var c *link
	if len(v.waiting) > 1 {
		c = &v.waiting[1]
	}
	v.waiting = v.waiting[:copy(v.waiting, v.waiting[1:])]
	if b.first && !v.base.numbered && b.name > 0 { // The name says what is to come.
		v.base = base{link: link{seq: b.name - 1}, numbered: true}
	}
	if !b.record {
		v.broken(&b, v.expected(), Altered, "%s is no record any more", v.recordAfter())
		v.base = base{link: link{seq: v.expected()}, numbered: v.base.numbered}
		return
	}
	if v.First == 0 {
		v.begins(&b)
	}
	next := base{link: b, numbered: true, hashed: true}
	if v.base.numbered {
		next = v.follows(&b, c)
	}
	if !b.whole && next.hashed && (c == nil || c.prev == b.hash || c.seq != b.seq+1) {
		v.broken(&b, b.seq, Altered, "record %d is not JSON that a record can be", b.seq)
	}
	v.base = next
	v.Last, v.Hash = max(v.Last, b.seq), hexOf(b.hash)
	if b.first {
		v.holdIndex(&b.ended, true)
	}
}

// begins notes the first record of all.
func (v *verifier) begins(b *link) {
	v.First, v.Before = b.seq, hexOf(b.prev)
	if b.seq == 1 && b.prev != [sha256.Size]byte{} {
		v.broken(b, 1, Altered, "record 1 has a hash before it, and is the first of all")
	}
	if want := v.witness.Before; want != "" && !strings.EqualFold(want, v.Before) {
		v.broken(b, b.seq, NoteDisagrees, "before record %d, the first, stands the hash %s, and %s was noted", b.seq, v.Before, strings.ToLower(want))
	}
}

// follows judges a record that has one before it, and returns what the next one is
// held against.
func (v *verifier) follows(b, c *link) base {
	a := &v.base
	next := base{link: *b, numbered: true, hashed: true}
	chained := a.hashed && b.prev == a.hash
	switch {
	case b.seq == a.seq+1 && a.hashed && !chained:
		return v.altered(b, c, next)
	case b.seq == a.seq+1:
		if b.first && b.name > 0 && b.name != b.seq {
			v.broken(b, b.seq, SegmentMisnamed, "the segment begins with record %d, and its name says %d", b.seq, b.name)
		}
		return next
	case b.first && b.seq < b.name && a.seq == b.name-1 && !a.hashed:
		v.broken(b, b.seq, SegmentMisnamed, "the segment begins with record %d, and its name says %d", b.seq, b.name)
		return next
	case chained:
		v.broken(b, a.seq+1, Altered, "record %d has the number %d now", a.seq+1, b.seq)
		next.seq, next.hashed = a.seq+1, false
		return next
	case b.seq <= a.seq:
		v.placed(b)
		next = *a
		next.hashed = false
		if c != nil && c.record && c.seq == a.seq+2 { // It stands in the place of another.
			next.seq++
		}
		return next
	case c != nil && c.record && c.seq == a.seq+1 && b.seq == a.seq+2:
		v.broken(b, c.seq, Swapped, "records %d and %d have changed places", c.seq, b.seq)
		v.waiting = v.waiting[:0]
		return base{link: link{seq: b.seq}, numbered: true}
	case c != nil && c.record && c.seq == a.seq+2:
		v.moved(b, a.seq+1)
		return base{link: link{seq: a.seq + 1}, numbered: true}
	default:
		v.gap(b)
		return next
	}
}

// altered tells which of two records is not as it was written: the later one, if the
// one behind it has another hash of it, too.
func (v *verifier) altered(b, c *link, next base) base {
	a := &v.base
	last := b.seq
	untouched := c != nil && c.record && c.prev == b.hash
	if c == nil || c.first {
		x := v.segment.index
		if c != nil {
			x = c.ended.index
		}
		untouched = untouched || x != nil && x.Last == last && x.Hash == hexOf(b.hash)
	}
	switch {
	case untouched, !a.whole:
		v.broken(&a.link, a.seq, Altered, "record %d is not as it was written: record %d has another hash of it", a.seq, b.seq)
	case c == nil:
		v.broken(&a.link, a.seq, Altered, "record %d or %d, the last, is not as it was written: the hash of the former does not fit", a.seq, b.seq)
	default:
		v.broken(b, b.seq, Altered, "record %d is not as it was written: neither the hash before it nor the one behind it fits", b.seq)
		next.hashed = false
	}
	return next
}

// gap tells what is missing before a record.
func (v *verifier) gap(b *link) {
	from, to := v.base.seq+1, b.seq-1
	what := fmt.Sprintf("records %d to %d are", from, to)
	if from == to {
		what = fmt.Sprintf("record %d is", from)
	}
	if !b.first || b.name == from {
		v.broken(b, from, Deleted, "%s missing", what)
		return
	}
	switch x := b.ended.index; {
	case x != nil && x.Last > v.base.seq:
		v.wrong[b.ended.file] = true
		v.broken(b, from, Truncated, "%s missing at the end of the segment %s, which went on to record %d as its index says", what, b.ended.file, x.Last)
	case x != nil:
		v.broken(b, from, SegmentMissing, "%s missing: the segment between %s and %s is not there", what, b.ended.file, b.segment)
	default:
		v.broken(b, from, SegmentMissing, "%s missing between %s and %s: a whole segment is, or the end of the former", what, b.ended.file, b.segment)
	}
}

// moved remembers a record that stands in the place of another.
func (v *verifier) moved(b *link, place uint64) {
	const most = 1024
	if len(v.places) < most {
		v.places = append(v.places, displaced{*b, place})
	}
}

// displaced is a record and the number whose place it has.
type displaced struct {
	link
	place uint64
}

// placed looks for where a record that comes too late belongs.
func (v *verifier) placed(b *link) {
	for i, p := range v.places {
		if p.place == b.seq {
			v.broken(&p.link, b.seq, Swapped, "records %d and %d have changed places", b.seq, p.seq)
			v.places = append(v.places[:i], v.places[i+1:]...)
			return
		}
	}
	v.broken(b, b.seq, Repeated, "record %d comes behind record %d", b.seq, v.base.seq)
}

// settleMoved tells of records whose place another has, and which did not come.
func (v *verifier) settleMoved() {
	for i := range v.places {
		p := &v.places[i]
		v.broken(&p.link, p.place, Deleted, "record %d is missing, and record %d stands in its place", p.place, p.seq)
	}
	v.places = nil
}

// broken notes what is wrong with a record.
func (v *verifier) broken(l *link, seq uint64, kind, format string, args ...any) {
	v.wrong[l.segment] = true
	v.fault(&Break{Kind: kind, Sequence: seq, Segment: l.segment, Line: l.line, Message: fmt.Sprintf(format, args...), at: l.at})
}
