package archive

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// folder returns what comes out of a folder. Folders whose methods make anything
// but a chain cannot be taken apart.
func (s *sevenWalk) folder(d *sevenDirectory, i int) (io.Reader, func(), error) {
	f := &d.folders[i]
	chain, err := f.chain()
	if err != nil {
		return nil, nil, err
	}
	at, length := sevenStart+d.position+f.offset, d.folders[i].packed
	if d.position < 0 || length < 0 || at < sevenStart || at > sevenStart+s.packed || length > sevenStart+s.packed-at {
		return nil, nil, errSevenZip
	}
	b, give := s.buffered(io.NewSectionReader(s.at, at, length))
	finish := give
	var out io.Reader = b.Reader
	for _, c := range chain {
		next, done, err := s.coder(f.coders[c], out, f.sizes[c])
		if err != nil {
			finish()
			return nil, nil, fmt.Errorf("7z: %w", err)
		}
		before := finish
		out, finish = &io.LimitedReader{R: next, N: f.sizes[c]}, func() { done(); before() }
	}
	return out, finish, nil
}

// coder returns what one method makes of its input.
func (s *sevenWalk) coder(c sevenCoder, in io.Reader, size int64) (io.Reader, func(), error) {
	none := func() {}
	switch c.method {
	case "\x00":
		return in, none, nil
	case "\x21":
		if len(c.props) != 1 {
			return nil, nil, errSevenZip
		}
		return s.lzma2(in, c.props[0], size)
	case "\x03\x01\x01":
		if len(c.props) != 5 {
			return nil, nil, errSevenZip
		}
		b, release := s.buffered(in)
		out, finish, err := s.lzma(b.Reader, c.props, size, size)
		if err != nil {
			release()
			return nil, nil, err
		}
		return out, func() { finish(); release() }, nil
	case "\x04\x01\x08":
		return s.inflate(in)
	case "\x04\x02\x02":
		return s.bzip2(in)
	case "\x04\xf7\x11\x01":
		b, release := s.buffered(in)
		head, _ := b.Peek(zstd.HeaderMaxSize) // Less is enough, or seen to be none.
		out, finish, err := s.zstd(b, head)
		if err != nil {
			release()
			return nil, nil, err
		}
		return out, func() { finish(); release() }, nil
	}
	name, known := sevenBranches[c.method]
	if !known {
		return nil, nil, fmt.Errorf("the method %x is not known", c.method)
	}
	out, err := branch(in, name, c.props)
	return out, none, err
}
