package rules

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
	"pgregory.net/rapid"
)

func pathMatch(pattern, path string) bool {
	var g PathGlobs
	g.Add(pattern, 7)
	matched := g.Match(path)
	if ids := g.AppendMatches(nil, path); matched != slices.Contains(ids, 7) {
		panic("Match and AppendMatches disagree about " + pattern + " and " + path)
	}
	return matched
}

func nameMatch(pattern, name string) bool {
	var n NameGlobs[int]
	n.Add(pattern, 7)
	return slices.Contains(n.AppendMatches(nil, name), 7)
}

func TestPathGlobs(t *testing.T) {
	for _, row := range []struct {
		pattern     string
		yes, no     []string
		checkedAway bool // CheckPathGlob refuses it
	}{
		{pattern: "/in/a.mov", yes: []string{"/in/a.mov"}, no: []string{"/in/a.mo", "/in/a.mov/x", "in/a.mov", "/in/A.mov", ""}},
		{pattern: "/in/*", yes: []string{"/in/a", "/in/.a", "/in/a b"}, no: []string{"/in", "/in/a/b", "/out/a"}},
		{pattern: "/in/**", yes: []string{"/in", "/in/a", "/in/a/b/c"}, no: []string{"/inn", "/", "/out/in/a"}},
		{pattern: "/in*/**", yes: []string{"/in", "/inn/a", "/in/a/b"}, no: []string{"/out"}},
		{pattern: "**/*.tmp", yes: []string{"/a.tmp", "/x/y/a.tmp", "a.tmp"}, no: []string{"/a.tmp/b", "/a.tmpx"}},
		{pattern: "/a/**/z", yes: []string{"/a/z", "/a/b/z", "/a/z/z"}, no: []string{"/a/zz", "/az", "/a/z/y"}},
		{pattern: "/a/**/**/z", yes: []string{"/a/z", "/a/b/c/z"}, no: []string{"/a"}},
		{pattern: "/**/a/**/b/**/c", yes: []string{"/a/b/c", "/x/a/b/a/y/b/c"}, no: []string{"/a/c/b", "/b/a/c"}},
		{pattern: "**", yes: []string{"", "/", "/a", "a/b"}},
		{pattern: "/a**b/c", yes: []string{"/ab/c", "/axxb/c"}, no: []string{"/a/b/c"}, checkedAway: true},
		{pattern: "/?", yes: []string{"/a", "/é", "/映"}, no: []string{"/", "/ab"}},
		{pattern: "/[a-c]x", yes: []string{"/bx"}, no: []string{"/dx", "/x"}},
		{pattern: "/[^a]", yes: []string{"/b"}, no: []string{"/a", "//"}},
		{pattern: "/{in,out/x}/*.{mov,mxf}", yes: []string{"/in/a.mov", "/out/x/a.mxf"}, no: []string{"/out/a.mov", "/in/a.txt"}},
		{pattern: "/{a,{b,c}d}", yes: []string{"/a", "/bd", "/cd"}, no: []string{"/b", "/d"}},
		{pattern: "/{**,x}/y", yes: []string{"/y", "/a/b/y", "/x/y"}, no: []string{"/x"}},
		{pattern: `/\*\[\{`, yes: []string{"/*[{"}, no: []string{"/a[{"}},
		{pattern: `/[\]]`, yes: []string{"/]"}, no: []string{"/a"}},
		{pattern: "C:/in/**", yes: []string{"C:/in/a"}, no: []string{"D:/in/a", "/C:/in/a"}},
		{pattern: "s3://bucket/**", yes: []string{"s3://bucket/a/b", "s3://bucket"}, no: []string{"s3://other/a"}},
		{pattern: "/a//b", yes: []string{"/a//b"}, no: []string{"/a/b"}, checkedAway: true},
		{pattern: "/a/", yes: []string{"/a/"}, no: []string{"/a"}, checkedAway: true},
	} {
		if err := CheckPathGlob(row.pattern); (err != nil) != row.checkedAway {
			t.Errorf("CheckPathGlob(%q) = %v", row.pattern, err)
		}
		for _, path := range row.yes {
			if !pathMatch(row.pattern, path) {
				t.Errorf("%q does not match %q", row.pattern, path)
			}
		}
		for _, path := range row.no {
			if pathMatch(row.pattern, path) {
				t.Errorf("%q matches %q", row.pattern, path)
			}
		}
	}
}

