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
		text := fmt.Sprintf("%s %s in %s", rules.Printable(s.Scanner), found, rules.FormatSizeBeside(s.Inspected, s.Total))
		if s.Total > s.Inspected {
			text += " of " + rules.FormatSize(s.Total)
		}
		if engine := strings.TrimSpace(s.Engine + " " + s.Signatures); engine != "" {
			text += p.paint(dim, " ("+rules.Printable(engine)+")")
		}
		b.notes = append(b.notes, text)
	}
	if facts.Archive != nil {
		b.notes = append(b.notes, archiveNotes(facts.Archive)...)
	}
	return b
}

// archiveNotes tells what taking the file apart found.
func archiveNotes(a *rules.ArchiveFact) (notes []string) {
	format := rules.Printable(a.Format)
	switch {
	case a.Format == "none":
		notes = append(notes, "is no archive")
	case a.Depth == 0:
		notes = append(notes, "is an archive of the format "+format+", and was not taken apart")
	default:
		least := "" // Of a walk that ended before.
		if !a.Whole {
			least = "at least "
		}
		text := fmt.Sprintf("unpacks as %s to %s%s in %s, %d deep", format, least, rules.FormatSize(a.Unpacked), count(a.Entries, "entry", "entries"), a.Depth)
		if a.Ratio > 0 {
			text += fmt.Sprintf(", up to %d times as large", a.Ratio)
		}
		notes = append(notes, text)
	}
	if a.Fault != "" {
		text := "was walked no further: " + rules.Printable(strings.ReplaceAll(a.Fault, "_", " "))
		if a.Name != "" {
			text += ", " + rules.Printable(a.Within+a.Name)
		}
		notes = append(notes, text)
	}
	if a.Encrypted && a.Fault != "encrypted" {
		notes = append(notes, "has encrypted files in it")
	}
	if a.Links == "unsafe" && a.Fault != "link" {
		notes = append(notes, "has links in it that lead elsewhere, or devices")
	}
	if a.Gap != "" {
		notes = append(notes, "could not all be looked at: "+rules.Printable(strings.ReplaceAll(a.Gap, "_", " ")))
	}
	return notes
}
