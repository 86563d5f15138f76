package journal

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// tableBehind returns the words in code of the first column of the table behind a
// line of the README.
func tableBehind(t *testing.T, text, line string) (words []string) {
	t.Helper()
	_, rest, found := strings.Cut(text, line)
	if !found {
		t.Fatalf("there is no %q", line)
	}
	_, rest, _ = strings.Cut(rest, "|---|---|\n")
	for row := range strings.Lines(rest) {
		if !strings.HasPrefix(row, "|") {
			break
		}
		first, _, _ := strings.Cut(row[1:], "|")
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(first, -1) {
			words = append(words, m[1])
		}
	}
	return words
}

func TestTheREADMEHasEveryMember(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for line, typ := range map[string]reflect.Type{"## A line": reflect.TypeFor[Record](), "`event` has:": reflect.TypeFor[Event](), "Each of `steps` has:": reflect.TypeFor[Step]()} {
		var want []string
		for _, f := range fieldsOf(typ) {
			want = append(want, f.name)
		}
		got := tableBehind(t, string(text), line)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s\n%q\nwant\n%q", line, got, want)
		}
	}
	kinds := []string{Altered, Deleted, Swapped, Repeated, Truncated, SegmentMissing, SegmentMisnamed, SegmentUnreadable, IndexDisagrees, NoteDisagrees}
	if got := tableBehind(t, string(text), "names the first thing that is wrong"); !slices.Equal(got, kinds) {
		t.Errorf("%q, want %q", got, kinds)
	}
	for _, note := range Notes() {
		if !strings.Contains(string(text), note) {
			t.Errorf("the note %s is not in the README", note)
		}
	}
}
