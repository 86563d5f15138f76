package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sluiceproject/sluice/policies/store"
	"github.com/sluiceproject/sluice/rules"
)

// showCmd is `sluice show`.
type showCmd struct {
	Rev string `arg:"" optional:"" default:"newest" help:"The revision (${default})."`

	storeFlags `embed:""`

	File string `help:"Print this file of it, and nothing else." placeholder:"NAME"`
	JSON bool   `name:"json" help:"Print one JSON object."`
}

// Help returns the long text of --help.
func (showCmd) Help() string {
	return `Shows a revision of the policy set: who stored it and why, what came of the replay
that was asked for, and its files.

` + revisionHelp + `

  sluice show newest
  sluice show 12 --file 10-hygiene.yaml`
}

// Run prints the revision.
func (c *showCmd) Run(ctx context.Context, std *stdio) error {
	s, _, err := c.open(ctx)
	if err != nil {
		return mistakes(std, err, 2)
	}
	defer s.Close()
	r, err := findRevision(ctx, s, c.Rev)
	if err != nil {
		return err
	}
	switch {
	case c.File != "":
		return c.printFile(ctx, std.out, s, r)
	case c.JSON:
		return writeJSON(std.out, shownRevision{r.Number, r})
	default:
		writeRevision(std.out, &r)
		return nil
	}
}

// printFile prints a file of a revision as it is.
func (c *showCmd) printFile(ctx context.Context, w io.Writer, s *store.Store, r store.Revision) error {
	if !slices.ContainsFunc(r.Files, func(f store.File) bool { return f.Name == c.File }) {
		return fmt.Errorf("revision %d has no file %s; \"sluice show %d\" lists them", r.Number, rules.Printable(c.File), r.Number)
	}
	dir, remove, err := fetchRevision(ctx, s, r)
	if err != nil {
		return err
	}
	defer remove()
	file, err := os.Open(filepath.Join(dir, filepath.FromSlash(c.File)))
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(w, file)
	return err
}

// fetchRevision writes a revision into a folder of its own, which remove removes.
func fetchRevision(ctx context.Context, s *store.Store, r store.Revision) (dir string, remove func(), err error) {
	above, err := os.MkdirTemp("", "sluice-revision-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(above) } // What stays is below the machine's own temporary folder.
	dir = filepath.Join(above, "set")
	if err := s.Fetch(ctx, r, dir); err != nil {
		remove()
		return "", nil, err
	}
	return dir, remove, nil
}

// writeRevision prints what a revision is.
func writeRevision(w io.Writer, r *store.Revision) {
	fmt.Fprintf(w, "revision %d\n", r.Number)
	say := func(what, text string) { fmt.Fprintf(w, "  %-10s%s\n", what, text) }
	say("hash", rules.Printable(r.Hash))
	if r.Parent > 0 {
		say("parent", fmt.Sprint(r.Parent))
	}
	if r.RollbackOf > 0 {
		say("back to", fmt.Sprintf("revision %d", r.RollbackOf))
	}
	say("author", rules.Printable(r.Author))
	say("time", r.Time.UTC().Format(time.DateTime+" UTC"))
	for i, line := range strings.Split(strings.TrimSpace(r.Message), "\n") {
		say([]string{"message", ""}[min(i, 1)], rules.Printable(strings.TrimRight(line, "\r")))
	}
	writePushedReplay(say, r.Replay)
	var total int64
	for _, f := range r.Files {
		total += f.Size
	}
	fmt.Fprintf(w, "\n%s, %s\n", count(len(r.Files), "file"), rules.FormatSize(total))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range r.Files {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", f.SHA256[:min(12, len(f.SHA256))], rules.FormatSize(f.Size), rules.Printable(f.Name))
	}
	_ = table.Flush() // The terminal is not there any more.
}

// writePushedReplay tells what came of the replay before a push.
func writePushedReplay(say func(what, text string), raw json.RawMessage) {
	if len(raw) == 0 {
		return
	}
	var told pushedReplay
	if err := json.Unmarshal(raw, &told); err != nil {
		say("replay", "cannot be read: "+rules.Printable(err.Error()))
		return
	}
	for i, line := range told.lines() {
		say([]string{"replay", ""}[min(i, 1)], line)
	}
}
