package tally

import (
	"errors"
	"math"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// ErrFull says that a count needs more room than there is. Nothing was counted.
var ErrFull = errors.New("too many files are being counted at once")

// Tally is what was counted. It is for one goroutine at a time.
type Tally struct {
	room int
	// now is the latest time of an entry, in nanoseconds: time does not go back when
	// another server, whose clock is late, takes over.
	now int64

	counterOf map[Key]int32
	counters  []counter
	spare     []int32 // Places in counters that are free.

	fileOf map[Key]int32
	files  []file
	unused []int32 // Places in files that are free.
	ending []int32 // A heap of places in files, with the one that ends first in front.
}

// counter is the sum of its files.
type counter struct {
	key          Key
	files, bytes int64
}

// file is what is remembered of a file. A million of them are 100 MB.
type file struct {
	key     Key
	from    int64
	to      int64
	final   int64 // The largest To that was final, or below 0.
	until   int64 // When it ends to be counted, in nanoseconds.
	counter int32
	at      int32 // Its place in the heap.
}

// size is how many bytes are counted.
func (f *file) size() int64 { return max(0, f.to-f.from) }

// New returns a Tally that remembers so many files at most, of all counters
// together. All that read one stream have the same room.
func New(room int) *Tally {
	return &Tally{room: min(room, math.MaxInt32), counterOf: map[Key]int32{}, fileOf: map[Key]int32{}}
}

// Files returns how many files are remembered, and Counters of how many counters.
func (t *Tally) Files() int { return len(t.fileOf) }

// Counters returns how many counters have a file.
func (t *Tally) Counters() int { return len(t.counterOf) }

// Add counts an entry, of which EntryOf or ParseBatch has seen that it can be. What
// is not allowed changes nothing, and what adds nothing is always allowed. The error
// is ErrFull.
func (t *Tally) Add(at time.Time, e *Entry) (rules.Counted, error) {
	t.now = max(t.now, at.UnixNano())
	t.forget()
	place, known := t.fileOf[e.File]
	is, sum, counted, err := t.weigh(e, place, known, counter{})
	if err != nil || !counted.Allowed {
		return counted, err
	}
	is.until = max(is.until, t.now+int64(e.Window))
	if known {
		t.files[place] = is
		t.sink(is.at)
	} else if is.counter = t.remember(is, e.Counter); is.counter < 0 {
		return rules.Counted{}, ErrFull
	}
	t.counters[is.counter].files, t.counters[is.counter].bytes = sum.files, sum.bytes
	return counted, nil
}

// Would says what Add would, at a time of the caller's clock, and changes nothing.
func (t *Tally) Would(at time.Time, e *Entry) (rules.Counted, error) {
	now := max(t.now, at.UnixNano())
	place, known := t.fileOf[e.File]
	known = known && t.files[place].until > now
	var gone counter
	n := t.over(t.find(e.Counter), now, 0, &gone)
	_, _, counted, err := t.weigh(e, place, known, gone)
	if err == nil && counted.Allowed && !known && len(t.fileOf)-n >= t.room {
		return rules.Counted{}, ErrFull
	}
	return counted, err
}

// weigh returns what an entry makes of its file and of its counter, from which over
// is taken away. place is that of the file, if it is known.
func (t *Tally) weigh(e *Entry, place int32, known bool, over counter) (is file, sum counter, counted rules.Counted, err error) {
	var was file
	if known {
		was = t.files[place]
		is = was
	} else {
		is = file{key: e.File, from: e.From, final: -1, counter: t.find(e.Counter)}
	}
	is.hear(e)
	if is.counter >= 0 {
		sum = t.counters[is.counter]
	}
	sum.files, sum.bytes = sum.files-over.files, sum.bytes-over.bytes
	more := is.size() - was.size()
	if more > 0 && sum.bytes > math.MaxInt64-more {
		return is, sum, counted, ErrFull // Nobody has so many: somebody makes them up.
	}
	sum.bytes += more
	if !known {
		sum.files++
	}
	tooMany := !known && e.Files > 0 && sum.files > e.Files
	tooMuch := more > 0 && e.Bytes > 0 && sum.bytes > e.Bytes
	return is, sum, rules.Counted{Allowed: !tooMany && !tooMuch, Files: sum.files, Bytes: sum.bytes}, nil
}

// hear takes over what an entry says of the file.
func (f *file) hear(e *Entry) {
	f.from = min(f.from, e.From)
	if e.Final {
		f.final = max(f.final, e.To)
		f.to = f.final
		return
	}
	f.to = max(f.to, e.To)
}

// Known answers an entry that adds nothing to what was counted, at a time of the
// caller's clock, and changes nothing: its sums may have what has ended meanwhile. It
// does not know of what is final, nor of a file that is to be counted longer by half
// a window or more.
func (t *Tally) Known(at time.Time, e *Entry) (counted rules.Counted, known bool) {
	place, known := t.fileOf[e.File]
	if !known || e.Final {
		return rules.Counted{}, false
	}
	f := &t.files[place]
	if e.From < f.from || e.To > f.to || f.until-max(t.now, at.UnixNano()) < int64(e.Window)/2 {
		return rules.Counted{}, false
	}
	sum := &t.counters[f.counter]
	return rules.Counted{Allowed: true, Files: sum.files, Bytes: sum.bytes}, true
}

// find returns the place of a counter, below 0 if it has no file.
func (t *Tally) find(key Key) int32 {
	if place, known := t.counterOf[key]; known {
		return place
	}
	return -1
}