// Many globs together find what each of them finds alone.
func TestPathGlobsTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		patterns := rapid.SliceOfN(rapid.Map(pathPattern(), func(p globPair) string { return p.ours }), 1, 60).Draw(t, "patterns")
		path := somePath().Draw(t, "path")
		var all PathGlobs
		var want []int32
		for i, p := range patterns {
			all.Add(p, int32(i))
			if pathMatch(p, path) {
				want = append(want, int32(i))
			}
		}
		got := all.AppendMatches(nil, path)
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Fatalf("%q match %q: %d, want %d", patterns, path, got, want)
		}
		if all.Match(path) != (len(want) > 0) {
			t.Fatalf("Match and AppendMatches disagree about %q and %q", patterns, path)
		}
	})
}

// globPair is one glob as policies write it, and as doublestar needs it to keep
// a negated class from matching a slash.
type globPair struct{ ours, doublestars string }

func (p globPair) ok() bool { return CheckGlob(p.ours) == nil }

func segmentPattern() *rapid.Generator[globPair] {
	plain := rapid.Map(rapid.SampledFrom([]string{
		"a", "b", "ab", "é", "*", "?", "**", "[ab]", "[a-c]", `\*`, `\a`, `\[`, `\{`, `[\]]`, ".", "-", "]", ",",
		"{a,b}", "{a,}", "{a*,?b}", "{a,{b,ab}}", `{\,,a}`, "{[,],b}", "{}", "{b}",
	}), func(s string) globPair { return globPair{s, s} })
	negated := rapid.SampledFrom([]globPair{{"[^a]", "[^/a]"}, {"[!ab]", "[!/ab]"}})
	return rapid.Map(rapid.SliceOfN(rapid.OneOf(plain, plain, plain, negated), 0, 4), func(parts []globPair) (all globPair) {
		for _, p := range parts {
			all.ours += p.ours
			all.doublestars += p.doublestars
		}
		return all
	})
}

func pathPattern() *rapid.Generator[globPair] {
	whole := rapid.Map(rapid.SampledFrom([]string{"**", "*", "a", "b", "", "{a/b,a}", "{**,b}", "{a/**,b/*}"}), func(s string) globPair { return globPair{s, s} })
	return rapid.Map(rapid.SliceOfN(rapid.OneOf(whole, whole, segmentPattern()), 1, 6), func(segments []globPair) (all globPair) {
		for i, s := range segments {
			if i > 0 {
				all.ours, all.doublestars = all.ours+"/", all.doublestars+"/"
			}
			all.ours, all.doublestars = all.ours+s.ours, all.doublestars+s.doublestars
		}
		return all
	})
}

func somePath() *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "ab", "é", "aab", "", ".", "*", "]", "[", "{", ",", "a*", "\xff"}), 0, 7),
		func(segments []string) string { return strings.Join(segments, "/") })
}

// doublestarMatch is doublestar's answer about the alternatives of a glob, with
// *** written *. At the end of a name it does not see that "*{a,}", "***",
// "a*/**" and "a/**/**" can stand for nothing more; PathGlobs and NameGlobs do.
func doublestarMatch(t *rapid.T, pattern, name string) bool {
	t.Helper()
	whole, err := doublestar.Match(pattern, name)
	if err != nil {
		t.Fatalf("%q is accepted: %v", pattern, err)
	}
	parts := slices.ContainsFunc(naiveBraces(pattern), func(p string) bool {
		p = strings.ReplaceAll(p, `\*`, "\x03")
		for strings.Contains(p, "***") {
			p = strings.ReplaceAll(p, "***", "*")
		}
		p = strings.ReplaceAll(p, "\x03", `\*`)
		for doublestar.MatchUnvalidated(p, name) || strings.HasSuffix(p, "/**") {
			if doublestar.MatchUnvalidated(p, name) {
				return true
			}
			p = strings.TrimSuffix(p, "/**")
		}
		return false
	})
	if whole && !parts {
		t.Fatalf("doublestar matches %q with %q and not with any of its alternatives", name, pattern)
	}
	return parts
}

