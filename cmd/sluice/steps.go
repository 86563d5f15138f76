package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// outcome is how a person is told what came of a rule.
type outcome struct {
	symbol, words string
	colour        colour
}

// outcomeOf returns how an outcome is told.
func outcomeOf(name string) outcome {
	switch name {
	case rules.Passed.String():
		return outcome{"✓", "passed", green}
	case rules.Refused.String():
		return outcome{"✗", "refused", red}
	case rules.WouldRefuse.String():
		return outcome{"!", "would refuse", yellow}
	case rules.RefusedOnError.String():
		return outcome{"✗", "refused, cannot tell", red}
	case rules.WouldRefuseOnError.String():
		return outcome{"!", "would refuse, cannot tell", yellow}
	case rules.AcceptedOnError.String():
		return outcome{"?", "let pass, cannot tell", yellow}
	case rules.Skipped.String():
		return outcome{"–", "skipped", dim}
	default:
		return outcome{"·", "not asked", dim}
	}
}

// ruleBranch tells what came of a rule: under the name that is given, its
// columns padded to the widths.
func ruleBranch(r *validator.ExplainedRule, p painter, name string, nameWidth, kindWidth int) branch {
	o := outcomeOf(r.Outcome)
	words := o.words
	if r.Mode == rules.Shadow.String() {
		words += " (shadow)"
	}
	text := fmt.Sprintf("%s %-*s  %-*s  %s", p.paint(o.colour, o.symbol), nameWidth, name, kindWidth, r.Kind, p.paint(o.colour, words))
	switch {
	case r.Why != "":
		text += p.paint(dim, ": "+r.Why)
	case r.When != "":
		text += p.paint(dim, ": not true for this event: ") + r.When
	case r.Saw != "":
		text += ": " + r.Saw
	}
	b := branch{text: text}
	if r.Code != "" {
		b.notes = append(b.notes, r.Code+" "+r.Message)
	}
	if r.Coverage != "" {
		b.notes = append(b.notes, coverageNote(r))
	}
	if r.Error != "" {
		b.notes = append(b.notes, p.paint(dim, "because ")+r.Error)
	}
	return b
}

// coverageNote tells how far a look into the file got.
func coverageNote(r *validator.ExplainedRule) string {
	of := ""
	if r.Total != nil {
		of = " of " + rules.FormatSize(*r.Total)
	}
	note := fmt.Sprintf("looked at %s%s in %s: %s", rules.FormatSize(*r.Inspected), of, time.Duration(r.TookUS)*time.Microsecond, r.Coverage)
	if r.Reason != "" {
		note += " (" + strings.ReplaceAll(r.Reason, "_", " ") + ")"
	}
	return note
}

// writeSteps prints what was asked about an event, a line a rule, with what it
// said on lines below.
func writeSteps(w io.Writer, indent string, e *rules.Event, d *rules.Decision) {
	steps := validator.ExplainSteps(e, d)
	names, nameWidth, kindWidth := make([]string, len(steps)), 0, 0
	for i := range steps {
		names[i] = steps[i].Policy + "/" + steps[i].Rule
		nameWidth, kindWidth = max(nameWidth, len(names[i])), max(kindWidth, len(steps[i].Kind))
	}
	for i := range steps {
		b := ruleBranch(&steps[i], newPainter(w), names[i], nameWidth, kindWidth)
		fmt.Fprintf(w, "%s%s\n", indent, b.text)
		if len(b.notes) > 0 {
			fmt.Fprintf(w, "%s    %s\n", indent, strings.Join(b.notes, "\n"+indent+"    "))
		}
	}
}
