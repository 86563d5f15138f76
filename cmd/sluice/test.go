package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// testCmd is `sluice test`.
type testCmd struct {
	Dir             string `arg:"" optional:"" default:"policies" help:"Folder of the policy set (policies)."`
	Only            string `name:"run" help:"Run only tests whose \"FILE: NAME\" the expression matches." placeholder:"REGEXP"`
	Format          string `help:"What to print: text, json or junit (text)." placeholder:"FORMAT" enum:"text,json,junit" default:"text"`
	Verbose         bool   `short:"v" help:"Show every test with its steps, not only those that fail."`
	RequireCoverage bool   `help:"Fail if there is a rule that no test makes refuse."`
	Default         string `help:"What happens to events to which no policy applies: accept or reject (reject)." placeholder:"VERDICT" enum:",accept,reject" default:""`
	Config          string `help:"Configuration file of the service, for its default and partial_suffix. The flags win over it." placeholder:"FILE"`
}

// Help returns the long text of --help.
func (testCmd) Help() string {
	return `Runs the tests of a policy set: the files in its folder that end in _test.yaml.
Prints what came otherwise than wanted, and the rules that no test makes refuse.

Exits 0 if all is as wanted, 1 if a test failed, if there was none to run, or if
the coverage that is required is lacking, and 2 if the set or its tests do not
compile.

  sluice test policies/`
}

// Run runs the tests and prints what came of them.
func (c *testCmd) Run(ctx context.Context, std *stdio) error {
	only, options, err := c.settings()
	if err != nil {
		return mistakes(std, err, 2)
	}
	t := &tested{dir: c.Dir, verbose: c.Verbose, covers: c.Only == "", required: c.RequireCoverage}
	suites, err := t.read(options)
	if err != nil {
		return mistakesAs(std, c.Format, err, 2)
	}
	if err := t.run(ctx, suites, only); err != nil {
		return err
	}
	if err := t.write(std.out, c.Format); err != nil {
		return err
	}
	switch {
	case t.cases == 0 && c.Only != "":
		fmt.Fprintf(std.err, "sluice: no test of %s matches %s\n", c.Dir, c.Only)
		return exitError(1)
	case t.cases == 0:
		fmt.Fprintf(std.err, "sluice: there is no test in %s; write some into a file whose name ends in _test.yaml\n", c.Dir)
		return exitError(1)
	case t.failed > 0, t.lacking():
		return exitError(1)
	default:
		return nil
	}
}

// settings returns which tests to run, and how the set is compiled.
func (c *testCmd) settings() (only *regexp.Regexp, o policies.Options, err error) {
	if c.Dir == "" { // As of a variable that is not set; it would be the root of all folders.
		return nil, o, errors.New("the folder's name is empty")
	}
	if c.Only != "" && c.RequireCoverage {
		return nil, o, errors.New("--run leaves tests out, so --require-coverage cannot go with it")
	}
	if only, err = regexp.Compile(c.Only); err != nil {
		return nil, o, fmt.Errorf("--run: %w", err)
	}
	service := defaultConfig()
	if c.Config != "" {
		if service, err = readConfig(c.Config); err != nil {
			return nil, o, err
		}
	}
	if c.Default != "" {
		service.acceptByDefault = c.Default == "accept"
	}
	return only, policies.Options{
		Kinds: rules.Builtin(), AcceptByDefault: service.acceptByDefault,
		Env: rules.Env{PartialSuffix: service.partialSuffix, Scanners: policies.StandInScanner, Grants: policies.StandInGrants(), Counters: policies.StandInCounters()},
	}, nil
}

// tested is a run of the tests of a policy set.
type tested struct {
	dir      string
	snapshot *policies.Snapshot
	suites   []testedSuite

	cases, failed int
	// uncovered are the rules that no test makes refuse; they mean something
	// only if covers says that every test was run.
	uncovered                 []*rules.Rule
	verbose, covers, required bool
}

// testedSuite is a file of tests, and what came of those that were run.
type testedSuite struct {
	file    string
	results []policies.Result
	failed  int
}

// lacking reports whether the coverage that is required is not reached.
func (t *tested) lacking() bool { return t.required && len(t.uncovered) > 0 }

// read compiles the set and reads its tests. The error holds the mistakes of
// both.
func (t *tested) read(o policies.Options) ([]policies.Suite, error) {
	snapshot, err := policies.CheckDir(t.dir, o)
	suites, suitesErr := policies.ReadSuitesDir(t.dir, snapshot)
	var all document.Faults
	for _, err := range []error{err, suitesErr} {
		var faults document.Faults
		if err != nil && !errors.As(err, &faults) {
			return nil, err
		}
		all = append(all, faults...)
	}
	t.snapshot = snapshot
	return suites, all.Err()
}

// run runs the tests whose file and name match.
func (t *tested) run(ctx context.Context, suites []policies.Suite, only *regexp.Regexp) error {
	var all []policies.Result
	for i := range suites {
		suite := testedSuite{file: suites[i].File}
		cases := suites[i].Cases
		begin := len(all)
		for j := range cases {
			if !only.MatchString(cases[j].File + ": " + cases[j].Name) {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			result := cases[j].Run(ctx, t.snapshot)
			if !result.Passed() {
				suite.failed++
			}
			all = append(all, result)
		}
		if suite.results = all[begin:]; len(suite.results) > 0 {
			t.suites = append(t.suites, suite)
		}
		t.failed += suite.failed
	}
	t.cases = len(all)
	if t.covers {
		t.uncovered = policies.Uncovered(t.snapshot, all)
	}
	return nil
}

// write writes what came of the run in a format.
func (t *tested) write(w io.Writer, format string) error {
	if isSimTerminal(w) { // In colour, which what is buffered is not.
		return t.writeAs(w, format)
	}
	out := bufio.NewWriter(w)
	return errors.Join(t.writeAs(out, format), out.Flush())
}

func (t *tested) writeAs(w io.Writer, format string) error {
	switch format {
	case jsonFormat:
		return t.writeJSON(w)
	case junitFormat:
		return t.writeJUnit(w)
	default:
		t.writeText(w)
		return nil
	}
}

// fileOf returns the file of a rule, by its path from where the caller stands.
func (t *tested) fileOf(r *rules.Rule) string {
	for _, p := range t.snapshot.Policies {
		if p.Name == r.Policy {
			return filepath.Join(t.dir, p.File)
		}
	}
	return t.dir
}
