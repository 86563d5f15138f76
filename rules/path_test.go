package rules

import (
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParsePath(t *testing.T) {
	type look struct {
		Slash, Name, Shown string
		Clean, Up          bool
	}
	for _, row := range []struct {
		raw  string
		want look
	}{
		{"/in/a.mov", look{"/in/a.mov", "a.mov", "/in/a.mov", true, false}},
		{"in/a.mov", look{"in/a.mov", "a.mov", "in/a.mov", true, false}},
		{"a.mov", look{"a.mov", "a.mov", "a.mov", true, false}},
		{"/", look{"/", "", "/", true, false}},
		{"", look{"", "", "", true, false}},
		{"/in/a b\n.mov", look{"/in/a b\n.mov", "a b\n.mov", "/in/a b\n.mov", true, false}},

		{"/in/../a", look{"/in/../a", "a", "/in/../a", false, true}},
		{"/in/..", look{"/in/..", "..", "/in/..", false, true}},
		{"..", look{"..", "..", "..", false, true}},
		{"/in/...", look{"/in/...", "...", "/in/...", true, false}},
		{"/in/..a", look{"/in/..a", "..a", "/in/..a", true, false}},
		{"/in/./a", look{"/in/a", "a", "/in/./a", false, false}},
		{"./a", look{"a", "a", "./a", false, false}},
		{".", look{"", "", ".", false, false}},
		{"/in//a", look{"/in/a", "a", "/in//a", false, false}},
		{"//in/a", look{"/in/a", "a", "//in/a", false, false}},
		{"///", look{"/", "", "///", false, false}},
		{"/in/a/", look{"/in/a", "a", "/in/a/", false, false}},
		{"/in/a\x00b", look{"/in/a\x00b", "a\x00b", "/in/a\x00b", false, false}},

		{`C:\in\a.mov`, look{"C:/in/a.mov", "a.mov", `C:\in\a.mov`, true, false}},
		{`c:\in\..\a.mov`, look{"c:/in/../a.mov", "a.mov", `c:\in\..\a.mov`, false, true}},
		{`C:\in\\a.mov`, look{"C:/in/a.mov", "a.mov", `C:\in\\a.mov`, false, false}},
		{"C:/in/a.mov", look{"C:/in/a.mov", "a.mov", "C:/in/a.mov", true, false}},
		{`C:in\a.mov`, look{`C:in\a.mov`, `C:in\a.mov`, `C:in\a.mov`, true, false}},
		{`\\server\share\a.mov`, look{"/server/share/a.mov", "a.mov", `\\server\share\a.mov`, true, false}},
		{`\\server\share\..\a.mov`, look{"/server/share/../a.mov", "a.mov", `\\server\share\..\a.mov`, false, true}},
		{`\\\a`, look{"/a", "a", `\\\a`, false, false}},
		{`/in/a\b`, look{`/in/a\b`, `a\b`, `/in/a\b`, true, false}},
		{`/in/..\..\a`, look{`/in/..\..\a`, `..\..\a`, `/in/..\..\a`, true, false}},

		{"s3://bucket/in/a", look{"s3://bucket/in/a", "a", "s3://bucket/in/a", true, false}},
		{"s3://bucket", look{"s3://bucket", "bucket", "s3://bucket", true, false}},
		{"s3://bucket/in/", look{"s3://bucket/in", "in", "s3://bucket/in/", false, false}},
		{"s3://bucket//in", look{"s3://bucket/in", "in", "s3://bucket//in", false, false}},
		{"s3://", look{"s3://", "", "s3://", true, false}},
		{"s3://KEY:SECRET@bucket/a", look{"s3://bucket/a", "a", "s3://***@bucket/a", true, false}},
		{"s3://KEY@bucket/a", look{"s3://bucket/a", "a", "s3://***@bucket/a", true, false}},
		{"s3://KEY:SE@CRET@bucket/a", look{"s3://bucket/a", "a", "s3://***@bucket/a", true, false}},
		{"s3://KEY:SEC/RET@bucket/a", look{"s3://bucket/a", "a", "s3://***@bucket/a", true, false}},
		{"s3://KEY:S/E/CR@ET@bucket/a", look{"s3://bucket/a", "a", "s3://***@bucket/a", true, false}},
		{"s3://KEY:/SECRET@bucket/a", look{"s3://bucket/a", "a", "s3://***@bucket/a", true, false}},
		{"s3://KEY:SECRET@bucket/a@b", look{"s3://bucket/a@b", "a@b", "s3://***@bucket/a@b", true, false}},
		{"s3://KEY:SECRET@bucket/../a", look{"s3://bucket/../a", "a", "s3://***@bucket/../a", false, true}},
		{"s3://bucket/john@example.com/a", look{"s3://bucket/john@example.com/a", "a", "s3://bucket/john@example.com/a", true, false}},
		{"swift+https://u:p@host:8080/a", look{"swift+https://host:8080/a", "a", "swift+https://***@host:8080/a", true, false}},
		{"azu://host:8080/a", look{"azu://host:8080/a", "a", "azu://host:8080/a", true, false}},
		// What may be a port is matched as one, or a name could choose its bucket; what may be a secret is not shown.
		{"azu://host:8080/x@bucket/a", look{"azu://host:8080/x@bucket/a", "a", "azu://***@bucket/a", true, false}},
		{"/s3://KEY/a", look{"/s3:/KEY/a", "a", "/s3://KEY/a", false, false}},
		{"1s://u:p@h", look{"1s:/u:p@h", "u:p@h", "1s://***@h", false, false}},
		{"/s3://KEY:SEC@b/x", look{"/s3:/KEY:SEC@b/x", "x", "/s3://***@b/x", false, false}},
		{"s3:/KEY:SEC@b/x", look{"s3:/KEY:SEC@b/x", "x", "s3:/***@b/x", true, false}},
		{"C:/in/a@b.mov", look{"C:/in/a@b.mov", "a@b.mov", "C:/in/a@b.mov", true, false}},
		{"a b://u", look{"a b:/u", "u", "a b://u", false, false}},
	} {
		p := ParsePath(row.raw)
		if p.Raw != row.raw {
			t.Errorf("%q: the raw path is %q", row.raw, p.Raw)
		}
		got := look{p.Slash, p.Name(), p.Shown(), p.Clean, p.Up}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", row.raw, diff)
		}
	}
}

