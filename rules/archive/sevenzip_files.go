package archive

import "encoding/binary"

// files reads the members.
func (p *sevenParser) files(d *sevenDirectory) {
	n := p.number()
	p.declared = max(p.declared, n)
	if n > int64(p.most) {
		p.many = true
		p.fail()
		return
	}
	if p.take(64 * n); p.err != nil {
		return
	}
	d.files = make([]sevenFile, n)
	for i := range d.files {
		d.files[i].stream = true
	}
	named, seen := n == 0, [256]bool{}
	for id := p.byte(); id != sevenEnd && p.err == nil; id = p.byte() {
		if seen[id] && id != sevenDummy { // Of two, programs take either; and many would take long.
			p.fail()
			return
		}
		seen[id] = true
		property := &sevenParser{b: p.bytes(p.number()), room: p.room}
		property.property(id, d.files)
		named = named || id == sevenNames
		if p.room = property.room; property.err != nil {
			p.fail()
			p.err = property.err
		}
	}
	if !named {
		p.fail()
	}
}

// property reads what one property tells of all members. Those that nobody needs
// are left out.
func (p *sevenParser) property(id byte, files []sevenFile) {
	switch id {
	case sevenEmpty:
		for i, empty := range p.bits(len(files), false) {
			files[i].stream, files[i].folder = !empty, empty
		}
	case sevenEmptyFiles:
		p.emptyFiles(files)
	case sevenAnti: // Members that say what is to be deleted.
		p.fail()
	case sevenNames:
		if p.byte() != 0 {
			p.fail()
		}
		p.names(p.b, files)
	case sevenAttributes:
		set := p.bits(len(files), true)
		if p.byte() != 0 {
			p.fail()
		}
		for i := range set {
			if !set[i] {
				continue
			}
			if b := p.bytes(4); b != nil {
				files[i].attributes = binary.LittleEndian.Uint32(b)
			}
		}
	}
}

// emptyFiles tells the files without bytes from the folders.
func (p *sevenParser) emptyFiles(files []sevenFile) {
	var empty []int
	for i := range files {
		if files[i].folder {
			empty = append(empty, i)
		}
	}
	for k, file := range p.bits(len(empty), false) {
		files[empty[k]].folder = !file
	}
}

// subStreams reads how the folders are divided.
func (p *sevenParser) subStreams(d *sevenDirectory) {
	id := p.byte()
	if id == sevenCounts {
		total := int64(0)
		for i := range d.folders {
			n := p.number()
			total += n
			p.declared = max(p.declared, n, total)
			if n > int64(p.most) || total > int64(p.most) {
				p.many = true
				p.fail()
				return
			}
			if p.take(32 * n); p.err != nil {
				return
			}
			d.folders[i].parts = make([]sevenPart, n)
		}
		id = p.byte()
	}
	p.divide(d, id == sevenSizes)
	if id == sevenSizes {
		id = p.byte()
	}
	if id == sevenSums {
		var open []*sevenPart
		for i := range d.folders {
			f := &d.folders[i]
			if len(f.parts) == 1 && f.summed {
				continue
			}
			for k := range f.parts {
				open = append(open, &f.parts[k])
			}
		}
		p.sums(len(open), func(i int, crc uint32) { open[i].crc, open[i].summed = crc, true })
		id = p.byte()
	}
	if id != sevenEnd {
		p.fail()
	}
}

// divide gives the parts of all folders their sizes: the last part of each has
// what is left.
func (p *sevenParser) divide(d *sevenDirectory, given bool) {
	for i := range d.folders {
		f := &d.folders[i]
		left := f.size()
		for k := range f.parts {
			if k == len(f.parts)-1 {
				f.parts[k].size = left
				break
			}
			if !given {
				p.fail()
				return
			}
			f.parts[k].size = p.number()
			if left -= f.parts[k].size; left < 0 {
				p.fail()
				return
			}
		}
	}
}
