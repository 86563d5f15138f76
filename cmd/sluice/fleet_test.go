package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/policies/store"
	"github.com/sluiceproject/sluice/validator"
)

func TestTheFleetIsDrawn(t *testing.T) {
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	fleet := &validator.Fleet{Newest: 12, Skewed: 2, Members: []validator.FleetMember{
		{Instance: "hst-1", Version: "1.4.0", StoreRevision: 12, Revision: "aa11", Health: "ready", Heard: now.Add(-time.Second)},
		{Instance: "hst-2", Version: "1.3.0", StoreRevision: 9, Behind: 3, Revision: "bb22", PolicyAge: 4000, Health: "degraded", Heard: now.Add(-12 * time.Second), Skewed: true, Trouble: []string{"clamd is down"}},
		{Instance: "hst-3\x1b[2J", Version: "1.4.0", Revision: "cc33", Health: "not ready", Heard: now.Add(time.Hour), Skewed: true, Twin: true},
	}}
	const want = `name            version  revision  behind  policy age  health     heard
hst-1           1.4.0    12 aa11   -       0s          ready      1s ago
hst-2           1.3.0    9 bb22    3       1h          degraded   12s ago
hst-3\u001b[2J  1.4.0    cc33      other   -           not ready  0s ago
the newest revision is 12; 2 of 3 services with other policies than the newest
hst-2: clamd is down
hst-3\u001b[2J: another service has this name: give each its own, with state.instance and journal.instance
`
	var out strings.Builder
	if err := writeFleet(&out, fleet, now, newPainter(&out)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhoHasARevision(t *testing.T) {
	at := func(number uint64, hash string, skewed bool) validator.FleetMember {
		return validator.FleetMember{StoreRevision: number, Revision: hash, Skewed: skewed}
	}
	for _, row := range []struct {
		name    string
		wanted  string
		members []validator.FleetMember
		want    bool
	}{
		{"nobody is there", "newest", nil, false},
		{"all have the newest", "newest", []validator.FleetMember{at(3, "a", false), at(3, "a", false)}, true},
		{"one lacks the newest", "newest", []validator.FleetMember{at(3, "a", false), at(2, "b", true)}, false},
		{"all have the number", "3", []validator.FleetMember{at(3, "a", false), at(3, "a", false)}, true},
		{"one has a newer one", "3", []validator.FleetMember{at(3, "a", true), at(4, "c", false)}, true},
		{"one has an older one", "3", []validator.FleetMember{at(3, "a", false), at(2, "b", true)}, false},
		{"one has a folder", "3", []validator.FleetMember{at(3, "a", false), at(0, "b", false)}, false},
		{"all have the hash", "338E2404709f", []validator.FleetMember{at(3, "338e2404709f", false), at(0, "338e2404709f", false)}, true},
		{"a hash of digits", "338124047099", []validator.FleetMember{at(0, "338124047099", false)}, true},
		{"one has another hash", "338e2404709f", []validator.FleetMember{at(0, "338e2404709f", false), at(0, "cccccccccccc", false)}, false},
		{"no revision at all", "latest", []validator.FleetMember{at(3, "a", false)}, false},
	} {
		if got := everyoneHas(&validator.Fleet{Members: row.members}, row.wanted); got != row.want {
			t.Errorf("%s: %t", row.name, got)
		}
	}
}

func TestShortTimes(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 400 * time.Millisecond: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m", 3 * time.Hour: "3h", 47 * time.Hour: "47h", 50 * time.Hour: "2d",
	} {
		if got := shortTime(d); got != want {
			t.Errorf("%s is written %q, want %q", d, got, want)
		}
	}
}

// TestTheFleetOfAStore by the command, and what its status says.
func TestTheFleetOfAStore(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	expect := func(when string, status int, part string, args ...string) {
		t.Helper()
		got := runs(t, append([]string{"fleet", "--state", dir}, args...)...)
		if got.status != status || !strings.Contains(got.out+got.err, part) {
			t.Errorf("%s: status %d\n%s%s\nwant %d and %q", when, got.status, got.out, got.err, status, part)
		}
	}
	expect("nobody", 0, "no service has reported to the policy store in the last 15 seconds")
	expect("nobody as JSON", 0, `"members": []`, "--json")
	expect("waiting for nobody", 1, "no service has reported", "--wait", "newest", "--timeout", "0s")
	m := store.Member{Instance: "hst-1", Version: "1.4.0", Hash: "aa11", Health: store.Ready}
	if err := s.Report(t.Context(), &m); err != nil {
		t.Fatal(err)
	}
	expect("one", 0, "hst-1  1.4.0    aa11      -       -           ready")
	expect("one", 0, "the policy store has no revision; no skew")
	expect("it has the newest", 0, "hst-1", "--wait", "newest")
	expect("it does not have this one", 1, "after 1ms not every service has the revision 3", "--wait", "3", "--timeout", "1ms")
	expect("no time", 2, "--timeout is a time from 0s", "--timeout=-1s")
}
