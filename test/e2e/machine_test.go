package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceproject/sluice/policies/store"
)

// oneMachine configures a service with an engine of its own.
func oneMachine(state string) setup {
	return setup{shared: true, sink: noDecisions, config: fmt.Sprintf("policies: {from: store}\nstate: {dir: %q, instance: alone, budget: 2s}\n", state)}
}

// begin starts the service of a machine, and a way to its engine as commands have
// it.
func (f *fleet) begin(t *testing.T, dir, state string) {
	t.Helper()
	s, err := launch(dir, oneMachine(state))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	f.replicas = []*server{s}
	if f.store, err = store.Open(t.Context(), store.Options{Dir: state, Join: true}); err != nil {
		t.Fatal(err)
	}
	if f.store.Embedded() {
		t.Fatal("the test runs the engine, and not the service")
	}
}

// first pushes the first revision, before there is a service.
func first(t *testing.T, state string) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: state})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := (&fleet{store: s}).push("the first"); err != nil {
		t.Fatal(err)
	}
}

// end ends a machine in order, and checks that it was up to then.
func (f *fleet) end(t *testing.T) {
	t.Helper()
	f.store.Close()
	if status, err := f.replicas[0].stop(); err != nil || status != 0 {
		t.Errorf("it ends with %d (%v):\n%s", status, err, f.replicas[0].log.tail())
	}
}

// TestNothingAcknowledgedIsLostWhenAMachineIsKilled kills a service with its own
// engine in the middle of pushes, revocations and counts.
func TestNothingAcknowledgedIsLostWhenAMachineIsKilled(t *testing.T) {
	t.Parallel()
	const kills = 20
	dir, state := t.TempDir(), short(t)
	first(t, state)
	f := &fleet{}
	var all []*ledger
	for n := range kills {
		f.begin(t, dir, state)
		done := make(chan struct{})
		go func() {
			time.Sleep(time.Duration(150+37*n%400) * time.Millisecond) // When it is killed.
			f.replicas[0].cmd.Process.Kill()
			close(done)
		}()
		all = append(all, f.writeUntil(t, fmt.Sprintf("counted-%d", n), done))
		<-f.replicas[0].ended
		f.store.Close()
	}
	f.begin(t, dir, state)
	pushes, revocations, files := 0, 0, 0
	for _, l := range all {
		pushes, revocations, files = pushes+len(l.pushed), revocations+len(l.revoked), files+len(l.accepted)
		await(t, "the revocations are known", func() bool { return f.converged(t, l) })
		f.nothingLost(t, l)
	}
	t.Logf("killed %d times: %d pushes, %d revocations and %d files were acknowledged", kills, pushes, revocations, files)
	f.end(t)
}

// TestNothingAcknowledgedIsLostAtAPowerCut copies the disk of a service with its own
// engine while it writes, as if the power failed at that moment, and starts another
// from the copy.
func TestNothingAcknowledgedIsLostAtAPowerCut(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a disk of its own can be made by root only")
	}
	image, disk := filepath.Join(short(t), "disk"), short(t)
	mustRun(t, "truncate", "-s", "64M", image)
	mustRun(t, "mkfs.ext4", "-q", "-F", image)
	mount(t, image, disk)
	state := filepath.Join(disk, "state")
	first(t, state)
	for n := range 3 {
		f := &fleet{}
		f.begin(t, t.TempDir(), state)
		user := fmt.Sprintf("counted-cut-%d", n)
		var l *ledger
		cut := filepath.Join(short(t), "copy")
		l = f.during(t, user, func() {
			time.Sleep(time.Duration(400+150*n) * time.Millisecond) // When the power fails.
		})
		// What the kernel has not brought to the disk is what a power cut takes. The
		// process is stopped so that the copy is of one moment.
		f.replicas[0].signal(t, syscall.SIGSTOP)
		mustRun(t, "cp", image, cut)
		f.replicas[0].signal(t, syscall.SIGCONT)
		f.end(t)
		again := short(t)
		mount(t, cut, again)
		after := &fleet{}
		after.begin(t, t.TempDir(), filepath.Join(again, "state"))
		await(t, "the revocations are known", func() bool { return after.converged(t, l) })
		after.nothingLost(t, l)
		t.Logf("power cut %d: %d pushes, %d revocations and %d files were acknowledged", n+1, len(l.pushed), len(l.revoked), len(l.accepted))
		after.end(t)
	}
}

// writeUntil is write for a service that is killed: what gets no answer is no fault.
func (f *fleet) writeUntil(t *testing.T, user string, done <-chan struct{}) *ledger {
	t.Helper()
	f.dies = true
	defer func() { f.dies = false }()
	return f.write(t, user, done)
}

// mount mounts an image until the test ends.
func mount(t *testing.T, image, dir string) {
	t.Helper()
	mustRun(t, "mount", "-o", "loop", image, dir)
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Error(errors.New(string(out)))
		}
	})
}

func mustRun(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}
