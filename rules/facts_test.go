package rules

import (
	"archive/tar"
	"archive/zip"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gabriel-vasile/mimetype"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/rules/scan"
)

// lookRule is a rule that looks into files, compiled as the policy compiler does.
func lookRule(t *testing.T, kind Kind, env Env, s string) *Rule {
	t.Helper()
	c := compile(t, kind, env, s)
	fields := kind.Fields
	if c.Fields != nil {
		fields = c.Fields
	}
	return &Rule{
		Policy: "p", Name: "r", Kind: kind.Name, Cost: max(kind.Cost, c.Cost), Code: kind.Code,
		Inspect: c.Inspect, Consume: c.Consume, Check: c.Check, Recall: c.Recall, Fields: fields, Remote: c.Remote, Waits: c.Waits,
	}
}

// lookedInto is what one look of some rules found, each, and learned.
func lookedInto(e *Event, source Source, list ...*Rule) (found []Finding, facts *Facts) {
	l := NewLook(e, &ContentEnv{Files: source})
	defer l.Close()
	l.ReadOnce(context.Background(), list)
	for _, r := range list {
		f, _ := l.inspect(context.Background(), r)
		found = append(found, f)
	}
	return found, l.Facts()
}

// throughLog returns facts as they are after they were written and read.
func throughLog(tb rapid.TB, facts *Facts) *Facts {
	tb.Helper()
	if facts == nil {
		return nil
	}
	text, err := json.Marshal(facts)
	if err != nil {
		tb.Fatal(err)
	}
	var read Facts
	if err := json.Unmarshal(text, &read); err != nil {
		tb.Fatal(err)
	}
	return &read
}

// foundSaid is a finding as it can be compared.
type foundSaid struct {
	State        string
	Message, Saw string
	Fails        bool
}

func said(f Finding) foundSaid {
	t := foundSaid{State: f.Coverage.State.String(), Fails: f.Err != nil}
	if t.State == Uninspectable.String() || t.State == TimedOut.String() { // The same to on_error.
		t.State = Failed.String()
	}
	if f.Objection != nil {
		t.Message, t.Saw = f.Objection.Message.builtin, f.Objection.Found
	}
	return t
}

// recalled asks a rule about an event of a log.
func recalled(r *Rule, e *Event, facts *Facts) (foundSaid, error) {
	if facts == nil {
		facts = &Facts{}
	}
	copied := *e
	copied.Recall = &Recall{Facts: facts}
	found, err := r.Recall(&copied, facts)
	return said(found), err
}

// agrees fails if a rule answers otherwise from facts than it did from the file,
// and returns whether it answered.
func agrees(t *rapid.T, r *Rule, what string, e *Event, found Finding, facts *Facts) bool {
	got, err := recalled(r, e, throughLog(t, facts))
	if errors.Is(err, ErrUndecidable) {
		return false
	}
	if err != nil {
		t.Fatalf("%s: %v is no *UndecidableError", what, err)
	}
	if diff := cmp.Diff(said(found), got); diff != "" {
		t.Fatalf("%s about %s (-look +recall, from %+v):\n%s", what, e.File.Raw, facts, diff)
	}
	return true
}

// What a content rule finds in a file, it finds in what another content rule, or
// itself, has learned of it.
func TestContentIsRecalled(t *testing.T) {
	samples := append(contentSamples(t), contentPairs(t)...)
	var types []string
	for _, s := range samples {
		types = append(types, strings.Split(s.want, " and ")...)
	}
	slices.Sort(types)
	types = append(slices.Compact(types), contentFamilies()...)
	setting := rapid.Custom(func(t *rapid.T) string {
		var s struct {
			Allow []string `json:"allow,omitempty"`
			Deny  []string `json:"deny,omitempty"`
			Match bool     `json:"match_extension,omitempty"`
		}
		all := rapid.SliceOfNDistinct(rapid.SampledFrom(types), 0, 12, rapid.ID).Draw(t, "types")
		at := rapid.IntRange(0, len(all)).Draw(t, "allowed")
		s.Allow, s.Deny, s.Match = all[:at], all[at:], rapid.Bool().Draw(t, "match") || len(all) == 0
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	})
	answered, undecided := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		first, second := setting.Draw(rt, "recorded"), setting.Draw(rt, "candidate")
		sample := rapid.SampledFrom(samples).Draw(rt, "file")
		source := headOf(sample.head)
		e := stopped("/in/" + sample.name)
		if rapid.Bool().Draw(rt, "moving") {
			e = moving("/in/"+sample.name, int64(len(sample.head))+rapid.Int64Range(0, 2*HeadSize).Draw(rt, "more"))
		}
		if rapid.IntRange(0, 9).Draw(rt, "changed") == 0 {
			source.file.changed = ErrChanged
		}
		if rapid.IntRange(0, 9).Draw(rt, "unmounted") == 0 {
			source.err = errUnmounted
		}
		recorded := lookRule(t, contentKind(), folder{}.env(".partial"), first)
		candidate := lookRule(t, contentKind(), folder{}.env(".partial"), second)
		_, facts := lookedInto(e, source, recorded)
		found, _ := lookedInto(e, source, candidate)
		if agrees(rt, candidate, second, e, found[0], facts) {
			answered++
		} else {
			undecided++
		}
	})
	if answered == 0 || undecided == 0 || undecided > answered {
		t.Errorf("%d looks were recalled and %d were not", answered, undecided)
	}
}

