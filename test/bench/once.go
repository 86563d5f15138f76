//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// startFromSet starts a server with a set of n policies and a list of a million
// digests, and makes them first if they are not there.
func (b *bench) startFromSet(ctx context.Context, name string, n int, pinned bool) (*server, error) {
	dir, err := b.policySet(fmt.Sprintf("policies-%d", n), n)
	if err != nil {
		return nil, err
	}
	return b.startSluice(ctx, name, dir, pinned)
}

// policySet returns a folder with a set of n policies, and makes it first if it
// is not there.
func (b *bench) policySet(name string, n int) (string, error) {
	dir := filepath.Join(b.dir, name)
	if exists(dir) {
		return dir, nil
	}
	list, err := b.digests("sha256", 1_000_000, 32)
	if err != nil {
		return "", err
	}
	b.say("writing %d policies", n)
	return dir, writePolicies(dir, n, list)
}

// digests returns a file with n digests, and makes it first if it is not there.
func (b *bench) digests(algorithm string, n, width int) (string, error) {
	name := filepath.Join(b.dir, fmt.Sprintf("%d.%s", n, algorithm))
	if exists(name) {
		return name, nil
	}
	b.say("writing %d %s digests", n, algorithm)
	return name, writeDigests(name, n, width)
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// startUp measures the time from exec to ready, and the most memory until then,
// on all cores.
func (b *bench) startUp(ctx context.Context) error {
	const name = "start, 1,000 policies and 1 million digests"
	if !b.wants(name) {
		return nil
	}
	b.say("measuring: %s", name)
	var took, peak []float64
	for round := range b.rounds + 1 {
		s, err := b.startFromSet(ctx, "start", 1_000, false)
		if err != nil {
			return err
		}
		memory, err := s.resident("VmHWM")
		b.end(s)
		if err != nil {
			return err
		}
		if round > 0 { // The first one finds the files on disk.
			took, peak = append(took, float64(s.took)/float64(time.Millisecond)), append(peak, memory/1e6)
		}
	}
	b.rows = append(b.rows,
		alone(name, "exec to ready", took, milliseconds, target{most: 300}),
		alone(name, "most memory", peak, megabytes, target{most: 100}))
	return nil
}

func milliseconds(v float64) string { return fmt.Sprintf("%.0f ms", v) }

func megabytes(v float64) string { return fmt.Sprintf("%.0f MB", v) }

// memory measures what a list of ten million digests takes, once it is loaded
// and until then.
func (b *bench) memory(ctx context.Context) error {
	for _, list := range []struct {
		algorithm string
		width     int
		target    target
	}{{"md5", 16, target{most: 200}}, {"sha256", 32, target{}}} {
		name := "10 million " + list.algorithm + " digests"
		if !b.tenMillion || !b.wants(name) {
			continue
		}
		b.say("measuring: %s", name)
		file, err := b.digests(list.algorithm, 10_000_000, list.width)
		if err != nil {
			return err
		}
		if err := b.oneList(ctx, name, file, list.target); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) oneList(ctx context.Context, name, file string, t target) error {
	dir, err := os.MkdirTemp(b.dir, "list-")
	if err != nil {
		return err
	}
	if err := writePolicies(dir, len(applying), file); err != nil {
		return err
	}
	s, err := b.startSluice(ctx, "memory", dir, false)
	if err != nil {
		return err
	}
	defer b.end(s)
	now, err := s.resident("VmRSS")
	if err != nil {
		return err
	}
	peak, err := s.resident("VmHWM")
	if err != nil {
		return err
	}
	b.rows = append(b.rows,
		alone(name, "memory when ready", []float64{now / 1e6}, megabytes, t),
		alone(name, "most memory", []float64{peak / 1e6}, megabytes, target{}),
		alone(name, "exec to ready", []float64{float64(s.took) / float64(time.Millisecond)}, milliseconds, target{}))
	return nil
}
