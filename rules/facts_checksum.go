package rules

import "encoding/hex"

// addDigests keeps digests by the names of their algorithms.
func (f *Facts) addDigests(digests map[int][]byte) {
	if f.Digests == nil {
		f.Digests = make(map[string]string, len(digests))
	}
	for _, a := range algorithms {
		if digest := digests[a.width]; digest != nil {
			f.Digests[a.name] = hex.EncodeToString(digest)
		}
	}
}

// byWidth returns the digests by their width in bytes.
func (f *Facts) byWidth() map[int][]byte {
	digests := make(map[int][]byte, len(f.Digests))
	for _, a := range algorithms {
		if digest, err := hex.DecodeString(f.Digests[a.name]); err == nil && len(digest) == a.width {
			digests[a.width] = digest
		}
	}
	return digests
}

// recall judges the digests that were computed of the file, for a rule that
// computes its own.
func (c *checksums) recall(e *Event, f *Facts) (Finding, error) {
	if found, ok := f.unread(); ok {
		return found, nil
	}
	var room [64]byte
	algorithm, stated, err := e.Digest(&room)
	lacks := c.lacks(algorithm, err)
	if lacks == nil && err == nil && stated == nil {
		err = MissingError{"file_csum"}
	}
	digests := f.byWidth()
	switch {
	case err != nil:
		return FoundNothing(err, 0, f.Size), nil
	case len(digests) == 0:
		return Finding{}, &UndecidableError{Reason: UndecidableUnseen}
	case lacks != nil:
		return FoundBad(lacks, f.Size, f.Size), nil
	case digests[len(stated)] == nil:
		return Finding{}, &UndecidableError{Reason: UndecidableDigest}
	}
	if o := c.differs(digests[len(stated)], algorithm, stated); o != nil {
		return FoundBad(o, f.Size, f.Size), nil
	}
	o, sure := c.judgeAll(digests, algorithm, stated)
	switch {
	case !sure:
		return Finding{}, &UndecidableError{Reason: UndecidableDigest}
	case o != nil:
		return FoundBad(o, f.Size, f.Size), nil
	default:
		return FoundClean(f.Size, f.Size), nil
	}
}
