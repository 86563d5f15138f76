package main

import (
	"encoding/json"
	"io"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/validator"
)

// testReport is what `sluice test --format json` prints. Members may be added to
// it and its parts; those that are there keep their names and meanings.
type testReport struct {
	// Dir is the policy set's folder, Revision the set's name by its content.
	Dir      string `json:"dir"`
	Revision string `json:"revision"`
	// Cases is how many tests were run, Failed how many of them failed.
	Cases  int `json:"cases"`
	Failed int `json:"failed"`
	// Coverage is absent where --run left tests out.
	Coverage *testCoverage `json:"coverage,omitempty"`
	// Suites are the files of tests, in the order of their names.
	Suites []testSuiteReport `json:"suites"`
}

// testCoverage tells which rules no test makes refuse.
type testCoverage struct {
	// Rules is how many rules the set has that are not off.
	Rules int `json:"rules"`
	// Required says that the run fails while there is a rule in Uncovered.
	Required bool `json:"required"`
	// Uncovered are the rules that no test makes refuse or, in shadow mode, would
	// have made refuse.
	Uncovered []testRule `json:"uncovered"`
}

// testRule is a rule of the set.
type testRule struct {
	Policy string `json:"policy"`
	Rule   string `json:"rule"`
	// File is where its policy is written.
	File string `json:"file"`
	// Mode is enforce or shadow.
	Mode string `json:"mode"`
}

// testSuiteReport is one file of tests.
type testSuiteReport struct {
	File string `json:"file"`
	// Failed is how many tests of the file failed.
	Failed int              `json:"failed"`
	Cases  []testCaseReport `json:"cases"`
}

// testCaseReport is one test.
type testCaseReport struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	// Line is where the test begins in its file.
	Line   int  `json:"line"`
	Passed bool `json:"passed"`
	// Event is what the event says: the test's own keys over the defaults.
	Event map[string]any `json:"event"`
	// Answer is what ascp would get.
	Answer testAnswer `json:"answer"`
	// Differences are what came otherwise than wanted.
	Differences []policies.Difference `json:"differences,omitempty"`
	// Steps are the rules that were asked, in order: of tests that failed, and
	// with --verbose of all.
	Steps []validator.ExplainedRule `json:"steps,omitempty"`
}

// testAnswer is a decision. What is empty when the event is accepted is absent.
type testAnswer struct {
	// Verdict is accept or refuse.
	Verdict string `json:"verdict"`
	Policy  string `json:"policy,omitempty"`
	Rule    string `json:"rule,omitempty"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// writeJSON prints a testReport.
func (t *tested) writeJSON(w io.Writer) error {
	report := testReport{
		Dir: t.dir, Revision: t.snapshot.Revision, Cases: t.cases, Failed: t.failed,
		Suites: make([]testSuiteReport, 0, len(t.suites)),
	}
	if t.covers {
		report.Coverage = &testCoverage{Rules: t.snapshot.RuleCount(), Required: t.required, Uncovered: []testRule{}}
		for _, r := range t.uncovered {
			report.Coverage.Uncovered = append(report.Coverage.Uncovered, testRule{
				Policy: r.Policy, Rule: r.Name, File: t.fileOf(r), Mode: r.Mode.String(),
			})
		}
	}
	for _, s := range t.suites {
		suite := testSuiteReport{File: s.file, Failed: s.failed, Cases: make([]testCaseReport, 0, len(s.results))}
		for i := range s.results {
			suite.Cases = append(suite.Cases, caseReport(&s.results[i], t.verbose))
		}
		report.Suites = append(report.Suites, suite)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(report)
}

func caseReport(r *policies.Result, verbose bool) testCaseReport {
	d := &r.Decision
	report := testCaseReport{
		Name: r.Case.Name, Description: r.Case.Description, Line: r.Case.Line, Passed: r.Passed(),
		Event: map[string]any{"phase": r.Event.Phase.String()},
		Answer: testAnswer{
			Verdict: "accept", Policy: d.Policy, Rule: d.Rule, Code: string(d.Code), Message: d.Message,
		},
		Differences: r.Differences,
	}
	if !d.Accepted() {
		report.Answer.Verdict = "refuse"
	}
	for _, g := range r.Case.Given {
		report.Event[g.Key] = g.Value
	}
	if verbose || !r.Passed() {
		report.Steps = validator.ExplainSteps(r.Event, d)
	}
	return report
}
