package rules

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// besideCase is a file whose archive rule is asked in both ways.
type besideCase struct {
	rule *Rule
	file Source
	name string
	env  ContentEnv
}

func archiveRule(t *testing.T, settings string) *Rule {
	t.Helper()
	c := compile(t, archiveKind(), Env{}, settings)
	return looking("archive", func(r *Rule) { r.Inspect, r.Consume = c.Inspect, c.Consume })
}

func readsAll(into *string) *Rule {
	return looking("all", func(r *Rule) {
		r.Consume = func(context.Context, *Look) (Consumer, error) { return &collector{into: into}, nil }
	})
}

// beside is what the rule finds while another one reads the file, and what that one
// was told. Joined is whether it took part.
func (b *besideCase) beside(ctx context.Context) (found Finding, joined bool, other string) {
	b.env.Files = b.file
	l := NewLook(stoppedFile(b.name), &b.env)
	defer l.Close()
	l.ReadOnce(ctx, Chain{b.rule, readsAll(&other)})
	l.mu.Lock()
	found, joined = l.found[b.rule]
	l.mu.Unlock()
	if !joined {
		found = b.rule.Inspect(ctx, l)
	}
	return found, joined, other
}

// alone is what it finds by itself.
func (b *besideCase) alone(ctx context.Context) Finding {
	b.env.Files = b.file
	l := NewLook(stoppedFile(b.name), &b.env)
	defer l.Close()
	return b.rule.Inspect(ctx, l)
}

// same compares two findings.
func same(a, b Finding) string {
	text := func(f Finding) (s []string) {
		if f.Objection != nil {
			s = append(s, f.Objection.Message.text(), f.Objection.Found)
		}
		if f.Err != nil {
			s = append(s, f.Err.Error())
		}
		return s
	}
	return cmp.Diff(a.Coverage, b.Coverage) + cmp.Diff(text(a), text(b))
}

