package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// trailer finds the directory.
func (z *zipWalk) trailer() error {
	end := make([]byte, min(z.size, tailSize))
	if n, err := z.at.ReadAt(end, z.size-int64(len(end))); n < len(end) {
		return err
	}
	at, trailing := -1, false
	for i := len(end) - 22; i >= 0; i-- {
		if string(end[i:i+4]) != zipTrailer {
			continue
		}
		rest := len(end) - i - 22 - int(binary.LittleEndian.Uint16(end[i+20:]))
		switch {
		case rest < 0: // No trailer: its comment would not fit.
		case at < 0:
			at, trailing = i, rest > 0
		case rest == 0:
			return z.ambiguous("", "two directories end it")
		}
	}
	if at < 0 {
		return fmt.Errorf("zip: no directory: %w", io.ErrUnexpectedEOF)
	}
	if err := z.readTrailer(end[at:], z.size-int64(len(end))+int64(at)); err != nil {
		return err
	}
	if trailing {
		z.skip(Format, z.c.path(), errTrailing)
		z.miss(z.c, 1)
	}
	return nil
}

// readTrailer reads the trailer at a place.
func (z *zipWalk) readTrailer(t []byte, at int64) error {
	if binary.LittleEndian.Uint16(t[4:]) != binary.LittleEndian.Uint16(t[6:]) {
		return errors.New("zip: it is one part of several")
	}
	z.members = int64(binary.LittleEndian.Uint16(t[10:]))
	z.dirSize = int64(binary.LittleEndian.Uint32(t[12:]))
	offset := int64(binary.LittleEndian.Uint32(t[16:]))
	if z.members == 0xffff || z.dirSize == 0xffffffff || offset == 0xffffffff {
		var err error
		if at, offset, err = z.readTrailer64(at, offset); err != nil {
			return err
		}
	}
	z.directory = at - z.dirSize
	z.base = z.directory - offset
	if z.dirSize < 0 || offset < 0 || z.directory < 0 || z.base < 0 {
		return errZip
	}
	if z.base > 0 && z.members > 0 { // Something lies before the zip; offsets may count from it or not.
		sig, err := z.view.slice(offset, 4)
		if err == nil && string(sig) == zipCentral {
			return z.ambiguous("", "two directories are where one should be")
		}
	}
	return nil
}

// readTrailer64 reads the trailer of a large zip, which lies before that at a
// place. Where there is none, the numbers are meant as they are.
func (z *zipWalk) readTrailer64(at, offset int64) (begins, directory int64, err error) {
	locator, err := z.view.slice(at-20, 20)
	if err != nil || string(locator[:4]) != zip64Locator {
		return at, offset, nil
	}
	said := int64(binary.LittleEndian.Uint64(locator[8:]))
	for _, place := range []int64{at - 20 - 56, said} { // The first, also if something lies before the zip.
		t, err := z.view.slice(place, 56)
		if err != nil || string(t[:4]) != zip64Trailer {
			continue
		}
		z.members = int64(binary.LittleEndian.Uint64(t[32:]))
		z.dirSize = int64(binary.LittleEndian.Uint64(t[40:]))
		if z.dirSize < 0 || z.dirSize > place {
			return 0, 0, errZip
		}
		return place, int64(binary.LittleEndian.Uint64(t[48:])), nil
	}
	return 0, 0, errZip
}
