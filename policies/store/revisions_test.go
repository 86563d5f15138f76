package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"
	"pgregory.net/rapid"
)

// files returns a set of pairs of names and texts.
func files(pairs ...string) fstest.MapFS {
	set := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		set[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return set
}

// push pushes a set on top of whatever is newest.
func push(t *testing.T, s *Store, message string, set fs.FS) Revision {
	t.Helper()
	r, err := s.Push(t.Context(), Proposal{Author: "ann", Message: message, Hash: "hash of " + message, Files: set})
	if err != nil {
		t.Fatalf("pushing %s: %v", message, err)
	}
	return r
}

// texts returns what is in the files of a folder.
func texts(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		all[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// fetched fetches a revision, and returns what is in its files.
func fetched(t *testing.T, s *Store, r Revision) map[string]string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "set")
	if err := s.Fetch(t.Context(), r, dir); err != nil {
		t.Fatal(err)
	}
	return texts(t, dir)
}

func TestARevisionComesBackAsItWasPushed(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 5, time.FixedZone("", 3600))
	s := open(t, Options{Dir: t.TempDir(), Now: func() time.Time { return now }})
	if _, err := s.Head(t.Context()); !errors.Is(err, ErrEmpty) {
		t.Errorf("the head of an empty store is %v", err)
	}
	if list, err := s.History(t.Context(), 0); err != nil || len(list) > 0 {
		t.Errorf("the history of an empty store is %v, %v", list, err)
	}
	large := strings.Repeat("0123456789abcdef", pieceSize/8) + "the last, short piece"
	set := files("10.yaml", "policy: a", "10_test.yaml", "tests: []", "a.list", "x", "a/b.list", "", "a/c.list", "x", "lists/large", large,
		".git/config", "no", "a/.hidden", "no", "..data/10.yaml", "no")
	set["folder"] = &fstest.MapFile{Mode: fs.ModeDir}
	set["pipe"] = &fstest.MapFile{Mode: fs.ModeNamedPipe}
	none := uint64(0)
	r, err := s.Push(t.Context(), Proposal{
		Parent: &none, Author: "Ann <ann@example.com>", Message: "The first.\n", Hash: "0123456789ab", Files: set,
		RollbackOf: 7, Replay: json.RawMessage(`{"asked":5}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Number != 1 || r.Parent != 0 || !r.Time.Equal(now) || r.Time.Location() != time.UTC {
		t.Errorf("the first revision is %+v", r)
	}
	want := map[string]string{"10.yaml": "policy: a", "10_test.yaml": "tests: []", "a.list": "x", "a/b.list": "", "a/c.list": "x", "lists/large": large}
	for name, get := range map[string]func() (Revision, error){
		"head":    func() (Revision, error) { return s.Head(t.Context()) },
		"by name": func() (Revision, error) { return s.Revision(t.Context(), 1) },
		"history": func() (Revision, error) {
			list, err := s.History(t.Context(), 5)
			return list[0], err
		},
	} {
		got, err := get()
		if diff := cmp.Diff(r, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-pushed +got):\n%s", name, err, diff)
		}
		if diff := cmp.Diff(want, fetched(t, s, got)); diff != "" {
			t.Errorf("%s (-want +fetched):\n%s", name, diff)
		}
	}
	for _, number := range []uint64{0, 2, 1 << 60} {
		if _, err := s.Revision(t.Context(), number); !errors.Is(err, ErrNoRevision) {
			t.Errorf("revision %d: %v", number, err)
		}
	}
}

// TestHistoryIsThatOfTheModel pushes sets at random, on top of a parent that may be
// the newest or not, and holds the store against a list in memory.
func TestHistoryIsThatOfTheModel(t *testing.T) {
	const keep = 4
	s := open(t, Options{Dir: t.TempDir(), KeepRevisions: keep})
	s.young.age = time.Nanosecond
	type stored struct {
		revision Revision
		texts    map[string]string
	}
	var model []stored
	rapid.Check(t, func(rt *rapid.T) {
		set := rapid.MapOfN(rapid.SampledFrom([]string{"a.yaml", "b.yaml", "lists/a", "lists/b"}), rapid.SampledFrom([]string{"", "one", "two", "three"}), 1, 4).Draw(rt, "set")
		var pairs []string
		for name, text := range set {
			pairs = append(pairs, name, text)
		}
		p := Proposal{Author: "a", Files: files(pairs...)}
		newest := uint64(len(model))
		if rapid.Bool().Draw(rt, "names a parent") {
			parent := rapid.Uint64Range(newest-min(newest, 2), newest+1).Draw(rt, "parent")
			p.Parent = &parent
		}
		r, err := s.Push(t.Context(), p)
		if p.Parent != nil && *p.Parent != newest {
			if !errors.Is(err, ErrConflict) {
				rt.Fatalf("a push on %d while %d is newest: %v", *p.Parent, newest, err)
			}
			return
		}
		if err != nil || r.Number != newest+1 || r.Parent != newest {
			rt.Fatalf("a push on %d made %d on %d, %v", newest, r.Number, r.Parent, err)
		}
		model = append(model, stored{r, set})
		list, err := s.History(t.Context(), 0)
		if err != nil || len(list) != min(keep, len(model)) {
			rt.Fatalf("the history has %d revisions, %v", len(list), err)
		}
		for i, got := range list {
			of := model[len(model)-1-i]
			if diff := cmp.Diff(of.revision, got); diff != "" {
				rt.Fatalf("(-model +store):\n%s", diff)
			}
			if diff := cmp.Diff(of.texts, fetched(t, s, got)); diff != "" {
				rt.Fatalf("the files of %d (-model +store):\n%s", got.Number, diff)
			}
		}
	})
	if len(model) < 10 {
		t.Errorf("only %d revisions were made", len(model))
	}
}

// TestOneOfTwoPushersWins: both begin with the same parent, each by a connection of
// its own.
func TestOneOfTwoPushersWins(t *testing.T) {
	dir := t.TempDir()
	service := open(t, Options{Dir: dir})
	stores := []*Store{service, open(t, Options{Dir: dir, Join: true}), open(t, Options{Dir: dir, Join: true})}
	for round := range uint64(10) {
		errs := make([]error, len(stores))
		var all sync.WaitGroup
		for i, s := range stores {
			all.Go(func() {
				_, errs[i] = s.Push(context.Background(), Proposal{Parent: &round, Author: fmt.Sprintf("pusher %d", i), Files: files("p.yaml", fmt.Sprint(round, i))})
			})
		}
		all.Wait()
		head, err := service.Head(t.Context())
		if err != nil || head.Number != round+1 {
			t.Fatalf("the newest is %d, %v", head.Number, err)
		}
		for i, err := range errs {
			by := fmt.Sprintf("pusher %d", i)
			if first := head.Author == by; first != (err == nil) || err != nil && !errors.Is(err, ErrConflict) {
				t.Errorf("%s is first, and the error of %s is %v", head.Author, by, err)
			}
			if err != nil && !strings.Contains(err.Error(), fmt.Sprintf("revision %d is by %q, of %s", head.Number, head.Author, head.Time.Format(time.RFC3339))) {
				t.Errorf("it does not say who was first: %v", err)
			}
		}
	}
}

// TestPushersThatNameNoParentAllGetIn, one after the other.
func TestPushersThatNameNoParentAllGetIn(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	errs := make([]error, 4)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { _, errs[i] = s.Push(context.Background(), Proposal{Files: files("p.yaml", fmt.Sprint(i))}) })
	}
	all.Wait()
	if list, err := s.History(t.Context(), 0); err != nil || len(list) != len(errs) || errors.Join(errs...) != nil {
		t.Errorf("%d revisions, %v, %v", len(list), err, errors.Join(errs...))
	}
}

// TestAThousandPushesLeaveLittle behind: what is kept is bounded by configuration,
// in the streams, on disk and in memory.
func TestAThousandPushesLeaveLittle(t *testing.T) {
	const keep = 5
	dir := t.TempDir()
	s := open(t, Options{Dir: dir, KeepRevisions: keep})
	s.young.age = time.Nanosecond
	const always = "a list that never changes"
	var after100 int64
	for i := range 1000 {
		push(t, s, "one", files("p.yaml", fmt.Sprintf("policy: %d %s", i, strings.Repeat("x", 2000)), "list", always))
		if i == 99 {
			after100 = size(t, dir)
		}
	}
	for name, most := range map[string]uint64{"sluice_revisions": keep, "sluice_files": keep + 1} {
		stream, err := s.js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if got := stream.CachedInfo().State; got.Msgs > most {
			t.Errorf("%s has %d messages, want at most %d", name, got.Msgs, most)
		}
		if got := stream.CachedInfo().State.Consumers; got != 0 {
			t.Errorf("%s has %d consumers", name, got)
		}
	}
	if got := size(t, dir); got > 2*after100+4<<20 {
		t.Errorf("the folder has %d bytes after 1000 pushes, and had %d after 100", got, after100)
	}
	if got := len(s.kept.last); got > keep+1 {
		t.Errorf("%d digests are remembered", got)
	}
	if got := len(s.young.since); got > 0 {
		t.Errorf("%d digests are remembered as young", got)
	}
	list, err := s.History(t.Context(), 0)
	if err != nil || len(list) != keep || list[0].Number != 1000 {
		t.Fatalf("the history is %v, %v", list, err)
	}
	for _, r := range list {
		if got := fetched(t, s, r); got["list"] != always {
			t.Errorf("revision %d has %v", r.Number, got)
		}
	}
}

func size(t *testing.T, dir string) (total int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		total += info.Size()
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return total
}

// pieces returns how many messages there are of the pieces of files, by digest.
func pieces(t *testing.T, s *Store) map[string]uint64 {
	t.Helper()
	stream, err := s.blobStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context(), jetstream.WithSubjectFilter(">"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]uint64{}
	for subject, n := range info.State.Subjects {
		all[strings.Split(subject, ".")[2]] += n
	}
	return all
}

// TestWhatIsYoungStays: it may be of a push that is not yet done.
func TestWhatIsYoungStays(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), KeepRevisions: 1})
	for i := range 5 {
		push(t, s, "one", files("p.yaml", fmt.Sprint(i)))
	}
	if got := len(pieces(t, s)); got != 5 {
		t.Errorf("the pieces of %d files are there, want 5", got)
	}
	if got := len(s.young.since); got != 4 {
		t.Errorf("%d are remembered as young, want 4", got)
	}
	s.young.age = time.Nanosecond
	push(t, s, "one", files("p.yaml", "5"))
	if got := len(pieces(t, s)); got != 1 {
		t.Errorf("the pieces of %d files are there, want 1", got)
	}
}

// TestALargeListTravelsOnce: what a revision that is kept names is not stored again.
func TestALargeListTravelsOnce(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	list := strings.Repeat("0123456789abcdef", pieceSize/4)
	push(t, s, "one", files("p.yaml", "1", "list", list))
	before := s.conn.Stats().OutBytes
	push(t, s, "two", files("p.yaml", "2", "list", list, "again", list))
	if sent := s.conn.Stats().OutBytes - before; sent > pieceSize {
		t.Errorf("%d bytes were sent for one that has nothing new", sent)
	}
	// Another process finds it by itself.
	again, err := s.readKeptAnew(t.Context())
	if err != nil || again != 3 {
		t.Errorf("another process knows %d digests, %v", again, err)
	}
}

// readKeptAnew returns how many digests a process finds that has just started.
func (s *Store) readKeptAnew(ctx context.Context) (int, error) {
	s.kept.mu.Lock()
	s.kept.last = nil
	s.kept.mu.Unlock()
	_, err := s.readKept(ctx)
	return len(s.kept.last), err
}

// TestWhatWasAlteredIsRefused, and nothing of it is left.
func TestWhatWasAlteredIsRefused(t *testing.T) {
	large := strings.Repeat("x", pieceSize+5)
	for name, alter := range map[string]func(t *testing.T, s *Store, digest string){
		"other bytes": func(t *testing.T, s *Store, digest string) {
			t.Helper()
			replace(t, s, s.pieceSubject(digest, 1), "yyyyy")
		},
		"more bytes": func(t *testing.T, s *Store, digest string) {
			t.Helper()
			replace(t, s, s.pieceSubject(digest, 1), "xxxxxx")
		},
		"fewer bytes": func(t *testing.T, s *Store, digest string) {
			t.Helper()
			replace(t, s, s.pieceSubject(digest, 0), "x")
		},
		"a piece is gone": func(t *testing.T, s *Store, digest string) {
			t.Helper()
			stream, err := s.blobStream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.Purge(t.Context(), jetstream.WithPurgeSubject(s.pieceSubject(digest, 1))); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, Options{Dir: t.TempDir()})
			r := push(t, s, "one", files("a.yaml", "fine", "large", large))
			alter(t, s, r.Files[1].SHA256)
			dir := filepath.Join(t.TempDir(), "set")
			if err := s.Fetch(t.Context(), r, dir); !errors.Is(err, ErrAltered) || !strings.Contains(err.Error(), "large") {
				t.Errorf("the error is %v", err)
			}
			if left := texts(t, filepath.Dir(dir)); len(left) > 0 {
				t.Errorf("it left %v", left)
			}
		})
	}
}

func replace(t *testing.T, s *Store, subject, text string) {
	t.Helper()
	if _, err := s.js.Publish(t.Context(), subject, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func TestFetchWritesNothingOverOthers(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	r := push(t, s, "one", files("a.yaml", "new"))
	dir := t.TempDir()
	if err := s.Fetch(t.Context(), r, dir); err != nil {
		t.Errorf("into an empty folder: %v", err)
	}
	if err := s.Fetch(t.Context(), r, dir); err == nil || err.Error() != dir+" is not empty" {
		t.Errorf("into a folder with files: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Fetch(t.Context(), r, file); err == nil {
		t.Error("a file became a folder")
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "mine" {
		t.Errorf("the file has %q, %v", text, err)
	}
}

// TestSetsThatAreNoRevision are refused, and nothing is stored.
func TestSetsThatAreNoRevision(t *testing.T) {
	many := fstest.MapFS{}
	for i := range MaxFiles + 1 {
		many[fmt.Sprintf("%05d", i)] = &fstest.MapFile{}
	}
	s := open(t, Options{Dir: t.TempDir()})
	linked := t.TempDir()
	for name, target := range map[string]string{"to-folder": t.TempDir()} {
		if err := os.Symlink(target, filepath.Join(linked, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, row := range map[string]struct {
		p    Proposal
		want string
	}{
		"too many files": {Proposal{Files: many}, "reading the policy set: the policy set is too large for a revision: it has more than 10000 files"},
		"a long author":  {Proposal{Files: files(), Author: strings.Repeat("x", 257)}, "the policy set is too large for a revision: its author has 257 bytes, and 256 are possible"},
		"a long message": {Proposal{Files: files(), Message: strings.Repeat("x", 4097)}, "the policy set is too large for a revision: its message has 4097 bytes, and 4096 are possible"},
		"no text":        {Proposal{Files: files(), Author: "\xff"}, "its author is not valid UTF-8"},
		"no JSON":        {Proposal{Files: files(), Replay: json.RawMessage("{")}, "what became of its replay is not JSON"},
		"a long name":    {Proposal{Files: files(strings.Repeat("x", 1025), "")}, "the policy set is too large for a revision: the name \"" + strings.Repeat("x", 1025) + "\" is longer than 1024 bytes"},
		"a linked folder": {
			Proposal{Files: os.DirFS(linked)},
			"reading the policy set: to-folder is a link to a folder, and a revision has files only: put the folder in its place",
		},
	} {
		if _, err := s.Push(t.Context(), row.p); err == nil || err.Error() != row.want {
			t.Errorf("%s: %v\nwant %s", name, err, row.want)
		}
	}
	if _, err := s.Head(t.Context()); !errors.Is(err, ErrEmpty) {
		t.Errorf("something was stored: %v", err)
	}
}

// changing is a set one of whose files has another text whenever it is opened.
type changing struct {
	fstest.MapFS
	n *int
}

func (c changing) Open(name string) (fs.File, error) {
	if name == "p.yaml" {
		*c.n++
		c.MapFS[name] = &fstest.MapFile{Data: []byte(fmt.Sprint(*c.n))}
	}
	return c.MapFS.Open(name)
}

func TestASetThatChangesMeanwhileIsNotStored(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	_, err := s.Push(t.Context(), Proposal{Files: changing{files("p.yaml", "0"), new(int)}})
	if err == nil || err.Error() != "p.yaml was changed while it was stored; try again when the folder is at rest" {
		t.Errorf("the error is %v", err)
	}
}

// TestManifestsOfOthers: whoever can write to the engine cannot have a replica write
// outside its folder, or more than is possible.
func TestManifestsOfOthers(t *testing.T) {
	const digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	file := func(name string) string { return `{"name":"` + name + `","size":0,"sha256":"` + digest + `"}` }
	s := open(t, Options{Dir: t.TempDir()})
	if _, err := s.revisionStream(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct{ files, want string }{
		"up":              {file("../x"), `"../x" is not a path inside a policy set`},
		"up in the midst": {file("a/../../x"), `"a/../../x" is not a path inside a policy set`},
		"absolute":        {file("/etc/x"), `"/etc/x" is not a path inside a policy set`},
		"the folder":      {file("."), `"." is not a path inside a policy set`},
		"nothing":         {file(""), `"" is not a path inside a policy set`},
		"a NUL":           {file(`a\u0000b`), `"a\x00b" is not a path inside a policy set`},
		"hidden":          {file("a/.b/c"), `"a/.b/c" is hidden: a revision has no names that begin with a dot`},
		"twice":           {file("a") + "," + file("a"), `its files are not in order: "a" stands behind "a"`},
		"file and folder": {file("a") + "," + file("a.b") + "," + file("a/b"), `its file a is also a folder`},
		"no digest":       {`{"name":"a","size":0,"sha256":"*"}`, `its file a has no SHA-256 digest but "*"`},
		"in capitals":     {`{"name":"a","size":0,"sha256":"` + strings.ToUpper(digest) + `"}`, `its file a has no SHA-256 digest but "` + strings.ToUpper(digest) + `"`},
		"less than none":  {`{"name":"a","size":-1,"sha256":"` + digest + `"}`, `the policy set is too large for a revision: its file a has -1 bytes`},
		"too large":       {`{"name":"a","size":4294967296,"sha256":"` + digest + `"},{"name":"b","size":1,"sha256":"` + digest + `"}`, `the policy set is too large for a revision: its files have more than 4 GiB together`},
		"no JSON":         {`{`, `invalid character ']' looking for beginning of object key string`},
	} {
		ack, err := s.js.Publish(t.Context(), s.subject("revisions"), []byte(`{"files":[`+row.files+`]}`))
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("revision %d cannot be read: it is not a revision: %s", ack.Sequence, row.want)
		if _, err := s.Revision(t.Context(), ack.Sequence); err == nil || err.Error() != want {
			t.Errorf("%s: %v\nwant %s", name, err, want)
		}
	}
	// A push goes on, on top of the odd ones, which the history leaves out.
	r := push(t, s, "one", files("a.yaml", "fine"))
	if list, err := s.History(t.Context(), 0); err != nil || len(list) != 1 || list[0].Number != r.Number {
		t.Errorf("the history is %v, %v", list, err)
	}
}

func FuzzDecodeRevision(f *testing.F) {
	r := Revision{Author: "a", Files: []File{{"a/b", 5, strings.Repeat("0f", 32)}, {"c", 0, strings.Repeat("00", 32)}}}
	text, err := r.encode(1 << 20)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"files":[{"name":"../x"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := decodeRevision(text)
		if err != nil {
			return
		}
		for _, f := range r.Files {
			if !filepath.IsLocal(f.Name) {
				t.Errorf("%q leads out of the folder", f.Name)
			}
		}
		again, err := r.encode(maxMessage)
		if err != nil {
			t.Fatal(err)
		}
		same, err := decodeRevision(again)
		if diff := cmp.Diff(r.Files, same.Files); diff != "" || err != nil {
			t.Errorf("%v (-first +second):\n%s", err, diff)
		}
	})
}

// TestFollowersHearOfEachRevision at once, also those that follow from elsewhere,
// and those that begin before there is one.
func TestFollowersHearOfEachRevision(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	ctx, stop := context.WithCancel(t.Context())
	heard := make(chan Revision)
	done := make(chan error, 2)
	for _, from := range []*Store{s, open(t, Options{Dir: dir, Join: true})} {
		go func() {
			done <- from.Follow(ctx, func(r Revision) {
				select {
				case heard <- r:
				case <-ctx.Done():
				}
			})
		}()
	}
	for i := range 3 {
		r := push(t, s, fmt.Sprint(i), files("p.yaml", fmt.Sprint(i)))
		for range 2 {
			if diff := cmp.Diff(r, <-heard); diff != "" {
				t.Errorf("(-pushed +heard):\n%s", diff)
			}
		}
	}
	stop()
	for range 2 {
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Follow returned %v", err)
		}
	}
}

// TestFollowersSurviveTheEngine: it ends, and comes back with what it had.
func TestFollowersSurviveTheEngine(t *testing.T) {
	dir := t.TempDir()
	first, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	follower := open(t, Options{Dir: dir, Join: true})
	ctx, stop := context.WithCancel(t.Context())
	heard, done := make(chan Revision, 8), make(chan error, 1)
	go func() { done <- follower.Follow(ctx, func(r Revision) { heard <- r }) }()
	push(t, first, "one", files("p.yaml", "1"))
	if r := <-heard; r.Message != "one" {
		t.Errorf("heard of %s", r.Message)
	}
	first.Close()
	soon, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := follower.Head(soon); !errors.Is(err, ErrAway) {
		t.Errorf("without the engine the head is %v", err)
	}
	push(t, open(t, Options{Dir: dir}), "two", files("p.yaml", "2"))
	if r := <-heard; r.Message != "two" {
		t.Errorf("heard of %s", r.Message)
	}
	stop()
	<-done
}

// TestCommandsDoNotChangeHowMuchIsKept: only the service was told.
func TestCommandsDoNotChangeHowMuchIsKept(t *testing.T) {
	dir := t.TempDir()
	service := open(t, Options{Dir: dir, KeepRevisions: 3})
	for i := range 3 {
		push(t, service, "one", files("p.yaml", fmt.Sprint(i)))
	}
	push(t, open(t, Options{Dir: dir, Join: true, KeepRevisions: 1}), "four", files("p.yaml", "4"))
	if list, err := service.History(t.Context(), 0); err != nil || len(list) != 3 {
		t.Errorf("%d revisions are kept, %v", len(list), err)
	}
}

func TestVisible(t *testing.T) {
	set := Visible(files("p.yaml", "1", ".hidden", "2", "a/.b/c", "3"))
	for name, want := range map[string]bool{"p.yaml": true, ".hidden": false, "a/.b/c": false, "a": true, ".": true} {
		if _, err := fs.Stat(set, name); (err == nil) != want || err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
