package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/rules"
)

const (
	md5Bad    = "d41d8cd98f00b204e9800998ecf8427e"
	sha256Bad = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// oddities makes some records of a log unlike the others.
func oddities(n int, e *rules.Event, d *rules.Decision) {
	switch n {
	case 17: // Whatever a client writes is no member of the record.
		e.User = `a","verdict":"reject","user":"mallory`
		e.Tags.Raw = `{"user":"mallory","file_csum":"` + md5Bad + `","digests":{"md5":"` + md5Bad + `"},"client_ip":"192.0.2.1"}`
	case 33:
		e.Checksum, e.ChecksumType = strings.ToUpper(md5Bad), "md5"
	case 44:
		d.Facts = &rules.Facts{Types: []string{"application/pdf"}, Digests: map[string]string{"sha1": strings.Repeat("a", 40), "sha256": sha256Bad}}
	case 55:
		e.ClientIP = "::ffff:192.0.2.55"
	case 56:
		e.ClientIP = "::ffff:c000:0238"
	case 57:
		e.ClientIP = "2001:db8::57"
	case 58:
		e.ClientIP = "2001:DB8:0::0058"
	case 59:
		e.ClientIP = "0:0:0:0:0:FFFF:192.0.2.159"
	case 60:
		e.ClientIP = "FE80::60%eth0"
	case 66:
		e.File = rules.ParsePath(`C:\Drop\Invoice "1".EXE`)
	case 67:
		e.File = rules.ParsePath("/drop/räte/\u202egpj.exe")
	case 77:
		e.File, e.Size, e.Phase = rules.Path{}, rules.Number{}, rules.PhaseStop
	case 88:
		e.Fault, e.Phase = &rules.Fault{Code: rules.CodeMalformed, Reason: "duplicate"}, rules.PhaseUnknown
		d.Verdict = rules.CodeMalformed.Verdict()
		d.Policy, d.Rule, d.Kind, d.Steps = "", "", "", nil
	}
}

// oddLog is a log with oddities, and its records.
func oddLog(tb testing.TB) (dir string, all []Record) {
	tb.Helper()
	dir = makeLog(tb, shape{records: 300, segment: 64 << 10, change: oddities})
	for e, err := range Read(tb.Context(), dir, &Query{Notes: true}) {
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, e.Record)
	}
	if len(all) != 302 {
		tb.Fatalf("%d records", len(all))
	}
	return dir, all
}

// numbersOf returns the numbers of the records of which f holds.
func numbersOf(all []Record, f func(r *Record) bool) (numbers []uint64) {
	for i := range all {
		if all[i].Note == "" && f(&all[i]) {
			numbers = append(numbers, all[i].Sequence)
		}
	}
	return numbers
}

