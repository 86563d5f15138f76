package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/rules"
)

// life is a log through failures of its disk, ends in order and crashes.
type life struct {
	t        *rapid.T
	o        Options
	disk     *badDisk
	j        *Journal
	next     int
	recorded []string // what Append has promised, in order
	tried    map[string]bool
}

func (l *life) open() {
	l.disk = &badDisk{cheap: true}
	l.o.disk = l.disk
	j, err := Open(l.o)
	if err != nil {
		l.t.Fatal(err)
	}
	l.j = j
}

func (l *life) record() {
	l.next++
	name := strconv.Itoa(l.next)
	l.tried[name] = true
	if err := l.j.Append(numbered(l.next), &rules.Decision{}); err == nil {
		l.recorded = append(l.recorded, name)
	} else {
		l.j.Unrecorded(rapid.Bool().Draw(l.t, "answered"))
	}
}

// fail has some operations of the disk fail from now on.
func (l *life) fail() {
	operations := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"write", "truncate", "sync", "create"}), 1, 4, rapid.ID).Draw(l.t, "fails")
	l.disk.mu.Lock()
	defer l.disk.mu.Unlock()
	l.disk.part = rapid.Float64Range(0, 1).Draw(l.t, "part")
	l.disk.fault = failsAt(operations...)
}

// end closes the log, whatever the disk says.
func (l *life) end() {
	if err := l.j.Close(); err != nil && !errors.Is(err, syscall.ENOSPC) {
		l.t.Fatal(err)
	}
	l.open()
}

// crash stops the machine: nothing reaches the disk any more, and of what was not
// synced some is there, or as much of nothing.
func (l *life) crash() {
	l.disk.set(failsAt("write", "truncate", "sync", "create"))
	l.disk.mu.Lock()
	l.disk.part = 0
	l.disk.mu.Unlock()
	_ = l.j.Close() // Its disk has gone.
	names, err := filepath.Glob(filepath.Join(l.o.Dir, "*"+openEnding))
	if err != nil || len(names) == 0 {
		l.open()
		return
	}
	name := slices.Max(names)
	text, err := os.ReadFile(name)
	if err != nil {
		l.t.Fatal(err)
	}
	safe, known := l.disk.synced[name]
	if !known { // It was written by a service before.
		l.open()
		return
	}
	unsafe := text[safe:]
	left := rapid.IntRange(0, len(unsafe)).Draw(l.t, "left")
	if rapid.Bool().Draw(l.t, "zeros") {
		clear(unsafe[left:])
	} else {
		text = text[:int(safe)+left]
	}
	if err := os.WriteFile(name, text, 0o600); err != nil {
		l.t.Fatal(err)
	}
	l.open()
}

// check holds the log against what was promised.
func (l *life) check() {
	records, err := readChain(l.o.Dir)
	if err != nil {
		l.t.Fatal(err)
	}
	users := usersOf(records)
	seen := map[string]bool{}
	var promised []string
	for _, user := range users {
		if seen[user] || !l.tried[user] {
			l.t.Fatalf("record %s is there twice, or was never asked for: %q", user, users)
		}
		seen[user] = true
		if slices.Contains(l.recorded, user) {
			promised = append(promised, user)
		}
	}
	if diff := cmp.Diff(l.recorded, promised); diff != "" {
		l.t.Fatalf("not all that was promised is there in order:\n%s", diff)
	}
}

// TestWhatWasPromisedIsThere: whatever happens to the disk, the process and the
// machine, every record that Append has taken is in the log once and in order, and
// the log has no gap.
func TestWhatWasPromisedIsThere(t *testing.T) {
	dir, runs := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		o := someOptions(filepath.Join(dir, strconv.Itoa(runs)))
		o.SegmentSize = rapid.SampledFrom([]int64{1, 2000, 1 << 20}).Draw(rt, "size")
		l := &life{t: rt, o: o, tried: map[string]bool{}}
		l.open()
		rt.Repeat(map[string]func(*rapid.T){
			"record":      func(*rapid.T) { l.record() },
			"record more": func(*rapid.T) { l.record() },
			"fail":        func(*rapid.T) { l.fail() },
			"heal":        func(*rapid.T) { l.disk.set(nil) },
			"end":         func(*rapid.T) { l.end() },
			"crash":       func(*rapid.T) { l.crash() },
		})
		l.disk.set(nil)
		l.end()
		l.record()
		if err := l.j.Close(); err != nil {
			rt.Fatal(err)
		}
		l.check()
	})
}

