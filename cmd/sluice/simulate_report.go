package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/sluiceproject/sluice/rules"
)

// simVerdict is what came of an event, or of a file.
type simVerdict uint8

const (
	simUnsent   simVerdict = iota // The session ended, or the run, before it was done.
	simAccepted                   // Every event was accepted.
	simRefused                    // The service refused.
	simFailed                     // No verdict came, or the file cannot be read or named.
	simSkipped                    // It is not a file.
)

// word returns the verdict as a line of text begins, and as JSON says it.
func (v simVerdict) word() (text, member string) {
	switch v {
	case simAccepted:
		return "ok", "ok"
	case simRefused:
		return "REFUSED", "refused"
	case simFailed:
		return "ERROR", "error"
	case simSkipped:
		return "skipped", "skipped"
	default:
		return "unsent", "unsent"
	}
}

// simResult is what came of a file.
type simResult struct {
	session string
	file    string // The path on the server; not UTF-8 if the verdict says so.
	verdict simVerdict
	phase   rules.Phase // That of the event which decided, PhaseUnknown if none did.
	code    string
	text    string // The message of a refusal, otherwise why. An unsent file without it is only counted.
	bytes   int64  // The size of an accepted file.
}

// simReport writes the lines and keeps the totals. Its methods may be called at
// the same time; memory does not grow with the number of files.
type simReport struct {
	json, quiet bool
	began       time.Time
	abort       func() // Ends the run, when nobody can read the output.

	mu      sync.Mutex
	out     io.Writer
	bar     *progressbar.ProgressBar // Nil without a terminal.
	total   simTotal
	latency simLatency
	heard   bool  // The service answered at least once.
	silence error // Why it did not, the first time.
	err     error // Of writing, the first.
}

func newSimReport(std *stdio, asJSON, quiet bool, abort context.CancelFunc) *simReport {
	return &simReport{json: asJSON, quiet: quiet, began: time.Now(), abort: abort, out: std.out, bar: newSimBar(std, quiet)}
}

// newSimBar returns a bar if stderr is a terminal. How many files there are is
// not known, so it only counts.
func newSimBar(std *stdio, quiet bool) *progressbar.ProgressBar {
	if !isSimTerminal(std.err) {
		return nil
	}
	throttle := 100 * time.Millisecond
	if isSimTerminal(std.out) && !quiet {
		throttle = 0 // Each line removes the bar, so each must draw it again.
	}
	return progressbar.NewOptions64(-1,
		progressbar.OptionSetWriter(std.err),
		progressbar.OptionSetDescription("files"),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("files"),
		progressbar.OptionThrottle(throttle),
		progressbar.OptionSetSpinnerChangeInterval(0)) // Drawn by add alone, never by a goroutine.
}

func isSimTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// found counts a file that the walk found.
func (r *simReport) found() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total.Files++
}

// heardOf counts an event and its answer.
func (r *simReport) heardOf(a simAnswer) {
	if a.verdict == simUnsent {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total.Events++
	switch {
	case a.heard:
		r.heard = true
		r.latency.observe(a.took)
	case r.silence == nil:
		r.silence = errors.New(rules.Printable(a.text))
	}
}

// add counts what came of a file, or of what the walk found instead of one, and
// writes its line.
func (r *simReport) add(result simResult) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total.count(result)
	bad := result.verdict == simRefused || result.verdict == simFailed
	silent := result.verdict == simUnsent && result.text == ""
	if !silent && (bad || !r.quiet) {
		r.clear()
		r.write(r.line(result))
	}
	if r.bar != nil && result.verdict != simSkipped {
		_ = r.bar.Add(1) // A bar that cannot be drawn is no fault of the run.
	}
}

func (r *simReport) clear() {
	if r.bar != nil {
		_ = r.bar.Clear() // See add.
	}
}

func (r *simReport) write(line []byte) {
	if r.err != nil {
		return
	}
	if _, r.err = r.out.Write(line); r.err != nil {
		r.abort()
	}
}

// simLine is a file's line as JSON.
type simLine struct {
	File    string `json:"file"`
	Verdict string `json:"verdict"`
	Phase   string `json:"phase,omitempty"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	Cause   string `json:"cause,omitempty"`
	Session string `json:"session_id,omitempty"`
}

// line returns what a result looks like. Whatever is in a name or a message, it
// is one line that a terminal shows as it stands.
func (r *simReport) line(s simResult) []byte {
	text, member := s.verdict.word()
	phase := ""
	if s.phase != rules.PhaseUnknown {
		phase = s.phase.String()
	}
	if !r.json {
		line := fmt.Appendf(nil, "%-7s %s", text, rules.Printable(s.file))
		for _, column := range []string{phase, s.code, rules.Shorten(s.text, rules.MaxMessage)} {
			if column != "" {
				line = append(line, "  "+rules.Printable(column)...)
			}
		}
		return append(line, '\n')
	}
	l := simLine{File: simText(s.file), Verdict: member, Phase: phase, Code: s.code, Cause: simText(s.text), Session: s.session}
	if s.verdict == simRefused {
		l.Message, l.Cause = l.Cause, ""
	}
	return simJSON(&l)
}

// simText returns a text that JSON can hold.
func simText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return rules.Printable(s)
}

// simJSON returns a line of JSON in which everything that a terminal could
// obey is an escape.
func simJSON(value any) []byte {
	plain, _ := json.Marshal(value) // Structs of numbers and UTF-8 always can be.
	line := make([]byte, 0, len(plain)+1)
	for _, c := range string(plain) {
		if unicode.IsPrint(c) {
			line = utf8.AppendRune(line, c)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, c) {
			line = fmt.Appendf(line, `\u%04x`, unit)
		}
	}
	return append(line, '\n')
}