// TestSearch says what filters find, with what a reader would look for by hand.
func TestSearch(t *testing.T) {
	dir, all := oddLog(t)
	eventIs := func(f func(e *Event) bool) func(r *Record) bool { return func(r *Record) bool { return f(r.Event) } }
	n := func(numbers ...int) func(*Record) bool { // Of events, which count from 0 behind the first note.
		return func(r *Record) bool { return slices.Contains(numbers, int(r.Sequence)-2) }
	}
	rows := []struct {
		name string
		q    Query
		want func(r *Record) bool
	}{
		{"everything", Query{}, func(*Record) bool { return true }},
		{"a verdict", Query{Verdict: []string{Reject}}, func(r *Record) bool { return r.Verdict == Reject }},
		{"a user", Query{User: []string{"partner-3"}}, eventIs(func(e *Event) bool { return e.User == "partner-3" })},
		{"users", Query{User: []string{"partner-3", "partner-[45]"}}, eventIs(func(e *Event) bool { return slices.Contains([]string{"partner-3", "partner-4", "partner-5"}, e.User) })},
		{"a user that only tags have", Query{User: []string{"mallory"}}, n()},
		{"a user with a quote", Query{User: []string{`a"*`}}, n(17)},
		{"two filters", Query{User: []string{"partner-3"}, Verdict: []string{Reject}}, func(r *Record) bool { return r.Event.User == "partner-3" && r.Verdict == Reject }},
		{"a rule", Query{Rule: []string{"finished-video-only"}}, func(r *Record) bool { return r.Rule == "finished-video-only" }},
		{"a rule with its policy", Query{Rule: []string{"partner-ingest/fin*"}}, func(r *Record) bool { return r.Rule == "finished-video-only" }},
		{"a rule of another policy", Query{Rule: []string{"limits/finished-video-only"}}, n()},
		{"a rule that was asked and did not refuse", Query{Rule: []string{"large"}}, n()},
		{"a policy, a code and a kind", Query{Policy: []string{"partner-*"}, Code: []string{"1022"}, Kind: []string{"extension"}}, func(r *Record) bool { return r.Rule != "" }},
		{"a session", Query{Session: []string{makeID(4)}}, n(20, 21, 22, 23, 24)},
		{"a transfer", Query{Transfer: []string{makeID(5)}}, func(r *Record) bool { return r.Event.TransferID == makeID(5) }},
		{"an id", Query{ID: []string{makeEvent(100).ID.String()}}, n(100)},
		{"a file", Query{File: []string{"/ingest/film-2/*"}}, eventIs(func(e *Event) bool { return strings.HasPrefix(e.File, "/ingest/film-2/") })},
		{"a file anywhere", Query{File: []string{"**/clip-0123.mov"}}, n(123)},
		{"a file of Windows", Query{File: []string{"C:/Drop/*"}}, n(66)},
		{"a file with letters that are escaped", Query{File: []string{"**/räte/*.exe"}}, n(67)},
		{"a digest of the server", Query{Digest: []string{md5Bad}}, n(33)},
		{"a digest that was computed", Query{Digest: []string{strings.ToUpper(sha256Bad)}}, n(44)},
		{"an address", Query{ClientIP: []string{"203.0.113.7"}}, n(7, 207)},
		{"an address that tags have", Query{ClientIP: []string{"10.0.0.1"}}, n()},
		{"an address that the server wrote as IPv6", Query{ClientIP: []string{"192.0.2.55"}}, n(55)},
		{"an address that the server wrote as IPv6 in hex", Query{ClientIP: []string{"192.0.2.56"}}, n(56)},
		{"a network", Query{ClientIP: []string{"192.0.2.0/24", "2001:db8::/32"}}, n(55, 56, 57, 58, 59)},
		{"an address in small letters, and with zeros left out", Query{ClientIP: []string{"2001:db8::58"}}, n(58)},
		{"an address in capital letters, and with zeros", Query{ClientIP: []string{"2001:0DB8:0::57"}}, n(57)},
		{"an IPv4 address in IPv6", Query{ClientIP: []string{"::ffff:192.0.2.159"}}, n(59)},
		{"an IPv4 address that the server wrote as IPv6 with zeros", Query{ClientIP: []string{"192.0.2.159"}}, n(59)},
		{"an address with a zone", Query{ClientIP: []string{"fe80::60"}}, n(60)},
		{"a network of addresses with zones", Query{ClientIP: []string{"fe80::/10"}}, n(60)},
		{"a phase", Query{Phase: []string{"stop", "unknown"}}, n(77, 88)},
		{"a window", Query{From: noon.Add(10 * time.Second), To: noon.Add(13 * time.Second)}, n(10, 11, 12)},
		{"an expression", Query{Where: `record.event.size == 5000 || record.event.file.endsWith(".EXE")`}, n(5, 66)},
		{"an expression with units, as policies have them", Query{Where: `record.event.size == 5 * KB || record.time == timestamp("2026-03-14T10:00:03Z") + 2 * hour && record.event.file.segments().size() > 0`}, n(3, 5)},
		{"an expression about steps", Query{Where: `record.steps.exists(s, s.outcome == "refused" && s.saw == "clip-0013.mov")`}, n(13)},
		{"an expression about facts", Query{Where: `record.facts.types[0] == "application/pdf"`}, n(44)},
		{"an expression about time", Query{Where: `record.time < timestamp("2026-03-14T12:00:02Z") && record.verdict == "accept"`}, n(0, 1)},
		{"an expression about what is there", Query{Where: `!has(record.event.size) && record.event.session`}, n(77)},
		{"an expression about tags", Query{Where: `record.event.tags.user == "mallory"`}, n(17)},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got, errs := foundIn(t, dir, row.q)
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			if diff := cmp.Diff(numbersOf(all, row.want), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestSearchIsRightAgainstAnotherWay draws queries, and compares what is found with
// what decoding every line of the whole log finds.
func TestSearchIsRightAgainstAnotherWay(t *testing.T) {
	dir, all := oddLog(t)
	some := func(t *rapid.T, name string, values []string) []string {
		if !rapid.Bool().Draw(t, "has "+name) {
			return nil
		}
		return rapid.SliceOfN(rapid.SampledFrom(values), 1, 3).Draw(t, name)
	}
	anyGlob := func(globs []string, value string) bool {
		return len(globs) == 0 || value != "" && slices.ContainsFunc(globs, func(glob string) bool {
			return doublestar.MatchUnvalidated(strings.ReplaceAll(glob, "/", "\x01"), strings.ReplaceAll(value, "/", "\x01"))
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		q := Query{
			Verdict: some(t, "verdict", []string{Accept, Reject}), User: some(t, "user", []string{"partner-1", "partner-2", "*-3", "a*y", "nobody"}),
			Rule: some(t, "rule", []string{"finished-video-only", "*video*", "large"}), Phase: some(t, "phase", []string{"start", "stop", "unknown"}),
			File:     some(t, "file", []string{"**/*.mov", "**/*.exe", "/ingest/*/clip-00?7.mov", "C:/**", "**/film-3/**"}),
			ClientIP: some(t, "client_ip", []string{"203.0.113.7", "203.0.113.0/28", "192.0.2.0/24", "192.0.2.159", "2001:db8::57", "2001:db8::58", "fe80::60"}),
		}
		if rapid.Bool().Draw(t, "has a window") {
			q.From = noon.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "from")) * time.Second)
			q.To = q.From.Add(time.Duration(rapid.IntRange(1, 300).Draw(t, "for")) * time.Second)
		}
		var paths rules.PathGlobs
		for _, glob := range q.File {
			paths.Add(glob, 1)
		}
		want := numbersOf(all, func(r *Record) bool {
			a, err := netip.ParseAddr(r.Event.ClientIP)
			inside := len(q.ClientIP) == 0 || err == nil && slices.ContainsFunc(q.ClientIP, func(text string) bool {
				if !strings.Contains(text, "/") {
					return a.Unmap().WithZone("") == netip.MustParseAddr(text)
				}
				return netip.MustParsePrefix(text).Contains(a.Unmap().WithZone(""))
			})
			return inside && anyGlob(q.Verdict, r.Verdict) && anyGlob(q.User, r.Event.User) && anyGlob(q.Rule, r.Rule) && anyGlob(q.Phase, r.Event.Phase) &&
				(len(q.File) == 0 || r.Event.File != "" && paths.Match(rules.ParsePath(r.Event.File).Slash)) &&
				!r.Time.Before(q.From) && (q.To.IsZero() || r.Time.Before(q.To))
		})
		got := []uint64(nil)
		for e, err := range Read(t.Context(), dir, &q) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.Sequence)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%+v (-want +got)\n%s", q, diff)
		}
	})
}

