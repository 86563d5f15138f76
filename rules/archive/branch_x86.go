package archive

// x86 undoes the filter for x86 code, which turned the relative targets of calls
// (E8) and jumps (E9) into absolute ones. Whether bytes were taken for one
// depends on those shortly before them that look like one too.
type x86 struct {
	last uint32 // the address of the last opcode
	mask uint32 // which of the bytes before could be opcodes
}

func newX86() converter {
	x := &x86{last: ^uint32(4)}
	return x.convert
}

// isHigh reports whether a byte can be the highest one of a target.
func isHigh(b byte) bool { return b == 0 || b == 0xff }

func (x *x86) convert(p []byte, address uint32) int {
	if len(p) < 5 {
		return 0
	}
	if address-x.last > 5 {
		x.last = address - 5
	}
	i := 0
	for i+5 <= len(p) {
		if p[i]&0xfe != 0xe8 {
			i++
			continue
		}
		x.shift(address + uint32(i))
		if before := x.mask >> 1; isHigh(p[i+4]) && before < 0x10 && (before&7 <= 2 || before&7 == 4) {
			x.target(p[i+1:i+5], address+uint32(i)+5)
			i += 5
			continue
		}
		x.mask |= 1
		if isHigh(p[i+4]) {
			x.mask |= 0x10
		}
		i++
	}
	return i
}

// shift moves the mask on to an opcode at an address.
func (x *x86) shift(address uint32) {
	gap := address - x.last
	x.last = address
	if gap > 5 {
		x.mask = 0
		return
	}
	for range gap {
		x.mask = x.mask & 0x77 << 1
	}
}

// target converts the four bytes of a target, whose opcode ends at an address.
func (x *x86) target(p []byte, address uint32) {
	from := uint32(p[3])<<24 | uint32(p[2])<<16 | uint32(p[1])<<8 | uint32(p[0])
	to := from - address
	if x.mask != 0 {
		// Which of the bytes must not look like the highest one of a target.
		byteOf := [8]uint32{0, 1, 2, 2, 3, 3, 3, 3}[x.mask>>1&7]
		for n := 0; n < 256 && isHigh(byte(to>>(24-byteOf*8))); n++ {
			to = (to ^ (1<<(32-byteOf*8) - 1)) - address
		}
	}
	p[3], p[2], p[1], p[0] = byte(0-(to>>24&1)), byte(to>>16), byte(to>>8), byte(to)
	x.mask = 0
}
