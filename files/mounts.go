// Package files reaches the files that events are about, as rules.Source: it
// maps the prefix of a path to a local folder, and opens what lies beneath that
// folder and nowhere else.
//
// Paths are influenced by whoever transfers, and so may be the links, pipes and
// names in the folders. Nothing is opened through a link that leads out, nothing
// but regular files is read, and opening never waits for a pipe or a device.
//
// A mount's folder is opened anew for each look and not kept. That costs a few
// microseconds; in return a folder that was replaced, a share that was mounted
// again or only now, and a handle that a file server has forgotten are no matter,
// and nobody is kept from unmounting.
package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/sluiceproject/sluice/rules"
)

// Mount says where on this machine the files are whose paths have a prefix.
type Mount struct {
	// Prefix is how the paths of events begin, up to the end of a segment: "/",
	// which is every path that begins with a slash, "/data/ingest", a Windows
	// drive such as "C:/data" or "C:\data", or a share such as "\\server\share".
	// The case of drives and shares does not matter. The longest prefix wins.
	Prefix string
	// Dir is the absolute path of the local folder.
	Dir string
}

// Mistake is what is wrong with one mount.
type Mistake struct {
	// Index counts the mounts from 0.
	Index int
	// InDir tells a mistake in Dir from one in Prefix.
	InDir bool
	// Message says what is wrong and how to mend it.
	Message string
}

// Mistakes are all mistakes of a list of mounts, as an error.
type Mistakes []Mistake

// Error implements error, with one line for each mistake.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, mistake := range m {
		lines[i] = fmt.Sprintf("mount %d: %s", mistake.Index+1, mistake.Message)
	}
	return strings.Join(lines, "\n")
}

// Mounts opens files beneath mounts. It is safe for concurrent use.
type Mounts struct {
	list   []mount // The longest prefix first.
	suffix string
	looks  atomic.Uint64
	// outside is what the os package says of a path that leads out of a root.
	outside error
}

// mount is one Mount as paths are compared with it.
type mount struct {
	index    int
	segments []string
	// rooted is that paths begin with a slash, and not with a drive.
	rooted bool
	// fold is that case does not matter.
	fold bool
	dir  string
}

// New returns a source of the files beneath mounts. partialSuffix is what ascp
// appends to the names of files that are not finished, with its dot, or nothing.
// Each folder must be there and be readable. The error is Mistakes.
func New(mounts []Mount, partialSuffix string) (*Mounts, error) {
	m := &Mounts{suffix: partialSuffix}
	wrong := Check(mounts)
	for i, one := range mounts {
		if slices.ContainsFunc(wrong, func(w Mistake) bool { return w.Index == i }) {
			continue
		}
		outside, err := try(one.Dir)
		if err != nil {
			wrong = append(wrong, Mistake{Index: i, InDir: true, Message: err.Error()})
			continue
		}
		m.outside = outside
		at, _ := parse(one)
		m.list = append(m.list, at)
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	slices.SortStableFunc(m.list, func(a, b mount) int { return len(b.segments) - len(a.segments) })
	return m, nil
}

// Check returns what is wrong with mounts as they are written, without a look at
// the folders.
func Check(mounts []Mount) (wrong Mistakes) {
	var known []mount
	for i, one := range mounts {
		at, err := parse(one)
		at.index = i
		if err != nil {
			wrong = append(wrong, Mistake{Index: i, Message: err.Error()})
		} else {
			if j := slices.IndexFunc(known, at.same); j >= 0 {
				wrong = append(wrong, Mistake{Index: i, Message: fmt.Sprintf(
					"%q is the prefix of mount %d already; a prefix has one folder", one.Prefix, known[j].index+1)})
			}
			known = append(known, at)
		}
		switch {
		case strings.ContainsRune(one.Dir, 0):
			wrong = append(wrong, Mistake{Index: i, InDir: true, Message: "the folder's name has a NUL byte"})
		case !filepath.IsAbs(one.Dir):
			wrong = append(wrong, Mistake{Index: i, InDir: true, Message: fmt.Sprintf(
				"%q is not an absolute path; where it leads would depend on where the service is started", one.Dir)})
		}
	}
	return wrong
}

// parse reads a mount's prefix.
func parse(m Mount) (mount, error) {
	p := rules.ParsePath(m.Prefix)
	at := mount{dir: m.Dir, rooted: strings.HasPrefix(p.Slash, "/")}
	at.segments = slices.DeleteFunc(strings.Split(p.Slash, "/"), func(s string) bool { return s == "" })
	drive := !at.rooted && len(at.segments) > 0 && isDrive(at.segments[0])
	at.fold = drive || strings.HasPrefix(m.Prefix, `\\`)
	switch {
	case p.IsURL():
		return at, fmt.Errorf("%q is object storage, which cannot be looked into; a prefix is of paths", p.Shown())
	case strings.ContainsRune(m.Prefix, 0):
		return at, errors.New("the prefix has a NUL byte")
	case p.Up:
		return at, fmt.Errorf(`%q has "..", and where that leads is not known; write the path without`, m.Prefix)
	case !at.rooted && !drive:
		return at, fmt.Errorf(`%q is not how a path begins; write "/", a folder such as "/data", a drive such as "C:/" or a share such as "\\server\share"`, m.Prefix)
	case at.rooted && at.fold && len(at.segments) == 0:
		return at, fmt.Errorf(`%q names no server; write a share as "\\server\share"`, m.Prefix)
	default:
		return at, nil
	}
}

// try looks whether a folder can be used, and returns what the os package says
// of a path that leads out of it, which it has no exported name for.
func try(dir string) (outside, err error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no folder %q; make it or correct the path", dir)
	case err != nil:
		return nil, fmt.Errorf("the folder %q cannot be used: %w", dir, cause(err))
	case !info.IsDir():
		return nil, fmt.Errorf("%q is not a folder", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("the folder %q cannot be opened: %w; let the user of the service read it", dir, cause(err))
	}
	defer func() { _ = root.Close() }()
	_, outside = root.Lstat("..")
	return cause(outside), nil
}

// cause returns what happened without the names to which it did: they are the
// client's.
func cause(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// same reports whether the prefixes of two mounts are the same.
func (m mount) same(other mount) bool {
	fold := m.fold || other.fold
	return m.rooted == other.rooted && slices.EqualFunc(m.segments, other.segments, func(a, b string) bool {
		return a == b || fold && equalFold(a, b)
	})
}

// beneath returns what follows the mount's prefix in a path.
func (m *mount) beneath(slash string) (rest string, ok bool) {
	rest, rooted := strings.CutPrefix(slash, "/")
	if rooted != m.rooted {
		return "", false
	}
	for _, want := range m.segments {
		var segment string
		segment, rest, _ = strings.Cut(rest, "/")
		if segment != want && (!m.fold || !equalFold(segment, want)) {
			return "", false
		}
	}
	return rest, true
}

// equalFold reports whether two segments differ in the case of ASCII letters at
// most. What Windows makes of other letters depends on the volume, and a path
// that is taken for another would be a look into another file.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && (a[i]|0x20 != b[i]|0x20 || !isLetter(a[i])) {
			return false
		}
	}
	return true
}

func isDrive(segment string) bool {
	return len(segment) == 2 && segment[1] == ':' && isLetter(segment[0])
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
