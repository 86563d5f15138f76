package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

// junitFormat is the format in which continuous integration reads results.
const junitFormat = "junit"

// junitSuites is the root of what `sluice test --format junit` prints: a suite
// for each file of tests and, where every test was run, one named coverage.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

// junitSuite is a file of tests.
type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
	Out        *junitText      `xml:"system-out"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

// junitCase is one test. File and Line are what GitLab links to.
type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	File    string        `xml:"file,attr,omitempty"`
	Line    int           `xml:"line,attr,omitempty"`
	Failure *junitFailure `xml:"failure"`
	Out     *junitText    `xml:"system-out"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	junitText
}

type junitText struct {
	Text string `xml:",cdata"`
}

// writeJUnit prints the run as JUnit's XML, which GitLab, Jenkins and others
// show.
func (t *tested) writeJUnit(w io.Writer) error {
	root := junitSuites{Name: "sluice test " + t.dir, Tests: t.cases, Failures: t.failed}
	revision := junitProperty{"revision", t.snapshot.Revision}
	for _, s := range t.suites {
		suite := junitSuite{Name: s.file, Tests: len(s.results), Failures: s.failed, Properties: []junitProperty{revision}}
		for i := range s.results {
			suite.Cases = append(suite.Cases, junitCaseOf(&s.results[i], t.verbose))
		}
		root.Suites = append(root.Suites, suite)
	}
	if t.covers {
		coverage := t.junitCoverage()
		root.Tests, root.Failures = root.Tests+coverage.Tests, root.Failures+coverage.Failures
		root.Suites = append(root.Suites, coverage)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(root); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func junitCaseOf(r *policies.Result, verbose bool) junitCase {
	c := junitCase{Name: rules.Printable(r.Case.Name), Class: r.Case.File, File: r.Case.File, Line: r.Case.Line}
	var text strings.Builder
	switch {
	case !r.Passed():
		first := r.Differences[0]
		writeTestFailure(&text, r)
		c.Failure = &junitFailure{
			Message: rules.Printable(fmt.Sprintf("%s: wanted %s, got %s", first.Key, orNothing(first.Wanted), orNothing(first.Got))),
			Type:    "difference", junitText: *cleanText(text.String()),
		}
	case verbose:
		writeTestSteps(&text, "", r)
		c.Out = cleanText(text.String())
	}
	return c
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}

// junitCoverage tells the coverage as a suite of its own: with a test that fails
// where a coverage is required, otherwise without any.
func (t *tested) junitCoverage() junitSuite {
	s := junitSuite{Name: "coverage", Properties: []junitProperty{
		{"rules", strconv.Itoa(t.snapshot.RuleCount())},
		{"rules without a refusing test", strconv.Itoa(len(t.uncovered))},
	}}
	var text strings.Builder
	if len(t.uncovered) > 0 {
		text.WriteString("no test makes these rules refuse:\n")
		t.writeUncovered(&text)
		s.Out = cleanText(text.String())
	}
	if !t.required {
		return s
	}
	c := junitCase{Name: "a test refuses with every rule", Class: "coverage"}
	if t.lacking() {
		c.Failure = &junitFailure{
			Message: fmt.Sprintf("%d of %s without a refusing test", len(t.uncovered), count(t.snapshot.RuleCount(), "rule")),
			Type:    "coverage", junitText: *cleanText(text.String()),
		}
		s.Failures, s.Out = 1, nil
	}
	s.Tests, s.Cases = 1, []junitCase{c}
	return s
}

// cleanText returns a text that XML can hold.
func cleanText(text string) *junitText {
	return &junitText{strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' {
			return '\uFFFD'
		}
		return r
	}, text)}
}