func TestASearchPassesOverSegments(t *testing.T) {
	dir, _ := oddLog(t)
	for name, q := range map[string]Query{
		"a time": {To: noon.Add(time.Second)}, "a user": {User: []string{`a"*`}}, "an id": {ID: []string{makeEvent(100).ID.String()}},
		"a digest": {Digest: []string{md5Bad}}, "an address": {ClientIP: []string{"2001:db8::57"}}, "a phase": {Phase: []string{"unknown"}},
	} {
		s, err := q.Compile()
		if err != nil {
			t.Fatal(err)
		}
		hits := 0
		for _, err := range s.Read(t.Context(), dir) {
			if err != nil {
				t.Fatal(err)
			}
			hits++
		}
		if got := s.Stats(); hits != 1 || got.Skipped == 0 || got.Segments > 2 {
			t.Errorf("by %s: %d found, %+v", name, hits, got)
		}
	}
}

// TestALogOfAnotherProgramIsSearchedToo: filters look at bytes only where these are
// the log's own.
func TestALogOfAnotherProgramIsSearchedToo(t *testing.T) {
	dir, all := oddLog(t)
	var b bytes.Buffer
	for i := range all {
		var tree map[string]any
		text, _ := json.Marshal(&all[i])
		json.Unmarshal(text, &tree)
		text, _ = json.MarshalIndent(tree, "", " ") // Members in another order, and with spaces.
		b.WriteString(strings.ReplaceAll(string(text), "\n", " ") + "\n")
	}
	for _, q := range []Query{{User: []string{"partner-3"}}, {Digest: []string{sha256Bad}}, {ClientIP: []string{"192.0.2.0/24"}}, {File: []string{"**/*.exe"}}} {
		want, _ := foundIn(t, dir, q)
		s, _ := q.Compile()
		var got []uint64
		for e, err := range s.ReadFrom(t.Context(), "-", bytes.NewReader(b.Bytes())) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.Sequence)
		}
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%+v finds %v, and in the log itself %v", q, got, want)
		}
	}
}

