package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/sluiceproject/sluice/policies/store"
	"github.com/sluiceproject/sluice/rules"
)

// pullCmd is `sluice pull`.
type pullCmd struct {
	Rev string `arg:"" name:"rev-or-dir" help:"The revision; or the folder, for the newest one."`
	Dir string `arg:"" optional:"" help:"The folder, if there is a revision."`

	storeFlags `embed:""`

	Force bool `help:"Overwrite what was changed in the folder since it was pulled, and remove files that the revision does not have."`
}

// Help returns the long text of --help.
func (pullCmd) Help() string {
	return `Writes the files of a revision into a folder that is empty, or that was pulled before
and not changed since. What begins with a dot is left alone. The folder notes in
` + pulledName + ` which revision it has, so that "sluice push" knows what it stands on.

` + revisionHelp + `

Status: 0 the folder has the revision; 1 it has changes of its own; 2 it could not be
carried out.

  sluice pull policies/
  sluice pull 12 policies/`
}

// Run writes the revision.
func (c *pullCmd) Run(ctx context.Context, std *stdio) error {
	rev, dir := c.Rev, c.Dir
	if dir == "" {
		rev, dir = newestRevision, c.Rev
	}
	if dir == "" { // As of a variable that is not set.
		return errors.New("the folder's name is empty")
	}
	if c.Dir == "" && isRevisionName(dir) {
		return fmt.Errorf("into which folder? Say \"sluice pull %s FOLDER\"; for a folder of that name write ./%s", dir, dir)
	}
	settings, err := c.settings()
	if err != nil {
		return mistakes(std, err, 2)
	}
	return inStore(ctx, &settings, func(s *store.Store) error {
		r, err := findRevision(ctx, s, rev)
		if err != nil {
			return err
		}
		p := &pulling{dir: dir, revision: r, force: c.Force}
		if err := p.run(ctx, std, s); err != nil {
			return err
		}
		fmt.Fprintf(std.out, "%s has %s\n", dir, revisionWords(&r))
		return nil
	})
}

// pulling is a folder into which a revision is written.
type pulling struct {
	dir      string
	revision store.Revision
	force    bool
}

func (p *pulling) run(ctx context.Context, std *stdio, s *store.Store) error {
	if _, err := os.Lstat(p.dir); errors.Is(err, fs.ErrNotExist) {
		if err := s.Fetch(ctx, p.revision, p.dir); err != nil {
			return err
		}
		return writePulled(p.dir, &p.revision)
	}
	has, err := filesIn(p.dir)
	if err != nil {
		return err
	}
	if slices.Equal(has, p.revision.Files) {
		return writePulled(p.dir, &p.revision)
	}
	was, err := readPulled(p.dir)
	if err != nil {
		return err
	}
	if was == nil && len(has) > 0 {
		fmt.Fprintf(std.err, "sluice: %s has files that were not pulled; name an empty folder, or one that is not there\n", p.dir)
		return exitError(1)
	}
	if was != nil && !p.force {
		if changes := localChanges(was.Files, has); len(changes) > 0 {
			fmt.Fprintf(std.err, "sluice: %s was changed since revision %d was pulled; push it, pull into another folder, or say --force to lose this:\n", p.dir, was.Number)
			writeLocalChanges(std, changes)
			return exitError(1)
		}
	}
	return p.replace(ctx, s, has)
}

// filesIn returns the files of a folder that are not hidden.
func filesIn(dir string) ([]store.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // It was only read, or only names were changed by it.
	return listFiles(store.Visible(root.FS()))
}

// localChanges says what became of files that were pulled.
func localChanges(was, is []store.File) (changes []string) {
	before := map[string]store.File{}
	for _, f := range was {
		before[f.Name] = f
	}
	for _, f := range is {
		old, had := before[f.Name]
		delete(before, f.Name)
		switch {
		case !had:
			changes = append(changes, "added "+f.Name)
		case old != f:
			changes = append(changes, "changed "+f.Name)
		}
	}
	for _, f := range was {
		if _, gone := before[f.Name]; gone {
			changes = append(changes, "removed "+f.Name)
		}
	}
	return changes
}

func writeLocalChanges(std *stdio, changes []string) {
	const most = 20
	for _, line := range changes[:min(most, len(changes))] {
		fmt.Fprintf(std.err, "  %s\n", rules.Printable(line))
	}
	if more := len(changes) - most; more > 0 {
		fmt.Fprintf(std.err, "  and %d more\n", more)
	}
}
