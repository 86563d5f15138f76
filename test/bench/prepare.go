//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// missingTool is a program that has to be installed first.
type missingTool struct{ program, debian string }

// Error implements error.
func (m missingTool) Error() string {
	return fmt.Sprintf("%s is missing: apt-get install %s", m.program, m.debian)
}

// prepare finds what the run needs and builds both servers.
func (b *bench) prepare(ctx context.Context) error {
	for _, tool := range []missingTool{{"wrk", "wrk"}, {"taskset", "util-linux"}} {
		if _, err := exec.LookPath(tool.program); err != nil {
			return tool
		}
	}
	cpus, err := allowedCPUs()
	if err != nil {
		return err
	}
	if len(cpus) < 2 {
		return fmt.Errorf("two cores are needed, one for the server and one for the load; this process may use %d", len(cpus))
	}
	b.serverCPU, b.loadCPU = strconv.Itoa(cpus[0]), strconv.Itoa(cpus[1])
	b.scanCPU = strconv.Itoa(cpus[min(2, len(cpus)-1)])
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("finding the repository: %w", err)
	}
	b.root = strings.TrimSpace(string(root))
	if b.dir, err = os.MkdirTemp("", "sluice-bench-"); err != nil {
		return err
	}
	b.say("building")
	for _, program := range []struct{ name, source string }{
		{"sluice", "./cmd/sluice"}, {"floor", "./test/floor"}, {"content", "./test/bench/content"}, {"replay", "./test/bench/replay"},
	} {
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.program(program.name), program.source)
		build.Dir, build.Env = b.root, append(os.Environ(), "CGO_ENABLED=0")
		if text, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", program.source, err, text)
		}
	}
	return nil
}

// program returns where a program is built.
func (b *bench) program(name string) string { return filepath.Join(b.dir, "bin", name) }

// allowedCPUs returns the cores that this process may use.
func allowedCPUs() ([]int, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(status)) {
		if list, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
			return parseCPUs(strings.TrimSpace(list))
		}
	}
	return nil, fmt.Errorf("/proc/self/status has no Cpus_allowed_list")
}

// parseCPUs reads a list such as 0-3,8.
func parseCPUs(list string) (cpus []int, err error) {
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		if err != nil {
			return nil, fmt.Errorf("list of cores %q: %w", list, err)
		}
		to, err := strconv.Atoi(last)
		if err != nil {
			return nil, fmt.Errorf("list of cores %q: %w", list, err)
		}
		for cpu := from; cpu <= to; cpu++ {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// header says what was measured, on what, and how.
func (b *bench) header(ctx context.Context) {
	revision, _ := exec.CommandContext(ctx, "git", "-C", b.root, "describe", "--always", "--dirty", "--tags").Output() // Empty will do.
	fmt.Fprintf(b.out, "sluice %s, %s, %s, %d cores (%s), Linux %s\n", bytes.TrimSpace(revision), time.Now().UTC().Format(time.DateOnly),
		runtime.Version(), runtime.NumCPU(), cpuModel(), firstLine("/proc/sys/kernel/osrelease"))
	fmt.Fprintf(b.out, "%d rounds of turns of %s for each server; server on core %s with GOMAXPROCS=1, wrk on core %s; log to a file on %s, metrics on\n",
		b.rounds, b.turn, b.serverCPU, b.loadCPU, fileSystem(b.dir))
	fmt.Fprintf(b.out, "Load average at the start: %s\n", loadAverage())
}

func firstLine(name string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

func loadAverage() string {
	fields := strings.Fields(firstLine("/proc/loadavg"))
	return strings.Join(fields[:min(3, len(fields))], " ")
}

func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // Without it the model is unknown.
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.Trim(name, "\t :\n")
		}
	}
	return "unknown"
}

// fileSystem returns the type of the file system that a folder is on, because a
// log in memory would cost less than an operator's.
func fileSystem(dir string) string {
	mounts, _ := os.ReadFile("/proc/self/mounts") // Without it the type is unknown.
	kind, longest := "unknown", 0
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || len(fields[1]) < longest {
			continue
		}
		if at := strings.TrimSuffix(fields[1], "/") + "/"; strings.HasPrefix(dir+"/", at) {
			kind, longest = fields[2], len(fields[1])
		}
	}
	return kind
}
