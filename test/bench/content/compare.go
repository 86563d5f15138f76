package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing/fstest"
	"time"

	"github.com/sluiceproject/sluice/files"
	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/rules/scan"
)

// decider returns what decides by one rule, and reaches the files.
func (b *bench) decider(rule string, scanners func(string) (*scan.Pool, error)) (*policies.Snapshot, error) {
	source, err := files.New([]files.Mount{{Prefix: "/", Dir: b.dir}}, "")
	if err != nil {
		return nil, err
	}
	set := fstest.MapFS{"p.yaml": {Data: []byte("version: 1\npolicy: p\nrules: [{name: r, " + rule + "}]\n")}}
	return policies.Compile(set, policies.Options{
		Kinds: rules.Builtin(), Env: rules.Env{Scanners: scanners},
		Content: &rules.ContentEnv{Files: source, Now: time.Now},
	})
}

// decide looks into one file, and fails if the look did not get to its end.
func decide(s *policies.Snapshot, name, digest string) error {
	e := &rules.Event{Phase: rules.PhaseStop, File: rules.ParsePath("/" + filepath.Base(name)), ChecksumType: "sha256", Checksum: digest}
	d := s.Decide(context.Background(), e)
	if len(d.Steps) != 1 || d.Steps[0].Looked.State != rules.Clean && d.Steps[0].Looked.State != rules.Bad {
		return fmt.Errorf("%s: %s %w", name, d.Message, d.Err)
	}
	return nil
}

func digestOf(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// compare measures one case.
func (b *bench) compare(c comparison) error {
	scanners := func(string) (*scan.Pool, error) { return b.pool() }
	s, err := b.decider(c.rule, scanners)
	if err != nil {
		return err
	}
	if err := b.smallFiles(); err != nil {
		return err
	}
	names := b.small
	if c.size > 0 {
		large := filepath.Join(b.dir, "large.mov")
		defer os.Remove(large) //nolint:errcheck // The folder goes as well.
		if err := fill(large, c.size, 1); err != nil {
			return err
		}
		names = []string{large}
	}
	digests := make([]string, len(names))
	for i, name := range names {
		if digests[i], err = digestOf(name); err != nil { // Which also brings the file into memory.
			return err
		}
	}
	theirs := func(i int) error {
		return exec.Command(c.command[0], append(c.command[1:len(c.command):len(c.command)], names[i])...).Run()
	}
	ours := func(i int) error { return decide(s, names[i], digests[i]) }
	return b.turns(c, len(names), theirs, ours)
}

// pool returns a pool of the clamd.
func (b *bench) pool() (*scan.Pool, error) {
	client, err := scan.NewClamd(scan.ClamdOptions{Address: b.clamd, MaxSize: 400 << 20, ConnectTimeout: time.Second})
	if err != nil {
		return nil, err
	}
	return scan.NewPool(client, scan.PoolOptions{Name: "clamav", Gate: rules.NewGate(4, 4)}), nil
}

// turns takes turns at n files and prints the medians; a ratio above 1 is faster
// than theirs.
func (b *bench) turns(c comparison, n int, theirs, ours func(i int) error) error {
	took := func(work func(i int) error) (time.Duration, error) {
		begun := time.Now()
		for i := range n {
			if err := work(i); err != nil {
				return 0, err
			}
		}
		return time.Since(begun), nil
	}
	var theirTimes, ourTimes []time.Duration
	var ratios []float64
	for range b.rounds {
		theirTime, err := took(theirs)
		if err != nil {
			return err
		}
		ourTime, err := took(ours)
		if err != nil {
			return err
		}
		theirTimes, ourTimes = append(theirTimes, theirTime), append(ourTimes, ourTime)
		ratios = append(ratios, theirTime.Seconds()/ourTime.Seconds())
	}
	slices.Sort(theirTimes)
	slices.Sort(ourTimes)
	slices.Sort(ratios)
	mid, reached := b.rounds/2, "yes"
	if ratios[mid] < c.least {
		reached = "no"
	}
	b.print("| %s | %s | %s | %.2f | %.2f–%.2f | %s | %s |\n", c.name, shown(theirTimes[mid]), shown(ourTimes[mid]), ratios[mid], ratios[0], ratios[b.rounds-1], c.target, reached)
	return nil
}

// shown is a time as the table has it.
func shown(d time.Duration) string {
	if d >= time.Second {
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Millisecond).String()
}
