package journal

import (
	"bytes"
	"strings"
)

// commonBytes are those of a log's lines, the most frequent first.
const commonBytes = `"e:,0123456789atirsnolcd_-pfumh{}[]/.gyvbkwxjqz`

// needle is a text that lines are searched for. Looking for its rarest byte first
// passes over most of a line at once.
type needle struct{ before, from []byte }

func newNeedle(text string) needle {
	at, rarest := 0, -1
	for i := range max(len(text)-1, 1) {
		rarity := strings.IndexByte(commonBytes, text[i])
		if rarity < 0 {
			rarity = len(commonBytes)
		}
		if rarity > rarest {
			at, rarest = i, rarity
		}
	}
	return needle{[]byte(text[:at]), []byte(text[at:])}
}

// behind returns what follows the first occurrence of the needle.
func (n needle) behind(line []byte) (rest []byte, found bool) {
	for from := 0; ; {
		i := bytes.Index(line[from:], n.from)
		if i < 0 {
			return nil, false
		}
		if bytes.HasSuffix(line[:from+i], n.before) {
			return line[from+i+len(n.from):], true
		}
		from += i + 1
	}
}

// member returns the text behind the first occurrence of a needle like `"name":"`,
// as it is written. In JSON it can only be a member: a quote in a text is escaped.
// sure is false where it has escapes. What a record says of itself, and its event of
// itself, stands before the tags, which a client can fill with members of any name.
func (n needle) member(line []byte) (text []byte, there, sure bool) {
	text, there = n.behind(line)
	if !there {
		return nil, false, true
	}
	end := bytes.IndexByte(text, '"')
	if end < 0 {
		return nil, true, false
	}
	text = text[:end]
	return text, true, bytes.IndexByte(text, '\\') < 0
}

// readers finds members of lines without taking these apart.
type readers struct{ clientIP, checksum, digests, file needle }

func newReaders() *readers {
	return &readers{newNeedle(`"client_ip":"`), newNeedle(`"file_csum":"`), newNeedle(`"digests":{`), newNeedle(`"file":"`)}
}
