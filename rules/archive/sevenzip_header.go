package archive

import "errors"

// sevenDirectory is the directory of a 7z.
type sevenDirectory struct {
	position int64 // where the packed bytes begin
	sizes    []int64
	folders  []sevenFolder
	files    []sevenFile
}

// sevenFolder is one stream, what is to be done to get it, and its parts.
type sevenFolder struct {
	coders []sevenCoder
	in     int      // how many inputs the coders have
	bound  [][2]int // which input takes which coder's output
	inputs []int    // which inputs are packed streams
	first  int      // the first of its packed streams
	offset int64    // where that begins, from the first of all
	packed int64    // how many bytes its packed streams have
	sizes  []int64  // what comes out of each coder
	parts  []sevenPart
	crc    uint32
	summed bool
}

type sevenPart struct {
	size   int64
	crc    uint32
	summed bool
}

// sevenCoder is one method with its properties.
type sevenCoder struct {
	method string
	in     int
	props  []byte
}

// sevenFile is one member.
type sevenFile struct {
	name       string
	stream     bool // it has bytes
	folder     bool // as it has none
	attributes uint32
}

// sevenBranches are the filters by their methods.
var sevenBranches = map[string]branchName{
	"\x03": "delta", "\x04": "x86", "\x05": "ppc", "\x07": "arm", "\x08": "armt", "\x09": "sparc", "\x0a": "arm64",
	"\x03\x03\x01\x03": "x86", "\x03\x03\x02\x05": "ppc", "\x03\x03\x05\x01": "arm", "\x03\x03\x07\x01": "armt", "\x03\x03\x08\x05": "sparc",
}

const sevenAES = "\x06\xf1\x07\x01"

func (f *sevenFolder) encrypted() bool {
	for _, c := range f.coders {
		if len(c.method) >= 2 && c.method[:2] == sevenAES[:2] {
			return true
		}
	}
	return false
}

// filtered reports whether bytes go through a filter.
func (f *sevenFolder) filtered() bool {
	for _, c := range f.coders {
		if sevenBranches[c.method] != "" {
			return true
		}
	}
	return false
}

// last returns the coder whose output no other takes.
func (f *sevenFolder) last() int {
	for i := len(f.coders) - 1; i > 0; i-- {
		taken := false
		for _, b := range f.bound {
			taken = taken || b[1] == i
		}
		if !taken {
			return i
		}
	}
	return 0
}

// size is how many bytes come out of the folder.
func (f *sevenFolder) size() int64 { return f.sizes[f.last()] }

// sum returns the sum of a part, which may be that of the folder.
func (f *sevenFolder) sum(part int) (uint32, bool) {
	if p := f.parts[part]; p.summed {
		return p.crc, true
	}
	return f.crc, f.summed && len(f.parts) == 1
}

// chain returns the coders in the order in which the bytes go through them.
func (f *sevenFolder) chain() ([]int, error) {
	if f.in != len(f.coders) || len(f.inputs) != 1 || len(f.coders) > maxChain {
		return nil, errors.New("7z: so many methods, or those with several inputs, are not known")
	}
	chain := []int{f.inputs[0]}
	for len(chain) < len(f.coders) {
		next := -1
		for _, b := range f.bound {
			if b[1] == chain[len(chain)-1] {
				next = b[0]
			}
		}
		if next < 0 {
			return nil, errSevenZip
		}
		chain = append(chain, next)
	}
	if chain[len(chain)-1] != f.last() {
		return nil, errSevenZip
	}
	return chain, nil
}

func (f *sevenFile) member(within string) Member {
	return Member{Name: f.name, Within: within, Folder: f.folder || f.attributes&0x10 != 0 && !f.stream}
}

// reparse reports whether Windows takes the member for a link of some kind.
func (f *sevenFile) reparse() bool { return f.attributes&0x400 != 0 }

func (f *sevenFile) isLink() bool {
	return f.reparse() || f.attributes&0x8000 != 0 && f.attributes>>16&0xf000 == 0xa000
}
