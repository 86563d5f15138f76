package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/journal"
)

// logSearchCmd is `sluice log search`.
type logSearchCmd struct {
	logSource `embed:""`
	logFilter `embed:""`

	Format string `help:"text, json (the lines as they are), or csv (${default})." enum:"text,json,csv" default:"text"`
	Limit  int    `help:"Stop after so many; 0 is no limit (${default})." default:"0" placeholder:"N"`
}

// Help returns the long text of --help.
func (logSearchCmd) Help() string {
	return `Shows the decisions that the filters want, the oldest first, a line each. A file
of the log whose index says that it has none is passed over.

  sluice log search --dir /var/lib/sluice/log --since 2h --verdict reject
  sluice log search --config sluice.yaml --user 'partner-*' --file '**/*.exe'
  sluice log search --dir log/ --where 'record.steps.exists(s, s.outcome == "would_refuse")'

` + filterHelp + `

Status: 0 something was found, 1 nothing was, 2 not all of the log could be read.`
}

// Run searches the log.
func (c *logSearchCmd) Run(ctx context.Context, std *stdio) error {
	return searchLog(ctx, std, &c.logSource, &c.logFilter, c.Format, c.Limit)
}

// logExportCmd is `sluice log export`.
type logExportCmd struct {
	logSource `embed:""`
	logFilter `embed:""`

	Format string `help:"csv, or json (the lines as they are) (${default})." enum:"csv,json" default:"csv"`
}

// Help returns the long text of --help.
func (logExportCmd) Help() string {
	return `Writes the decisions that the filters want, all by default, to standard output.
In CSV the first row has the names of the columns, and a cell that a spreadsheet
would take for a formula, because it begins with =, +, - or @, begins with an
apostrophe.

  sluice log export --dir /var/lib/sluice/log --since 2026-03-01 --until 2026-04-01 > march.csv

` + filterHelp + `

Status: 0 something was written, 1 nothing was, 2 not all of the log could be read.`
}

// Run exports the log.
func (c *logExportCmd) Run(ctx context.Context, std *stdio) error {
	return searchLog(ctx, std, &c.logSource, &c.logFilter, c.Format, 0)
}

// searchLog writes what a filter finds.
func searchLog(ctx context.Context, std *stdio, source *logSource, filter *logFilter, format string, limit int) error {
	if limit < 0 {
		return errors.New("--limit is a number from 0")
	}
	path, err := source.path()
	if err != nil {
		return mistakes(std, err, 2)
	}
	q, err := filter.query(time.Now())
	if err != nil {
		return err
	}
	search, err := compileQuery(q)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(std.out, 64<<10)
	to, trouble, found := withInstances(path, newLogWriter(out, newPainter(std.out), format)), logTrouble{std: std}, 0
	if table, ok := to.(*logCSV); ok {
		if err := table.begin(); err != nil {
			return err
		}
	}
	for e, err := range source.read(ctx, search, path, std.in) {
		if err != nil {
			if err = trouble.add(err); err == nil {
				continue
			}
			return errors.Join(err, out.Flush())
		}
		if err := to.write(e); err != nil {
			return err
		}
		if found++; found == limit {
			break
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return trouble.status(search, found > 0)
}

// logTailCmd is `sluice log tail`.
type logTailCmd struct {
	logSource `embed:""`
	logFilter `embed:""`

	Follow bool   `short:"f" help:"Go on with what is recorded from now on, until interrupted."`
	Lines  int    `short:"n" help:"How many of those that are there, 0 to 100000 (${default})." default:"10" placeholder:"N"`
	Format string `help:"text, json (the lines as they are), or csv (${default})." enum:"text,json,csv" default:"text"`
}

// Help returns the long text of --help.
func (logTailCmd) Help() string {
	return `Shows the last decisions that the filters want, and with -f those that follow,
through every rotation of the log.

  sluice log tail -f --dir /var/lib/sluice/log --verdict reject

` + filterHelp + `

Status: 0 something was found, or -f was given; 1 nothing was; 2 not all of the
log could be read.`
}

// tailPause is how long a tail waits before it looks for more.
const tailPause = 200 * time.Millisecond

// Run shows the end of the log.
func (c *logTailCmd) Run(ctx context.Context, std *stdio) error {
	path, err := c.path()
	if err != nil {
		return mistakes(std, err, 2)
	}
	if path == "-" {
		return errors.New("the end of standard input comes by itself: use sluice log search, and tail")
	}
	if info, err := os.Stat(path); err == nil && !info.IsDir() && path != storedLog {
		return fmt.Errorf("%s is one file of a log, whose end is found by its folder: use sluice log search, and tail", rules.Printable(path))
	}
	if c.Lines < 0 || c.Lines > 100_000 {
		return errors.New("-n is a number from 0 to 100000")
	}
	q, err := c.query(time.Now())
	if err != nil {
		return err
	}
	q.Notes = true // Unless something is asked that they do not have.
	search, err := compileQuery(q)
	if err != nil {
		return err
	}
	t := tailing{out: bufio.NewWriter(std.out), trouble: logTrouble{std: std}}
	t.to = withInstances(path, newLogWriter(t.out, newPainter(std.out), c.Format))
	if path == storedLog {
		return c.tailStored(ctx, search, &t)
	}
	last, after, broken, err := search.Tail(ctx, path, c.Lines)
	if err != nil {
		return err
	}
	for _, err := range eachError(broken) {
		if err := t.take(nil, err); err != nil {
			return err
		}
	}
	for _, e := range last {
		if err := t.take(e, nil); err != nil {
			return err
		}
	}
	if !c.Follow {
		return t.trouble.status(search, len(last) > 0)
	}
	return t.follow(ctx, search, path, after)
}

// tailing writes the end of a log.
type tailing struct {
	out     *bufio.Writer
	to      logWriter
	trouble logTrouble
}

// take writes an entry, or tells an error.
func (t *tailing) take(e *journal.Entry, err error) error {
	if err != nil {
		return t.trouble.add(err)
	}
	if e == nil {
		return nil
	}
	if err := t.to.write(e); err != nil {
		return err
	}
	return t.out.Flush()
}

func (t *tailing) follow(ctx context.Context, search *journal.Search, path string, after uint64) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	tick := time.NewTicker(tailPause)
	defer tick.Stop()
	for e, err := range search.Follow(ctx, path, after, tick.C) {
		if err := t.take(e, err); err != nil {
			return err
		}
	}
	return nil
}
