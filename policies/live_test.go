package policies_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// watched is a directory that is watched, tick by tick.
type watched struct {
	*testing.T
	dir    string
	live   *policies.Live
	ticks  chan time.Time
	told   []policies.Status
	moment time.Time
}

// watch runs f with a directory that prepare filled and that is watched. A tick
// has been dealt with when it returns: whatever the watcher does comes to rest.
func watch(t *testing.T, prepare func(dir string), f func(w *watched)) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "policies")
	prepare(dir)
	synctest.Test(t, func(t *testing.T) {
		w := &watched{T: t, dir: dir, ticks: make(chan time.Time), moment: time.Unix(1000, 0)}
		var err error
		w.live, err = policies.Open(dir, policies.Options{Kinds: rules.Builtin()}, func() time.Time { return w.moment }, func(s policies.Status) { w.told = append(w.told, s) })
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			w.live.Watch(ctx, w.ticks)
			close(done)
		}()
		f(w)
		cancel()
		<-done
	})
}

func (w *watched) tick(n int) {
	for range n {
		w.moment = w.moment.Add(time.Second)
		w.ticks <- w.moment
		synctest.Wait()
	}
}

// decidedBy returns the name of the policy that refuses a program.
func (w *watched) decidedBy() string {
	w.Helper()
	e := transfer("/in/x.exe")
	d := w.live.Decide(context.Background(), &e)
	if d.Revision != w.live.Status().Snapshot.Revision {
		w.Errorf("decided by %s, but %s is in force", d.Revision, w.live.Status().Snapshot.Revision)
	}
	return d.Policy
}

// want holds what is in force, how often changed was called so far, and part of
// what is wrong, empty for nothing.
func (w *watched) want(policy string, told int, wrong string) {
	w.Helper()
	if got := w.decidedBy(); got != policy {
		w.Errorf("%q decides, want %q", got, policy)
	}
	if len(w.told) != told {
		w.Errorf("changed was called %d times, want %d", len(w.told), told)
	}
	status := w.live.Status()
	if got := fmt.Sprint(status.Err); (wrong == "") != (status.Err == nil) || !strings.Contains(got, wrong) {
		w.Errorf("the status has the error %v, want %q", status.Err, wrong)
	}
	if n := len(w.told); n > 0 && (w.told[n-1].Snapshot != status.Snapshot || fmt.Sprint(w.told[n-1].Err) != fmt.Sprint(status.Err)) {
		w.Errorf("changed was last told %+v, the status is %+v", w.told[n-1], status)
	}
}

func (w *watched) write(name, text string) { write(w.T, w.dir, name, text) }

func (w *watched) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// refusedBy returns a policy that refuses programs, and something that no other
// does.
func refusedBy(name string) string {
	return policy(name, strings.Replace(noProgram, "exe", "exe, "+name, 1))
}

func onePolicy(t *testing.T) func(string) {
	t.Helper()
	return func(dir string) { write(t, dir, "10.yaml", refusedBy("first")) }
}

func TestWatchWaitsUntilTheFolderIsAtRest(t *testing.T) {
	watch(t, onePolicy(t), func(w *watched) {
		w.tick(3)
		w.want("first", 1, "")
		loaded := w.live.Status().Loaded

		// A set that is written file by file, over several ticks: each state on
		// the way would be without mistakes, and decide otherwise.
		w.write("10.yaml", policy("renamed", "mode: off\n", noProgram))
		w.tick(1)
		w.write("20.yaml", refusedBy("half-way"))
		w.tick(1)
		w.write("05.yaml", refusedBy("whole-set"))
		w.tick(1)
		w.want("first", 1, "")
		if got := w.live.Status().Loaded; got != loaded {
			t.Errorf("loaded at %v, before the folder came to rest", got)
		}
		w.tick(1)
		w.want("whole-set", 2, "")
		if got := w.live.Status().Loaded; got != w.moment {
			t.Errorf("loaded at %v, want %v", got, w.moment)
		}
		w.tick(5)
		w.want("whole-set", 2, "")

		w.must(os.Remove(filepath.Join(w.dir, "05.yaml")))
		w.tick(2)
		w.want("half-way", 3, "")
	})
}

