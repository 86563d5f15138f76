package e2e

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// perUser is a policy that lets each user move so many files an hour.
func perUser(files int) map[string]string {
	return map[string]string{"quota.yaml": fmt.Sprintf("version: 1\npolicy: quota\nrules: [{name: an-hour, quota: {per: user, files: %d, window: 1h}}]\n", files)}
}

// numbered is an event about a file of one session.
func numbered(n int) string {
	return file(fmt.Sprintf("/ingest/%d.mov", n), "session_id", `"s-1"`)
}

// tried is what servers said to files: how many of them accepted each, and with
// which codes they were refused.
type tried struct {
	accepted, refused map[int]int
	codes             map[string]int
}

// tryAll has clients post each file to all servers, until all have answered or are
// gone. After each answer it tells how many there are.
func tryAll(files int, answered func(n int), servers ...*server) tried {
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: patience}
	all := tried{map[int]int{}, map[int]int{}, map[string]int{}}
	var mu sync.Mutex
	var group sync.WaitGroup
	const callers = 32
	total := 0
	for caller := range callers {
		group.Go(func() {
			for n := caller; n < files*len(servers); n += callers {
				a, err := servers[n%len(servers)].send(client, numbered(n/len(servers)))
				if err != nil {
					return // Killed.
				}
				mu.Lock()
				if a.status == http.StatusOK {
					all.accepted[n/len(servers)]++
				} else {
					all.refused[n/len(servers)]++
					all.codes[a.code]++
				}
				total++
				answered(total)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return all
}

// TestAQuotaIsOneForTheFleet: two services that share an engine let exactly as many
// files pass as one may have, the same ones on both, and tell of it.
func TestAQuotaIsOneForTheFleet(t *testing.T) {
	t.Parallel()
	const files, limit = 300, 100
	token := filepath.Join(t.TempDir(), "token")
	if err := write(token, "a secret of the whole fleet\n"); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	engine := free.Addr().String()
	free.Close()
	first := start(t, setup{policies: perUser(limit), config: fmt.Sprintf("state: {dir: %s, listen: '%s', token_file: %s, budget: 10s}\n", t.TempDir(), engine, token)})
	second := start(t, setup{policies: perUser(limit), config: fmt.Sprintf("state: {nats: {servers: ['nats://%s'], token_file: %s, replicas: 1}, budget: 10s}\n", engine, token)})

	_, told, _ := first.explain(t, "", numbered(0)) // It counts nothing.
	if told.Verdict != "accept" {
		t.Errorf("it would be %+v", told)
	}
	all := tryAll(files, func(int) {}, first, second)
	yes := 0
	for _, n := range all.accepted {
		yes += n
	}
	if len(all.accepted) != limit {
		t.Errorf("%d files were accepted, and %d are allowed", len(all.accepted), limit)
	}
	if diff := cmp.Diff(map[string]int{"1034": 2*files - yes}, all.codes); diff != "" {
		t.Errorf("refusals (-want +got):\n%s", diff)
	}
	for _, s := range []*server{first, second} {
		a := s.post(t, numbered(files))
		if a.code != "1034" || !strings.HasPrefix(a.message, "With 300.mov the user partner-7 comes to 101 of 100 files in 1h.") {
			t.Errorf("%d %s", a.status, a.body)
		}
		_, told, text := s.explain(t, "", numbered(files))
		if told.Verdict != "reject" || !strings.Contains(text, "101 of 100 files") {
			t.Errorf("it is explained as %s", text)
		}
		m := s.metrics(t)
		if n := m.sum("sluice_store_counted_files"); n != limit {
			t.Errorf("%v files are remembered", n)
		}
		if n := m.sum("sluice_store_counts_total"); n != files+1 || m.sum("sluice_store_count_duration_seconds_count") != n || m.sum("sluice_store_counts_total", "result", "error") != 0 {
			t.Errorf("%v files were counted, and %d were asked for", n, files+1)
		}
	}
}

// TestCountsSurviveAKill: whenever the service is killed, what it accepted stays
// counted and accepted, and never do more pass than are allowed.
func TestCountsSurviveAKill(t *testing.T) {
	t.Parallel()
	const kills, step = 10, 40
	const limit = kills * step / 2
	dir, state := t.TempDir(), filepath.Join(t.TempDir(), "state")
	o := setup{policies: perUser(limit), config: "state: {dir: " + state + ", budget: 10s}\n", sink: func(l line) bool { return l.text("msg") == "decision" }}
	accepted := map[int]bool{}
	for round := range kills + 1 {
		s, err := launch(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		all := tryAll((round+1)*step, func(n int) {
			if n == round*step+step/2 && round < kills {
				_ = s.cmd.Process.Kill() // While others are asked for.
			}
		}, s)
		for n := range all.refused {
			if accepted[n] {
				t.Errorf("the file %d was accepted, and is refused after %d kills: %v", n, round, all.codes)
			}
		}
		for n := range all.accepted {
			accepted[n] = true
		}
		if round == kills {
			if len(all.accepted) != limit {
				t.Errorf("%d files are counted, and %d are allowed", len(all.accepted), limit)
			}
			if status, err := s.stop(); status != 0 || err != nil {
				t.Errorf("it ends with %d (%v)", status, err)
			}
		}
		<-s.ended
	}
	if len(accepted) != limit {
		t.Errorf("%d files were accepted, and %d are allowed", len(accepted), limit)
	}
}
