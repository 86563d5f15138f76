package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/journal"
)

// logWriter writes records in one of the formats.
type logWriter interface {
	write(e *journal.Entry) error
}

// newLogWriter returns a writer of a format.
func newLogWriter(out *bufio.Writer, p painter, format string) logWriter {
	switch format {
	case jsonFormat:
		return logJSON{out}
	case csvFormat:
		return &logCSV{out: out}
	default:
		return &logText{out: out, painter: p}
	}
}

// logJSON writes the lines as they are.
type logJSON struct{ out *bufio.Writer }

func (w logJSON) write(e *journal.Entry) error {
	_, err := w.out.Write(append(e.Text, '\n'))
	return err
}

// logText writes a line a record, in columns that widen as they must.
type logText struct {
	out     io.Writer
	painter painter
	widths  [4]int
}

// shownTime is how times are shown.
const shownTime = "2006-01-02 15:04:05.000Z"

func (w *logText) write(e *journal.Entry) error {
	return w.line(&e.Record)
}

func (w *logText) line(r *journal.Record) error {
	printable(r)
	p := w.painter
	when := p.paint(dim, r.Time.UTC().Format(shownTime))
	if r.Note != "" {
		text := r.Note
		if r.Message != "" {
			text += ": " + r.Message
		}
		if r.Count > 0 && r.Note != journal.NoteRepaired {
			text = fmt.Sprintf("%s (%d)", text, r.Count)
		}
		_, err := fmt.Fprintf(w.out, "%s  %s\n", when, p.paint(noteColour(r.Note), "· "+text))
		return err
	}
	verdict := p.paint(green, "✓ accepted")
	if r.Verdict == journal.Reject {
		verdict = p.paint(red, "✗ refused ")
	}
	e := recordedEvent(r)
	line := []string{when, verdict}
	for i, column := range []string{e.Phase, orDash(e.User), orDash(e.ClientIP), refusedBy(r)} {
		line = append(line, w.pad(i, column))
	}
	_, err := fmt.Fprintf(w.out, "%s  %s  %s\n", strings.Join(line, "  "), fileOf(e), p.paint(dim, r.ID))
	return err
}

// pad fills a column up to its width so far, as long as that is not too much.
func (w *logText) pad(i int, text string) string {
	const most = 40
	n := utf8.RuneCountInString(text)
	w.widths[i] = max(w.widths[i], min(n, most))
	return text + strings.Repeat(" ", max(w.widths[i]-n, 0))
}

func noteColour(note string) colour {
	if note == journal.NoteOpened || note == journal.NoteClosed {
		return dim
	}
	return yellow
}

// recordedEvent returns a record's event, an empty one where it has none.
func recordedEvent(r *journal.Record) *journal.Event {
	if r.Event == nil {
		return &journal.Event{}
	}
	return r.Event
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// refusedBy tells the code and the rule of a refusal.
func refusedBy(r *journal.Record) string {
	switch {
	case r.Verdict != journal.Reject:
		return "-"
	case r.Rule != "":
		return r.Code + " " + r.Policy + "/" + r.Rule
	case r.Policy != "":
		return r.Code + " " + r.Policy
	case r.Reason != "":
		return r.Code + " " + r.Reason
	default:
		return r.Code
	}
}

// fileOf tells the file of an event and its size.
func fileOf(e *journal.Event) string {
	text := e.File
	switch {
	case e.Session:
		return "(session)"
	case text == "":
		text = "(no path)"
	case e.Below:
		text += " and below"
	}
	if e.Size != nil {
		text += " (" + rules.FormatSize(*e.Size) + ")"
	}
	return text
}

// micros is a time in microseconds.
func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
