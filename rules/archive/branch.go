package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// converter undoes in place what a branch filter did to code that begins at an
// address, and returns how many bytes it is done with.
type converter func(p []byte, address uint32) int

// branchName names a filter that 7z and xz share.
type branchName string

// xzBranches are the filters by their numbers in xz.
var xzBranches = map[uint64]branchName{
	0x03: "delta", 0x04: "x86", 0x05: "ppc", 0x07: "arm", 0x08: "armt", 0x09: "sparc", 0x0a: "arm64",
}

// branch returns a reader that undoes a filter. props are its properties: for
// delta the distance less one, for the others an address to begin at, or none.
func branch(in io.Reader, name branchName, props []byte) (io.Reader, error) {
	if name == "delta" {
		if len(props) != 1 {
			return nil, errors.New("delta: no distance")
		}
		return &deltaReader{in: in, distance: int(props[0]) + 1}, nil
	}
	b := &branchReader{in: in, buf: make([]byte, 0, bufferSize)}
	switch len(props) {
	case 0:
	case 4:
		b.address = binary.LittleEndian.Uint32(props)
	default:
		return nil, errors.New("a filter has odd properties")
	}
	switch name {
	case "x86":
		b.convert = newX86()
	case "ppc":
		b.convert = ppc
	case "arm":
		b.convert = arm
	case "armt":
		b.convert = armt
	case "arm64":
		b.convert = arm64
	case "sparc":
		b.convert = sparc
	default:
		return nil, fmt.Errorf("an unknown filter %q", name)
	}
	return b, nil
}

// branchReader undoes a branch filter. The last bytes of what was read are kept
// until it is known what follows them.
type branchReader struct {
	in      io.Reader
	convert converter
	address uint32
	buf     []byte
	from    int // what has not been given yet begins here
	done    int // and is converted up to here
	err     error
}

// Read implements io.Reader.
func (b *branchReader) Read(p []byte) (int, error) {
	for b.from == b.done {
		if b.err != nil {
			return 0, b.err
		}
		b.buf = b.buf[:copy(b.buf[:cap(b.buf)], b.buf[b.done:])]
		b.from, b.done = 0, 0
		var n int
		n, b.err = fill(b.in, b.buf[len(b.buf):cap(b.buf)])
		b.buf = b.buf[:len(b.buf)+n]
		if b.err == nil || b.err == io.EOF { //nolint:errorlint // Anything that wraps it is damage.
			b.done = b.convert(b.buf, b.address)
		}
		if b.err != nil {
			b.done = len(b.buf)
		}
		b.address += uint32(b.done)
	}
	n := copy(p, b.buf[b.from:b.done])
	b.from += n
	return n, nil
}

// deltaReader adds to each byte the one a distance before it.
type deltaReader struct {
	in       io.Reader
	distance int
	past     [256]byte
	at       byte
}

// Read implements io.Reader.
func (d *deltaReader) Read(p []byte) (int, error) {
	n, err := d.in.Read(p)
	for i := range p[:n] {
		p[i] += d.past[byte(int(d.at)-d.distance)]
		d.past[d.at] = p[i]
		d.at++
	}
	return n, err
}

func arm(p []byte, address uint32) int {
	i := 0
	for ; i+4 <= len(p); i += 4 {
		if p[i+3] == 0xeb { // BL
			v := uint32(p[i]) | uint32(p[i+1])<<8 | uint32(p[i+2])<<16
			v = (v<<2 - (address + uint32(i) + 8)) >> 2
			p[i], p[i+1], p[i+2] = byte(v), byte(v>>8), byte(v>>16)
		}
	}
	return i
}

func armt(p []byte, address uint32) int {
	i := 0
	for ; i+4 <= len(p); i += 2 {
		if p[i+1]&0xf8 != 0xf0 || p[i+3]&0xf8 != 0xf8 { // BL in two halves
			continue
		}
		v := uint32(p[i+1]&7)<<19 | uint32(p[i])<<11 | uint32(p[i+3]&7)<<8 | uint32(p[i+2])
		v = (v<<1 - (address + uint32(i) + 4)) >> 1
		p[i+1], p[i] = 0xf0|byte(v>>19)&7, byte(v>>11)
		p[i+3], p[i+2] = 0xf8|byte(v>>8)&7, byte(v)
		i += 2
	}
	return i
}

func arm64(p []byte, address uint32) int {
	i := 0
	for ; i+4 <= len(p); i += 4 {
		pc := address + uint32(i)
		v := binary.LittleEndian.Uint32(p[i:])
		switch {
		case v>>26 == 0x25: // BL
			v = 0x94000000 | (v-pc>>2)&0x03ffffff
		case v&0x9f000000 == 0x90000000: // ADRP
			page := v>>29&3 | v>>3&0x001ffffc
			if (page+0x00020000)&0x001c0000 != 0 {
				continue
			}
			v &= 0x9000001f
			page -= pc >> 12
			v |= page&3<<29 | page&0x0003fffc<<3 | -(page&0x00020000)&0x00e00000
		default:
			continue
		}
		binary.LittleEndian.PutUint32(p[i:], v)
	}
	return i
}

func ppc(p []byte, address uint32) int {
	i := 0
	for ; i+4 <= len(p); i += 4 {
		if v := binary.BigEndian.Uint32(p[i:]); v&0xfc000003 == 0x48000001 { // BL
			binary.BigEndian.PutUint32(p[i:], 0x48000001|(v-(address+uint32(i)))&0x03fffffc)
		}
	}
	return i
}

func sparc(p []byte, address uint32) int {
	i := 0
	for ; i+4 <= len(p); i += 4 {
		v := binary.BigEndian.Uint32(p[i:])
		if v>>22 != 0x100 && v>>22 != 0x1ff { // CALL
			continue
		}
		v = (v<<2 - (address + uint32(i))) >> 2
		binary.BigEndian.PutUint32(p[i:], (0-(v>>22&1))<<22&0x3fffffff|v&0x3fffff|0x40000000)
	}
	return i
}
