//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// clamd is a clamd that answers.
type clamd struct {
	address string // as in the configuration of a scanner
	config  string // the file that clamdscan reads
	process *exec.Cmd
	how     string // where it runs, for the reader of the results
}

// clamdConfig is the configuration of a clamd of the bench's own, whose folder
// is DIR. It does not remember files, and looks into all of the largest one.
const clamdConfig = `Foreground yes
LocalSocket DIR/clamd.sock
FixStaleSocket yes
DatabaseDirectory DIR/signatures
TemporaryDirectory DIR
DisableCache yes
AlertExceedsMax yes
StreamMaxLength 400M
MaxFileSize 400M
MaxScanSize 400M
MaxThreads 20
SelfCheck 0
`

// clamdSignature is what that clamd looks for: bytes that are in no file here.
const clamdSignature = "Sluice.Bench:0:*:736c756963652773206f776e206d61726b6572\n"

// errNoClamd says why what is measured with a clamd is left out.
var errNoClamd = errors.New("clamd is not installed (apt-get install clamav-daemon), and no --clamd is given")

// startClamd starts a clamd, with a command before its own that says where it
// runs. It is the one of --clamd if there is that, and errNoClamd if there is none.
func (b *bench) startClamd(ctx context.Context, how string, before ...string) (*clamd, error) {
	if b.clamd != "" {
		return &clamd{address: b.clamd, config: b.clamdConfig, how: "where it was started before"}, nil
	}
	program, err := exec.LookPath("clamd")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/clamd"); err != nil { // Not everybody has that in PATH.
			return nil, errNoClamd
		}
	}
	dir, err := os.MkdirTemp(b.dir, "clamd-")
	if err != nil {
		return nil, err
	}
	c := &clamd{address: "unix:" + filepath.Join(dir, "clamd.sock"), config: filepath.Join(dir, "clamd.conf"), how: how}
	if err := os.Mkdir(filepath.Join(dir, "signatures"), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "signatures", "bench.ndb"), []byte(clamdSignature), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(c.config, []byte(strings.ReplaceAll(clamdConfig, "DIR", dir)), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "clamd.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command := slices.Concat(before, []string{program, "-c", c.config})
	c.process = exec.CommandContext(ctx, command[0], command[1:]...)
	c.process.Stdout, c.process.Stderr = log, log
	if err := c.process.Start(); err != nil {
		return nil, err
	}
	b.clamds = append(b.clamds, c)
	return c, c.wait(ctx, log.Name())
}

// wait polls until clamd answers: it cannot be watched otherwise.
func (c *clamd) wait(ctx context.Context, log string) error {
	socket := strings.TrimPrefix(c.address, "unix:")
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err := ctx.Err(); err != nil {
			return err
		}
		conn, err := net.Dial("unix", socket)
		if err != nil {
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(conn, "zPING\x00") // What comes back says whether it arrived.
		text, _ := io.ReadAll(io.LimitReader(conn, 16))
		conn.Close()
		if string(text) == "PONG\x00" {
			return nil
		}
	}
	text, _ := os.ReadFile(log) // It says why.
	return fmt.Errorf("clamd was not ready after a minute:\n%s", text)
}

// cpu returns the time that a clamd of the bench's own has spent on a core.
func (c *clamd) cpu() time.Duration {
	if c.process == nil {
		return 0
	}
	spent, _ := cpuOf(c.process.Process.Pid) // If it is gone, no scan is answered.
	return spent
}

func (c *clamd) stop() {
	if c.process != nil {
		_ = c.process.Process.Kill() // It is gone already, or goes.
		_ = c.process.Wait()
	}
}
