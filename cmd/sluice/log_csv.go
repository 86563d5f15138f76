package main

import (
	"bufio"
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/journal"
)

// csvFormat is a table for spreadsheets.
const csvFormat = "csv"

// logColumn is a column of the table.
type logColumn struct {
	name string
	of   func(r *journal.Record, e *journal.Event) string
}

// logColumns returns the columns of the table in order.
func logColumns() []logColumn {
	return []logColumn{
		{"seq", func(r *journal.Record, _ *journal.Event) string { return strconv.FormatUint(r.Sequence, 10) }},
		{"time", func(r *journal.Record, _ *journal.Event) string { return r.Time.UTC().Format(time.RFC3339Nano) }},
		{"id", func(r *journal.Record, _ *journal.Event) string { return r.ID }},
		{"instance", func(r *journal.Record, _ *journal.Event) string { return r.Instance }},
		{"revision", func(r *journal.Record, _ *journal.Event) string { return r.Revision }},
		{"note", func(r *journal.Record, _ *journal.Event) string { return r.Note }},
		{"verdict", func(r *journal.Record, _ *journal.Event) string { return r.Verdict }},
		{"code", func(r *journal.Record, _ *journal.Event) string { return r.Code }},
		{"policy", func(r *journal.Record, _ *journal.Event) string { return r.Policy }},
		{"rule", func(r *journal.Record, _ *journal.Event) string { return r.Rule }},
		{"kind", func(r *journal.Record, _ *journal.Event) string { return r.Kind }},
		{"message", func(r *journal.Record, _ *journal.Event) string { return r.Message }},
		{"phase", func(_ *journal.Record, e *journal.Event) string { return e.Phase }},
		{"direction", func(_ *journal.Record, e *journal.Event) string { return e.Direction }},
		{"user", func(_ *journal.Record, e *journal.Event) string { return e.User }},
		{"client", func(_ *journal.Record, e *journal.Event) string { return e.Client }},
		{"client_ip", func(_ *journal.Record, e *journal.Event) string { return e.ClientIP }},
		{"host", func(_ *journal.Record, e *journal.Event) string { return e.Host }},
		{"session_id", func(_ *journal.Record, e *journal.Event) string { return e.SessionID }},
		{"xfer_id", func(_ *journal.Record, e *journal.Event) string { return e.TransferID }},
		{"file", func(_ *journal.Record, e *journal.Event) string { return e.File }},
		{"size", func(_ *journal.Record, e *journal.Event) string { return decimal(e.Size) }},
		{"file_csum_type", func(_ *journal.Record, e *journal.Event) string { return e.ChecksumType }},
		{"file_csum", func(_ *journal.Record, e *journal.Event) string { return e.Checksum }},
		{"took_us", func(r *journal.Record, _ *journal.Event) string { return strconv.FormatInt(r.TookMicros, 10) }},
	}
}

func decimal(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}

// logCSV writes a table with a header.
type logCSV struct {
	out     *bufio.Writer
	csv     *csv.Writer
	columns []logColumn
	row     []string
}

func (w *logCSV) write(e *journal.Entry) error {
	if err := w.begin(); err != nil {
		return err
	}
	w.fill(&e.Record)
	return w.put()
}

// begin writes the header, once, with columns before the others.
func (w *logCSV) begin(before ...string) error {
	if w.csv != nil {
		return nil
	}
	// Hidden from csv, which would flush it with every row.
	w.csv, w.columns = csv.NewWriter(struct{ io.Writer }{w.out}), logColumns()
	names := slices.Clone(before)
	for _, c := range w.columns {
		names = append(names, c.name)
	}
	w.row = names
	return w.put()
}

// fill makes a row of a record.
func (w *logCSV) fill(r *journal.Record, before ...string) {
	e := recordedEvent(r)
	w.row = w.row[:0]
	for _, text := range before {
		w.row = append(w.row, csvCell(text))
	}
	for _, c := range w.columns {
		w.row = append(w.row, csvCell(c.of(r, e)))
	}
}

func (w *logCSV) put() error {
	if err := w.csv.Write(w.row); err != nil {
		return err
	}
	w.csv.Flush()
	return w.csv.Error()
}

// csvCell makes a text one that no spreadsheet takes for a formula, on one line and
// without what does not print.
func csvCell(text string) string {
	text = rules.Printable(text)
	if text != "" && strings.ContainsRune("=+-@", rune(text[0])) {
		return "'" + text
	}
	return text
}
