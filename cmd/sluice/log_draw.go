package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/sluiceproject/sluice/rules"
)

// The width of a drawing, in columns.
const (
	usualWidth = 80
	leastWidth = 40
	mostWidth  = 200
)

// widthOf returns how many columns a drawing has.
func widthOf(out io.Writer) int {
	width := usualWidth
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil {
		width = n
	}
	if file, ok := out.(*os.File); ok {
		if n, _, err := term.GetSize(int(file.Fd())); err == nil && n > 0 {
			width = n
		}
	}
	return min(max(width, leastWidth), mostWidth)
}

// logBar draws a part of a whole in eighths of a column. What is not nothing has at
// least one.
func logBar(part, whole int64, columns int) string {
	if part <= 0 || whole <= 0 {
		return ""
	}
	eighths := max(int(float64(part)/float64(whole)*float64(columns*8)+0.5), 1)
	text := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		text += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return text
}

// drawStats draws what was counted.
func drawStats(to io.Writer, told *logStats, width int, p painter) error {
	var b strings.Builder
	if told.Decisions == 0 {
		b.WriteString("no decisions\n")
	} else {
		fmt.Fprintf(&b, "%s, %d of them refused (%s), from %s to %s\n", count(int(told.Decisions), "decision"), told.Refused, told.share(),
			told.From.Format(shownTime), told.To.Format(shownTime))
	}
	for i := range told.Groups {
		drawGroup(&b, &told.Groups[i], told.Refused, width, p)
	}
	_, err := io.WriteString(to, b.String())
	return err
}

// titleOf returns what stands above a group.
func titleOf(g *logGroup) string {
	if g.By == "time" {
		return "refused over time, by " + stepName(time.Duration(g.Step)*time.Second)
	}
	if onlyRefused(g.By) {
		return "refused by " + g.By + ", and the share of all refused"
	}
	return "refused by " + g.By + ", and the share of its decisions"
}

// onlyRefused reports whether nothing but refusals is counted under a name.
func onlyRefused(by string) bool {
	return slices.Contains([]string{"policy", "rule", "code", "kind"}, by)
}

func stepName(step time.Duration) string {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		name   string
		length time.Duration
	}{{"week", 7 * day}, {"day", day}, {"hour", time.Hour}, {"minute", time.Minute}} {
		if n := step / unit.length; step%unit.length == 0 {
			if n == 1 {
				return unit.name
			}
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return step.String()
}

// drawGroup draws a line a value: what was refused, of how many, and a bar.
func drawGroup(b *strings.Builder, g *logGroup, refused int64, width int, p painter) {
	fmt.Fprintf(b, "\n%s\n", p.paint(bold, titleOf(g)))
	names := make([]string, len(g.Values))
	nameWidth, most, digits := 0, int64(0), 1
	for i, v := range g.Values {
		names[i] = nameOf(g, v.Value, width/3)
		nameWidth = max(nameWidth, utf8.RuneCountInString(names[i]))
		most, digits = max(most, v.Refused), max(digits, len(strconv.FormatInt(v.Refused, 10)))
	}
	if len(g.Values) == 0 {
		b.WriteString("  none\n")
	}
	room := max(width-2-nameWidth-2-digits-2-6-2, 6)
	for i, v := range g.Values {
		share := v.share()
		if onlyRefused(g.By) {
			share = logCount{Decisions: refused, Refused: v.Refused}.share()
		}
		line := fmt.Sprintf("  %s%s  %*d  %6s  %s", names[i], strings.Repeat(" ", nameWidth-utf8.RuneCountInString(names[i])), digits, v.Refused, share,
			p.paint(red, logBar(v.Refused, most, room)))
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	if o := g.Others; o != nil {
		fmt.Fprintf(b, "  %s\n", p.paint(dim, fmt.Sprintf("and %s more, %d refused of %d", count(o.Values, "value"), o.Refused, o.Decisions)))
	}
}

// nameOf returns what stands before a bar.
func nameOf(g *logGroup, value string, most int) string {
	if g.By != "time" {
		return rules.Shorten(rules.Printable(value), most)
	}
	t, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return value
	}
	if g.Step >= int64(24*time.Hour/time.Second) {
		return t.Format(time.DateOnly)
	}
	return t.Format("2006-01-02 15:04")
}
