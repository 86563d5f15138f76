package main

import (
	"fmt"
	"io"

	"github.com/sluiceproject/sluice/rules"
)

// writeSteps prints what was asked about an event, a line a rule.
func writeSteps(w io.Writer, indent string, e *rules.Event, d *rules.Decision) {
	for _, s := range d.Steps {
		fmt.Fprintf(w, "%s%s/%s %s %s\n", indent, s.Rule.Policy, s.Rule.Name, s.Outcome, rules.Printable(s.Saw(e)))
	}
}