func TestResolve(t *testing.T) {
	for slash, want := range map[string]string{
		"/a/../b": "/b", "/../../b": "/b", "/a/b/..": "/a", "a/../../b": "../b", "C:/a/../b": "C:/b", "C:/../../b": "C:/b",
		"s3://bucket/a/../b": "s3://bucket/b", "/a": "/a",
	} {
		if got := resolve(slash); got != want {
			t.Errorf("%q leads to %q, want %q", slash, got, want)
		}
	}
}

// A secret is never shown, and never part of what globs see, in whatever way it
// is written: with slashes in it, or with an "@".
func TestShownNeverHasTheSecret(t *testing.T) {
	part := func(of string) *rapid.Generator[string] { return rapid.StringMatching("[" + of + "]{1,12}") }
	rapid.Check(t, func(t *rapid.T) {
		scheme := rapid.SampledFrom([]string{"s3", "swift", "azu", "gs", "HTTPS", "s3+x"}).Draw(t, "scheme")
		user := part("A-Z0-9%").Draw(t, "user")
		// Nothing else has a dollar, so it shows where a secret does.
		secret := rapid.OneOf(part(`$:+=/`), part(`$:+=@`), part(`$0-9/`), rapid.Map(part("0-9/"), func(s string) string { return s + "/$" })).
			Filter(func(s string) bool { return strings.Contains(s, "$") }).Draw(t, "secret")
		rest := part(`a-z./@\\`).Draw(t, "rest")
		p := ParsePath(scheme + "://" + user + ":" + secret + "@" + "bucket/" + rest)
		for _, text := range []string{p.Shown(), (&Rule{Message: mustTemplate(t, "{path}")}).render(&Event{File: p}, nil)} {
			if strings.Contains(text, "$") || strings.Contains(text, ":"+secret) {
				t.Fatalf("%q is shown as %q", p.Raw, text)
			}
		}
		// Only a secret that begins like a port is left to the globs.
		if first, _, _ := strings.Cut(secret, "/"); !isPort(first) && strings.Contains(p.Slash, "$") {
			t.Fatalf("%q is matched as %q", p.Raw, p.Slash)
		}
	})
}