// Every type that a file can be recognised as is the same type again when it has
// only its name, or is not recorded.
func TestTypesOutliveTheLog(t *testing.T) {
	for _, s := range append(contentSamples(t), contentPairs(t)...) {
		head := s.head[:min(len(s.head), HeadSize)]
		types := identifyContent([]byte(head), len(head) == len(s.head))
		if names := namesOf(types); strings.Join(names, " and ") != s.want {
			t.Errorf("%s is recorded as %q, want %s", s.name, names, s.want)
		}
	}
	var not []string
	for _, m := range libraryTypes() {
		if namesOf([]lineage{lineageFrom(m)}) == nil {
			not = append(not, m.String())
		}
	}
	if diff := cmp.Diff([]string{"video/quicktime"}, not); diff != "" {
		t.Errorf("types that are not recorded (-want +got):\n%s", diff)
	}
	old := "\x00\x00\x00\x14ftypmqt \x00\x00\x00\x00mqt " + strings.Repeat("x", 600)
	rule := lookRule(t, contentKind(), Env{}, `{"allow": ["video/mp4"]}`)
	if found, facts := lookedInto(stopped("/in/a.mqv"), headOf(old), rule); found[0].Objection != nil || facts != nil {
		t.Errorf("an old film is %+v, and %+v is recorded", found, facts)
	}
}

// libraryTypes are all types that the library can find.
func libraryTypes() (all []*mimetype.MIME) {
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		all = append(all, (*mimetype.MIME)(v.UnsafePointer()))
		children := v.Elem().FieldByName("children")
		for i := range children.Len() {
			walk(children.Index(i))
		}
	}
	walk(reflect.ValueOf(mimetype.Lookup(unknownContent)))
	return all
}

func digestsOf(text string) map[string]string {
	b := []byte(text)
	return map[string]string{
		"md5": fmt.Sprintf("%x", md5.Sum(b)), "sha1": fmt.Sprintf("%x", sha1.Sum(b)), "sha256": fmt.Sprintf("%x", sha256.Sum256(b)),
		"sha384": fmt.Sprintf("%x", sha512.Sum384(b)), "sha512": fmt.Sprintf("%x", sha512.Sum512(b)),
	}
}

