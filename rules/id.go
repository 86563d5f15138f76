package rules

import (
	"encoding/hex"
	"time"
)

// ID names an event and the decision made about it: a UUID of version 7
// (RFC 9562), so that ids sort by time.
type ID [16]byte

// NewID returns the id for an event received at now. random must be fresh for
// each id; 74 of its bits are used, so two events of one millisecond collide
// once in 10²².
func NewID(now time.Time, random [10]byte) ID {
	var id ID
	ms := uint64(now.UnixMilli())
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	copy(id[6:], random[:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// AppendText appends the id's 36 characters to b.
func (id ID) AppendText(b []byte) ([]byte, error) {
	for i, group := range [...][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, group)
	}
	return b, nil
}

// String returns the id in its usual form, 36 characters.
func (id ID) String() string {
	var room [36]byte
	b, _ := id.AppendText(room[:0])
	return string(b)
}
