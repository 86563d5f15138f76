package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/sluiceproject/sluice/policies/store"
)

// quotaFiles is how many files each user of the fleet's tests may move, but for
// the load's.
const quotaFiles = 150

// fleetPolicies are what the fleet serves; the text makes revisions differ.
func fleetPolicies(text string) fstest.MapFS {
	return fstest.MapFS{
		"names.yaml": {Data: []byte("version: 1\npolicy: names\ndescription: " + text + "\nrules:\n  - name: no-programs\n    extension: {deny: [exe]}\n")},
		"quota.yaml": {Data: fmt.Appendf(nil, `
version: 1
policy: quota
applies_to: {user: ["counted-*"]}
rules:
  - name: files
    quota: {per: user, files: %d, window: 1h}
`, quotaFiles)},
	}
}

// fleet is replicas of sluice on one engine, and a way to it of the test's own.
type fleet struct {
	cluster  *cluster
	replicas []*server
	gates    []gates // of each replica
	store    *store.Store
	whole    *testing.T // What the processes end with.
	asked    atomic.Int64
	dies     bool // The replicas are killed while they are written to.
}

// startFleet starts a cluster, pushes a first revision and starts three replicas
// that serve it.
func startFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{cluster: startCluster(t), whole: t}
	var servers []string
	for _, n := range f.cluster.nodes {
		servers = append(servers, "nats://"+n.address)
	}
	var err error
	if f.store, err = store.Open(t.Context(), store.Options{Servers: servers, Replicas: 3, Instance: "test"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.store.Close)
	await(t, "the first revision is pushed", func() bool { _, err = f.push("the first"); return err == nil })
	for i := range 3 {
		f.gates = append(f.gates, f.cluster.throughGates(t))
		f.replicas = append(f.replicas, start(t, setup{shared: true, sink: noDecisions, config: fmt.Sprintf(`
policies: {from: store, cache: %q}
state: {instance: r%d, budget: 250ms, nats: {servers: %s, replicas: 3}}
`, filepath.Join(t.TempDir(), "cache"), i+1, f.gates[i].urls())}))
	}
	return f
}

// noDecisions keeps the lines of decisions out of memory.
func noDecisions(l line) bool { return l.text("msg") == "decision" }

// push stores a new revision, and returns its number once it is acknowledged.
func (f *fleet) push(text string) (uint64, error) {
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Second)
	defer stop()
	r, err := f.store.Push(ctx, store.Proposal{Author: "test", Message: text, Hash: text, Files: fleetPolicies(text)})
	return r.Number, err
}

// ledger has what was acknowledged while something was broken.
type ledger struct {
	user     string
	pushed   map[uint64]string // revision: message
	newest   uint64
	revoked  []string
	accepted []string // files of the user, each of which was answered with 200
	unsure   int      // files whose count was not certain in time
	failed   int      // pushes and revocations that were not acknowledged
}

// write pushes, revokes and counts until done, one after the other.
func (f *fleet) write(t *testing.T, user string, done <-chan struct{}) *ledger {
	t.Helper()
	l := &ledger{user: user, pushed: map[uint64]string{}}
	for n := 0; ; n++ {
		select {
		case <-done:
			return l
		case <-time.After(20 * time.Millisecond):
		}
		f.count(t, l, n)
		if n%5 != 0 {
			continue
		}
		text := fmt.Sprintf("%s %d", user, n)
		if number, err := f.push(text); err == nil {
			l.pushed[number], l.newest = text, number
		} else {
			l.failed++
		}
		if id := fmt.Sprintf("%s-%d", user, n); f.replicas[len(f.replicas)-1].revoke(id) == nil {
			l.revoked = append(l.revoked, id)
		} else {
			l.failed++
		}
	}
}

// count has one more file of the user counted, by each replica in turn. Half of the
// quota is left for when the fault is over.
func (f *fleet) count(t *testing.T, l *ledger, n int) {
	t.Helper()
	if len(l.accepted) >= quotaFiles/2 {
		return
	}
	name := fmt.Sprintf("/in/%s/%d", l.user, n)
	a, err := f.replicas[n%len(f.replicas)].send(http.DefaultClient, counted(l.user, name))
	switch {
	case err != nil:
		if l.unsure++; !f.dies {
			t.Errorf("an event got no answer: %v", err)
		}
	case a.status == http.StatusOK:
		l.accepted = append(l.accepted, name)
	default:
		l.unsure++
	}
}

// counted is an event about a file of a user who has a quota.
func counted(user, name string) string {
	return file(name, "user", `"`+user+`"`, "session_id", `"`+user+`"`, "startstop", `"start"`)
}