// TestARecordIsReadAsItWasWritten, by a reader that knows nothing of how.
func TestARecordIsReadAsItWasWritten(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "a\u202eb", "\x00\x1f\x7f", `"\`, "é…日本", "\xff\xfe", "\U0001f600"}))
	number := rapid.Custom(func(t *rapid.T) rules.Number {
		return rules.Number{Value: rapid.Int64().Draw(t, "value"), Known: rapid.Bool().Draw(t, "known")}
	})
	rapid.Check(t, func(t *rapid.T) {
		e := &rules.Event{
			ID: rules.ID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")), Received: time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "time"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")),
			Phase: rules.PhaseStop, Direction: rules.Download, User: text.Draw(t, "user"), UserID: text.Draw(t, "user_id"), Client: text.Draw(t, "client"),
			ClientIP: text.Draw(t, "ip"), Host: text.Draw(t, "host"), SessionID: text.Draw(t, "session"), TransferID: text.Draw(t, "transfer"),
			Below: rapid.Bool().Draw(t, "below"), Size: number.Draw(t, "size"), StartByte: number.Draw(t, "start"), BytesWritten: number.Draw(t, "written"),
			Cipher: text.Draw(t, "cipher"), RatePolicy: text.Draw(t, "policy"), TargetRateKbps: number.Draw(t, "target"), MinRateKbps: number.Draw(t, "min"),
			FileNameEncoding: text.Draw(t, "encoding"), Checksum: text.Draw(t, "checksum"), ChecksumType: text.Draw(t, "type"),
			File: rules.ParsePath("/x" + strings.ReplaceAll(text.Draw(t, "file"), "/", "")),
		}
		d := &rules.Decision{
			ID: e.ID, Verdict: rules.Verdict{Code: rules.Code(text.Draw(t, "code")), Message: text.Draw(t, "message")},
			Policy: text.Draw(t, "policy"), Rule: text.Draw(t, "rule"), Kind: text.Draw(t, "kind"), Revision: text.Draw(t, "revision"),
			Applied: rapid.IntRange(0, 5).Draw(t, "applied"), Took: time.Duration(rapid.Int64Range(0, 1<<40).Draw(t, "took")),
		}
		rule := &rules.Rule{Policy: d.Policy, Name: d.Rule, Kind: d.Kind, Mode: rules.Shadow}
		saw := text.Draw(t, "saw")
		d.Steps = []rules.Step{{Rule: rule, Outcome: rules.WouldRefuse, Detail: &rules.Detail{Saw: saw, Verdict: d.Verdict, Err: errors.New(saw)}}}

		var got Record
		line := append([]byte(`{"seq":1,"prev":"",`), newEncoder("i").appendRecord(nil, e, d)...)
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		clean := func(s string) string { return string([]rune(rules.Shorten(s, maxText))) }
		whole := func(n rules.Number) *int64 {
			if !n.Known {
				return nil
			}
			return &n.Value
		}
		want := Record{
			Sequence: 1, ID: d.ID.String(), Time: e.Received.UTC(), Instance: "i", Revision: clean(d.Revision),
			Event: &Event{
				Phase: "stop", Direction: "download", User: clean(e.User), UserID: clean(e.UserID), Client: clean(e.Client), ClientIP: clean(e.ClientIP),
				Host: clean(e.Host), SessionID: clean(e.SessionID), TransferID: clean(e.TransferID), File: clean(e.File.Shown()), Below: e.Below,
				Size: whole(e.Size), StartByte: whole(e.StartByte), BytesWritten: whole(e.BytesWritten), Cipher: clean(e.Cipher), RatePolicy: clean(e.RatePolicy),
				TargetRateKbps: whole(e.TargetRateKbps), MinRateKbps: whole(e.MinRateKbps), NameEncoding: clean(e.FileNameEncoding), Checksum: clean(e.Checksum), ChecksumType: clean(e.ChecksumType),
			},
			Verdict: Accept, Applied: d.Applied, TookMicros: d.Took.Microseconds(),
			Steps: []Step{{Policy: clean(d.Policy), Rule: clean(d.Rule), Kind: clean(d.Kind), Mode: "shadow", Outcome: "would_refuse", Code: clean(string(d.Code)), Saw: clean(saw), Error: clean(saw)}},
		}
		if !d.Accepted() {
			want.Verdict, want.Code, want.Message, want.Policy, want.Rule, want.Kind = Reject, clean(string(d.Code)), clean(d.Message), clean(d.Policy), clean(d.Rule), clean(d.Kind)
		}
		got.Event.Missing = nil // Another test's.
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		for _, c := range line {
			if c < ' ' || c == 0x7f {
				t.Fatalf("a terminal would obey %q", line)
			}
		}
	})
}

// FuzzRecover: whatever the last segment holds, the log opens, keeps the records
// that are in order from the beginning, and goes on behind them.
func FuzzRecover(f *testing.F) {
	whole := someLines(3)
	for _, seed := range [][]byte{
		nil, whole, whole[:len(whole)-1], whole[:len(whole)-40], append(bytes.Clone(whole), make([]byte, 512)...), []byte("\n"), []byte(`{"seq":1}` + "\n"),
		append(bytes.Clone(whole), whole...), append(bytes.Clone(whole[:300]), whole[301:]...), []byte(`{"seq":1,"prev":"` + strings.Repeat("0", 64) + `",` + "\n"),
		append(someLines(2), []byte(`{"seq":18446744073709551616,"prev":"`+"\n")...), make([]byte, 4096),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		name := filepath.Join(dir, segmentName(1).file(openEnding))
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		o := someOptions(dir)
		o.disk = &badDisk{cheap: true}
		closed(t, opened(t, o))
		after, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		kept := bytes.Index(after, []byte(`"note":"opened"`))
		lines := bytes.SplitAfter(after, []byte("\n"))
		previous, size := [sha256.Size]byte{}, 0
		for i, line := range lines[:len(lines)-1] {
			seq, prev, ok := head(line)
			if !ok || seq != uint64(i+1) || i > 0 && prev != previous {
				t.Fatalf("line %d of what is left is not in order: %q", i+1, after)
			}
			previous = sha256.Sum256(line[:len(line)-1])
			if size+len(line) <= len(text) && bytes.Equal(text[:size+len(line)], after[:size+len(line)]) {
				size += len(line)
			}
		}
		if kept < size && size < len(text) && !bytes.HasPrefix(text, after) {
			t.Fatalf("%d bytes are kept of %q in %q", size, text, after)
		}
		closed(t, opened(t, o)) // Once more finds nothing to mend.
		again, err := os.ReadFile(name)
		if err != nil || !bytes.HasPrefix(again, after) || bytes.Contains(again[len(after):], []byte(NoteRepaired)) {
			t.Fatalf("the second time it is %q after %q (%v)", again, after, err)
		}
	})
}

// someLines are records of a log that begins with them.
func someLines(n int) (text []byte) {
	at := position{next: 1}
	for i := range n {
		text = at.chain(text, newEncoder("i").appendRecord(nil, numbered(i), &rules.Decision{}))
	}
	return text
}

// TestWhatIsLeftOfATornEnd says what is kept of the usual ones, and what is told.
func TestWhatIsLeftOfATornEnd(t *testing.T) {
	whole := someLines(3)
	third := len(someLines(2))
	swapped := append(bytes.Clone(whole[third:]), whole[:third]...)
	for _, tc := range []struct {
		name   string
		text   []byte
		kept   int // records
		torn   int
		beside bool
	}{
		{"nothing is wrong", whole, 3, 0, false},
		{"cut inside a record", whole[:len(whole)-20], 2, len(whole) - 20 - third, false},
		{"the line feed is missing", whole[:len(whole)-1], 2, len(whole) - 1 - third, false},
		{"zeros behind", append(bytes.Clone(whole), make([]byte, 100)...), 3, 100, false},
		{"zeros inside the last record", slices.Concat(whole[:third+120], make([]byte, len(whole)-third-121), []byte("\n")), 2, len(whole) - third, false},
		{"an empty segment", nil, 0, 0, false},
		{"nothing but zeros", make([]byte, 100), 0, 100, false},
		{"records from somewhere else behind", append(bytes.Clone(whole), whole[:third]...), 3, third, true},
		{"records in another order", swapped, 0, len(whole), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ears := &heard{}
			o := someOptions(t.TempDir())
			o.Told = ears.told
			if err := os.WriteFile(filepath.Join(o.Dir, segmentName(1).file(openEnding)), tc.text, 0o600); err != nil {
				t.Fatal(err)
			}
			closed(t, opened(t, o))
			records := logOf(t, o.Dir)
			if got := len(usersOf(records)); got != tc.kept {
				t.Errorf("%d records are kept, want %d", got, tc.kept)
			}
			var notes, told []string
			if tc.torn > 0 {
				notes, told = []string{"repaired " + strconv.Itoa(tc.torn)}, []string{Repaired}
			}
			if diff := cmp.Diff(append(notes, "opened", "closed"), notesOf(records)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(told, ears.all()); diff != "" {
				t.Error(diff)
			}
			beside, _ := filepath.Glob(filepath.Join(o.Dir, "*"+tornEnding))
			if (len(beside) > 0) != tc.beside {
				t.Errorf("beside the log is %q", beside)
			}
		})
	}
}

// TestTheEndOfALogIsFound wherever it is.
func TestTheEndOfALogIsFound(t *testing.T) {
	for name, harm := range map[string]func(dir string) error{
		"the last segment is empty": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, segmentName(9).file(openEnding)), nil, 0o600)
		},
		"nothing is open": func(dir string) error {
			return compress(dir, 1, nil)
		},
		"nothing is open, and the index is missing": func(dir string) error {
			return errors.Join(compress(dir, 1, nil), os.Remove(filepath.Join(dir, segmentName(1).file(indexEnding))))
		},
		"other files lie about": func(dir string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "x.jsonl"), nil, 0o600), os.Mkdir(filepath.Join(dir, "sinks"), 0o700))
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := someOptions(t.TempDir())
			if err := os.WriteFile(filepath.Join(o.Dir, segmentName(1).file(openEnding)), someLines(8), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := harm(o.Dir); err != nil {
				t.Fatal(err)
			}
			closed(t, opened(t, o))
			if got := len(logOf(t, o.Dir)); got != 10 {
				t.Errorf("there are %d records", got)
			}
		})
	}
}

