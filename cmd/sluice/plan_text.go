package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

// planText returns a plan as columns, a line a rule with what it needs below it.
func planText(plan *policies.Plan) string {
	name, kind := len("rule"), len("kind")
	for _, p := range plan.Policies {
		for _, r := range p.Rules {
			name, kind = max(name, len(r.Rule)), max(kind, len(r.Kind))
		}
	}
	var b strings.Builder
	row := func(columns ...any) {
		line := fmt.Sprintf(fmt.Sprintf("  %%-%ds  %%-%ds  %%-7s %%-7s %%-5s %%-7s %%-5s %%s", name, kind), columns...)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	row("rule", "kind", "mode", "request", "start", "running", "stop", "reads")
	for _, p := range plan.Policies {
		fmt.Fprintf(&b, "\n%s (%s)\n", p.Policy, rules.Printable(p.File))
		switch {
		case p.Mode == rules.Off.String():
			b.WriteString("  is off: nothing is asked\n")
		case len(p.Rules) == 0:
			b.WriteString("  has no rule that is not off\n")
		}
		for _, r := range p.Rules {
			row(r.Rule, r.Kind, r.Mode, asked(r, "request"), asked(r, "start"), asked(r, "running"), asked(r, "stop"), r.Cost)
			for _, text := range needs(r) {
				fmt.Fprintf(&b, "    %s\n", text)
			}
		}
	}
	writeSettings(&b, plan)
	return b.String()
}

// asked tells a phase's part in a rule.
func asked(r policies.PlannedRule, phase string) string {
	switch {
	case r.First == phase:
		return "first"
	case slices.Contains(r.Phases, phase) && phase == rules.PhaseRequest.String():
		return "limits"
	case slices.Contains(r.Phases, phase):
		return "again"
	default:
		return "-"
	}
}

// needs are the lines below a rule.
func needs(r policies.PlannedRule) []string {
	list := r.Needs
	if len(list) == 0 {
		list = []string{"no setting"}
	}
	line := "needs " + strings.Join(list, "; ")
	if r.First == rules.PhaseRequest.String() {
		line += "; on request the token endpoint asks"
	}
	return append([]string{line}, r.Notes...)
}

// writeSettings writes what the whole set needs.
func writeSettings(b *strings.Builder, plan *policies.Plan) {
	name, value := 0, 0
	for _, s := range plan.Settings {
		name, value = max(name, len(s.Name)), max(value, len(s.Value))
	}
	write := func(title string, needed bool) {
		for _, s := range plan.Settings {
			if s.Needed != needed {
				continue
			}
			b.WriteString(title)
			title = ""
			fmt.Fprintf(b, "  %-*s  %-*s  %s\n", name, s.Name, value, s.Value, settingUse(s))
		}
	}
	write("\naspera.conf must have, for this set:\n", true)
	write("\naspera.conf can have, to ask again what was decided before:\n", false)
	if len(plan.Also) > 0 {
		b.WriteString("\nand beside it:\n")
		for _, text := range plan.Also {
			fmt.Fprintf(b, "  %s\n", text)
		}
	}
	if len(plan.Unused) > 0 {
		fmt.Fprintf(b, "\nno rule is asked on: %s\n", strings.Join(plan.Unused, ", "))
	}
}

// settingUse tells for how many rules a setting is.
func settingUse(s policies.PlannedSetting) string {
	var parts []string
	if s.First > 0 {
		parts = append(parts, count(s.First, "rule"))
	}
	if s.Again > 0 {
		parts = append(parts, fmt.Sprintf("%d again", s.Again))
	}
	return strings.Join(parts, ", ")
}
