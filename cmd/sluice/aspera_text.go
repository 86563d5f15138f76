package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/sluiceproject/sluice/aspera"
	"github.com/sluiceproject/sluice/rules"
)

// asperaChecked is what `sluice aspera check --format json` prints.
type asperaChecked struct {
	File     string             `json:"file"`
	Errors   int                `json:"errors"`
	Warnings int                `json:"warnings"`
	Notes    int                `json:"notes"`
	Findings []aspera.Finding   `json:"findings"`
	More     int                `json:"more_findings,omitempty"`
	Who      []aspera.Effective `json:"effective"`
}

func asperaJSON(name string, r *aspera.Report) asperaChecked {
	findings := r.Findings
	if findings == nil {
		findings = []aspera.Finding{}
	}
	return asperaChecked{
		File: name, Errors: r.Count(aspera.Error), Warnings: r.Count(aspera.Warning), Notes: r.Count(aspera.Note),
		Findings: findings, More: r.More, Who: r.Effective,
	}
}

// mostShown is of how many users the settings are shown.
const mostShown = 20

// writeAspera prints a report for a person: what holds for whom, then what was found.
func writeAspera(w io.Writer, p painter, name string, r *aspera.Report, all bool) error {
	var b strings.Builder
	writeEffective(&b, r.Effective, all)
	for i := range r.Findings {
		writeFinding(&b, p, &r.Findings[i])
	}
	if r.More > 0 {
		fmt.Fprintf(&b, "\nand %d more\n", r.More)
	}
	fmt.Fprintf(&b, "\n%s: %s, %s, %s\n", name, count(r.Count(aspera.Error), "error"), count(r.Count(aspera.Warning), "warning"), count(r.Count(aspera.Note), "note"))
	_, err := io.WriteString(w, b.String())
	return err
}

// writeEffective prints what holds for whom, as columns.
func writeEffective(b *strings.Builder, list []aspera.Effective, all bool) {
	hidden := 0
	if !all && len(list) > mostShown {
		list, hidden = list[:mostShown], len(list)-mostShown
	}
	rows := [][]string{{"for", "start", "threshold", "stop", "threads", "uploads", "downloads", "validation_uri"}}
	for i := range list {
		e := &list[i]
		limit := orDash(e.Threshold)
		if e.ThresholdKB != "" {
			limit += " " + e.ThresholdKB + " KB"
		}
		rows = append(rows, []string{
			e.Who, orDash(e.Start), limit, orDash(e.Stop), cmp.Or(e.Threads, "5"),
			cmp.Or(e.TransfersIn, "allow"), cmp.Or(e.TransfersOut, "allow"), orDash(e.URI),
		})
	}
	const most = 40
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i := range row {
			row[i] = rules.Printable(row[i])
			widths[i] = min(max(widths[i], utf8.RuneCountInString(row[i])), most)
		}
	}
	for _, row := range rows {
		for i, text := range row[:len(row)-1] {
			b.WriteString(text + strings.Repeat(" ", max(widths[i]-utf8.RuneCountInString(text), 0)+2))
		}
		b.WriteString(row[len(row)-1] + "\n")
	}
	if hidden > 0 {
		fmt.Fprintf(b, "and %d more; --all shows them\n", hidden)
	}
}

// writeFinding prints one finding with what to do about it.
func writeFinding(b *strings.Builder, p painter, f *aspera.Finding) {
	looks := map[aspera.Severity]colour{aspera.Error: red, aspera.Warning: yellow, aspera.Note: dim}
	fmt.Fprintf(b, "\n%s:%d:%d: %s: %s (%s)\n", f.File, f.Line, f.Column, p.paint(looks[f.Severity], string(f.Severity)), f.Message, f.Code)
	if len(f.Who) > 0 {
		fmt.Fprintf(b, "  for:  %s\n", whom(f.Who))
	}
	fmt.Fprintf(b, "  then: %s\n", f.Effect)
	for i, line := range f.Mend {
		title := "  mend: "
		if i > 0 {
			title = "        "
		}
		b.WriteString(title + line + "\n")
	}
}

// whom names the first of some people, and how many more there are.
func whom(list []string) string {
	const most = 5
	shown := make([]string, 0, most)
	for _, who := range list[:min(most, len(list))] {
		shown = append(shown, rules.Printable(who))
	}
	text := strings.Join(shown, ", ")
	if more := len(list) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
