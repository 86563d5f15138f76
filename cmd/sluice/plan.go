package main

import (
	"encoding/json"
	"errors"
	"io"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

// planCmd is `sluice plan`.
type planCmd struct {
	Dir    string `arg:"" optional:"" default:"policies" help:"Folder of the policy set (${default})."`
	Format string `help:"text, or json (${default})." enum:"text,json" default:"text"`
}

// Help returns the long text of --help.
func (planCmd) Help() string {
	return `Shows for each rule the first phase that decides it, what it reads and what it
needs in the aspera.conf of the Aspera server; and what the whole set needs.

  sluice plan policies/`
}

// Run compiles the set and prints its plan.
func (c *planCmd) Run(std *stdio) error {
	if c.Dir == "" { // As of a variable that is not set; it would be the root of all folders.
		return errors.New("the folder's name is empty")
	}
	kinds := rules.Builtin()
	snapshot, err := policies.CheckDir(c.Dir, policies.Options{Kinds: kinds})
	if err != nil {
		return mistakes(std, err, 2)
	}
	plan := snapshot.Plan(kinds)
	if c.Format == "json" {
		enc := json.NewEncoder(std.out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(plan)
	}
	_, err = io.WriteString(std.out, planText(&plan))
	return err
}
