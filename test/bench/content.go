//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
)

// content measures looks into files against the commands that do the same, in a
// process of their own, because what memory they take is measured too. Here clamd
// runs on any core, like those commands.
func (b *bench) content(ctx context.Context) error {
	args := []string{"--rounds", strconv.Itoa(b.rounds), "--only", b.only.String()}
	c, err := b.startClamd(ctx, "on any core")
	switch {
	case err == nil:
		args = append(args, "--clamd", c.address, "--clamd-config", c.config)
		defer c.stop()
	case !errors.Is(err, errNoClamd):
		return err
	}
	b.say("measuring: looks into files")
	program := exec.CommandContext(ctx, b.program("content"), args...)
	program.Stderr = os.Stderr
	table, err := program.Output()
	if err != nil {
		return fmt.Errorf("looks into files: %w", err)
	}
	if len(table) > 0 {
		fmt.Fprintf(b.out, "\n%s", table)
	}
	return nil
}
