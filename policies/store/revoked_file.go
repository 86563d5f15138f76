package store

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// ledger keeps revocations in a file, one a line, so that a process that starts
// without the engine knows what the one before it knew. The time of the file is
// when the engine has last confirmed them.
type ledger struct {
	name string
	// confirmed is when the engine has confirmed them, and marked what of that the
	// file says. Never is the beginning of 1970.
	confirmed, marked time.Time
}

// markEvery is how often the time of the file is set.
const markEvery = 10 * time.Second

// maxLedger is the size of the largest file that is read, in bytes.
const maxLedger = 1 << 30

// open reads the file, if there is one, and leaves what holds in it. Whether it can
// be written is said now.
func (l *ledger) open(now time.Time) (list []Revocation, err error) {
	l.confirmed = time.Unix(0, 0)
	if err := os.MkdirAll(filepath.Dir(l.name), 0o700); err != nil {
		return nil, err
	}
	file, err := os.Open(l.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, l.rewrite(nil)
	}
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil {
		l.confirmed = info.ModTime()
		list, err = readLedger(io.LimitReader(file, maxLedger), now)
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	return list, l.rewrite(list)
}

// readLedger reads revocations that are not over. A line that is cut off or damaged
// is passed over: the engine has it, too.
func readLedger(from io.Reader, now time.Time) (list []Revocation, err error) {
	lines := bufio.NewReaderSize(from, maxRecord)
	for {
		line, err := lines.ReadSlice('\n')
		if r, wrong := parseRevocation(bytes.TrimSpace(line)); wrong == nil && r.Until.After(now) {
			list = append(list, r)
		}
		switch {
		case errors.Is(err, io.EOF):
			return list, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// add appends revocations, and returns when they are on disk.
func (l *ledger) add(list []Revocation) error {
	text, err := ledgerLines(list)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(l.name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append([]byte{'\n'}, text...)) // The line before may be cut off.
	return errors.Join(err, file.Sync(), file.Close(), l.mark())
}

// rewrite puts revocations in the place of what the file has.
func (l *ledger) rewrite(list []Revocation) error {
	text, err := ledgerLines(list)
	if err != nil {
		return err
	}
	draft, err := os.CreateTemp(filepath.Dir(l.name), filepath.Base(l.name)+".*")
	if err != nil {
		return err
	}
	_, err = draft.Write(text)
	if err = errors.Join(err, draft.Sync(), draft.Close()); err == nil {
		err = os.Rename(draft.Name(), l.name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(draft.Name()))
	}
	return l.mark()
}

func ledgerLines(list []Revocation) ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	for i := range list {
		if err := enc.Encode(&list[i]); err != nil {
			return nil, fmt.Errorf("a revocation: %w", err)
		}
	}
	return text.Bytes(), nil
}

// confirm says that the revocations were confirmed.
func (l *ledger) confirm(at time.Time) error {
	if l.confirmed = at; at.Sub(l.marked) < markEvery {
		return nil
	}
	return l.mark()
}

// mark sets the time of the file, which every write changes.
func (l *ledger) mark() error {
	l.marked = l.confirmed
	return os.Chtimes(l.name, time.Time{}, l.confirmed)
}
