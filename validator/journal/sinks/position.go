package sinks

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// mark is a record of the log: its number and its hash. The zero value is before
// the first record.
type mark struct {
	seq  uint64
	hash hash
}

// position is how far a sink's records have been delivered: marks of records, the
// last one first. The earlier ones, ever fewer the older they are, tell where to go
// on when the end of a log was lost and written anew.
type position []mark

// last returns the last delivered record.
func (p position) last() mark {
	if len(p) == 0 {
		return mark{}
	}
	return p[0]
}

// add returns the position after a further record, without the marks that are not
// needed between others: the distances double, so that there are no more than a few
// dozen.
func (p position) add(m mark) position {
	if m.seq <= p.last().seq { // The log was gone back to.
		i := 0
		for i < len(p) && p[i].seq >= m.seq {
			i++
		}
		p = p[i:]
	}
	kept := position{m}
	for i, old := range p {
		if i+1 < len(p) && m.seq-p[i+1].seq <= 2*(m.seq-kept[len(kept)-1].seq) {
			continue
		}
		kept = append(kept, old)
	}
	return kept
}

// maxMarks is how many marks of a file are read: twice what add can leave.
const maxMarks = 256

// maxPosition is the longest file of a position that is read, in bytes.
const maxPosition = 64 << 10

// positionFile is a position as it is written.
type positionFile struct {
	Sequence uint64         `json:"sequence"`
	Hash     string         `json:"hash"`
	Earlier  []positionFile `json:"earlier,omitempty"`
}

// text returns the position as it is written to its file.
func (p position) text() []byte {
	var f positionFile
	for i, m := range p {
		one := positionFile{Sequence: m.seq, Hash: hex.EncodeToString(m.hash[:])}
		if i == 0 {
			f = one
			continue
		}
		f.Earlier = append(f.Earlier, one)
	}
	text, err := json.Marshal(f)
	if err != nil {
		panic(err) // Numbers and texts can be written.
	}
	return append(text, '\n')
}

var errPosition = errors.New("this is no position of a sink")

// parsePosition reads what text has written.
func parsePosition(text []byte) (position, error) {
	if len(text) > maxPosition {
		return nil, errPosition
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var f positionFile
	if err := decoder.Decode(&f); err != nil || decoder.More() || len(f.Earlier) >= maxMarks {
		return nil, errPosition
	}
	var p position
	for _, one := range slices.Concat([]positionFile{f}, f.Earlier) {
		m := mark{seq: one.Sequence}
		n, err := hex.Decode(m.hash[:], []byte(one.Hash)[:min(len(one.Hash), hex.EncodedLen(len(m.hash)))])
		if err != nil || n != len(m.hash) || hex.EncodeToString(m.hash[:]) != one.Hash || m.seq == 0 {
			return nil, errPosition
		}
		if len(p) > 0 && (m.seq >= p[len(p)-1].seq || one.Earlier != nil) {
			return nil, errPosition
		}
		p = append(p, m)
	}
	return p, nil
}

func positionName(dir, sink string) string { return filepath.Join(dir, sink+".position") }

// readPosition returns the position of a sink, none where it never delivered.
func readPosition(dir, sink string) (position, error) {
	text, err := os.ReadFile(positionName(dir, sink))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the position of the sink %s: %w", sink, err)
	}
	p, err := parsePosition(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", positionName(dir, sink), err)
	}
	return p, nil
}

// save writes the position, whole or not at all.
func (p position) save(dir, sink string) error {
	name := positionName(dir, sink)
	file, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("the position of the sink %s: %w", sink, err)
	}
	_, err = file.Write(p.text())
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(name+".new", name)
	}
	if err != nil {
		return fmt.Errorf("the position of the sink %s: %w", sink, err)
	}
	return nil
}
