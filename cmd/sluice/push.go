package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/policies/store"
)

// pushCmd is `sluice push`.
type pushCmd struct {
	Dir string `arg:"" help:"Folder of the policy set."`

	storeFlags `embed:""`

	Message string `short:"m" help:"What changes and why, for those who read the history." placeholder:"TEXT"`
	Author  string `help:"Who makes the change; by default the user and the machine." placeholder:"NAME"`
	Parent  string `help:"The revision that must still be the newest one. By default the one that was pulled into the folder; newest replaces whatever is there." placeholder:"REV"`
	NoTests bool   `help:"Store the set though its tests are not run."`
	DryRun  bool   `help:"Do everything but store, and show what would change."`

	pushReplayFlags `embed:""`
}

// Help returns the long text of --help.
func (pushCmd) Help() string {
	return `Compiles a policy set, runs its tests, and stores all its files as the next revision
in the policy store. Services with policies.from: store take it over at once.

Two people cannot overwrite each other: a push says which revision it comes from,
and is refused if that is no longer the newest one. "sluice pull" notes it in the
folder, in ` + pulledName + `. In a pipeline that is always right say --parent newest.

Status: 0 it is stored, or the newest revision has the same files; 1 it was refused;
2 it could not be carried out.

  sluice pull newest policies/
  sluice push policies/ -m "Partners may deliver MXF"`
}

// Run stores the set.
func (c *pushCmd) Run(ctx context.Context, std *stdio) error {
	settings, replay, limits, err := c.settings()
	if err != nil {
		return mistakes(std, err, 2)
	}
	options, err := setOptions(&settings, c.Config)
	if err != nil {
		return mistakes(std, err, 2)
	}
	base, err := c.base(ctx, &settings)
	if err != nil {
		return err
	}
	set, err := openCandidate(c.Dir, c.Dir)
	if err != nil {
		return err
	}
	defer set.close()
	if err := set.compile(options); err != nil {
		return mistakes(std, err, 1)
	}
	if !c.NoTests {
		if err := set.test(ctx, std); err != nil {
			return err
		}
	}
	switch {
	case base.head.Number > 0 && set.has(base.head.Files):
		fmt.Fprintf(std.out, "nothing to push: %s has the same files\n", revisionWords(&base.head))
		if !c.DryRun {
			c.note(std, &base.head)
		}
		return nil
	case base.parent != base.head.Number:
		return base.conflict(std, c.Dir)
	}
	p := store.Proposal{Author: c.Author, Message: c.Message, Hash: set.snapshot.Revision, Files: set.fsys}
	if replay != nil {
		if p.Replay, err = replay.run(ctx, std, set.snapshot, limits); err != nil {
			return err
		}
	}
	if c.DryRun {
		return c.rehearse(ctx, std, &settings, &base, set, options)
	}
	return c.push(ctx, std, &settings, &base, set, p)
}

// settings reads flags and configuration.
func (c *pushCmd) settings() (settings config, replay *pushReplay, limits []pushLimits, err error) {
	if c.Dir == "" {
		return settings, nil, nil, errors.New("the folder's name is empty")
	}
	if strings.TrimSpace(c.Message) == "" && !c.DryRun {
		return settings, nil, nil, errors.New("say what changes and why, with -m TEXT")
	}
	if c.Author == "" {
		c.Author = defaultAuthor()
	}
	if !utf8.ValidString(c.Message + c.Author) {
		return settings, nil, nil, errors.New("the message and the author must be UTF-8")
	}
	if settings, err = c.storeFlags.settings(); err != nil {
		return settings, nil, nil, err
	}
	if c.NoTests && settings.push.requireTests {
		return settings, nil, nil, errors.New("--no-tests: the configuration has push.require_tests")
	}
	replay, limits, err = c.wanted(&settings)
	return settings, replay, limits, err
}

