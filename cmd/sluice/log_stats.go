package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/journal"
)

// logStatsCmd is `sluice log stats`.
type logStatsCmd struct {
	logSource `embed:""`
	logFilter `embed:""`

	By     []string `help:"What to draw: any of time, policy, rule, code, kind, user, client-ip, host, instance (${default})." enum:"time,policy,rule,code,kind,user,client-ip,host,instance" default:"time,policy,rule,code,user" placeholder:"WHAT,…"`
	Top    int      `help:"How many values of each, 1 to 1000 (${default})." default:"10" placeholder:"N"`
	Format string   `help:"text or json (${default})." enum:"text,json" default:"text"`
}

// Help returns the long text of --help.
func (logStatsCmd) Help() string {
	return `Counts the decisions that the filters want, and draws how many were refused over
time and by what. Times are UTC.

  sluice log stats --dir /var/lib/sluice/log --since 7d
  sluice log stats --config sluice.yaml --by user --top 20 --rule 'partner-ingest/*'

` + filterHelp + `

Status: 0 something was found, 1 nothing was, 2 not all of the log could be read.`
}

// Run counts and draws.
func (c *logStatsCmd) Run(ctx context.Context, std *stdio) error {
	if c.Top < 1 || c.Top > 1000 {
		return errors.New("--top is a number from 1 to 1000")
	}
	path, err := c.path()
	if err != nil {
		return mistakes(std, err, 2)
	}
	q, err := c.query(time.Now())
	if err != nil {
		return err
	}
	q.Notes = false
	search, err := compileQuery(q)
	if err != nil {
		return err
	}
	tally, trouble := newLogTally(c.By), logTrouble{std: std}
	for e, err := range c.read(ctx, search, path, std.in) {
		if err != nil {
			if err = trouble.add(err); err == nil {
				continue
			}
			return err
		}
		tally.add(&e.Record)
	}
	told := tally.told(c.Top)
	if c.Format == jsonFormat {
		err = writeJSON(std.out, told)
	} else {
		err = drawStats(std.out, told, widthOf(std.out), newPainter(std.out))
	}
	if err != nil {
		return err
	}
	return trouble.status(search, told.Decisions > 0)
}

// logCount counts decisions and those of them that were refused.
type logCount struct {
	Decisions int64 `json:"decisions"`
	Refused   int64 `json:"refused"`
}

func (c *logCount) add(refused bool) {
	c.Decisions++
	if refused {
		c.Refused++
	}
}

// maxTallied is how many values of a field are counted one by one, and maxTallyName
// how much of one is remembered, in bytes: as much as the service records.
const maxTallied, maxTallyName = 100_000, 1024

// logTally counts decisions by what is asked for.
type logTally struct {
	logCount
	by       []string
	from, to time.Time
	times    *logTimes
	groups   map[string]map[string]*logCount
	others   map[string]*logCount // values beyond maxTallied
}

func newLogTally(by []string) *logTally {
	t := &logTally{by: by, times: newLogTimes(), groups: map[string]map[string]*logCount{}, others: map[string]*logCount{}}
	for _, name := range by {
		t.groups[name], t.others[name] = map[string]*logCount{}, &logCount{}
	}
	return t
}

// valueBy returns what a record is counted under; empty if it is not.
func valueBy(name string, r *journal.Record) string {
	e := recordedEvent(r)
	switch name {
	case "policy":
		return r.Policy
	case "rule":
		if r.Rule == "" {
			return ""
		}
		return r.Policy + "/" + r.Rule
	case "code":
		return r.Code
	case "kind":
		return r.Kind
	case "user":
		return orDash(e.User)
	case "client-ip":
		return orDash(e.ClientIP)
	case "host":
		return orDash(e.Host)
	case "instance":
		return orDash(r.Instance)
	default:
		return ""
	}
}

func (t *logTally) add(r *journal.Record) {
	refused := r.Verdict == journal.Reject
	t.logCount.add(refused)
	if t.from.IsZero() || r.Time.Before(t.from) {
		t.from = r.Time
	}
	if r.Time.After(t.to) {
		t.to = r.Time
	}
	t.times.add(r.Time, refused)
	for _, name := range t.by {
		value := rules.Shorten(valueBy(name, r), maxTallyName)
		if value == "" {
			continue
		}
		group := t.groups[name]
		counted := group[value]
		switch {
		case counted == nil && len(group) >= maxTallied:
			counted = t.others[name] // However many there are.
		case counted == nil:
			counted = &logCount{}
			group[value] = counted
		}
		counted.add(refused)
	}
}

// logStats is what `--format json` prints.
type logStats struct {
	logCount
	From   time.Time  `json:"from"`
	To     time.Time  `json:"to"`
	Groups []logGroup `json:"groups"`
}

// logGroup is what was counted by one thing. Of values, those with the most
// refusals come first; of times, the earliest.
type logGroup struct {
	By string `json:"by"`
	// Step is how long each time is, in seconds.
	Step   int64      `json:"step,omitzero"`
	Values []logValue `json:"values"`
	// Others are the values that are left out, and what was counted of them.
	Others *logOthers `json:"others,omitempty"`
}

type logValue struct {
	Value string `json:"value"`
	logCount
}

// logOthers has at least so many values: beyond maxTallied they are not told apart.
type logOthers struct {
	Values int `json:"values"`
	logCount
}

// told returns what was counted, of each thing the top values.
func (t *logTally) told(top int) *logStats {
	told := &logStats{logCount: t.logCount, From: t.from.UTC(), To: t.to.UTC(), Groups: []logGroup{}}
	if t.Decisions == 0 {
		return told
	}
	for _, name := range t.by {
		if name == "time" {
			told.Groups = append(told.Groups, t.times.told(t.from, t.to))
			continue
		}
		group := logGroup{By: name, Values: []logValue{}}
		counted := t.groups[name]
		values := slices.SortedFunc(maps.Keys(counted), func(a, b string) int {
			x, y := counted[a], counted[b]
			return cmp.Or(cmp.Compare(y.Refused, x.Refused), cmp.Compare(y.Decisions, x.Decisions), cmp.Compare(a, b))
		})
		others := logOthers{logCount: *t.others[name]}
		for i, value := range values {
			if i < top {
				group.Values = append(group.Values, logValue{value, *counted[value]})
				continue
			}
			others.Values++
			others.Decisions += counted[value].Decisions
			others.Refused += counted[value].Refused
		}
		if others.Decisions > 0 {
			group.Others = &others
		}
		told.Groups = append(told.Groups, group)
	}
	return told
}

// share writes refusals as a share.
func (c logCount) share() string {
	if c.Decisions == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f%%", 100*float64(c.Refused)/float64(c.Decisions))
}