// samples are archives of all kinds, some of several pieces.
func samples(tb testing.TB) (all []besideCase) {
	tb.Helper()
	files, err := filepath.Glob("testdata/archive/*")
	if err != nil || len(files) < 40 {
		tb.Fatalf("%d archives, %v", len(files), err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, besideCase{name: filepath.Base(f), file: &drawer{text: string(data)}})
	}
	noise := noisy(700_000)
	inner := packedZip(tb, packed{"run.exe", "MZ"}, packed{"noise", noise})
	var members bytes.Buffer
	w := tar.NewWriter(&members)
	for _, f := range []packed{{"noise", noise}, {"take.zip", inner}, {"end", "x"}} {
		if err := errors.Join(w.WriteHeader(&tar.Header{Name: f.name, Size: int64(len(f.data)), Mode: 0o600}), write(w, f.data)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	for name, text := range map[string]string{
		"large.tar": members.String(), "large.tar.gz": zipped(tb, members.String()), "large.gz": zipped(tb, noise), "large.zip": inner,
		"large.mov": noise, "nothing": "",
	} {
		all = append(all, besideCase{name: name, file: &drawer{text: text}})
	}
	return all
}

func write(w io.Writer, data string) error {
	_, err := io.WriteString(w, data)
	return err
}

func zipped(tb testing.TB, data string) string {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := errors.Join(write(z, data), z.Close()); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// noisy is text that does not compress.
func noisy(n int) string {
	b, state := make([]byte, n), uint64(1)
	for i := range b {
		state = state*6364136223846793005 + 1442695040888963407
		b[i] = byte(state >> 56)
	}
	return string(b)
}

// Whether an archive is walked by itself or beside another rule that reads the
// file, the same is found: of whole ones, and of those that are cut off, changed,
// or nothing but noise.
func TestArchiveBesideOthers(t *testing.T) {
	all := samples(t)
	rules := []*Rule{
		archiveRule(t, `{"deny": {"extension": ["exe"]}}`),
		archiveRule(t, `{"encrypted": "accept", "links": "accept", "max_entries": 3}`),
	}
	joined, asked := 0, 0
	check := func(fatal func(string, ...any), b besideCase) {
		text := b.file.(*drawer).text
		for _, b.rule = range rules {
			found, did, other := b.beside(t.Context())
			if diff := same(b.alone(t.Context()), found); diff != "" {
				fatal("%s of %d bytes (-alone +beside):\n%s", b.name, len(text), diff)
			}
			if !strings.HasSuffix(other, "<nil>") || !strings.HasPrefix(other, strconv.Itoa(len(text))+" ") {
				fatal("%s: the other one was told %q", b.name, other)
			}
			if asked++; did {
				joined++
			}
		}
	}
	for _, b := range all {
		check(t.Fatalf, b)
	}
	// Of the samples as they are; how many of the changed ones do is left to chance.
	if joined < asked/4 || joined == asked {
		t.Errorf("%d of %d took part", joined, asked)
	}
	rapid.Check(t, func(rt *rapid.T) {
		b := rapid.SampledFrom(all).Draw(rt, "sample")
		data := []byte(b.file.(*drawer).text)
		for range rapid.IntRange(0, 3).Draw(rt, "changes") {
			if len(data) > 0 {
				data[rapid.IntRange(0, len(data)-1).Draw(rt, "at")] = rapid.Byte().Draw(rt, "byte")
			}
		}
		data = data[:rapid.IntRange(0, len(data)).Draw(rt, "size")]
		data = append(data, rapid.SliceOfN(rapid.Byte(), 0, 600).Draw(rt, "more")...)
		b.file = &drawer{text: string(data)}
		check(rt.Fatalf, b)
	})
}

// counter is a Source that notes what is read of its file.
type counter struct {
	*drawer
	mu    sync.Mutex
	times []uint8 // that each byte was read
	fails int64   // where reading fails, if not 0
}

func (c *counter) Open(ctx context.Context, e *Event) (Handle, error) {
	h, err := c.drawer.Open(ctx, e)
	return &counted{h, c}, err
}

type counted struct {
	Handle
	from *counter
}

var errDisk = errors.New("the disk is broken")

func (c *counted) ReadAt(p []byte, at int64) (int, error) {
	if c.from.fails > 0 && at+int64(len(p)) > c.from.fails {
		return 0, errDisk
	}
	n, err := c.Handle.ReadAt(p, at)
	c.from.mu.Lock()
	defer c.from.mu.Unlock()
	for i := range c.from.times[at : at+int64(n)] {
		c.from.times[at+int64(i)]++
	}
	return n, err
}

func counting(text string) *counter {
	return &counter{drawer: &drawer{text: text}, times: make([]uint8, len(text))}
}

// more returns how many bytes were read more than once, and whether any was not.
func (c *counter) more() (again int, missed bool) {
	for _, n := range c.times {
		missed = missed || n == 0
		again += max(int(n)-1, 0)
	}
	return again, missed
}

// A checksum, a scanner and an archive rule read a file once; the archive rule
// looks at its end once more, where a zip could lie too.
func TestOneReadForAllRules(t *testing.T) {
	text := zipped(t, noisy(5<<20))
	from := counting(text)
	sum := compile(t, checksumKind(), Env{}, `{"verify": true}`)
	e := stoppedFile("noise.gz")
	e.ChecksumType, e.Checksum = "sha256", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	checksum := looking("checksum", func(r *Rule) { r.Consume = sum.Consume })
	var given string
	scanner := readsAll(&given)
	scanner.Waits = true
	walked := archiveRule(t, `{"deny": {"extension": ["exe"]}}`)
	l := NewLook(e, &ContentEnv{Files: from, Wholes: NewGate(1, 0)})
	l.ReadOnce(t.Context(), Chain{walked, checksum}, Chain{scanner})
	if l.found[walked].Coverage.State != Clean || l.found[checksum].Coverage.State != Bad || l.found[scanner].Coverage.State != Clean {
		t.Errorf("found %+v", l.found)
	}
	if again, missed := from.more(); missed || again > 66<<10 {
		t.Errorf("%d bytes were read again, missed: %v", again, missed)
	}
	l.Close()
}

// Nobody reads all of a tar for rules that want to see its headers only.
func TestArchiveRulesAlone(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := errors.Join(w.WriteHeader(&tar.Header{Name: "film.mov", Size: 20 << 20}), write(w, strings.Repeat("f", 20<<20)), w.Close()); err != nil {
		t.Fatal(err)
	}
	for _, rules := range []int{1, 2} {
		from := counting(b.String())
		l := NewLook(stoppedFile("films.tar"), &ContentEnv{Files: from})
		var chain Chain
		for range rules {
			chain = append(chain, archiveRule(t, `{"required": true}`))
		}
		l.ReadOnce(t.Context(), chain)
		for _, r := range chain {
			if f, _ := l.inspect(t.Context(), r); f.Coverage.State != Clean {
				t.Errorf("%d rules: %s", rules, foundText(f))
			}
		}
		if again, missed := from.more(); !missed || again > 10<<20 {
			t.Errorf("%d rules: all of it was read: %v, %d bytes again", rules, !missed, again)
		}
		l.Close()
	}
}

// asksAbout makes a rule whose question about members is f.
func asksAbout(f func() error, change ...func(*Rule)) *Rule {
	a := &archives{texts: archiveTemplates(), names: []memberQuestion{{check: func(context.Context, *Event) (*Objection, error) { return nil, f() }}}}
	a.limits.Entries, a.limits.Depth, a.limits.Ratio, a.limits.Unpacked, a.limits.Memory = 10, 2, 10, 1<<30, 1<<30
	return looking("archive", append(change, func(r *Rule) { r.Inspect, r.Consume = a.inspect, a.consume })...)
}

// A walk that takes long ends nobody else's look: it falls behind once half of the
// time is over that the others have.
func TestASlowWalkHoldsNobodyUp(t *testing.T) {
	for _, r := range []struct {
		name                    string
		walk, other, all, walk1 time.Duration
		want                    CoverageState
	}{
		{"slower than its timeout", time.Hour, 10 * time.Second, 0, time.Minute, TimedOut},
		{"slower than the others' timeout", 20 * time.Second, 10 * time.Second, 0, time.Minute, Clean},
		{"slower than half of all looks", 15 * time.Second, 0, 25 * time.Second, 0, Clean},
		{"slower than all looks", time.Minute, 0, 25 * time.Second, 0, TimedOut},
	} {
		synctest.Test(t, func(t *testing.T) {
			var other string
			slow := asksAbout(func() error { time.Sleep(r.walk); return nil }, func(rule *Rule) { rule.Timeout = r.walk1 }) //nolint:forbidigo // The clock of a bubble.
			quick := readsAll(&other)
			quick.Timeout = r.other
			text := zipped(t, noisy(3<<20))
			l := NewLook(stoppedFile("noise.gz"), &ContentEnv{Files: &drawer{text: text}, Now: time.Now})
			ctx, cancel := context.WithCancel(t.Context())
			if r.all > 0 {
				ctx, cancel = context.WithTimeout(ctx, r.all)
			}
			defer cancel()
			l.ReadOnce(ctx, Chain{slow, quick})
			l.mu.Lock()
			walked, read := l.found[slow].Coverage.State, l.found[quick].Coverage.State
			l.mu.Unlock()
			if walked != r.want || read != Clean {
				t.Errorf("%s: the walk is %s, the other one %s", r.name, walked, read)
			}
			l.Close()
			time.Sleep(2 * time.Hour) //nolint:forbidigo // The clock of a bubble.
		})
	}
}

// Whatever happens to a walk beside others, it ends, and they go on.
func TestAWalkThatFailsBesideOthers(t *testing.T) {
	text := zipped(t, noisy(3<<20))
	for _, r := range []struct {
		name string
		rule *Rule
		at   int64
		want string
	}{
		{"a panic", asksAbout(func() error { panic("oh") }), 0, "error error"},
		{"a judge that cannot tell", asksAbout(func() error { return errDisk }), 0, "error error"},
		{"a file that cannot be read", archiveRule(t, `{"required": true}`), 2 << 20, "error error"},
	} {
		synctest.Test(t, func(t *testing.T) {
			from := counting(text)
			from.fails = r.at
			b := besideCase{rule: r.rule, file: from, name: "noise.gz"}
			found, joined, other := b.beside(t.Context())
			if got := foundText(found); !joined || got != r.want {
				t.Errorf("%s: took part: %v; %s, %v", r.name, joined, got, found.Err)
			}
			if whole := strings.HasSuffix(other, "<nil>"); whole != (r.at == 0) {
				t.Errorf("%s: the other one was told %q", r.name, other)
			}
			panicked := (*PanicError)(nil)
			if errors.As(found.Err, &panicked) != (r.name == "a panic") || r.at > 0 && (!errors.Is(found.Err, errDisk) || same(b.alone(t.Context()), found) != "") {
				t.Errorf("%s: %v", r.name, found.Err)
			}
		})
	}
}
