// Package e2e tests sluice from outside: the built binary, its command line, its
// two listeners, its log and its exit status.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// root is the checkout, seen from this folder.
const root = "../.."

// patience is how long anything may take that ought to happen soon. It is long
// because the machine may be busy; nothing waits for it to pass.
const patience = 30 * time.Second

// binary is the sluice that is tested, built once.
var binary string

func TestMain(m *testing.M) {
	status, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// buildAndRun builds the binary, with the race detector if SLUICE_E2E_RACE is 1.
func buildAndRun(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "sluice-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "sluice")
	args, cgo := []string{"build", "-o", binary}, "CGO_ENABLED=0"
	if os.Getenv("SLUICE_E2E_RACE") == "1" {
		args, cgo = append(args, "-race"), "CGO_ENABLED=1"
	}
	build := exec.Command("go", append(args, "./cmd/sluice")...)
	build.Dir, build.Env = root, append(os.Environ(), cgo)
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("building sluice: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// await polls until something is so, and fails the test if that takes too long.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not so after %s: %s", patience, what)
		}
	}
}
