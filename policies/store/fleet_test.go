package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"
)

// fleetOf returns the fleet as a line each.
func fleetOf(t *testing.T, s *Store) (lines []string) {
	t.Helper()
	members, newest, err := s.Fleet(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, skewed := range Skewed(members, newest) {
		m := &members[i]
		line := fmt.Sprintf("%s has %d %s of %d, %s", m.Instance, m.Revision, m.Hash, newest, m.Health)
		if skewed {
			line += ", skewed"
		}
		if m.Twin {
			line += ", twin"
		}
		lines = append(lines, line)
	}
	return lines
}

func report(t *testing.T, s *Store, m *Member) {
	t.Helper()
	if err := s.Report(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

func wantFleet(t *testing.T, s *Store, when string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, fleetOf(t, s)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

func pushOne(t *testing.T, s *Store, text string) {
	t.Helper()
	_, err := s.Push(t.Context(), Proposal{Author: "test", Hash: text, Files: fstest.MapFS{"a.yaml": {Data: []byte(text)}}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFleetShowsSkew(t *testing.T) {
	a, b := two(t)
	wantFleet(t, b, "before anybody reported")
	pushOne(t, a, "r1")
	one, other := Member{Instance: "a", Revision: 1, Hash: "r1", Health: Ready}, Member{Instance: "b/2", Revision: 1, Hash: "r1", Health: Ready}
	report(t, a, &one)
	report(t, b, &other)
	wantFleet(t, a, "in step", "a has 1 r1 of 1, ready", "b/2 has 1 r1 of 1, ready")
	pushOne(t, b, "r2")
	one.Revision, one.Hash = 2, "r2"
	report(t, a, &one)
	wantFleet(t, b, "behind", "a has 2 r2 of 2, ready", "b/2 has 1 r1 of 2, ready, skewed")
	if err := b.Leave(t.Context(), &other); err != nil {
		t.Fatal(err)
	}
	wantFleet(t, a, "left", "a has 2 r2 of 2, ready")
}

// TestSkewOfFolders: the policies that most have are those that all should have.
func TestSkewOfFolders(t *testing.T) {
	at := func(hash string, second int64) Member { return Member{Hash: hash, Loaded: time.Unix(second, 0)} }
	for _, row := range []struct {
		name    string
		newest  uint64
		members []Member
		want    []bool
	}{
		{"nobody", 0, nil, []bool{}},
		{"one", 0, []Member{at("x", 1)}, []bool{false}},
		{"alike", 0, []Member{at("x", 1), at("x", 2)}, []bool{false, false}},
		{"most", 0, []Member{at("x", 1), at("y", 9), at("x", 2)}, []bool{false, true, false}},
		{"as many: the last that was loaded", 0, []Member{at("x", 1), at("y", 9)}, []bool{true, false}},
		{"from the store and from a folder", 3, []Member{{Revision: 3, Hash: "x"}, {Revision: 2, Hash: "w"}, at("y", 9)}, []bool{false, true, false}},
		{"the store was emptied", 0, []Member{{Revision: 3, Hash: "x"}}, []bool{true}},
	} {
		if diff := cmp.Diff(row.want, Skewed(row.members, row.newest)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
	}
}

// TestTwoServicesOfOneName are both shown, and a service that started anew is once.
func TestTwoServicesOfOneName(t *testing.T) {
	a, b := two(t)
	old := Member{Instance: "a", Hash: "r1", Health: Ready}
	report(t, a, &old)
	report(t, a, &old)
	started := Member{Instance: "a", Hash: "r2", Health: Ready} // The old one was killed.
	report(t, a, &started)
	wantFleet(t, b, "started anew", "a has 0 r2 of 0, ready")
	report(t, a, &started)
	wantFleet(t, b, "a while later", "a has 0 r2 of 0, ready")
	twin := Member{Instance: "a", Hash: "r2", Health: Degraded, Started: time.Unix(1, 0)}
	report(t, b, &twin)
	report(t, a, &started)
	report(t, b, &twin)
	wantFleet(t, a, "two at once", "a has 0 r2 of 0, ready, twin", "a has 0 r2 of 0, degraded, twin")
}

func TestTheDeadAreForgotten(t *testing.T) {
	s, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.fleetLife = time.Second
	m := Member{Instance: "a", Health: Ready}
	report(t, s, &m)
	wantFleet(t, s, "just reported", "a has 0  of 0, ready")
	gone := time.After(time.Minute)
	for len(fleetOf(t, s)) > 0 {
		select {
		case <-gone:
			t.Fatal("a minute later it is still there")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// TestTheBucketIsMadeAnew after a restart of the engine, which has it in memory.
func TestTheBucketIsMadeAnew(t *testing.T) {
	o := Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", Token: "a secret of the fleet"}
	engine, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Listen = engine.Address().String()
	s := open(t, Options{Servers: []string{"nats://" + o.Listen}, Token: o.Token})
	m := Member{Instance: "a", Health: Ready}
	for range 5 {
		report(t, s, &m)
	}
	engine.Close()
	engine = open(t, o)
	long := time.After(time.Minute)
	for s.Report(t.Context(), &m) != nil {
		select {
		case <-long:
			t.Fatal("a minute after the engine's return it cannot report")
		case <-time.After(20 * time.Millisecond):
		}
	}
	wantFleet(t, engine, "after the restart", "a has 0  of 0, ready")
	again := Member{Instance: "a", Health: Degraded}
	report(t, engine, &again)
	wantFleet(t, engine, "the service restarted, too", "a has 0  of 0, degraded")
}

// TestOddReports are passed over and told.
func TestOddReports(t *testing.T) {
	var told []string
	s := open(t, Options{Dir: t.TempDir(), Told: func(h Happening) {
		if h.What == Odd {
			told = append(told, h.Detail)
		}
	}})
	m := Member{Instance: "a", Health: "splendid", Trouble: strings.Split(strings.Repeat(strings.Repeat("é", 400)+"\n", 30), "\n")}
	report(t, s, &m)
	bucket, err := s.fleetBucket(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, odd := range []struct{ key, value string }{{"x", "{}"}, {"nYQ.x", "no JSON"}, {"nYQ.y", "[1]"}} {
		if _, err := bucket.Put(t.Context(), odd.key, []byte(odd.value)); err != nil {
			t.Fatal(err)
		}
	}
	members, _, err := s.Fleet(t.Context())
	if err != nil || len(members) != 1 || members[0].Health != NotReady || len(members[0].Trouble) != mostTrouble {
		t.Errorf("the fleet is %+v, %v", members, err)
	}
	if len(told) != 3 {
		t.Errorf("told was %q", told)
	}
	if _, err := bucket.Put(t.Context(), "nYQ.z", make([]byte, mostReported+1)); err == nil {
		t.Error("a report of any size is taken")
	}
	if err := bucket.Delete(t.Context(), "nYQ.x"); err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
		t.Error(err)
	}
}

func TestTheFleetWithoutAnEngine(t *testing.T) {
	s := open(t, Options{Servers: []string{"nats://127.0.0.1:1"}})
	m := Member{Instance: "a"}
	if err := s.Report(t.Context(), &m); !errors.Is(err, ErrAway) {
		t.Errorf("reporting: %v", err)
	}
	if _, _, err := s.Fleet(t.Context()); !errors.Is(err, ErrAway) {
		t.Errorf("asking: %v", err)
	}
}
