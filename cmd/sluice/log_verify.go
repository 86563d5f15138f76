package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/journal"
)

// logVerifyCmd is `sluice log verify`.
type logVerifyCmd struct {
	logSource `embed:""`

	FromHash   string `help:"The hash before the first record, as it was noted elsewhere." placeholder:"HASH"`
	ExpectLast string `help:"The last record as it was noted elsewhere: it must be in the log, which may have gone on since." placeholder:"SEQ:HASH"`
	Format     string `help:"text or json (${default})." enum:"text,json" default:"text"`
}

// Help returns the long text of --help.
func (logVerifyCmd) Help() string {
	return `Reads all of the log and proves that its records follow each other without gaps,
that each has the hash of the one before, and that every index says what its file
does. Names the first record that is altered, deleted, swapped or cut off, the
first file that is missing, or the first index that disagrees.

A log cannot prove by itself that nothing was cut off at its very end, or that not
all of it was written anew by somebody who can write its files. Keep the last
record that is printed elsewhere, and hold the log against it next time:

  sluice log verify --dir /var/lib/sluice/log --expect-last 41267:9f86d081…

Status: 0 the log is whole, 1 it is not, 2 it could not be read.`
}

// Run verifies the log.
func (c *logVerifyCmd) Run(ctx context.Context, std *stdio) error {
	witness, err := c.witness()
	if err != nil {
		return err
	}
	path, err := c.path()
	if err != nil {
		return mistakes(std, err, 2)
	}
	if path == storedLog {
		return c.verifyStored(ctx, std)
	}
	var v *journal.Verification
	if path == "-" {
		v, err = journal.VerifyFrom(ctx, "standard input", std.in, witness)
	} else {
		v, err = journal.Verify(ctx, path, witness)
	}
	if err != nil {
		return err
	}
	if c.Format == jsonFormat {
		err = writeJSON(std.out, v)
	} else {
		_, err = io.WriteString(std.out, verified(v, newPainter(std.out)))
	}
	if err == nil && v.Break != nil {
		err = exitError(1)
	}
	return err
}

// witness reads the flags.
func (c *logVerifyCmd) witness() (w journal.Witness, err error) {
	isHash := func(text string) bool {
		b, err := hex.DecodeString(text)
		return err == nil && len(b) == 32
	}
	if w.Before = c.FromHash; c.FromHash != "" && !isHash(c.FromHash) {
		return w, errors.New("--from-hash has 64 hexadecimal digits")
	}
	if c.ExpectLast == "" {
		return w, nil
	}
	number, hash, _ := strings.Cut(c.ExpectLast, ":")
	if w.Sequence, err = strconv.ParseUint(number, 10, 64); err != nil || w.Sequence == 0 || !isHash(hash) {
		return w, errors.New("--expect-last is the number of a record, a colon, and its hash of 64 hexadecimal digits, as verify prints them")
	}
	w.Hash = hash
	return w, nil
}

// verified tells what came of verifying.
func verified(v *journal.Verification, p painter) string {
	var b strings.Builder
	if v.Break == nil {
		b.WriteString(p.paint(green, "✓ the log is whole") + "\n")
	} else {
		place := rules.Printable(v.Break.Segment)
		if v.Break.Line > 0 {
			place += fmt.Sprintf(", line %d", v.Break.Line)
		}
		b.WriteString(p.paint(red, "✗ "+strings.ReplaceAll(v.Break.Kind, "_", " ")) + ": " + rules.Printable(v.Break.Message) + "\n")
		if place != "" {
			fmt.Fprintf(&b, "  in %s\n", place)
		}
		if v.Others > 0 {
			fmt.Fprintf(&b, "  and %s further on\n", count(v.Others, "place", "places"))
		}
	}
	fmt.Fprintf(&b, "  %s in %s, %s\n", count(int(v.Records), "record"), count(v.Segments, "file"), rules.FormatSize(v.Bytes))
	if v.First > 0 {
		fmt.Fprintf(&b, "  first %d, %s\n", v.First, beginning(v))
		fmt.Fprintf(&b, "  last  %d:%s\n", v.Last, v.Hash)
		fmt.Fprintf(&b, "  from  %s to %s\n", v.From.UTC().Format(time.RFC3339Nano), v.To.UTC().Format(time.RFC3339Nano))
	}
	for _, note := range verifyNotes(v) {
		b.WriteString("  " + p.paint(yellow, note) + "\n")
	}
	return b.String()
}

// beginning tells what is before the first record.
func beginning(v *journal.Verification) string {
	if v.First == 1 {
		return "the beginning of the log"
	}
	return "behind " + v.Before + ": what was before is not here"
}

// verifyNotes are what an operator should know of a log that is whole, too.
func verifyNotes(v *journal.Verification) (notes []string) {
	if v.Lost > 0 {
		notes = append(notes, fmt.Sprintf("%s answered and not recorded, as the log itself says", were(v.Lost, "decision")))
	}
	if v.Repaired > 0 {
		notes = append(notes, fmt.Sprintf("its end was cut off %s after a crash, as the log itself says", count(v.Repaired, "time")))
	}
	if v.Unindexed > 0 {
		notes = append(notes, fmt.Sprintf("%s no index, so searches read all of it", count(v.Unindexed, "closed file has", "closed files have")))
	}
	if v.Removed > 0 {
		notes = append(notes, fmt.Sprintf("%s removed while the log was read", were(int64(v.Removed), "file")))
	}
	if v.Unfinished > 0 {
		notes = append(notes, fmt.Sprintf("%d bytes at the end are no whole record yet", v.Unfinished))
	}
	return notes
}

func were(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun + " was"
	}
	return fmt.Sprintf("%d %ss were", n, noun)
}
