package rules

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/rules/archive"
)

// packed is a file in an archive.
type packed struct{ name, data string }

func packedZip(tb testing.TB, files ...packed) string {
	tb.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		m, err := w.Create(f.name)
		if err == nil {
			_, err = io.WriteString(m, f.data)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

func packedTgz(tb testing.TB, headers ...tar.Header) string {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, h := range headers {
		if err := w.WriteHeader(&h); err != nil {
			tb.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

func archiveFixture(tb testing.TB, name string) string {
	tb.Helper()
	data, err := os.ReadFile("testdata/archive/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

// walked is what a rule of the kind finds in a file.
func walked(tb testing.TB, c Compiled, name string, from *drawer) Finding {
	tb.Helper()
	l := NewLook(stoppedFile(name), &ContentEnv{Files: from, Now: time.Now})
	defer l.Close()
	return c.Inspect(tb.Context(), l)
}

func stoppedFile(name string) *Event {
	return file("/in/"+name, func(e *Event) { e.Phase = PhaseStop })
}

// foundText is a finding as the tables have it.
func foundText(f Finding) string {
	switch f.Coverage.State {
	case Clean:
		return "clean"
	case Bad:
		return "refuses " + f.Objection.Found
	default:
		return f.Coverage.State.String() + " " + f.Coverage.Reason
	}
}

func TestArchive(t *testing.T) {
	plain := packedZip(t, packed{"film.mov", "moov"}, packed{"sheets/list.xml", "<x/>"})
	program := packedZip(t, packed{"film.mov", "moov"}, packed{"tools/run.EXE", "MZ"})
	git := packedZip(t, packed{"src/.git/config", "x"})
	bidi := packedZip(t, packed{"a\u202eb/film.mov", "x"})
	inner := packedZip(t, packed{"take.zip", program})
	app := packedZip(t, packed{"clip.app/", ""}, packed{"clip.app/film.mov", "x"})
	zeros := packedZip(t, packed{"zeros", strings.Repeat("\x00", 4<<20)})
	out := packedTgz(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "/etc"})
	for _, r := range []struct{ settings, name, data, want string }{
		{`{"max_depth": 3}`, "a.zip", plain, "clean"},
		{`{"max_depth": 3}`, "film.mov", "no archive at all", "clean"},
		{`{"max_depth": 3}`, "film.mov", "", "clean"},
		{`{"required": true}`, "film.mov", "no archive at all", "refuses no archive"},
		{`{"required": true}`, "a.zip", plain, "clean"},
		{`{"required": true}`, "a.rar", "Rar!\x1a\x07\x01\x00 and more", "uninspectable format"},

		{`{"deny": {"extension": ["exe", ".js"]}}`, "a.zip", program, "refuses tools/run.EXE (exe)"},
		{`{"deny": {"extension": ["exe"]}}`, "a.mov", program, "refuses tools/run.EXE (exe)"},
		{`{"deny": {"extension": ["exe"]}}`, "a.zip", inner, "refuses take.zip/tools/run.EXE (exe)"},
		{`{"deny": {"extension": ["exe"]}}`, "a.zip", plain, "clean"},
		{`{"deny": {"extension": ["exe"]}}`, "setup.exe", "MZ but no archive", "clean"},
		{`{"deny": {"extension": ["app"]}}`, "a.zip", app, "clean"},
		{`{"allow": {"extension": ["mov", "xml"]}}`, "a.zip", plain, "clean"},
		{`{"allow": {"extension": ["mov", "xml"]}}`, "a.zip", program, "refuses tools/run.EXE (exe)"},
		{`{"allow": {"extension": ["mov"]}}`, "a.tar.gz", packedTgz(t, tar.Header{Name: "film.mov"}), "clean"},
		{`{"allow": {"extension": ["mov"]}}`, "a.tar.gz", packedTgz(t, tar.Header{Name: "film"}), "refuses film (none)"},
		{`{"allow": {"extension": ["mov", "exe"]}}`, "a.zip", inner, "refuses take.zip (zip)"},
		{`{"deny": {"path": ["**/.git/**"]}}`, "a.zip", git, "refuses src/.git/config"},
		{`{"deny": {"path": ["/src/**"]}}`, "a.zip", packedZip(t, packed{"x.zip", git}), "refuses x.zip/src/.git/config"},
		{`{"deny": {"path": ["/tools/**"]}}`, "a.zip", git, "clean"},
		{`{"deny": {"filename": ["bidi", "control"]}}`, "a.zip", bidi, "refuses a\u202eb/film.mov (bidi)"},
		{`{"deny": {"filename": ["leading-dot"]}}`, "a.zip", git, "refuses src/.git/config (leading-dot)"},
		{`{"deny": {"filename": ["leading-dot"]}}`, "a.tgz", packedTgz(t, tar.Header{Typeflag: tar.TypeDir, Name: "./"}, tar.Header{Name: "./film.mov"}), "clean"},
		{`{"deny": {"filename": ["trailing-dot"]}}`, "a.zip", plain, "clean"},

		{`{"max_entries": 1}`, "a.zip", plain, "refuses sheets/list.xml"},
		{`{"max_entries": 2}`, "a.zip", plain, "clean"},
		{`{"max_depth": 1}`, "a.zip", inner, "refuses take.zip"},
		{`{"max_depth": 2}`, "a.zip", inner, "clean"},
		{`{"max_unpacked": 7}`, "a.zip", plain, "refuses sheets/list.xml"},
		{`{"max_unpacked": "8 B"}`, "a.zip", plain, "clean"},
		{`{"max_ratio": 200}`, "a.zip", zeros, "refuses zeros"},
		{`{"max_ratio": 2000}`, "a.zip", zeros, "clean"},
		{`{"max_ratio": 200}`, "a.zip", plain, "clean"},

		{`{"max_depth": 3}`, "a.zip", packedZip(t, packed{"../film.mov", "x"}), "refuses ../film.mov"},
		{`{"max_depth": 3}`, "a.tgz", out, "refuses l"},
		{`{"links": "reject"}`, "a.tgz", out, "refuses l"},
		{`{"links": "accept"}`, "a.tgz", out, "clean"},
		{`{"max_depth": 3}`, "a.7z", archiveFixture(t, "locked.7z"), "refuses d/a.txt"},
		{`{"encrypted": "reject"}`, "a.7z", archiveFixture(t, "locked-names.7z"), "refuses its directory is encrypted"},
		{`{"encrypted": "accept"}`, "a.7z", archiveFixture(t, "locked.7z"), "partial encrypted"},
		{`{"encrypted": "accept"}`, "a.7z", archiveFixture(t, "locked-names.7z"), "uninspectable encrypted"},
		{`{"encrypted": "accept", "deny": {"extension": ["exe"]}}`, "a.7z", archiveFixture(t, "locked.7z"), "refuses d/sub/b.exe (exe)"},
		{`{"max_depth": 3}`, "a.7z", archiveFixture(t, "ppmd.7z"), "partial format"},
		{`{"max_depth": 3}`, "a.zip", plain[:len(plain)-10], "uninspectable format"},
		{`{"max_depth": 3}`, "a.zip", plain + "rubbish", "partial format"},
		{`{"max_depth": 3}`, "a.rar", "Rar!\x1a\x07\x01\x00 and more", "uninspectable format"},
		{`{"max_depth": 3}`, "a.cab", "MSCF\x00\x00\x00\x00 and more", "uninspectable format"},
	} {
		f := walked(t, compile(t, archiveKind(), Env{}, r.settings), r.name, &drawer{text: r.data})
		if got := foundText(f); got != r.want {
			t.Errorf("%s about %s: %s, want %s (%v)", r.settings, r.name, got, r.want, f.Err)
		}
		c := f.Coverage
		whole := c.Inspected == c.Total || c.State == Clean && !strings.Contains(r.name, "zip")
		if size := int64(len(r.data)); c.Total != size || (c.State == Clean) && !whole || c.State == Partial && (c.Inspected <= 0 || c.Inspected >= size) {
			t.Errorf("%s about %s: %d of %d bytes, %s", r.settings, r.name, c.Inspected, c.Total, c.State)
		}
	}
}

// What cannot be read says why, and is never clean.
func TestArchiveCannotTell(t *testing.T) {
	c := compile(t, archiveKind(), Env{}, `{"max_depth": 3}`)
	good := packedZip(t, packed{"film.mov", "moov"})
	late, cancel := context.WithCancelCause(t.Context())
	cancel(context.DeadlineExceeded)
	for _, r := range []struct {
		name string
		from *drawer
		ctx  context.Context //nolint:containedctx // One of the columns.
		want string
	}{
		{"not mounted", &drawer{err: errUnmounted}, t.Context(), "uninspectable unmounted"},
		{"an error", &drawer{err: errors.New("the disk is broken")}, t.Context(), "error error"},
		{"a file that changed", &drawer{text: good, changed: ErrChanged}, t.Context(), "error changed"},
		{"out of time", &drawer{text: good}, late, "timeout timeout"},
	} {
		l := NewLook(stoppedFile("a.zip"), &ContentEnv{Files: r.from, Now: time.Now})
		if got := foundText(c.Inspect(r.ctx, l)); got != r.want {
			t.Errorf("%s: %s, want %s", r.name, got, r.want)
		}
		l.Close()
	}
}

// Each message is read in full at least once.
func TestArchiveMessages(t *testing.T) {
	plain := packedZip(t, packed{"film.mov", "moov"}, packed{"run.exe", "MZ"})
	inner := packedZip(t, packed{"take.zip", plain})
	two := plain + packedZip(t, packed{"other.mov", "moov"})
	seen := map[string]bool{}
	for _, r := range []struct{ settings, data, want string }{
		{`{"max_entries": 1}`, plain, "a.zip has more than 1 files in it. Split it up and try again."},
		{`{"max_depth": 1}`, inner, "a.zip has archives in archives, more than 1 deep: take.zip. Unpack those inside and try again."},
		{`{"max_unpacked": "1 B"}`, plain, "a.zip unpacks to more than 1 B. Split it up and try again."},
		{
			`{"max_ratio": 5}`, packedZip(t, packed{"zeros", strings.Repeat("\x00", 2<<20)}),
			"a.zip unpacks to more than 5 times its size, as harmful archives do: zeros. Send the files unpacked.",
		},
		{`{"max_ratio": 5}`, packedZip(t, packed{"../x", ""}), "a.zip has a file in it that would be unpacked elsewhere: ../x. Pack it again without folders above it."},
		{`{"max_ratio": 5}`, packedTgz(t, tar.Header{Typeflag: tar.TypeLink, Name: "l", Linkname: "/x"}), "a.zip has a link in it that leads elsewhere, or a device: l. Leave it out and try again."},
		{`{"max_ratio": 5}`, archiveFixture(t, "aes.zip"), "a.zip is encrypted and cannot be looked into: d/a.txt. Pack it again without a password."},
		{`{"max_ratio": 5}`, two, "a.zip says two things about what is in it: its first member is not in the directory. Pack it again with another program."},
		{`{"deny": {"extension": ["exe"]}}`, inner, "a.zip has a file in it of a type that may not be transferred here: take.zip/run.exe (exe). Leave it out and try again."},
		{`{"allow": {"extension": ["mov"]}}`, plain, "a.zip has a file in it of a type that is not allowed here: run.exe (exe). Leave it out and try again."},
		{`{"deny": {"path": ["/run.*"]}}`, plain, "a.zip has a file in it that may not be transferred here: run.exe. Leave it out and try again."},
		{
			`{"deny": {"filename": ["bidi"]}}`, packedZip(t, packed{"a\u202eb", ""}),
			`a.zip has a file in it whose name may not be used here: a\u202eb (bidi). Rename it, pack again and try again.`,
		},
		{`{"required": true}`, "a film", "a.zip is no archive, and only archives may be transferred here. Pack it and try again."},
	} {
		c := compile(t, archiveKind(), Env{}, r.settings)
		f := walked(t, c, "a.zip", &drawer{text: r.data})
		if f.Objection == nil {
			t.Errorf("%s: %s", r.settings, foundText(f))
			continue
		}
		text := f.Objection.Message.text()
		if _, err := ParseTemplate(text, archiveKind().Placeholders...); err != nil {
			t.Error(err)
		}
		seen[text] = true
		if got := ruleOf(archiveKind(), Env{}, c).render(stoppedFile("a.zip"), f.Objection); got != r.want {
			t.Errorf("%s says\n%s, want\n%s", r.settings, got, r.want)
		}
	}
	for fault, text := range archiveTexts {
		if !seen[text] {
			t.Errorf("nothing is refused for %d: %s", fault, text)
		}
	}
}

// Whatever a member is called, the refusal is a line that fits, or the walk goes
// on.
func TestArchiveHostileNames(t *testing.T) {
	c := compile(t, archiveKind(), Env{}, `{"deny": {"extension": ["exe"], "filename": ["control", "bidi", "double-extension", "reserved", "trailing-dot", "trailing-space", "alternate-stream", "leading-dot"], "path": ["**/x/**"]}}`)
	rule := ruleOf(archiveKind(), Env{}, c)
	judge := (&archives{}).judge()
	rapid.Check(t, func(rt *rapid.T) {
		h := rapid.StringMatching(`[ab/.\\]{0,3}`).Draw(rt, "before") + hostile().Draw(rt, "hostile") + rapid.SampledFrom([]string{"", ".exe", "/x/y", "/"}).Draw(rt, "behind")
		if err := judge(archive.Member{Name: h}); err != nil {
			rt.Fatal(err)
		}
		if len(h) > 60_000 {
			return
		}
		f := walked(t, c, "a.zip", &drawer{text: packedZip(t, packed{h, ""})})
		switch {
		case f.Coverage.State == Clean:
		case f.Objection == nil:
			rt.Fatalf("%q: %s: %v", h, foundText(f), f.Err)
		case !isMessage(rule.render(stoppedFile("a.zip"), f.Objection)):
			rt.Fatalf("%q: %s", h, rule.render(stoppedFile("a.zip"), f.Objection))
		}
	})
}

func TestArchiveMistakes(t *testing.T) {
	judgeMistakes(t, archiveKind(), Env{}, []slip{
		{`{"max_unpacked": "big"}`, []string{`/max_unpacked: "big" is not a size; write a number and a unit of B, KB, MB, GB, TB, KiB, MiB, GiB or TiB, such as 500 GiB`}},
		{`{"deny": {"extension": ["js", "*.exe"]}}`, []string{`/deny/extension/1: "*.exe" is not an extension; did you mean "exe"?`}},
		{`{"allow": {"extension": ["a.b"]}}`, []string{`/allow/extension/0: an extension is written without dots: "a.b"; did you mean "b"?`}},
		{`{"deny": {"extension": ["MOV"]}, "allow": {"extension": ["mov"]}}`, []string{`/deny/extension/0: "MOV" is both allowed and denied`}},
		{`{"deny": {"path": [".git/**"]}}`, []string{`/deny/path/0: ".git/**" matches no path, because paths begin with a slash; did you mean "/.git/**" or "**/.git/**"?`}},
	})
	judgeSchema(t, archiveKind(), `{}`, `{"max_entries": 0}`, `{"max_entries": 1000001}`, `{"max_depth": 0}`, `{"max_depth": 17}`, `{"max_ratio": 0}`,
		`{"deny": {}}`, `{"deny": {"filename": ["colour"]}}`, `{"allow": {"path": ["/a"]}}`, `{"encrypted": true}`, `{"links": "follow"}`, `{"required": "yes"}`)
}

// What a policy leaves out is as the schema says.
func TestArchiveDefaults(t *testing.T) {
	c := compile(t, archiveKind(), Env{}, `{"required": false}`)
	want := map[string]string{"max_entries": "100000", "max_depth": "5", "max_unpacked": "1 TiB", "max_ratio": "1000"}
	if diff := cmp.Diff(want, c.Values); diff != "" {
		t.Error(diff)
	}
	for key, value := range want {
		if !strings.Contains(archiveKind().Schema, fmt.Sprintf(`%q: %s`, "default", value)) && !strings.Contains(archiveKind().Schema, fmt.Sprintf(`%q: %q`, "default", value)) {
			t.Errorf("the schema has another default of %s", key)
		}
	}
}
