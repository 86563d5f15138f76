package grants_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/grants"
)

// The verifier is what rules ask.
var _ rules.Grants = (*grants.Verifier)(nil)

// sign returns the signed text of a grant with the id.
func sign(tb testing.TB, keys *grants.Keys, id string) string {
	tb.Helper()
	g := example()
	g.ID = id
	text, err := keys.Sign(g)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// What is remembered is the same grant, not one like it.
func TestRememberedIsShared(t *testing.T) {
	private := newPrivate(t)
	v := verifier(t, private)
	text := sign(t, open(t, private), "a")
	first, err := v.Verify(text)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := v.Verify(strings.Clone(text)); err != nil || again != first {
		t.Error("verified again", err)
	}
	if allocs := testing.AllocsPerRun(100, func() { _, _ = v.Verify(text) }); allocs != 0 {
		t.Error(allocs, "allocations for what is remembered")
	}
}

// What is in use stays remembered while others come once, and forged texts put
// nothing out.
func TestWhatIsForgotten(t *testing.T) {
	private := newPrivate(t)
	keys := open(t, private)
	v := grants.NewVerifier(keys, grants.VerifierOptions{Texts: 8})
	hot := sign(t, keys, "hot")
	first, err := v.Verify(hot)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if _, err := v.Verify(sign(t, keys, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		if again, _ := v.Verify(hot); again != first {
			t.Fatalf("forgotten after %d others", i+1)
		}
	}
	cold := sign(t, keys, "cold")
	seen, _ := v.Verify(cold)
	for i := range 1000 {
		if _, err := v.Verify(forge(private, goodHeader(private), fmt.Sprint(i))); err == nil {
			t.Fatal("forged")
		}
	}
	if again, _ := v.Verify(cold); again != seen {
		t.Error("forgotten after forged texts")
	}
	for i := range 20 {
		_, _ = v.Verify(sign(t, keys, fmt.Sprint("more", i)))
	}
	if again, err := v.Verify(cold); err != nil || again == seen {
		t.Error("not forgotten after twenty others:", err)
	}
}

// However many texts there are and whatever their order, each is verified as
// itself.
func TestCacheAgainstModel(t *testing.T) {
	private := newPrivate(t)
	keys := open(t, private)
	texts := make([]string, 12)
	for i := range texts {
		texts[i] = sign(t, keys, fmt.Sprint(i))
	}
	stranger := forge(newPrivate(t), goodHeader(private), exampleClaims)
	rapid.Check(t, func(t *rapid.T) {
		v := grants.NewVerifier(keys, grants.VerifierOptions{Texts: rapid.IntRange(1, 12).Draw(t, "room")})
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(texts)), 1, 60).Draw(t, "asked") {
			if i == len(texts) {
				if _, err := v.Verify(stranger); !errors.Is(err, rules.ErrForged) {
					t.Fatal(err)
				}
				continue
			}
			if g, err := v.Verify(texts[i]); err != nil || g.ID != fmt.Sprint(i) {
				t.Fatal(i, g, err)
			}
		}
	})
}

