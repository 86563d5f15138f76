package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// policyOf writes a policy set of one file, and returns its folder.
func policyOf(t *testing.T, text string) string {
	t.Helper()
	return filepath.Dir(written(t, "10-test.yaml", text))
}

// goodPolicy refuses programs and nothing else.
const goodPolicy = `version: 1
policy: test
rules:
  - name: no-programs
    extension: {deny: [exe]}
    message: "{name} is a program."
`

// badPolicy has three mistakes.
const badPolicy = `version: 1
polcy: test
rules:
  - name: no-programs
    extension: {deny: [exe]}
    mode: shadwo
`

// ran is what one command line did.
type ran struct {
	status   int
	out, err string
}

func runs(t *testing.T, args ...string) ran {
	t.Helper()
	var out, errs bytes.Buffer
	status := run(t.Context(), args, &stdio{in: strings.NewReader(""), out: &out, err: &errs})
	return ran{status, out.String(), errs.String()}
}

func TestExitStatus(t *testing.T) {
	good, bad, empty := policyOf(t, goodPolicy), policyOf(t, badPolicy), t.TempDir()
	badConfig := written(t, "sluice.yaml", "lisen: a\n")
	taken := hold(t)
	for _, tc := range []struct {
		name     string
		args     []string
		status   int
		out, err string // a part of what is written
	}{
		{"help", []string{"--help"}, 0, "Usage: sluice <command>", ""},
		{"help of a command", []string{"check", "--help"}, 0, "Exits 0 if there is none, 1 if there are some.", ""},
		{"help of serve", []string{"serve", "--help"}, 0, "--listen=ADDRESS", ""},
		{"version", []string{"version"}, 0, "sluice " + version + " (go1.", ""},
		{"nothing", nil, 2, "", "sluice: expected one of"},
		{"an unknown command", []string{"chekc"}, 2, "", `sluice: unexpected argument chekc, did you mean "check"?`},
		{"an unknown flag", []string{"serve", "--lissen=a"}, 2, "", "sluice: unknown flag --lissen"},
		{"where help is", []string{"chekc"}, 2, "", `Run "sluice --help" for what there is`},
		{"a verdict that is none", []string{"serve", "--default=maybe"}, 2, "", "sluice: --default must be one of"},

		{"check: good", []string{"check", good}, 0, good + ": 1 policy, 1 rule, revision ", ""},
		{"check: the shipped policies", []string{"check", "../../policies/examples"}, 0, "3 policies, ", ""},
		{"check: bad", []string{"check", bad}, 1, "", "3 mistakes in " + bad},
		{"check: nothing in it", []string{"check", empty}, 1, "", "there is no policy here"},
		{"check: no folder", []string{"check", filepath.Join(empty, "x")}, 1, "", "the policy set cannot be read: no such file or directory"},
		{"check: which folder", []string{"check"}, 2, "", "sluice: expected \"<dir>\""},
		{"check: an empty name", []string{"check", ""}, 2, "", "sluice: the folder's name is empty"},

		{"serve: bad policies", []string{"serve", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--policies", bad}, 1, "", `:6:11: "mode" cannot be "shadwo"`},
		{"serve: bad configuration", []string{"serve", "--config", badConfig}, 1, "", badConfig + `:1:1: unknown key "lisen"; did you mean "listen"?`},
		{"serve: no configuration", []string{"serve", "--config", badConfig + "x"}, 1, "", "the configuration cannot be read: no such file or directory"},
		{"serve: an empty address", []string{"serve", "--listen="}, 2, "", "sluice: --listen is empty"},
		{"serve: no address", []string{"serve", "--listen=here", "--policies", good}, 2, "", "sluice: --listen: listen tcp: address here: missing port in address"},
		{"serve: an address that is taken", []string{"serve", "--listen", taken, "--policies", good}, 2, "", "sluice: --listen: listen tcp " + taken + ": bind: address already in use"},
		{"serve: an admin address that is taken", []string{"serve", "--listen=127.0.0.1:0", "--admin", taken, "--policies", good}, 2, "", "sluice: --admin: listen tcp " + taken + ": bind: address already in use"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			noLeaks(t)
			got := runs(t, tc.args...)
			if got.status != tc.status || !strings.Contains(got.out, tc.out) || !strings.Contains(got.err, tc.err) || (tc.out == "") != (got.out == "") {
				t.Errorf("status %d, want %d\n%s\n%s", got.status, tc.status, got.out, got.err)
			}
			if got.status == 0 && got.err != "" {
				t.Errorf("on standard error: %s", got.err)
			}
		})
	}
}

// TestCheckPrintsEveryMistakeWithItsPlace and a caret below it.
func TestCheckPrintsEveryMistakeWithItsPlace(t *testing.T) {
	folder := policyOf(t, badPolicy)
	file := filepath.Join(folder, "10-test.yaml")
	want := file + `:1:1: the document lacks the key "policy"
    1 | version: 1
        ^
` + file + `:2:1: unknown key "polcy"; did you mean "policy"?
    2 | polcy: test
        ^
` + file + `:6:11: "mode" cannot be "shadwo"; it is one of enforce, shadow, off; did you mean "shadow"?
    6 |     mode: shadwo
                  ^
3 mistakes in ` + folder + "\n"
	if diff := cmp.Diff(want, runs(t, "check", folder).err); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestServePrintsTheSameMistakes as check, but for the sum.
func TestServePrintsTheSameMistakes(t *testing.T) {
	folder := policyOf(t, badPolicy)
	checked := runs(t, "check", folder).err
	served := runs(t, "serve", "--policies", folder).err
	if !strings.HasPrefix(checked, served) || served == "" {
		t.Errorf("check:\n%s\nserve:\n%s", checked, served)
	}
}

// TestARunThatPanicsIsNotHidden: only the parser's own way out is caught.
func TestARunThatPanicsIsNotHidden(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a panic became an exit status")
		}
	}()
	run(context.Background(), []string{"version"}, &stdio{in: nil, out: panicking{}, err: os.Stderr})
}

// panicking is a terminal with a fault.
type panicking struct{}

// Write implements io.Writer.
func (panicking) Write([]byte) (int, error) { panic("a fault") }

func TestCount(t *testing.T) {
	for want, got := range map[string]string{
		"0 rules": count(0, "rule"), "1 rule": count(1, "rule"), "2 rules": count(2, "rule"),
		"1 policy": count(1, "policy", "policies"), "0 policies": count(0, "policy", "policies"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
