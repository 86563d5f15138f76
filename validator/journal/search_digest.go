package journal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sluiceproject/sluice/rules"
)

// digestWidths are the bytes of MD5, SHA-1, SHA-256, SHA-384 and SHA-512.
var digestWidths = []int{16, 20, 32, 48, 64}

// parseDigest returns a digest in lower case.
func parseDigest(text string) (string, bool) {
	b, err := hex.DecodeString(text)
	return strings.ToLower(text), err == nil && slices.Contains(digestWidths, len(b))
}

// digestTest is the test of the file's digests.
func digestTest(texts []string) (*test, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	wanted := map[string]bool{}
	for _, text := range texts {
		digest, ok := parseDigest(text)
		if !ok {
			return nil, &QueryError{"digest", fmt.Sprintf("%q is no digest in hex of MD5, SHA-1, SHA-256, SHA-384 or SHA-512", rules.Printable(rules.Shorten(text, 140)))}
		}
		wanted[digest] = true
	}
	in := newReaders()
	return &test{
		segment: func(x *Index) bool {
			for digest := range wanted {
				if x.May("digest", digest) {
					return true
				}
			}
			return false
		},
		line: func(line []byte) bool {
			may := false
			in.eachDigest(line, func(digest []byte, sure bool) {
				may = may || !sure || wanted[string(digest)]
			})
			return may
		},
		record: func(r *Record) bool {
			return slices.ContainsFunc(digestsOf(r), func(digest string) bool { return wanted[digest] })
		},
	}, nil
}

// digestsOf returns the digests that a record has, in lower case.
func digestsOf(r *Record) []string {
	var digests []string
	if checksum := r.event().Checksum; checksum != "" {
		digests = append(digests, strings.ToLower(checksum))
	}
	var facts struct {
		Digests map[string]string `json:"digests"`
	}
	if bytes.Contains(r.Facts, []byte(`"digests"`)) && json.Unmarshal(r.Facts, &facts) == nil {
		for _, digest := range facts.Digests {
			digests = append(digests, strings.ToLower(digest))
		}
	}
	return digests
}

// eachDigest calls f with every text of a line that may be a digest of the file, in
// lower case. sure is false where the text has escapes.
func (in *readers) eachDigest(line []byte, f func(digest []byte, sure bool)) {
	var room [128]byte
	if text, there, sure := in.checksum.member(line); there {
		f(lower(room[:0], text), sure)
	}
	for {
		var found bool
		if line, found = in.digests.behind(line); !found {
			return
		}
		end := bytes.IndexByte(line, '}')
		if end < 0 {
			return
		}
		for texts := line[:end]; ; {
			_, rest, found := cut(texts, `:"`)
			if !found {
				break
			}
			text, after, _ := cut(rest, `"`)
			f(lower(room[:0], text), bytes.IndexByte(text, '\\') < 0)
			texts = after
		}
	}
}

// lower appends a text with its ASCII letters small.
func lower(to, text []byte) []byte {
	for _, c := range text {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		to = append(to, c)
	}
	return to
}
