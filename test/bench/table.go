//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// target is what is asked of a figure; zero members ask nothing.
type target struct{ least, most float64 }

func (t target) text(format func(float64) string) string {
	switch {
	case t.least != 0:
		return "≥ " + format(t.least)
	case t.most != 0:
		return "≤ " + format(t.most)
	default:
		return "–"
	}
}

func (t target) reached(v float64) string {
	switch {
	case t == target{}:
		return "–"
	case t.least != 0 && v < t.least, t.most != 0 && v > t.most:
		return "no"
	default:
		return "yes"
	}
}

// row is one line of the table.
type row [8]string

// compared returns the row of a measure that two servers have in turns. The
// ratio is the median of those of the rounds.
func compared(name string, m measure, samples [][2]sample) row {
	var base, with, ratios []float64
	for _, pair := range samples {
		a, b := m.of(pair[0]), m.of(pair[1])
		base, with, ratios = append(base, a), append(with, b), append(ratios, b/a)
	}
	ratio := median(ratios)
	return row{
		name, m.name, m.format(median(base)), m.format(median(with)), factor(ratio),
		factor(slices.Min(ratios)) + "–" + factor(slices.Max(ratios)), m.target.text(factor), m.target.reached(ratio),
	}
}

// alone returns the row of a measure that only sluice has.
func alone(name, what string, values []float64, format func(float64) string, t target) row {
	spread := "–"
	if len(values) > 1 {
		spread = format(slices.Min(values)) + "–" + format(slices.Max(values))
	}
	return row{name, what, "–", format(median(values)), "–", spread, t.text(format), t.reached(median(values))}
}

func factor(v float64) string { return fmt.Sprintf("%.2f", v) }

// median returns the middle one of at least one value, or the mean of the two.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// printTable prints the rows as Markdown that reads as a table without being
// rendered.
func printTable(out io.Writer, rows []row) {
	head := row{"case", "measure", "floor¹", "sluice", "ratio²", "min–max", "target", "reached"}
	var widths, rule row
	for column := range head {
		width := utf8.RuneCountInString(head[column])
		for _, r := range rows {
			width = max(width, utf8.RuneCountInString(r[column]))
		}
		widths[column], rule[column] = strings.Repeat(" ", width), strings.Repeat("-", width)
	}
	for _, r := range append([]row{head, rule}, rows...) {
		for column, text := range r {
			fmt.Fprintf(out, "| %s%s ", text, widths[column][utf8.RuneCountInString(text):])
		}
		fmt.Fprintln(out, "|")
	}
	fmt.Fprint(out, "\n¹ A bare echo handler that reads the body and answers 200; in the case of 10 → 10,000 policies, sluice with 10; in the cases about scanners, sluice with nothing to scan.\n",
		"² Median of the ratios of the rounds, and the least and the greatest of them; without a ratio, those of sluice's own figures.\n")
}
