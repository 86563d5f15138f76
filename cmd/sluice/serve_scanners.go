package main

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluiceproject/sluice/rules/scan"
)

// stats returns the numbers of the scanners, by name.
func (set scannerSet) stats() map[string]scan.Stats {
	all := make(map[string]scan.Stats, len(set))
	for name, pool := range set {
		all[name] = pool.Stats()
	}
	return all
}

// degraded tells which scanners do not work, a line each.
func (set scannerSet) degraded() (lines []string) {
	stats := set.stats()
	for _, name := range slices.Sorted(maps.Keys(stats)) {
		if stats[name].Resting {
			lines = append(lines, fmt.Sprintf("the scanner %s is down: rules that want it cannot tell, and their on_error decides", name))
		} else if built := stats[name].Status.Built; !built.IsZero() && time.Since(built) > staleSignatures {
			lines = append(lines, fmt.Sprintf("the signatures of the scanner %s are of %s", name, built.UTC().Format(time.DateOnly)))
		}
	}
	return lines
}

// staleSignatures is the age from which signatures are called old: those of
// ClamAV are made every day.
const staleSignatures = 7 * 24 * time.Hour
