package main

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

const (
	// diffNamed is how many values of a list the text names.
	diffNamed = 5
	// diffValue is the longest value that it shows in full, in bytes.
	diffValue = 160
)

// diffPlain matches a text that needs no quotes to be told from what is around it.
var diffPlain = regexp.MustCompile(`^[\pL\pN_./*@%-][\pL\pN_./*@%:{}<>=!?&|()\[\]~^+ -]*$`)

// diffWriter prints a difference for a person.
type diffWriter struct {
	out   io.Writer
	paint painter
}

// writeDiffText prints what differs.
func writeDiffText(w io.Writer, d *policies.SetDifference) {
	t := diffWriter{out: w, paint: newPainter(w)}
	if d.Same() {
		fmt.Fprintln(w, "nothing differs")
		return
	}
	for i := range d.Policies {
		t.policy(&d.Policies[i])
	}
	t.moved("", d.PoliciesMoved, "among the policies")
	for i := range d.Clients {
		t.client(&d.Clients[i])
	}
	for i := range d.Files {
		t.file(&d.Files[i])
	}
	t.tests(d.Tests)
	if len(d.TextOnly) > 0 {
		fmt.Fprintf(w, "only the text differs: %s (%s)\n", count(len(d.TextOnly), "file"), printableList(d.TextOnly, diffNamed))
	}
	if d.SameMeaning() {
		fmt.Fprintln(w, "nothing that decides has changed")
	}
}

// sign is what stands before what was added, removed or changed.
func (t *diffWriter) sign(change string) string {
	switch change {
	case policies.Added:
		return t.paint.paint(green, "+")
	case policies.Removed:
		return t.paint.paint(red, "-")
	default:
		return t.paint.paint(yellow, "~")
	}
}

func (t *diffWriter) policy(p *policies.PolicyDifference) {
	fmt.Fprintf(t.out, "%s policy %s %s (%s)\n", t.sign(p.Change), rules.Printable(p.Policy), p.Change, rules.Printable(p.File))
	t.settings("    ", p.Change, p.Settings)
	for i := range p.Rules {
		r := &p.Rules[i]
		fmt.Fprintf(t.out, "  %s rule %s %s (%s)\n", t.sign(r.Change), rules.Printable(r.Rule), r.Change, rules.Printable(r.Kind))
		t.settings("      ", r.Change, r.Settings)
	}
	t.moved("  ", p.RulesMoved, "among the rules")
}

func (t *diffWriter) moved(indent string, names []string, among string) {
	for _, name := range names {
		fmt.Fprintf(t.out, "%s%s %s moved %s: the reason of a refusal may be another, the outcome is not\n", indent, t.sign(policies.Changed), rules.Printable(name), among)
	}
}

func (t *diffWriter) client(c *policies.ClientDifference) {
	fmt.Fprintf(t.out, "%s client %s %s (%s)\n", t.sign(c.Change), rules.Printable(c.Client), c.Change, rules.Printable(c.File))
	if c.Password {
		fmt.Fprintln(t.out, "    password changed")
	}
	t.settings("    ", c.Change, c.Settings)
}

// settings prints settings, a line each. Of what was added or removed there is one
// value of each.
func (t *diffWriter) settings(indent, change string, list []policies.SettingDifference) {
	for i := range list {
		s := &list[i]
		value := valueText(s.Was) + " -> " + valueText(s.Is)
		switch {
		case s.AddedCount+s.RemovedCount > 0 && change == policies.Changed:
			value = listText(s)
		case s.AddedCount > 0:
			value = valuesText(s.Added, s.AddedCount)
		case s.RemovedCount > 0:
			value = valuesText(s.Removed, s.RemovedCount)
		case change == policies.Added:
			value = valueText(s.Is)
		case change == policies.Removed:
			value = valueText(s.Was)
		}
		fmt.Fprintf(t.out, "%s%s: %s\n", indent, rules.Printable(s.Key), value)
	}
}

// listText tells what became of a list. Where it took the place of one value, or gave
// way to one, it tells that, too.
func listText(s *policies.SettingDifference) string {
	var parts []string
	if s.Was != nil {
		parts = append(parts, "no longer "+valueText(s.Was))
	}
	if s.AddedCount > 0 {
		parts = append(parts, "added "+valuesText(s.Added, s.AddedCount))
	}
	if s.RemovedCount > 0 {
		parts = append(parts, "removed "+valuesText(s.Removed, s.RemovedCount))
	}
	if s.Is != nil {
		parts = append(parts, "now "+valueText(s.Is))
	}
	return strings.Join(parts, "; ")
}

func valuesText(first []json.RawMessage, all int) string {
	var texts []string
	for i := range first[:min(diffNamed, len(first))] {
		texts = append(texts, valueText(first[i]))
	}
	return andMore(texts, all)
}

func andMore(texts []string, all int) string {
	text := strings.Join(texts, ", ")
	if more := all - len(texts); more > 0 {
		text += fmt.Sprintf(" and %s more", counted(int64(more)))
	}
	return text
}

// valueText writes a value; none is (nothing).
func valueText(raw json.RawMessage) string {
	if raw == nil {
		return "(nothing)"
	}
	shown := string(raw)
	var text string
	if json.Unmarshal(raw, &text) == nil && diffPlain.MatchString(text) {
		shown = text
	}
	return rules.Printable(rules.Shorten(shown, diffValue))
}

func (t *diffWriter) file(f *policies.FileDifference) {
	fmt.Fprintf(t.out, "%s file %s %s", t.sign(f.Change), rules.Printable(f.File), f.Change)
	if f.Entries {
		fmt.Fprintf(t.out, ": %s added, %s removed", countOf(f.AddedCount, "entry", "entries"), counted(int64(f.RemovedCount)))
	}
	fmt.Fprintln(t.out)
	for _, part := range []struct {
		change string
		first  []string
		all    int
	}{{policies.Added, f.Added, f.AddedCount}, {policies.Removed, f.Removed, f.RemovedCount}} {
		if part.all > 0 {
			fmt.Fprintf(t.out, "    %s %s\n", t.sign(part.change), andMore(shownNames(part.first, diffNamed), part.all))
		}
	}
	t.settings("    ", f.Change, f.Settings)
}

// countOf writes a number with commas and its noun.
func countOf(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return counted(int64(n)) + " " + more
}

func (t *diffWriter) tests(list []policies.TestDifference) {
	const most = 20
	for i := range list[:min(most, len(list))] {
		fmt.Fprintf(t.out, "%s test %s: %s %s\n", t.sign(list[i].Change), rules.Printable(list[i].File), rules.Printable(list[i].Test), list[i].Change)
	}
	if more := len(list) - most; more > 0 {
		fmt.Fprintf(t.out, "  and %s more\n", counted(int64(more)))
	}
}

// shownNames returns the first names, as a terminal shows them.
func shownNames(names []string, most int) []string {
	shown := make([]string, 0, most)
	for _, name := range names[:min(most, len(names))] {
		shown = append(shown, rules.Printable(rules.Shorten(name, diffValue)))
	}
	return shown
}

func printableList(names []string, most int) string {
	return andMore(shownNames(names, most), len(names))
}
