// Command content measures looks into files against the commands that do the
// same: sha256sum, file and clamdscan, turn by turn on the same files. It needs
// those commands, and for scans a clamd that listens at --clamd.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
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

func main() {
	rounds := flag.Int("rounds", 5, "turns of each")
	clamd := flag.String("clamd", "", "address of a clamd, such as unix:/run/clamav/clamd.ctl; no scans without")
	config := flag.String("clamd-config", "", "configuration of that clamd, for clamdscan")
	flag.Parse()
	if err := run(*rounds, *clamd, *config); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(rounds int, clamd, config string) error {
	dir, err := os.MkdirTemp("", "content")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // A folder of the system's own for what may be left.
	b := &bench{dir: dir, rounds: rounds}
	if err := b.prepare(); err != nil {
		return err
	}
	fmt.Println("| case | theirs | sluice | ratio | min–max |\n|---|---|---|---|---|")
	verify, types := "checksum: {verify: true}", "content: {allow: [video/*, text/*, application/*], match_extension: false}"
	if err := b.compare("SHA-256 of 1 GiB, `sha256sum`", verify, nil, b.large, "sha256sum", b.large); err != nil {
		return err
	}
	if err := b.each("SHA-256 of 200 files of 4 KiB, `sha256sum` for each", verify, "sha256sum"); err != nil {
		return err
	}
	if err := b.each("type of 200 files, `file` for each", types, "file"); err != nil {
		return err
	}
	if clamd != "" {
		client, err := scan.NewClamd(scan.ClamdOptions{Address: clamd, MaxSize: 400 << 20, ConnectTimeout: time.Second})
		if err != nil {
			return err
		}
		pool := scan.NewPool(client, scan.PoolOptions{Name: "clamav", Gate: rules.NewGate(4, 4)})
		scanners := func(string) (*scan.Pool, error) { return pool, nil }
		if err := b.compare("scan of 300 MB, `clamdscan --stream`", "scan: {with: clamav}", scanners, b.scanned, "clamdscan", "--stream", "--no-summary", "--config-file="+config, b.scanned); err != nil {
			return err
		}
	}
	return b.memory(verify)
}

// bench is where the files are.
type bench struct {
	dir, large, scanned string
	small               []string
	rounds              int
}

func (b *bench) prepare() error {
	b.large, b.scanned = filepath.Join(b.dir, "large.mov"), filepath.Join(b.dir, "scanned.mov")
	if err := fill(b.large, 1<<30, 1); err != nil {
		return err
	}
	if err := fill(b.scanned, 300_000_000, 2); err != nil {
		return err
	}
	for i := range 200 {
		name := filepath.Join(b.dir, fmt.Sprintf("small-%d.bin", i))
		if err := fill(name, 4096, uint64(i)+3); err != nil {
			return err
		}
		b.small = append(b.small, name)
	}
	return nil
}

// fill writes bytes that do not compress.
func fill(name string, size int64, seed uint64) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(block)) {
		for i := range block {
			seed = seed*6364136223846793005 + 1442695040888963407
			block[i] = byte(seed >> 56)
		}
		if _, err := f.Write(block[:min(int64(len(block)), size-at)]); err != nil {
			return err
		}
	}
	return f.Close()
}

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

// compare measures one look against one command.
func (b *bench) compare(name, rule string, scanners func(string) (*scan.Pool, error), file string, command ...string) error {
	s, err := b.decider(rule, scanners)
	if err != nil {
		return err
	}
	digest, err := digestOf(file) // Which also brings the file into memory.
	if err != nil {
		return err
	}
	return b.turns(name, func() error { return exec.Command(command[0], command[1:]...).Run() }, func() error { return decide(s, file, digest) })
}

// each measures a look at each small file against a command for each.
func (b *bench) each(name, rule, command string) error {
	s, err := b.decider(rule, nil)
	if err != nil {
		return err
	}
	digests := make([]string, len(b.small))
	for i, f := range b.small {
		if digests[i], err = digestOf(f); err != nil {
			return err
		}
	}
	return b.turns(name, func() error {
		for _, f := range b.small {
			if err := exec.Command(command, f).Run(); err != nil {
				return err
			}
		}
		return nil
	}, func() error {
		for i, f := range b.small {
			if err := decide(s, f, digests[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// turns takes turns and prints the medians; a ratio above 1 is faster than theirs.
func (b *bench) turns(name string, theirs, ours func() error) error {
	var theirTimes, ourTimes []time.Duration
	var ratios []float64
	for range b.rounds {
		for _, turn := range []struct {
			work func() error
			to   *[]time.Duration
		}{{theirs, &theirTimes}, {ours, &ourTimes}} {
			begun := time.Now()
			if err := turn.work(); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			*turn.to = append(*turn.to, time.Since(begun))
		}
		n := len(ourTimes) - 1
		ratios = append(ratios, theirTimes[n].Seconds()/ourTimes[n].Seconds())
	}
	for _, list := range []*[]time.Duration{&theirTimes, &ourTimes} {
		slices.Sort(*list)
	}
	slices.Sort(ratios)
	mid := b.rounds / 2
	fmt.Printf("| %s | %s | %s | %.2f | %.2f–%.2f |\n", name, theirTimes[mid].Round(time.Microsecond), ourTimes[mid].Round(time.Microsecond), ratios[mid], ratios[0], ratios[b.rounds-1])
	return nil
}