func TestWatchSeesEveryKindOfChange(t *testing.T) {
	watch(t, func(dir string) {
		write(t, dir, "10.yaml", policy("list", "applies_to: {user: [bob]}\nrules:\n  - {name: r, checksum: {deny: lists/a}}\n  - {name: s, tags: {schema: s.json}}\n"))
		write(t, dir, "20.yaml", refusedBy("last"))
		write(t, dir, "lists/a", eicar+"\n")
		write(t, dir, "s.json", "{}")
	}, func(w *watched) {
		told := 1
		for _, change := range []struct{ name, text string }{
			{"lists/a", eicar + "\n" + another + "\n"},
			{"s.json", `{"type": "object"}`},
			{"20.yaml", refusedBy("last") + "# a comment\n"},
			{"30.yaml", refusedBy("added")},
		} {
			before := w.live.Status().Snapshot.Revision
			w.write(change.name, change.text)
			w.tick(2)
			told++
			w.want("last", told, "")
			if w.live.Status().Snapshot.Revision == before {
				t.Errorf("%s was changed, and the revision is the same", change.name)
			}
		}
		// What decides nothing is looked at and changes nothing.
		for _, name := range []string{"README.md", "10_test.yaml", ".hidden", "lists/unused"} {
			w.write(name, "x")
			w.tick(3)
			w.want("last", told, "")
		}
	})
}

func TestWatchKeepsWhatIsInForceWhileThereAreMistakes(t *testing.T) {
	watch(t, onePolicy(t), func(w *watched) {
		before := w.live.Status()
		w.write("10.yaml", policy("first", "moed: off\n", noProgram))
		w.tick(1)
		w.want("first", 1, "")
		w.tick(1)
		w.want("first", 2, `10.yaml:3:1: unknown key "moed"; did you mean "mode"?`)
		failed := w.moment
		w.tick(5)
		w.want("first", 2, "moed")
		status := w.live.Status()
		if status.Failed != failed || status.Loaded != before.Loaded || status.Snapshot != before.Snapshot {
			t.Errorf("got %+v, want what was in force, failed at %v", status, failed)
		}
		// Asking again says the same, and tells nobody.
		if err := w.live.Reload(); err == nil || err.Error() != status.Err.Error() {
			t.Errorf("Reload returned %v", err)
		}
		w.want("first", 2, "moed")
		if got := w.live.Status().Failed; got != failed {
			t.Errorf("failed at %v, want when it happened first, %v", got, failed)
		}

		w.write("10.yaml", policy("first", "mood: off\n", noProgram)+"# Another mistake.\n")
		w.tick(2)
		w.want("first", 3, "mood")

		w.write("10.yaml", refusedBy("recovered"))
		w.tick(2)
		w.want("recovered", 4, "")
		if got := w.live.Status().Failed; !got.IsZero() {
			t.Errorf("all is well, but failed at %v", got)
		}

		w.write("10.yaml", "")
		w.tick(2)
		w.want("recovered", 5, "the file is empty")
		w.write("10.yaml", refusedBy("recovered"))
		w.tick(2)
		w.want("recovered", 6, "")
	})
}

func TestWatchRemovedFolder(t *testing.T) {
	watch(t, onePolicy(t), func(w *watched) {
		away := w.dir + ".away"
		for told := 1; told < 7; told += 2 {
			w.must(os.Rename(w.dir, away))
			w.tick(1)
			w.want("first", told+1, "the policy set cannot be read: no such file or directory")
			w.tick(4)
			w.want("first", told+1, "no such file")
			w.must(os.Rename(away, w.dir)) // As it was.
			w.tick(1)
			w.want("first", told+1, "no such file")
			w.tick(1)
			w.want("first", told+2, "")
			w.tick(3)
			w.want("first", told+2, "")
		}
		w.must(os.RemoveAll(w.dir))
		w.tick(2)
		w.want("first", 8, "no such file")
		w.write("10.yaml", refusedBy("second"))
		w.tick(2)
		w.want("second", 9, "")
		// An empty folder is not a set.
		w.must(os.Remove(filepath.Join(w.dir, "10.yaml")))
		w.tick(2)
		w.want("second", 10, "there is no policy here")
	})
}

