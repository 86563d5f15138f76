package rules

import (
	"slices"
	"testing"
)

func TestPhaseNames(t *testing.T) {
	for phase, want := range []string{"unknown", "request", "start", "running", "stop"} {
		p := Phase(phase)
		if p.String() != want {
			t.Errorf("phase %d is %q, want %q", p, p, want)
		}
		back, ok := ParsePhase(want)
		if ok != (p != PhaseUnknown) || back != p {
			t.Errorf("%q is phase %d (%v)", want, back, ok)
		}
	}
	for _, name := range []string{"", "Start", "stop ", "threshold", "unknown"} {
		if p, ok := ParsePhase(name); ok || p != PhaseUnknown {
			t.Errorf("%q is phase %v", name, p)
		}
	}
	if got := Phase(200).String(); got != "unknown" {
		t.Errorf("phase 200 is %q", got)
	}
}

func TestPhaseSets(t *testing.T) {
	for _, row := range []struct {
		set  PhaseSet
		want []Phase
		text string
	}{
		{Phases(), nil, ""},
		{EveryPhase, []Phase{PhaseRequest, PhaseStart, PhaseRunning, PhaseStop}, "request, start, running, stop"},
		{TransferPhases, []Phase{PhaseStart, PhaseRunning, PhaseStop}, "start, running, stop"},
		{OnlyStop, []Phase{PhaseStop}, "stop"},
		{Phases(PhaseStop, PhaseRequest), []Phase{PhaseRequest, PhaseStop}, "request, stop"},
	} {
		if row.set != Phases(row.want...) || row.set.String() != row.text {
			t.Errorf("the set %b of %q is not that of %v", row.set, row.set, row.want)
		}
		var parsed PhaseSet
		for _, name := range row.set.Names() {
			p, ok := ParsePhase(name)
			if !ok {
				t.Errorf("the set %s has the phase %q", row.set, name)
			}
			parsed |= Phases(p)
		}
		if parsed != row.set {
			t.Errorf("the names of %s make %s", row.set, parsed)
		}
		for p := range Phase(255) {
			if row.set.Has(p) != slices.Contains(row.want, p) {
				t.Errorf("%s has %s: %v", row.set, p, row.set.Has(p))
			}
		}
	}
}

func TestDirectionNames(t *testing.T) {
	for direction, want := range map[Direction]string{DirectionUnknown: "unknown", Upload: "upload", Download: "download", 9: "unknown"} {
		if got := direction.String(); got != want {
			t.Errorf("direction %d is %q, want %q", direction, got, want)
		}
	}
}

func TestModeNames(t *testing.T) {
	for _, m := range []Mode{Enforce, Shadow, Off} {
		if back, ok := ParseMode(m.String()); !ok || back != m {
			t.Errorf("%s is read as %s (%v)", m, back, ok)
		}
	}
	for _, name := range []string{"", "Enforce", "on", "shadow "} {
		if m, ok := ParseMode(name); ok || m != Enforce {
			t.Errorf("%q is the mode %s", name, m)
		}
	}
}

func TestCostNames(t *testing.T) {
	want := []string{"metadata", "store", "head", "file"}
	for c := range CostCount {
		if c.String() != want[c] {
			t.Errorf("cost %d is %q", c, c)
		}
	}
}

func TestOutcomeNames(t *testing.T) {
	want := []string{"passed", "refused", "would_refuse", "refused_on_error", "would_refuse_on_error", "accepted_on_error"}
	for i, o := range []Outcome{Passed, Refused, WouldRefuse, RefusedOnError, WouldRefuseOnError, AcceptedOnError} {
		if o.String() != want[i] || int(o) != i {
			t.Errorf("outcome %d is %q, want %q", o, o, want[i])
		}
	}
}
