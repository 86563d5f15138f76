package archive

// The parts of a directory.
const (
	sevenEnd        = 0x00
	sevenHeader     = 0x01
	sevenMain       = 0x04
	sevenFiles      = 0x05
	sevenPackInfo   = 0x06
	sevenCoders     = 0x07
	sevenSubStreams = 0x08
	sevenSizes      = 0x09
	sevenSums       = 0x0a
	sevenFolders    = 0x0b
	sevenUnpacked   = 0x0c
	sevenCounts     = 0x0d
	sevenEmpty      = 0x0e
	sevenEmptyFiles = 0x0f
	sevenAnti       = 0x10
	sevenNames      = 0x11
	sevenAttributes = 0x15
	sevenEncoded    = 0x17
	sevenDummy      = 0x19
)

// maxCoders is how many methods a folder may have, maxInputs how many inputs they
// may have, and maxChain how many methods may be taken apart: more than a filter or
// two before a compressor is there to take memory.
const (
	maxCoders = 32
	maxInputs = 64
	maxChain  = 4
)

// directory reads a directory behind its first byte.
func (p *sevenParser) directory() *sevenDirectory {
	d := &sevenDirectory{}
	id := p.byte()
	if id == sevenMain {
		p.streams(d)
		id = p.byte()
	}
	if id == sevenFiles && p.err == nil {
		p.files(d)
		id = p.byte()
	}
	if id != sevenEnd || len(p.b) > 0 {
		p.fail()
	}
	return d
}

// streams reads where the packed bytes are and how they are unpacked.
func (p *sevenParser) streams(d *sevenDirectory) {
	id := p.byte()
	if id == sevenPackInfo {
		p.packInfo(d)
		id = p.byte()
	}
	if id == sevenCoders {
		p.coders(d)
		id = p.byte()
	}
	if p.err != nil {
		return
	}
	for i := range d.folders {
		d.folders[i].parts = []sevenPart{{size: d.folders[i].size()}}
	}
	if id == sevenSubStreams {
		p.subStreams(d)
		id = p.byte()
	}
	if id != sevenEnd {
		p.fail()
	}
}

func (p *sevenParser) packInfo(d *sevenDirectory) {
	d.position = p.number()
	streams := p.count(len(p.b))
	for {
		switch id := p.byte(); id {
		case sevenEnd:
			if len(d.sizes) != streams {
				p.fail()
			}
			return
		case sevenSizes:
			total := int64(0)
			for range streams {
				size := p.number()
				p.take(16)
				if total += size; p.err != nil || total > 1<<62 {
					p.fail()
					return
				}
				d.sizes = append(d.sizes, size)
			}
		case sevenSums:
			p.sums(streams, func(int, uint32) {})
		default:
			p.fail()
			return
		}
	}
}

func (p *sevenParser) coders(d *sevenDirectory) {
	if p.byte() != sevenFolders {
		p.fail()
	}
	folders := p.count(len(p.b))
	if p.byte() != 0 { // It lies elsewhere, which no program writes.
		p.fail()
	}
	first, offset := 0, int64(0)
	for range folders {
		f := p.folder()
		f.first, f.offset = first, offset
		if first += len(f.inputs); p.err != nil || first > len(d.sizes) {
			p.fail()
			return
		}
		for _, size := range d.sizes[f.first:first] {
			f.packed += size
		}
		offset += f.packed
		p.take(500)
		d.folders = append(d.folders, f)
	}
	if p.byte() != sevenUnpacked {
		p.fail()
	}
	for i := range d.folders {
		for range d.folders[i].coders {
			d.folders[i].sizes = append(d.folders[i].sizes, p.number())
		}
	}
	id := p.byte()
	if id == sevenSums {
		p.sums(folders, func(i int, crc uint32) { d.folders[i].crc, d.folders[i].summed = crc, true })
		id = p.byte()
	}
	if id != sevenEnd {
		p.fail()
	}
}

// folder reads the methods of one folder and how they are joined.
func (p *sevenParser) folder() (f sevenFolder) {
	coders := p.count(maxCoders)
	if coders == 0 {
		p.fail()
	}
	for range coders {
		flags := p.byte()
		c := sevenCoder{method: string(p.bytes(int64(flags & 0x0f))), in: 1}
		if flags&0x10 != 0 {
			c.in = p.count(maxInputs)
			if p.number() != 1 {
				p.fail()
			}
		}
		if flags&0x20 != 0 {
			c.props = p.bytes(p.number())
		}
		if f.in += c.in; flags&0xc0 != 0 || f.in > maxInputs || p.err != nil {
			p.fail()
			return f
		}
		p.take(200)
		f.coders = append(f.coders, c)
	}
	for range coders - 1 {
		f.bound = append(f.bound, [2]int{p.count(f.in - 1), p.count(coders - 1)})
	}
	packed := f.in - len(f.bound)
	switch {
	case packed <= 0:
		p.fail()
	case packed == 1:
		for i := range f.in {
			free := true
			for _, b := range f.bound {
				free = free && b[0] != i
			}
			if free {
				f.inputs = append(f.inputs, i)
				break
			}
		}
	default:
		for range packed {
			f.inputs = append(f.inputs, p.count(f.in-1))
		}
	}
	if len(f.inputs) != packed {
		p.fail()
	}
	return f
}
