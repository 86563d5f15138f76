package sinks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// saveEvery is how often a position is written to disk at most.
const saveEvery = time.Second

// mostPassed is how many records are passed over by the filter before what was
// reached is noted.
const mostPassed = 10_000

// begin finds where to go on. It reports whether it could.
func (p *pump) begin() bool {
	agrees, err := p.follow.start(p.position)
	if err == nil && p.fresh {
		err = p.toEnd()
	}
	if err != nil {
		p.failures++
		p.note(err, false)
		return false
	}
	if !agrees {
		p.diverged()
	}
	p.failures = 0
	p.read = p.follow.at
	p.position = p.position.from(p.read)
	p.needs.Store(p.read.seq + 1)
	if p.fresh && p.read.seq > 0 {
		p.position = p.position.add(p.read)
		p.save()
	}
	p.fresh = false
	p.count(func(*Stats) {})
	return true
}

// from returns the position without the marks behind a record.
func (p position) from(m mark) position {
	for len(p) > 0 && p[0] != m {
		p = p[1:]
	}
	return p
}

// toEnd goes to the end of the log, by its last segment that has a record.
func (p *pump) toEnd() error {
	list, err := segments(p.o.Dir)
	if err != nil {
		return err
	}
	for _, first := range slices.Backward(list) {
		p.follow.to(mark{})
		if err := p.follow.enter(first); err != nil {
			return err
		}
		for err == nil {
			_, err = p.follow.next()
		}
		if !errors.Is(err, errEnd) {
			return err
		}
		if p.follow.at.seq > 0 {
			return nil
		}
		err = nil
	}
	return nil
}

// diverged says that the log is not the one that the position is of.
func (p *pump) diverged() {
	last := p.position.last()
	if at := p.follow.at.seq; at > 0 {
		p.tell("position", fmt.Sprintf("record %d, the last one that was sent, is not in the log: its end was lost or restored; all behind record %d is sent, also if it was sent before", last.seq, at), nil, last.seq)
		return
	}
	p.tell("position", fmt.Sprintf("record %d, the last one that was sent, is not in the log, nor any before it: it is another log; all of it is sent", last.seq), nil, last.seq)
}

// fill reads a batch. full says that there may be more.
func (p *pump) fill() (full bool, err error) {
	p.size = 0
	for passed := 0; ; passed++ {
		if len(p.batch) >= p.sink.BatchRecords || p.size >= p.sink.BatchBytes || passed >= mostPassed {
			return true, nil
		}
		if p.o.Last != nil && p.read.seq >= p.o.Last() {
			return false, nil
		}
		i, takes, err := p.next()
		if errors.Is(err, errEnd) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if takes && len(p.batch) > 0 && p.size+len(i.text) > p.sink.BatchBytes {
			p.held = &i
			return true, nil
		}
		p.read = mark{i.seq, i.hash}
		if !takes {
			p.count(func(s *Stats) { s.Filtered++ })
			continue
		}
		p.batch = append(p.batch, i)
		p.size += len(i.text)
	}
}

// next returns the next record as it is sent, and whether it is.
func (p *pump) next() (i item, takes bool, err error) {
	if p.held != nil {
		i, p.held = *p.held, nil
		return i, true, nil
	}
	e, err := p.follow.next()
	if err != nil || !p.sink.Filter.takes(&e.record) {
		return item{entry: e}, false, err
	}
	text := p.sink.Fields.document(&e)
	if p.sink.Fields != FieldsOwn {
		e.line = nil
	}
	return item{e, text}, true, nil
}

// unread handles an error of reading the log. What was read is sent nevertheless.
func (p *pump) unread(err error) (more bool) {
	if errors.Is(err, errDiverged) {
		p.goBack()
		return true
	}
	p.failures++
	p.note(err, false)
	p.o.pause(p.done, p.wait(&failure{}))
	return len(p.batch) > 0
}

// goBack forgets what was read and begins again where all is known to have arrived.
func (p *pump) goBack() {
	p.batch, p.held, p.size, p.sent = nil, nil, 0, nil
	for !p.begin() && !p.closing() {
		p.o.pause(p.done, p.wait(&failure{}))
	}
}

// advance notes what was done with of the batch.
func (p *pump) advance(made progress) {
	for _, r := range made.refused {
		p.tell("refused", "the destination does not take this record, which is left out", r.why, r.seq)
	}
	up := p.read
	if made.done < len(p.batch) {
		if made.done == 0 {
			return
		}
		up = mark{p.batch[made.done-1].seq, p.batch[made.done-1].hash}
	}
	for i := range made.done {
		p.size -= len(p.batch[i].text)
		p.batch[i] = item{}
	}
	p.batch = p.batch[made.done:]
	if len(p.batch) == 0 {
		p.batch = nil
	}
	p.count(func(s *Stats) {
		s.Delivered += uint64(made.done - len(made.refused))
		s.Refused += uint64(len(made.refused))
	})
	if up.seq > 0 {
		p.sending(up)
	}
}

// sending is a record up to which all was sent, and when.
type sending struct {
	mark       mark
	begun, end time.Time
}

// sending notes that all up to a record was sent, in pieces of time: there are no
// more than a few dozen.
func (p *pump) sending(up mark) {
	now := p.o.Now()
	if n := len(p.sent); n > 0 {
		if p.sent[n-1].mark == up {
			return
		}
		if now.Sub(p.sent[n-1].begun) < p.settle/32 {
			p.sent[n-1].mark, p.sent[n-1].end = up, now
			return
		}
	} else if p.position.last() == up {
		return
	}
	p.sent = append(p.sent, sending{up, now, now})
}

// settled takes into the position what was sent long enough ago.
func (p *pump) settled() {
	now, n := p.o.Now(), 0
	for n < len(p.sent) && now.Sub(p.sent[n].end) >= p.settle {
		p.position = p.position.add(p.sent[n].mark)
		n++
	}
	p.sent = append(p.sent[:0], p.sent[n:]...)
}

// save writes the position to disk, if it has changed.
func (p *pump) save() {
	last := p.position.last()
	if last == p.saved || last.seq == 0 {
		return
	}
	p.savedAt = p.o.Now()
	if err := p.position.save(p.o.Dir, p.sink.Name); err != nil {
		if !p.unsaved {
			p.tell("position", "the position cannot be written; after a restart more than usual is sent again", err, 0)
		}
		p.unsaved = true
		return
	}
	p.saved, p.unsaved = last, false
	p.needs.Store(last.seq + 1)
}

// end ends the destination and writes the position.
func (p *pump) end(ctx context.Context) {
	if p.dest.close(ctx) && len(p.sent) > 0 && p.failures == 0 {
		p.position = p.position.add(p.sent[len(p.sent)-1].mark)
	}
	p.save()
}