func TestBrokenPlacesAreToldAndPassedOver(t *testing.T) {
	dir, closed, open := smallLog(t)
	want, _ := foundIn(t, dir, Query{})
	lines, repack := linesIn(t, closed[0])
	lines[3], lines[5] = `{"seq":4,"prev":`, strings.Repeat("x", maxLine+10)
	repack(lines)
	text := readText(t, closed[2])
	writeText(t, closed[2], text[:len(text)/2])
	writeText(t, open, strings.TrimSuffix(readText(t, open), "\n")) // Being written.
	got, errs := foundIn(t, dir, Query{})
	if len(got) >= len(want) || got[len(got)-1] != want[len(want)-1] {
		t.Errorf("%d records are found, and %d in the whole log", len(got), len(want))
	}
	var told []string
	for _, err := range errs {
		var place *ReadError
		if !errors.As(err, &place) {
			t.Fatal(err)
		}
		told = append(told, place.Error())
	}
	wanted := []string{
		filepath.Base(closed[0]) + ", line 4: this is no record: not JSON at byte 16",
		filepath.Base(closed[0]) + ", line 6: a line has more than 4194304 bytes",
	}
	if len(told) != 3 || !slices.Equal(told[:2], wanted) || !strings.HasSuffix(told[2], "it ends in the middle of a record") {
		t.Errorf("%q", told)
	}
}

func TestASegmentThatIsCompressedOrRemovedMeanwhile(t *testing.T) {
	dir := makeLog(t, shape{records: 300, segment: 64 << 10})
	want, _ := foundIn(t, dir, Query{})
	closed := filesIn(t, dir, closedEnding)
	second, _ := parseSegment(closed[1], closedEnding)
	lines, _ := linesIn(t, closed[1])
	os.Remove(closed[1])
	writeText(t, filepath.Join(dir, second.file(openEnding)), strings.Join(lines, "\n")+"\n")
	var got []uint64
	var removed error
	for e, err := range Read(t.Context(), dir, &Query{}) {
		switch {
		case errors.Is(err, ErrRemoved):
			removed = err
			continue
		case err != nil:
			t.Fatal(err)
		case len(got) == 0:
			if err := compress(dir, second, nil); err != nil {
				t.Fatal(err)
			}
			os.Remove(closed[2])
		}
		got = append(got, e.Sequence)
	}
	lost, _ := parseSegment(closed[2], closedEnding)
	next, _ := parseSegment(closed[3], closedEnding)
	want = slices.DeleteFunc(want, func(n uint64) bool { return n >= uint64(lost) && n < uint64(next) })
	if removed == nil || !slices.Equal(got, want) {
		t.Errorf("%v; %d found, want %d", removed, len(got), len(want))
	}
}

