package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceproject/sluice/policies/store"
)

// embeddedStore is a configuration with an engine of its own and policies from it.
func embeddedStore(dir, more string) string {
	return "state: {dir: " + dir + "}\npolicies: {from: store" + more + "}\n"
}

// pushed stores a set of one policy by the command.
func pushed(t *testing.T, state, extension string, flags ...string) {
	t.Helper()
	dir := t.TempDir()
	if err := write(filepath.Join(dir, "types.yaml"), onlyExtension(extension)); err != nil {
		t.Fatal(err)
	}
	push := exec.CommandContext(t.Context(), binary, "push", dir, "--no-tests", "-m", "only "+extension)
	if push.Args = append(push.Args, flags...); len(flags) == 0 {
		push.Args = append(push.Args, "--state", state)
	}
	if _, err := os.Stat(state); err == nil { // Otherwise there is none.
		push.Args = append(push.Args, "--parent", "newest")
	}
	if out, err := push.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// storeSet stores a set that need not be one, past all that the command asks for.
func storeSet(t *testing.T, state, text string) {
	t.Helper()
	dir := t.TempDir()
	if err := write(filepath.Join(dir, "types.yaml"), text); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Options{Dir: state, Join: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Push(context.Background(), store.Proposal{Author: "somebody", Files: os.DirFS(dir)}); err != nil {
		t.Fatal(err)
	}
}

// storeRevision returns the number of the revision in force.
func (s *server) storeRevision(t *testing.T) int {
	t.Helper()
	_, text := s.ask(t, http.MethodGet, "/v1/policies")
	var told struct {
		StoreRevision int `json:"store_revision"`
	}
	if err := json.Unmarshal([]byte(text), &told); err != nil {
		t.Fatal(err)
	}
	return told.StoreRevision
}

// TestPoliciesFromTheStore are those that were pushed, from the first moment and
// from every push on; what does not compile is not taken over.
func TestPoliciesFromTheStore(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	pushed(t, state, "mov")
	s := start(t, setup{config: embeddedStore(state, ""), shared: true})
	if got := s.storeRevision(t); got != 1 {
		t.Errorf("revision %d is in force", got)
	}
	if a := s.post(t, event()); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	for i, extension := range []string{"mxf", "wav"} {
		number := i + 2
		pushed(t, state, extension)
		at := time.Now()
		await(t, "the pushed revision is in force", func() bool { return s.storeRevision(t) == number })
		t.Logf("in force %s after the push", time.Since(at))
		if a := s.post(t, event()); a.code != "1022" {
			t.Errorf("%d %s", a.status, a.body)
		}
		if got := s.metrics(t).sum("sluice_policies_store_revision"); got != float64(number) {
			t.Errorf("the metric says %v", got)
		}
		await(t, "the log says so", func() bool {
			return slices.ContainsFunc(s.log.find("policies in force"), func(l line) bool { return l.members["store_revision"] == float64(number) })
		})
	}
	if age := s.metrics(t).sum("sluice_policies_age_seconds"); age < 0 || age > patience.Seconds() {
		t.Errorf("the policies are %v s old", age)
	}

	storeSet(t, state, "version: 1\npolicy: broken\nruels: []\n")
	await(t, "what does not compile is reported", func() bool {
		status, text := s.ask(t, http.MethodGet, "/readyz")
		return status == http.StatusOK && strings.HasPrefix(text, "degraded: ") && strings.Contains(text, `unknown key "ruels"; did you mean "rules"?`)
	})
	if got := s.storeRevision(t); got != 3 {
		t.Errorf("revision %d is in force beside one that does not compile", got)
	}
	if status, text := s.ask(t, http.MethodPost, "/-/reload"); status != http.StatusUnprocessableEntity || !strings.Contains(text, "ruels") {
		t.Errorf("a reload answers %d %s", status, text)
	}
	pushed(t, state, "mov")
	await(t, "a better one is in force", func() bool { return s.storeRevision(t) == 5 })
	if _, text := s.ask(t, http.MethodGet, "/readyz"); !strings.HasPrefix(text, "ready: ") {
		t.Errorf("/readyz says %s", text)
	}
	if status, text := s.ask(t, http.MethodPost, "/-/reload"); status != http.StatusOK {
		t.Errorf("a reload answers %d %s", status, text)
	}
}

// TestAStoreWithoutPolicies says what the first step is.
func TestAStoreWithoutPolicies(t *testing.T) {
	t.Parallel()
	_, err := launch(t.TempDir(), setup{config: embeddedStore(t.TempDir(), ""), shared: true})
	if err == nil || !strings.Contains(err.Error(), "sluice push DIR --config FILE") {
		t.Errorf("the error is %v", err)
	}
}

// TestAServiceStartsWithoutTheStore by what its cache has, and says how old that is;
// max_age makes it not ready, or refuse.
func TestAServiceStartsWithoutTheStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	token, cache := filepath.Join(dir, "token"), filepath.Join(dir, "cache")
	if err := write(token, "a secret of the tests\n"); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	state := filepath.Join(dir, "state")
	pushed(t, state, "mov")
	place := t.TempDir()
	hub, err := launch(place, setup{shared: true, config: fmt.Sprintf("state: {dir: %s, listen: '%s', token_file: %s}\npolicies: {from: store}\n", state, address, token)})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := func(more string) setup {
		return setup{shared: true, config: fmt.Sprintf("state: {nats: {servers: ['nats://%s'], token_file: %s, replicas: 1}}\npolicies: {from: store, cache: %s%s}\n", address, token, cache, more)}
	}
	replica, err := launch(t.TempDir(), elsewhere(""))
	if err != nil {
		t.Fatal(err)
	}
	if got := replica.storeRevision(t); got != 1 {
		t.Errorf("revision %d is in force", got)
	}
	pushed(t, state, "mxf", "--config", filepath.Join(place, "sluice.yaml"))
	await(t, "the replica has the pushed revision", func() bool { return replica.storeRevision(t) == 2 })
	for _, s := range []*server{replica, hub} {
		if status, err := s.stop(); err != nil || status != 0 {
			t.Errorf("it ended with %d, %v\n%s", status, err, s.log.tail())
		}
	}

	later := start(t, elsewhere(", wait: 1ms"))
	if got := later.storeRevision(t); got != 2 {
		t.Errorf("without the store revision %d is in force", got)
	}
	if a := later.post(t, event()); a.code != "1022" {
		t.Errorf("%d %s", a.status, a.body)
	}
	later.logged(t, "not the newest policies: those of the cache are in force")
	if status, text := later.ask(t, http.MethodGet, "/readyz"); status != http.StatusOK || !strings.Contains(text, "revision 2, which is from the cache, stays in force") {
		t.Errorf("/readyz says %d %s", status, text)
	}
	if status, err := later.stop(); err != nil || status != 0 {
		t.Fatal(status, err)
	}

	old := time.Now().Add(-2 * time.Hour)
	for _, row := range []struct{ more, code string }{{"", "1022"}, {", when_older: refuse", "1008"}} {
		confirmedAt(t, cache, old)
		s := start(t, elsewhere(", wait: 1ms, max_age: 1h"+row.more))
		if status, text := s.ask(t, http.MethodGet, "/readyz"); status != http.StatusServiceUnavailable || !strings.HasPrefix(text, "not ready: the policy store last said 2h0m") {
			t.Errorf("/readyz says %d %s", status, text)
		}
		if a := s.post(t, event()); a.code != row.code {
			t.Errorf("%q: %d %s", row.more, a.status, a.body)
		}
		if age := s.metrics(t).sum("sluice_policies_age_seconds"); age < 7200 {
			t.Errorf("the policies are %v s old", age)
		}
		if status, err := s.stop(); err != nil || status != 0 {
			t.Fatal(status, err)
		}
	}
}

// confirmedAt has a cache say when the store was last heard.
func confirmedAt(t *testing.T, cache string, at time.Time) {
	t.Helper()
	name := filepath.Join(cache, "current.json")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var current map[string]json.RawMessage
	if err := json.Unmarshal(text, &current); err != nil {
		t.Fatal(err)
	}
	if current["confirmed"], err = json.Marshal(at.UTC()); err != nil {
		t.Fatal(err)
	}
	if text, err = json.Marshal(current); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestAServiceThatIsKilled starts with what it had in force, whatever it was at.
func TestAServiceThatIsKilled(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	pushed(t, state, "mov")
	for round := range 3 {
		s, err := launch(t.TempDir(), setup{config: embeddedStore(state, ""), shared: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.storeRevision(t); got != round+1 {
			t.Errorf("revision %d is in force, want %d", got, round+1)
		}
		storeSet(t, state, onlyExtension(fmt.Sprintf("mov, x%d", round)))
		s.signal(t, syscall.SIGKILL) // While it fetches what was acknowledged just now.
		if _, err := s.wait(); err != nil {
			t.Fatal(err)
		}
	}
}
