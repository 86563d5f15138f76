//go:build unix

package scan

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// opened is an open file with a text.
func opened(t *testing.T, text string) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

func control(t *testing.T, file *os.File) func(f func(fd uintptr)) error {
	t.Helper()
	raw, err := file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return raw.Control
}

// TestClamdIsNotGivenWhatIsTooLargeForIt: it would say OK of it.
func TestClamdIsNotGivenWhatIsTooLargeForIt(t *testing.T) {
	f := (&fakeClamd{answer: clamdSays("fd[12]: OK\x00")}).start(t)
	client := f.client(t, ClamdOptions{MaxSize: 100, Descriptors: true})
	if _, err := client.ScanDescriptor(t.Context(), 101, control(t, opened(t, "x"))); !errors.Is(err, ErrLimit) || f.calls.Load() != 0 {
		t.Errorf("it was asked %d times: %v", f.calls.Load(), err)
	}
}

// TestClamdIsGivenTheOpenFile: clamd reads it by itself.
func TestClamdIsGivenTheOpenFile(t *testing.T) {
	f := (&fakeClamd{answer: func(c *clamdCall) {
		// The descriptor comes with a byte of its own, behind the command.
		room := make([]byte, syscall.CmsgSpace(4))
		_, n, _, _, err := c.Conn.(*net.UnixConn).ReadMsgUnix(make([]byte, 1), room)
		if err != nil {
			return
		}
		messages, err := syscall.ParseSocketControlMessage(room[:n])
		if err != nil || len(messages) != 1 {
			c.say(fmt.Sprintf("%d messages, %v ERROR\x00", len(messages), err))
			return
		}
		fds, _ := syscall.ParseUnixRights(&messages[0])
		file := os.NewFile(uintptr(fds[0]), "given")
		defer file.Close()
		text := make([]byte, 100)
		read, _ := file.ReadAt(text, 0)
		switch string(text[:read]) {
		case "bad":
			c.say("fd[12]: Eicar FOUND\x00")
		case "hang":
			c.gone()
		default:
			c.say("fd[12]: OK\x00")
		}
	}}).start(t)
	client := f.client(t, ClamdOptions{MaxSize: 100, Descriptors: true})
	ctx, cancel := context.WithTimeout(t.Context(), late)
	defer cancel()
	for text, want := range map[string]Answer{"bad": {"Eicar", 3}, "good": {"", 4}, "": {"", 0}} {
		got, err := client.ScanDescriptor(ctx, int64(len(text)), control(t, opened(t, text)))
		if got != want || err != nil {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	short, stop := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer stop()
	if _, err := client.ScanDescriptor(short, 4, control(t, opened(t, "hang"))); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it hangs: %v", err)
	}
	if _, err := client.ScanDescriptor(ctx, 4, func(func(uintptr)) error { return os.ErrClosed }); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a closed file: %v", err)
	}
	for size, want := range map[int64]bool{-1: false, 0: true, 100: true, 101: false} {
		if got := client.TakesDescriptor(size); got != want {
			t.Errorf("%d bytes: %v", size, got)
		}
	}
	if f.client(t, ClamdOptions{}).TakesDescriptor(1) {
		t.Error("it was not asked for")
	}
}
