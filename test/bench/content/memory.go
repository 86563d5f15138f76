package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// memory reads sparse files of growing size and prints the most memory of all.
func (b *bench) memory(rule string) error {
	s, err := b.decider(rule, nil)
	if err != nil {
		return err
	}
	for _, size := range []int64{1 << 10, 1 << 30, 10 << 30} {
		name := filepath.Join(b.dir, "sparse.mov")
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			return err
		}
		if err := os.Truncate(name, size); err != nil {
			return err
		}
		begun := time.Now()
		if err := decide(s, name, strings.Repeat("0", 64)); err != nil {
			return err
		}
		fmt.Printf("| most memory after a look at %s | – | %s | in %s | |\n", rules.FormatSize(size), peak(), time.Since(begun).Round(time.Millisecond))
	}
	return nil
}

// peak returns the most memory that this process has had, as Linux tells it.
func peak() string {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "unknown"
}