// TestNumbersAreNotGivenTwice, although the segment before has gone.
func TestNumbersAreNotGivenTwice(t *testing.T) {
	o := someOptions(t.TempDir())
	if err := os.WriteFile(filepath.Join(o.Dir, segmentName(9).file(openEnding)), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	closed(t, opened(t, o))
	text, err := os.ReadFile(filepath.Join(o.Dir, segmentName(9).file(openEnding)))
	if err != nil || !bytes.HasPrefix(text, []byte(`{"seq":9,`)) {
		t.Errorf("it goes on with %q (%v)", text, err)
	}
}

// FuzzTags: what is appended is JSON, and nothing in it is a secret.
func FuzzTags(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `{}`, `{"a":1,"b":[true,null,"x",-1.5e3]}`, `{"aspera":{"node":{"access_key":"k","access_key_secret":"SECRET"}}}`,
		`{"Password":"SECRET"}`, `{"pass\u0077ord":"SECRET"}`, `{"a":{"api_key":["SECRET",{"b":"SECRET"}]}}`, `"{\"token\":\"SECRET\"}"`,
		`"eyJ0b2tlbiI6IlNFQ1JFVCJ9"`, `{"grant":"eyJSECRET"}`, `{"grant":"x"}`, `{"a":nul}`, `{"a":"\q"}`, `{"a":1,}`, `{"a" 1}`, `{"to\u212aen":"SECRET"}`,
		"{\"to\u212aen\":\"SECRET\"}", "{\"pa\u017f\u017f\":\"SECRET\"}", `{"größe":1}`, "{\"a\":\"\u202e\x7f\"}", `{"a":01}`, `{"a":1e}`, `[1]`, `{"a":"\ud800"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		b, whole := appendTags([]byte("x"), "", &rules.Tags{Raw: raw})
		if len(b) == 1 {
			return
		}
		written := b[1:]
		if !json.Valid(written) {
			t.Fatalf("%q is written as %q, which is no JSON", raw, written)
		}
		var tree any
		if err := json.Unmarshal(written, &tree); err != nil {
			t.Fatal(err)
		}
		if secret := secretIn(tree); secret != "" {
			t.Fatalf("%q is written as %q, where %s is shown", raw, written, secret)
		}
		var before any
		if whole && json.Unmarshal([]byte(raw), &before) == nil && !strings.Contains(raw, "grant") && strings.HasPrefix(raw, "{") {
			if diff := cmp.Diff(before, tree); diff != "" && !hasLoneSurrogate(raw) {
				t.Fatalf("%q is written as %q:\n%s", raw, written, diff)
			}
		}
		for _, c := range written {
			if c < ' ' || c == 0x7f {
				t.Fatalf("a terminal would obey %q", written)
			}
		}
	})
}

// hasLoneSurrogate reports whether bytes or escapes in JSON are no character, so
// that readers differ.
func hasLoneSurrogate(raw string) bool {
	return strings.ToValidUTF8(raw, "") != raw || strings.Contains(strings.ToLower(raw), `\ud`)
}

// secretIn returns the name of a member that may be secret and is shown.
func secretIn(tree any) string {
	switch tree := tree.(type) {
	case map[string]any:
		for name, value := range tree {
			lower := strings.Map(func(r rune) rune {
				switch r {
				case '\u017f':
					return 's'
				case '\u212a':
					return 'k'
				}
				return r
			}, strings.ToLower(name))
			for _, word := range []string{"pass", "secret", "credential", "token", "private", "api_key", "apikey", "authorization", "cookie", "session_key"} {
				if strings.Contains(lower, word) && value != "***" {
					return name
				}
			}
			if text, ok := value.(string); ok && name == "grant" && strings.HasPrefix(text, "eyJ") {
				return name
			}
			if secret := secretIn(value); secret != "" {
				return secret
			}
		}
	case []any:
		for _, value := range tree {
			if secret := secretIn(value); secret != "" {
				return secret
			}
		}
	}
	return ""
}
