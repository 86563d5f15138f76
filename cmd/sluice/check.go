package main

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// checkCmd is `sluice check`.
type checkCmd struct {
	Dir    string `arg:"" help:"Folder of the policy set."`
	Format string `help:"How to print mistakes: text, json or github (annotations in a pull request)." enum:"text,json,github" default:"text"`
}

// Help returns the long text of --help.
func (checkCmd) Help() string {
	return `Prints every mistake as file:line:column, what is wrong and what was probably
meant, with the line and a caret. Exits 0 if there is none, 1 if there are some.

  sluice check policies/
  sluice check policies/ --format json     one object: what the set is, and "mistakes"
  sluice check policies/ --format github   in a workflow of GitHub Actions`
}

// Run compiles the set and prints what it is, or every mistake in it.
func (c *checkCmd) Run(std *stdio) error {
	if c.Dir == "" { // As of a variable that is not set; it would be the root of all folders.
		return errors.New("the folder's name is empty")
	}
	// The process ends before it is worth while to collect garbage often.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	snapshot, err := policies.CheckDir(c.Dir, policies.Options{Kinds: rules.Builtin()})
	if err == nil {
		return c.summarize(std, snapshot)
	}
	status := mistakesAs(std, c.Format, err, 1)
	var faults document.Faults
	if errors.As(err, &faults) && c.Format != jsonFormat {
		fmt.Fprintf(std.err, "%s in %s\n", count(len(faults), "mistake"), c.Dir)
	}
	return status
}

// summarize prints what a set without mistakes is.
func (c *checkCmd) summarize(std *stdio, s *policies.Snapshot) error {
	if c.Format == jsonFormat {
		return writeJSON(std.out, checked{
			Revision: s.Revision, Policies: len(s.Policies), Rules: s.RuleCount(), Clients: len(s.Clients), Mistakes: []mistake{},
		})
	}
	what := count(len(s.Policies), "policy", "policies") + ", " + count(s.RuleCount(), "rule")
	if len(s.Clients) > 0 {
		what += ", " + count(len(s.Clients), "client")
	}
	_, err := fmt.Fprintf(std.out, "%s: %s, revision %s\n", c.Dir, what, s.Revision)
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
