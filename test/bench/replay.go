//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// replayed is the case of a decision log that is decided again.
const replayed = "a million decisions replayed"

// replay measures `sluice replay` on one core, in a process of its own, which also
// holds the report against deciding each event singly.
func (b *bench) replay(ctx context.Context) error {
	if !b.wants(replayed) {
		return nil
	}
	b.say("measuring: %s", replayed)
	program := exec.CommandContext(ctx, b.program("replay"),
		"--sluice", b.program("sluice"), "--policies", filepath.Join(b.root, "policies", "examples"), "--core", b.serverCPU)
	program.Stderr = os.Stderr
	text, err := program.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", replayed, err)
	}
	fmt.Fprintf(b.out, "\n%s", text)
	return nil
}
