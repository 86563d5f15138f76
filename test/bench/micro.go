//go:build linux

package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// micro runs the Go benchmarks of the parts and prints their results in the
// form that benchstat reads.
func (b *bench) micro(ctx context.Context) error {
	for _, m := range []struct{ dir, benchmarks string }{
		{"./validator", "^Benchmark(Decode|Record)$"},
		{"./policies", "^Benchmark.*Decide"},
		{"./rules", "^BenchmarkDigests(Miss|Hit)$"},
		{"./test/bench", "^Benchmark(Handler|Decide)$"},
	} {
		name := "Go benchmarks of " + m.dir
		if !b.wants(name) {
			continue
		}
		b.say("measuring: %s", name)
		test := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", m.benchmarks, "-benchmem", "-count", "3", m.dir)
		test.Dir = b.root
		text, err := test.CombinedOutput()
		if err != nil {
			return fmt.Errorf("benchmarks of %s: %w\n%s", m.dir, err, text)
		}
		fmt.Fprintln(b.out)
		found := false
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "Benchmark") || strings.HasPrefix(line, "pkg:") {
				fmt.Fprint(b.out, line)
			}
			found = found || strings.HasPrefix(line, "Benchmark")
		}
		if !found {
			fmt.Fprintf(b.out, "%s has no benchmark %s\n", m.dir, m.benchmarks)
		}
	}
	return nil
}
