package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/journal"
)

// maxHuntKept is how many transfers are kept to be told by indicator. Beyond, they
// are counted only; the other formats tell all as they come.
const maxHuntKept = 100_000

// huntReport tells what was found. Text is by indicator and so comes at the end, the
// other formats a line a transfer and indicator.
type huntReport struct {
	out        *bufio.Writer
	painter    painter
	format     string
	indicators []journal.Indicator
	limit      int

	table  logCSV
	counts map[int32]int
	kept   map[int32][]journal.Record
	all    int // records kept
	found  int // records in which something was found
}

func newHuntReport(out *bufio.Writer, p painter, format string, h *journal.Indicators, limit int) *huntReport {
	return &huntReport{
		out: out, painter: p, format: format, indicators: h.All(), limit: limit,
		table: logCSV{out: out}, counts: map[int32]int{}, kept: map[int32][]journal.Record{},
	}
}

// add takes in a record that has indicators.
func (r *huntReport) add(e *journal.Entry, has []int32) error {
	r.found++
	for _, n := range has {
		if r.counts[n]++; r.limit > 0 && r.counts[n] > r.limit {
			continue
		}
		if err := r.tell(e, n); err != nil {
			return err
		}
	}
	return nil
}

func (r *huntReport) tell(e *journal.Entry, n int32) error {
	i := r.indicators[n]
	switch r.format {
	case jsonFormat:
		return r.tellJSON(e, i)
	case csvFormat:
		if err := r.table.begin("indicator", "indicator_kind", "indicator_line"); err != nil {
			return err
		}
		r.table.fill(&e.Record, i.Text, i.Kind, fmt.Sprint(i.Line))
		return r.table.put()
	}
	if r.all < maxHuntKept {
		r.all++
		r.kept[n] = append(r.kept[n], lineOf(&e.Record))
	}
	return nil
}

// lineOf returns what a line of text shows of a record: the rest can be large, and
// many are kept.
func lineOf(r *journal.Record) journal.Record {
	e, most := recordedEvent(r), func(text string) string { return rules.Shorten(text, 1024) }
	return journal.Record{
		Time: r.Time, ID: most(r.ID), Verdict: most(r.Verdict), Code: most(r.Code), Policy: most(r.Policy), Rule: most(r.Rule), Reason: most(r.Reason),
		Event: &journal.Event{Phase: most(e.Phase), Session: e.Session, User: most(e.User), ClientIP: most(e.ClientIP), File: most(e.File), Below: e.Below, Size: e.Size},
	}
}

// huntFound is a line of `--format json`.
type huntFound struct {
	Indicator string    `json:"indicator"`
	Kind      string    `json:"kind"`
	Line      int       `json:"line"`
	Time      time.Time `json:"time"`
	ID        string    `json:"id"`
	Verdict   string    `json:"verdict"`
	Phase     string    `json:"phase"`
	User      string    `json:"user,omitempty"`
	ClientIP  string    `json:"client_ip,omitempty"`
	File      string    `json:"file,omitempty"`
	Size      *int64    `json:"size,omitempty"`
	SessionID string    `json:"session_id,omitempty"`
	Transfer  string    `json:"xfer_id,omitempty"`
}

func (r *huntReport) tellJSON(e *journal.Entry, i journal.Indicator) error {
	v := recordedEvent(&e.Record)
	text, err := json.Marshal(huntFound{
		Indicator: i.Text, Kind: i.Kind, Line: i.Line, Time: e.Time, ID: e.ID, Verdict: e.Verdict, Phase: v.Phase,
		User: v.User, ClientIP: v.ClientIP, File: v.File, Size: v.Size, SessionID: v.SessionID, Transfer: v.TransferID,
	})
	if err != nil {
		return err
	}
	_, err = r.out.Write(append(text, '\n'))
	return err
}

// end tells what is told at the end.
func (r *huntReport) end() error {
	if r.format == csvFormat {
		return r.table.begin("indicator", "indicator_kind", "indicator_line")
	}
	if r.format == jsonFormat {
		return nil
	}
	p := r.painter
	lines := logText{out: r.out, painter: p}
	for n := range r.indicators {
		i, found := &r.indicators[n], r.counts[int32(n)]
		if found == 0 {
			continue
		}
		fmt.Fprintf(r.out, "%s %s (line %d): %s\n", i.Kind, p.paint(bold, rules.Printable(i.Text)), i.Line, p.paint(red, count(found, "event")))
		for j := range r.kept[int32(n)] {
			if err := lines.line(&r.kept[int32(n)][j]); err != nil {
				return err
			}
		}
		if left := found - len(r.kept[int32(n)]); left > 0 {
			fmt.Fprintf(r.out, "%s\n", p.paint(dim, fmt.Sprintf("and %d more", left)))
		}
		fmt.Fprintln(r.out)
	}
	if r.found == 0 {
		fmt.Fprintf(r.out, "none of %s was found\n", count(len(r.indicators), "indicator"))
		return nil
	}
	_, err := fmt.Fprintf(r.out, "%d of %s found, in %s\n", len(r.counts), count(len(r.indicators), "indicator"), count(r.found, "event"))
	return err
}