// What a checksum rule finds in a file's own digests, it finds in those that
// another has computed.
func TestChecksumsAreRecalled(t *testing.T) {
	texts := []string{"", "film", "virus", "approved"}
	lists := folder{}
	for _, a := range algorithmNames() {
		lists["bad."+a] = digestsOf("virus")[a] + "\n"
		lists["good."+a] = digestsOf("approved")[a] + "\n" + digestsOf("film")[a] + "\n"
	}
	setting := rapid.Custom(func(t *rapid.T) string {
		s := map[string]any{"verify": true}
		names := rapid.SliceOfNDistinct(rapid.SampledFrom(algorithmNames()), 1, 3, rapid.ID)
		if rapid.Bool().Draw(t, "require") {
			s["require"] = names.Draw(t, "required")
		}
		for _, key := range []string{"deny", "allow"} {
			if rapid.Bool().Draw(t, key) {
				var files []string
				for _, a := range names.Draw(t, key+" lists") {
					files = append(files, map[string]string{"deny": "bad.", "allow": "good."}[key]+a)
				}
				s[key] = files
			}
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	})
	answered, undecided := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		text, stated := rapid.SampledFrom(texts).Draw(rt, "file"), rapid.SampledFrom(texts).Draw(rt, "stated")
		algorithm := rapid.SampledFrom(append(algorithmNames(), "", "none")).Draw(rt, "algorithm")
		e := stopped("/in/a")
		e.ChecksumType, e.Checksum = algorithm, digestsOf(stated)[algorithm]
		d := &drawer{text: text}
		if rapid.IntRange(0, 9).Draw(rt, "changed") == 0 {
			d.changed = ErrChanged
		}
		first, second := setting.Draw(rt, "recorded"), setting.Draw(rt, "candidate")
		recorded := lookRule(t, checksumKind(), lists.env(""), first)
		candidate := lookRule(t, checksumKind(), lists.env(""), second)
		_, facts := lookedInto(e, d, recorded)
		if facts != nil {
			want := digestsOf(text)
			maps.DeleteFunc(want, func(a, _ string) bool { return facts.Digests[a] == "" })
			if diff := cmp.Diff(want, facts.Digests); diff != "" {
				rt.Fatalf("digests (-want +got):\n%s", diff)
			}
		}
		found, _ := lookedInto(e, d, candidate)
		got, err := recalled(candidate, e, throughLog(t, facts))
		if errors.Is(err, ErrUndecidable) {
			undecided++
			return
		}
		want := said(found[0])
		if want.State == "bad" && got.State == "bad" { // A digest that is not there might have been another reason.
			want.Message, want.Saw, got.Message, got.Saw = "", "", "", ""
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("%s, then %s, of %s %s (-look +recall, from %+v):\n%s", first, second, e.ChecksumType, e.Checksum, facts, diff)
		}
		answered++
	})
	if answered == 0 || undecided == 0 {
		t.Errorf("%d looks were recalled and %d were not", answered, undecided)
	}
}

// partScanner looks at the first bytes only, and finds MARKER in them.
type partScanner struct {
	most  int64
	limit bool // says that it does not take more
}

func (s partScanner) Open(context.Context, string, int64) (scan.Session, error) {
	return &partSession{partScanner: s}, nil
}

func (partScanner) Status(context.Context) (scan.Status, error) {
	return scan.Status{Engine: "part 1.0", Signatures: "27000"}, nil
}

type partSession struct {
	partScanner
	text strings.Builder
}

func (s *partSession) Write(p []byte) (int, error) { return s.text.Write(p) }
func (*partSession) Close()                        {}
func (s *partSession) Finish(context.Context) (scan.Answer, error) {
	seen := min(s.most, int64(s.text.Len()))
	a := scan.Answer{Inspected: seen}
	if strings.Contains(s.text.String()[:seen], "MARKER") {
		a.Signature = "Marker"
	} else if s.limit && seen < int64(s.text.Len()) {
		return a, scan.ErrLimit
	}
	return a, nil
}

// A scanner's answer is recalled, whatever it was, and no other scanner's.
func TestScansAreRecalled(t *testing.T) {
	answered, undecided := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		scanner := partScanner{rapid.Int64Range(1, 40).Draw(rt, "most"), rapid.Bool().Draw(rt, "limit")}
		env := Env{Scanners: func(name string) (*scan.Pool, error) {
			p := scan.NewPool(scanner, scan.PoolOptions{Name: name, Gate: NewGate(4, 4)})
			_, err := p.Status(context.Background())
			return p, err
		}}
		d := &drawer{text: rapid.SampledFrom([]string{"", "a film", "MARKER at once", "a film of some length and then MARKER"}).Draw(rt, "file")}
		if rapid.IntRange(0, 9).Draw(rt, "changed") == 0 {
			d.changed = ErrChanged
		}
		e := stopped("/in/a")
		recorded, candidate := lookRule(t, scanKind(), env, `{"with": "one"}`), lookRule(t, scanKind(), env, `{"with": "one"}`)
		_, facts := lookedInto(e, d, recorded)
		found, _ := lookedInto(e, d, candidate)
		if agrees(rt, candidate, "scan", e, found[0], facts) {
			answered++
			if fact := facts.Scans[0]; fact.Engine != "part 1.0" || fact.Signatures != "27000" || fact.Total != int64(len(d.text)) {
				rt.Errorf("the fact is %+v", fact)
			}
		} else if undecided++; d.changed == nil {
			rt.Error("a complete answer is not recalled")
		}
		if _, err := recalled(lookRule(t, scanKind(), env, `{"with": "another"}`), e, throughLog(t, facts)); !errors.Is(err, ErrUndecidable) {
			rt.Errorf("another scanner's answer is recalled: %v", err)
		}
	})
	if answered == 0 || undecided == 0 {
		t.Errorf("%d looks were recalled and %d were not", answered, undecided)
	}
}

