package rules

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
)

// CheckGlob returns what is wrong with a glob as a *SpecError, or nil.
func CheckGlob(pattern string) error {
	if pattern == "" {
		return At("", "an empty glob matches nothing")
	}
	if !doublestar.ValidatePattern(pattern) {
		return At("", "%q is not a glob: a bracket, brace or backslash lacks its partner", pattern)
	}
	if _, err := expandBraces(pattern); err != nil {
		return At("", "%s", err)
	}
	return nil
}

// CheckPathGlob returns what is wrong with a glob for paths as a *SpecError, or
// nil. Besides what CheckGlob refuses it refuses globs that no path can match,
// and those that look as if they matched more than they do.
func CheckPathGlob(glob string) error {
	if isWindows(glob) && strings.Contains(glob, `\`) {
		slashed := strings.ReplaceAll(glob, `\`, "/")
		return At("", "%q: write Windows paths with slashes, %q", glob, strings.Replace(slashed, "//", "/", 1))
	}
	if separates(glob) {
		slashed := strings.ReplaceAll(glob, `\`, "/")
		if strings.HasSuffix(slashed, "/") {
			slashed += deepSegment
		}
		return suggest(At("", "%q: a backslash before a letter or a digit escapes nothing, and separates no folders", glob), slashed)
	}
	if err := CheckGlob(glob); err != nil {
		return err
	}
	if hidesSlash(glob) {
		return At("", "%q: a slash stands between segments, so it cannot stand in brackets or behind a backslash", glob)
	}
	if glob == "~" || strings.HasPrefix(glob, "~/") {
		return At("", "%q matches no path, because ~ is not looked up", glob).WithHint("write the whole path, such as %q", "/home/*"+strings.TrimSuffix(glob[1:], "/"))
	}
	scheme, rest := splitScheme(glob)
	if scheme == "" && !strings.ContainsAny(glob[:1], `/*?[{\`) && !isWindows(glob) {
		return At("", "%q matches no path, because paths begin with a slash", glob).WithHint("did you mean %q or %q?", "/"+glob, "**/"+glob)
	}
	if clean, _ := inspect(rest); !clean {
		return unclean(glob, scheme, rest)
	}
	return checkAlternatives(glob)
}

// suggest adds the hint "did you mean" if what it suggests is a glob.
func suggest(s *SpecError, glob string) *SpecError {
	if CheckPathGlob(glob) != nil {
		return s
	}
	return s.WithHint("did you mean %q?", glob)
}

// separates reports whether a glob has a backslash that escapes nothing: before
// a letter or a digit, or at the end. Whoever writes one means a slash.
func separates(glob string) bool {
	for i := 0; i < len(glob); i++ {
		if glob[i] != '\\' {
			continue
		}
		i++
		if i == len(glob) || isLetter(glob[i]) || glob[i] >= '0' && glob[i] <= '9' {
			return true
		}
	}
	return false
}

// unclean is the mistake of a glob that no plain path can match.
func unclean(glob, scheme, rest string) *SpecError {
	if below := strings.TrimRight(rest, "/"); below != rest {
		if clean, _ := inspect(below); clean {
			return suggest(At("", "%q matches no path, because none ends in a slash", glob), scheme+below+"/**")
		}
	}
	return At("", `%q matches no path: a glob has no "..", ".", "//" or slash at its end`, glob).WithHint("did you mean %q?", scheme+path.Clean(rest))
}

// checkAlternatives looks at what the braces of a glob stand for.
func checkAlternatives(glob string) error {
	alternatives, _ := expandBraces(glob) // CheckGlob has seen that they can be.
	if !slices.ContainsFunc(alternatives, func(a string) bool {
		_, rest := splitScheme(a)
		clean, _ := inspect(rest)
		return clean
	}) {
		return At("", `%q matches no path: whatever its braces stand for has "..", ".", "//" or a slash at its end`, glob)
	}
	for _, a := range alternatives {
		for segment := range strings.SplitSeq(a, "/") {
			if segment != deepSegment && strings.Contains(segment, deepSegment) && !strings.ContainsAny(segment, `[\`) {
				return suggest(At("", "%q: ** stands for folders only where it is all there is between two slashes; in %q it is *", glob, segment), spread(glob))
			}
		}
	}
	return nil
}

// spread gives each ** of a glob a segment of its own: /in/**.mov becomes
// /in/**/*.mov.
func spread(glob string) string {
	if strings.Contains(glob, "{") {
		return "" // What its braces stand for would have to be spread.
	}
	for _, r := range []struct{ from, to string }{
		{`\*{3,}`, `**`}, {`(^|/)\*\*([^/*])`, `$1**/*$2`}, {`([^/*])\*\*(/|$)`, `$1*/**$2`}, {`([^/*])\*\*([^/*])`, `$1*/**/*$2`},
	} {
		glob = regexp.MustCompile(r.from).ReplaceAllString(glob, r.to)
	}
	return glob
}

// CheckFolderGlob returns what is wrong, as a *SpecError, with a glob that says
// where files may or may not be, or nil. Besides what CheckPathGlob refuses it
// refuses the bare name of a folder: it would match a file of that name, and
// nothing in the folder.
func CheckFolderGlob(glob string) error {
	if err := CheckPathGlob(glob); err != nil {
		return err
	}
	alternatives, _ := expandBraces(glob)
	if !slices.ContainsFunc(alternatives, func(a string) bool {
		return !strings.ContainsAny(a, meta) && !strings.Contains(a[strings.LastIndexByte(a, '/')+1:], ".")
	}) {
		return nil
	}
	wrong := At("", "%q matches one file of that very name, and nothing in a folder", glob)
	wrong.Hint = suggest(At("", ""), strings.TrimSuffix(glob, "/")+"/**").Hint
	if last, size := utf8.DecodeLastRuneInString(glob); wrong.Hint != "" && (unicode.IsLetter(last) || unicode.IsDigit(last)) {
		wrong.Hint += " A file of that name is " + `"` + glob[:len(glob)-size] + "[" + string(last) + `]"`
	}
	return wrong
}

// hidesSlash reports whether a glob has a slash in a class or behind a
// backslash.
func hidesSlash(glob string) bool {
	class := false
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; {
		case c == '\\':
			if i++; i < len(glob) && glob[i] == '/' {
				return true
			}
		case c == '/' && class:
			return true
		case c == '[', c == ']':
			class = c == '['
		}
	}
	return false
}
