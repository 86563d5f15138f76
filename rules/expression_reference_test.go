package rules

import (
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTheReferenceNamesEveryField of the event that expressions can read, in
// their order, and every function and constant of ours.
func TestTheReferenceNamesEveryField(t *testing.T) {
	page, err := os.ReadFile("../policies/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, f := range eventFields() {
		want = append(want, f.name)
	}
	if diff := cmp.Diff(want, named(page, "(?m)^\\| `event\\.([a-z_]+)` \\|")); diff != "" {
		t.Errorf("fields (-event +README):\n%s", diff)
	}
	want = []string{}
	for _, f := range literalFunctions {
		want = append(want, f.name)
	}
	if diff := cmp.Diff(append(want, "segments"), named(page, "(?m)^\\| `TEXT\\.([A-Za-z]+)\\(")); diff != "" {
		t.Errorf("functions (-expressions +README):\n%s", diff)
	}
	for _, u := range units {
		if u.name != "B" && len(named(page, "(?m)^\\|.*`("+u.name+")`.*\\| sizes:")) == 0 {
			t.Errorf("the README does not name %s", u.name)
		}
	}
	for _, d := range durationConstants {
		if len(named(page, "(?m)^\\|.*`("+d.name+")`.*\\| lengths of time:")) == 0 {
			t.Errorf("the README does not name %s", d.name)
		}
	}
}

// named returns what the pattern's group matches in a page.
func named(page []byte, pattern string) (words []string) {
	for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(page, -1) {
		words = append(words, string(m[1]))
	}
	return words
}
