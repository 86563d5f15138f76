package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/policies/store"
	"github.com/sluiceproject/sluice/rules"
)

// sluice runs a command line.
func sluice(t *testing.T, args ...string) (status int, out, told string) {
	t.Helper()
	r := runs(t, args...)
	return r.status, r.out, r.err
}

// shortDir returns a folder whose path leaves room for that of a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sluice") //nolint:usetesting // The path of a test's folder is too long for a socket in it.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// service opens a store as a service does that runs beside the commands.
func service(t *testing.T) (s *store.Store, dir string) {
	t.Helper()
	dir = shortDir(t)
	s, err := store.Open(t.Context(), store.Options{Dir: dir, Instance: "service"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, dir
}

// writeSet writes a policy that denies extensions, and a test of it.
func writeSet(t *testing.T, dir string, deny ...string) {
	t.Helper()
	for name, text := range map[string]string{
		"p.yaml":      "version: 1\npolicy: p\nrules:\n  - {name: no, extension: {deny: [" + strings.Join(deny, ", ") + "]}}\n",
		"p_test.yaml": "version: 1\ntests:\n  - {name: one, event: {path: /a." + deny[0] + ", size: 1}, refuse: true}\n",
	} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPushBesideAService(t *testing.T) {
	t.Parallel()
	s, state := service(t)
	set := filepath.Join(t.TempDir(), "set")
	writeSet(t, set, "exe")
	if status, out, told := sluice(t, "push", set, "-m", "First", "--state", state, "--author", "ann"); status != 0 || !strings.HasPrefix(out, "revision 1 is stored") {
		t.Fatalf("exit status %d: %s%s", status, out, told)
	}
	r, err := s.Head(t.Context())
	if err != nil || r.Number != 1 || r.Author != "ann" || r.Message != "First" || len(r.Files) != 2 || r.Hash == "" {
		t.Errorf("the service has %+v (%v)", r, err)
	}
}

// Of several people who push at the same time, one is stored after the other, and
// whoever was late is told.
func TestPushAtTheSameTime(t *testing.T) {
	t.Parallel()
	s, state := service(t)
	dir := t.TempDir()
	first := filepath.Join(dir, "first")
	writeSet(t, first, "exe")
	if status, _, told := sluice(t, "push", first, "-m", "First", "--state", state); status != 0 {
		t.Fatal(told)
	}
	const people = 5
	status, told := make([]int, people), make([]string, people)
	var group sync.WaitGroup
	for i := range people {
		set := filepath.Join(dir, fmt.Sprint(i))
		if code, _, told := sluice(t, "pull", set, "--state", state); code != 0 {
			t.Fatal(told)
		}
		writeSet(t, set, fmt.Sprintf("x%d", i))
	}
	for i := range people {
		set := filepath.Join(dir, fmt.Sprint(i))
		group.Go(func() {
			var stderr bytes.Buffer
			std := &stdio{strings.NewReader(""), new(bytes.Buffer), &stderr}
			status[i] = run(context.Background(), []string{"push", set, "-m", fmt.Sprint(i), "--state", state}, std)
			told[i] = stderr.String()
		})
	}
	group.Wait()
	won := slices.Index(status, 0)
	slices.Sort(status)
	if !slices.Equal(status, []int{0, 1, 1, 1, 1}) {
		t.Fatalf("exit statuses %v: %q", status, told)
	}
	for i, text := range told {
		if i != won && !strings.Contains(text, fmt.Sprintf("comes from revision 1, and since then came\n  revision 2 (%q, by ", fmt.Sprint(won))) {
			t.Errorf("%d is told %s", i, text)
		}
	}
	list, err := s.History(t.Context(), 0)
	if err != nil || len(list) != 2 {
		t.Errorf("%d revisions (%v)", len(list), err)
	}
}

func TestFindRevision(t *testing.T) {
	t.Parallel()
	s, _ := service(t)
	ctx := t.Context()
	for i, hash := range []string{"1234567890ab", "abcd00000000", "abcd11111111", "abcd00000000"} {
		if _, err := s.Push(ctx, store.Proposal{Author: "a", Hash: hash, Message: fmt.Sprint(i), Files: os.DirFS(t.TempDir())}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		text string
		want uint64
		err  string
	}{
		{"newest", 4, ""},
		{"newest~0", 4, ""},
		{"newest~3", 1, ""},
		{"newest~4", 0, "newest~4: the policy store has no such revision: it has 4 revisions"},
		{"2", 2, ""},
		{"0002", 2, ""},
		{"5", 0, "no such revision"},
		{"0", 0, "no such revision"},
		{"123", 0, "no such revision"},
		{"1234", 1, ""}, // There is no revision of that number.
		{"abcd1", 3, ""},
		{"ABCD1", 3, ""},
		{"abcd", 0, "abcd is the hash of the revisions 4, 3, 2; name one by its number"},
		{"abcd0", 0, "of the revisions 4, 2;"},
		{"dcba", 0, "dcba: the policy store has no such revision"},
		{"abc", 0, "is no revision"},
		{"", 0, "is no revision"},
		{"newest~-1", 0, "is no revision"},
		{"newest~99999999999999999999", 0, "is no revision"},
		{"99999999999999999999", 0, "is no revision"},
		{"1\n", 0, "is no revision"},
	} {
		r, err := findRevision(ctx, s, c.text)
		if c.err == "" && (err != nil || r.Number != c.want) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%q is revision %d (%v)", c.text, r.Number, err)
		}
	}
}

func TestPushLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text   string
		n, all int64
		allows bool
	}{
		{"0", 0, 1000, true},
		{"0", 1, 1000, false},
		{"5", 5, 1000, true},
		{"5", 6, 1000, false},
		{"0.5%", 5, 1000, true},
		{"0.5%", 6, 1000, false},
		{"0%", 0, 1000, true},
		{"0%", 1, 1000, false},
		{"100%", 1000, 1000, true},
	} {
		var l pushLimit
		if err := l.set(c.text); err != nil || l.allows(c.n, c.all) != c.allows {
			t.Errorf("%s allows %d of %d: %t (%v)", c.text, c.n, c.all, l.allows(c.n, c.all), err)
		}
	}
	if none := (pushLimit{}); !none.allows(1000, 1000) {
		t.Error("no limit does not allow everything")
	}
	for _, text := range []string{"", "-1", "1.5", "some", "%", "-1%", "101%", "NaN%", "Inf%", "1%%", " 1", "9223372036854775808"} {
		if err := new(pushLimit).set(text); err == nil {
			t.Errorf("%q is a limit", text)
		}
	}
}

// What is compiled is what is stored: a set that changes in between is refused.
func TestACandidateIsReadAsItWas(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(dir string) error{
		"another text": func(dir string) error { return os.WriteFile(filepath.Join(dir, "p.yaml"), []byte("x"), 0o644) },
		"the same length": func(dir string) error {
			text, err := os.ReadFile(filepath.Join(dir, "p.yaml"))
			return errors.Join(err, os.WriteFile(filepath.Join(dir, "p.yaml"), bytes.ToUpper(text), 0o644))
		},
		"a new file":  func(dir string) error { return os.WriteFile(filepath.Join(dir, "q.yaml"), []byte("x"), 0o644) },
		"a file less": func(dir string) error { return os.Remove(filepath.Join(dir, "p.yaml")) },
	} {
		dir := t.TempDir()
		writeSet(t, dir, "exe")
		set, err := openCandidate(dir, "set")
		if err != nil {
			t.Fatal(err)
		}
		defer set.close()
		options := policies.Options{Kinds: rules.Builtin()}
		if err := set.compile(options); err != nil {
			t.Fatal(err)
		}
		if err := change(dir); err != nil {
			t.Fatal(err)
		}
		if err := set.compile(options); err == nil {
			t.Errorf("%s: what changed was compiled", name)
		}
		s, _ := service(t)
		if _, err := s.Push(t.Context(), store.Proposal{Author: "a", Files: set.fsys}); err == nil && name != "a file less" {
			t.Errorf("%s: what changed was stored", name)
		}
	}
}

func TestReadPulled(t *testing.T) {
	t.Parallel()
	write := func(text string) func(string) error {
		return func(name string) error { return os.WriteFile(name, []byte(text), 0o644) }
	}
	for name, c := range map[string]struct {
		make func(string) error
		err  string
	}{
		"nothing":             {func(string) error { return nil }, ""},
		"what push writes":    {func(name string) error { return writePulled(filepath.Dir(name), &store.Revision{Number: 3, Hash: "a"}) }, ""},
		"an empty file":       {write(""), "cannot be read"},
		"another file":        {write("3"), "cannot be read"},
		"no number":           {write("{}"), "it has no number"},
		"a link":              {func(name string) error { return os.Symlink("/dev/zero", name) }, "cannot be read"},
		"a folder":            {func(name string) error { return os.Mkdir(name, 0o755) }, "cannot be read"},
		"more than it can be": {write(`{"revision": 1, "hash": "` + strings.Repeat("a", maxPulled) + `"}`), "cannot be read"},
	} {
		dir := t.TempDir()
		if err := c.make(filepath.Join(dir, pulledName)); err != nil {
			t.Fatal(err)
		}
		p, err := readPulled(dir)
		if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && (p != nil) != (name == "what push writes") {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// Pulling never writes out of the folder, and leaves nothing beside it.
func TestPullStaysInTheFolder(t *testing.T) {
	t.Parallel()
	_, state := service(t)
	dir := t.TempDir()
	set, outside := filepath.Join(dir, "set"), filepath.Join(dir, "outside")
	writeSet(t, set, "exe")
	if err := errors.Join(os.Mkdir(filepath.Join(set, "lists"), 0o755), os.WriteFile(filepath.Join(set, "lists", "a.txt"), []byte("a\n"), 0o644), os.Mkdir(outside, 0o755)); err != nil {
		t.Fatal(err)
	}
	if status, _, told := sluice(t, "push", set, "-m", "First", "--state", state); status != 0 {
		t.Fatal(told)
	}
	theirs := filepath.Join(dir, "theirs")
	if status, _, told := sluice(t, "pull", theirs, "--state", state); status != 0 {
		t.Fatal(told)
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(theirs, "lists")), os.Symlink(outside, filepath.Join(theirs, "lists"))); err != nil {
		t.Fatal(err)
	}
	status, _, told := sluice(t, "pull", theirs, "--state", state, "--force")
	if entries, err := os.ReadDir(outside); status == 0 || err != nil || len(entries) > 0 {
		t.Errorf("exit status %d: %s; outside there are %v", status, told, entries)
	}
	entries, err := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if diff := cmp.Diff([]string{"outside", "set", "theirs"}, names); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	// Through a link to the folder itself everything goes into the folder.
	link := filepath.Join(dir, "link")
	if err := errors.Join(os.Remove(filepath.Join(theirs, "lists")), os.Symlink(theirs, link)); err != nil {
		t.Fatal(err)
	}
	if status, _, told := sluice(t, "pull", link, "--state", state, "--force"); status != 0 {
		t.Fatal(told)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Error("the link is no link any more")
	}
	if _, err := os.Stat(filepath.Join(theirs, "lists", "a.txt")); err != nil {
		t.Error(err)
	}
}

// What others have written into a store is shown, and never obeyed.
func TestWhatOthersWroteIsShown(t *testing.T) {
	t.Parallel()
	s, state := service(t)
	dir := t.TempDir()
	writeSet(t, dir, "exe")
	evil := "\x1b[2Jann\u202e"
	replay, err := json.Marshal(pushedReplay{Limits: []string{evil}, Decisions: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []json.RawMessage{replay, json.RawMessage(`"` + `nothing` + `"`), json.RawMessage(`{"decisions": "many"}`)} {
		if _, err := s.Push(t.Context(), store.Proposal{Author: evil, Message: evil + "\n" + evil, Hash: evil, Files: os.DirFS(dir), Replay: r}); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"history"}, {"show", "1"}, {"show", "2"}, {"show", "3"}, {"pull", filepath.Join(t.TempDir(), "x")}} {
		status, out, told := sluice(t, append(args, "--state", state)...)
		if status != 0 || strings.ContainsAny(out+told, "\x1b\u202e") || !strings.Contains(out, `\u001b[2Jann\u202e`) {
			t.Errorf("%v: exit status %d: %q %q", args, status, out, told)
		}
	}
}

func TestDiffTextOfHostileNames(t *testing.T) {
	t.Parallel()
	evil := "\x1b[2J\u202ename\n"
	long := make([]json.RawMessage, 30)
	for i := range long {
		long[i] = json.RawMessage(fmt.Sprintf(`"%s %d"`, strings.Repeat("x", 1000), i))
	}
	raw, err := json.Marshal(evil)
	if err != nil {
		t.Fatal(err)
	}
	setting := policies.SettingDifference{Key: evil, Was: raw, Is: json.RawMessage("[" + strings.Repeat("1,", 5000) + "1]")}
	var out bytes.Buffer
	writeDiffText(&out, &policies.SetDifference{
		Policies: []policies.PolicyDifference{{
			Policy: evil, File: evil, Change: policies.Changed, RulesMoved: []string{evil},
			Settings: []policies.SettingDifference{setting, {Key: "list", Added: long, AddedCount: 30_000, Was: raw}},
			Rules:    []policies.RuleDifference{{Rule: evil, Kind: evil, Change: policies.Added, Settings: []policies.SettingDifference{setting}}},
		}},
		PoliciesMoved: []string{evil},
		Clients:       []policies.ClientDifference{{Client: evil, File: evil, Change: policies.Removed, Settings: []policies.SettingDifference{setting}}},
		Files:         []policies.FileDifference{{File: evil, Change: policies.Changed, Entries: true, AddedCount: 10_000_000, Added: slices.Repeat([]string{evil}, 100)}},
		Tests:         slices.Repeat([]policies.TestDifference{{File: evil, Test: evil, Change: policies.Added}}, 1000),
		TextOnly:      slices.Repeat([]string{evil}, 1000),
	})
	text := out.String()
	if strings.ContainsAny(text, "\x1b\u202e") || len(text) > 16_000 {
		t.Errorf("%d bytes: %q", len(text), text)
	}
	for _, want := range []string{"and 29,995 more", "10,000,000 entries added, 0 removed", "and 9,999,995 more", "  and 980 more\n", "1000 files"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
}

func TestAuthorFitsTheStore(t *testing.T) {
	for _, user := range []string{"", "ann", strings.Repeat("ä", 1000), "\xff\xfe"} {
		t.Setenv("SUDO_USER", user)
		if author := defaultAuthor(); author == "" || len(author) > store.MaxAuthor || !json.Valid([]byte(`"`+author+`"`)) || !strings.Contains(author+"@", "@") {
			t.Errorf("%q pushes as %q", user, author)
		}
	}
}

func TestHistoryIsListedInUTC(t *testing.T) {
	t.Parallel()
	r := store.Revision{Number: 1, Author: "ann", Time: time.Date(2026, 11, 2, 1, 0, 0, 0, time.FixedZone("", 3600))}
	if got, want := revisionWords(&r), "revision 1 (by ann, 2026-11-02 00:00:00 UTC)"; got != want {
		t.Errorf("got %s", got)
	}
}