func TestPathGlobsAgreeWithDoublestar(t *testing.T) {
	matched := 0
	rapid.Check(t, func(t *rapid.T) {
		// Of empty segments, and of more than two stars, doublestar has ideas of its
		// own; a policy's globs have none of the former, and the latter are one star.
		pattern := pathPattern().Filter(func(p globPair) bool {
			return p.ok() && !strings.Contains(p.doublestars, "***") && !slices.ContainsFunc(naiveBraces(p.ours), func(p string) bool { return strings.Contains(p+"/", "//") })
		}).Draw(t, "pattern")
		path := somePath().Filter(func(p string) bool { return p != "" && !strings.HasSuffix(p, "/") }).Draw(t, "path")
		want := doublestarMatch(t, pattern.doublestars, path)
		if want {
			matched++
		}
		if got := pathMatch(pattern.ours, path); got != want {
			t.Fatalf("%q matches %q: %v, doublestar says %v", pattern.ours, path, got, want)
		}
	})
	if matched == 0 {
		t.Error("no generated pattern matched")
	}
}

func TestPathGlobsAgreeWithTheDefinition(t *testing.T) {
	matched := 0
	rapid.Check(t, func(t *rapid.T) {
		pattern, path := pathPattern().Filter(globPair.ok).Draw(t, "pattern").ours, somePath().Draw(t, "path")
		want := naiveMatch(pattern, path)
		if want {
			matched++
		}
		if got := pathMatch(pattern, path); got != want {
			t.Fatalf("%q matches %q: %v, by the definition %v", pattern, path, got, want)
		}
	})
	if matched == 0 {
		t.Error("no generated pattern matched")
	}
}

// naiveMatch is the definition of a path glob: braces are alternatives, a ** is
// any number of segments, and every other segment is matched by itself.
func naiveMatch(pattern, path string) bool {
	return slices.ContainsFunc(naiveBraces(pattern), func(p string) bool {
		patterns, segments := strings.Split(p, "/"), strings.Split(path, "/")
		return sequence(len(patterns), len(segments), func(i int) bool { return patterns[i] == "**" },
			func(i, j int) bool { return naiveSegment(patterns[i], segments[j]) })
	})
}

// sequence reports whether patterns match parts one by one, where some patterns
// stand for any number of parts. below[j] is whether the patterns that were
// looked at, from the last on, match the parts from j on.
func sequence(patterns, parts int, isStar func(i int) bool, matches func(i, j int) bool) bool {
	below := make([]bool, parts+1)
	below[parts] = true
	for i := patterns - 1; i >= 0; i-- {
		row := make([]bool, parts+1)
		for j := parts; j >= 0; j-- {
			if isStar(i) {
				row[j] = below[j] || j < parts && row[j+1]
			} else {
				row[j] = j < parts && below[j+1] && matches(i, j)
			}
		}
		below = row
	}
	return below[0]
}

// naiveToken is a * , or a rune in one of the ranges, or in none.
type naiveToken struct {
	star, negated bool
	ranges        [][2]rune
}

func (n naiveToken) matches(r rune) bool {
	return n.negated != slices.ContainsFunc(n.ranges, func(lohi [2]rune) bool { return lohi[0] <= r && r <= lohi[1] })
}

func naiveSegment(pattern, segment string) bool {
	tokens, runes := naiveTokens([]rune(pattern)), []rune(segment)
	return sequence(len(tokens), len(runes), func(i int) bool { return tokens[i].star },
		func(i, j int) bool { return tokens[i].matches(runes[j]) })
}

func naiveTokens(p []rune) (tokens []naiveToken) {
	for i := 0; i < len(p); i++ {
		var n naiveToken
		switch p[i] {
		case '*':
			n.star = true
		case '?':
			n.negated = true
		case '[':
			i++
			if n.negated = p[i] == '^' || p[i] == '!'; n.negated {
				i++
			}
			next := func() rune {
				if p[i] == '\\' {
					i++
				}
				i++
				return p[i-1]
			}
			for p[i] != ']' {
				low := next()
				high := low
				if p[i] == '-' && p[i+1] != ']' {
					i++
					high = next()
				}
				n.ranges = append(n.ranges, [2]rune{low, high})
			}
		case '\\':
			i++
			fallthrough
		default:
			n.ranges = [][2]rune{{p[i], p[i]}}
		}
		tokens = append(tokens, n)
	}
	return tokens
}

