//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a server that runs.
type server struct {
	name    string
	process *exec.Cmd
	events  string // URL of the files endpoint
	admin   string // URL of the admin listener, empty for the floor
	log     *os.File
	took    time.Duration // from before exec until it was ready
}

// startFloor and startSluice start a server on the server's core and wait until
// it is ready.
func (b *bench) startFloor(ctx context.Context) (*server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s := &server{name: "floor", events: "http://" + address + "/validation/files"}
	return s, b.start(ctx, s, s.events, true, b.program("floor"), "--listen", address)
}

func (b *bench) startSluice(ctx context.Context, name, policies string, pinned bool, more ...string) (*server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	admin, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s := &server{name: name, events: "http://" + address + "/validation/files", admin: "http://" + admin}
	command := []string{b.program("sluice"), "serve", "--listen", address, "--admin", admin, "--policies", policies}
	return s, b.start(ctx, s, s.admin+"/readyz", pinned, append(command, more...)...)
}

// freeAddress returns an address on which nobody listens. Somebody could before
// the server does, which then fails.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func (b *bench) start(ctx context.Context, s *server, ready string, pinned bool, command ...string) error {
	var err error
	// Appending, as a supervisor does, lets the log be cut while it is written.
	s.log, err = os.OpenFile(filepath.Join(b.dir, s.name+".log"), os.O_CREATE|os.O_TRUNC|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if pinned {
		command = append([]string{"taskset", "-c", b.serverCPU}, command...)
	}
	s.process = exec.CommandContext(ctx, command[0], command[1:]...)
	s.process.Stdout, s.process.Stderr = s.log, s.log
	if pinned {
		s.process.Env = append(os.Environ(), "GOMAXPROCS=1")
	}
	begin := time.Now()
	if err := s.process.Start(); err != nil {
		return errors.Join(err, s.log.Close())
	}
	b.servers[s.name] = s
	if err := s.wait(ctx, ready); err != nil {
		return err
	}
	s.took = time.Since(begin)
	return nil
}

// wait polls until the server answers: it cannot be watched otherwise.
func (s *server) wait(ctx context.Context, url string) error {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.gone() {
			text, _ := os.ReadFile(s.log.Name()) // The log says why.
			return fmt.Errorf("%s ended before it was ready:\n%s", s.name, text)
		}
		response, err := client.Get(url)
		if err != nil {
			continue
		}
		_ = response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return nil
		}
	}
	return fmt.Errorf("%s was not ready after two minutes", s.name)
}

// gone reports whether the process has ended and waits to be reaped.
func (s *server) gone() bool {
	fields, err := stat(s.process.Process.Pid)
	return err != nil || fields[0] == "Z"
}

// stat returns the fields of /proc/PID/stat after the name: the state first.
func stat(pid int) ([]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])), nil
}

func (s *server) cpu() (time.Duration, error) { return cpuOf(s.process.Process.Pid) }

// cpuOf returns the time that a process has spent on a core, its own and the
// kernel's for it. Linux counts it in hundredths of a second.
func cpuOf(pid int) (time.Duration, error) {
	fields, err := stat(pid)
	if err != nil {
		return 0, err
	}
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, err
}

// resident returns a memory figure of /proc/PID/status, such as VmRSS, in bytes.
func (s *server) resident(key string) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.process.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 64)
			return kib * 1024, err
		}
	}
	return 0, fmt.Errorf("%s has no %s", s.name, key)
}

// post makes sure that the server accepts an event.
func (s *server) post(body string) error {
	client := http.Client{Timeout: 10 * time.Second}
	response, err := client.Post(s.events, "application/json", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s does not accept the event: %s\n%s", s.name, response.Status, text)
	}
	return nil
}

// pause keeps a server that is not measured from doing anything, such as
// looking for changed policies; resume lets it go on.
func (s *server) pause() error { return s.process.Process.Signal(syscall.SIGSTOP) }

func (s *server) resume() error { return s.process.Process.Signal(syscall.SIGCONT) }

// settle writes the log out and empties it, so that neither the kernel's own
// writing nor a full disk gets into the next turn.
func (s *server) settle() error {
	if err := s.log.Sync(); err != nil {
		return err
	}
	return s.log.Truncate(0)
}

func (s *server) stop() {
	_ = s.process.Process.Kill() // It is gone already, or goes.
	_ = s.process.Wait()
	_ = s.log.Close()
}

// end stops a server whose measurement is done.
func (b *bench) end(s *server) {
	s.stop()
	delete(b.servers, s.name)
}