func mustTemplate(t interface {
	Helper()
	Fatal(args ...any)
}, text string,
) *Template {
	t.Helper()
	template, err := ParseTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	return template
}

// checkPath holds for every path that a server can give.
func checkPath(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, raw string,
) {
	t.Helper()
	p := ParsePath(raw)
	shown := p.Shown()
	if again := ParsePath(shown).Shown(); again != shown {
		t.Fatalf("%q is shown as %q, and that as %q", raw, shown, again)
	}
	scheme, rest := splitScheme(p.Slash)
	segments := strings.Split(strings.TrimPrefix(rest, "/"), "/")
	up := false
	for i, s := range segments {
		if (s == "" && len(segments) > 1 && p.Clean) || s == "." || (s == "" && i > 0) {
			t.Fatalf("%q is matched as %q", raw, p.Slash)
		}
		up = up || s == ".."
	}
	if up != p.Up || up && p.Clean {
		t.Fatalf("%q: up %v, clean %v", raw, p.Up, p.Clean)
	}
	if p.Clean && rest != "" && path.Clean(rest) != rest {
		t.Fatalf("%q is clean, but means %q", p.Slash, path.Clean(rest))
	}
	if p.Clean && scheme == "" && !isWindows(raw) && p.Slash != raw {
		t.Fatalf("%q is clean, but matched as %q", raw, p.Slash)
	}
	if name := p.Name(); strings.Contains(name, "/") || !strings.HasSuffix(p.Slash, name) {
		t.Fatalf("%q has the name %q", raw, name)
	}
	resolve(p.Slash)
}

