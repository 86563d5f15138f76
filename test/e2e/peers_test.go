package e2e

import (
	"archive/zip"
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What the scanners of the tests know. The first is the test file of the
// anti-virus trade, EICAR, in two halves: whole it would keep this file from
// being copied to machines that have a scanner.
var (
	eicar  = `X5O!P%@AP[4\PZX54(P^)7CC)7}$` + `EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*`
	known  = "a file that is known as a whole, by its digest\n"
	byRule = "what only the YARA rule of the test knows"
)

// peer is a process beside sluice that a test has started.
type peer struct {
	name string
	args []string
	log  string // a file
	cmd  *exec.Cmd
	dead chan struct{}
}

// begin starts the process in a group of its own, which ends with the test.
func (p *peer) begin(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd, dead := exec.Command(p.name, p.args...), make(chan struct{})
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // It ends by a signal.
		close(dead)
	}()
	p.cmd, p.dead = cmd, dead
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // Also wakes what is stopped.
		<-dead
	})
}

// kill ends the process at once.
func (p *peer) kill(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGKILL)
	<-p.dead
}

func (p *peer) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(-p.cmd.Process.Pid, sig); err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
}

// freeze stops every thread of the process until thaw: what hangs keeps its
// connections and takes new ones, and never answers.
func (p *peer) freeze(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGSTOP)
	await(t, p.name+" stands still", func() bool {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
		for _, task := range tasks {
			text, err := os.ReadFile(task)
			_, state, _ := strings.Cut(string(text), ") ")
			if err == nil && !strings.HasPrefix(state, "T") {
				return false
			}
		}
		return err == nil && len(tasks) > 0
	})
}

func (p *peer) thaw(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGCONT)
}

// answering waits until the process answers a question.
func (p *peer) answering(t *testing.T, network, address, question, answer string) {
	t.Helper()
	await(t, p.name+" answers", func() bool {
		select {
		case <-p.dead:
			text, _ := os.ReadFile(p.log)
			t.Fatalf("%s has ended:\n%s", p.name, text)
		default:
		}
		conn, err := net.Dial(network, address)
		if err != nil {
			return false
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(conn, question); err != nil {
			return false
		}
		got := make([]byte, len(answer))
		_, err = io.ReadFull(conn, got)
		return err == nil && string(got) == answer
	})
}

// installed returns the path of a program, and fails the test with how to install
// it where it is not: a test without its peer would say nothing.
func installed(t *testing.T, program, install string) string {
	t.Helper()
	for _, name := range []string{program, "/usr/sbin/" + program} { // Not everybody has that in PATH.
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed, and these tests are about it: apt-get install --no-install-recommends %s", program, install)
	return ""
}

// configure writes a configuration of testdata/peers into a folder, with values
// for what is in braces, and returns its path.
func configure(t *testing.T, dir, name string, values ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/peers", name))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	put(t, path, strings.NewReplacer(append(values, "{dir}", dir)...).Replace(string(text)))
	return path
}

// put writes a file and the folders around it.
func put(t *testing.T, name, text string) {
	t.Helper()
	if err := write(name, text); err != nil {
		t.Fatal(err)
	}
}

// short returns a folder for sockets, whose paths have 107 bytes at most.
func short(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s") //nolint:usetesting // t.TempDir has the test's name in it.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// clamd is a clamd with signatures of the test's own.
type clamd struct {
	peer
	dir, socket string
}

// startClamd starts one. alert is what its AlertExceedsMax is.
func startClamd(t *testing.T, alert string) *clamd {
	t.Helper()
	path := installed(t, "clamd", "clamav-daemon")
	dir := short(t)
	digest := md5.Sum([]byte(known))
	put(t, filepath.Join(dir, "signatures/test.hdb"), fmt.Sprintf("%x:%d:Sluice.Test.Digest\n", digest, len(known)))
	put(t, filepath.Join(dir, "signatures/test.ndb"), "Sluice.Test.EICAR:0:*:"+hex.EncodeToString([]byte(eicar))+"\n")
	configure(t, filepath.Join(dir, "signatures"), "test.yara")
	c := &clamd{dir: dir, socket: filepath.Join(dir, "clamd.sock")}
	c.peer = peer{name: path, args: []string{"-c", configure(t, dir, "clamd.conf", "{alert}", alert)}, log: filepath.Join(dir, "clamd.out")}
	c.run(t)
	return c
}

// run starts the clamd, also after it was killed.
func (c *clamd) run(t *testing.T) {
	t.Helper()
	c.begin(t)
	c.answering(t, "unix", c.socket, "zPING\x00", "PONG\x00")
}

// startICAP starts a c-icap that gives files to a clamd, and returns the URL of
// its service.
func startICAP(t *testing.T, c *clamd) string {
	t.Helper()
	path := installed(t, "c-icap", "c-icap")
	modules, err := filepath.Glob("/usr/lib/*/c_icap/virus_scan.so")
	if err != nil || len(modules) == 0 {
		t.Fatalf("c-icap has no module virus_scan.so, and these tests are about it: apt-get install --no-install-recommends libc-icap-mod-virus-scan (%v)", err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close() // c-icap cannot be given a listener, nor does it tell which port it got.
	config := configure(t, c.dir, "c-icap.conf", "{address}", address, "{modules}", filepath.Dir(modules[0]))
	p := &peer{name: path, args: []string{"-N", "-f", config}, log: filepath.Join(c.dir, "c-icap.out")}
	p.begin(t)
	url := "icap://" + address + "/virus_scan"
	p.answering(t, "tcp", address, "OPTIONS "+url+" ICAP/1.0\r\nHost: "+address+"\r\n\r\n", "ICAP/1.0 200 OK")
	return url
}

// impostor listens where a scanner should, and treats each connection in one way.
// It returns the address of its socket.
func impostor(t *testing.T, network string, treat func(net.Conn)) string {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(short(t), "x.sock")
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.SetDeadline(time.Now().Add(patience))
			treat(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-over
	})
	return listener.Addr().String()
}

// says is an impostor that waits for a question and then always says the same.
func says(text string) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			_, _ = io.WriteString(conn, text)
		}
	}
}

// sparse makes a file of zeros that takes no room, with a text at its end.
func sparse(t *testing.T, name string, size int64, end string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte(end), size-int64(len(end))); err != nil {
		t.Fatal(err)
	}
}

// opened reports whether a process has a file open.
func opened(pid int, name string) bool {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil && to == name {
			return true
		}
	}
	return false
}

// zipText returns a zip with one file in it, which holds a text.
func zipText(t *testing.T, name, text string) string {
	t.Helper()
	return zipFiles(t, 1, func(w *zip.Writer, _ int) error {
		to, err := w.Create(name)
		if err == nil {
			_, err = io.WriteString(to, text)
		}
		return err
	})
}

// zipped returns a zip with n files of size bytes each, no two alike: clamd knows
// again what it has found clean.
func zipped(t *testing.T, name string, n int, size int64) string {
	t.Helper()
	return zipFiles(t, n, func(w *zip.Writer, i int) error {
		to, err := w.Create(fmt.Sprint(name, i))
		if err == nil {
			_, err = to.Write(bytes.Repeat([]byte{byte('A' + i)}, int(size)))
		}
		return err
	})
}

func zipFiles(t *testing.T, n int, add func(w *zip.Writer, i int) error) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	var err error
	for i := range n {
		err = errors.Join(err, add(w, i))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
