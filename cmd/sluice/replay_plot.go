package main

import (
	"fmt"
	"time"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

// bar is a rectangle of a plot, in the plot's own units.
type bar struct {
	X, Y, Width, Height float64
	// Class is the change, Title what a reader of the bar is told.
	Class, Title string
}

// dayPlot shows the changes of each day as bars on top of each other.
type dayPlot struct {
	Width, Height float64
	Bars          []bar
	// First and Last are the days at its ends, Most is what its height stands for.
	First, Last string
	Most        int64
}

// rulePlot shows the changes by one rule as a bar that lies.
type rulePlot struct {
	Width, Height float64
	Bars          []bar
	Name          string
	Sum           int64
}

// plottedChanges are the changes that plots show, from the axis outwards.
func plottedChanges() []policies.Change {
	return []policies.Change{policies.NewlyRefused, policies.NewlyAccepted, policies.OtherReason, policies.ReasonUnknown, policies.Undecidable}
}

// plotWidth is how wide plots are in their own units: a page stretches them.
const plotWidth = 900

// mostPlotted is how many days or rules a plot has room for.
const mostPlotted, mostPlottedRules = 400, 20

// plotDays draws the days from the first with a change to the last, or the last
// of them if they are too many; nil if there is none. A day without changes has
// room too.
func plotDays(days []policies.ReplayGroup) *dayPlot {
	if len(days) == 0 {
		return nil
	}
	first, err := time.Parse(time.DateOnly, days[0].Name)
	last, errLast := time.Parse(time.DateOnly, days[len(days)-1].Name)
	if err != nil || errLast != nil {
		return nil
	}
	if earliest := last.AddDate(0, 0, 1-mostPlotted); first.Before(earliest) {
		first = earliest
	}
	shown := int(last.Sub(first)/(24*time.Hour)) + 1
	p := &dayPlot{Width: plotWidth, Height: 200, First: first.Format(time.DateOnly), Last: last.Format(time.DateOnly)}
	for i := range days {
		if at, err := time.Parse(time.DateOnly, days[i].Name); err == nil && !at.Before(first) {
			p.Most = max(p.Most, days[i].Sum())
		}
	}
	slot := p.Width / float64(shown)
	for i := range days {
		at, err := time.Parse(time.DateOnly, days[i].Name)
		if err != nil || at.Before(first) {
			continue
		}
		x, y := slot*float64(at.Sub(first)/(24*time.Hour)), p.Height
		for _, c := range plottedChanges() {
			n := days[i].Of(c)
			if n == 0 {
				continue
			}
			height := float64(n) / float64(p.Most) * p.Height
			y -= height
			p.Bars = append(p.Bars, bar{
				X: x, Y: y, Width: max(slot*0.9, 1), Height: height, Class: c.String(),
				Title: fmt.Sprintf("%s: %s %s", days[i].Name, counted(n), changeWords(c)),
			})
		}
	}
	return p
}

// plotRules draws the rules with the most changes.
func plotRules(all []policies.ReplayGroup) (plots []rulePlot) {
	all = all[:min(len(all), mostPlottedRules)]
	for i := range all {
		p := rulePlot{Width: plotWidth, Height: 12, Name: rules.Shorten(rules.Printable(all[i].Name), 100), Sum: all[i].Sum()}
		x := 0.0
		for _, c := range plottedChanges() {
			n := all[i].Of(c)
			if n == 0 {
				continue
			}
			width := max(float64(n)/float64(all[0].Sum())*p.Width, 1)
			p.Bars = append(p.Bars, bar{
				X: x, Width: width, Height: p.Height, Class: c.String(),
				Title: fmt.Sprintf("%s: %s %s", rules.Printable(all[i].Name), counted(n), changeWords(c)),
			})
			x += width
		}
		plots = append(plots, p)
	}
	return plots
}