// link makes a symbolic link, or swaps an old one for it in one step.
func link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

func TestWatchFolderSwappedByLink(t *testing.T) {
	watch(t, func(dir string) {
		releases := filepath.Join(filepath.Dir(dir), "releases")
		write(t, releases, "1/10.yaml", refusedBy("one"))
		write(t, releases, "2/10.yaml", refusedBy("two"))
		write(t, releases, "3/10.yaml", "broken")
		link(t, "releases/1", dir)
	}, func(w *watched) {
		w.want("one", 1, "")
		link(t, "releases/2", w.dir)
		w.tick(2)
		w.want("two", 2, "")
		link(t, "releases/3", w.dir)
		w.tick(2)
		w.want("two", 3, "10.yaml:1:1: the document must be a group of keys, not a text")
		link(t, "releases/1", w.dir)
		w.tick(2)
		w.want("one", 4, "")

		// Back again, and nothing behind the link has changed in the meantime.
		w.must(os.Remove(w.dir))
		w.tick(2)
		w.want("one", 5, "no such file")
		link(t, "releases/1", w.dir)
		w.tick(2)
		w.want("one", 6, "")
	})
}

// A ConfigMap's files are links to ..data/FILE, and ..data is a link to a
// folder with a time in its name, which Kubernetes swaps.
func TestWatchConfigMap(t *testing.T) {
	watch(t, func(dir string) {
		write(t, dir, "..2026_01_01/10.yaml", policy("one", "rules:\n  - {name: r, extension: {deny: [exe]}}\n  - {name: s, checksum: {deny: list}}\n"))
		write(t, dir, "..2026_01_01/list", eicar)
		link(t, "..2026_01_01", filepath.Join(dir, "..data"))
		link(t, "..data/10.yaml", filepath.Join(dir, "10.yaml"))
		link(t, "..data/list", filepath.Join(dir, "list"))
	}, func(w *watched) {
		w.want("one", 1, "")
		w.tick(2)
		w.write("..2026_01_02/10.yaml", policy("two", "rules:\n  - {name: r, extension: {deny: [exe]}}\n  - {name: s, checksum: {deny: list}}\n"))
		w.write("..2026_01_02/list", another)
		w.tick(3)
		w.want("one", 1, "")
		link(t, "..2026_01_02", filepath.Join(w.dir, "..data"))
		w.tick(1)
		w.must(os.RemoveAll(filepath.Join(w.dir, "..2026_01_01")))
		w.tick(2)
		w.want("two", 2, "")
		e := transfer("/in/x.mov")
		e.Phase, e.Checksum, e.ChecksumType = rules.PhaseStop, another, "sha256"
		if d := w.live.Decide(context.Background(), &e); d.Rule != "s" {
			t.Errorf("the list is still the old one: %+v", d)
		}
	})
}