// TestQueryMistakes: every mistake is told at once, under the name of its field.
func TestQueryMistakes(t *testing.T) {
	rows := []struct {
		q    Query
		want string
	}{
		{Query{Verdict: []string{"rejected"}}, `verdict: "rejected" is none of accept, reject; did you mean "reject"?`},
		{Query{Phase: []string{"begin"}, Digest: []string{"abc"}}, "phase: \"begin\" is none of request, start, running, stop, unknown\ndigest: \"abc\" is no digest in hex of MD5, SHA-1, SHA-256, SHA-384 or SHA-512"},
		{Query{ClientIP: []string{"203.0.113.300"}}, `client_ip: "203.0.113.300" is neither an address nor a network such as 203.0.113.0/24 or 2001:db8::/32`},
		{Query{User: []string{"[a"}}, `user: "[a" is not a glob: a bracket, brace or backslash lacks its partner`},
		{Query{File: []string{"clip.mov"}}, `file: "clip.mov" matches no path, because paths begin with a slash; did you mean "/clip.mov" or "**/clip.mov"?`},
		{Query{From: noon, To: noon}, "time: nothing is from 2026-03-14T12:00:00Z on and before 2026-03-14T12:00:00Z"},
		{Query{Where: "record.verdct == 'x'"}, `where: column 7: there is no field 'verdct'; did you mean "verdict"?`},
		{Query{Where: "verdict == 'x'"}, `where: column 1: there is no "verdict"; write record.verdict, record.event.user and so on`},
		{Query{Where: "record.took_us + 1"}, "where: this is of the type int, and must be true or false: compare it with something"},
		{Query{Where: "record."}, "where: column 8: "},
		{Query{Where: strings.Repeat("true && ", 2000) + "true"}, "where: expression code point size exceeds limit: size: 16004, limit 10000"},
		{Query{Where: strings.Repeat("(", 100) + "true" + strings.Repeat(")", 100)}, "where: expression recursion limit exceeded: 64"},
	}
	for _, row := range rows {
		_, err := row.q.Compile()
		if err == nil || !strings.HasPrefix(err.Error(), row.want) {
			t.Errorf("got %v\nwant %s", err, row.want)
		}
	}
}

func TestAnExpressionThatTakesTooLongIsStopped(t *testing.T) {
	dir := makeLog(t, shape{records: 3, segment: 1 << 20})
	list := "[" + strings.Repeat("1,", 300) + "1]"
	s, err := (&Query{Where: list + ".all(a, " + list + ".all(b, " + list + ".all(c, a == b && b == c)))"}).Compile()
	if err != nil {
		t.Fatal(err)
	}
	for range s.Read(t.Context(), dir) {
		t.Error("something is found")
	}
	if s.Stats().Untold != 3 {
		t.Errorf("%+v", s.Stats())
	}
}

// FuzzRead reads whatever a file may have, searches and verifies it.
func FuzzRead(f *testing.F) {
	dir := makeLog(f, shape{records: 5, segment: 64 << 10, change: oddities})
	text := readText(f, filesIn(f, dir, openEnding)[0])
	f.Add([]byte(text))
	f.Add([]byte(text[:len(text)/2]))
	f.Add([]byte("{\"seq\":1}\n\n{}\n[]\nnull\n{\"seq\":1,\"prev\":\"\",\"event\":null,\"steps\":[{}],\"facts\":[],\"time\":\"x\"}\n"))
	f.Add([]byte("\x28\xb5\x2f\xfd\x04"))
	var searches []*Search
	for _, q := range []Query{
		{Notes: true},
		{User: []string{"partner-*"}, File: []string{"**/*.mov"}},
		{Digest: []string{md5Bad}},
		{ClientIP: []string{"0.0.0.0/0"}},
		{Where: `record.event.size > 1 || record.facts.size() > 0 || record.steps.size() > 1 || record.event.tags.size() > 0`},
		{From: noon},
	} {
		s, err := q.Compile()
		if err != nil {
			f.Fatal(err)
		}
		searches = append(searches, s)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, s := range searches {
			for e, err := range s.ReadFrom(t.Context(), "fuzz", bytes.NewReader(text)) {
				if err == nil && !bytes.Contains(text, e.Text) && !bytes.HasPrefix(text, []byte("\x28\xb5\x2f\xfd")) {
					t.Errorf("%q is none of the lines", e.Text)
				}
				if err == nil {
					_, _ = e.Recorded()
				}
			}
		}
		v, err := VerifyFrom(t.Context(), "fuzz", bytes.NewReader(text), Witness{})
		if err == nil && v.Break != nil && v.Break.Message == "" {
			t.Error("a break without words")
		}
	})
}
