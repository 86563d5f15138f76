package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// pair is two services on one policy store, which runs inside the first.
type pair struct {
	dir   string
	store setup // Of the service with the engine.
	other setup
}

// newPair says how the two are started.
func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{dir: t.TempDir()}
	token := filepath.Join(p.dir, "token")
	if err := write(token, "a secret of the fleet"); err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + freePorts(t, 1)[0]
	state := filepath.Join(t.TempDir(), "s")
	sink := "sinks: {shared: {store: {}}}"
	p.store = setup{config: journalOf(p.log("hst-a"), "instance: hst-a", sink) + fmt.Sprintf("state: {dir: %s, listen: '%s', token_file: %s}\n", state, address, token)}
	p.other = setup{config: journalOf(p.log("hst-b"), "instance: hst-b", sink) + fmt.Sprintf("state: {nats: {servers: ['nats://%s'], token_file: %s, replicas: 1}}\n", address, token)}
	return p
}

func (p *pair) log(name string) string { return filepath.Join(p.dir, name+"-log") }

// config is the configuration of one of them, for commands.
func (p *pair) config(t *testing.T, o setup) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "sluice.yaml")
	if err := write(name, o.config); err != nil {
		t.Fatal(err)
	}
	return name
}

// ran runs a command that must succeed.
func ran(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(binary, args...).Output()
	if err != nil {
		t.Fatalf("sluice %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// sharedIDs are the ids in the store, in order.
func sharedIDs(t *testing.T, config string) []string {
	t.Helper()
	out, _ := exec.Command(binary, "log", "search", "--from", "store", "--config", config, "--format", "json").Output() // 1 is nothing yet.
	return slices.Sorted(slices.Values(shownIDs(t, string(out))))
}

// TestTwoServicesShareAStore: one has the engine, the other reaches it over TCP. The
// fleet shows both, and the stream has the decisions of both, each once, although
// one of them is killed.
func TestTwoServicesShareAStore(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	a := start(t, p.store)
	b, err := launch(t.TempDir(), p.other)
	if err != nil {
		t.Fatal(err)
	}
	config := p.config(t, p.other)
	ran(t, "fleet", "--config", config, "--wait", a.revision(t), "--timeout", "30s")
	await(t, "the fleet is both", func() bool {
		text := ran(t, "fleet", "--config", p.config(t, p.store))
		return strings.Contains(text, "hst-a") && strings.Contains(text, "hst-b") && strings.Contains(text, "no skew")
	})
	var asked []string
	for range 20 {
		asked = append(asked, a.post(t, event()).id, b.post(t, event()).id)
	}
	asked = append(asked, answeredUntilKilled(t, b, 50)...)
	if b, err = launch(t.TempDir(), p.other); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = b.stop() })
	asked = append(asked, b.post(t, event()).id, a.post(t, event()).id)
	slices.Sort(asked)
	missing := func() (n int) {
		there := sharedIDs(t, config)
		for _, id := range asked {
			if _, found := slices.BinarySearch(there, id); !found {
				n++
			}
		}
		return n
	}
	await(t, "the store has every decision that was answered", func() bool { return missing() == 0 })
	if there := sharedIDs(t, config); len(slices.Compact(slices.Clone(there))) != len(there) {
		t.Error("the store has decisions twice")
	}
	if text := ran(t, "log", "verify", "--from", "store", "--config", config); strings.Count(text, "the log is whole") != 2 {
		t.Error(text)
	}
	if text := ran(t, "log", "show", asked[0], "--from", "store", "--config", config); !strings.Contains(text, "decision "+asked[0]) {
		t.Error(text)
	}
}

// TestTheFleetIsSeen at the admin listener and in the metrics: skew, who has left,
// and that the store is away.
func TestTheFleetIsSeen(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.other.policies = map[string]string{"types.yaml": onlyExtension("mov")}
	a, err := launch(t.TempDir(), p.store)
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, p.other)
	skewed := func() (n int, names []string) {
		status, text := b.ask(t, http.MethodGet, "/v1/fleet")
		var fleet struct {
			Skewed  int
			Members []struct{ Instance string }
		}
		if err := json.Unmarshal([]byte(text), &fleet); status != http.StatusOK || err != nil {
			return 0, nil
		}
		for _, m := range fleet.Members {
			names = append(names, m.Instance)
		}
		return fleet.Skewed, names
	}
	await(t, "one has other policies than the other", func() bool {
		n, names := skewed()
		return n == 1 && slices.Equal(names, []string{"hst-a", "hst-b"})
	})
	await(t, "the metrics tell of that", func() bool {
		all := b.metrics(t)
		return all.sum("sluice_store_up") == 1 && all.sum("sluice_fleet_members") == 2 && all.sum("sluice_fleet_revision_skew") == 1
	})
	if status, err := a.stop(); status != 0 {
		t.Fatalf("exit status %d (%v)", status, err)
	}
	await(t, "it is told that the store is away", func() bool {
		all := b.metrics(t)
		status, _ := b.ask(t, http.MethodGet, "/v1/fleet")
		return status == http.StatusServiceUnavailable && all.sum("sluice_store_up") == 0 && all.sum("sluice_store_silent_seconds") > 0
	})
	if answer := b.post(t, file("/in/a.mov")); answer.status != http.StatusOK {
		t.Errorf("without the store an event is answered %d", answer.status)
	}
}

// TestTheSharedLogIsFollowed by tail, also while the engine is away for a moment.
func TestTheSharedLogIsFollowed(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	dir := t.TempDir()
	a, err := launch(dir, p.store)
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, p.other)
	var shown, complaints output
	tail := exec.Command(binary, "log", "tail", "-f", "-n", "100", "--from", "store", "--config", p.config(t, p.other), "--verdict", "accept", "--format", "json")
	tail.Stdout, tail.Stderr = &shown, &complaints
	asked := []string{b.post(t, event()).id}
	await(t, "the store has it", func() bool { return len(sharedIDs(t, p.config(t, p.other))) == 1 })
	if err := tail.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tail.Process.Kill() }) // After Wait it does nothing.
	await(t, "what is there is shown", func() bool { return slices.Equal(shownIDs(t, shown.String()), asked) })
	if status, err := a.stop(); status != 0 {
		t.Fatalf("exit status %d (%v)", status, err)
	}
	asked = append(asked, b.post(t, event()).id)
	if a, err = launch(dir, p.store); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = a.stop() })
	await(t, "what comes is shown", func() bool { return slices.Equal(shownIDs(t, shown.String()), asked) })
	if err := tail.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := tail.Wait(); err != nil || complaints.String() != "" {
		t.Errorf("it ends with %v and says %q", err, complaints.String())
	}
}

// describedFleet asks for the fleet while there is a store, and when it is away.
func describedFleet(t *testing.T, d *described) {
	t.Helper()
	p := newPair(t)
	a, err := launch(t.TempDir(), p.store)
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, p.other)
	fleet := call{name: "fleet", at: b.admin, path: "/v1/fleet", method: http.MethodGet, want: http.StatusOK}
	await(t, "somebody is there", func() bool {
		_, text := b.ask(t, fleet.method, fleet.path)
		return strings.Contains(text, "hst-b")
	})
	d.hold(t, fleet)
	if status, err := a.stop(); status != 0 {
		t.Fatalf("exit status %d (%v)", status, err)
	}
	await(t, "the store is away", func() bool {
		status, _ := b.ask(t, fleet.method, fleet.path)
		return status == http.StatusServiceUnavailable
	})
	fleet.name, fleet.want = "the store is away", http.StatusServiceUnavailable
	d.hold(t, fleet)
}
