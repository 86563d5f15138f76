package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/journal"
)

// defaultPushSince is how much of the log is decided again unless somebody says.
const defaultPushSince = "7d"

// pushReplay is a replay that a push has to pass.
type pushReplay struct {
	from, since string
	limits      pushLimits
}

// pushLimits are how much may change.
type pushLimits struct{ refused, accepted, undecidable pushLimit }

// pushLimit is a number of decisions, or a share of all. Its zero value allows
// anything.
type pushLimit struct {
	text  string // as it is written; empty for no limit
	most  int64
	share float64 // in percent; used if the text ends in %
}

// set reads a limit.
func (l *pushLimit) set(text string) (err error) {
	l.text = text
	if share, ok := strings.CutSuffix(text, "%"); ok {
		if l.share, err = strconv.ParseFloat(share, 64); err == nil && l.share >= 0 && l.share <= 100 {
			return nil
		}
	} else if l.most, err = strconv.ParseInt(text, 10, 64); err == nil && l.most >= 0 {
		return nil
	}
	return fmt.Errorf("%q is neither a number from 0 nor a share such as 0.5%%", text)
}

// allows reports whether so many of all decisions are within the limit.
func (l *pushLimit) allows(n, all int64) bool {
	switch {
	case l.text == "":
		return true
	case strings.HasSuffix(l.text, "%"):
		return float64(n)*100 <= l.share*float64(all)
	default:
		return n <= l.most
	}
}

// exceeded says which limits a report exceeds.
func (l *pushLimits) exceeded(r *policies.ReplayReport) (lines []string) {
	for _, part := range []struct {
		what  string
		limit *pushLimit
		n     int64
	}{
		{"newly refused", &l.refused, r.Changes.NewlyRefused},
		{"newly accepted", &l.accepted, r.Changes.NewlyAccepted},
		{"undecidable", &l.undecidable, r.Changes.Undecidable},
	} {
		if !part.limit.allows(part.n, r.Decisions) {
			lines = append(lines, fmt.Sprintf("%s: %s of %s, and at most %s may be", part.what, counted(part.n), counted(r.Decisions), part.limit.text))
		}
	}
	return lines
}

// pushReplayFlags ask for a replay on the command line.
type pushReplayFlags struct {
	Replay           string `group:"A replay before the push" help:"Decide this decision log again with the set, and refuse it if more changes than a --max: a folder, or one of its files." placeholder:"LOG"`
	Since            string `group:"A replay before the push" help:"From then on: how long ago, or a date (7d)." placeholder:"WHEN"`
	MaxNewlyRefused  string `group:"A replay before the push" help:"How many decisions may be newly refused: a number, or a share such as 0.5%." placeholder:"N|P%"`
	MaxNewlyAccepted string `group:"A replay before the push" help:"How many may be newly accepted." placeholder:"N|P%"`
	MaxUndecidable   string `group:"A replay before the push" help:"Of how many it may be unknown." placeholder:"N|P%"`
}

// wanted returns the replays that a set has to pass by the flags and by the
// configuration: the same one, with the limits of both. Nil is none.
func (f *pushReplayFlags) wanted(c *config) (replay *pushReplay, limits []pushLimits, err error) {
	var own pushLimits
	asked := f.Replay != ""
	for _, most := range []struct {
		flag, text string
		to         *pushLimit
	}{
		{"--max-newly-refused", f.MaxNewlyRefused, &own.refused},
		{"--max-newly-accepted", f.MaxNewlyAccepted, &own.accepted},
		{"--max-undecidable", f.MaxUndecidable, &own.undecidable},
	} {
		if most.text == "" {
			continue
		}
		asked = true
		if err := most.to.set(most.text); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", most.flag, err)
		}
	}
	whole := pushReplay{since: defaultPushSince}
	if c.push.replay != nil {
		whole, limits = *c.push.replay, append(limits, c.push.replay.limits)
	}
	if !asked && c.push.replay == nil {
		if f.Since != "" {
			return nil, nil, errors.New("--since is for a replay: say --replay LOG, too")
		}
		return nil, nil, nil
	}
	for _, given := range []struct{ text, to *string }{{&f.Replay, &whole.from}, {&f.Since, &whole.since}} {
		if *given.text != "" {
			*given.to = *given.text
		}
	}
	if whole.from == "" {
		whole.from = c.journal.Dir
	}
	if whole.from == "" {
		return nil, nil, errors.New("which log is to be decided again? Say --replay LOG, or push.replay.from or journal.dir in the configuration")
	}
	return &whole, append(limits, own), nil
}

