package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/policies/document"
)

// TestAnnotations: one command a mistake, whatever is in its texts.
func TestAnnotations(t *testing.T) {
	t.Setenv("GITHUB_WORKSPACE", "")
	for _, tc := range []struct {
		name  string
		fault document.Fault
		want  string
	}{
		{"a place", document.Fault{File: "p/a.yaml", Line: 3, Column: 7, Message: "no"}, "file=p/a.yaml,line=3,col=7,title=Mistake in the policy set::no"},
		{"a hint", document.Fault{File: "a", Line: 3, Message: "no", Hint: "but yes"}, "file=a,line=3,title=Mistake in the policy set::no; but yes"},
		{"a whole file", document.Fault{File: "./p/../a", Message: "no"}, "file=a,title=Mistake in the policy set::no"},
		{"lines", document.Fault{File: "a\r\nb", Message: "100%\r\n::error::x"}, "file=a%0D%0Ab,title=Mistake in the policy set::100%25%0D%0A::error::x"},
		{"properties", document.Fault{File: "a,line=9::b%", Message: "a, b: c"}, "file=a%2Cline=9%3A%3Ab%25,title=Mistake in the policy set::a, b: c"},
		{"a file elsewhere", document.Fault{File: "../a", Message: "no"}, "file=../a,title=Mistake in the policy set::no"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out strings.Builder
			if err := annotate(&out, document.Faults{tc.fault}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff("::error "+tc.want+"\n", out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestPathsOfTheWorkspace(t *testing.T) {
	here := t.TempDir()
	t.Chdir(here)
	for _, tc := range []struct{ workspace, file, want string }{
		{"", "p/a.yaml", "p/a.yaml"},
		{"", filepath.Join(here, "p", "a.yaml"), "p/a.yaml"},
		{filepath.Dir(here), "p/a.yaml", filepath.Base(here) + "/p/a.yaml"},
		{filepath.Join(here, "p"), "p/a.yaml", "a.yaml"},
		{filepath.Join(here, "elsewhere"), "p/a.yaml", "p/a.yaml"},
		{"", "/elsewhere/a.yaml", "/elsewhere/a.yaml"},
	} {
		t.Setenv("GITHUB_WORKSPACE", tc.workspace)
		if got := workspacePath(tc.file); got != tc.want {
			t.Errorf("%s in the workspace %q is %s, want %s", tc.file, tc.workspace, got, tc.want)
		}
	}
}

// TestMistakesAs: what is no mistake in a file is returned as it is, in every
// format, and nothing is printed.
func TestMistakesAs(t *testing.T) {
	other := errors.New("the disk is gone")
	for _, format := range []string{textFormat, jsonFormat, githubFormat} {
		var out, err strings.Builder
		std := &stdio{nil, &out, &err}
		if got := mistakesAs(std, format, other, 1); !errors.Is(got, other) || out.Len()+err.Len() > 0 {
			t.Errorf("%s: got %v, printed %q %q", format, got, out.String(), err.String())
		}
		faults := document.Faults{{File: "a", Line: 1, Message: "no"}}
		if got := mistakesAs(std, format, faults, 2); !errors.Is(got, exitError(2)) || !strings.Contains(out.String()+err.String(), "no") {
			t.Errorf("%s: got %v, printed %q %q", format, got, out.String(), err.String())
		}
	}
}
