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
	differs := builtinMessage("{name} did not arrive as it was sent: its checksum differs. Send it again.")
	return func(_ context.Context, l *Look) (Consumer, error) {
		v := &verifier{checksums: c, look: l, differs: differs, sums: map[int]hash.Hash{}}
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
	differs   *Template
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
	if v.objection != nil {
		return FoundBad(v.objection, read, total)
	}
	if own := v.sums[len(v.stated)].Sum(nil); !bytes.Equal(own, v.stated) {
		return FoundBad(&Objection{Message: v.differs, Found: v.algorithm + " " + hex.EncodeToString(own)}, read, total)
	}
	if o := v.lists(); o != nil {
		return FoundBad(o, read, total)
	}
	return FoundClean(read, total)
}

// lists looks the file's own digests up, each in the lists of its width.
func (v *verifier) lists() *Objection {
	digests := make([][]byte, 0, len(v.sums))
	for _, a := range algorithms { // In one order, so that the same event gets the same answer.
		if sum := v.sums[a.width]; sum != nil {
			digests = append(digests, sum.Sum(nil))
		}
	}
	for _, digest := range digests {
		if found, _ := find(v.deny, digest); found {
			return &Objection{Message: v.denied, Found: fmt.Sprintf("%s %x", digestAlgorithm(len(digest)), digest)}
		}
	}
	if v.allow == nil {
		return nil
	}
	for _, digest := range digests {
		if found, _ := find(v.allow, digest); found {
			return nil
		}
	}
	return &Objection{Message: v.notAllowed, Found: fmt.Sprintf("%s %x", v.algorithm, v.stated)}
}
