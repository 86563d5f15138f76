package e2e

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/klauspost/compress/zstd"
)

// journalOf is a configuration with a decision log in a folder.
func journalOf(dir string, lines ...string) string {
	return "journal:\n  dir: " + dir + "\n  " + strings.Join(lines, "\n  ") + "\n"
}

// recorded is what the tests read of a record.
type recorded struct {
	Sequence uint64 `json:"seq"`
	Previous string `json:"prev"`
	ID       string `json:"id"`
	Verdict  string `json:"verdict"`
	Note     string `json:"note"`
	Count    int64  `json:"count"`
}

// readJournal reads a decision log. It fails the test unless the numbers have no
// gap and each record has the hash of the one before.
func readJournal(t *testing.T, dir string) (records []recorded) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.jsonl*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	previous := strings.Repeat("0", 64)
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case strings.HasSuffix(name, ".zst"):
			unpacker, err := zstd.NewReader(nil)
			if err != nil {
				t.Fatal(err)
			}
			text, err = unpacker.DecodeAll(text, nil)
			unpacker.Close()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		case !strings.HasSuffix(name, ".jsonl"):
			continue
		}
		lines := bufio.NewScanner(bytes.NewReader(text))
		lines.Buffer(nil, 8<<20)
		for lines.Scan() {
			var r recorded
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				t.Fatalf("%s: %v: %q", name, err, lines.Bytes())
			}
			if r.Sequence != uint64(len(records)+1) || r.Previous != previous {
				t.Fatalf("%s: record %d has the number %d, and the hash %s for %s", name, len(records)+1, r.Sequence, r.Previous, previous)
			}
			sum := sha256.Sum256(lines.Bytes())
			previous = hex.EncodeToString(sum[:])
			records = append(records, r)
		}
	}
	return records
}

// idsOf returns the decisions in a log, each with how often it is there.
func idsOf(records []recorded) map[string]int {
	ids := map[string]int{}
	for _, r := range records {
		if r.ID != "" {
			ids[r.ID]++
		}
	}
	return ids
}

// noted returns the sum of a note's counts.
func noted(records []recorded, note string) (n int64) {
	for _, r := range records {
		if r.Note == note {
			n += r.Count
		}
	}
	return n
}

// answeredUntilKilled has clients post until the server has answered so often, kills
// it, and returns the ids of all answers.
func answeredUntilKilled(t *testing.T, s *server, enough int) (ids []string) {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: patience}
	var mu sync.Mutex
	reached := make(chan struct{})
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for {
				a, err := s.send(client, event())
				if err != nil {
					return // Killed.
				}
				mu.Lock()
				if ids = append(ids, a.id); len(ids) == enough {
					close(reached)
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-reached:
	case <-s.ended:
		t.Fatalf("it ended by itself:\n%s", s.log.tail())
	case <-time.After(patience):
		t.Fatal("there are no answers")
	}
	s.signal(t, syscall.SIGKILL)
	group.Wait()
	<-s.ended
	return ids
}