// revoke asks a replica to take a grant back.
func (s *server) revoke(id string) error {
	client := http.Client{Timeout: 2 * time.Second}
	body, _ := json.Marshal(map[string]any{"id": id, "reason": "test", "unregistered": true})
	response, err := client.Post("http://"+s.admin+"/v1/revocations", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return errors.New(response.Status)
	}
	return nil
}

// acknowledges reports whether a revision can be pushed.
func (f *fleet) acknowledges() bool {
	_, err := f.push("is anybody there")
	return err == nil || errors.Is(err, store.ErrConflict)
}

// counts reports whether every replica counts.
func (f *fleet) counts() bool {
	for _, s := range f.replicas {
		n := f.asked.Add(1)
		a, err := s.send(http.DefaultClient, counted(fmt.Sprintf("counted-again-%d", n), "/in/again"))
		if err != nil || a.status != http.StatusOK {
			return false
		}
	}
	return true
}

// converged reports whether every replica has the newest revision and knows every
// revocation that was acknowledged.
func (f *fleet) converged(t *testing.T, l *ledger) bool {
	t.Helper()
	newest, err := f.store.Head(t.Context())
	if err != nil {
		return false
	}
	if !f.counts() {
		return false
	}
	for _, s := range f.replicas {
		_, policies := s.ask(t, http.MethodGet, "/v1/policies")
		if !strings.Contains(policies, newest.Message) {
			return false
		}
		_, revoked := s.ask(t, http.MethodGet, "/v1/revocations")
		for _, id := range l.revoked {
			if !strings.Contains(revoked, `"`+id+`"`) {
				return false
			}
		}
	}
	return true
}

// nothingLost checks what was acknowledged against what is there.
func (f *fleet) nothingLost(t *testing.T, l *ledger) {
	t.Helper()
	if len(l.accepted) == 0 {
		t.Error("nothing was counted, so nothing is shown")
	}
	for number, text := range l.pushed {
		if r, err := f.store.Revision(t.Context(), number); err != nil || r.Message != text {
			t.Errorf("revision %d was acknowledged with %q and is %q (%v)", number, text, r.Message, err)
		}
	}
	for i, name := range l.accepted { // Counted already, and not again.
		if a := f.replicas[i%len(f.replicas)].post(t, counted(l.user, name)); a.status != http.StatusOK {
			t.Errorf("the event of %s is repeated and refused: %s", name, a.body)
		}
	}
	more, refused := 0, 0
	for n := 0; refused < 3 && n < 2*quotaFiles; n++ {
		switch a := f.replicas[n%len(f.replicas)].post(t, counted(l.user, fmt.Sprintf("/in/%s/more-%d", l.user, n))); a.status {
		case http.StatusOK:
			more++
		default:
			refused++
		}
	}
	if got := len(l.accepted) + more; got > quotaFiles || got < quotaFiles-l.unsure {
		t.Errorf("%d files were accepted of %d that are allowed, and of %d nothing certain was known", got, quotaFiles, l.unsure)
	}
}

// load is a run of `sluice simulate`.
type load struct {
	cmd *exec.Cmd
	out bytes.Buffer
}

// startLoad posts events to a replica until stop.
func startLoad(t *testing.T, s *server, flags ...string) *load {
	t.Helper()
	dir := t.TempDir()
	for i := range 50 {
		put(t, filepath.Join(dir, fmt.Sprintf("clip-%d.mov", i)), "moving pictures")
	}
	args := []string{"simulate", "--to", "http://" + s.service, "--docroot", dir, "--all", "--repeat", "1000000", "--quiet", "--format", "json"}
	l := &load{cmd: exec.Command(binary, append(append(args, flags...), dir)...)}
	l.cmd.Stdout, l.cmd.Stderr = &l.out, os.Stderr
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.cmd.Process.Kill() })
	return l
}

// summary is what `sluice simulate` says at its end.
type summary struct {
	Refused, Errors, Events int64
	Latency                 struct{ P50, P99, Max float64 } `json:"latency_ms"`
}

// stop ends the load and returns its summary.
func (l *load) stop(t *testing.T) summary {
	t.Helper()
	if err := l.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = l.cmd.Wait() // 130.
	var s struct{ Summary *summary }
	lines := strings.Split(strings.TrimSpace(l.out.String()), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &s); err != nil || s.Summary == nil {
		t.Fatalf("simulate ended with %q: %v", lines[len(lines)-1], err)
	}
	return *s.Summary
}

// during runs what writes beside a function.
func (f *fleet) during(t *testing.T, user string, what func()) *ledger {
	t.Helper()
	done, written := make(chan struct{}), make(chan *ledger, 1)
	go func() { written <- f.write(t, user, done) }()
	ended := false
	defer func() {
		if !ended { // what has failed the test.
			close(done)
			<-written
		}
	}()
	what()
	ended = true
	close(done)
	return <-written
}
