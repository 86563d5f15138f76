package rules

import (
	"path"
	"strings"
)

// Path is the path of a file as the server gave it, and as rules see it. Paths
// are influenced by the client, so every odd form is expected.
type Path struct {
	// Raw is the path as it came. It can hold credentials (s3://KEY:SECRET@…):
	// show Shown instead.
	Raw string
	// Slash is what globs are matched against: separators are slashes (also
	// those of a Windows path), empty and "." segments are gone, and so are the
	// credentials of a URL. ".." stays, because where it leads is not known.
	Slash string
	// Clean reports that the path is written plainly: no "..", ".", NUL, empty
	// segment or trailing slash.
	Clean bool
	// Up reports that the path has a ".." segment.
	Up bool
}

// ParsePath returns the path that a server gave.
func ParsePath(raw string) Path {
	p := Path{Raw: raw, Slash: raw, Clean: true}
	if isWindows(raw) {
		p.Slash = strings.ReplaceAll(raw, `\`, "/")
		if strings.HasPrefix(p.Slash, "//") { // UNC: \\server\share is /server/share.
			p.Slash = p.Slash[1:]
		}
	}
	scheme, rest := splitScheme(p.Slash)
	if scheme != "" {
		if end, sure := userinfo(rest); sure {
			rest = rest[end:]
		}
		p.Slash = scheme + rest
	}
	p.Clean, p.Up = inspect(rest)
	if !p.Clean {
		p.Slash = scheme + squeeze(rest)
	}
	return p
}

// Name returns the last segment: the file's name.
func (p Path) Name() string {
	return p.Slash[strings.LastIndexByte(p.Slash, '/')+1:]
}

// IsURL reports whether the path is in object storage, such as s3://bucket/a,
// and so names no file.
func (p Path) IsURL() bool {
	scheme, _ := splitScheme(p.Slash)
	return scheme != ""
}

// Shown returns the path without the credentials of a URL, fit for logs and
// messages. Control characters are still in it. Where a colon and a slash could
// begin a URL, at the path's start or inside, whatever could be credentials is
// hidden: a name that is hidden for nothing does less harm than a secret shown.
func (p Path) Shown() string {
	shown, from := p.Raw, 0
	for {
		i := strings.Index(shown[from:], ":/")
		if i < 0 {
			return shown
		}
		from += i + len(":/")
		if from == len("C:/") && isWindows(shown) {
			continue
		}
		for from < len(shown) && shown[from] == '/' {
			from++
		}
		if end, _ := userinfo(shown[from:]); end > 0 {
			shown = shown[:from] + hidden + shown[from+end:]
			from += len(hidden)
		}
	}
}

// hidden stands for credentials.
const hidden = "***@"

// ShownName returns the last segment of what Shown shows.
func (p Path) ShownName() string {
	if strings.IndexByte(p.Raw, '@') < 0 {
		return p.Name()
	}
	return ParsePath(p.Shown()).Name()
}

// isWindows reports whether separators may be backslashes: the path begins with
// a drive letter or is a UNC path. Elsewhere a backslash is part of a name.
func isWindows(s string) bool {
	if strings.HasPrefix(s, `\\`) {
		return true
	}
	return len(s) >= 3 && isLetter(s[0]) && s[1] == ':' && (s[2] == '\\' || s[2] == '/')
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// splitScheme cuts "s3://" off an object-storage path.
func splitScheme(s string) (scheme, rest string) {
	if s == "" || !isLetter(s[0]) {
		return "", s
	}
	i := strings.Index(s, "://")
	if i < 2 { // A drive letter is no scheme.
		return "", s
	}
	for j := 1; j < i; j++ {
		c := s[j]
		if !isLetter(c) && (c < '0' || c > '9') && c != '+' && c != '-' && c != '.' {
			return "", s
		}
	}
	return s[:i+3], s[i+3:]
}

// userinfo returns where "KEY:SECRET@" ends in what follows a scheme, 0 if there
// is none. A secret may hold slashes: where the first segment has the colon of a
// user and a password but no "@", the userinfo ends at the last "@" of the first
// segment that has one. That may be wrong, and is not sure, if what follows the
// colon could be the port of a host.
func userinfo(rest string) (end int, sure bool) {
	authority, _, _ := strings.Cut(rest, "/")
	at := strings.IndexByte(rest, '@')
	_, password, hasColon := strings.Cut(authority, ":")
	if at < 0 || at >= len(authority) && !hasColon {
		return 0, false
	}
	segment, _, _ := strings.Cut(rest[at:], "/")
	return at + strings.LastIndexByte(segment, '@') + 1, at < len(authority) || !isPort(password)
}

// isPort reports whether what follows a host's colon is a port number.
func isPort(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// inspect looks at each segment once and allocates nothing: a plain path, the
// usual case, is used as it came.
func inspect(s string) (clean, up bool) {
	clean = strings.IndexByte(s, 0) < 0
	s = strings.TrimPrefix(s, "/")
	for more := s != ""; more; {
		var segment string
		segment, s, more = strings.Cut(s, "/")
		switch segment {
		case "", ".":
			clean = false
		case "..":
			clean, up = false, true
		}
	}
	return clean, up
}

// squeeze removes empty and "." segments. A leading slash stays; ".." stays.
func squeeze(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	if strings.HasPrefix(s, "/") {
		b.WriteByte('/')
	}
	first := true
	for segment := range strings.SplitSeq(s, "/") {
		if segment == "" || segment == "." {
			continue
		}
		if !first {
			b.WriteByte('/')
		}
		b.WriteString(segment)
		first = false
	}
	return b.String()
}

// resolve returns where a path leads if ".." means the folder above.
func resolve(slash string) string {
	scheme, rest := splitScheme(slash)
	if isWindows(rest) { // The folder above C:/ is C:/.
		scheme, rest = rest[:2], rest[2:]
	}
	return scheme + path.Clean(rest)
}
