package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/journal"
)

// factBranch tells what looking into the file found; nil where nobody looked.
func factBranch(r *journal.Record, p painter) *branch {
	if len(r.Facts) == 0 {
		return nil
	}
	b := &branch{text: p.paint(bold, "the file")}
	var facts rules.Facts
	if json.Unmarshal(r.Facts, &facts) != nil {
		b.notes = append(b.notes, "what was found in it cannot be read")
		return b
	}
	if len(facts.Types) > 0 {
		b.notes = append(b.notes, "is of the type "+rules.Printable(strings.Join(facts.Types, ", ")))
	}
	for _, algorithm := range slices.Sorted(maps.Keys(facts.Digests)) {
		b.notes = append(b.notes, rules.Printable(algorithm+" "+facts.Digests[algorithm]))
	}
	for _, s := range facts.Scans {
		found := "found nothing"
		if s.Found != "" {
			found = p.paint(red, "found "+rules.Printable(s.Found))
		}
		text := fmt.Sprintf("%s %s in %s", rules.Printable(s.Scanner), found, rules.FormatSize(s.Inspected))
		if s.Total > s.Inspected {
			text += " of " + rules.FormatSize(s.Total)
		}
		if engine := strings.TrimSpace(s.Engine + " " + s.Signatures); engine != "" {
			text += p.paint(dim, " ("+rules.Printable(engine)+")")
		}
		b.notes = append(b.notes, text)
	}
	if a := facts.Archive; a != nil {
		text := fmt.Sprintf("unpacks as %s to %s in %s, %d deep", rules.Printable(a.Format), rules.FormatSize(a.Unpacked), count(a.Entries, "entry", "entries"), a.Depth)
		if !a.Whole {
			text += ", at least"
		}
		b.notes = append(b.notes, text)
	}
	return b
}
