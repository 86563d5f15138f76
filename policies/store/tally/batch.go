package tally

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// Batch is entries that one validator proposes at once.
type Batch struct {
	// ID tells whoever proposed it that it is his.
	ID Key
	// Entries are counted in this order.
	Entries []Entry
}

// MaxEntries is the most that a batch has.
const MaxEntries = 512

// version is that of the form in which batches are written. Another one is not read.
const version = 1

// Flags of an entry.
const flagFinal = 1

var errCut = errors.New("the batch ends too early")

// Append writes the batch behind what is in to.
func (b *Batch) Append(to []byte) []byte {
	to = append(append(to, version), b.ID[:]...)
	to = binary.AppendUvarint(to, uint64(len(b.Entries)))
	for i := range b.Entries {
		e := &b.Entries[i]
		flags := byte(0)
		if e.Final {
			flags = flagFinal
		}
		to = append(append(append(to, flags), e.Counter[:]...), e.File[:]...)
		for _, n := range [...]int64{e.From, e.To, int64(e.Window), e.Files, e.Bytes} {
			to = binary.AppendUvarint(to, uint64(n))
		}
	}
	return to
}

// Window is the longest of the entries.
func (b *Batch) Window() (longest time.Duration) {
	for i := range b.Entries {
		longest = max(longest, b.Entries[i].Window)
	}
	return longest
}

// ParseBatch reads a batch into b, whose room for entries is used again. The text
// may be anybody's.
func ParseBatch(text []byte, b *Batch) error {
	b.Entries = b.Entries[:0]
	r := reader{rest: text}
	if v := r.byte(); r.err == nil && v != version {
		return fmt.Errorf("a batch in the form %d, and %d is known here", v, version)
	}
	b.ID = r.key()
	n := r.number()
	if n > MaxEntries {
		return fmt.Errorf("a batch of %d entries, and %d are possible", n, MaxEntries)
	}
	for range n {
		flags := r.byte()
		e := Entry{Final: flags&flagFinal != 0, Counter: r.key(), File: r.key()}
		e.From, e.To, e.Window, e.Files, e.Bytes = r.number(), r.number(), time.Duration(r.number()), r.number(), r.number()
		if r.err != nil {
			return r.err
		}
		if flags > flagFinal {
			return fmt.Errorf("an entry with flags %#x that are not known here", flags)
		}
		if err := e.check(); err != nil {
			return err
		}
		b.Entries = append(b.Entries, e)
	}
	if r.err == nil && len(r.rest) > 0 {
		r.err = fmt.Errorf("%d bytes behind the last entry", len(r.rest))
	}
	return r.err
}

// reader reads from a text until something is wrong with it.
type reader struct {
	rest []byte
	err  error
}

// take returns so many bytes, or nil.
func (r *reader) take(n int) []byte {
	if len(r.rest) < n {
		r.rest, r.err = nil, errCut
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) key() (k Key) {
	copy(k[:], r.take(len(k)))
	return k
}

func (r *reader) number() int64 {
	if len(r.rest) == 0 {
		r.err = errCut
		return 0
	}
	n, length := binary.Uvarint(r.rest)
	if length <= 0 || n > math.MaxInt64 {
		r.rest, r.err = nil, errors.New("a number of the batch cannot be read")
		return 0
	}
	r.rest = r.rest[length:]
	return int64(n)
}
