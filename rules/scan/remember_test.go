package scan

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestMemory(t *testing.T) {
	clock := newClock()
	m := newMemory(2, time.Minute, clock.now)
	q := func(inode uint64) question { return question{File{Inode: inode}, "27500"} }
	learn := func(of question, a *Answer) {
		t.Helper()
		known, wait, done := m.ask(of)
		if known != nil || wait != nil {
			t.Fatalf("%v is known or asked", of)
		}
		done(a)
	}
	knows := func(of question) bool {
		known, _, done := m.ask(of)
		if done != nil {
			done(nil)
		}
		return known != nil
	}
	learn(q(1), &Answer{Signature: "Eicar"})
	if known, _, _ := m.ask(q(1)); known == nil || known.Signature != "Eicar" {
		t.Errorf("%+v", known)
	}
	learn(q(2), nil)
	if knows(q(2)) {
		t.Error("an answer that was none")
	}
	if knows(question{q(1).file, "27501"}) {
		t.Error("an answer of older signatures")
	}
	learn(q(2), &Answer{})
	knows(q(1)) // So 2 is the one used longest ago.
	learn(q(3), &Answer{})
	if !knows(q(1)) || knows(q(2)) || !knows(q(3)) || m.size() != 2 {
		t.Error("the one used longest ago was to be forgotten")
	}
	clock.pass(time.Minute - 1)
	if !knows(q(1)) {
		t.Error("forgotten too early")
	}
	clock.pass(1)
	if knows(q(1)) || m.size() != 1 {
		t.Error("an old answer")
	}
	none := newMemory(0, time.Minute, clock.now)
	_, _, done := none.ask(q(1))
	done(&Answer{})
	if none.size() != 0 || len(none.asked) != 0 {
		t.Error("it was to remember nothing")
	}
}

// TestMemoryIsBounded, whatever is asked.
func TestMemoryIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := newClock()
		most := rapid.IntRange(0, 5).Draw(t, "most")
		m := newMemory(most, 10, clock.now)
		given := map[question]time.Time{}
		for range rapid.IntRange(1, 100).Draw(t, "questions") {
			clock.pass(time.Duration(rapid.IntRange(0, 3).Draw(t, "pass")))
			q := question{file: File{Inode: rapid.Uint64Range(1, 8).Draw(t, "inode")}}
			known, _, done := m.ask(q)
			if known != nil && (known.Inspected != int64(q.file.Inode) || clock.at.Sub(given[q]) >= 10) {
				t.Fatalf("%+v about %+v", known, q)
			}
			if done != nil {
				done(&Answer{Inspected: int64(q.file.Inode)})
				given[q] = clock.at
			}
			if m.size() > most || len(m.known) != m.size() || len(m.asked) != 0 {
				t.Fatalf("%d answers", m.size())
			}
		}
	})
}

// TestSettled: a file that was changed just now may be changed again without a
// trace.
func TestSettled(t *testing.T) {
	now := time.Unix(1_800_000_000, 500_000_000)
	at := func(d time.Duration) int64 { return now.Add(-d).UnixNano() }
	for _, tc := range []struct {
		name string
		file File
		want bool
	}{
		{"long ago", File{Inode: 1, Modified: at(time.Hour), Status: at(time.Hour)}, true},
		{"a tick ago", File{Inode: 1, Modified: at(tick), Status: at(tick)}, true},
		{"just now", File{Inode: 1, Modified: at(time.Hour), Status: at(tick - 1)}, false},
		{"in a time to come", File{Inode: 1, Modified: at(-time.Hour), Status: at(time.Hour)}, false},
		{"whole seconds", File{Inode: 1, Modified: at(1500 * time.Millisecond), Status: at(1500 * time.Millisecond)}, false},
		{"whole seconds, long ago", File{Inode: 1, Modified: at(2500 * time.Millisecond), Status: at(2500 * time.Millisecond)}, true},
		{"nothing tells it from others", File{Modified: at(time.Hour), Status: at(time.Hour)}, false},
	} {
		if got := tc.file.settled(now); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}