// pushedReplay is what a revision tells of the replay before it.
type pushedReplay struct {
	Since      string               `json:"since"`
	Limits     []string             `json:"limits"`
	First      time.Time            `json:"first,omitzero"`
	Last       time.Time            `json:"last,omitzero"`
	Decisions  int64                `json:"decisions"`
	Unchanged  int64                `json:"unchanged"`
	Changes    policies.ReplayTally `json:"changes"`
	Unasked    int64                `json:"unasked"`
	Unreadable int64                `json:"unreadable"`
	Lost       int64                `json:"lost"`
}

// lines tell a person what came of it.
func (p *pushedReplay) lines() []string {
	first := counted(p.Decisions) + " " + noun(p.Decisions)
	if p.Decisions > 0 {
		first += " from " + p.First.UTC().Format(time.DateTime) + " to " + p.Last.UTC().Format(time.DateTime+" UTC")
	}
	lines := []string{first, fmt.Sprintf("%s newly refused, %s newly accepted, %s undecidable, %s for another reason",
		counted(p.Changes.NewlyRefused), counted(p.Changes.NewlyAccepted), counted(p.Changes.Undecidable), counted(p.Changes.OtherReason+p.Changes.ReasonUnknown))}
	if len(p.Limits) > 0 {
		lines = append(lines, "allowed: "+rules.Printable(strings.Join(p.Limits, ", ")))
	}
	return lines
}

// run replays the log with a set. The error is an exitError if more changes than is
// allowed, if not all could be read, or if there was nothing to decide again.
func (p *pushReplay) run(ctx context.Context, std *stdio, set *policies.Snapshot, limits []pushLimits) (json.RawMessage, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // The process ends soon, and makes much garbage until then.
	query := &journal.Query{Notes: true}
	if err := (&logWindow{Since: p.since}).set(query, time.Now()); err != nil {
		return nil, err
	}
	search, err := compileQuery(query)
	if err != nil {
		return nil, err
	}
	source := logSource{Dir: p.from}
	replay, trouble := policies.NewReplay(set, 3), logTrouble{std: std}
	if err := again(ctx, source.read(ctx, search, p.from, std.in), replay, &trouble); err != nil {
		return nil, err
	}
	r := replay.Report()
	told := pushedReplay{
		Since: p.since, Limits: []string{}, First: r.First, Last: r.Last, Decisions: r.Decisions, Unchanged: r.Unchanged, Changes: r.Changes,
		Unasked: r.Unasked, Unreadable: r.Unreadable, Lost: r.Lost,
	}
	var exceeded []string
	for i := range limits {
		exceeded = append(exceeded, limits[i].exceeded(r)...)
		told.Limits = append(told.Limits, limits[i].words()...)
	}
	if r.Decisions == 0 {
		fmt.Fprintf(std.err, "sluice: nothing was stored, because there is no decision since %s in %s to decide again\n", p.since, rules.Printable(p.from))
		return nil, exitError(1)
	}
	if err := trouble.status(search, true); err != nil {
		fmt.Fprintln(std.err, "sluice: nothing was stored, because not all of the log could be decided again")
		return nil, err
	}
	if len(exceeded) > 0 {
		if err := writeReplayText(std.err, r); err != nil {
			return nil, err
		}
		for _, line := range exceeded {
			fmt.Fprintf(std.err, "sluice: nothing was stored, because of the replay: %s\n", line)
		}
		return nil, exitError(1)
	}
	fmt.Fprintln(std.out, "replay: "+strings.Join(told.lines(), "; "))
	return json.Marshal(told)
}

// words name the limits that there are.
func (l *pushLimits) words() (words []string) {
	for _, part := range []struct {
		what  string
		limit *pushLimit
	}{{"newly refused", &l.refused}, {"newly accepted", &l.accepted}, {"undecidable", &l.undecidable}} {
		if part.limit.text != "" {
			words = append(words, part.what+" "+part.limit.text)
		}
	}
	return words
}