// TestNoAnswerIsLostWhenTheProcessIsKilled: with the durability commit, every
// decision that was answered is in the log, whenever the process is killed; the
// chain holds and has no gap.
func TestNoAnswerIsLostWhenTheProcessIsKilled(t *testing.T) {
	t.Parallel()
	const kills = 50
	dir, log := t.TempDir(), filepath.Join(t.TempDir(), "log")
	o := setup{config: journalOf(log, "segment_size: 256 KiB"), sink: func(l line) bool { return l.text("msg") == "decision" }}
	answered := 0
	var all []string
	for n := range kills {
		s, err := launch(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		ids := answeredUntilKilled(t, s, 20+7*(n%10))
		answered += len(ids)
		all = append(all, ids...)
	}
	s, err := launch(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if status, err := s.stop(); err != nil || status != 0 {
		t.Errorf("it ends with %d (%v)", status, err)
	}
	records := readJournal(t, log)
	ids := idsOf(records)
	for _, id := range all {
		if ids[id] != 1 {
			t.Errorf("the decision %s was answered and is there %d times", id, ids[id])
		}
	}
	segments, _ := filepath.Glob(filepath.Join(log, "*.jsonl*"))
	t.Logf("%d answers, %d records in %d segments, %d bytes cut off", answered, len(records), len(segments), noted(records, "repaired"))
}

// TestAFullDisk: what cannot be recorded is refused, or answered where the
// configuration says so, and either way it is told; when there is room again, the
// log goes on without a gap and says what happened.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	for _, onError := range []string{"reject", "accept"} {
		t.Run(onError, func(t *testing.T) {
			t.Parallel()
			disk, limit, free := smallDisk(t)
			log := filepath.Join(disk, "log")
			s := start(t, setup{config: journalOf(log, "on_error: "+onError)})
			limit(s)
			var kept []string
			failed := 0
			for n := 0; failed < 5; n++ {
				if n > 10_000 {
					t.Fatal("the disk does not become full")
				}
				a := s.post(t, event())
				if onError == "accept" {
					if a.status != http.StatusOK {
						t.Fatalf("%d %s", a.status, a.body)
					}
					failed = int(s.metrics(t).sum("sluice_journal_lost_total"))
					if failed == 0 {
						kept = append(kept, a.id)
					}
					continue
				}
				if a.status == http.StatusOK {
					kept = append(kept, a.id)
					continue
				}
				if err := a.refusal(); err != nil || a.code != "1007" {
					t.Fatalf("%v: %s", err, a.body)
				}
				failed++
			}
			if _, body := s.ready(t); !strings.HasPrefix(body, "degraded: ") || !strings.Contains(body, "the decision log cannot be written") {
				t.Errorf("/readyz says %q", body)
			}
			if all := s.metrics(t); all.sum("sluice_journal_failing") != 1 || all.sum("sluice_journal_failures_total") == 0 {
				t.Error("the metrics say nothing of it")
			}
			s.logged(t, "decision log", "what", "failing")
			free(s)
			await(t, "decisions are recorded again", func() bool {
				a := s.post(t, event())
				if _, body := s.ready(t); !strings.HasPrefix(body, "ready") {
					return false
				}
				kept = append(kept, a.id)
				return a.status == http.StatusOK
			})
			s.logged(t, "decision log", "what", "recovered")
			if status, err := s.stop(); err != nil || status != 0 {
				t.Fatalf("it ends with %d (%v)", status, err)
			}
			records := readJournal(t, log)
			ids := idsOf(records)
			for _, id := range kept {
				if ids[id] != 1 {
					t.Errorf("the decision %s is there %d times", id, ids[id])
				}
			}
			note := map[string]string{"reject": "refused", "accept": "lost"}[onError]
			if got := noted(records, note); got < 5 {
				t.Errorf("it notes %d decisions as %s", got, note)
			}
		})
	}
}

// smallDisk returns a folder on a file system that becomes full: one of the test's
// own where it may mount, else the file size that the operating system allows the
// process. limit makes it small, and free makes room again.
func smallDisk(t *testing.T) (dir string, limit, free func(*server)) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=128k"); err != nil {
		t.Logf("no file system of its own (%v): the process may write 64 KiB into a file", err)
		return dir, func(s *server) { limitFiles(t, s, 64<<10) }, func(s *server) { limitFiles(t, s, ^uint64(0)) }
	}
	t.Log("a file system of its own: tmpfs with 128 KiB")
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir, func(*server) {}, func(*server) {
		if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
			t.Fatal(err)
		}
	}
}

// limitFiles bounds how large the files of a process may become.
func limitFiles(t *testing.T, s *server, size uint64) {
	t.Helper()
	limit := syscall.Rlimit{Cur: size, Max: ^uint64(0)}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(s.cmd.Process.Pid), syscall.RLIMIT_FSIZE, uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
}

// TestADiskThatCanOnlyBeRead: a disk that stops taking anything while the service
// runs has every event refused; what was answered before is there when the disk
// can be written again.
func TestADiskThatCanOnlyBeRead(t *testing.T) {
	t.Parallel()
	disk, lock, unlock := lockableDisk(t)
	dir, log := t.TempDir(), filepath.Join(disk, "log")
	s, err := launch(dir, setup{config: journalOf(log, "segment_size: 1 KiB")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() }) // It has ended, unless the test fails.
	var kept []string
	for range 20 {
		a := s.post(t, event())
		if a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		kept = append(kept, a.id)
	}
	lock()
	await(t, "an event is refused", func() bool {
		a := s.post(t, event())
		if a.status == http.StatusOK {
			kept = append(kept, a.id)
			return false
		}
		return a.refusal() == nil && a.code == "1007"
	})
	s.logged(t, "decision log", "what", "failing")
	if status, err := s.stop(); err != nil || status != 0 {
		t.Errorf("it ends with %d (%v); the end of its log:\n%s", status, err, s.log.tail())
	}
	if _, err := launch(dir, setup{config: journalOf(filepath.Join(log, "deeper"))}); err == nil {
		t.Error("a service starts without being able to make its log")
	}
	unlock()
	s, err = launch(dir, setup{config: journalOf(log)})
	if err != nil {
		t.Fatal(err)
	}
	kept = append(kept, s.post(t, event()).id)
	if status, err := s.stop(); err != nil || status != 0 {
		t.Errorf("it ends with %d (%v)", status, err)
	}
	ids := idsOf(readJournal(t, log))
	for _, id := range kept {
		if ids[id] != 1 {
			t.Errorf("the decision %s was answered and is there %d times", id, ids[id])
		}
	}
}

