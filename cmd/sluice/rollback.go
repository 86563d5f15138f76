package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/sluiceproject/sluice/policies/store"
)

// rollbackCmd is `sluice rollback`.
type rollbackCmd struct {
	Rev string `arg:"" help:"The revision to go back to."`

	storeFlags `embed:""`

	Message string `short:"m" help:"Why, for those who read the history; by default what the revision said." placeholder:"TEXT"`
	Author  string `help:"Who goes back; by default the user and the machine." placeholder:"NAME"`
	NoTests bool   `help:"Go back though the tests of the revision are not run."`
}

// Help returns the long text of --help.
func (rollbackCmd) Help() string {
	return `Stores the files of an earlier revision as a new one. Nothing is lost: what was the
newest revision stays in the history. The old files are compiled and tested by the
configuration of today first, and nothing is stored if they do not pass. No replay is
asked for: whoever goes back is in a hurry.

` + revisionHelp + `

Status: 0 it is stored, or the newest revision has the same files; 1 it was refused;
2 it could not be carried out.

  sluice rollback newest~1 -m "Partners could not deliver"`
}

// Run stores the old files anew.
func (c *rollbackCmd) Run(ctx context.Context, std *stdio) error {
	settings, err := c.settings()
	if err != nil {
		return mistakes(std, err, 2)
	}
	if c.NoTests && settings.push.requireTests {
		return errors.New("--no-tests: the configuration has push.require_tests")
	}
	if !utf8.ValidString(c.Message + c.Author) {
		return errors.New("the message and the author must be UTF-8")
	}
	options, err := setOptions(&settings, c.Config)
	if err != nil {
		return mistakes(std, err, 2)
	}
	base, to, set, remove, err := c.fetch(ctx, &settings)
	if err != nil {
		return err
	}
	defer remove()
	if err := set.compile(options); err != nil {
		fmt.Fprintf(std.err, "sluice: nothing was stored: revision %d does not compile today\n", to.Number)
		return mistakes(std, err, 1)
	}
	if !c.NoTests {
		if err := set.test(ctx, std); err != nil {
			return err
		}
	}
	if set.has(base.head.Files) {
		fmt.Fprintf(std.out, "nothing to go back: %s has the same files\n", revisionWords(&base.head))
		return nil
	}
	p := store.Proposal{Author: c.Author, Message: c.message(&to), Hash: set.snapshot.Revision, Files: set.fsys, RollbackOf: to.Number}
	if p.Author == "" {
		p.Author = defaultAuthor()
	}
	r, err := proposeOn(ctx, &settings, &base, p)
	if errors.Is(err, store.ErrConflict) {
		fmt.Fprintf(std.err, "sluice: %s; say it again to go back all the same\n", err)
		return exitError(1)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "revision %d is stored, with the files of revision %d: %s\n", r.Number, to.Number, set.what())
	return nil
}

// fetch fetches the revision, and notes which one is the newest.
func (c *rollbackCmd) fetch(ctx context.Context, settings *config) (base pushBase, to store.Revision, set *candidate, remove func(), err error) {
	err = inStore(ctx, settings, func(s *store.Store) error {
		if base.head, err = s.Head(ctx); err != nil {
			return err
		}
		if to, err = findRevision(ctx, s, c.Rev); err != nil {
			return err
		}
		base.parent = base.head.Number
		set, remove, err = fetchInto(ctx, s, to)
		return err
	})
	return base, to, set, remove, err
}

// message is why, or what the revision said. One that was gone back to itself says
// nothing of its own.
func (c *rollbackCmd) message(to *store.Revision) string {
	back := fmt.Sprintf("Back to revision %d", to.Number)
	switch {
	case strings.TrimSpace(c.Message) != "":
		return c.Message
	case to.Message == "" || to.RollbackOf > 0:
		return back
	default:
		return back + ": " + subjectOf(to.Message)
	}
}
