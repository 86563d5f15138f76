package sinks

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"

	"github.com/sluiceproject/sluice/validator/journal"
)

// hash is the SHA-256 of a record's line without its line feed.
type hash [sha256.Size]byte

// entry is one record as it was read from the log.
type entry struct {
	// line is the record's JSON, without the line feed.
	line []byte
	// seq is its number, prev the hash of the one before as it says, and hash its
	// own.
	seq  uint64
	prev hash
	hash hash
	// record is what it says.
	record journal.Record
}

// The parts of what every record begins with.
const (
	headSeq  = `{"seq":`
	headPrev = `,"prev":"`
)

// readHead reads what every record begins with. ok is false if that is not there.
func readHead(line []byte) (seq uint64, prev hash, ok bool) {
	rest, found := bytes.CutPrefix(line, []byte(headSeq))
	if !found {
		return 0, prev, false
	}
	digits, rest, found := bytes.Cut(rest, []byte(headPrev))
	if !found || len(digits) > 20 || len(rest) < hex.EncodedLen(len(prev))+1 {
		return 0, prev, false
	}
	seq, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil || seq == 0 || rest[hex.EncodedLen(len(prev))] != '"' {
		return 0, prev, false
	}
	_, err = hex.Decode(prev[:], rest[:hex.EncodedLen(len(prev))])
	return seq, prev, err == nil
}

// parse reads a line of the log. ok is false if it is no record.
func parse(line []byte) (e entry, ok bool) {
	if e.seq, e.prev, ok = readHead(line); !ok {
		return e, false
	}
	if json.Unmarshal(line, &e.record) != nil || e.record.Sequence != e.seq {
		return e, false
	}
	e.line = bytes.Clone(line)
	e.hash = sha256.Sum256(line)
	return e, true
}
