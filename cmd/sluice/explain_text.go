package main

import (
	"fmt"
	"strings"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// explained returns an explanation as a tree.
func explained(x *validator.Explanation, p painter) string {
	var root branch
	root.branches = append(root.branches, appliedBranches(x, p)...)
	root.branches = append(root.branches, otherBranches(x, p)...)
	root.branches = append(root.branches, answerBranch(x, p))
	var b strings.Builder
	for _, line := range eventLines(x) {
		b.WriteString(line + "\n")
	}
	root.draw(&b, "")
	return b.String()
}

// eventLines tell the event in short.
func eventLines(x *validator.Explanation) []string {
	e := &x.Event
	if f := x.Malformed; f != nil {
		line := "an event that cannot be read: " + f.Reason
		if f.Line > 0 {
			line += fmt.Sprintf(", line %d, column %d (byte %d)", f.Line, f.Column, f.Byte)
		}
		return []string{line}
	}
	what := e.File
	switch {
	case e.Session:
		what = "the session, no file"
	case what == "":
		what = "a file without a path"
	}
	if e.Size != nil {
		what += " (" + rules.FormatSize(*e.Size) + ")"
	}
	lines := []string{fmt.Sprintf("%s, %s: %s", e.Phase, directionOf(e), what)}
	var about []string
	for _, part := range []struct{ before, text string }{
		{"user ", e.User}, {"client ", e.ClientIP}, {"host ", e.Host}, {"cipher ", e.Cipher}, {"rate policy ", e.RatePolicy},
	} {
		if part.text != "" {
			about = append(about, part.before+part.text)
		}
	}
	if e.TargetRateKbps != nil {
		about = append(about, "target rate "+rules.FormatRate(*e.TargetRateKbps))
	}
	if e.Checksum != "" {
		about = append(about, strings.TrimSpace(e.ChecksumType+" "+e.Checksum))
	}
	if len(about) > 0 {
		lines = append(lines, "  "+strings.Join(about, ", "))
	}
	return lines
}

func directionOf(e *validator.ExplainedEvent) string {
	if e.Direction == rules.DirectionUnknown.String() {
		return "direction unknown"
	}
	return e.Direction
}

// appliedBranches tell the rules below their policies. A policy comes again if
// the rules of another are asked between its own.
func appliedBranches(x *validator.Explanation, p painter) (all []branch) {
	nameWidth, kindWidth := 0, 0
	for i := range x.Rules {
		nameWidth, kindWidth = max(nameWidth, len(x.Rules[i].Rule)), max(kindWidth, len(x.Rules[i].Kind))
	}
	of, seen := "", map[string]bool{}
	for i := range x.Rules {
		r := &x.Rules[i]
		if r.Policy != of {
			of, seen[r.Policy] = r.Policy, true
			all = append(all, branch{text: policyTitle(x, r.Policy, p)})
		}
		last := &all[len(all)-1]
		last.branches = append(last.branches, ruleBranch(r, p, r.Rule, nameWidth, kindWidth))
	}
	for i := range x.Policies {
		if applied := &x.Policies[i]; applied.Applies == rules.Applies.String() && !seen[applied.Policy] {
			all = append(all, branch{text: policyTitle(x, applied.Policy, p), notes: []string{"it has no rule that is not off"}})
		}
	}
	return all
}

func policyTitle(x *validator.Explanation, name string, p painter) string {
	title := p.paint(bold, name)
	for i := range x.Policies {
		if policy := &x.Policies[i]; policy.Policy == name {
			title += " (" + policy.File + ")"
			if policy.Mode == rules.Shadow.String() {
				title += p.paint(yellow, ", in shadow")
			}
			break
		}
	}
	return title
}

// otherBranches tell the policies whose rules are not asked.
func otherBranches(x *validator.Explanation, p painter) (all []branch) {
	standings := map[string]string{
		rules.NotMatched.String():    "does not apply",
		rules.SessionPasses.String(): "asks nothing about a session: its files will be judged",
		rules.RequestPasses.String(): "asks nothing about a token request: its files will be judged",
		rules.Unclear.String():       "may or may not apply",
		rules.SwitchedOff.String():   "is off",
	}
	for i := range x.Policies {
		policy := &x.Policies[i]
		if words, ok := standings[policy.Applies]; ok {
			all = append(all, branch{text: policyTitle(x, policy.Policy, p) + " " + p.paint(dim, words), notes: policy.Why})
		}
	}
	if x.Others > 0 {
		verb := "do"
		if x.Others == 1 {
			verb = "does"
		}
		all = append(all, branch{text: p.paint(dim, fmt.Sprintf("and %s %s not apply; --all shows them", count(x.Others, "other"), verb))})
	}
	return all
}

// answerBranch tells what ascp gets.
func answerBranch(x *validator.Explanation, p painter) branch {
	b := branch{text: p.paint(green, "✓ accepted") + ": " + x.Why}
	if x.Code != "" {
		b.text = p.paint(red, "✗ refused") + ": " + x.Why
	}
	var shadowed []string
	for i := range x.Rules {
		if r := &x.Rules[i]; r.Outcome == rules.WouldRefuse.String() || r.Outcome == rules.WouldRefuseOnError.String() {
			shadowed = append(shadowed, r.Policy+"/"+r.Rule)
		}
	}
	if len(shadowed) > 0 {
		b.notes = append(b.notes, p.paint(yellow, "would refuse if it were not in shadow: ")+strings.Join(shadowed, ", "))
	}
	if x.Malformed == nil && x.Error != "" {
		b.notes = append(b.notes, p.paint(dim, "because ")+x.Error)
	}
	answer := fmt.Sprintf("ascp gets %d, %s", x.Answer.Status, strings.TrimSuffix(x.Answer.Body, "\n"))
	if x.Answer.Body == "" {
		answer = fmt.Sprintf("ascp gets %d with an empty body", x.Answer.Status)
	}
	return branch{text: b.text, notes: append(b.notes, answer, p.paint(dim, "decision "+x.ID+", revision "+x.Revision))}
}
