package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sluiceproject/sluice/policies"
)

// replayLimits are what the flags allow; a negative one allows anything.
type replayLimits struct {
	refused, accepted, undecidable int64
	share                          float64 // of undecidable, in percent
}

// setUndecidable reads a number or a share in percent.
func (l *replayLimits) setUndecidable(text string) (err error) {
	if text == "" {
		return nil
	}
	if share, ok := strings.CutSuffix(text, "%"); ok {
		l.share, err = strconv.ParseFloat(share, 64)
		if err == nil && l.share >= 0 && l.share <= 100 {
			return nil
		}
	} else if l.undecidable, err = strconv.ParseInt(text, 10, 64); err == nil && l.undecidable >= 0 {
		return nil
	}
	return fmt.Errorf("--max-undecidable: %q is neither a number from 0 nor a share such as 5%%", text)
}

// check says which limits are exceeded. The error makes the process exit with 1, or
// with 2 where there is a limit and nothing that it could be held against.
func (l *replayLimits) check(std *stdio, r *policies.ReplayReport) (err error) {
	if limited := max(l.refused, l.accepted, l.undecidable) >= 0 || l.share >= 0; limited && r.Decisions == 0 {
		fmt.Fprintln(std.err, "sluice: no decision was made again, so that no --max says anything: look at the log and at --since and --until")
		return exitError(2)
	}
	exceeded := func(flag string, got int64, most string) {
		what := strings.ReplaceAll(strings.TrimPrefix(flag, "--max-"), "-", " ")
		fmt.Fprintf(std.err, "sluice: %s: %s, and %s allows %s\n", what, counted(got), flag, most)
		err = exitError(1)
	}
	for _, limit := range []struct {
		flag      string
		got, most int64
	}{
		{"--max-newly-refused", r.Changes.NewlyRefused, l.refused},
		{"--max-newly-accepted", r.Changes.NewlyAccepted, l.accepted},
		{"--max-undecidable", r.Changes.Undecidable, l.undecidable},
	} {
		if limit.most >= 0 && limit.got > limit.most {
			exceeded(limit.flag, limit.got, counted(limit.most))
		}
	}
	if l.share >= 0 && float64(r.Changes.Undecidable)*100 > l.share*float64(r.Decisions) {
		exceeded("--max-undecidable", r.Changes.Undecidable, fmt.Sprintf("%g%% of %s", l.share, counted(r.Decisions)))
	}
	return err
}