func naiveBraces(pattern string) []string {
	open, depth := -1, 0
	var parts []string
	for i, start := 0, 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			i++
		case '[':
			for i++; i < len(pattern) && pattern[i] != ']'; i++ {
				if pattern[i] == '\\' {
					i++
				}
			}
		case '{':
			if depth++; depth == 1 {
				open, start, parts = i, i+1, nil
			}
		case ',':
			if depth == 1 {
				parts = append(parts, pattern[start:i])
				start = i + 1
			}
		case '}':
			if depth--; depth == 0 {
				var all []string
				for _, part := range append(parts, pattern[start:i]) {
					all = append(all, naiveBraces(pattern[:open]+part+pattern[i+1:])...)
				}
				return all
			}
		}
	}
	return []string{pattern}
}

// A path of very many segments is matched in one pass, whatever the globs: this
// ends at once, or, if it backtracked, not before the test is killed.
func TestPathGlobsDoNotBacktrack(t *testing.T) {
	var g PathGlobs
	for i, p := range []string{"/**/a/**/b/**/c", "/**/a/**/a/**/a/**/a/**/a/**/c", "/**/*a*/**/?/**/[ab]/**/c", "**/**/**/c"} {
		g.Add(p, int32(i))
	}
	path := strings.Repeat("/a/b/ab", 33_334)
	if g.Match(path) {
		t.Error("a path without c matches")
	}
	if got := g.AppendMatches(nil, path+"/c"); len(got) != 4 {
		t.Errorf("%d globs match, want 4", len(got))
	}
}

func TestPathGlobsMatchAllocatesNothing(t *testing.T) {
	var g PathGlobs
	for i, p := range []string{"/in/**", "/**/*.mov", "/{a,b}/*/c", "s3://**"} {
		g.Add(p, int32(i))
	}
	for _, path := range []string{"/in/x/y/z/clip.mov", "/out/x/y/z/clip.mxf"} {
		if n := testing.AllocsPerRun(100, func() { g.Match(path) }); n != 0 {
			t.Errorf("%s: %v allocations", path, n)
		}
	}
}

func FuzzPathGlobs(f *testing.F) {
	for _, seed := range [][2]string{
		{"/in/**", "/in/a"},
		{"/a*/**", "/a"},
		{"/**/a/**/b/**/c", "/x/a/b/c"},
		{"/{a,b/**}/[^c]?", "/b/x/ab"},
		{`/\*/[a\]]`, "/*/]"},
		{"/[a/b]", "//"},
		{`/a\/b`, "/a/b"},
		{"**/*.{mov,m?f}", "/x.mxf"},
		{"/{a,{b,c},}", "/c"},
		{"/\xff*", "/\xff\xfe"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if CheckPathGlob(pattern) != nil {
			var g PathGlobs // A glob that was not checked does no harm.
			g.Add(pattern, 0)
			g.Match(path)
			return
		}
		if len(pattern)*len(path) > 1<<16 || !utf8.ValidString(pattern) || !utf8.ValidString(path) {
			return // The definition takes too long; policies and events are UTF-8.
		}
		if got, want := pathMatch(pattern, path), naiveMatch(pattern, path); got != want {
			t.Fatalf("%q matches %q: %v, by the definition %v", pattern, path, got, want)
		}
		if p := ParsePath(path); pathMatch(pattern, p.Slash) && p.Clean && !naiveMatch(pattern, p.Slash) {
			t.Fatalf("%q matches %q", pattern, p.Slash)
		}
	})
}