// A file that nobody can look into is the same for every rule; one that could not
// be read for once tells nothing.
func TestUnreadIsRecalled(t *testing.T) {
	e := stopped("/in/a")
	content := lookRule(t, contentKind(), Env{}, `{"deny": ["video/*"]}`)
	verify := lookRule(t, checksumKind(), Env{}, `{"verify": true}`)
	e.ChecksumType, e.Checksum = "md5", digestsOf("")["md5"]
	found, facts := lookedInto(e, &drawer{err: &UninspectableError{Reason: ReasonObjectStorage, Detail: "it is elsewhere"}}, content)
	if facts == nil || facts.Unread != ReasonObjectStorage {
		t.Fatalf("the facts are %+v", facts)
	}
	for _, r := range []*Rule{content, verify} {
		got, err := recalled(r, e, throughLog(t, facts))
		if diff := cmp.Diff(said(found[0]), got); diff != "" || err != nil {
			t.Errorf("%s: %v (-look +recall):\n%s", r.Kind, err, diff)
		}
	}
	if _, facts := lookedInto(e, &drawer{err: errors.New("the disk is on fire")}, content); facts != nil {
		t.Errorf("a failure is a fact: %+v", facts)
	}
}

// Nobody pays for facts where nobody looks, and they are the decision's where
// somebody does.
func TestNobodyLooked(t *testing.T) {
	if facts := NewLook(stopped("/in/a"), &ContentEnv{}).Facts(); facts != nil {
		t.Errorf("facts of nothing: %+v", facts)
	}
}

// recallRow is a rule, what a log has of an event, and what comes of asking.
type recallRow struct {
	kind, settings, when string
	event                *Event
	recall               Recall
	want                 string
}

