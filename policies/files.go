package policies

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/sluiceproject/sluice/rules"
)

// maxFile is the largest file of a set that is not a list of digests, in bytes.
const maxFile = 1 << 20

// files are the files of one set. Whatever is read through it counts for the
// revision.
type files struct {
	fsys     fs.FS
	previous map[string]*list
	names    func() []string // of all files, for whoever looks for one in vain

	mu     sync.Mutex
	hashes map[string][]byte
	lists  map[string]*list
}

// list is a list of digests and what it was read from.
type list struct {
	load    sync.Once
	stamp   stamp
	hash    []byte
	digests *rules.Digests
	err     error
}

func newFiles(fsys fs.FS, previous map[string]*list) *files {
	names := sync.OnceValue(func() []string { return namesIn(fsys) })
	return &files{fsys: fsys, previous: previous, names: names, hashes: map[string][]byte{}, lists: map[string]*list{}}
}

// documents returns the names of the set's YAML documents in order. Tests and
// hidden files are left out; a YAML file in a folder is misplaced, because
// nobody would notice that it decides nothing.
func (f *files) documents() (names, misplaced []string, err error) {
	return f.named(isDocument)
}

// named returns the names in order of the files that a function picks: those in
// the set's own folder, and those in folders below it.
func (f *files) named(pick func(name string) bool) (own, below []string, err error) {
	walk := func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(path.Base(name), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
		case !pick(name):
		case strings.Contains(name, "/"):
			below = append(below, name)
		default:
			own = append(own, name)
		}
		return nil
	}
	if err := fs.WalkDir(f.fsys, ".", walk); err != nil {
		return nil, nil, fmt.Errorf("reading the policy set: %w", err)
	}
	return own, below, nil
}

// isDocument reports whether a file is a YAML document that decides.
func isDocument(name string) bool {
	for _, extension := range []string{".yaml", ".yml"} {
		if stem, ok := strings.CutSuffix(name, extension); ok {
			return !strings.HasSuffix(stem, "_test")
		}
	}
	return false
}

// read returns a whole file of at most maxFile bytes.
func (f *files) read(name string) ([]byte, error) {
	file, err := f.openRaw(name)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // It was only read.
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, reason(err))
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s is larger than %s", name, rules.FormatSize(maxFile))
	}
	sum := sha256.Sum256(text)
	f.used(name, sum[:])
	return text, nil
}

// openRaw opens a regular file of the set by its relative path.
func (f *files) openRaw(name string) (fs.File, error) {
	if !fs.ValidPath(name) || name == "." {
		return nil, fmt.Errorf("%q is not a path inside the policy set; write it relative to the set, such as lists/known.sha256", name)
	}
	info, err := fs.Stat(f.fsys, name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no file %s in the policy set%s", name, f.meant(name))
		}
		return nil, fmt.Errorf("%s: %w", name, reason(err))
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	return f.fsys.Open(name)
}

// namesIn returns the names of the files of a set that are no documents.
func namesIn(fsys fs.FS) (names []string) {
	_ = fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error { // What cannot be read has no name.
		if err == nil && !entry.IsDir() && !isDocument(name) {
			names = append(names, name)
		}
		return nil
	})
	return names
}

// meant says which file of the set was probably meant by a name that none has.
func (f *files) meant(name string) string {
	dir, base := path.Split(name)
	stem, extension := strings.TrimSuffix(base, path.Ext(base)), path.Ext(base)
	for _, other := range f.names() {
		in, called := path.Split(other)
		if called == base {
			return fmt.Sprintf("; did you mean %q?", other)
		}
		alike := rules.DidYouMean(base, []string{called})
		if path.Ext(called) == extension {
			alike = rules.DidYouMean(stem, []string{strings.TrimSuffix(called, extension)})
		}
		if in == dir && alike != "" {
			return fmt.Sprintf("; did you mean %q?", other)
		}
	}
	return ""
}

// reason returns why a file cannot be used, without the operation and the name
// that the error may have around it.
func reason(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// open is rules.Env.Open.
func (f *files) open(name string) (io.ReadCloser, error) {
	text, err := f.read(name)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(text)), nil
}

// digests is rules.Env.Digests: a list is read once for all rules that name it,
// and not again while the file is the same as in the previous set.
func (f *files) digests(name string) (*rules.Digests, error) {
	f.mu.Lock()
	l := f.lists[name]
	if l == nil {
		l = &list{}
		f.lists[name] = l
	}
	f.mu.Unlock()
	l.load.Do(func() { f.loadList(name, l) })
	if l.err != nil {
		return nil, l.err
	}
	f.used(name, l.hash)
	return l.digests, nil
}

func (f *files) loadList(name string, l *list) {
	file, err := f.openRaw(name)
	if err != nil {
		l.err = err
		return
	}
	defer file.Close() //nolint:errcheck // It was only read.
	info, err := file.Stat()
	if err != nil {
		l.err = fmt.Errorf("%s: %w", name, err)
		return
	}
	l.stamp = stampOf(info)
	if old := f.previous[name]; old != nil && old.err == nil && old.stamp == l.stamp {
		l.hash, l.digests = old.hash, old.digests
		return
	}
	sum := sha256.New()
	l.digests, l.err = rules.ReadDigests(name, io.TeeReader(file, sum), info.Size())
	l.hash = sum.Sum(nil)
}

func (f *files) used(name string, sum []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hashes[name] = sum
}

// revision is the first 12 hex digits of the SHA-256 over names and digests of
// every file that decides, in order of names.
func (f *files) revision() string {
	all := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(f.hashes)) {
		fmt.Fprintf(all, "%d:%s", len(name), name)
		all.Write(f.hashes[name])
	}
	return hex.EncodeToString(all.Sum(nil))[:12]
}
