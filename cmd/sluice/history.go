package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/sluiceproject/sluice/policies/store"
	"github.com/sluiceproject/sluice/rules"
)

// historyCmd is `sluice history`.
type historyCmd struct {
	storeFlags `embed:""`

	Most int  `short:"n" name:"most" help:"At most so many, the newest; 0 is all (${default})." placeholder:"N" default:"20"`
	JSON bool `name:"json" help:"Print one JSON array."`
}

// Help returns the long text of --help.
func (historyCmd) Help() string {
	return `Lists the revisions of the policy set in the policy store, the newest first.

  sluice history --config sluice.yaml`
}

// shownRevision is a revision as JSON.
type shownRevision struct {
	Number uint64 `json:"revision"`
	store.Revision
}

// Run prints the list.
func (c *historyCmd) Run(ctx context.Context, std *stdio) error {
	if c.Most < 0 {
		return fmt.Errorf("-n %d: it is a number from 0", c.Most)
	}
	s, _, err := c.open(ctx)
	if err != nil {
		return mistakes(std, err, 2)
	}
	defer s.Close()
	list, err := s.History(ctx, c.Most)
	if err != nil {
		return err
	}
	if c.JSON {
		shown := make([]shownRevision, len(list))
		for i := range list {
			shown[i] = shownRevision{list[i].Number, list[i]}
		}
		return writeJSON(std.out, shown)
	}
	if len(list) == 0 {
		fmt.Fprintln(std.err, "sluice: the policy store has no revision yet; \"sluice push\" stores one")
		return nil
	}
	table := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "revision\ttime (UTC)\thash\tauthor\tmessage")
	for i := range list {
		r := &list[i]
		message := subjectOf(r.Message)
		if r.RollbackOf > 0 {
			message = fmt.Sprintf("[back to %d] %s", r.RollbackOf, message)
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\n", r.Number, r.Time.UTC().Format(time.DateTime), rules.Printable(r.Hash), rules.Printable(r.Author), message)
	}
	return table.Flush()
}
