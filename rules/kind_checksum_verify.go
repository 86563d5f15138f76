package rules

import (
	"bytes"
	"context"
	"crypto/md5"  //nolint:gosec // A server may be set to MD5; nothing is protected by it here.
	"crypto/sha1" //nolint:gosec // A server may be set to SHA-1; nothing is protected by it here.
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
)

// verify returns what begins to compute a file's own digest: with the algorithm
// of the event's, and with those of the lists, all in the same read.
func (c *checksums) verify() Consume {
	return func(_ context.Context, l *Look) (Consumer, error) {
		v := &verifier{checksums: c, look: l, sums: map[int]hash.Hash{}}
		var room [64]byte
		algorithm, digest, err := l.Event.Digest(&room)
		v.algorithm, v.stated = algorithm, bytes.Clone(digest)
		switch {
		case c.lacks(algorithm, err) != nil:
			v.objection = c.lacks(algorithm, nil)
		case err == nil && digest == nil:
			err = MissingError{"file_csum"}
		}
		if err != nil {
			return nil, err
		}
		v.sums[len(digest)] = newSum(len(digest))
		for _, list := range append(c.deny[:len(c.deny):len(c.deny)], c.allow...) {
			if v.sums[list.Width()] == nil {
				v.sums[list.Width()] = newSum(list.Width())
			}
		}
		return v, nil
	}
}

// newSum returns the hash whose digests are so many bytes wide.
func newSum(width int) hash.Hash {
	switch width {
	case md5.Size:
		return md5.New() //nolint:gosec // See the import.
	case sha1.Size:
		return sha1.New() //nolint:gosec // See the import.
	case sha512.Size384:
		return sha512.New384()
	case sha512.Size:
		return sha512.New()
	default:
		return sha256.New()
	}
}

// verifier is a Consumer that computes digests.
type verifier struct {
	*checksums
	look      *Look
	algorithm string
	stated    []byte
	sums      map[int]hash.Hash // by width
	objection *Objection        // what is known before the file is read
}

// Write implements Consumer.
func (v *verifier) Write(piece []byte) (int, error) {
	for _, sum := range v.sums {
		sum.Write(piece) // A hash returns no error.
	}
	return len(piece), nil
}

// Finish implements Consumer.
func (v *verifier) Finish(_ context.Context, read int64, err error) Finding {
	total := v.look.Size()
	if err != nil {
		return FoundNothing(err, read, total)
	}
	digests := v.digests()
	v.look.learn(func(f *Facts) { f.addDigests(digests) })
	if v.objection != nil {
		return FoundBad(v.objection, read, total)
	}
	if o := v.differs(digests[len(v.stated)], v.algorithm, v.stated); o != nil {
		return FoundBad(o, read, total)
	}
	if o, _ := v.judgeAll(digests, v.algorithm, v.stated); o != nil {
		return FoundBad(o, read, total)
	}
	return FoundClean(read, total)
}

// digests returns the file's own digests by their width. What an event without a
// digest has computed in its place is left at no width at all.
func (v *verifier) digests() map[int][]byte {
	digests := make(map[int][]byte, len(v.sums))
	for _, sum := range v.sums {
		digests[sum.Size()] = sum.Sum(nil)
	}
	return digests
}

// differs objects to a digest that is not the one that the server has stated.
func (*checksums) differs(own []byte, algorithm string, stated []byte) *Objection {
	if bytes.Equal(own, stated) {
		return nil
	}
	return &Objection{
		Message: builtinMessage("{name} did not arrive as it was sent: its checksum differs. Send it again."),
		Found:   algorithm + " " + hex.EncodeToString(own),
	}
}

// judgeAll looks the file's own digests up, each in the lists of its width. sure
// is false if there is no digest of the width of a list that could object, or
// approve.
func (c *checksums) judgeAll(digests map[int][]byte, algorithm string, stated []byte) (o *Objection, sure bool) {
	for _, a := range algorithms { // In one order, so that the same event gets the same answer.
		digest := digests[a.width]
		if found, _ := find(c.deny, digest); found {
			return &Objection{Message: c.denied, Found: fmt.Sprintf("%s %x", a.name, digest)}, true
		}
	}
	sure = hasWidths(digests, c.deny)
	if c.allow == nil {
		return nil, sure
	}
	for _, digest := range digests {
		if found, _ := find(c.allow, digest); found {
			return nil, sure
		}
	}
	// Whatever a list in deny says of it, it is refused.
	return &Objection{Message: c.notAllowed, Found: fmt.Sprintf("%s %x", algorithm, stated)}, hasWidths(digests, c.allow)
}

// hasWidths reports whether there is a digest for each list.
func hasWidths(digests map[int][]byte, lists []*Digests) bool {
	for _, list := range lists {
		if digests[list.Width()] == nil {
			return false
		}
	}
	return true
}
