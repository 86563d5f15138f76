package policies_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// reference is a page that people read.
func reference(tb testing.TB, file string) string {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// under returns what a page says under a heading such as "## Kinds", up to the
// next heading of its level or above.
func under(t *testing.T, text, heading string) string {
	t.Helper()
	_, below, found := strings.Cut(text, "\n"+heading+"\n")
	if !found {
		t.Fatalf("there is no heading %q", heading)
	}
	level := strings.IndexByte(heading, ' ')
	if end := regexp.MustCompile(fmt.Sprintf(`(?m)^#{1,%d} `, level)).FindStringIndex(below); end != nil {
		below = below[:end[0]]
	}
	return below
}

// tables returns the rows of each table of a text, with their heads.
func tables(text string) (all [][][]string) {
	inside := false
	for line := range strings.SplitSeq(text, "\n") {
		if !strings.HasPrefix(line, "|") {
			inside = false
			continue
		}
		if strings.HasPrefix(line, "|---") {
			continue
		}
		cells := strings.Split(strings.ReplaceAll(strings.Trim(line, "|"), `\|`, "\x00"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(strings.ReplaceAll(cells[i], "\x00", "|"))
		}
		if !inside {
			all, inside = append(all, nil), true
		}
		all[len(all)-1] = append(all[len(all)-1], cells)
	}
	return all
}

// tableOf returns the rows below the head of the table of a text whose head
// begins with a word.
func tableOf(t *testing.T, text, word string) [][]string {
	t.Helper()
	for _, table := range tables(text) {
		if table[0][0] == word {
			return table[1:]
		}
	}
	t.Fatalf("there is no table of %q", word)
	return nil
}

var backquoted = regexp.MustCompile("`([^`]+)`")

// quotedIn returns the words in backquotes of the first cells of rows, without
// what follows a colon.
func quotedIn(rows [][]string) (words []string) {
	for _, row := range rows {
		for _, m := range backquoted.FindAllStringSubmatch(row[0], -1) {
			word, _, _ := strings.Cut(m[1], ":")
			words = append(words, word)
		}
	}
	return words
}

// schemaKeys returns the keys that a place of a JSON Schema knows.
func schemaKeys(t *testing.T, schema string, at ...string) []string {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal([]byte(schema), &tree); err != nil {
		t.Fatal(err)
	}
	for _, key := range append(at, "properties") {
		tree, _ = tree[key].(map[string]any)
	}
	return slices.Sorted(maps.Keys(tree))
}

// sorted returns the words in order.
func sorted(words []string) []string { return slices.Sorted(slices.Values(words)) }

// block is a YAML block of a page.
type block struct {
	line int
	text string
}

// blocks returns the YAML blocks of a text.
func blocks(text string) (all []block) {
	for i, part := range strings.Split(text, "```yaml\n") {
		if inside, _, ended := strings.Cut(part, "```"); i > 0 && ended {
			at := strings.Index(text, "```yaml\n"+inside)
			all = append(all, block{2 + strings.Count(text[:at], "\n"), inside})
		}
	}
	return all
}

// begins reports whether a block begins with a key, comments left out.
func (b block) begins(key string) bool {
	return regexp.MustCompile(`^(#.*\n)*` + key + `:`).MatchString(b.text)
}

// has reports whether a block has a key at its top level.
func (b block) has(key string) bool {
	return regexp.MustCompile(`(?m)^` + key + `:`).MatchString(b.text)
}

// withFiles returns a set of the given files and of the lists and schemas that
// they name: those that come with the set of `sluice init`, or else some that are
// made up.
func withFiles(files map[string]string) fstest.MapFS {
	set := fstest.MapFS{}
	starter := os.DirFS("starter/set")
	for name, text := range files {
		set[name] = &fstest.MapFile{Data: []byte(text)}
		for _, named := range regexp.MustCompile(`\b(lists|schemas)/[a-z0-9.-]+`).FindAllString(text, -1) {
			data, err := fs.ReadFile(starter, named)
			if err != nil && strings.HasPrefix(named, "lists/") {
				digits := map[string]int{".md5": 32, ".sha1": 40, ".sha256": 64, ".sha384": 96, ".sha512": 128, ".txt": 1}[path.Ext(named)]
				data = []byte(strings.Repeat("0", digits) + "  known\n")
			} else if err != nil {
				data = []byte(`{"type": "object"}`)
			}
			set[named] = &fstest.MapFile{Data: data}
		}
	}
	return set
}

// runAll compiles a set and runs its tests. Every one must come as wanted.
func runAll(t *testing.T, set fs.FS) (*policies.Snapshot, []policies.Result) {
	t.Helper()
	s, err := policies.Compile(set, policies.Options{Kinds: rules.Builtin(), Env: rules.Env{Scanners: policies.StandInScanner, Grants: policies.StandInGrants(), Counters: policies.StandInCounters()}})
	if err != nil {
		t.Fatal(err)
	}
	suites, err := policies.ReadSuites(set, s)
	if err != nil {
		t.Fatal(err)
	}
	var results []policies.Result
	for i := range suites {
		for j := range suites[i].Cases {
			r := suites[i].Cases[j].Run(t.Context(), s)
			for _, d := range r.Differences {
				t.Errorf("%s: the %s is %q, want %q", r.Case.Name, d.Key, d.Got, d.Wanted)
			}
			results = append(results, r)
		}
	}
	if len(results) == 0 {
		t.Fatal("there is no test")
	}
	return s, results
}

func TestReferenceOfKinds(t *testing.T) {
	var want [][]string
	for _, k := range rules.Builtin() {
		want = append(want, []string{fmt.Sprintf("[`%s`](#%s)", k.Name, k.Name), string(k.Code), k.Doc})
	}
	if diff := cmp.Diff(want, tableOf(t, under(t, reference(t, "README.md"), "## Kinds"), "kind")); diff != "" {
		t.Errorf("(-kinds +README):\n%s", diff)
	}
}

// TestReferenceOfEachKind: each kind has a section; what that says of the kind is
// what the code says, and its tests, run against its rules, come as they are
// written: one that is accepted and one that is refused at least, and every
// rule refuses in one of them. The kind's own message is among them.
func TestReferenceOfEachKind(t *testing.T) {
	page := under(t, reference(t, "README.md"), "## Kinds")
	var defaults string
	for _, b := range blocks(page) {
		if b.begins("defaults") {
			defaults = b.text
		}
	}
	if defaults == "" {
		t.Fatal("nothing says what the tests leave out")
	}
	var want, got []string
	for _, k := range rules.Builtin() {
		want = append(want, k.Name)
	}
	for _, m := range regexp.MustCompile("(?m)^### (.*)$").FindAllStringSubmatch(page, -1) {
		got = append(got, strings.Trim(m[1], "`"))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-kinds +sections):\n%s", diff)
	}
	for _, k := range rules.Builtin() {
		t.Run(k.Name, func(t *testing.T) {
			section := under(t, page, "### `"+k.Name+"`")
			statedOf(t, &k, section)
			if keys := schemaKeys(t, k.Schema); keys != nil {
				if diff := cmp.Diff(keys, sorted(quotedIn(tableOf(t, section, "key")))); diff != "" {
					t.Errorf("(-keys of the schema +keys of the section):\n%s", diff)
				}
			}
			all := blocks(section)
			if len(all) != 2 || !all[0].begins("rules") || !all[1].begins("tests") {
				t.Fatal("a section has one block of rules and one of tests")
			}
			ofKind(t, &k, withFiles(map[string]string{
				"policy.yaml": "version: 1\npolicy: reference\n" + all[0].text, "policy_test.yaml": "version: 1\n" + defaults + all[1].text,
			}))
		})
	}
}

var stated = regexp.MustCompile(`(?m)^Code (\S+)\. Asked on (.+?)\. Reads (.+?)\. Placeholders: (.+?)\.$`)

// statedOf compares what a section says in one sentence each with the kind.
func statedOf(t *testing.T, k *rules.Kind, section string) {
	t.Helper()
	m := stated.FindStringSubmatch(strings.ReplaceAll(section, ",\n", ", "))
	if m == nil {
		t.Fatal("the section does not say: Code …. Asked on …. Reads …. Placeholders: ….")
	}
	want := []string{string(k.Code), k.Phases.String(), k.Reads, "`{" + strings.Join(k.Placeholders, "}`, `{") + "}`"}
	if diff := cmp.Diff(want, m[1:]); diff != "" {
		t.Errorf("(-kind +section):\n%s", diff)
	}
}

// ofKind runs the tests of a section.
func ofKind(t *testing.T, k *rules.Kind, set fstest.MapFS) {
	t.Helper()
	s, results := runAll(t, set)
	for _, r := range s.Policies[0].Rules {
		if r.Kind != k.Name {
			t.Errorf("the rule %s is of the kind %s", r.Name, r.Kind)
		}
	}
	for _, r := range policies.Uncovered(s, results) {
		t.Errorf("no test of the section makes the rule %s refuse", r.Name)
	}
	doc, faults := document.Parse("policy_test.yaml", set["policy_test.yaml"].Data)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	accepted, coded, told := false, false, false
	for i, r := range results {
		var refuse any
		if err := doc.Decode(fmt.Sprintf("/tests/%d/refuse", i), &refuse); err != nil {
			t.Fatal(err)
		}
		wanted, _ := refuse.(map[string]any)
		accepted = accepted || r.Decision.Accepted()
		coded = coded || wanted["code"] == string(k.Code)
		told = told || wanted["message"] != nil && !r.Decision.Accepted() && s.Policies[0].Rules[indexOf(s, r.Decision.Rule)].Message == nil
	}
	if !accepted || !coded || !told {
		t.Errorf("the section shows an event that is accepted: %v, one that is refused with the kind's code: %v, and with its own message: %v", accepted, coded, told)
	}
}

// indexOf returns which rule of the first policy has a name.
func indexOf(s *policies.Snapshot, name string) int {
	return slices.IndexFunc(s.Policies[0].Rules, func(r *rules.Rule) bool { return r.Name == name })
}

// TestEveryOtherBlockOfThePages: whoever copies one has what works. Policies and
// clients compile; tests come as they are written when they are run against the
// policy of the page that they name, or else the one before them.
func TestEveryOtherBlockOfThePages(t *testing.T) {
	for _, file := range []string{"README.md", "../README.md"} {
		text := reference(t, file)
		if _, kinds, ok := strings.Cut(text, "\n## Kinds\n"); ok { // Its blocks have tests of their own.
			section := under(t, text, "## Kinds")
			text = strings.Replace(text, kinds[:len(section)], strings.Repeat("\n", strings.Count(section, "\n")), 1)
		}
		var before string
		named := map[string]string{}
		for _, b := range blocks(text) {
			set := map[string]string{}
			switch {
			case !b.begins("version"):
				t.Errorf("%s:%d: nobody knows what this is", file, b.line)
				continue
			case b.has("policy"):
				before = b.text
				named[regexp.MustCompile(`(?m)^policy: (\S+)`).FindStringSubmatch(b.text)[1]] = b.text
				set["policy.yaml"] = b.text
			case b.has("clients"):
				set["policy.yaml"], set["clients.yaml"] = before, b.text
			case b.has("tests"):
				set["policy.yaml"], set["policy_test.yaml"] = before, b.text
				if m := regexp.MustCompile(`\bpolicy: ([a-z-]+)`).FindStringSubmatch(b.text); m != nil {
					set["policy.yaml"] = named[m[1]]
				}
			}
			t.Run(fmt.Sprintf("%s:%d", strings.TrimPrefix(file, "../"), b.line), func(t *testing.T) {
				if files := withFiles(set); b.has("tests") {
					runAll(t, files)
				} else if _, err := policies.Compile(files, policies.Options{Kinds: rules.Builtin(), Env: rules.Env{Scanners: policies.StandInScanner, Grants: policies.StandInGrants(), Counters: policies.StandInCounters()}}); err != nil {
					t.Error(err)
				}
			})
		}
		if before == "" {
			t.Errorf("%s has no policy", file)
		}
	}
}

// TestReferenceOfRules: the keys of a rule beside its kind.
func TestReferenceOfRules(t *testing.T) {
	got := append(quotedIn(tableOf(t, under(t, reference(t, "README.md"), "## A policy"), "key")), "name")
	for _, k := range rules.Builtin() {
		got = append(got, k.Name)
	}
	if diff := cmp.Diff(schemaKeys(t, policies.Schema(rules.Builtin()), "definitions", "rule"), sorted(got)); diff != "" {
		t.Errorf("(-keys of the schema +README):\n%s", diff)
	}
}

// TestReferenceOfTests: the keys of a test and of its event.
func TestReferenceOfTests(t *testing.T) {
	section := under(t, reference(t, "README.md"), "## Tests")
	schema := policies.TestsSchema()
	got := append(quotedIn(tableOf(t, section, "key of an event")), "")
	if diff := cmp.Diff(schemaKeys(t, schema, "properties", "defaults"), sorted(got)[1:]); diff != "" {
		t.Errorf("(-keys of the schema +README):\n%s", diff)
	}
	var keys []string
	for _, row := range tableOf(t, section, "key") {
		keys = append(keys, quotedIn([][]string{row})[0])
	}
	got = slices.Compact(append(sorted(keys), "name"))
	got = append(got, "event")
	if diff := cmp.Diff(schemaKeys(t, schema, "properties", "tests", "items"), sorted(got)); diff != "" {
		t.Errorf("(-keys of the schema +README):\n%s", diff)
	}
}

// TestReferenceOfPhases, in the order of a transfer.
func TestReferenceOfPhases(t *testing.T) {
	got := quotedIn(tableOf(t, under(t, reference(t, "README.md"), "### Phases"), "phase"))
	if diff := cmp.Diff(rules.EveryPhase.Names(), got); diff != "" {
		t.Errorf("(-phases +README):\n%s", diff)
	}
}

// TestReferenceOfExpressions: whoever copies one has a rule that works, and each
// field is known wherever the table does not say otherwise.
func TestReferenceOfExpressions(t *testing.T) {
	section := under(t, reference(t, "README.md"), "## Expressions")
	compile := func(expression string) (*policies.Snapshot, error) {
		quoted, err := json.Marshal(expression)
		if err != nil {
			t.Fatal(err)
		}
		set := withFiles(map[string]string{"a.yaml": "version: 1\npolicy: a\nrules:\n- {name: r, expression: " + string(quoted) + "}\n" + "# " + expression})
		return policies.Compile(set, policies.Options{Kinds: rules.Builtin(), Env: rules.Env{Scanners: policies.StandInScanner, Grants: policies.StandInGrants(), Counters: policies.StandInCounters()}})
	}
	for _, row := range tableOf(t, section, "to say that") {
		if _, err := compile(strings.Trim(row[1], "`")); err != nil {
			t.Errorf("%s: %v", row[1], err)
		}
	}
	for _, row := range tableOf(t, section, "field") {
		name := strings.Trim(row[0], "`")
		var s *policies.Snapshot
		var err error
		for _, value := range []string{`""`, "0", `{"a": 1}`} {
			if s, err = compile(name + " == " + value); err == nil {
				break
			}
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var never []string
		for _, phase := range rules.EveryPhase.Names() {
			if p, _ := rules.ParsePhase(phase); !s.Policies[0].Rules[0].Phases.Has(p) {
				never = append(never, phase)
			}
		}
		if got := strings.Join(never, ", "); got != row[2] {
			t.Errorf("%s is not known on %q, and the README says %q", name, got, row[2])
		}
	}
}

// TestReferenceOfGlobs: what the table says of each.
func TestReferenceOfGlobs(t *testing.T) {
	for _, row := range tableOf(t, under(t, reference(t, "README.md"), "## Globs"), "glob") {
		var globs rules.PathGlobs
		glob := strings.Trim(row[0], "`")
		if err := rules.CheckPathGlob(glob); err != nil {
			t.Error(err)
		}
		globs.Add(glob, 0)
		for i, want := range []bool{true, false} {
			for _, m := range backquoted.FindAllStringSubmatch(row[1+i], -1) {
				if globs.Match(m[1]) != want {
					t.Errorf("%s matches %s: %v", glob, m[1], !want)
				}
			}
		}
	}
}

func TestReferenceOfServiceCodes(t *testing.T) {
	var want [][]string
	for _, c := range rules.ServiceCodes() {
		want = append(want, []string{string(c.Code), c.Meaning})
	}
	if diff := cmp.Diff(want, tableOf(t, under(t, reference(t, "README.md"), "## Codes of refusals that no rule made"), "code")); diff != "" {
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

// TestTheReferenceNamesEveryFault that the kind filename can forbid.
func TestTheReferenceNamesEveryFault(t *testing.T) {
	var schema struct {
		Properties struct {
			Forbid struct {
				Items struct{ Enum []string }
			}
		}
	}
	for _, k := range rules.Builtin() {
		if k.Name == "filename" {
			if err := json.Unmarshal([]byte(k.Schema), &schema); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := schema.Properties.Forbid.Items.Enum
	if diff := cmp.Diff(want, quotedIn(tableOf(t, under(t, reference(t, "README.md"), "### `filename`"), "fault"))); diff != "" || len(want) == 0 {
		t.Errorf("(-faults +README):\n%s", diff)
	}
}
