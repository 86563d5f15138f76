package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the command line as the scripts say. They know these commands
// beside those of testscript:
//
//	fails STATUS COMMAND…   runs a command that must exit with a status
//	serve DIR               serves policies; $SERVICE and $ADMIN are its URLs
//	cmpfiles stdout FILE    compares the lines about files, in any order
func TestScripts(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts (%v)", err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+env.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fails": scriptFails, "serve": scriptServe, "cmpfiles": scriptCompareFiles,
		},
	})
}

func scriptFails(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	status := 0
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(status) != args[0] {
		ts.Fatalf("exit status %d, want %s", status, args[0])
	}
}

func scriptServe(ts *testscript.TestScript, _ bool, args []string) {
	s, err := launch(ts.MkAbs("server"), setup{dir: ts.MkAbs(args[0])})
	ts.Check(err)
	ts.Defer(func() {
		if status, err := s.stop(); status != 0 {
			ts.Logf("sluice serve exited with %d (%v)\n%s", status, err, s.log.tail())
		}
	})
	ts.Setenv("SERVICE", "http://"+s.service)
	ts.Setenv("ADMIN", "http://"+s.admin)
}

func scriptCompareFiles(ts *testscript.TestScript, _ bool, args []string) {
	lines := func(name string) []string {
		var about []string
		for l := range strings.Lines(ts.ReadFile(name)) {
			if strings.HasPrefix(l, "ok ") || strings.HasPrefix(l, "REFUSED ") || strings.HasPrefix(l, "ERROR ") || strings.HasPrefix(l, "unsent ") {
				about = append(about, strings.TrimSuffix(l, "\n"))
			}
		}
		slices.Sort(about)
		return about
	}
	got, want := lines(args[0]), lines(args[1])
	if len(want) == 0 || !slices.Equal(got, want) {
		ts.Fatalf("these lines are about files:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
