package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/journal"
)

// huntCmd is `sluice hunt`.
type huntCmd struct {
	List string `arg:"" help:"File with an indicator a line, or - for standard input."`

	logSource `embed:""`
	logWindow `embed:""`

	Format string `help:"text, json (an object a line), or csv (${default})." enum:"text,json,csv" default:"text"`
	Limit  int    `help:"Show so many transfers of each indicator at most; 0 is all. All are counted (${default})." default:"0" placeholder:"N"`
}

// Help returns the long text of --help.
func (huntCmd) Help() string {
	return `Finds the past transfers that carried something which is now known to be bad. Each
line of LIST is one indicator; its form tells the kind:

  32, 40, 64, 96 or 128 hex digits   a digest: MD5, SHA-1, SHA-256, SHA-384, SHA-512
  203.0.113.7, 2001:db8::/32         the client's address, or a network
  invoice.exe, drop/*.scr, /in/**    a file's name, or the end of its path; * ? ** are
                                     wildcards, and case does not matter

A digest is found where the server sent it (file_csum) or a rule computed it. Lines
that begin with # are comments, as is what follows a # behind an address, and what
follows a digest. A list with a bad line is refused.

  sluice hunt indicators.txt --dir /var/lib/sluice/log --since 90d

Status: 0 nothing was found in all of the log, 1 something was, 2 not all of the log
could be read, and nothing was found in the rest; or the list is bad.`
}

// Run hunts.
func (c *huntCmd) Run(ctx context.Context, std *stdio) error {
	if c.Limit < 0 {
		return errors.New("--limit is a number from 0")
	}
	path, err := c.path()
	if err != nil {
		return mistakes(std, err, 2)
	}
	if path == "-" && c.List == "-" {
		return errors.New("standard input cannot be both the list and the log")
	}
	indicators, err := c.readList(std.in)
	if err != nil {
		return err
	}
	q := &journal.Query{}
	if err := c.set(q, time.Now()); err != nil {
		return err
	}
	search, err := q.Hunt(indicators)
	if err != nil {
		return flagged(err)
	}
	out := bufio.NewWriterSize(std.out, 64<<10)
	report := newHuntReport(out, newPainter(std.out), c.Format, indicators, c.Limit)
	trouble := logTrouble{std: std}
	for e, err := range c.read(ctx, search, path, std.in) {
		if err == nil {
			err = report.add(e, indicators.Of(&e.Record))
		} else {
			err = trouble.add(err)
		}
		if err != nil {
			return errors.Join(err, out.Flush())
		}
	}
	if err := errors.Join(report.end(), out.Flush()); err != nil {
		return err
	}
	missed := trouble.status(search, true)
	if report.found > 0 {
		return exitError(1)
	}
	return missed
}

// readList reads the indicators.
func (c *huntCmd) readList(in io.Reader) (*journal.Indicators, error) {
	if c.List == "-" {
		return wholeList(journal.ReadIndicators("standard input", in))
	}
	file, err := os.Open(c.List)
	if err != nil {
		return nil, fmt.Errorf("the list %s cannot be read: %w", rules.Printable(c.List), simCause(err))
	}
	defer file.Close()
	return wholeList(journal.ReadIndicators(c.List, file))
}

func wholeList(h *journal.Indicators, err error) (*journal.Indicators, error) {
	if err != nil {
		return nil, fmt.Errorf("the list has mistakes, so nothing was hunted for:\n%w", err)
	}
	return h, nil
}
