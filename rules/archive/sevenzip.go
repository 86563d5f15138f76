package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

var errSevenZip = errors.New("7z: it is damaged")

// sevenWalk is the walk through one 7z.
type sevenWalk struct {
	*walk
	c      *content
	level  int
	within string
	links  links
	at     io.ReaderAt
	packed int64 // how many bytes lie between the first header and the last
}

// sevenStart is the size of the header at the beginning, in bytes.
const sevenStart = 32

// sevenZip walks a 7z: a directory at the end, and folders, each of which is one
// stream for several members.
func (w *walk) sevenZip(c *content, at io.ReaderAt, size int64, level int) error {
	s := &sevenWalk{walk: w, c: c, level: level, within: c.inside(sevenZipFormat), links: links{w: w}, at: at}
	defer s.links.forget()
	start := make([]byte, sevenStart)
	if n, err := at.ReadAt(start, 0); n < sevenStart {
		return unexpected(err)
	}
	s.packed = int64(binary.LittleEndian.Uint64(start[12:]))
	length := int64(binary.LittleEndian.Uint64(start[20:]))
	switch {
	case crc32.ChecksumIEEE(start[12:]) != binary.LittleEndian.Uint32(start[8:]):
		return errSevenZip
	case length == 0 && s.packed == 0 && size == sevenStart:
		return nil // It is empty.
	case s.packed < 0 || length <= 0 || s.packed > size-sevenStart || length > size-sevenStart-s.packed:
		return io.ErrUnexpectedEOF
	}
	if sevenStart+s.packed+length < size {
		w.skip(Format, c.path(), errTrailing)
		w.miss(c, size-sevenStart-s.packed-length)
	}
	before := s.memory
	d, err := s.directory(sevenStart+s.packed, length, binary.LittleEndian.Uint32(start[28:]))
	taken := before - s.memory
	defer func() { s.memory += taken }()
	if err != nil || d == nil {
		return err
	}
	if err := s.names(d); err != nil {
		return err
	}
	return s.folders(d)
}

// maxNested is how often a directory may be compressed again.
const maxNested = 4

// directory reads the directory at a place, which may be compressed itself. It
// is nil where it cannot be looked at and that is noted. What it takes of the
// budget stays taken.
func (s *sevenWalk) directory(at, length int64, crc uint32) (*sevenDirectory, error) {
	if _, err := s.reserve(length); err != nil {
		return nil, fmt.Errorf("7z: its directory: %w", err)
	}
	head := make([]byte, length)
	if n, err := s.at.ReadAt(head, at); n < len(head) {
		return nil, unexpected(err)
	}
	if crc32.ChecksumIEEE(head) != crc {
		return nil, errSevenZip
	}
	for range maxNested {
		p := &sevenParser{b: head, most: s.limits.Entries, room: s.memory}
		d := &sevenDirectory{}
		id := p.byte()
		switch id {
		case sevenHeader:
			d = p.directory()
		case sevenEncoded:
			p.streams(d)
		default:
			p.fail()
		}
		s.memory = max(p.room, 0)
		s.lowest = min(s.lowest, s.memory)
		s.declared = max(s.declared, int(min(p.declared, int64(s.limits.Entries)+1)))
		switch {
		case p.many:
			return nil, s.refuse(TooMany, s.c.path(), "more than %d members", s.limits.Entries)
		case p.err != nil || id == sevenHeader:
			return d, p.err
		}
		var err error
		if head, err = s.decode(d); err != nil || head == nil {
			return nil, err
		}
	}
	return nil, errSevenZip
}

// decode unpacks a directory. It is nil where that is encrypted.
func (s *sevenWalk) decode(d *sevenDirectory) ([]byte, error) {
	if len(d.folders) != 1 {
		return nil, errSevenZip
	}
	f := &d.folders[0]
	if f.encrypted() {
		if err := s.locked(s.c.path(), "its directory is encrypted"); err != nil {
			return nil, err
		}
		s.miss(s.c, s.size)
		return nil, nil
	}
	if _, err := s.reserve(f.size()); err != nil {
		return nil, fmt.Errorf("7z: its directory: %w", err)
	}
	out, finish, err := s.folder(d, 0)
	if err != nil {
		return nil, err
	}
	defer finish()
	unpacked := make([]byte, f.size())
	m := &meter{w: s.walk, r: out, member: s.c.path(), packed: -1, counted: true}
	if _, err := fill(m, unpacked); err != nil {
		return nil, unexpected(err)
	}
	if f.summed && crc32.ChecksumIEEE(unpacked) != f.crc {
		return nil, errSevenZip
	}
	return unpacked, nil
}

// names judges the names of all members.
func (s *sevenWalk) names(d *sevenDirectory) error {
	for i := range d.files {
		if err := s.member(d.files[i].member(s.within)); err != nil {
			return err
		}
	}
	return nil
}

// folders looks into the members, folder by folder.
func (s *sevenWalk) folders(d *sevenDirectory) error {
	next := 0
	for i := range d.folders {
		var list []sevenFile
		for ; len(list) < len(d.folders[i].parts) && next < len(d.files); next++ {
			if d.files[next].stream {
				list = append(list, d.files[next])
			}
		}
		if len(list) < len(d.folders[i].parts) {
			return errSevenZip
		}
		gaps := s.gaps
		if err := s.members(d, i, list); err != nil {
			inner := content{name: list[0].name, within: s.within, level: s.level}
			if err = s.settle(err, &inner); err != nil {
				return err
			}
		}
		if s.gaps > gaps {
			s.miss(s.c, max(d.folders[i].packed, 1))
		}
	}
	for ; next < len(d.files); next++ {
		if d.files[next].stream {
			return errSevenZip
		}
	}
	for i := range d.files { // Those without bytes are in no folder.
		if f := &d.files[i]; !f.stream {
			if err := s.links.through(f.member(s.within)); err != nil {
				return err
			}
		}
	}
	return nil
}

// members looks into the members of one folder.
func (s *sevenWalk) members(d *sevenDirectory, i int, list []sevenFile) error {
	f := &d.folders[i]
	if len(list) == 0 {
		return nil
	}
	if f.encrypted() {
		return s.locked(s.within+list[0].name, "it is encrypted")
	}
	out, finish, err := s.folder(d, i)
	if err != nil {
		return err
	}
	defer finish()
	m := &meter{w: s.walk, r: out, packed: d.folders[i].packed}
	for k, file := range list {
		m.member = s.within + file.name
		part := &partReader{r: m, left: f.parts[k].size, sum: crc32.NewIEEE()}
		if err := s.file(file, part); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, part); err != nil {
			return err
		}
		switch sum, known := f.sum(k); {
		case known && sum != part.sum.Sum32():
			return errors.New("7z: the sum is wrong")
		case !known && f.filtered(): // Nothing says that what came out is what other programs make of it.
			return errors.New("7z: filtered, and without a sum")
		}
	}
	return nil
}
