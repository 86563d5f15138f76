package e2e

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// asUnit makes a command what systemd starts: the sockets are passed with their
// names, and the variables are set.
func asUnit(t *testing.T, program []string, listeners map[string]net.Listener, variables ...string) *exec.Cmd {
	t.Helper()
	// systemd tells the process its own number, which only it knows before.
	cmd := exec.Command("sh", append([]string{"-c", `LISTEN_PID=$$ exec "$@"`, "sh"}, program...)...)
	var names []string
	for name, listener := range listeners {
		file, err := listener.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { file.Close() })
		cmd.ExtraFiles, names = append(cmd.ExtraFiles, file), append(names, name)
	}
	cmd.Env = append(append(os.Environ(), variables...), "LISTEN_FDS="+strconv.Itoa(len(names)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	return cmd
}

// unit starts a server as systemd does.
func unit(t *testing.T, listeners map[string]net.Listener, variables ...string) *server {
	t.Helper()
	s := &server{log: &book{sink: noDecisions}, ended: make(chan struct{})}
	s.cmd = asUnit(t, []string{binary, "serve", "--admin", "127.0.0.1:0", "--policies", examples}, listeners, variables...)
	if err := s.begin(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	return s
}

func openSocket(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

// TestARestartRefusesNoConnection: while systemd has the socket, a service may end
// and another begin under load, and every event is answered.
func TestARestartRefusesNoConnection(t *testing.T) {
	t.Parallel()
	socket := map[string]net.Listener{"listen": openSocket(t)}
	s := unit(t, socket)
	if s.service != socket["listen"].Addr().String() {
		t.Fatalf("it serves %s and not the socket %s", s.service, socket["listen"].Addr())
	}
	load := startLoad(t, s, "--connections", "new", "--as", "/ingest", "--tags", `{"project":"film","contact":"ann@example.com"}`, "--cipher", "aes-256")
	for range 3 {
		time.Sleep(300 * time.Millisecond) // How long each serves.
		if status, err := s.stop(); err != nil || status != 0 {
			t.Fatalf("it ends with %d (%v)", status, err)
		}
		s = unit(t, socket)
	}
	if sum := load.stop(t); sum.Errors > 0 || sum.Events < 100 {
		t.Errorf("of %d events %d were not answered", sum.Events, sum.Errors)
	}
}

// TestSystemdIsToldHowTheServiceIs: that it is ready, that it lives, that it reloads
// and that it ends.
func TestSystemdIsToldHowTheServiceIs(t *testing.T) {
	t.Parallel()
	name := filepath.Join(short(t), "notify")
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { notify.Close() })
	told := func(what string) {
		t.Helper()
		if err := notify.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		for buffer := make([]byte, 4096); ; {
			n, err := notify.Read(buffer)
			if err != nil {
				t.Fatalf("systemd was not told %s: %v", what, err)
			}
			if bytes.Contains(buffer[:n], []byte(what)) {
				return
			}
		}
	}
	s := unit(t, nil, "NOTIFY_SOCKET="+name, "WATCHDOG_USEC=200000")
	told("READY=1")
	told("WATCHDOG=1")
	if err := exec.Command("kill", "-HUP", strconv.Itoa(s.cmd.Process.Pid)).Run(); err != nil {
		t.Fatal(err)
	}
	told("RELOADING=1\nMONOTONIC_USEC=")
	told("READY=1\nSTATUS=policies " + s.revision(t) + " in force")
	if status, err := s.stop(); err != nil || status != 0 {
		t.Errorf("it ends with %d (%v)", status, err)
	}
	told("STOPPING=1")
}

// TestASocketForNothingIsAMistake: its connections would wait for ever.
func TestASocketForNothingIsAMistake(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"sluice.socket": `systemd passes a socket that is named "sluice.socket": write FileDescriptorName= into its unit, with one of listen, admin, tokens`,
		"tokens":        `systemd passes a socket that is named "tokens", and the configuration has no listener for it`,
	} {
		cmd := asUnit(t, []string{binary, "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--policies", examples}, map[string]net.Listener{name: openSocket(t)})
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("with a socket %q it says %q (%v), want %q", name, out, err, want)
		}
	}
}

// TestTheAdminListenerMayBeASocket, too.
func TestTheAdminListenerMayBeASocket(t *testing.T) {
	t.Parallel()
	s := unit(t, map[string]net.Listener{"listen": openSocket(t), "admin": openSocket(t)})
	if status, _ := s.ask(t, http.MethodGet, "/readyz"); status != http.StatusOK {
		t.Errorf("/readyz answers %d", status)
	}
}