func TestParsePathOfAnything(t *testing.T) {
	piece := rapid.SampledFrom([]string{"/", "/", `\`, ".", "..", "a", "b", ":", "@", "s3://", "C:", "8080", "\x00", "é", "\xff", "***"})
	rapid.Check(t, func(t *rapid.T) {
		checkPath(t, strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), ""))
	})
}

func FuzzPath(f *testing.F) {
	for _, seed := range []string{
		"/in/a.mov", "/in/../a//b/", `C:\in\..\a`, `\\server\share\a`, "s3://KEY:SEC/RET@bucket/a@b", "s3://h:80/x@y", "/a\x00", "s3://", "**/*.tmp", "/{a,b}/[c/d]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkPath(t, text)
		if CheckPathGlob(text) == nil {
			var g PathGlobs
			g.Add(text, 1)
			g.Match(text)
		}
	})
}

func TestCheckPathGlob(t *testing.T) {
	for glob, want := range map[string]string{
		"/in/**": "", "**/*.tmp": "", "*": "", "?n": "", "[a-c]/x": "", "{/a,/b}/**": "", `\*x`: "", "C:/in/**": "", "s3://bucket/**": "", "s3://*/in": "", "/": "", "/..a/b..": "", "/in/{,x}": "", `/\**x`: "", `/a\,b`: "",

		"":           "an empty glob matches nothing",
		"/[a":        `"/[a" is not a glob: a bracket, brace or backslash lacks its partner`,
		"in/**":      `"in/**" matches no path, because paths begin with a slash; did you mean "/in/**" or "**/in/**"?`,
		"a.tmp":      `"a.tmp" matches no path, because paths begin with a slash; did you mean "/a.tmp" or "**/a.tmp"?`,
		"/in/":       `"/in/" matches no path, because none ends in a slash; did you mean "/in/**"?`,
		"/in//":      `"/in//" matches no path, because none ends in a slash; did you mean "/in/**"?`,
		"s3://b/":    `"s3://b/" matches no path, because none ends in a slash; did you mean "s3://b/**"?`,
		"/in/../a/":  `"/in/../a/" matches no path: a glob has no "..", ".", "//" or slash at its end; did you mean "/a"?`,
		"~/in/**":    `"~/in/**" matches no path, because ~ is not looked up; write the whole path, such as "/home/*/in/**"`,
		"~":          `"~" matches no path, because ~ is not looked up; write the whole path, such as "/home/*"`,
		"**.mov":     `"**.mov": ** stands for folders only where it is all there is between two slashes; in "**.mov" it is *; did you mean "**/*.mov"?`,
		"/in/**.mov": `"/in/**.mov": ** stands for folders only where it is all there is between two slashes; in "**.mov" it is *; did you mean "/in/**/*.mov"?`,
		"/in**":      `"/in**": ** stands for folders only where it is all there is between two slashes; in "in**" it is *; did you mean "/in*/**"?`,
		"/***":       `"/***": ** stands for folders only where it is all there is between two slashes; in "***" it is *; did you mean "/**"?`,
		"/{a,**b}/c": `"/{a,**b}/c": ** stands for folders only where it is all there is between two slashes; in "**b" it is *`,
		"/a/{.,..}":  `"/a/{.,..}" matches no path: whatever its braces stand for has "..", ".", "//" or a slash at its end`,
		`/in\film\*`: `"/in\\film\\*": a backslash before a letter or a digit escapes nothing, and separates no folders; did you mean "/in/film/*"?`,
		`\in\**`:     `"\\in\\**": a backslash before a letter or a digit escapes nothing, and separates no folders; did you mean "/in/**"?`,
		`/in\`:       `"/in\\": a backslash before a letter or a digit escapes nothing, and separates no folders; did you mean "/in/**"?`,
		"/in//a":     `"/in//a" matches no path: a glob has no "..", ".", "//" or slash at its end; did you mean "/in/a"?`,
		"/in/../a":   `"/in/../a" matches no path: a glob has no "..", ".", "//" or slash at its end; did you mean "/a"?`,
		"/in/./a":    `"/in/./a" matches no path: a glob has no "..", ".", "//" or slash at its end; did you mean "/in/a"?`,
		"s3://b//a":  `"s3://b//a" matches no path: a glob has no "..", ".", "//" or slash at its end; did you mean "s3://b/a"?`,
		`C:\in\*`:    `"C:\\in\\*": write Windows paths with slashes, "C:/in/*"`,
		`\\host\s\*`: `"\\\\host\\s\\*": write Windows paths with slashes, "/host/s/*"`,
		"/[a/b]":     `"/[a/b]": a slash stands between segments, so it cannot stand in brackets or behind a backslash`,
		`/a\/b`:      `"/a\\/b": a slash stands between segments, so it cannot stand in brackets or behind a backslash`,
		"/[^/]x":     `"/[^/]x": a slash stands between segments, so it cannot stand in brackets or behind a backslash`,
	} {
		err := CheckPathGlob(glob)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", glob, got, want)
		}
		// What is suggested is accepted.
		for _, hint := range regexp.MustCompile(`(?:did you mean|or|slashes,) "([^"]+)"`).FindAllStringSubmatch(got, -1) {
			if err := CheckPathGlob(hint[1]); err != nil {
				t.Errorf("%q: the suggestion %q is refused: %v", glob, hint[1], err)
			}
		}
	}
}

func TestCheckFolderGlob(t *testing.T) {
	const alone = " matches one file of that very name, and nothing in a folder"
	for glob, want := range map[string]string{
		"/in/**": "", "/in/*": "", "/in/a.mov": "", "/in/READM[E]": "", "/in/.profile": "", "**/in": "", "C:/in/a.mov": "", "/in/{a,b}.mov": "",

		"/in":         alone + `; did you mean "/in/**"? A file of that name is "/i[n]"`,
		"/in/film":    alone + `; did you mean "/in/film/**"? A file of that name is "/in/fil[m]"`,
		"/in/filmé":   alone + `; did you mean "/in/filmé/**"? A file of that name is "/in/film[é]"`,
		"/in.d/film":  alone + `; did you mean "/in.d/film/**"? A file of that name is "/in.d/fil[m]"`,
		"/{in,out}":   alone + `; did you mean "/{in,out}/**"?`,
		"/":           alone + `; did you mean "/**"?`,
		"s3://bucket": alone + `; did you mean "s3://bucket/**"? A file of that name is "s3://bucke[t]"`,
		"/in/":        ` matches no path, because none ends in a slash; did you mean "/in/**"?`,
		"in":          ` matches no path, because paths begin with a slash; did you mean "/in" or "**/in"?`,
	} {
		got := ""
		if err := CheckFolderGlob(glob); err != nil {
			got = strings.TrimPrefix(err.Error(), `"`+glob+`"`)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", glob, got, want)
		}
	}
}
