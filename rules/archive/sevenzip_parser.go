package archive

import (
	"encoding/binary"
	"unicode/utf16"
)

// sevenParser reads a directory. After the first mistake it reads nothing more.
type sevenParser struct {
	b    []byte
	most int   // how many members there may be
	room int64 // how many bytes what is made of it may take
	many bool  // there are more than most
	// declared is how many members it says that there are, which most was held
	// against.
	declared int64
	err      error
}

// take takes bytes for what is made of the directory.
func (p *sevenParser) take(bytes int64) {
	if p.room -= bytes; p.room < 0 {
		p.fail()
		p.err = errMemory
	}
}

func (p *sevenParser) fail() {
	if p.err == nil {
		p.err = errSevenZip
	}
	p.b = nil
}

func (p *sevenParser) byte() byte {
	if len(p.b) == 0 {
		p.fail()
		return 0
	}
	v := p.b[0]
	p.b = p.b[1:]
	return v
}

func (p *sevenParser) bytes(n int64) []byte {
	if n < 0 || n > int64(len(p.b)) {
		p.fail()
		return nil
	}
	v := p.b[:n]
	p.b = p.b[n:]
	return v
}

// number reads a number of up to 64 bits: the leading ones of its first byte
// tell how many bytes follow.
func (p *sevenParser) number() int64 {
	first := p.byte()
	v, mask := uint64(0), byte(0x80)
	for i := range 8 {
		if first&mask == 0 {
			v |= uint64(first&(mask-1)) << (8 * i)
			break
		}
		v |= uint64(p.byte()) << (8 * i)
		mask >>= 1
	}
	if v >= 1<<62 { // Two of them can be added.
		p.fail()
		return 0
	}
	return int64(v)
}

// count reads a number of things, each of which takes at least one bit.
func (p *sevenParser) count(most int) int {
	n := p.number()
	if n > int64(most) {
		p.fail()
		return 0
	}
	return int(n)
}

// bits reads a bit for each of n things; all are set if optional and so said.
func (p *sevenParser) bits(n int, optional bool) []bool {
	set := make([]bool, n)
	if optional && p.byte() != 0 {
		for i := range set {
			set[i] = true
		}
		return set
	}
	packed := p.bytes(int64(n+7) / 8)
	for i := range packed {
		for k := range 8 {
			if at := i*8 + k; at < n {
				set[at] = packed[i]&(0x80>>k) != 0
			}
		}
	}
	return set
}

// sums reads the sums of those of n things that have one.
func (p *sevenParser) sums(n int, give func(i int, crc uint32)) {
	for i, defined := range p.bits(n, true) {
		if defined {
			if b := p.bytes(4); b != nil {
				give(i, binary.LittleEndian.Uint32(b))
			}
		}
	}
}

// names reads n names, each of which ends in a zero.
func (p *sevenParser) names(b []byte, files []sevenFile) {
	for i := range files {
		var units []uint16
		for {
			if len(b) < 2 {
				p.fail()
				return
			}
			u := binary.LittleEndian.Uint16(b)
			if b = b[2:]; u == 0 {
				break
			}
			if units = append(units, u); len(units) > maxName {
				p.fail()
				return
			}
		}
		if p.take(3 * int64(len(units))); p.err != nil {
			return
		}
		files[i].name = string(utf16.Decode(units))
	}
}