// lockableDisk returns a folder in which nothing can be written once it is locked:
// on a disk of the test's own where it may make one, else by taking away the rights
// on the folder, in which no segment can be begun then.
func lockableDisk(t *testing.T) (dir string, lock, unlock func()) {
	t.Helper()
	dir = t.TempDir()
	image := filepath.Join(t.TempDir(), "disk")
	run := func(name string, args ...string) error {
		out, err := exec.Command(name, args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s %q: %w: %s", name, args, err, out)
		}
		return nil
	}
	mounted := func() error {
		if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 16<<20)); err != nil {
			return err
		}
		if err := run("mkfs.ext4", "-q", "-F", image); err != nil {
			return err
		}
		return run("mount", "-o", "loop", image, dir)
	}
	err := mounted()
	if err == nil {
		t.Log("a disk of its own: ext4, which then fails and takes nothing any more")
		t.Cleanup(func() { _ = run("umount", dir) })
		must := func(name string, args ...string) {
			if err := run(name, args...); err != nil {
				t.Fatal(err)
			}
		}
		return dir, func() { must("mount", "-o", "remount,abort", dir) }, func() {
			must("umount", dir)
			_ = run("e2fsck", "-p", image) // It says by its status that it mended something.
			must("mount", "-o", "loop", image, dir)
		}
	}
	if os.Geteuid() == 0 {
		t.Fatalf("there is no disk that can be locked: %v", err)
	}
	t.Logf("no disk of its own (%v): nothing can be made in the folder any more", err)
	rights := func(mode os.FileMode) func() {
		return func() {
			if err := os.Chmod(filepath.Join(dir, "log"), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "log"), 0o700) })
	return dir, rights(0o500), rights(0o700)
}

// TestOneServiceHasALog: a second one with the same folder does not start.
func TestOneServiceHasALog(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	start(t, setup{config: journalOf(log)})
	_, err := launch(t.TempDir(), setup{config: journalOf(log)})
	if err == nil || !strings.Contains(err.Error(), "another process writes this decision log") {
		t.Errorf("the second one says: %v", err)
	}
}

// TestTheDecisionLogByDurability: whichever it is, a service that ends in order has
// recorded all that it answered.
func TestTheDecisionLogByDurability(t *testing.T) {
	t.Parallel()
	for _, durability := range []string{"commit", "interval", "off"} {
		t.Run(durability, func(t *testing.T) {
			t.Parallel()
			log := filepath.Join(t.TempDir(), "log")
			s := start(t, setup{config: journalOf(log, "durability: "+durability, "instance: eu-1")})
			var ids []string
			for _, e := range []string{event(), event("file", `"/ingest/setup.exe"`), `{`, event("startstop", `"stop"`)} {
				ids = append(ids, s.post(t, e).id)
			}
			if status, err := s.stop(); err != nil || status != 0 {
				t.Fatalf("it ends with %d (%v)", status, err)
			}
			records := readJournal(t, log)
			if len(records) != 6 || records[0].Note != "opened" || records[5].Note != "closed" {
				t.Fatalf("the log has %+v", records)
			}
			for i, id := range ids {
				if r := records[i+1]; r.ID != id || r.Verdict != map[bool]string{true: "accept", false: "reject"}[i == 0 || i == 3] {
					t.Errorf("record %d is %+v, and the decision was %s", i+1, r, id)
				}
			}
		})
	}
}

// TestWithoutADecisionLog the service says so, once.
func TestWithoutADecisionLog(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	if lines := s.logged(t, "decisions are not recorded: there is no journal in the configuration"); len(lines) != 1 {
		t.Errorf("it says so %d times", len(lines))
	}
}
