package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// errBroken is what a set does that has a file broken.yaml.
var errBroken = errors.New("broken.yaml:1:1: this does not compile")

// used is what a mirror put in force.
type used struct {
	mu     sync.Mutex
	texts  map[string]string
	number uint64
	told   []string
	news   chan uint64 // the numbers that were used or tried
}

// mirror opens a mirror of a store until the test ends.
func mirror(t *testing.T, s *Store, dir string) (*Mirror, *used) {
	t.Helper()
	u := &used{news: make(chan uint64, 1000)}
	m, err := OpenMirror(t.Context(), s, MirrorOptions{Dir: dir, Use: func(dir string, r Revision) error {
		u.mu.Lock()
		defer u.mu.Unlock()
		defer func() { u.news <- r.Number }()
		found := texts(t, dir)
		if _, broken := found["broken.yaml"]; broken {
			return errBroken
		}
		u.texts, u.number = found, r.Number
		return nil
	}, Failed: func(err error) {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.told = append(u.told, err.Error())
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m, u
}

// want holds which revision is in force, with which text in p.yaml.
func (u *used) want(t *testing.T, m *Mirror, number uint64, text string) {
	t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.number != number || m.Status().Revision.Number != number || u.texts["p.yaml"] != text {
		t.Errorf("revision %d is in force with %q, and the status says %d; want %d with %q", u.number, u.texts["p.yaml"], m.Status().Revision.Number, number, text)
	}
}

// folders returns the names of what is in a cache.
func folders(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name, _, _ := strings.Cut(entry.Name(), "-")
		if number, ok := strings.CutPrefix(entry.Name(), folderPrefix); ok {
			name, _, _ = strings.Cut(number, "-")
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

const soon = time.Minute // The engine of these tests answers at once, or never.

func TestAMirrorFollows(t *testing.T) {
	s, dir := open(t, Options{Dir: t.TempDir()}), filepath.Join(t.TempDir(), "cache")
	push(t, s, "one", files("p.yaml", "1", "lists/a", "large"))
	m, u := mirror(t, s, dir)
	if err := m.Start(t.Context(), soon); err != nil {
		t.Fatal(err)
	}
	u.want(t, m, 1, "1")
	<-u.news
	m.Follow()
	for n := uint64(2); n < 5; n++ {
		push(t, s, "more", files("p.yaml", fmt.Sprint(n), "lists/a", "large"))
		if got := <-u.news; got != n {
			t.Fatalf("revision %d came after %d was pushed", got, n)
		}
	}
	if err := m.Refresh(t.Context()); err != nil { // It waits until the last one is done with.
		t.Error(err)
	}
	u.want(t, m, 4, "4")
	if diff := cmp.Diff([]string{"4", "current.json", "lock"}, folders(t, dir)); diff != "" {
		t.Errorf("(-want +in the cache):\n%s", diff)
	}
	if status := m.Status(); status.Err != nil || status.Cached || time.Since(status.Confirmed) > soon {
		t.Errorf("the status is %+v", status)
	}
}

// TestWhatDoesNotCompileIsNotUsed: the last good one stays, also over a restart, until
// there is another.
func TestWhatDoesNotCompileIsNotUsed(t *testing.T) {
	s, dir := open(t, Options{Dir: t.TempDir()}), t.TempDir()
	push(t, s, "good", files("p.yaml", "1"))
	m, u := mirror(t, s, dir)
	if err := m.Start(t.Context(), soon); err != nil {
		t.Fatal(err)
	}
	for n := 2; n < 5; n++ {
		push(t, s, "bad", files("p.yaml", fmt.Sprint(n), "broken.yaml", ""))
		if err := m.Refresh(t.Context()); !errors.Is(err, errBroken) || !errors.Is(m.Status().Err, errBroken) {
			t.Errorf("a broken set gave %v, and the status has %v", err, m.Status().Err)
		}
		u.want(t, m, 1, "1")
		if diff := cmp.Diff([]string{"1", fmt.Sprint(n), "current.json", "lock"}, folders(t, dir)); diff != "" {
			t.Errorf("(-want +in the cache):\n%s", diff)
		}
	}
	tried := len(u.news)
	m.follow(t.Context())
	m.follow(t.Context())
	if got := len(u.news); got != tried {
		t.Errorf("it was tried %d times more, though it does not change", got-tried)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}

	m, u = mirror(t, s, dir)
	if err := m.Start(t.Context(), soon); err != nil {
		t.Fatal(err)
	}
	u.want(t, m, 1, "1")
	if status := m.Status(); !errors.Is(status.Err, errBroken) || status.Cached || len(u.told) != 1 {
		t.Errorf("after a restart the status is %+v, and %q was told", status, u.told)
	}
	push(t, s, "good", files("p.yaml", "5"))
	m.follow(t.Context())
	u.want(t, m, 5, "5")
	if err := m.Status().Err; err != nil {
		t.Errorf("all is well, and the status has %v", err)
	}
	m.follow(t.Context())
	if diff := cmp.Diff([]string{"5", "current.json", "lock"}, folders(t, dir)); diff != "" {
		t.Errorf("(-want +in the cache):\n%s", diff)
	}
}

func TestAMirrorStartsWithoutTheEngine(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	engine := t.TempDir()
	s := open(t, Options{Dir: engine, Now: clock})
	push(t, s, "one", files("p.yaml", "1"))
	m, _ := mirror(t, s, dir)
	if err := m.Start(t.Context(), soon); err != nil {
		t.Fatal(err)
	}
	heard := now.Add(10 * time.Second)
	now = heard
	m.follow(t.Context())
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}

	now = heard.Add(time.Hour)
	away := open(t, Options{Servers: []string{"nats://127.0.0.1:1"}, Now: clock})
	var u *used
	m, u = mirror(t, away, dir)
	if err := m.Start(t.Context(), time.Millisecond); err != nil {
		t.Fatal(err)
	}
	u.want(t, m, 1, "1")
	if status := m.Status(); !status.Cached || !status.Confirmed.Equal(heard) || !errors.Is(status.Err, ErrAway) || len(u.told) > 0 {
		t.Errorf("without the engine the status is %+v, and %q was told", status, u.told)
	}
	m.follow(t.Context())
	if err := m.Refresh(t.Context()); !errors.Is(err, ErrAway) {
		t.Errorf("without the engine Refresh returned %v", err)
	}
	if status := m.Status(); !status.Cached || !status.Confirmed.Equal(heard) {
		t.Errorf("the engine was not heard, and the status is %+v", status)
	}
}

func TestAMirrorThatHasNothing(t *testing.T) {
	for name, row := range map[string]struct {
		o    Options
		push map[string]string
		want error
	}{
		"an empty store":           {Options{Dir: t.TempDir()}, nil, ErrEmpty},
		"no engine":                {Options{Servers: []string{"nats://127.0.0.1:1"}}, nil, ErrAway},
		"a set that does not work": {Options{Dir: t.TempDir()}, map[string]string{"broken.yaml": ""}, errBroken},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, row.o)
			wait := time.Millisecond
			if row.push != nil || row.o.Dir != "" {
				wait = soon
			}
			for name, text := range row.push {
				push(t, s, "one", files(name, text))
			}
			m, _ := mirror(t, s, t.TempDir())
			if err := m.Start(t.Context(), wait); !errors.Is(err, ErrNothing) || !errors.Is(err, row.want) {
				t.Errorf("the error is %v, want %v", err, row.want)
			}
		})
	}
}

// TestACacheThatWasAltered is not used, and is mended by the engine.
func TestACacheThatWasAltered(t *testing.T) {
	for name, alter := range map[string]func(dir, folder string) error{
		"other text":  func(_, folder string) error { return os.WriteFile(filepath.Join(folder, "p.yaml"), []byte("2"), 0o600) },
		"a file more": func(_, folder string) error { return os.WriteFile(filepath.Join(folder, "q.yaml"), nil, 0o600) },
		"a file less": func(_, folder string) error { return os.Remove(filepath.Join(folder, "p.yaml")) },
		"a link": func(_, folder string) error {
			return errors.Join(os.Remove(filepath.Join(folder, "p.yaml")), os.Symlink("a", filepath.Join(folder, "p.yaml")))
		},
		"no folder": func(_, folder string) error { return os.RemoveAll(folder) },
		"half a record": func(dir, _ string) error {
			return os.WriteFile(filepath.Join(dir, cacheCurrent), []byte(`{"num`), 0o600)
		},
		"no record": func(dir, _ string) error { return os.Remove(filepath.Join(dir, cacheCurrent)) },
		"another folder": func(dir, _ string) error {
			return os.WriteFile(filepath.Join(dir, cacheCurrent), []byte(`{"number":1,"folder":"../..","revision":{}}`), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, dir := open(t, Options{Dir: t.TempDir()}), t.TempDir()
			r := push(t, s, "one", files("p.yaml", "1", "a", "1"))
			m, _ := mirror(t, s, dir)
			if err := m.Start(t.Context(), soon); err != nil {
				t.Fatal(err)
			}
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			folder, err := folderOf(&r)
			if err != nil {
				t.Fatal(err)
			}
			if err := alter(dir, filepath.Join(dir, folder)); err != nil {
				t.Fatal(err)
			}
			var u *used
			m, u = mirror(t, open(t, Options{Servers: []string{"nats://127.0.0.1:1"}}), dir)
			if err := m.Start(t.Context(), time.Millisecond); !errors.Is(err, ErrNothing) {
				t.Errorf("without the engine: %v", err)
			}
			u.want(t, m, 0, "")
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			m, u = mirror(t, s, dir)
			if err := m.Start(t.Context(), soon); err != nil {
				t.Error(err)
			}
			u.want(t, m, 1, "1")
			if diff := cmp.Diff(map[string]string{"p.yaml": "1", "a": "1"}, u.texts); diff != "" {
				t.Errorf("(-want +mended):\n%s", diff)
			}
		})
	}
}

// TestAFetchThatEndsInTheMidst, by a signal that nobody can catch: what it leaves is
// never used, and is removed.
func TestAFetchThatEndsInTheMidst(t *testing.T) {
	s, dir := open(t, Options{Dir: t.TempDir()}), t.TempDir()
	r := push(t, s, "one", files("p.yaml", "1", "lists/a", "2"))
	left := filepath.Join(dir, unfinished+"ABC")
	if err := errors.Join(os.MkdirAll(filepath.Join(left, "lists"), 0o700), os.WriteFile(filepath.Join(left, "p.yaml"), []byte("1"), 0o600)); err != nil {
		t.Fatal(err)
	}
	// A folder with the final name but half of the files, as a disk has it that lies.
	folder, err := folderOf(&r)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(dir, "mine.txt")
	if err := os.WriteFile(mine, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m, u := mirror(t, s, dir)
	if err := m.Start(t.Context(), soon); err != nil {
		t.Fatal(err)
	}
	u.want(t, m, 1, "1")
	if diff := cmp.Diff([]string{"1", "current.json", "lock", "mine.txt"}, folders(t, dir)); diff != "" {
		t.Errorf("(-want +in the cache):\n%s", diff)
	}
}

// TestAFetchThatIsCutOff leaves nothing, wherever that is.
func TestAFetchThatIsCutOff(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	r := push(t, s, "one", files("a", "1", "b/c", "2", "b/d", "3", "e", strings.Repeat("x", 3*pieceSize)))
	cut := 0
	for calls := range 20 {
		dir := filepath.Join(t.TempDir(), "set")
		err := s.Fetch(&counted{Context: t.Context(), left: calls}, r, dir)
		if err == nil {
			break
		}
		cut++
		if entries, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(entries) > 0 {
			t.Fatalf("after %d looks at its context it left %v, %v", calls, entries, err)
		}
	}
	if cut == 0 {
		t.Error("no fetch was cut off")
	}
}

// counted is done after it was looked at a number of times.
type counted struct {
	context.Context
	mu   sync.Mutex
	left int
}

// Err implements context.Context.
func (c *counted) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// Done implements context.Context.
func (c *counted) Done() <-chan struct{} {
	done := make(chan struct{})
	if c.Err() != nil {
		close(done)
	}
	return done
}

func TestOneProcessHasACache(t *testing.T) {
	s, dir := open(t, Options{Dir: t.TempDir()}), t.TempDir()
	mirror(t, s, dir)
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	_, err := OpenMirror(ctx, s, MirrorOptions{Dir: dir})
	if want := "the cache of the policies " + dir + ": another process uses it: give each service a folder of its own"; err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}

// TestAStoreThatBeganAnew has the same numbers for other revisions.
func TestAStoreThatBeganAnew(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"old", "new"} {
		s := open(t, Options{Dir: t.TempDir()})
		push(t, s, text, files("p.yaml", text))
		m, u := mirror(t, s, dir)
		if err := m.Start(t.Context(), soon); err != nil {
			t.Fatal(err)
		}
		u.want(t, m, 1, text)
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMirrorsConverge on the newest good revision, whatever was pushed and however
// often they were restarted, with files in common or not.
func TestMirrorsConverge(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), KeepRevisions: 3})
	s.young.age = time.Nanosecond
	dir := t.TempDir()
	good, text, pushed, restarts := uint64(0), map[string]string(nil), 0, 0
	m, u := mirror(t, s, dir)
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(1, 3).Draw(rt, "pushes") {
			set := rapid.MapOfN(rapid.SampledFrom([]string{"p.yaml", "q.yaml", "lists/a"}), rapid.SampledFrom([]string{"", "one", "two"}), 1, 3).Draw(rt, "set")
			bad := good > 0 && rapid.Bool().Draw(rt, "is broken")
			if bad {
				set["broken.yaml"] = ""
			}
			var pairs []string
			for name, text := range set {
				pairs = append(pairs, name, text)
			}
			r, err := s.Push(t.Context(), Proposal{Files: files(pairs...)})
			if err != nil {
				rt.Fatal(err)
			}
			pushed++
			if restart := rapid.Bool().Draw(rt, "restarts"); restart || m.Status().Revision.Number == 0 {
				restarts++
				if err := m.Close(); err != nil {
					rt.Fatal(err)
				}
				m, u = mirror(t, s, dir)
				if err := m.Start(t.Context(), soon); err != nil {
					rt.Fatal(err)
				}
			}
			m.follow(t.Context())
			if !bad {
				good, text = r.Number, maps.Clone(set)
			}
			if u.number != good || !cmp.Equal(text, u.texts) || (m.Status().Err != nil) != bad {
				rt.Fatalf("revision %d is in force with %v and the error %v, want %d with %v", u.number, u.texts, m.Status().Err, good, text)
			}
			if names := folders(t, dir); len(names) > 4 {
				rt.Fatalf("the cache has %v", names)
			}
			for len(u.news) > 0 {
				<-u.news
			}
		}
	})
	if pushed < 20 || restarts < 5 {
		t.Errorf("only %d pushes and %d restarts", pushed, restarts)
	}
}