// Grants that are as long as can be have no more than 16 MiB remembered.
func TestRememberedBytes(t *testing.T) {
	private := newPrivate(t)
	keys := open(t, private)
	v := grants.NewVerifier(keys, grants.VerifierOptions{Texts: 1 << 30})
	g := example()
	g.Paths = nil
	for i := range 100 {
		g.Paths = append(g.Paths, fmt.Sprintf("/%0450d", i))
	}
	g.PathCount = len(g.Paths)
	var texts []string
	for i := range 400 {
		g.ID = fmt.Sprint(i)
		text, err := keys.Sign(g)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	var firsts []*rules.Grant
	for _, text := range texts { // 24 MB.
		first, err := v.Verify(text)
		if err != nil {
			t.Fatal(err)
		}
		firsts = append(firsts, first)
	}
	last := len(texts) - 1
	if len(texts[0])*last < 20<<20 {
		t.Fatal("the texts are too short to tell")
	}
	if again, _ := v.Verify(texts[last]); again != firsts[last] {
		t.Error("the last is not remembered any more")
	}
	if again, _ := v.Verify(texts[0]); again == firsts[0] {
		t.Error("the first is still remembered")
	}
}

func TestVerifyAtOnce(t *testing.T) {
	private := newPrivate(t)
	keys := open(t, private)
	v := grants.NewVerifier(keys, grants.VerifierOptions{Texts: 4})
	var texts [10]string
	for i := range texts {
		texts[i] = sign(t, keys, fmt.Sprint(i))
	}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 200 {
				n := (i*7 + worker) % len(texts)
				if g, err := v.Verify(texts[n]); err != nil || g.ID != fmt.Sprint(n) {
					t.Error(n, err)
				}
				if _, err := v.Use(example(), fmt.Sprint(n), example().Issued); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// counter counts files of grants as Use should, by hand.
type counter struct {
	room  int
	paths map[string]map[string]bool
	gone  map[string]time.Time
}

func (c *counter) use(g *rules.Grant, path string, now time.Time, skew time.Duration) (allowed, counted bool) {
	if g.MaxFiles == 0 {
		return true, true
	}
	if now.After(g.Expires.Add(skew)) {
		return false, false
	}
	for id, gone := range c.gone {
		if now.After(gone) {
			delete(c.paths, id)
			delete(c.gone, id)
		}
	}
	paths := c.paths[g.ID]
	if paths[path] {
		return true, true
	}
	if len(paths) >= g.MaxFiles {
		return false, true
	}
	used := 1
	for _, p := range c.paths {
		used += len(p) + 5
	}
	if paths == nil {
		used += 5
	}
	if used > c.room {
		return false, false
	}
	if paths == nil {
		c.paths[g.ID] = map[string]bool{}
		c.gone[g.ID] = g.Expires.Add(skew + time.Minute)
	}
	c.paths[g.ID][path] = true
	return true, true
}

// Files are counted as by hand, whatever comes in which order, until there is no
// room; and what cannot be counted is never allowed.
func TestUseAgainstModel(t *testing.T) {
	keys := open(t, newPrivate(t))
	begin := time.Unix(1_800_000_000, 0)
	rapid.Check(t, func(t *rapid.T) {
		room, skew := rapid.IntRange(1, 60).Draw(t, "room"), time.Duration(rapid.IntRange(0, 100).Draw(t, "skew"))*time.Second
		v := grants.NewVerifier(keys, grants.VerifierOptions{Skew: skew, Counted: room})
		model := &counter{room: room, paths: map[string]map[string]bool{}, gone: map[string]time.Time{}}
		var all []*rules.Grant
		for i := range rapid.IntRange(1, 8).Draw(t, "grants") {
			all = append(all, &rules.Grant{
				ID: fmt.Sprint(i), Expires: begin.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "life")) * time.Second),
				GrantLimits: rules.GrantLimits{MaxFiles: rapid.IntRange(0, 8).Draw(t, "max")},
			})
		}
		now := begin
		for range rapid.IntRange(1, 120).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.IntRange(-5, 20).Draw(t, "later")) * time.Second)
			g, path := rapid.SampledFrom(all).Draw(t, "grant"), fmt.Sprint("/", rapid.IntRange(0, 12).Draw(t, "path"))
			allowed, err := v.Use(g, path, now)
			want, counted := model.use(g, path, now, skew)
			if allowed != want || (err == nil) != counted || allowed && err != nil {
				t.Fatalf("%s of %+v at %s: %v %v, want %v %v", path, g, now, allowed, err, want, counted)
			}
		}
	})
}

// The story of one grant of two files, in order.
func TestUse(t *testing.T) {
	g := &rules.Grant{ID: "a", Expires: time.Unix(1000, 0), GrantLimits: rules.GrantLimits{MaxFiles: 2}}
	v := grants.NewVerifier(open(t, newPrivate(t)), grants.VerifierOptions{Skew: time.Minute, Counted: 7})
	type step struct {
		path    string
		at      int64
		allowed bool
		err     string
	}
	for i, s := range []step{
		{"/1", 1, true, ""},
		{"/1", 2, true, ""}, // It ends, and is the same file.
		{"/2", 3, true, ""},
		{"/3", 4, false, ""},
		{"/2", 5, true, ""},
		{"/3", 1059, false, ""}, // Clocks may differ.
		{"/2", 1060, true, ""},
		{"/2", 1061, false, "it has expired"},
	} {
		allowed, err := v.Use(g, s.path, time.Unix(s.at, 0))
		if allowed != s.allowed || (err == nil) != (s.err == "") || err != nil && !strings.Contains(err.Error(), s.err) {
			t.Errorf("step %d, %s at %d: %v, %v", i+1, s.path, s.at, allowed, err)
		}
	}
	later := &rules.Grant{ID: "b", Expires: time.Unix(9000, 0), GrantLimits: rules.GrantLimits{MaxFiles: 2}}
	if allowed, err := v.Use(later, "/1", time.Unix(1120, 0)); allowed || !errors.Is(err, grants.ErrNotCounted) {
		t.Error("while the first is remembered:", allowed, err)
	}
	if allowed, err := v.Use(later, "/1", time.Unix(1121, 0)); !allowed || err != nil {
		t.Error("when it is forgotten:", allowed, err)
	}
	unlimited := &rules.Grant{ID: "c", Expires: time.Unix(1, 0)}
	if allowed, err := v.Use(unlimited, "/1", time.Unix(5000, 0)); !allowed || err != nil {
		t.Error("without a limit:", allowed, err)
	}
}

