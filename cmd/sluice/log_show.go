package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
	"github.com/sluiceproject/sluice/validator/journal"
)

// logShowCmd is `sluice log show`.
type logShowCmd struct {
	ID string `arg:"" name:"id" help:"The decision's id: the header X-Sluice-Decision, or the id in the service's log."`

	logSource `embed:""`

	Format string `help:"text, or json (the line as it is) (${default})." enum:"text,json" default:"text"`
}

// Help returns the long text of --help.
func (logShowCmd) Help() string {
	return `Shows a past decision as it was made: the event, every rule that was asked with
what it saw and said, what looking into the file found, and what ascp got.

  sluice log show 0199e1c4-7b1e-7a53-9f0e-3d1f2a4b5c6d --config sluice.yaml

Status: 0 it was found, 1 it is not in the log, 2 not all of the log could be read.`
}

// Run shows the decision.
func (c *logShowCmd) Run(ctx context.Context, std *stdio) error {
	if !isDecisionID(c.ID) {
		return fmt.Errorf("%q is no id of a decision: that has 36 characters, such as 0199e1c4-7b1e-7a53-9f0e-3d1f2a4b5c6d", rules.Printable(rules.Shorten(c.ID, 64)))
	}
	path, err := c.path()
	if err != nil {
		return mistakes(std, err, 2)
	}
	id := strings.ToLower(c.ID)
	q := &journal.Query{ID: []string{id}}
	if at := timeOfID(id); !at.IsZero() { // Segments of other times need not be read.
		q.From, q.To = at.Add(-time.Second), at.Add(time.Second)
	}
	search, err := compileQuery(q)
	if err != nil {
		return err
	}
	trouble := logTrouble{std: std}
	for e, err := range c.read(ctx, search, path, std.in) {
		if err != nil {
			if err = trouble.add(err); err == nil {
				continue
			}
			return err
		}
		if c.Format == jsonFormat {
			_, err = std.out.Write(append(e.Text, '\n'))
		} else {
			_, err = io.WriteString(std.out, pastDecision(&e.Record, newPainter(std.out)))
		}
		return err
	}
	if err := trouble.status(search, true); err != nil {
		return err
	}
	fmt.Fprintf(std.err, "sluice: the decision %s is not in the log\n", id)
	return exitError(1)
}

var decisionID = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func isDecisionID(text string) bool { return decisionID.MatchString(text) }

// timeOfID returns when a decision of this id was made, which UUIDs of version 7
// tell; the zero time for any other.
func timeOfID(id string) time.Time {
	ms, err := strconv.ParseInt(id[:8]+id[9:13], 16, 64)
	if err != nil || id[14] != '7' {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// pastDecision draws a decision as `sluice explain` does.
func pastDecision(r *journal.Record, p painter) string {
	printable(r)
	var b strings.Builder
	fmt.Fprintf(&b, "%s, decided in %s by %s (record %d)\n", r.Time.UTC().Format(shownTime), micros(r.TookMicros), orDash(r.Instance), r.Sequence)
	x := recordedExplanation(r)
	for _, line := range eventLines(x) {
		b.WriteString(line + "\n")
	}
	var root branch
	root.branches = append(root.branches, appliedBranches(x, p)...)
	if found := factBranch(r, p); found != nil {
		root.branches = append(root.branches, *found)
	}
	root.branches = append(root.branches, pastAnswer(r, x, p))
	root.draw(&b, "")
	lines := strings.SplitAfter(b.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \n") + "\n"
	}
	return strings.TrimSuffix(strings.Join(lines, ""), "\n")
}

// recordedExplanation puts a record into the form in which decisions are told.
func recordedExplanation(r *journal.Record) *validator.Explanation {
	x := &validator.Explanation{ID: r.ID, Revision: r.Revision, Verdict: r.Verdict, Code: r.Code, Message: r.Message, Policy: r.Policy, Rule: r.Rule, Kind: r.Kind, Error: r.Error}
	if e := r.Event; e != nil {
		x.Event = validator.ExplainedEvent{
			Phase: e.Phase, Direction: e.Direction, Session: e.Session, User: e.User, ClientIP: e.ClientIP, Host: e.Host,
			SessionID: e.SessionID, TransferID: e.TransferID, File: e.File, Size: e.Size, StartByte: e.StartByte, BytesWritten: e.BytesWritten,
			Cipher: e.Cipher, RatePolicy: e.RatePolicy, TargetRateKbps: e.TargetRateKbps, Checksum: e.Checksum, ChecksumType: e.ChecksumType,
		}
	}
	if r.Reason != "" && x.Event.Phase == rules.PhaseUnknown.String() {
		x.Malformed = &validator.ExplainedFault{Reason: r.Reason}
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		rule := validator.ExplainedRule{
			Policy: s.Policy, Rule: s.Rule, Kind: s.Kind, Mode: s.Mode, Outcome: s.Outcome, Code: s.Code, Saw: s.Saw, Error: s.Error,
			Coverage: s.Coverage, Total: s.Total, Reason: s.CoverageReason, TookUS: s.TookMicros, Inspected: s.Inspected,
		}
		if rule.Inspected == nil {
			rule.Coverage = ""
		}
		if s.Policy == r.Policy && s.Rule == r.Rule && r.Code != "" {
			rule.Message = x.Message
		}
		x.Rules = append(x.Rules, rule)
	}
	return x
}

// pastAnswer tells what ascp got.
func pastAnswer(r *journal.Record, x *validator.Explanation, p painter) branch {
	b := branch{text: p.paint(green, "✓ accepted")}
	if r.Verdict == journal.Reject {
		b.text = p.paint(red, "✗ refused") + ": " + pastReason(r)
		b.notes = append(b.notes, fmt.Sprintf("the answer was code %s, %s", r.Code, strconv.Quote(x.Message)))
	}
	if r.Unlisted > 0 {
		b.notes = append(b.notes, fmt.Sprintf("%s more were asked that the record leaves out", count(r.Unlisted, "rule")))
	}
	if x.Malformed == nil && x.Error != "" {
		b.notes = append(b.notes, p.paint(dim, "because ")+x.Error)
	}
	if r.Event != nil && len(r.Event.Missing) > 0 {
		b.notes = append(b.notes, p.paint(dim, "not recorded as it came: "+strings.Join(r.Event.Missing, ", ")))
	}
	b.notes = append(b.notes, p.paint(dim, "decision "+r.ID+", revision "+orDash(r.Revision)))
	return b
}

// pastReason says what came to a refusal.
func pastReason(r *journal.Record) string {
	rule := r.Policy + "/" + r.Rule
	switch {
	case r.Reason != "":
		return strings.ReplaceAll(r.Reason, "_", " ")
	case r.Rule != "" && r.Error != "":
		return rule + " could not tell, and its on_error is reject"
	case r.Rule != "":
		return rule + " objected"
	case r.Policy != "":
		return "nobody could say whether the policy " + r.Policy + " applied"
	case r.Code == string(rules.CodeDefault):
		return "no policy applied, and the service's default was reject"
	default:
		return "the service could not decide"
	}
}
