package main

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// memory reads sparse files of growing size and prints the most memory that the
// process has had by then.
func (b *bench) memory(rule string) error {
	const name = "most memory after a look at"
	if !b.only.MatchString(name) {
		return nil
	}
	s, err := b.decider(rule, nil)
	if err != nil {
		return err
	}
	for _, size := range []int64{1 << 10, 1 << 30, 10 << 30} {
		file := filepath.Join(b.dir, "sparse.mov")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			return err
		}
		if err := os.Truncate(file, size); err != nil {
			return err
		}
		begun := time.Now()
		if err := decide(s, file, strings.Repeat("0", 64)); err != nil {
			return err
		}
		b.print("| %s %s, which took %s | – | %s | – | – | – | – |\n", name, rules.FormatSize(size), shown(time.Since(begun)), peak())
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
