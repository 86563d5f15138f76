package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluiceproject/sluice/policies/store"
	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/journal"
)

// storedVerification is what came of verifying what one service has sent.
type storedVerification struct {
	Instance string `json:"instance"`
	*journal.Verification
}

// verifyStored verifies the chain of each service, as far as the stream has it.
func (c *logVerifyCmd) verifyStored(ctx context.Context, std *stdio) error {
	if c.FromHash != "" || c.ExpectLast != "" {
		return errors.New("--from-hash and --expect-last are of the log of one service: verify that in its own folder")
	}
	opened, err := c.openStored(ctx)
	if err != nil {
		return mistakes(std, err, 2)
	}
	defer opened.Close()
	names, err := opened.DecisionInstances(ctx)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return errors.New("no service has sent decisions to the policy store: journal.sinks must have one with store")
	}
	told, broken := []storedVerification{}, false
	for _, name := range names {
		in := newStoredLines(opened.Decisions(ctx, store.DecisionQuery{Instance: name}))
		v, err := journal.VerifyFrom(ctx, "what "+name+" has sent", in, journal.Witness{})
		in.stop()
		if err := errors.Join(in.err, err); err != nil {
			return err
		}
		broken = broken || v.Break != nil
		told = append(told, storedVerification{name, v})
	}
	if c.Format == jsonFormat {
		err = writeJSON(std.out, told)
	} else {
		err = tellStored(std, told)
	}
	if err == nil && broken {
		err = exitError(1)
	}
	return err
}

// tellStored writes what came of verifying.
func tellStored(std *stdio, told []storedVerification) error {
	for _, one := range told {
		if _, err := fmt.Fprintf(std.out, "%s\n%s", rules.Printable(one.Instance), verified(one.Verification, newPainter(std.out))); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(std.err, "sluice: this proves what is in the policy store, where records are missing that a sink's filter leaves out; the log itself is proven in each service's own folder")
	return err
}
