package policies_test

import (
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

// reference is a page that people read.
func reference(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tableUnder returns the rows of the first table below a heading.
func tableUnder(t *testing.T, text, heading string) (rows [][]string) {
	t.Helper()
	_, below, found := strings.Cut(text, "\n## "+heading+"\n")
	if !found {
		t.Fatalf("there is no heading %q", heading)
	}
	below, _, _ = strings.Cut(below, "\n## ")
	_, table, found := strings.Cut(below, "|---|")
	if !found {
		t.Fatalf("there is no table under %q", heading)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	for _, line := range strings.Split(strings.TrimSpace(table), "\n")[1:] {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

func TestReferenceOfKinds(t *testing.T) {
	var want [][]string
	for _, k := range rules.Builtin() {
		want = append(want, []string{"`" + k.Name + "`", string(k.Code), k.Doc, k.Reads, k.Phases.String()})
	}
	if diff := cmp.Diff(want, tableUnder(t, reference(t, "README.md"), "Kinds")); diff != "" {
		t.Errorf("(-kinds +README):\n%s", diff)
	}
}

func TestReferenceOfServiceCodes(t *testing.T) {
	var want [][]string
	for _, c := range rules.ServiceCodes() {
		want = append(want, []string{string(c.Code), c.Meaning})
	}
	if diff := cmp.Diff(want, tableUnder(t, reference(t, "README.md"), "Codes of refusals that no rule made")); diff != "" {
		t.Errorf("(-codes +README):\n%s", diff)
	}
}

// TestReferenceOfPlaceholders: the common ones are those that the README names.
func TestReferenceOfPlaceholders(t *testing.T) {
	_, text, found := strings.Cut(reference(t, "README.md"), "Placeholders in a message: ")
	text, _, ended := strings.Cut(text, "{found}")
	if !found || !ended {
		t.Fatal("the README names no placeholders")
	}
	var got []string
	for _, name := range regexp.MustCompile("`{([a-z]+)}`").FindAllStringSubmatch(text, -1) {
		got = append(got, name[1])
	}
	if diff := cmp.Diff(rules.CommonPlaceholders(), got); diff != "" {
		t.Errorf("(-placeholders +README):\n%s", diff)
	}
}

// yamlBlocks returns the YAML of a page that begins with a word.
func yamlBlocks(t *testing.T, file, word string) (blocks []string) {
	t.Helper()
	for i, part := range strings.Split(reference(t, file), "```yaml\n") {
		block, _, ended := strings.Cut(part, "```")
		if i > 0 && ended && strings.HasPrefix(block, word) {
			blocks = append(blocks, block)
		}
	}
	if len(blocks) == 0 {
		t.Fatalf("%s has no YAML that begins with %q", file, word)
	}
	return blocks
}

// withNamedFiles returns a set of one policy and of the lists and schemas that
// it names.
func withNamedFiles(policy string) fstest.MapFS {
	set := fstest.MapFS{"10-policy.yaml": {Data: []byte(policy)}}
	for _, name := range regexp.MustCompile(`\b(lists|schemas)/[a-z0-9.-]+`).FindAllString(policy, -1) {
		text := `{"type": "object"}`
		if strings.HasPrefix(name, "lists/") {
			digits := map[string]int{".md5": 32, ".sha1": 40, ".sha256": 64, ".sha384": 96, ".sha512": 128}[path.Ext(name)]
			text = strings.Repeat("0", digits) + "  known\n"
		}
		set[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return set
}

// TestPoliciesOfThePagesCompile: whoever copies one has a policy that works.
func TestPoliciesOfThePagesCompile(t *testing.T) {
	for _, file := range []string{"README.md", "../README.md"} {
		for _, block := range yamlBlocks(t, file, "version:") {
			if _, err := policies.Compile(withNamedFiles(block), policies.Options{Kinds: rules.Builtin()}); err != nil {
				t.Errorf("%s:\n%s\n%v", file, block, err)
			}
		}
	}
}

// TestRulesOfTheReferenceCompile, and there is one of every kind.
func TestRulesOfTheReferenceCompile(t *testing.T) {
	for _, block := range yamlBlocks(t, "README.md", "rules:") {
		set := withNamedFiles("version: 1\npolicy: reference\n" + block)
		snapshot, err := policies.Compile(set, policies.Options{Kinds: rules.Builtin()})
		if err != nil {
			t.Errorf("%s\n%v", block, err)
			continue
		}
		var want, got []string
		for _, k := range rules.Builtin() {
			want = append(want, k.Name)
		}
		for _, r := range snapshot.Policies[0].Rules {
			got = append(got, r.Kind)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-kinds +rules of the reference):\n%s", diff)
		}
	}
}

// TestTheReferenceNamesEveryFault that the kind filename can forbid.
func TestTheReferenceNamesEveryFault(t *testing.T) {
	named := map[string]bool{}
	for _, row := range faultRows(t) {
		for _, name := range regexp.MustCompile("`([a-z-]+)`").FindAllStringSubmatch(row, -1) {
			named[name[1]] = true
		}
	}
	for _, k := range rules.Builtin() {
		if k.Name != "filename" {
			continue
		}
		_, list, found := strings.Cut(k.Schema, `"enum"`)
		list, _, ended := strings.Cut(list, "]")
		if !found || !ended {
			t.Fatal("the schema of filename lists no faults")
		}
		for _, name := range regexp.MustCompile(`"([a-z-]+)"`).FindAllStringSubmatch(list, -1) {
			if !named[name[1]] {
				t.Errorf("the README does not name the fault %q", name[1])
			}
			delete(named, name[1])
		}
	}
	for name := range named {
		t.Errorf("the README names %q, which filename cannot forbid", name)
	}
}

// faultRows returns the first cells of the README's table of faults.
func faultRows(t *testing.T) (rows []string) {
	t.Helper()
	_, table, found := strings.Cut(reference(t, "README.md"), "\n| fault | meaning |\n|---|---|\n")
	if !found {
		t.Fatal("the README has no table of faults")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	for line := range strings.SplitSeq(table, "\n") {
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
		rows = append(rows, cell)
	}
	return rows
}
