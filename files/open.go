package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/sluiceproject/sluice/rules"
)

// The limits of paths and of what is said of them, in bytes.
const (
	maxPath  = 32 << 10
	maxShown = 150
)

// Open opens the file of an event beneath the longest mount that its path is in.
// The error is rules.MissingError for an event without a file, and otherwise as
// rules.Source says.
//
// While a file moves, ascp may append the partial suffix to its name. At stop the
// plain name is tried first, and before stop the one with the suffix: what has
// the plain name then is what is about to be replaced. A file at stop of which
// there are both is not opened, because which of them arrived cannot be told.
// What is downloaded has its plain name.
func (m *Mounts) Open(ctx context.Context, e *rules.Event) (rules.Handle, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	at, rest, err := m.find(e.File)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(at.dir)
	if err != nil {
		return nil, m.explain(e.File, fmt.Errorf("the mount's folder cannot be opened: %w", err))
	}
	defer func() { _ = root.Close() }()
	names := m.names(e, rest)
	for i, name := range names {
		file, info, err := open(root, name)
		if isMissing(err) {
			continue
		}
		if err == nil && e.Phase == rules.PhaseStop {
			if err = m.alone(root, names[i+1:]); err != nil {
				file.Close()
			}
			names = names[i : i+1] // Nothing is renamed under the look.
		}
		if err != nil {
			return nil, m.explain(e.File, err)
		}
		return &handle{
			file: file, was: info, identity: identity(info, m.looks.Add(1)),
			dir: at.dir, names: names, growing: e.Phase != rules.PhaseStop,
		}, nil
	}
	for _, name := range names {
		if _, err := root.Lstat(name + rules.ContentProtection); err == nil {
			return nil, notInspectable(rules.ReasonEncrypted, e.File, "is encrypted where it lies")
		}
	}
	return nil, notInspectable(rules.ReasonMissing, e.File, "is not in the mount's folder")
}

// find returns the mount of a path and the path beneath it.
func (m *Mounts) find(p rules.Path) (at *mount, rest string, err error) {
	name, _ := cutSuffixFold(p.Name(), m.suffix)
	_, encrypted := cutSuffixFold(name, rules.ContentProtection)
	switch {
	case p.Raw == "":
		return nil, "", rules.MissingError{Field: "file"}
	case p.IsURL():
		return nil, "", notInspectable(rules.ReasonObjectStorage, p, "is in object storage")
	case strings.ContainsRune(p.Raw, 0):
		return nil, "", notInspectable(rules.ReasonUnmounted, p, "has a NUL byte, which no path has")
	case p.Up:
		return nil, "", notInspectable(rules.ReasonUnmounted, p, `has "..", and where that leads is not known`)
	case encrypted:
		return nil, "", notInspectable(rules.ReasonEncrypted, p, "was encrypted by the client")
	case len(p.Slash) > maxPath:
		return nil, "", notInspectable(rules.ReasonMissing, p, "is a path longer than any")
	}
	for i := range m.list {
		if rest, ok := m.list[i].beneath(p.Slash); ok {
			if rest == "" {
				rest = "."
			}
			return &m.list[i], rest, nil
		}
	}
	return nil, "", notInspectable(rules.ReasonUnmounted, p, "is in no mount of the configuration")
}

// names returns the names that a file may have, the likeliest first.
func (m *Mounts) names(e *rules.Event, plain string) []string {
	_, partial := cutSuffixFold(plain, m.suffix)
	switch {
	case m.suffix == "" || partial || plain == "." || e.Direction == rules.Download:
		return []string{plain}
	case e.Phase == rules.PhaseStop:
		return []string{plain, plain + m.suffix}
	default:
		return []string{plain + m.suffix, plain}
	}
}

// alone returns an error if a file has another of its names, too.
func (m *Mounts) alone(root *os.Root, others []string) error {
	for _, name := range others {
		_, err := root.Lstat(name)
		if err == nil {
			return fmt.Errorf("there is one with %s appended, too, and which of them arrived cannot be told; remove the one that is left over", m.suffix)
		}
		if !isMissing(err) {
			return err
		}
	}
	return nil
}

// open opens a regular file. Whatever else has the name is found out before: to
// open a pipe wakes who waits at its other end, and to open a device can do
// anything.
func open(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, irregularError(info.Mode())
	}
	return openNow(root, name)
}

// openNow opens a file without waiting, whatever it is by now, and keeps it if it
// is a regular one.
func openNow(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	file, err := root.OpenFile(name, openFlags, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = irregularError(info.Mode())
	}
	if err == nil {
		err = mayWait(file)
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// irregularError is the mode of what is no regular file.
type irregularError fs.FileMode

// Error implements error.
func (i irregularError) Error() string {
	switch mode := fs.FileMode(i); {
	case mode.IsDir():
		return "is a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "is a pipe"
	case mode&fs.ModeSocket != 0:
		return "is a socket"
	case mode&fs.ModeDevice != 0:
		return "is a device"
	default:
		return "is no regular file"
	}
}

// isMissing reports whether an error says that nothing has a name.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG)
}

// explain turns what the operating system said into what rules are told.
func (m *Mounts) explain(p rules.Path, err error) error {
	var irregular irregularError
	switch {
	case errors.As(err, &irregular):
		return notInspectable(rules.ReasonIrregular, p, irregular.Error())
	case errors.Is(err, syscall.ELOOP):
		return notInspectable(rules.ReasonIrregular, p, "is a link that leads to too many others")
	case errors.Is(err, syscall.ENXIO): // It was a file when it was looked for.
		return notInspectable(rules.ReasonIrregular, p, "is no regular file any more")
	case errors.Is(err, m.outside):
		return notInspectable(rules.ReasonUnmounted, p, "is reached by a link that leads out of the mount")
	case errors.Is(err, fs.ErrPermission):
		return notInspectable(rules.ReasonDenied, p, "may not be read by the user of the service")
	default:
		return fmt.Errorf("%s: %w", shown(p), cause(err))
	}
}

func notInspectable(reason string, p rules.Path, why string) error {
	return &rules.UninspectableError{Reason: reason, Detail: shown(p) + " " + why}
}

// shown returns a path as errors show it: in one line and without credentials.
func shown(p rules.Path) string {
	return `"` + rules.Printable(rules.Shorten(p.Shown(), maxShown)) + `"`
}

func cutSuffixFold(s, suffix string) (string, bool) {
	cut := len(s) - len(suffix)
	if suffix == "" || cut < 0 || !equalFold(s[cut:], suffix) {
		return s, false
	}
	return s[:cut], true
}