// What a rule of any kind answers about an event of a log.
func TestRecall(t *testing.T) {
	event := func(change ...func(*Event)) *Event {
		return file("/in/a.mov", append(change, func(e *Event) { e.Phase = PhaseStop })...)
	}
	tagged := event(func(e *Event) { e.Tags.Raw = `{"project":"x","sluice":{"grant":"***"}}` })
	hides := func(fields ...string) Recall { return Recall{Missing: fields} }
	kinds := map[string]Kind{}
	for _, k := range Builtin() {
		kinds[k.Name] = k
	}
	for i, r := range []recallRow{
		{"extension", `{"deny": ["mov"]}`, "", event(), Recall{}, "refused"},
		{"extension", `{"deny": ["exe"]}`, "", event(), hides("cookie", "tags"), "passed"},
		{"extension", `{"deny": ["exe"]}`, "", event(), hides("file"), "hidden file"},
		{"path", `{"deny": ["/in/**"]}`, "", event(), hides("file"), "hidden file"},
		{"network", `{"deny": ["203.0.113.0/24"]}`, "", event(), hides("client_ip"), "hidden client_ip"},
		{"network", `{"deny": ["203.0.113.0/24"]}`, "", event(), hides("user"), "fails"},
		{"tags", `{"require": ["/project"]}`, "", tagged, Recall{}, "passed"},
		{"tags", `{"require": ["/project"]}`, "", tagged, hides("tags"), "hidden tags"},
		{"transfer", `{"cipher": ["aes-128"]}`, "", event(), hides("cipher"), "hidden cipher"},
		{"checksum", `{"require": ["md5"]}`, "", event(), hides("file_csum"), "hidden file_csum"},
		{"checksum", `{"require": ["md5"]}`, "", event(), Recall{}, "refused"},
		{"checksum", `{"verify": true}`, "", event(func(e *Event) { e.ChecksumType, e.Checksum = "md5", strings.Repeat("a", 32) }), Recall{}, "unseen"},
		{"expression", `"event.cookie == \"a\""`, "", event(), hides("cookie"), "hidden cookie"},
		{"expression", `"event.name == \"a.mov\""`, "", event(), hides("cookie"), "passed"},
		{"expression", `"event.name == \"b.mov\""`, "", event(), hides("file"), "hidden file"},
		{"content", `{"deny": ["video/*"]}`, "", event(), Recall{}, "unseen"},
		{"content", `{"deny": ["video/*"]}`, "", event(), Recall{Facts: &Facts{Types: []string{"video/mp4"}}}, "refused"},
		{"content", `{"deny": ["video/*"]}`, "", event(), Recall{Facts: &Facts{Types: []string{"video/mp4"}}, Missing: []string{"file"}}, "refused"},
		{"content", `{"match_extension": true}`, "", event(), Recall{Facts: &Facts{Types: []string{"text/plain"}}}, "refused"},
		{"content", `{"match_extension": true}`, "", event(), Recall{Facts: &Facts{Types: []string{"text/plain"}}, Missing: []string{"file"}}, "hidden file"},
		{"scan", `{"with": "one"}`, "", event(), Recall{Facts: &Facts{Types: []string{"video/mp4"}}}, "scanner"},
		{"scan", `{"with": "one"}`, "", event(), Recall{Facts: &Facts{Scans: []ScanFact{{Scanner: "one", Inspected: 3, Total: 4}}}}, "fails"},
		{"webhook", `{"ask": "dam"}`, "", event(), Recall{}, "remote"},

		// The grant itself is not in the log.
		{"grant", `{"required": true}`, "", event(), Recall{}, "refused"},
		{"grant", `{"required": true}`, "", event(), hides("tags"), "hidden tags"},
		{"grant", `{"required": true}`, "", tagged, Recall{}, "grant"},
		{"grant", `{"required": true}`, "", tagged, Recall{Grant: &RecalledGrant{}}, "passed"},
		{"grant", `{"required": true}`, "", tagged, Recall{Grant: &RecalledGrant{Refused: true}}, "refused"},
		{"grant", `{"required": true}`, "", tagged, Recall{Grant: &RecalledGrant{Failed: true}}, "fails"},
		{"grant", `{"max_files": 3}`, "", file("/in/a.mov", func(e *Event) { e.Phase = PhaseRequest }), Recall{}, "passed"},

		// A when that cannot be told matters only if the rule would object.
		{"extension", `{"deny": ["mov"]}`, `event.cookie == "a"`, event(), hides("cookie"), "hidden cookie"},
		{"extension", `{"deny": ["exe"]}`, `event.cookie == "a"`, event(), hides("cookie"), "passed"},
		{"extension", `{"deny": ["mov"]}`, `event.user == "a"`, event(func(e *Event) { e.User = "b" }), hides("cookie"), "skipped"},
	} {
		t.Run(fmt.Sprintf("%d/%s", i, r.kind), func(t *testing.T) {
			rule := lookRule(t, kinds[r.kind], Env{}, r.settings)
			if r.when != "" {
				when, err := CompileCondition(Env{}, r.when)
				if err != nil {
					t.Fatal(err)
				}
				rule.When = when
			}
			e := *r.event
			e.Recall = &r.recall
			o, _, err := rule.recall(&e)
			got := "passed"
			switch undecidable := (*UndecidableError)(nil); {
			case errors.As(err, &undecidable):
				got = strings.TrimSpace(undecidable.Reason + " " + undecidable.Field)
			case errors.Is(err, errSkipped):
				got = "skipped"
			case err != nil:
				got = "fails"
			case o != nil:
				got = "refused"
			}
			if got != r.want {
				t.Errorf("%s is %s (%v), want %s", r.settings, got, err, r.want)
			}
		})
	}
}

// Every kind says which members of an event it reads, by the names that a log may
// say to be missing.
func TestFields(t *testing.T) {
	known := strings.Fields("user user_id client_ip host session_id xfer_id cookie file cipher rate_policy manifest_file file_name_encoding file_csum file_csum_type tags")
	for _, k := range Builtin() {
		if k.Fields == nil && k.Name != "expression" {
			t.Errorf("%s does not say what it reads", k.Name)
		}
		for _, field := range k.Fields {
			if !slices.Contains(known, field) {
				t.Errorf("%s reads %s, which no log hides", k.Name, field)
			}
		}
	}
	members := membersOf(eventFields())
	for _, field := range known {
		if !slices.Contains(members, field) {
			t.Errorf("no expression reads %s", field)
		}
	}
}

// Every reason has words.
func TestUndecidableReasons(t *testing.T) {
	for reason, words := range UndecidableReasons() {
		err := error(&UndecidableError{Reason: reason, Field: "x"})
		if !errors.Is(err, ErrUndecidable) || err.Error() != words+": x" || words == "" {
			t.Errorf("%s says %q", reason, err)
		}
	}
}

