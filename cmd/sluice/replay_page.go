package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

//go:embed replay_page.html
var replayPageText string

// writeReplayPage writes the page into a file, whole or not at all.
func writeReplayPage(name string, r *policies.ReplayReport, candidate string) error {
	var page bytes.Buffer
	if err := replayPage(&page, r, candidate); err != nil {
		return err
	}
	unfinished, err := os.CreateTemp(filepath.Dir(name), ".replay-*.html")
	if err != nil {
		return fmt.Errorf("the page: %w", err)
	}
	_, err = page.WriteTo(unfinished)
	err = errors.Join(err, unfinished.Chmod(0o644), unfinished.Close())
	if err == nil {
		err = os.Rename(unfinished.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("the page: %w", errors.Join(err, os.Remove(unfinished.Name())))
	}
	return nil
}

// replayPageData is what the page shows.
type replayPageData struct {
	*policies.ReplayReport
	Candidate string
	Totals    []replayTotal
	Tables    []replayTable
	Days      *dayPlot
	ByRule    []rulePlot
}

// replayTable is the changes of one sort of names.
type replayTable struct {
	Title, Name string
	Groups      []policies.ReplayGroup
	More        int
}

// replayRows is how many rows a table of the page has at most.
const replayRows = 50

// replayPage writes the report as a page that loads nothing.
func replayPage(w io.Writer, r *policies.ReplayReport, candidate string) error {
	page, err := template.New("replay").Funcs(template.FuncMap{
		"counted": counted, "noun": noun, "printable": rules.Printable, "heading": changeHeading,
		"moment": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
		"size":   func(n *int64) string { return rules.FormatSize(*n) },
		"verdict": func(v *policies.ReplayVerdict) string {
			if v == nil {
				return "cannot be told"
			}
			return verdictText(v)
		},
	}).Parse(replayPageText)
	if err != nil {
		return fmt.Errorf("the page: %w", err)
	}
	data := replayPageData{
		ReplayReport: r, Candidate: candidate, Totals: replayTotals(r), Days: plotDays(r.Days), ByRule: plotRules(r.Rules),
	}
	for _, t := range []replayTable{
		{Title: "By rule", Name: "Rule", Groups: r.Rules},
		{Title: "By policy", Name: "Policy", Groups: r.Policies},
		{Title: "By user", Name: "User", Groups: r.Users},
		{Title: "By client", Name: "Client", Groups: r.Clients},
		{Title: "By day", Name: "Day", Groups: r.Days},
	} {
		if t.Name != "Day" && len(t.Groups) > replayRows {
			t.More, t.Groups = len(t.Groups)-replayRows, t.Groups[:replayRows]
		}
		if len(t.Groups) > 0 {
			data.Tables = append(data.Tables, t)
		}
	}
	return page.Execute(w, data)
}
