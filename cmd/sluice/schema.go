package main

import (
	"io"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

// schemaCmd is `sluice schema`.
type schemaCmd struct {
	Of string `arg:"" optional:"" enum:"policy,clients,tests" default:"policy" help:"What the schema is of: policy, clients or tests."`
}

// Help returns the long text of --help.
func (schemaCmd) Help() string {
	return `Prints the JSON Schema (draft-07) by which such a file is read, for an editor
that completes, explains and checks from it:

  sluice schema policy > policy.schema.json

and, as the first line of a policy:

  # yaml-language-server: $schema=policy.schema.json`
}

// Run prints one schema.
func (c *schemaCmd) Run(std *stdio) error {
	_, err := io.WriteString(std.out, c.text())
	return err
}

func (c *schemaCmd) text() string {
	switch c.Of {
	case "clients":
		return policies.ClientsSchema()
	case "tests":
		return policies.TestsSchema()
	default:
		return policies.Schema(rules.Builtin())
	}
}
