package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

// writeText prints the tests that failed, or all, the rules that no test makes
// refuse, and the sum.
func (t *tested) writeText(w io.Writer) {
	if t.cases == 0 {
		return
	}
	p := newPainter(w)
	for i := range t.suites {
		for j := range t.suites[i].results {
			r := &t.suites[i].results[j]
			switch {
			case !r.Passed():
				fmt.Fprintf(w, "%s %s:%d: %s\n", p.paint(red, "FAIL"), r.Case.File, r.Case.Line, rules.Printable(r.Case.Name))
				writeTestFailure(w, r)
				fmt.Fprintln(w)
			case t.verbose:
				fmt.Fprintf(w, "%s   %s:%d: %s\n", p.paint(green, "ok"), r.Case.File, r.Case.Line, rules.Printable(r.Case.Name))
				writeTestSteps(w, "     ", r)
			}
		}
	}
	if len(t.uncovered) > 0 {
		if t.required {
			fmt.Fprint(w, p.paint(red, "FAIL")+" ")
		}
		fmt.Fprintln(w, "no test makes these rules refuse:")
		t.writeUncovered(w)
	}
	fmt.Fprintln(w, t.sum())
}

// sum says in a line what came of the run.
func (t *tested) sum() string {
	sum := fmt.Sprintf("%s, %d failed", count(t.cases, "case"), t.failed)
	if t.covers {
		sum += fmt.Sprintf(", %d of %s without a refusing test", len(t.uncovered), count(t.snapshot.RuleCount(), "rule"))
	}
	return sum
}

// writeUncovered prints the rules that no test makes refuse, a line each.
func (t *tested) writeUncovered(w io.Writer) {
	for _, r := range t.uncovered {
		shadow := ""
		if r.Mode == rules.Shadow {
			shadow = " (shadow)"
		}
		fmt.Fprintf(w, "  %s: %s/%s%s\n", t.fileOf(r), r.Policy, r.Name, shadow)
	}
}

// writeTestFailure prints the event of a test that failed, the answer that ascp
// would get with marks where it is not as wanted, and the steps to it.
func writeTestFailure(w io.Writer, r *policies.Result) {
	p := newPainter(w)
	fmt.Fprintf(w, "  event: %s\n  answer (- wanted, + got):\n", eventInShort(r.Case.Given))
	d := &r.Decision
	verdict := "accept"
	if !d.Accepted() {
		verdict = "refuse"
	}
	for _, part := range []struct{ key, got string }{
		{"verdict", verdict},
		{"policy", d.Policy},
		{"rule", d.Rule},
		{"code", string(d.Code)},
		{"message", d.Message},
		{"would_refuse", ""},
	} {
		mark, looks := " ", dim
		for _, diff := range r.Differences {
			if diff.Key == part.key {
				mark, looks, part.got = "+", red, diff.Got
				fmt.Fprintln(w, p.paint(green, fmt.Sprintf("    - %-12s  %s", diff.Key, rules.Printable(diff.Wanted))))
			}
		}
		if part.got != "" {
			fmt.Fprintln(w, p.paint(looks, fmt.Sprintf("    %s %-12s  %s", mark, part.key, rules.Printable(part.got))))
		}
	}
	fmt.Fprintln(w, "  steps:")
	writeTestSteps(w, "    ", r)
}

// writeTestSteps prints what was asked about a test's event.
func writeTestSteps(w io.Writer, indent string, r *policies.Result) {
	if len(r.Decision.Steps) == 0 {
		fmt.Fprintf(w, "%sno rule was asked\n", indent)
		return
	}
	writeSteps(w, indent, r.Event, &r.Decision)
}

// eventInShort tells a test's event in a line.
func eventInShort(given []policies.Given) string {
	var parts []string
	if len(given) == 0 || given[0].Key != "phase" {
		parts = append(parts, rules.PhaseStart.String())
	}
	for _, g := range given {
		text := rules.Shorten(rules.Printable(plainText(g.Value)), 200)
		if g.Key != "phase" && g.Key != "direction" {
			text = g.Key + " " + text
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// plainText returns a text as it is, and anything else as JSON.
func plainText(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(value) // A number, or a tree that was read from YAML.
	return strings.TrimSuffix(b.String(), "\n")
}
