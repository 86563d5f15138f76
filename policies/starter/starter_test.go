package starter_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/policies/starter"
	"github.com/sluiceproject/sluice/rules"
)

func files(t *testing.T) map[string][]byte {
	t.Helper()
	all, err := starter.Files()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestTheSetIsSound: it compiles, its tests come as they are written, and one of
// them makes each rule refuse.
func TestTheSetIsSound(t *testing.T) {
	set := fstest.MapFS{}
	for name, text := range files(t) {
		set[name] = &fstest.MapFile{Data: text}
	}
	s, err := policies.Compile(set, policies.Options{Kinds: rules.Builtin()})
	if err != nil {
		t.Fatal(err)
	}
	suites, err := policies.ReadSuites(set, s)
	if err != nil {
		t.Fatal(err)
	}
	if len(suites) != len(s.Policies) {
		t.Errorf("%d policies have %d files of tests", len(s.Policies), len(suites))
	}
	var results []policies.Result
	for i := range suites {
		for j := range suites[i].Cases {
			r := suites[i].Cases[j].Run(t.Context(), s)
			if !r.Passed() {
				t.Errorf("%s: %s: %+v", r.Case.File, r.Case.Name, r.Differences)
			}
			results = append(results, r)
		}
	}
	for _, r := range policies.Uncovered(s, results) {
		t.Errorf("no test makes %s/%s refuse", r.Policy, r.Name)
	}
}

// TestEditorsFindTheSchemas: the first line of each document names a schema of
// the set by which the document is well formed.
func TestEditorsFindTheSchemas(t *testing.T) {
	all, named := files(t), map[string]bool{}
	for name, text := range all {
		if strings.Contains(name, "/") || strings.HasPrefix(name, ".") {
			continue
		}
		m := regexp.MustCompile(`^# yaml-language-server: \$schema=(\S+)\n`).FindSubmatch(text)
		if m == nil {
			t.Errorf("%s does not begin with the line for editors", name)
			continue
		}
		at := string(m[1])
		named[at] = true
		schema, err := document.CompileSchema(string(all[at]))
		if err != nil {
			t.Errorf("%s: %s: %v", name, at, err)
			continue
		}
		doc, faults := document.Parse(name, text)
		if len(faults) == 0 {
			faults = doc.Check(schema)
		}
		if len(faults) > 0 {
			t.Error(faults)
		}
	}
	if diff := cmp.Diff(map[string]bool{".schema/policy.json": true, ".schema/tests.json": true}, named); diff != "" {
		t.Errorf("(-want +named):\n%s", diff)
	}
	for _, name := range []string{".schema/policy.json", ".schema/tests.json", ".schema/clients.json"} {
		if _, err := document.CompileSchema(string(all[name])); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTheJobsCheckAndTest what the set holds.
func TestTheJobsCheckAndTest(t *testing.T) {
	const install = "go install github.com/sluiceproject/sluice/cmd/sluice@latest"
	var steps []map[string]any
	decode(t, ".github/workflows/sluice.yml", "/jobs/policies/steps", &steps)
	var commands []string
	for _, s := range steps {
		if run, ok := s["run"].(string); ok {
			commands = append(commands, run)
		}
	}
	want := []string{install, "sluice check --format github .", "sluice test --require-coverage ."}
	if diff := cmp.Diff(want, commands); diff != "" {
		t.Errorf("GitHub (-want +got):\n%s", diff)
	}
	var report string
	decode(t, ".gitlab-ci.yml", "/policies/artifacts/reports/junit", &report)
	decode(t, ".gitlab-ci.yml", "/policies/script", &commands)
	want = []string{install, "sluice check .", "sluice test --require-coverage --format junit . > " + report}
	if diff := cmp.Diff(want, commands); diff != "" {
		t.Errorf("GitLab (-want +got):\n%s", diff)
	}
}

// decode reads a part of a YAML file of the set.
func decode(t *testing.T, name, pointer string, into any) {
	t.Helper()
	doc, faults := document.Parse(name, files(t)[name])
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if err := doc.Decode(pointer, into); err != nil {
		t.Fatal(err)
	}
}

// TestWrite: into a folder that is not there yet, an empty one, and one that
// holds nothing but what git needs.
func TestWrite(t *testing.T) {
	empty, cloned := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(cloned, ".git"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Join(t.TempDir(), "a", "b c"), empty, cloned} {
		names, err := starter.Write(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(names) != len(files(t)) {
			t.Errorf("%d files were written, want %d", len(names), len(files(t)))
		}
		want := map[string]string{}
		for name, text := range files(t) {
			want[filepath.Join(dir, name)] = string(text)
		}
		got := map[string]string{}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got[name] = string(text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if _, err := policies.CheckDir(dir, policies.Options{Kinds: rules.Builtin()}); err != nil {
			t.Error(err)
		}
	}
}

// TestWriteModes: everybody may read the set, and its owner change it.
func TestWriteModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	if _, err := starter.Write(dir); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if want := fs.FileMode(0o644); !entry.IsDir() && info.Mode().Perm()&^want != 0 {
			t.Errorf("%s has the mode %v, want no more than %v", name, info.Mode().Perm(), want)
		}
		if want := fs.FileMode(0o755); entry.IsDir() && info.Mode().Perm()&^want != 0 {
			t.Errorf("%s has the mode %v, want no more than %v", name, info.Mode().Perm(), want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestWriteOverwritesNothing: whatever is there stays as it is, alone.
func TestWriteOverwritesNothing(t *testing.T) {
	for _, there := range []string{"README.md", "10-hygiene.yaml", ".gitignore", ".github/workflows/sluice.yml"} {
		dir := t.TempDir()
		file := filepath.Join(dir, filepath.FromSlash(there))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		names, err := starter.Write(dir)
		first, _, _ := strings.Cut(there, "/")
		want := dir + " is not empty: it has " + first + "; name a folder that does not exist yet, or an empty one"
		if err == nil || err.Error() != want || names != nil {
			t.Errorf("got %v, %v, want %s", names, err, want)
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 1 {
			t.Errorf("beside %s there are %v (%v)", there, entries, err)
		}
		if text, _ := os.ReadFile(file); string(text) != "mine" {
			t.Errorf("%s is now %q", there, text)
		}
	}
}

func TestWriteIntoWhatIsNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policies")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		file:                        file + " is a file; name a folder that does not exist yet, or an empty one",
		filepath.Join(file, "more"): "not a directory",
	} {
		if names, err := starter.Write(dir); err == nil || !strings.Contains(err.Error(), want) || names != nil {
			t.Errorf("got %v, %v, want %s", names, err, want)
		}
	}
}
