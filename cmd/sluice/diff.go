package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/policies/store"
)

// diffCmd is `sluice diff`.
type diffCmd struct {
	A string `arg:"" help:"What was: a revision, or a folder (written with a slash, such as ./policies)."`
	B string `arg:"" optional:"" help:"What is, in the same way. Without it the revision A is compared with its parent."`

	storeFlags `embed:""`

	Text bool `help:"Show which lines of the files differ, instead of what they mean."`
	JSON bool `name:"json" help:"Print one JSON object." xor:"form"`
}

// Help returns the long text of --help.
func (diffCmd) Help() string {
	return `Shows what changes in meaning between two policy sets: policies, rules and their
settings, clients, entries of lists, schemas, and tests. Comments, the order of keys
and of values, and other spellings of the same value are no change in meaning; files
in which nothing else differs are only named. Hashes of passwords are never shown.

` + revisionHelp + `
Whatever has a slash in it, or is none of these, is a folder.

Status: 0 nothing differs, 1 something does, if only a text, 2 it cannot be told.

  sluice diff 12
  sluice diff 12 newest
  sluice diff newest ./policies`
}

// Run compares the sets.
func (c *diffCmd) Run(ctx context.Context, std *stdio) error {
	if c.Text && c.JSON {
		return errors.New("--text and --json do not go together")
	}
	settings, err := c.sources()
	if err != nil {
		return mistakes(std, err, 2)
	}
	options, err := setOptions(&settings, "")
	if err != nil {
		return err
	}
	was, is, remove, err := c.sides(ctx, &settings)
	if err != nil {
		return err
	}
	defer remove()
	if c.Text {
		differs, err := writeLineDiff(std.out, was, is)
		if err == nil && differs {
			err = exitError(1)
		}
		return err
	}
	before, err := readSide(std, was, options)
	if err != nil {
		return mistakes(std, err, 2)
	}
	after, err := readSide(std, is, options)
	if err != nil {
		return mistakes(std, err, 2)
	}
	d := policies.Diff(before, after)
	if c.JSON {
		if err := writeJSON(std.out, d); err != nil {
			return err
		}
	} else {
		writeDiffText(std.out, d)
	}
	if !d.Same() {
		return exitError(1)
	}
	return nil
}

// sources returns the settings for the store, which nobody needs to compare folders.
func (c *diffCmd) sources() (config, error) {
	if !isRevisionName(c.A) && c.B != "" && !isRevisionName(c.B) {
		return defaultConfig(), nil
	}
	return c.settings()
}

// readSide reads a set. One that does not compile today is compared all the same.
func readSide(std *stdio, set *candidate, o policies.Options) (*policies.Written, error) {
	if set == nil {
		return &policies.Written{}, nil
	}
	w, err := policies.ReadWritten(set.fsys, o)
	if err != nil {
		return nil, set.named(err)
	}
	if w.Err != nil {
		fmt.Fprintf(std.err, "sluice: %s does not compile, so that it is compared by its words alone\n", set.name)
	}
	return w, nil
}

// sides opens both sets; nil is one without a file.
func (c *diffCmd) sides(ctx context.Context, settings *config) (was, is *candidate, remove func(), err error) {
	var opened []func()
	remove = func() {
		for _, one := range opened {
			one()
		}
	}
	side := func(s *store.Store, text string) (*candidate, error) {
		if !isRevisionName(text) {
			set, err := openCandidate(text, text)
			if err == nil {
				opened = append(opened, set.close)
			}
			return set, err
		}
		r, err := findRevision(ctx, s, text)
		if err != nil {
			return nil, err
		}
		return fetchSide(ctx, s, r, &opened)
	}
	both := func(s *store.Store) (err error) {
		if c.B == "" {
			was, is, err = c.withParent(ctx, s, &opened)
			return err
		}
		if was, err = side(s, c.A); err == nil {
			is, err = side(s, c.B)
		}
		return err
	}
	if settings.state.set() {
		err = inStore(ctx, settings, both)
	} else {
		err = both(nil) // Two folders.
	}
	if err != nil {
		remove()
	}
	return was, is, remove, err
}

// fetchSide fetches a revision, and notes how it is removed.
func fetchSide(ctx context.Context, s *store.Store, r store.Revision, opened *[]func()) (*candidate, error) {
	set, remove, err := fetchInto(ctx, s, r)
	if err == nil {
		*opened = append(*opened, remove)
	}
	return set, err
}

// withParent opens a revision and the one before it.
func (c *diffCmd) withParent(ctx context.Context, s *store.Store, opened *[]func()) (was, is *candidate, err error) {
	if !isRevisionName(c.A) {
		return nil, nil, fmt.Errorf("%s is a folder: with what is it to be compared? Name a revision, too: sluice diff newest %s", c.A, c.A)
	}
	r, err := findRevision(ctx, s, c.A)
	if err != nil {
		return nil, nil, err
	}
	if r.Parent > 0 {
		parent, err := s.Revision(ctx, r.Parent)
		if err != nil {
			return nil, nil, fmt.Errorf("revision %d, on which revision %d stands: %w", r.Parent, r.Number, err)
		}
		if was, err = fetchSide(ctx, s, parent, opened); err != nil {
			return nil, nil, err
		}
	}
	is, err = fetchSide(ctx, s, r, opened)
	return was, is, err
}
