package main

import (
	"os"
	"strings"
)

// branch is a line of a tree, with notes below it and lines that hang from it.
type branch struct {
	text     string
	notes    []string
	branches []branch
}

// draw appends the lines that hang from a branch, each behind before.
func (b *branch) draw(to *strings.Builder, before string) {
	for i := range b.branches {
		child, fork, line := &b.branches[i], "├─ ", "│  "
		if i == len(b.branches)-1 {
			fork, line = "└─ ", "   "
		}
		to.WriteString(before + fork + child.text + "\n")
		rest := before + line
		for _, note := range child.notes {
			if len(child.branches) > 0 {
				note = "│ " + note
			} else {
				note = "  " + note
			}
			to.WriteString(rest + note + "\n")
		}
		child.draw(to, rest)
	}
}

// painter colours texts for a terminal. Its zero value does not.
type painter struct{ colours bool }

// newPainter returns a painter that colours if out is a terminal that takes it,
// and nobody has asked for no colours.
func newPainter(out any) painter {
	return painter{colours: isSimTerminal(out) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// colour is a sequence that switches a terminal's looks.
type colour string

// The colours that are used.
const (
	red    colour = "\x1b[31m"
	green  colour = "\x1b[32m"
	yellow colour = "\x1b[33m"
	bold   colour = "\x1b[1m"
	dim    colour = "\x1b[2m"
	plain  colour = "\x1b[0m"
)

// paint returns a text in a colour.
func (p painter) paint(c colour, text string) string {
	if !p.colours || text == "" {
		return text
	}
	return string(c) + text + string(plain)
}
