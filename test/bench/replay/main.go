// Command replay records decisions of the shipped policies in a log, replays it
// on one core with one rule changed, and compares the report with deciding each
// event singly.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/journal"
)

func main() {
	b := &bench{out: os.Stdout}
	flag.IntVar(&b.decisions, "n", 1_000_000, "decisions to record")
	flag.StringVar(&b.binary, "sluice", "bin/sluice", "the `command` to measure")
	flag.StringVar(&b.policies, "policies", "policies/examples", "`folder` of the shipped policies")
	flag.StringVar(&b.core, "core", "0", "`number` of the core that it runs on")
	flag.Parse()
	if err := b.run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "replay:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	decisions        int
	binary, policies string
	core             string
	out              io.Writer
}

// The rule that is changed, as it is and as it becomes.
const (
	rule    = "extension: {allow: [mov, mxf, mp4]}"
	changed = "extension: {allow: [mov, mxf]}"
)

func (b *bench) run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "sluice-replay-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // It is temporary.
	candidate, log := filepath.Join(dir, "candidate"), filepath.Join(dir, "log")
	if err := change(b.policies, candidate); err != nil {
		return err
	}
	was, err := policies.CheckDir(b.policies, policies.Options{Kinds: rules.Builtin()})
	if err != nil {
		return err
	}
	is, err := policies.CheckDir(candidate, policies.Options{Kinds: rules.Builtin()})
	if err != nil {
		return err
	}
	want, err := b.record(ctx, log, was, is)
	if err != nil {
		return err
	}
	begun := time.Now()
	got, err := b.replay(ctx, candidate, log)
	if err != nil {
		return err
	}
	took := time.Since(begun)
	fmt.Fprintf(b.out, "%d decisions replayed on one core in %s: %.0f a second\n%+v\n",
		got.Decisions, took.Round(time.Millisecond), float64(got.Decisions)/took.Seconds(), got.Changes)
	if got.Changes != want || got.Decisions != int64(b.decisions) || got.Unreadable != 0 || want.NewlyRefused == 0 {
		return fmt.Errorf("deciding each event singly gives %+v", want)
	}
	return nil
}

// change copies a policy set and changes the one rule.
func change(from, to string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(to, "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if after := strings.Replace(string(text), rule, changed, 1); after != string(text) {
			return os.WriteFile(file, []byte(after), 0o600)
		}
	}
	return errors.New("the shipped policies have no rule with " + rule)
}

// record writes the log and counts what the candidate decides otherwise.
func (b *bench) record(ctx context.Context, dir string, was, is *policies.Snapshot) (want policies.ReplayTally, err error) {
	j, err := journal.Open(journal.Options{
		Dir: dir, Durability: journal.Off, Interval: time.Second, Patience: time.Minute, SegmentSize: 64 << 20, SegmentAge: 24 * time.Hour, Now: time.Now,
	})
	if err != nil {
		return want, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	for i := range b.decisions {
		e, now := event(i), event(i)
		d, again := was.Decide(ctx, e), is.Decide(ctx, now)
		if err := j.Append(e, &d); err != nil {
			return want, err
		}
		switch {
		case d.Accepted() && !again.Accepted():
			want.NewlyRefused++
		case !d.Accepted() && again.Accepted():
			want.NewlyAccepted++
		case d.Rule != again.Rule || d.Policy != again.Policy || d.Code != again.Code:
			want.OtherReason++
		}
	}
	return want, nil
}

// replay runs the command on one core.
func (b *bench) replay(ctx context.Context, candidate, log string) (*policies.ReplayReport, error) {
	binary, err := filepath.Abs(b.binary)
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, "taskset", "-c", b.core, binary, "replay", "--policies", candidate, "--from", log, "--format", "json")
	command.Stderr = os.Stderr
	text, err := command.Output()
	if err != nil {
		return nil, err
	}
	report := &policies.ReplayReport{}
	return report, json.Unmarshal(text, report)
}
