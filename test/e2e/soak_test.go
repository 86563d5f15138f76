package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// reloads is how many reloads the soak makes: 300, or what SLUICE_RELOADS says.
func reloads(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SLUICE_RELOADS")
	if text == "" {
		return 300
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 10 {
		t.Fatalf("SLUICE_RELOADS is %q, not a number of at least 10", text)
	}
	return n
}

// clients is how many clients post events during the soak.
const clients = 4

// TestReloadsUnderLoadLoseNothing alternates two versions of a set while clients
// post events. Every event is answered, by one of the two and by nothing in
// between, and the service does not grow.
func TestReloadsUnderLoadLoseNothing(t *testing.T) {
	n := reloads(t)
	sets, current := twoSets(t)
	k := &soak{t: t}
	k.server = start(t, setup{dir: current, config: still, sink: k.check})
	k.revisions = [2]string{k.server.revision(t), ""}
	turn := 0
	swap := func() {
		turn++
		if err := point(current, sets[turn%2]); err != nil {
			t.Fatal(err)
		}
		told := k.server.reload(t, http.StatusOK)["revision"]
		switch want := k.known(turn % 2); {
		case want == "":
			k.learn(turn%2, told)
		case want != told:
			t.Fatalf("reload %d puts %s in force, want %s", turn, told, want)
		}
	}
	swap()
	if k.known(0) == k.known(1) {
		t.Fatal("both sets have the same revision")
	}
	warm := k.under(n/5, swap)
	end := k.under(n-n/5, swap)

	await(t, "every answer has its log line", func() bool {
		left := 0
		k.pending.Range(func(any, any) bool { left++; return true })
		return left == 0
	})
	if lines, answers := k.lines.Load(), k.answers.Load(); lines != answers || answers < int64(n) {
		t.Errorf("%d log lines for %d answers, during %d reloads", lines, answers, n)
	}
	t.Logf("%d reloads, %d events; after the warm-up %s, at the end %s", n, k.answers.Load(), warm, end)
	if end.goroutines > warm.goroutines+20 {
		t.Errorf("goroutines grew from %v to %v", warm.goroutines, end.goroutines)
	}
	if end.heap > 2*warm.heap+32<<20 {
		t.Errorf("the heap grew from %v to %v bytes", warm.heap, end.heap)
	}
	if end.resident > 1.5*warm.resident+64<<20 {
		t.Errorf("resident memory grew from %v to %v bytes", warm.resident, end.resident)
	}
	if end.files > warm.files+10 {
		t.Errorf("open files grew from %v to %v", warm.files, end.files)
	}
}

// twoSets makes two sets, and a link that leads to the first. The first accepts
// films, the second pictures; either has a list and a schema to be loaded.
func twoSets(t *testing.T) (sets [2]string, current string) {
	t.Helper()
	dir := t.TempDir()
	for i, extension := range []string{"mov", "jpg"} {
		sets[i] = filepath.Join(dir, fmt.Sprintf("set-%d", i))
		for name, text := range map[string]string{
			"10-types.yaml": onlyExtension(extension),
			"20-more.yaml": "version: 1\npolicy: more\nrules:\n  - name: sheet\n    mode: shadow\n    tags: {schema: sheet.json}\n" +
				"  - name: bad\n    on_error: accept\n    checksum: {deny: bad.sha256}\n",
			"sheet.json": `{"type": "object", "required": ["absent"]}`,
			"bad.sha256": manyDigests(i),
		} {
			if err := write(filepath.Join(sets[i], name), text); err != nil {
				t.Fatal(err)
			}
		}
	}
	current = filepath.Join(dir, "current")
	if err := point(current, sets[0]); err != nil {
		t.Fatal(err)
	}
	return sets, current
}

func manyDigests(seed int) string {
	var text strings.Builder
	for i := range 500 {
		fmt.Fprintf(&text, "%064x\n", (i+1)*7919+seed)
	}
	return text.String()
}

// point makes a link lead elsewhere, in one step.
func point(link, to string) error {
	fresh := link + ".new"
	if err := os.Symlink(to, fresh); err != nil {
		return err
	}
	return os.Rename(fresh, link)
}

// soak is a server under load, and what is known of its answers.
type soak struct {
	t      *testing.T
	server *server

	mu        sync.Mutex
	revisions [2]string

	answers, lines atomic.Int64
	pending        sync.Map // Answers without a log line, and log lines without an answer, by id.
}

func (k *soak) known(i int) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.revisions[i]
}

func (k *soak) learn(i int, revision string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.revisions[i] = revision
}

// check holds a log line against the revision that it names.
func (k *soak) check(l line) bool {
	if l.text("msg") != "decision" {
		return l.text("msg") == "policies in force"
	}
	k.lines.Add(1)
	film := strings.HasSuffix(l.text("file"), ".mov")
	want := ""
	switch l.text("revision") {
	case k.known(0):
		want = map[bool]string{true: "accept", false: "reject"}[film]
	case k.known(1):
		want = map[bool]string{true: "reject", false: "accept"}[film]
	}
	if l.text("verdict") != want {
		k.t.Errorf("a decision of neither set: %s", l.raw)
	}
	k.match(l.text("id"), l.text("verdict"))
	return true
}

// match joins an answer and its log line.
func (k *soak) match(id, verdict string) {
	if other, loaded := k.pending.LoadOrStore(id, verdict); loaded {
		if k.pending.Delete(id); other != verdict {
			k.t.Errorf("the answer and the log line of %s disagree: %s and %s", id, verdict, other)
		}
	}
}

// load posts events until told to stop.
func (k *soak) load(stop <-chan struct{}, bodies [2]string) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		a, err := k.server.send(client, bodies[i%2])
		if err != nil || a.status == http.StatusBadRequest && a.code != "1022" {
			k.t.Errorf("an event failed: %v %s", err, a.body)
			return
		}
		k.answers.Add(1)
		k.match(a.id, map[bool]string{true: "accept", false: "reject"}[a.status == http.StatusOK])
	}
}

// usage is what a server uses when nobody asks it anything.
type usage struct{ goroutines, heap, resident, files float64 }

func (u usage) String() string {
	return fmt.Sprintf("%v goroutines, %.1f MiB of heap, %.1f MiB resident, %v files", u.goroutines, u.heap/(1<<20), u.resident/(1<<20), u.files)
}

// under makes reloads while the clients post events.
func (k *soak) under(n int, reload func()) usage {
	stop := make(chan struct{})
	var running sync.WaitGroup
	for range clients {
		running.Go(func() { k.load(stop, [2]string{file("/in/a.mov"), file("/in/a.jpg")}) })
	}
	for range n {
		reload()
	}
	close(stop)
	running.Wait()
	m := k.server.metrics(k.t)
	return usage{
		m.sum("go_goroutines"), m.sum("go_memstats_heap_inuse_bytes"),
		m.sum("process_resident_memory_bytes"), m.sum("process_open_fds"),
	}
}