func TestNameGlobs(t *testing.T) {
	for _, row := range []struct {
		pattern string
		yes, no []string
	}{
		{"partner-*", []string{"partner-7", "partner-"}, []string{"partner", "a-partner-7", "Partner-7"}},
		{"*-ingest", []string{"x-ingest", "-ingest"}, []string{"x-ingest-2"}},
		{"a***", []string{"a", "ab"}, []string{""}},
		{"a?***", []string{"ab", "abc"}, []string{"a"}},
		{`a?\**`, []string{"ab*", "ab*c"}, []string{"ab"}},
		{`a?\***`, []string{"ab*", "ab*c"}, []string{"ab"}},
		{`a?\\**`, []string{`ab\`, `ab\*`}, []string{"ab", "ab*"}},
		{"a*{b,}", []string{"a", "ab", "ac"}, []string{"b"}},
		{"a*a", []string{"aa", "aba", "a/a"}, []string{"a", "ab"}},
		{"xfer", []string{"xfer"}, []string{"xfer2", "", "Xfer"}},
		{"*", []string{"", "a", "corp/partner"}, nil},
		{"**", []string{"", "a", "corp/partner"}, nil},
		{"?", []string{"a", "é", "/"}, []string{"", "ab"}},
		{"hst-{eu,us}-?", []string{"hst-eu-1", "hst-us-2"}, []string{"hst-eu-", "hst-ap-1"}},
		{"[a-c]*", []string{"b", "cx"}, []string{"d", ""}},
		{`\*`, []string{"*"}, []string{"a", ""}},
		{"corp/partner-*", []string{"corp/partner-7", "corp/partner-/"}, []string{"corp-partner-7", "corp/other"}},
		{"*/admin", []string{"corp/admin", "a/b/admin"}, []string{"admin"}},
		{"corp[/-]x", []string{"corp/x", "corp-x"}, []string{"corp.x"}},
		{"{corp/,}x", []string{"corp/x", "x"}, []string{"corpx"}},
	} {
		if err := CheckGlob(row.pattern); err != nil {
			t.Errorf("CheckGlob: %v", err)
		}
		for _, name := range row.yes {
			if !nameMatch(row.pattern, name) {
				t.Errorf("%q does not match %q", row.pattern, name)
			}
		}
		for _, name := range row.no {
			if nameMatch(row.pattern, name) {
				t.Errorf("%q matches %q", row.pattern, name)
			}
		}
	}
}

func TestNameGlobsAgreeWithDoublestar(t *testing.T) {
	name := rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "é", "*", "]", "[", "{", ",", ".", "-", "\xff"}), 0, 8),
		func(parts []string) string { return strings.Join(parts, "") })
	matched := 0
	rapid.Check(t, func(t *rapid.T) {
		patterns := rapid.SliceOfN(segmentPattern().Filter(globPair.ok), 1, 40).Draw(t, "patterns")
		name := name.Draw(t, "name")
		var all NameGlobs[int]
		var want []int
		for i, p := range patterns {
			all.Add(p.ours, i)
			ok := doublestarMatch(t, p.ours, name)
			if ok {
				want = append(want, i)
			}
			if got := nameMatch(p.ours, name); got != ok {
				t.Fatalf("%q matches %q: %v, doublestar says %v", p.ours, name, got, ok)
			}
		}
		matched += len(want)
		got := all.AppendMatches(nil, name)
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Fatalf("%q match %q: %d, want %d", patterns, name, got, want)
		}
	})
	if matched == 0 {
		t.Error("no generated pattern matched")
	}
}

// To a name a slash is a character like any other.
func TestNameGlobsTakeASlashAsACharacter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := segmentPattern().Filter(func(p globPair) bool { return p.ok() && !strings.Contains(p.ours, "-") }).Draw(t, "pattern").ours
		name := rapid.StringMatching(`[ab/-]{0,8}`).Draw(t, "name")
		dashed := strings.ReplaceAll(name, "/", "-")
		if got, want := nameMatch(pattern, name), nameMatch(pattern, dashed); got != want {
			t.Fatalf("%q matches %q: %v, but %q: %v", pattern, name, got, dashed, want)
		}
	})
}

func TestNameGlobsDoNotBacktrack(t *testing.T) {
	var n NameGlobs[int]
	n.Add(strings.Repeat("*a", 40)+"*b?", 1)
	if got := n.AppendMatches(nil, strings.Repeat("a", 20_000)); got != nil {
		t.Error("a name without b matches")
	}
}

func TestCheckGlob(t *testing.T) {
	for pattern, want := range map[string]string{
		"a": "", "{a,b}": "", "[^a]": "", strings.Repeat("{a,b}", 8): "",
		"":                          "an empty glob matches nothing",
		"[a":                        `"[a" is not a glob: a bracket, brace or backslash lacks its partner`,
		"{a":                        `"{a" is not a glob: a bracket, brace or backslash lacks its partner`,
		"a}":                        `"a}" is not a glob: a bracket, brace or backslash lacks its partner`,
		"[]":                        `"[]" is not a glob: a bracket, brace or backslash lacks its partner`,
		`a\`:                        `"a\\" is not a glob: a bracket, brace or backslash lacks its partner`,
		strings.Repeat("{a,b}", 9):  `"` + strings.Repeat("{a,b}", 9) + `" stands for more than 256 globs`,
		strings.Repeat("{a,b}", 99): `"` + strings.Repeat("{a,b}", 99) + `" stands for more than 256 globs`,
	} {
		got := ""
		if err := CheckGlob(pattern); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", pattern, got, want)
		}
	}
}
