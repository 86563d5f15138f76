package files

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestWhatIsExchangedAfterItWasLookedFor is refused once it is open, and opening
// it waits for nobody.
func TestWhatIsExchangedAfterItWasLookedFor(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	socket, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for at, names := range map[string][]string{dir: {"pipe", "folder", "socket"}, "/dev": {"null", "zero"}} {
		root, err := os.OpenRoot(at)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		for _, name := range names {
			file, _, err := openNow(root, name)
			var irregular irregularError
			if file != nil || !errors.As(err, &irregular) && !errors.Is(err, syscall.ENXIO) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
