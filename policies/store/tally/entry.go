package tally

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// Key stands for a counter, or for a file of a counter: the beginning of a SHA-256.
// It is long enough that two never meet, also where somebody looks for such.
type Key [16]byte

// keyOf returns the key of a counter, or with a file that of a file of it.
func keyOf(counter, file string) (k Key) {
	text := make([]byte, 0, 256)
	text = binary.AppendUvarint(text, uint64(len(counter)))
	text = append(append(text, counter...), file...)
	sum := sha256.Sum256(text)
	copy(k[:], sum[:])
	return k
}

// Entry is a rules.Count as it is counted: see there for what the members mean.
type Entry struct {
	Counter, File Key
	From, To      int64
	Final         bool
	Window        time.Duration
	Files, Bytes  int64
}

// MaxWindow is the longest window.
const MaxWindow = 31 * 24 * time.Hour

// EntryOf returns the entry of a count. The error says which number of it cannot be.
func EntryOf(c *rules.Count) (Entry, error) {
	e := Entry{
		Counter: keyOf(c.Counter, ""), File: keyOf(c.Counter, "/"+c.File),
		From: c.From, To: c.To, Final: c.Final, Window: c.Window, Files: c.Files, Bytes: c.Bytes,
	}
	return e, e.check()
}

// check reports a number that no count has.
func (e *Entry) check() error {
	switch {
	case e.Window <= 0 || e.Window > MaxWindow:
		return fmt.Errorf("a window of %s is not above 0 and up to %s", e.Window, MaxWindow)
	case e.From < 0 || e.To < 0 || e.Files < 0 || e.Bytes < 0:
		return fmt.Errorf("a number below 0: from %d to %d, of %d files and %d bytes", e.From, e.To, e.Files, e.Bytes)
	default:
		return nil
	}
}
