package rules

import (
	"fmt"
	"strings"
)

// Covers reports whether the grant covers a path inside the user's docroot, in
// the form of Path.Slash. Nothing with a ".." is covered.
func (g *Grant) Covers(inside string) bool {
	if clean, _ := inspect(inside); !clean || !strings.HasPrefix(inside, "/") {
		return false
	}
	for _, root := range g.Roots {
		if below, ok := strings.CutPrefix(inside, strings.TrimSuffix(root, "/")); ok && (below == "" || below[0] == '/') {
			return true
		}
	}
	for _, path := range g.Paths {
		if path == inside {
			return true
		}
	}
	return false
}

// inside returns the path of an event's file inside the user's docroot. A path
// that is not plain, or not in the docroot, has none; so one in object storage
// has only where the docroot is there.
func (k *granting) inside(e *Event) (string, bool) {
	if !e.File.Clean || e.File.Up {
		return "", false
	}
	path := e.File.Slash
	if k.env.Docroot != nil {
		if docroot := k.env.Docroot(e.User); docroot != "" {
			below, ok := strings.CutPrefix(path, strings.TrimSuffix(docroot, "/"))
			if !ok || below != "" && below[0] != '/' {
				return "", false
			}
			if path = below; path == "" {
				path = "/"
			}
		}
	}
	return path, strings.HasPrefix(path, "/")
}

// bareOf returns a path without what ascp puts behind the name of a file that is
// not finished, or that the client encrypted.
func bareOf(path, partial string) string {
	name := path[strings.LastIndexByte(path, '/')+1:]
	return path[:len(path)-len(name)+len(bareName(name, partial))]
}

// sawGrant tells which grant an event has, and nothing of its text.
func sawGrant(env *GrantEnv, e *Event) string {
	text, there := GrantText(e)
	switch {
	case !there:
		return ""
	case env == nil || env.Grants == nil:
		return "a grant"
	}
	g, err := env.Verify(text)
	if err != nil {
		return "a grant that is not ours"
	}
	saw := "grant " + g.ID
	if g.Client != "" {
		saw += " of " + g.Client
	}
	return saw + ", until " + moment(g.Expires)
}

// formatCount writes how many files there are.
func formatCount(files int) string {
	if files == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", files)
}
