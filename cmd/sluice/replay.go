package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/journal"
)

// replayCmd is `sluice replay`.
type replayCmd struct {
	Policies string `required:"" help:"Folder of the candidate: the policy set to decide with." placeholder:"DIR"`
	From     string `help:"The decision log: its folder, one of its files, - for lines on standard input, or store for what all services have sent to the policy store of --config. By default the journal.dir of --config." aliases:"dir,log" placeholder:"LOG"`
	Config   string `help:"Configuration file of the service, for its default, partial_suffix and journal.dir." placeholder:"FILE"`

	logWindow `embed:""`

	Default          string `help:"What happens to events to which no policy applies: accept or reject; it wins over the configuration (reject)." placeholder:"VERDICT" enum:",accept,reject" default:""`
	Format           string `help:"text or json (${default})." enum:"text,json" default:"text"`
	HTML             string `name:"html" help:"Write a page with plots, too, that needs nothing else." placeholder:"FILE"`
	Examples         int    `help:"How many examples of each change by each rule, 0 to 100 (3)." placeholder:"N" default:"3"`
	MaxNewlyRefused  *int64 `help:"Exit 1 if more decisions are newly refused." placeholder:"N"`
	MaxNewlyAccepted *int64 `help:"Exit 1 if more decisions are newly accepted." placeholder:"N"`
	MaxUndecidable   string `help:"Exit 1 if more decisions cannot be made again: a number, or a share such as 5%." placeholder:"N|P%"`
}

// Help returns the long text of --help.
func (replayCmd) Help() string {
	return `Decides the events of a decision log again with another policy set, and shows what
changes. Rules that look into files answer from what was learned then; what they
cannot tell is counted as undecidable, and never guessed.

Status: 0; 1 if a --max is exceeded; 2 if the set does not compile, if not all of
the log could be read, or if there is a --max and nothing was decided again.

  sluice replay --policies candidate/ --from /var/lib/sluice/log --since 30d
  sluice replay --policies candidate/ --from log/ --html report.html --max-newly-refused 0`
}

// Run replays the log and prints what changes.
func (c *replayCmd) Run(ctx context.Context, std *stdio) error {
	limits, query, err := c.settings(time.Now())
	if err != nil {
		return err
	}
	// The process ends soon, and makes much garbage until then.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	candidate, err := c.compile()
	if err != nil {
		return mistakes(std, err, 2)
	}
	source := logSource{Dir: c.From, Config: c.Config}
	path, err := source.path()
	if err != nil {
		return mistakes(std, err, 2)
	}
	search, err := compileQuery(query)
	if err != nil {
		return err
	}
	replay, trouble := policies.NewReplay(candidate, c.Examples), logTrouble{std: std}
	if err := again(ctx, source.read(ctx, search, path, std.in), replay, &trouble); err != nil {
		return err
	}
	report := replay.Report()
	if c.HTML != "" {
		if err := writeReplayPage(c.HTML, report, c.Policies); err != nil {
			return err
		}
	}
	if c.Format == jsonFormat {
		err = writeJSON(std.out, report)
	} else {
		err = writeReplayText(std.out, report)
	}
	if err != nil {
		return err
	}
	if err := limits.check(std, report); err != nil {
		return err
	}
	return trouble.status(search, true)
}

// settings reads the flags.
func (c *replayCmd) settings(now time.Time) (limits replayLimits, query *journal.Query, err error) {
	limits = replayLimits{refused: -1, accepted: -1, undecidable: -1, share: -1}
	query = &journal.Query{Notes: true}
	if c.Policies == "" { // As of a variable that is not set.
		return limits, nil, errors.New("--policies must not be empty")
	}
	if c.From == "" && c.Config == "" {
		return limits, nil, errors.New("which log? Say --from LOG, or --config with the service's configuration")
	}
	if c.Examples < 0 || c.Examples > 100 {
		return limits, nil, errors.New("--examples is a number from 0 to 100")
	}
	if err := c.set(query, now); err != nil {
		return limits, nil, err
	}
	for _, most := range []struct {
		flag string
		from *int64
		to   *int64
	}{{"--max-newly-refused", c.MaxNewlyRefused, &limits.refused}, {"--max-newly-accepted", c.MaxNewlyAccepted, &limits.accepted}} {
		if most.from == nil {
			continue
		}
		if *most.to = *most.from; *most.to < 0 {
			return limits, nil, fmt.Errorf("%s is a number from 0", most.flag)
		}
	}
	return limits, query, limits.setUndecidable(c.MaxUndecidable)
}

// parseWhen reads a date, a time, or how long ago.
func parseWhen(text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n <= 100_000 {
			return now.Add(-time.Duration(n) * 24 * time.Hour), nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	return time.Time{}, fmt.Errorf("%q is neither a date such as 2026-11-23, nor a time such as 2026-11-23T12:00:00Z, nor how long ago, such as 30d or 12h", text)
}

// compile compiles the candidate. Nobody is asked anything again, so that
// scanners and grants need not be there.
func (c *replayCmd) compile() (*policies.Snapshot, error) {
	service := defaultConfig()
	if c.Config != "" {
		var err error
		if service, err = readConfig(c.Config); err != nil {
			return nil, err
		}
	}
	if c.Default != "" {
		service.acceptByDefault = c.Default == "accept"
	}
	return policies.CheckDir(c.Policies, policies.Options{
		Kinds: rules.Builtin(), AcceptByDefault: service.acceptByDefault,
		Env: rules.Env{PartialSuffix: service.partialSuffix, Scanners: policies.StandInScanner, Grants: policies.StandInGrants(), Counters: policies.StandInCounters()},
	})
}

// again makes every decision of a log again.
func again(ctx context.Context, log iter.Seq2[*journal.Entry, error], replay *policies.Replay, trouble *logTrouble) error {
	progress := newReplayProgress(trouble.std, time.Now)
	defer progress.end()
	for entry, err := range log {
		progress.at(replay.Decisions())
		var decision *policies.Recorded
		switch {
		case err != nil:
		case entry.Note == journal.NoteLost:
			replay.Lost(entry.Count)
			continue
		case entry.Note == journal.NoteRefused:
			replay.Unasked(entry.Count)
			continue
		case entry.Note != "":
			continue
		default:
			if decision, err = recordedDecision(&entry.Record); err != nil {
				err = &journal.ReadError{Segment: entry.Segment, Line: entry.Line, Err: err}
			}
		}
		if err == nil {
			replay.Add(ctx, decision)
			continue
		}
		progress.end() // What is told now gets a line of its own.
		if err := trouble.add(err); err != nil {
			return err
		}
		replay.Unreadable()
	}
	return nil
}
