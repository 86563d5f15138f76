package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// open opens a store until the test ends.
func open(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// put stores a value by the engine's own means, and returns what a store has.
func put(t *testing.T, s *Store, value string) {
	t.Helper()
	kv, err := s.js.CreateOrUpdateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(t.Context(), "key", []byte(value)); err != nil {
		t.Fatal(err)
	}
}

func got(t *testing.T, s *Store) string {
	t.Helper()
	kv, err := s.js.KeyValue(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	entry, err := kv.Get(t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	return string(entry.Value())
}

func TestWhatIsStoredOutlivesTheProcess(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "kept")
	s.Close()
	if value := got(t, open(t, Options{Dir: dir})); value != "kept" {
		t.Errorf("after a restart it has %q", value)
	}
}

func TestOneProcessHasAFolder(t *testing.T) {
	dir := t.TempDir()
	first := open(t, Options{Dir: dir})
	put(t, first, "before")
	if second, err := Open(t.Context(), Options{Dir: dir}); !errors.Is(err, ErrInUse) {
		t.Fatalf("a second process got %v and the error %v", second, err)
	}
	if value := got(t, first); value != "before" {
		t.Errorf("after a second process was refused the first has %q", value)
	}
}

func TestCommandsJoinTheServiceOrStandIn(t *testing.T) {
	dir := t.TempDir()
	alone := open(t, Options{Dir: dir, Join: true})
	put(t, alone, "by the command")
	if !alone.Embedded() {
		t.Error("a command without a service beside it did not start the engine")
	}
	alone.Close()

	service := open(t, Options{Dir: dir})
	beside := open(t, Options{Dir: dir, Join: true})
	if beside.Embedded() {
		t.Error("a command beside a service started an engine of its own")
	}
	if value := got(t, beside); value != "by the command" {
		t.Errorf("a command beside the service reads %q", value)
	}
	put(t, beside, "through the socket")
	if value := got(t, service); value != "through the socket" {
		t.Errorf("the service reads %q", value)
	}
	if info, err := os.Stat(filepath.Join(dir, engineSocket)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v, %v: others may use it", info, err)
	}
}

func TestTheEmbeddedEngineListensWhenAsked(t *testing.T) {
	if addr := open(t, Options{Dir: t.TempDir()}).Address(); addr != nil {
		t.Errorf("it listens on %s without being asked", addr)
	}
	const secret = "a secret of the fleet"
	s := open(t, Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", Token: secret})
	put(t, s, "for others")
	url := "nats://" + s.Address().String()
	if conn, err := nats.Connect(url); err == nil {
		conn.Close()
		t.Error("somebody without the token was let in")
	}
	other := open(t, Options{Servers: []string{url}, Token: secret})
	if value := got(t, other); value != "for others" {
		t.Errorf("with the token it reads %q", value)
	}
}

func TestAnEngineThatIsAwayIsAnError(t *testing.T) {
	s := open(t, Options{Servers: []string{"nats://127.0.0.1:1"}})
	if _, silent := s.Silent(); !silent {
		t.Error("nobody is there, and it says that it is connected")
	}
	_, err := s.js.AccountInfo(t.Context())
	if err := away("asking", err); !errors.Is(err, ErrAway) {
		t.Errorf("the error is %v", err)
	}
}
