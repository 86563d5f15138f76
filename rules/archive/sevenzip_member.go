package archive

import (
	"errors"
	"hash"
	"io"
)

// file looks into one member.
func (s *sevenWalk) file(file sevenFile, r io.Reader) error {
	m := file.member(s.within)
	if err := s.links.through(m); err != nil {
		return err
	}
	if file.isLink() {
		return s.link(file, m, r)
	}
	return s.look(content{r: r, size: -1, name: file.name, within: s.within, level: s.level})
}

// link judges a link, whose bytes are its target. Some programs make a file of
// them instead, so they may not be one that says something.
func (s *sevenWalk) link(file sevenFile, m Member, r io.Reader) error {
	target := make([]byte, maxTarget+1)
	n, err := fill(r, target)
	switch {
	case s.stop != nil:
		return s.stop
	case err != nil && err != io.EOF: //nolint:errorlint // Anything that wraps it is damage.
		return err
	case file.reparse():
		if err := s.unsafeLink(m, "it may lead anywhere"); err != nil {
			return err
		}
		s.skip(Format, m.Path(), errors.New("7z: links of Windows cannot be read"))
		return nil
	case n > maxTarget || detect(target[:n]) != plain:
		return s.refuse(Ambiguous, m.Path(), "it is a link and a file")
	}
	return s.links.link(m, string(target[:n]), false)
}

// partReader reads one part of a folder and computes its sum.
type partReader struct {
	r    *meter
	left int64
	sum  hash.Hash32
}

// Read implements io.Reader.
func (p *partReader) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	n, err := p.r.Read(b[:min(int64(len(b)), p.left)])
	p.left -= int64(n)
	p.sum.Write(b[:n])
	if err != nil && p.left > 0 {
		return n, unexpected(err)
	}
	return n, nil
}
