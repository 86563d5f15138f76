package store

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"
)

// messageRest is what a message may have beside what is in it, in bytes.
const messageRest = 4 << 10

// encode returns the revision as it is stored, in at most limit bytes.
func (r *Revision) encode(limit int64) ([]byte, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("the revision cannot be written: %w", err)
	}
	if most := min(limit, maxMessage) - messageRest; int64(len(text)) > most {
		return nil, fmt.Errorf("%w: the list of its %d files has %d bytes, and the engine takes %d (max_payload)", ErrTooLarge, len(r.Files), len(text), most)
	}
	return text, nil
}

// decodeRevision reads what encode wrote, or whatever else somebody stored.
func decodeRevision(text []byte) (r Revision, err error) {
	if err := json.Unmarshal(text, &r); err != nil {
		return Revision{}, err
	}
	if err := r.check(); err != nil {
		return Revision{}, err
	}
	return r, nil
}

// check returns what is wrong with a revision. Its files can be written below any
// folder without leaving it.
func (r *Revision) check() error {
	for _, text := range []struct {
		what, is string
		most     int
	}{{"author", r.Author, MaxAuthor}, {"message", r.Message, MaxText}, {"hash", r.Hash, 64}, {"replay", string(r.Replay), MaxReplay}} {
		if len(text.is) > text.most {
			return fmt.Errorf("%w: its %s has %d bytes, and %d are possible", ErrTooLarge, text.what, len(text.is), text.most)
		}
		if !utf8.ValidString(text.is) {
			return fmt.Errorf("its %s is not valid UTF-8", text.what)
		}
	}
	if len(r.Replay) > 0 && !json.Valid(r.Replay) {
		return errors.New("what became of its replay is not JSON")
	}
	if len(r.Files) > MaxFiles {
		return fmt.Errorf("%w: it has %d files, and %d are possible", ErrTooLarge, len(r.Files), MaxFiles)
	}
	return checkFiles(r.Files)
}

func checkFiles(files []File) error {
	var total int64
	folders, before := map[string]bool{}, ""
	for _, f := range files {
		if err := checkName(f.Name); err != nil {
			return err
		}
		if f.Name <= before {
			return fmt.Errorf("its files are not in order: %q stands behind %q", f.Name, before)
		}
		before = f.Name
		for dir := path.Dir(f.Name); dir != "." && !folders[dir]; dir = path.Dir(dir) {
			folders[dir] = true
		}
		if digest, err := hex.DecodeString(f.SHA256); err != nil || len(digest) != 32 || strings.ToLower(f.SHA256) != f.SHA256 {
			return fmt.Errorf("its file %s has no SHA-256 digest but %q", f.Name, f.SHA256)
		}
		if f.Size < 0 || f.Size > MaxBytes {
			return fmt.Errorf("%w: its file %s has %d bytes", ErrTooLarge, f.Name, f.Size)
		}
		if total += f.Size; total > MaxBytes {
			return fmt.Errorf("%w: its files have more than 4 GiB together", ErrTooLarge)
		}
	}
	for _, f := range files {
		if folders[f.Name] {
			return fmt.Errorf("its file %s is also a folder", f.Name)
		}
	}
	return nil
}

// checkName returns why a file of a set cannot be called so.
func checkName(name string) error {
	switch {
	case !fs.ValidPath(name) || name == "." || strings.ContainsRune(name, 0):
		return fmt.Errorf("%q is not a path inside a policy set", name)
	case len(name) > MaxName:
		return fmt.Errorf("%w: the name %q is longer than %d bytes", ErrTooLarge, name, MaxName)
	case hidden(name):
		return fmt.Errorf("%q is hidden: a revision has no names that begin with a dot", name)
	}
	return nil
}

// hidden reports whether a file, or a folder that it is in, has a name that begins
// with a dot.
func hidden(name string) bool {
	return name != "." && (strings.HasPrefix(name, ".") || strings.Contains(name, "/."))
}