func TestOpen(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	if _, err := policies.Open(none, policies.Options{Kinds: rules.Builtin()}, time.Now, nil); err == nil || err.Error() != none+": the policy set cannot be read: no such file or directory" {
		t.Errorf("a folder that is not there: got %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	write(t, filepath.Dir(file), "file", "x")
	if _, err := policies.CheckDir(file, policies.Options{Kinds: rules.Builtin()}); err == nil || err.Error() != file+": the policy set cannot be read: not a directory" {
		t.Errorf("a file: got %v", err)
	}
	dir := t.TempDir()
	write(t, dir, "10.yaml", refusedBy("first"))
	live, err := policies.Open(dir, policies.Options{Kinds: rules.Builtin()}, time.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	before := live.Status()
	if err := live.Reload(); err != nil || live.Status() != before {
		t.Errorf("reloading what did not change: %v, %+v", err, live.Status())
	}
	write(t, dir, "10.yaml", refusedBy("another"))
	if err := live.Reload(); err != nil || live.Status().Snapshot.Policies[0].Name != "another" {
		t.Errorf("reloading what changed: %v", err)
	}
}

func TestWatchEnds(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "10.yaml", refusedBy("first"))
	live, err := policies.Open(dir, policies.Options{Kinds: rules.Builtin()}, time.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	live.Watch(ctx, nil)
}

// Sets come and go while events are decided; each decision is by one of them
// alone. Of each set both policies have the set's number.
func TestDecideWhileReloading(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "policies")
	const sets = 4
	for i := range sets {
		write(t, parent, fmt.Sprintf("%d/10.yaml", i), policy(fmt.Sprintf("a%d", i), "applies_to: {user: [ann]}\nrules:\n  - {name: s, extension: {deny: [bat]}}\n"))
		write(t, parent, fmt.Sprintf("%d/20.yaml", i), refusedBy(fmt.Sprintf("b%d", i)))
	}
	link(t, "0", dir)
	live, err := policies.Open(dir, policies.Options{Kinds: rules.Builtin()}, time.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	var byRevision sync.Map
	var decided atomic.Int64
	var stop atomic.Bool
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			for !stop.Load() {
				e := transfer("/in/x.exe")
				d := live.Decide(context.Background(), &e)
				if len(d.Steps) != 2 || d.Steps[0].Rule.Policy[1:] != d.Policy[1:] || d.Policy[0] != 'b' {
					t.Errorf("decided by several sets: %+v", d)
					return
				}
				if other, loaded := byRevision.LoadOrStore(d.Revision, d.Policy); loaded && other != d.Policy {
					t.Errorf("revision %s has %s and %s", d.Revision, other, d.Policy)
					return
				}
				decided.Add(1)
			}
		})
	}
	for i := range 60 {
		link(t, fmt.Sprint(i%sets), dir)
		if err := live.Reload(); err != nil {
			t.Error(err)
		}
		for before := decided.Load(); decided.Load() < before+10 && !t.Failed(); { // So that each set decides something.
			e := transfer("/in/x.exe")
			if d := live.Decide(context.Background(), &e); d.Policy != fmt.Sprintf("b%d", i%sets) {
				t.Fatalf("set %d was loaded, but %s decides", i%sets, d.Policy)
			}
		}
	}
	stop.Store(true)
	group.Wait()
	n := 0
	byRevision.Range(func(any, any) bool { n++; return true })
	if n != sets {
		t.Errorf("saw %d revisions, want %d", n, sets)
	}
}

// A set that changes while it is read is read again, and a folder that never
// comes to rest is given up: nothing that was half read is put in force.
func TestReloadWhileTheFolderChanges(t *testing.T) {
	for _, tc := range []struct {
		changes int
		want    string // the policy in force in the end
		wrong   string
	}{
		{0, "version-0", ""},
		{1, "version-1", ""},
		{4, "version-4", ""},
		{1000, "", "the folder keeps changing while it is read; try again when it is at rest"},
	} {
		dir := t.TempDir()
		version := 0
		put := func() {
			write(t, dir, "10.yaml", policy(fmt.Sprintf("version-%d", version), "rules: [{name: r, changing: x}]\n", strings.Repeat("#", version)))
		}
		put()
		kind := rules.Kind{Name: "changing", Schema: `{"type": "string"}`, Phases: rules.EveryPhase, Compile: func(rules.Env, rules.Decoder) (rules.Compiled, error) {
			if version < tc.changes {
				version++
				put()
			}
			return rules.Compiled{}, nil
		}}
		live, err := policies.Open(dir, policies.Options{Kinds: []rules.Kind{kind}}, time.Now, nil)
		switch {
		case tc.wrong != "":
			if err == nil || err.Error() != dir+": "+tc.wrong {
				t.Errorf("%d changes: got %v, want %s", tc.changes, err, tc.wrong)
			}
		case err != nil:
			t.Errorf("%d changes: %v", tc.changes, err)
		default:
			if got := live.Status().Snapshot.Policies[0].Name; got != tc.want {
				t.Errorf("%d changes: %s is in force, want %s", tc.changes, got, tc.want)
			}
		}
	}
}
