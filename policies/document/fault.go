package document

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one mistake in one file.
type Fault struct {
	// File is the name by which the reader knows the file.
	File string
	// Line and Column count from 1; Column counts characters. Both are 0 when
	// the fault is in the file as a whole.
	Line, Column int
	// Message says what is wrong, Hint what was probably meant (or nothing).
	Message, Hint string
	// Source is the text of the line, without its end.
	Source string
}

// Error returns the fault in one line: file:line:column: message; hint.
func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
		if f.Column > 0 {
			fmt.Fprintf(&b, ":%d", f.Column)
		}
	}
	b.WriteString(": " + f.Message)
	if f.Hint != "" {
		b.WriteString("; " + f.Hint)
	}
	return b.String()
}

// Excerpt returns the source line and, below it, a caret at the column. It is
// empty for a fault in the file as a whole.
func (f Fault) Excerpt() string {
	if f.Line == 0 || f.Source == "" {
		return ""
	}
	line := fmt.Sprintf("%5d | %s\n", f.Line, strings.ReplaceAll(f.Source, "\t", " "))
	if f.Column < 1 {
		return line
	}
	return line + strings.Repeat(" ", 7+f.Column) + "^\n"
}

// Faults are all mistakes of a set of files. As an error they are their lines.
type Faults []Fault

// Error returns the faults, a line each.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Error()
	}
	return strings.Join(lines, "\n")
}

// Sorted returns the faults in the order of files, lines and columns, each once.
func (f Faults) Sorted() Faults {
	slices.SortStableFunc(f, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(f)
}

// Err returns the faults as an error, or nil if there are none.
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	return f.Sorted()
}