// What an archive rule finds in a file, it finds in what another has learned of it.
func TestArchivesAreRecalled(t *testing.T) {
	inner := packedZip(t, packed{"deep.txt", "x"})
	names := []string{"a.mov", "b.MOV", "folder/c.exe", "d", "e.txt:f.exe", ".hidden", "../out.txt", "folder/g.exe/.", `h\i.js`, "j.xml "}
	extensions := []string{"mov", "exe", "js", "txt", "zip", "xml"}
	setting := rapid.Custom(func(t *rapid.T) string {
		s := map[string]any{"max_entries": rapid.IntRange(1, 8).Draw(t, "entries"), "max_depth": rapid.IntRange(1, 3).Draw(t, "depth")}
		list := rapid.SliceOfNDistinct(rapid.SampledFrom(extensions), 1, 5, rapid.ID).Draw(t, "extensions")
		switch rapid.IntRange(0, 5).Draw(t, "names") {
		case 0, 1:
			s["deny"] = map[string]any{"extension": list}
		case 2:
			s["allow"] = map[string]any{"extension": list}
		case 3:
			s["deny"] = map[string]any{"path": []string{"**/*.exe"}}
		case 4:
			s["deny"] = map[string]any{"filename": []string{"leading-dot", "alternate-stream"}}
		}
		for _, key := range []string{"encrypted", "links"} {
			s[key] = rapid.SampledFrom([]string{"reject", "accept"}).Draw(t, key)
		}
		s["required"] = rapid.Bool().Draw(t, "required")
		s["max_unpacked"] = rapid.SampledFrom([]int{10, 100, 1000, 1 << 30}).Draw(t, "unpacked")
		s["max_ratio"] = rapid.SampledFrom([]int{2, 200, 2000}).Draw(t, "ratio")
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	})
	answered, undecided := 0, 0
	fixtures := []string{"locked.7z", "locked-names.7z", "aes.zip", "ppmd.7z", "links-in.7z", "links-out.7z", "crypto.zip"}
	rapid.Check(t, func(rt *rapid.T) {
		var text string
		switch rapid.IntRange(0, 10).Draw(rt, "sort") {
		case 0:
			text = "no archive"
		case 1:
			headers := []tar.Header{
				{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "a"},
				{Name: "out", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
				{Name: "link/b.mov"},
				{Name: "pipe", Typeflag: tar.TypeFifo},
				{Name: "c.exe"},
				{Name: "hard", Typeflag: tar.TypeLink, Linkname: "c.exe"},
			}
			text = packedTgz(t, rapid.SliceOfN(rapid.SampledFrom(headers), 1, 4).Draw(rt, "headers")...)
		case 4:
			text = archiveFixture(t, rapid.SampledFrom(fixtures).Draw(rt, "fixture"))
		case 2:
			text = packedZip(t, packed{"big.txt", strings.Repeat("x", 3<<20)})
		case 3:
			text = packedZip(t, packed{"a.txt", "x"})[:40]
		default:
			var files []packed
			for i, name := range rapid.SliceOfN(rapid.SampledFrom(append(names, "in.zip")), 0, 9).Draw(rt, "members") {
				data := strings.Repeat("x", i*7)
				if name == "in.zip" {
					data = inner
				}
				files = append(files, packed{fmt.Sprintf("%d/", i) + name, data})
			}
			text = packedZip(t, files...)
		}
		d := &drawer{text: text}
		e := stopped("/in/a.zip")
		first, second := setting.Draw(rt, "recorded"), setting.Draw(rt, "candidate")
		if rapid.IntRange(0, 3).Draw(rt, "same") == 0 {
			second = first
		}
		_, facts := lookedInto(e, d, lookRule(t, archiveKind(), Env{}, first))
		candidate := lookRule(t, archiveKind(), Env{}, second)
		found, _ := lookedInto(e, d, candidate)
		got, err := recalled(candidate, e, throughLog(t, facts))
		learned, err2 := json.Marshal(facts)
		if err2 != nil {
			rt.Fatal(err2)
		}
		if errors.Is(err, ErrUndecidable) {
			undecided++
			if known := facts.Archive; known.Whole && known.Links == "none" && known.Extensions != nil && !strings.Contains(second, "path") && !strings.Contains(second, "filename") {
				rt.Fatalf("%s, then %s: undecided, though all is known: %s", first, second, learned)
			}
			return
		}
		if want := said(found[0]); got.State != want.State {
			rt.Fatalf("%s, then %s: %+v looked, %+v recalled from %s", first, second, want, got, learned)
		}
		answered++
	})
	if answered == 0 || undecided == 0 || undecided > answered {
		t.Errorf("%d looks were recalled and %d were not", answered, undecided)
	}
}

// What is known of an archive decides by other limits, exactly; what is not known
// does not.
func TestArchiveFactsDecide(t *testing.T) {
	const undecided, clean = "undecided", "clean"
	film := packed{"film.mov", "moov"}
	two := packedZip(t, film, packed{"take.zip", packedZip(t, film, packed{"run.exe", "MZ"})})
	zeros := packedZip(t, packed{"zeros", strings.Repeat("\x00", 4<<20)})
	ratio := ratioOf(t, zeros)
	git := packedZip(t, film, packed{"src/.git/config", "x"}, packed{"run.exe", "MZ"})
	inside := packedTgz(t, tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "a"})
	outside := packedTgz(t, tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/etc"})
	locked := archiveFixture(t, "locked.7z")
	for _, r := range []struct{ name, data, recorded, candidate, want string }{
		{"two deep, fewer allowed", two, `{"max_depth": 5}`, `{"max_depth": 1}`, "refuses 2 deep"},
		{"two deep, as many allowed", two, `{"max_depth": 5}`, `{"max_depth": 2}`, clean},
		{"two deep, more allowed", two, `{"max_depth": 2}`, `{"max_depth": 16}`, clean},
		{"too deep then, and now", two, `{"max_depth": 1}`, `{"max_depth": 1}`, "refuses take.zip"},
		{"too deep then, and more is allowed", two, `{"max_depth": 1}`, `{"max_depth": 2}`, undecided},
		{"four members, fewer allowed", two, `{"max_depth": 5}`, `{"max_entries": 3}`, "refuses zip"},
		{"four members, as many allowed", two, `{"max_depth": 5}`, `{"max_entries": 4}`, clean},
		{"too many then, and fewer are allowed", two, `{"max_entries": 3}`, `{"max_entries": 2}`, "refuses take.zip/run.exe"},
		{"too many then, and more are allowed", two, `{"max_entries": 3}`, `{"max_entries": 4}`, undecided},
		{"a ratio, a lower one allowed", zeros, `{"max_ratio": 2000}`, `{"max_ratio": 200}`, fmt.Sprintf("refuses %d times", ratio)},
		{"a ratio, just less allowed", zeros, `{"max_ratio": 2000}`, fmt.Sprintf(`{"max_ratio": %d}`, ratio-1), fmt.Sprintf("refuses %d times", ratio)},
		{"a ratio, just as high allowed", zeros, `{"max_ratio": 2000}`, fmt.Sprintf(`{"max_ratio": %d}`, ratio), clean},
		{"too dense then, and less is allowed", zeros, `{"max_ratio": 200}`, `{"max_ratio": 100}`, "refuses zeros"},
		{"too dense then, and more is allowed", zeros, `{"max_ratio": 200}`, `{"max_ratio": 2000}`, undecided},
		{"too small to have a ratio", two, `{"max_depth": 5}`, `{"max_ratio": 1}`, clean},
		{"too large then, and now", zeros, `{"max_ratio": 2000, "max_unpacked": 1000}`, `{"max_unpacked": 1000}`, "refuses zeros"},
		{"too large then, and one more is allowed", zeros, `{"max_ratio": 2000, "max_unpacked": 1000}`, `{"max_unpacked": 1001}`, undecided},
		{"encrypted, accepted then", locked, `{"encrypted": "accept"}`, `{"encrypted": "reject"}`, "refuses 7z"},
		{"encrypted, accepted then and now", locked, `{"encrypted": "accept"}`, `{"encrypted": "accept"}`, "partial encrypted"},
		{"encrypted, refused then and now", locked, `{"encrypted": "reject"}`, `{"max_depth": 2}`, "refuses d/a.txt"},
		{"encrypted, refused then", locked, `{"encrypted": "reject"}`, `{"encrypted": "accept"}`, undecided},
		{"nothing encrypted, looked for", two, `{"encrypted": "reject"}`, `{"encrypted": "accept"}`, clean},
		{"nothing encrypted, not looked for", two, `{"encrypted": "accept"}`, `{"encrypted": "reject"}`, clean},
		{"no links, not looked for", two, `{"links": "accept"}`, `{"links": "reject"}`, clean},
		{"safe links", inside, `{"links": "reject"}`, `{"links": "accept"}`, clean},
		{"links that were let pass", inside, `{"links": "accept"}`, `{"links": "reject"}`, undecided},
		{"links that were let pass, and one is unsafe", outside, `{"links": "accept"}`, `{"links": "reject"}`, "refuses tar.gz"},
		{"an unsafe link, refused then and now", outside, `{"links": "reject"}`, `{"max_depth": 2}`, "refuses l"},
		{"an unsafe link, refused then", outside, `{"links": "reject"}`, `{"links": "accept"}`, undecided},
		{"an extension that is in it", two, `{"max_depth": 5}`, `{"deny": {"extension": ["exe"]}}`, "refuses exe"},
		{"an extension that is not", two, `{"max_depth": 5}`, `{"deny": {"extension": ["js"]}}`, clean},
		{"a glob", git, `{"max_depth": 5}`, `{"deny": {"path": ["**/.git/**"]}}`, undecided},
		{"a glob of the name that was refused", git, `{"deny": {"path": ["**/.git/**"]}}`, `{"deny": {"path": ["/src/**"]}}`, "refuses src/.git/config"},
		{"a glob of the name in the archive that it is in", packedZip(t, packed{"x.zip", git}), `{"deny": {"path": ["**/.git/**"]}}`, `{"deny": {"path": ["/src/**"]}}`, "refuses x.zip/src/.git/config"},
		{"a fault of the name that was refused", git, `{"deny": {"path": ["**/.git/**"]}}`, `{"deny": {"filename": ["leading-dot"]}}`, "refuses src/.git/config (leading-dot)"},
		{"a glob of another name", git, `{"deny": {"path": ["**/.git/**"]}}`, `{"deny": {"path": ["/film.*"]}}`, undecided},
		{"a glob, and nothing in it", packedZip(t), `{"max_depth": 5}`, `{"deny": {"path": ["**/.git/**"]}}`, clean},
		{"a glob, and no archive", "a film", `{"max_depth": 5}`, `{"deny": {"path": ["**/.git/**"]}}`, clean},
		{"no archive, and one is required", "a film", `{"max_depth": 5}`, `{"required": true}`, "refuses no archive"},
		{"a format that cannot be taken apart", "Rar!\x1a\x07\x01\x00 and more", `{"max_depth": 5}`, `{"required": true, "max_entries": 1}`, "uninspectable format"},
	} {
		t.Run(r.name, func(t *testing.T) {
			e := stopped("/in/a.zip")
			_, facts := lookedInto(e, &drawer{text: r.data}, lookRule(t, archiveKind(), Env{}, r.recorded))
			got := undecided
			if f, err := compile(t, archiveKind(), Env{}, r.candidate).Recall(e, throughLog(t, facts)); err == nil {
				got = foundText(f)
			} else if !errors.Is(err, ErrUndecidable) {
				t.Fatal(err)
			}
			if got != r.want {
				t.Errorf("%s, want %s", got, r.want)
			}
		})
	}
}

// ratioOf is how many bytes come out of one in the first member of a zip, rounded
// up.
func ratioOf(t *testing.T, data string) uint64 {
	t.Helper()
	z, err := zip.NewReader(strings.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	f := z.File[0]
	return (f.UncompressedSize64 + f.CompressedSize64 - 1) / f.CompressedSize64
}

// A name that a log cannot tell as it is is not kept.
func TestArchiveFactsKeepNames(t *testing.T) {
	for _, r := range []struct{ name, want string }{
		{"folder/run.exe", "folder/run.exe"},
		{strings.Repeat("a", 1020) + ".exe", strings.Repeat("a", 1020) + ".exe"},
		{strings.Repeat("a", 1021) + ".exe", ""},
		{"\xff.exe", ""},
	} {
		_, facts := lookedInto(stopped("/in/a.zip"), &drawer{text: packedZip(t, packed{r.name, "MZ"})}, lookRule(t, archiveKind(), Env{}, `{"deny": {"extension": ["exe"]}}`))
		if got := facts.Archive; got.Fault != "name" || got.Name != r.want {
			t.Errorf("%.20q is kept as %.20q (%s)", r.name, got.Name, got.Fault)
		}
	}
}
