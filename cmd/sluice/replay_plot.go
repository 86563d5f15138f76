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

// plotLabel is a text of a plot.
type plotLabel struct {
	X, Y float64
	Text string
}

// dayPlot shows the changes of each day as bars on top of each other.
type dayPlot struct {
	Width, Height, Base float64
	Bars                []bar
	Labels              []plotLabel
	Most                int64
}

// rulePlot shows the changes by each rule as bars that lie.
type rulePlot struct {
	Width, Height float64
	Bars          []bar
	Labels        []plotLabel
}

// plottedChanges are the changes that plots show, from the axis outwards.
func plottedChanges() []policies.Change {
	return []policies.Change{policies.NewlyRefused, policies.NewlyAccepted, policies.OtherReason, policies.ReasonUnknown, policies.Undecidable}
}

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
	p := &dayPlot{Width: 900, Height: 240, Base: 205}
	for i := range days {
		p.Most = max(p.Most, days[i].Sum())
	}
	slot := (p.Width - 70) / float64(shown)
	for i := range days {
		at, err := time.Parse(time.DateOnly, days[i].Name)
		if err != nil || at.Before(first) {
			continue
		}
		x, y := 60+slot*float64(at.Sub(first)/(24*time.Hour)), p.Base
		for _, c := range plottedChanges() {
			n := days[i].Of(c)
			if n == 0 {
				continue
			}
			height := float64(n) / float64(p.Most) * (p.Base - 15)
			y -= height
			p.Bars = append(p.Bars, bar{
				X: x, Y: y, Width: max(slot*0.9, 1), Height: height, Class: c.String(),
				Title: fmt.Sprintf("%s: %s %s", days[i].Name, counted(n), changeWords(c)),
			})
		}
	}
	p.Labels = append(p.Labels, plotLabel{60, 225, first.Format(time.DateOnly)})
	if shown > 1 {
		p.Labels = append(p.Labels, plotLabel{p.Width - 80, 225, last.Format(time.DateOnly)})
	}
	return p
}

// plotRules draws the rules with the most changes; nil if there is none.
func plotRules(all []policies.ReplayGroup) *rulePlot {
	if len(all) == 0 {
		return nil
	}
	all = all[:min(len(all), mostPlottedRules)]
	p := &rulePlot{Width: 900, Height: float64(len(all))*34 + 6}
	most := all[0].Sum()
	for i := range all {
		y := float64(i) * 34
		p.Labels = append(p.Labels, plotLabel{0, y + 13, fmt.Sprintf("%s: %s", rules.Shorten(rules.Printable(all[i].Name), 100), counted(all[i].Sum()))})
		x := 0.0
		for _, c := range plottedChanges() {
			n := all[i].Of(c)
			if n == 0 {
				continue
			}
			width := float64(n) / float64(most) * p.Width
			p.Bars = append(p.Bars, bar{
				X: x, Y: y + 18, Width: max(width, 1), Height: 12, Class: c.String(),
				Title: fmt.Sprintf("%s: %s %s", rules.Printable(all[i].Name), counted(n), changeWords(c)),
			})
			x += width
		}
	}
	return p
}
