package main

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

// replayTotal is a line of the totals.
type replayTotal struct {
	// Class is the change's name; empty for what is no change.
	Class, Words, Meaning string
	Count                 int64
	Share                 string
}

// replayTotals returns the totals, those that are nothing left out if they need
// not be known.
func replayTotals(r *policies.ReplayReport) []replayTotal {
	share := func(n int64) string {
		if r.Decisions == 0 {
			return ""
		}
		return strconv.FormatFloat(float64(n)*100/float64(r.Decisions), 'f', 2, 64) + "%"
	}
	totals := []replayTotal{{Words: "unchanged", Count: r.Unchanged, Share: share(r.Unchanged), Meaning: "the same answer for the same reason"}}
	for _, c := range plottedChanges() {
		n := r.Changes.Of(c)
		total := replayTotal{Class: c.String(), Words: changeWords(c), Meaning: changeMeaning(c), Count: n, Share: share(n)}
		if c == policies.NewlyRefused && r.RefusedUnknown > 0 {
			total.Meaning += "; by which rule is not known of " + counted(r.RefusedUnknown)
		}
		totals = append(totals, total)
	}
	for _, other := range []replayTotal{
		{Words: "not replayed", Count: r.Unasked, Meaning: "refused before any rule was asked"},
		{Words: "unreadable", Count: r.Unreadable, Meaning: "places of the log that cannot be read"},
		{Words: "lost", Count: r.Lost, Meaning: "decisions that the log lacks, as it says itself"},
	} {
		if other.Count > 0 {
			totals = append(totals, other)
		}
	}
	return totals
}

// changeWords names a change for a person.
func changeWords(c policies.Change) string { return changeHeading(c.String()) }

// changeHeading names a change by its name in JSON.
func changeHeading(name string) string { return strings.ReplaceAll(name, "_", " ") }

func changeMeaning(c policies.Change) string {
	switch c {
	case policies.NewlyRefused:
		return "accepted then, refused now"
	case policies.NewlyAccepted:
		return "refused then, accepted now"
	case policies.OtherReason:
		return "refused as before, by another rule or with another code"
	case policies.ReasonUnknown:
		return "refused as before for certain, by which rule cannot be told"
	case policies.Undecidable:
		return "what was recorded does not tell"
	default:
		return ""
	}
}

// counted writes a number with commas.
func counted(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// noun is what is counted.
func noun(n int64) string {
	if n == 1 {
		return "decision"
	}
	return "decisions"
}

// verdictText tells an answer.
func verdictText(v *policies.ReplayVerdict) string {
	if v.Verdict == "accept" {
		return "accepted"
	}
	text := "refused"
	switch {
	case v.Rule != "":
		text += " by " + v.Policy + "/" + v.Rule
	case v.Policy != "":
		text += " by " + v.Policy
	}
	if v.Code != "" {
		text += " (" + v.Code + ")"
	}
	return text
}

// replayTextRows is how many names of each sort the text has.
const replayTextRows = 10

// writeReplayText prints a report for a person.
func writeReplayText(w io.Writer, r *policies.ReplayReport) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s", counted(r.Decisions), noun(r.Decisions))
	if r.Decisions > 0 {
		fmt.Fprintf(&b, " from %s to %s", r.First.UTC().Format(time.RFC3339), r.Last.UTC().Format(time.RFC3339))
	}
	fmt.Fprintf(&b, ", revision %s\n\n", r.Revision)
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, t := range replayTotals(r) {
		fmt.Fprintf(table, "%s\t%s\t%s\t  %s\n", t.Words, counted(t.Count), t.Share, t.Meaning)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, sort := range []struct {
		name   string
		groups []policies.ReplayGroup
		most   int
	}{
		{"rule", r.Rules, replayTextRows}, {"user", r.Users, replayTextRows}, {"client", r.Clients, replayTextRows}, {"day", r.Days, 31},
	} {
		if err := writeReplayGroups(&b, sort.name, sort.groups, sort.most); err != nil {
			return err
		}
	}
	if len(r.Undecidable) > 0 {
		fmt.Fprint(&b, "\ncannot be told, because\n")
	}
	for i := range r.Undecidable[:min(len(r.Undecidable), replayTextRows)] {
		fmt.Fprintf(&b, "  %s  %s\n", counted(r.Undecidable[i].Sum()), rules.Printable(r.Undecidable[i].Name))
	}
	writeReplayExamples(&b, r.Examples)
	_, err := b.WriteTo(w)
	return err
}

// writeReplayGroups prints the changes by one sort of names, those with the most.
// Of days the last are printed.
func writeReplayGroups(b *bytes.Buffer, name string, groups []policies.ReplayGroup, most int) error {
	if len(groups) == 0 {
		return nil
	}
	shown := groups[:min(len(groups), most)]
	if name == "day" {
		shown = groups[len(groups)-len(shown):]
	}
	b.WriteByte('\n')
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "newly refused\tnewly accepted\tother reason\treason unknown\tundecidable\t  by %s\n", name)
	for i := range shown {
		g := &shown[i]
		label := rules.Printable(g.Name)
		if label == "" {
			label = "(none)"
		}
		if g.Uncounted > 0 {
			label += fmt.Sprintf(" (up to %s more)", counted(g.Uncounted))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t  %s\n", counted(g.NewlyRefused), counted(g.NewlyAccepted), counted(g.OtherReason), counted(g.ReasonUnknown), counted(g.Undecidable), label)
	}
	if left := len(groups) - len(shown); left > 0 {
		fmt.Fprintf(table, "\t\t\t\t\t  and %d more\n", left)
	}
	return table.Flush()
}

// writeReplayExamples prints examples, three lines each.
func writeReplayExamples(b *bytes.Buffer, examples []policies.ReplayExample) {
	if len(examples) > 0 {
		fmt.Fprint(b, "\nexamples\n")
	}
	for i := range examples {
		x := &examples[i]
		about := []string{x.Time.Format(time.RFC3339), x.Phase}
		for _, part := range []string{x.User, x.Client, x.File} {
			if part != "" {
				about = append(about, rules.Printable(part))
			}
		}
		if x.Size != nil {
			about = append(about, "("+rules.FormatSize(*x.Size)+")")
		}
		is := "cannot be told"
		if x.Is != nil {
			is = verdictText(x.Is)
		}
		if x.Why != "" {
			is += ": " + x.Why
		} else if x.Is != nil && x.Is.Message != "" {
			is += ": " + x.Is.Message
		}
		fmt.Fprintf(b, "  %s: %s\n    %s\n    was %s, now %s\n", changeHeading(x.Change), rules.Printable(x.ID), strings.Join(about, " "),
			rules.Printable(verdictText(&x.Was)), rules.Printable(is))
	}
}
