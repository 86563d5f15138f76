// Command content measures looks into files against the commands that do the
// same: sha256sum, file and clamdscan, turn by turn on the same files. It needs
// those commands, and for scans a clamd that listens at --clamd.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

func main() {
	b := &bench{}
	flag.IntVar(&b.rounds, "rounds", 5, "turns of each")
	flag.StringVar(&b.clamd, "clamd", "", "address of a clamd, such as unix:/run/clamav/clamd.ctl; no scans without")
	flag.StringVar(&b.config, "clamd-config", "", "configuration of that clamd, for clamdscan")
	only := flag.String("only", "", "measure the cases whose names match this `regexp`")
	flag.Parse()
	var err error
	if b.only, err = regexp.Compile(*only); err == nil && b.rounds < 1 {
		err = errors.New("there is nothing to compare without --rounds")
	}
	if err == nil {
		err = b.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "content:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	rounds        int
	clamd, config string
	only          *regexp.Regexp
	dir           string
	small         []string
	headed        bool
}

// comparison is a look against a command on the same files.
type comparison struct {
	name    string
	rule    string
	command []string // the files come behind it
	// size is that of the one file; 0 stands for all small files, one after the other.
	size   int64
	target string
	least  float64 // that the ratio must be
	scans  bool
}

// comparisons are the cases in the order of the table.
func (b *bench) comparisons() []comparison {
	verify, types := "checksum: {verify: true}", "content: {allow: [video/*, text/*, application/*], match_extension: false}"
	scan := []string{"clamdscan", "--stream", "--no-summary", "--config-file=" + b.config}
	return []comparison{
		{name: "SHA-256 of 1 GiB, `sha256sum`", rule: verify, command: []string{"sha256sum"}, size: 1 << 30, target: "≥ 0.90", least: 0.9},
		{name: "SHA-256 of 200 files of 4 KiB, `sha256sum` for each", rule: verify, command: []string{"sha256sum"}, target: "many times", least: 5},
		{name: "type of 200 files, `file` for each", rule: types, command: []string{"file"}, target: "many times", least: 5},
		{name: "scan of 300 MB, `clamdscan --stream`", rule: "scan: {with: clamav}", command: scan, size: 300_000_000, target: "≥ 0.95", least: 0.95, scans: true},
	}
}

// run measures what is asked for. The files are there only while it lasts.
func (b *bench) run() (err error) {
	if b.dir, err = os.MkdirTemp("", "sluice-content-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir) //nolint:errcheck // A folder of the system's own for what may be left.
	for _, c := range b.comparisons() {
		if !b.only.MatchString(c.name) {
			continue
		}
		reason := ""
		if _, err := exec.LookPath(c.command[0]); err != nil {
			reason = c.command[0] + " is not installed"
		} else if c.scans && b.clamd == "" {
			reason = "there is no clamd"
		}
		if reason != "" {
			b.print("| %s | left out: %s | | | | %s | |\n", c.name, reason, c.target)
			continue
		}
		if err := b.compare(c); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return b.memory("checksum: {verify: true}")
}

// print prints a row, below the head of the table if it is the first.
func (b *bench) print(format string, args ...any) {
	if !b.headed {
		fmt.Println("| case | theirs | sluice | ratio | min–max | target | reached |\n|---|---|---|---|---|---|---|")
		b.headed = true
	}
	fmt.Printf(format, args...)
}

// smallFiles makes 200 files of 4 KiB, unless they are there.
func (b *bench) smallFiles() error {
	for i := len(b.small); i < 200; i++ {
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
