package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/policies/store"
	"github.com/sluiceproject/sluice/rules"
)

// maxLineDiff is the largest file whose lines are compared, in bytes.
const maxLineDiff = 1 << 20

// passwordHash matches what may be a hash of a password.
var passwordHash = regexp.MustCompile(`\$(?:argon2|2[abxy]?\$|[156y]\$|scrypt|pbkdf2)[^\s"',}]*`)

// writeLineDiff prints the lines that differ between two sets, and reports whether
// there are any. Of files that may have passwords it says only that they differ.
func writeLineDiff(w io.Writer, was, is *candidate) (differs bool, err error) {
	before, after := was.byName(), is.byName()
	names := maps.Clone(before)
	maps.Copy(names, after)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		old, had := before[name]
		fresh, has := after[name]
		if had && has && old == fresh {
			continue
		}
		differs = true
		if max(old.Size, fresh.Size) > maxLineDiff {
			fmt.Fprintf(w, "%s differs, and is too large to be shown line by line\n", rules.Printable(name))
			continue
		}
		oldText, err := was.text(name, had)
		if err != nil {
			return true, err
		}
		freshText, err := is.text(name, has)
		if err != nil {
			return true, err
		}
		writeFileDiff(w, name, oldText, freshText, had, has)
	}
	return differs, nil
}

func writeFileDiff(w io.Writer, name string, was, is []byte, had, has bool) {
	switch {
	case mayHavePasswords(name, was) || mayHavePasswords(name, is):
		fmt.Fprintf(w, "%s differs, and is not shown, because it has clients and may have hashes of their passwords\n", rules.Printable(name))
		return
	case !utf8.Valid(was) || !utf8.Valid(is):
		fmt.Fprintf(w, "%s differs, and is no text\n", rules.Printable(name))
		return
	}
	oldName, freshName := "a/"+name, "b/"+name
	if !had {
		oldName = "/dev/null"
	}
	if !has {
		freshName = "/dev/null"
	}
	lines := diff.Diff(rules.Printable(oldName), was, rules.Printable(freshName), is)
	if _, rest, found := bytes.Cut(lines, []byte("\n")); found {
		lines = rest // The first line repeats the names.
	}
	for line := range strings.Lines(string(lines)) {
		line = strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\t", "    ")
		fmt.Fprintln(w, rules.Printable(passwordHash.ReplaceAllString(line, "(a hash)")))
	}
}

// mayHavePasswords reports whether a file is one of clients, or cannot be told not to
// be: a document that cannot be read.
func mayHavePasswords(name string, text []byte) bool {
	if len(text) == 0 || !strings.HasSuffix(name, ".yaml") && !strings.HasSuffix(name, ".yml") {
		return false
	}
	doc, faults := document.Parse(name, text)
	if len(faults) > 0 {
		return true
	}
	tree, _ := doc.Tree.(map[string]any)
	_, clients := tree["clients"]
	return clients
}

// byName returns the files of a set by their names; nil has none.
func (c *candidate) byName() map[string]store.File {
	all := map[string]store.File{}
	if c != nil {
		for _, f := range c.files {
			all[f.Name] = f
		}
	}
	return all
}

// text returns what is in a file, nothing if it is not there.
func (c *candidate) text(name string, there bool) ([]byte, error) {
	if !there {
		return nil, nil
	}
	return fs.ReadFile(c.fsys, name)
}
