package aspera

import (
	"cmp"
	"slices"
)

// Severity says how bad a finding is.
type Severity string

// The severities. With an error, files can pass that nobody has validated, or
// transfers end that should not; a warning is to be looked at; a note is to be known.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// Finding is one thing that was found in an aspera.conf.
type Finding struct {
	File string `json:"file"`
	// Line and Column count from 1. What is missing is placed where it should be.
	Line     int      `json:"line"`
	Column   int      `json:"column"`
	Severity Severity `json:"severity"`
	// Code names the kind of finding; it does not change.
	Code string `json:"code"`
	// Setting is the option that it is about, by asconfigurator's name; it may be
	// empty.
	Setting string `json:"setting,omitempty"`
	// Message says what is wrong, and Effect what happens for that.
	Message string `json:"message"`
	Effect  string `json:"effect"`
	// Mend says how to mend it: calls of asconfigurator, or what else to do.
	Mend []string `json:"mend,omitempty"`
	// Who are the users, "group NAME" and "everybody else" that it is about; empty
	// where it is about the server.
	Who []string `json:"who,omitempty"`
}

// Effective is what holds for one user, for members of a group who have no settings
// of their own, or for everybody else. Values that are not set are empty.
type Effective struct {
	Who          string `json:"who"`
	URI          string `json:"validation_uri"`
	Start        string `json:"validation_file_start"`
	Threshold    string `json:"validation_threshold"`
	ThresholdKB  string `json:"validation_threshold_kb"`
	Stop         string `json:"validation_file_stop"`
	Threads      string `json:"validation_threads"`
	TransfersIn  string `json:"authorization_transfer_in_value"`
	TransfersOut string `json:"authorization_transfer_out_value"`
	Docroot      string `json:"docroot"`
}

// Report is what was found.
type Report struct {
	// Findings are in the order of the file.
	Findings []Finding
	// More is how many findings there are beside the first thousand.
	More int
	// Effective are everybody else, then the groups, then the users.
	Effective []Effective
}

// Count returns how many findings have a severity.
func (r *Report) Count(s Severity) (n int) {
	for i := range r.Findings {
		if r.Findings[i].Severity == s {
			n++
		}
	}
	return n
}

const mostFindings = 1000

// key tells findings apart that differ in more than whom they are about.
type key struct {
	code, setting, message string
	place                  Place
}

// add adds a finding, or one more whom an earlier one is about.
func (c *checker) add(f *Finding, at Place, who string) {
	k := key{f.Code, f.Setting, f.Message, at}
	i, known := c.index[k]
	if !known {
		if len(c.report.Findings) == mostFindings {
			c.report.More++
			return
		}
		f.File, f.Line, f.Column = c.conf.File, at.Line, at.Column
		i = len(c.report.Findings)
		c.index[k] = i
		c.report.Findings = append(c.report.Findings, *f)
	}
	if who != "" && !slices.Contains(c.report.Findings[i].Who[max(0, len(c.report.Findings[i].Who)-1):], who) {
		c.report.Findings[i].Who = append(c.report.Findings[i].Who, who)
	}
}

// sort puts the findings into the order of the file.
func (r *Report) sort() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Setting, b.Setting))
	})
}