// What is counted stays in the memory that VerifierOptions promises: 60 MB for
// each million.
func TestCountedMemory(t *testing.T) {
	for what, files := range map[string]int{"large grants": 100_000, "grants of one file": 1, "grants of nine files": 9} {
		t.Run(what, func(t *testing.T) {
			v := grants.NewVerifier(open(t, newPrivate(t)), grants.VerifierOptions{Counted: 1_000_000})
			now := time.Unix(1000, 0)
			before := heap()
			counted := 0
			for i := 0; ; i++ {
				g := &rules.Grant{ID: fmt.Sprint("0198c5a0-1111-7abc-8def-", i), Expires: now.Add(time.Hour), GrantLimits: rules.GrantLimits{MaxFiles: files}}
				for f := range files {
					allowed, err := v.Use(g, fmt.Sprint("/in/", f), now)
					if errors.Is(err, grants.ErrNotCounted) && !allowed {
						taken := heap() - before
						t.Logf("%d paths of %d grants take %d MB", counted, i, taken>>20)
						if counted < 1_000_000*files/(files+5)-10 || taken > 60<<20 {
							t.Errorf("%d paths take %d bytes", counted, taken)
						}
						runtime.KeepAlive(v)
						return
					}
					if err != nil || !allowed {
						t.Fatal(allowed, err)
					}
					counted++
				}
			}
		})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkSign(b *testing.B) {
	keys := open(b, newPrivate(b))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := keys.Sign(example()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	private := newPrivate(b)
	keys := open(b, private)
	text := sign(b, keys, "a")
	long := example()
	long.Paths = nil
	for i := range 100 {
		long.Paths = append(long.Paths, fmt.Sprintf("/in/folder/of/a/transfer/file-%04d.mov", i))
	}
	long.PathCount = 100
	longText, err := keys.Sign(long)
	if err != nil {
		b.Fatal(err)
	}
	v := grants.NewVerifier(keys, grants.VerifierOptions{})
	for _, c := range []struct{ name, text string }{{"short", text}, {"100paths", longText}} {
		b.Run("cached/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(c.text); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("cold/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			one := grants.NewVerifier(keys, grants.VerifierOptions{Texts: 1})
			other := sign(b, keys, "other")
			for b.Loop() {
				if _, err := one.Verify(c.text); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				_, _ = one.Verify(other)
				b.StartTimer()
			}
		})
	}
	b.Run("forged", func(b *testing.B) {
		b.ReportAllocs()
		forged := forge(newPrivate(b), goodHeader(private), exampleClaims)
		for b.Loop() {
			if _, err := v.Verify(forged); err == nil {
				b.Fatal("verified")
			}
		}
	})
	b.Run("unknown_key", func(b *testing.B) {
		b.ReportAllocs()
		stranger := newPrivate(b)
		forged := forge(stranger, goodHeader(stranger), exampleClaims)
		for b.Loop() {
			if _, err := v.Verify(forged); err == nil {
				b.Fatal("verified")
			}
		}
	})
}

func BenchmarkUse(b *testing.B) {
	v := grants.NewVerifier(open(b, newPrivate(b)), grants.VerifierOptions{})
	g := example()
	if _, err := v.Use(g, "/in/a", g.Issued); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Use(g, "/in/a", g.Issued); err != nil {
			b.Fatal(err)
		}
	}
}

// A grant of a key that is no longer named is not remembered by a new verifier.
func TestVerifierOfOtherKeys(t *testing.T) {
	private := newPrivate(t)
	text := sign(t, open(t, private), "a")
	if _, err := verifier(t, private).Verify(text); err != nil {
		t.Fatal(err)
	}
	_, err := verifier(t, newPrivate(t)).Verify(text)
	if diff := cmp.Diff(rules.ErrForged.Error(), fmt.Sprint(err)); diff != "" {
		t.Error(diff)
	}
	if id := grants.KeyID(private.Public().(ed25519.PublicKey)); strings.Contains(fmt.Sprint(err), id) {
		t.Error("the error shows the text")
	}
}
