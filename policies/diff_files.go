package policies

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/sluiceproject/sluice/rules"
)

// tests compares the tests of the sets. Where a list has which value can matter to an
// event, so that lists are compared as they are.
func (d *differ) tests() {
	for _, p := range pairs(d.was.tests, d.is.tests, func(t *writtenTest) string { return t.file + keyEnd + t.name }) {
		if p.both() {
			whole := flattener{}
			before := whole.flatten(without(p.was.tree, nil, "description"))
			after := whole.flatten(without(p.is.tree, nil, "description"))
			if len(settingDifferences(before, after)) == 0 {
				continue
			}
		}
		d.out.Tests = append(d.out.Tests, TestDifference{File: p.there().file, Test: p.there().name, Change: p.change()})
		d.explains(p.there().file)
	}
}

// file compares a file that rules read and whose bytes differ, or that only one of
// the sets has. It reports whether there is a difference in meaning.
func (d *differ) file(name string, had, has bool) bool {
	diff := FileDifference{File: name, Change: Changed}
	switch {
	case !had:
		diff.Change = Added
	case !has:
		diff.Change = Removed
	}
	was, is := d.was.contents(name, had), d.is.contents(name, has)
	switch {
	case was.large || is.large: // Only of a set that does not compile.
	case had && has && (was.digests == nil) != (is.digests == nil): // One set reads it otherwise.
	case was.digests != nil || is.digests != nil:
		diff.Entries = true
		diff.compareDigests(was.digests, is.digests)
	case was.isJSON && is.isJSON:
		whole := flattener{}
		if diff.Settings = settingDifferences(whole.flatten(was.json), whole.flatten(is.json)); had && has && len(diff.Settings) == 0 {
			return false
		}
	case !was.isJSON && !is.isJSON:
		diff.Entries = true
		diff.Added, diff.AddedCount = lacking(is.entries, was.entries)
		diff.Removed, diff.RemovedCount = lacking(was.entries, is.entries)
	}
	if diff.Entries && had && has && diff.AddedCount+diff.RemovedCount == 0 {
		return false
	}
	d.out.Files = append(d.out.Files, diff)
	return true
}

// contents is what a file has that rules read.
type contents struct {
	digests *rules.Digests
	entries map[string]bool
	json    any
	isJSON  bool
	large   bool
}

// contents reads a file: as its rules do, and if none does as what it looks like.
func (w *Written) contents(name string, there bool) (c contents) {
	if !there {
		return c
	}
	if w.snapshot != nil && w.snapshot.lists[name] != nil && w.snapshot.lists[name].digests != nil {
		c.digests = w.snapshot.lists[name].digests
		return c
	}
	text, ok := readSmall(w.fsys, name)
	if !ok {
		c.large = true
		return c
	}
	var object map[string]any
	if decodeNumbers(text, &object) == nil && object != nil {
		c.json, c.isJSON = object, true
		return c
	}
	c.entries = map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(strings.TrimPrefix(line, "\uFEFF")); line != "" && line[0] != '#' {
			c.entries[line] = true
		}
	}
	return c
}

// readSmall returns the text of a file of at most maxFile bytes.
func readSmall(fsys fs.FS, name string) ([]byte, bool) {
	file, err := fsys.Open(name)
	if err != nil {
		return nil, false
	}
	defer file.Close() //nolint:errcheck // It was only read.
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	return text, err == nil && len(text) <= maxFile
}

// decodeNumbers decodes one JSON value, and keeps numbers as they are written.
func decodeNumbers(text []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return dec.Decode(into)
}

// lacking returns the entries of a list that another lacks: the first ones, and how
// many there are.
func lacking(list, from map[string]bool) (first []string, count int) {
	for _, entry := range slices.Sorted(maps.Keys(list)) {
		if from[entry] {
			continue
		}
		if count++; count <= DiffListed {
			first = append(first, entry)
		}
	}
	return first, count
}

// compareDigests counts what lists of digests have and lack; nil has none.
func (f *FileDifference) compareDigests(was, is *rules.Digests) {
	for digest, added := range rules.DigestDifferences(was, is) {
		count, first := &f.RemovedCount, &f.Removed
		if added {
			count, first = &f.AddedCount, &f.Added
		}
		if *count++; *count <= DiffListed {
			*first = append(*first, hex.EncodeToString(digest))
		}
	}
}
