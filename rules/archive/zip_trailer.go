package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// trailer finds the directory. Most programs take the last trailer, whatever is
// said in it; some look on if they do not like what is.
func (z *zipWalk) trailer() error {
	end, err := z.lastOf(&content{at: z.at, size: z.size})
	if err != nil {
		return err
	}
	room := end[:max(len(end)-22+len(zipTrailer), 0)]
	at := bytes.LastIndex(room, []byte(zipTrailer))
	if at < 0 {
		return fmt.Errorf("zip: no directory: %w", io.ErrUnexpectedEOF)
	}
	behind := func(at int) int { return len(end) - at - 22 - int(binary.LittleEndian.Uint16(end[at+20:])) }
	other := false // Whether another one, which lies before, ends the file too.
	for i := at; i >= 0; {
		if i = bytes.LastIndex(room[:i], []byte(zipTrailer)); i >= 0 && behind(i) == 0 {
			other = true
		}
	}
	trailing := behind(at)
	switch {
	case other:
		return z.ambiguous("", "two directories end it")
	case trailing < 0:
		return fmt.Errorf("zip: its comment: %w", io.ErrUnexpectedEOF)
	}
	begin := z.size - int64(len(end)-at)
	z.c.span.zipEnd = max(z.c.span.zipEnd, z.c.offset+begin)
	if err := z.readTrailer(end[at:], begin); err != nil {
		return err
	}
	if trailing > 0 && !z.c.besides {
		z.skip(Format, z.c.path(), errTrailing)
		z.miss(z.c, 1)
	}
	return nil
}

var errParts = errors.New("zip: it is one part of several")

// readTrailer reads the trailer at a place.
func (z *zipWalk) readTrailer(t []byte, at int64) error {
	z.members = int64(binary.LittleEndian.Uint16(t[10:]))
	z.dirSize = int64(binary.LittleEndian.Uint32(t[12:]))
	offset := int64(binary.LittleEndian.Uint32(t[16:]))
	if disks := binary.LittleEndian.Uint32(t[4:]); disks != 0 && disks != 1<<32-1 || !bytes.Equal(t[8:10], t[10:12]) {
		return errParts
	}
	said := int64(-1)
	if locator, err := z.view.slice(at-20, 20); err == nil && string(locator[:4]) == zip64Locator {
		said = int64(binary.LittleEndian.Uint64(locator[8:]))
		if at, offset, err = z.readTrailer64(at-20-56, offset); err != nil {
			return err
		}
	} else if z.stop != nil {
		return z.stop
	}
	z.directory = at - z.dirSize
	z.base = z.directory - offset
	if z.dirSize < 0 || offset < 0 || z.directory < 0 || z.base < 0 {
		return errZip
	}
	if said >= 0 && said != at-z.base {
		return z.ambiguous("", "it says that its trailer is at %d, and it is at %d", said, at-z.base)
	}
	if z.base > 0 { // Something lies before the zip; offsets may count from it or not.
		sig, err := z.view.slice(offset, 4)
		if err == nil && string(sig) == zipCentral {
			return z.ambiguous("", "two directories are where one should be")
		}
	}
	return z.stop
}

// readTrailer64 reads the trailer of a large zip, which lies at a place before the
// other one. Some programs go by it whenever it is there, and others only by what
// does not fit into the other one, so both must say the same.
func (z *zipWalk) readTrailer64(place, offset int64) (begins, directory int64, err error) {
	t, err := z.view.slice(place, 56)
	if err != nil {
		return 0, 0, err
	}
	if string(t[:4]) != zip64Trailer || binary.LittleEndian.Uint64(t[4:]) != 56-12 {
		return 0, 0, errZip
	}
	if binary.LittleEndian.Uint64(t[16:]) != 0 || !bytes.Equal(t[24:32], t[32:40]) {
		return 0, 0, errParts
	}
	members, dirSize := int64(binary.LittleEndian.Uint64(t[32:])), int64(binary.LittleEndian.Uint64(t[40:]))
	directory = int64(binary.LittleEndian.Uint64(t[48:]))
	same := func(small, large, most int64) bool { return small == large || small == most }
	if !same(z.members, members, 0xffff) || !same(z.dirSize, dirSize, 0xffffffff) || !same(offset, directory, 0xffffffff) {
		return 0, 0, z.ambiguous("", "its two trailers say two things")
	}
	if dirSize < 0 || dirSize > place {
		return 0, 0, errZip
	}
	z.members, z.dirSize = members, dirSize
	return place, directory, nil
}
