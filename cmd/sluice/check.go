package main

import (
	"errors"
	"fmt"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// checkCmd is `sluice check`.
type checkCmd struct {
	Dir string `arg:"" help:"Folder of the policy set."`
}

// Help returns the long text of --help.
func (checkCmd) Help() string {
	return `Prints every mistake as file:line:column, what is wrong and what was probably
meant, with the line and a caret. Exits 0 if there is none, 1 if there are some.

  sluice check policies/`
}

// Run compiles the set and prints what it is, or every mistake in it.
func (c *checkCmd) Run(std *stdio) error {
	if c.Dir == "" { // As of a variable that is not set; it would be the root of all folders.
		return errors.New("the folder's name is empty")
	}
	snapshot, err := policies.CheckDir(c.Dir, policies.Options{Kinds: rules.Builtin()})
	var faults document.Faults
	if errors.As(err, &faults) {
		for _, f := range faults {
			fmt.Fprintf(std.err, "%s\n%s", f.Error(), f.Excerpt())
		}
		fmt.Fprintf(std.err, "%s in %s\n", count(len(faults), "mistake"), c.Dir)
		return exitError(1)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "%s: %s, %s, revision %s\n", c.Dir,
		count(len(snapshot.Policies), "policy", "policies"), count(snapshot.RuleCount(), "rule"), snapshot.Revision)
	return err
}

// count writes a number and its noun.
func count(n int, noun string, plural ...string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case len(plural) > 0:
		return fmt.Sprintf("%d %s", n, plural[0])
	default:
		return fmt.Sprintf("%d %ss", n, noun)
	}
}