// inStore does something with the store and lets it go: while a command has an
// embedded engine, no service can start.
func inStore(ctx context.Context, settings *config, do func(*store.Store) error) error {
	s, err := settings.state.open(ctx, true, func(store.Happening) {})
	if err != nil {
		return err
	}
	defer s.Close()
	return do(s)
}

// base finds out what the push stands on.
func (c *pushCmd) base(ctx context.Context, settings *config) (b pushBase, err error) {
	err = inStore(ctx, settings, func(s *store.Store) error {
		b, err = findBase(ctx, s, c.Dir, c.Parent)
		return err
	})
	return b, err
}

// push stores the set.
func (c *pushCmd) push(ctx context.Context, std *stdio, settings *config, base *pushBase, set *candidate, p store.Proposal) error {
	r, err := proposeOn(ctx, settings, base, p)
	if errors.Is(err, store.ErrConflict) {
		return base.conflict(std, c.Dir)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "revision %d is stored: %s\n", r.Number, set.what())
	c.note(std, &r)
	return nil
}

// proposeOn stores a revision on top of the newest one. After an ErrConflict the base
// has who was first.
func proposeOn(ctx context.Context, settings *config, base *pushBase, p store.Proposal) (r store.Revision, err error) {
	p.Parent = &base.head.Number
	err = inStore(ctx, settings, func(s *store.Store) error {
		r, err = s.Push(ctx, p)
		if errors.Is(err, store.ErrConflict) {
			if all, failed := s.History(ctx, 0); failed == nil {
				base.since = all
				for i := range all {
					if all[i].Number <= base.parent {
						base.since = all[:i]
						break
					}
				}
			}
		}
		return err
	})
	if errors.Is(err, store.ErrAway) {
		err = fmt.Errorf("%w; whether the revision is stored is not known: \"sluice history\" tells", err)
	}
	return r, err
}

// note writes into the folder which revision it has. That it cannot, as in a folder
// that nobody may write to, is told and harms nothing.
func (c *pushCmd) note(std *stdio, r *store.Revision) {
	if err := writePulled(c.Dir, r); err != nil {
		fmt.Fprintf(std.err, "sluice: the folder does not know that it has revision %d now: %s\n", r.Number, err)
	}
}

// rehearse shows what a push would change.
func (c *pushCmd) rehearse(ctx context.Context, std *stdio, settings *config, base *pushBase, set *candidate, o policies.Options) error {
	is, err := policies.ReadWritten(set.fsys, o)
	if err != nil {
		return mistakes(std, set.named(err), 1)
	}
	was := &policies.Written{}
	if base.head.Number > 0 {
		before, remove, err := fetchCandidate(ctx, settings, base.head)
		if err != nil {
			return err
		}
		defer remove()
		if was, err = policies.ReadWritten(before.fsys, o); err != nil {
			return mistakes(std, before.named(err), 2)
		}
	}
	writeDiffText(std.out, policies.Diff(was, is))
	on := "an empty store"
	if base.head.Number > 0 {
		on = revisionWords(&base.head)
	}
	fmt.Fprintf(std.out, "\nwould be stored on top of %s: %s\n", on, set.what())
	return nil
}

// fetchCandidate fetches a revision into a folder of its own, which remove removes.
func fetchCandidate(ctx context.Context, settings *config, r store.Revision) (c *candidate, remove func(), err error) {
	err = inStore(ctx, settings, func(s *store.Store) error {
		c, remove, err = fetchInto(ctx, s, r)
		return err
	})
	return c, remove, err
}

// fetchInto does the same with a store that is open.
func fetchInto(ctx context.Context, s *store.Store, r store.Revision) (*candidate, func(), error) {
	dir, remove, err := fetchRevision(ctx, s, r)
	if err != nil {
		return nil, nil, err
	}
	c, err := openCandidate(dir, fmt.Sprintf("revision %d", r.Number))
	if err != nil {
		remove()
		return nil, nil, err
	}
	return c, func() { c.close(); remove() }, nil
}
