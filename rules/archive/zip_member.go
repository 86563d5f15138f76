package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
)

// walkMember looks into a member.
func (z *zipWalk) walkMember(p zipPlace) error {
	h, err := z.central(p.central)
	if err != nil {
		return err
	}
	m := h.member(z.within)
	for _, name := range append(h.others, m.Name) {
		if err := z.links.through(Member{Name: name, Within: z.within}); err != nil {
			return err
		}
	}
	if h.encrypted() {
		if err := z.locked(m.Path(), "it is encrypted"); err != nil {
			return err
		}
		z.miss(z.c, h.packed)
		return nil
	}
	if m.Folder && h.packed == 0 {
		return nil
	}
	gaps := z.gaps
	if err := z.open(h, m, p); err != nil {
		inner := content{name: m.Name, within: z.within, level: z.level}
		if err = z.settle(err, &inner); err != nil {
			return err
		}
	}
	if z.gaps > gaps {
		z.miss(z.c, max(h.packed, 1))
	}
	return nil
}

// open walks the bytes of a member.
func (z *zipWalk) open(h zipHeader, m Member, p zipPlace) error {
	packed := io.NewSectionReader(z.at, p.data, h.packed)
	inner := content{name: m.Name, within: z.within, level: z.level, size: h.unpacked}
	link, _ := h.isLink()
	if h.method == zipStore && !link {
		if h.packed != h.unpacked {
			return z.ambiguous(h.name, "it has %d bytes and %d", h.packed, h.unpacked)
		}
		if err := z.count(h.packed, m.Path()); err != nil {
			return err
		}
		inner.at, inner.span, inner.offset = packed, z.c.span, z.c.offset+p.data
		return z.look(inner)
	}
	in, release := z.buffered(packed)
	defer release()
	out, finish, err := z.method(h, in)
	if err != nil {
		return err
	}
	defer finish()
	counted := &meter{w: z.walk, r: out, member: m.Path(), packed: h.packed}
	summed := &summedReader{r: counted, sum: crc32.NewIEEE()}
	if link {
		return z.symlink(m, summed)
	}
	inner.r = summed
	if err := z.look(inner); err != nil {
		return err
	}
	switch {
	case z.stop != nil:
		return z.stop
	case counted.out != h.unpacked:
		return fmt.Errorf("zip: %d bytes are %d", h.unpacked, counted.out)
	case summed.sum.Sum32() != h.crc:
		return errors.New("zip: the sum is wrong")
	case in.taken() != h.packed:
		return errLeft
	}
	return nil
}

// method returns what takes a member's bytes apart, and what gives back the
// memory for it.
func (z *zipWalk) method(h zipHeader, in *feed) (io.Reader, func(), error) {
	switch h.method {
	case zipStore:
		return in.Reader, func() {}, nil
	case zipDeflate:
		return z.inflate(in.Reader)
	case zipBzip2:
		return z.bzip2(in.Reader)
	case zipZstd, zipOldZstd:
		head, _ := in.Peek(zstd.HeaderMaxSize) // Less is enough, or seen to be none.
		return z.zstd(in, head)
	case zipXZ:
		x := &xzReader{w: z.walk, in: in}
		return x, x.close, nil
	case zipLZMA:
		return z.lzma(h, in)
	default:
		return nil, nil, fmt.Errorf("zip: the method %d is not known", h.method)
	}
}

// lzma returns a decoder of LZMA, whose properties lie before the bytes.
func (z *zipWalk) lzma(h zipHeader, in *feed) (io.Reader, func(), error) {
	var head [9]byte
	if _, err := fill(in, head[:]); err != nil {
		return nil, nil, unexpected(err)
	}
	if binary.LittleEndian.Uint16(head[2:]) != 5 {
		return nil, nil, errZip
	}
	size := h.unpacked
	if h.flags&zipEndMarker != 0 {
		size = -1
	}
	return z.walk.lzma(in.Reader, head[4:], size, h.unpacked)
}

// maxTarget is how long the target of a link may be, in bytes.
const maxTarget = 4096

// symlink judges a link, whose bytes are its target. Some programs make a file of
// them instead, so they may not be one that says something.
func (z *zipWalk) symlink(m Member, r io.Reader) error {
	target := make([]byte, maxTarget+1)
	n, err := fill(r, target)
	switch {
	case z.stop != nil:
		return z.stop
	case n > maxTarget || detect(target[:n]) != plain:
		return z.ambiguous(m.Name, "it is a link and a file")
	case err != io.EOF: //nolint:errorlint // Anything that wraps it is damage.
		return err
	}
	return z.links.link(m, string(target[:n]), false)
}

// summedReader computes the sum of what is read through it.
type summedReader struct {
	r   io.Reader
	sum hash.Hash32
}

// Read implements io.Reader.
func (s *summedReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.sum.Write(p[:n])
	return n, err
}
