package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/policies/store"
	"github.com/sluiceproject/sluice/rules"
)

// pulledName is the file of a folder that says which revision was pulled into it. It
// is hidden, so that it is no part of the set.
const pulledName = ".sluice-revision"

// maxPulled is the most that such a file may have, in bytes.
const maxPulled = 8 << 20

// pulled is what a folder has of the store.
type pulled struct {
	Number uint64       `json:"revision"`
	Hash   string       `json:"hash"`
	Time   time.Time    `json:"time"`
	Files  []store.File `json:"files"`
}

// readPulled returns what was pulled into a folder, nil if nothing was.
func readPulled(dir string) (*pulled, error) {
	name := filepath.Join(dir, pulledName)
	info, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var text []byte
	if err == nil && info.Mode().IsRegular() && info.Size() <= maxPulled {
		text, err = os.ReadFile(name)
	}
	var p pulled
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err == nil && p.Number == 0 {
		err = errors.New("it has no number")
	}
	if err != nil {
		return nil, fmt.Errorf("%s, which says where the folder comes from, cannot be read (%w); remove it, and say --parent REV", name, err)
	}
	return &p, nil
}

// writePulled notes that a folder has the files of a revision.
func writePulled(dir string, r *store.Revision) error {
	text, err := json.MarshalIndent(pulled{r.Number, r.Hash, r.Time, r.Files}, "", " ")
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // It was only read, or only names were changed by it.
	fresh := pulledName + ".new"
	if err := root.WriteFile(fresh, append(text, '\n'), 0o644); err != nil {
		return err
	}
	return root.Rename(fresh, pulledName)
}

// pushBase is what a push stands on.
type pushBase struct {
	// parent is the revision that the set comes from, 0 for none.
	parent uint64
	// head is the newest one; its number is 0 if there is none.
	head store.Revision
	// since are the revisions after the parent, newest first.
	since []store.Revision
}

// findBase finds out which revision the set of a folder comes from: what --parent
// says, or what was pulled into the folder, or nothing where the store is empty.
func findBase(ctx context.Context, s *store.Store, dir, parent string) (b pushBase, err error) {
	if b.head, err = s.Head(ctx); err != nil && !errors.Is(err, store.ErrEmpty) {
		return b, err
	}
	was, err := readPulled(dir)
	switch {
	case parent != "":
		r, err := findRevision(ctx, s, parent)
		if err != nil {
			return b, fmt.Errorf("--parent: %w", err)
		}
		b.parent = r.Number
	case err != nil:
		return b, err
	case was != nil:
		if err := was.belongs(ctx, s, &b.head); err != nil {
			return b, fmt.Errorf("%s: %w", filepath.Join(dir, pulledName), err)
		}
		b.parent = was.Number
	case b.head.Number > 0:
		return b, fmt.Errorf("nothing says which revision %s comes from. Pull a revision into another folder, bring your changes there and push that; "+
			"or say --parent newest to replace whatever is in %s", dir, revisionWords(&b.head))
	}
	if b.parent == b.head.Number {
		return b, nil
	}
	all, err := s.History(ctx, 0)
	b.since = slices.DeleteFunc(all, func(r store.Revision) bool { return r.Number <= b.parent })
	return b, err
}

// belongs returns an error if what was pulled is of another store.
func (p *pulled) belongs(ctx context.Context, s *store.Store, head *store.Revision) error {
	r, err := s.Revision(ctx, p.Number)
	switch {
	case err == nil && r.Hash == p.Hash && r.Time.Equal(p.Time), errors.Is(err, store.ErrNoRevision) && p.Number < head.Number:
		return nil // What the store has forgotten is older than the newest, so that this is a conflict anyway.
	case err == nil, errors.Is(err, store.ErrNoRevision):
		return fmt.Errorf("revision %d was pulled from another policy store; to push to this one say --parent REV, or remove the file if the store is empty", p.Number)
	default:
		return err
	}
}

// conflict says who stored what in the meantime, and how to go on. The error is an
// exitError.
func (b *pushBase) conflict(std *stdio, dir string) error {
	from := "an empty store"
	if b.parent > 0 {
		from = fmt.Sprintf("revision %d", b.parent)
	}
	fmt.Fprintf(std.err, "sluice: nothing was stored: %s comes from %s, and since then came\n", dir, from)
	const most = 10
	for i := range b.since[:min(most, len(b.since))] {
		fmt.Fprintf(std.err, "  %s\n", revisionWords(&b.since[i]))
	}
	if more := len(b.since) - most; more > 0 {
		fmt.Fprintf(std.err, "  and %d more\n", more)
	}
	fmt.Fprintln(std.err, strings.TrimSpace(fmt.Sprintf(`
Look at what they change, pull them into another folder, bring your own changes there, and push that:
  %ssluice pull newest merged/
  sluice push merged/ -m MESSAGE`, b.compareHint())))
	return exitError(1)
}

// compareHint is the command that shows what others have changed.
func (b *pushBase) compareHint() string {
	if b.parent == 0 {
		return ""
	}
	return fmt.Sprintf("sluice diff %d newest\n  ", b.parent)
}

// defaultAuthor is who pushes, as the environment has it.
func defaultAuthor() string {
	user := ""
	for _, name := range []string{"SUDO_USER", "USER", "LOGNAME", "USERNAME"} {
		if user = os.Getenv(name); user != "" {
			break
		}
	}
	if user == "" {
		user = fmt.Sprintf("uid-%d", os.Getuid())
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return strings.ToValidUTF8(rules.Shorten(user+"@"+host, store.MaxAuthor), "?")
}
