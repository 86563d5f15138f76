package policies

import (
	"encoding/json"
	"maps"
	"slices"
)

// DiffListed is how many values of a list a SetDifference names of those that were
// added, and of those that were removed: the first ones.
const DiffListed = 100

// What became of a part of a set.
const (
	// Added is only in the newer set, Removed only in the older one, and Changed is in
	// both.
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
)

// SetDifference is what differs between two policy sets in meaning. Comments, the order
// of keys and of the values of a list, spellings of the same value, defaults that are
// written out, and descriptions are no difference in meaning. Members may be added to
// it and its parts; those that are there keep their names and meanings.
type SetDifference struct {
	// Policies and Clients are those that were added, removed or changed: in the order
	// of the newer set, and then those that were removed.
	Policies []PolicyDifference `json:"policies"`
	Clients  []ClientDifference `json:"clients"`
	// PoliciesMoved have another place among the policies of both sets, which can
	// change the reason of a refusal and never the outcome.
	PoliciesMoved []string `json:"policies_moved"`
	// Files are lists and schemas that rules read, in the order of their names.
	Files []FileDifference `json:"files"`
	// Tests are those that were added, removed or changed. They decide nothing.
	Tests []TestDifference `json:"tests"`
	// TextOnly are files whose bytes differ, or that only one set has, and that are
	// behind none of the above.
	TextOnly []string `json:"text_only"`
}

// PolicyDifference is what became of a policy.
type PolicyDifference struct {
	Policy string `json:"policy"`
	// File is where it is written; where it was, if it was removed.
	File   string `json:"file"`
	Change string `json:"change"`
	// Settings are its own, Rules those that differ. Of a policy that was added or
	// removed they are all that there are.
	Settings []SettingDifference `json:"settings"`
	Rules    []RuleDifference    `json:"rules"`
	// RulesMoved have another place among the rules that it has in both sets.
	RulesMoved []string `json:"rules_moved"`
}

// RuleDifference is what became of a rule.
type RuleDifference struct {
	Rule string `json:"rule"`
	// Kind is what it is; what it was, if it was removed.
	Kind     string              `json:"kind"`
	Change   string              `json:"change"`
	Settings []SettingDifference `json:"settings"`
}

// ClientDifference is what became of a client. Of its password nothing is told but
// that the hash differs.
type ClientDifference struct {
	Client   string              `json:"client"`
	File     string              `json:"file"`
	Change   string              `json:"change"`
	Settings []SettingDifference `json:"settings"`
	Password bool                `json:"password_changed"`
}

// SettingDifference is a setting that differs.
type SettingDifference struct {
	// Key is its path, such as extension.deny.
	Key string `json:"key"`
	// Was and Is are its values, absent where it has none. Of a list they are absent:
	// AddedCount and RemovedCount of its values differ, of which the first are named.
	Was          json.RawMessage   `json:"was,omitempty"`
	Is           json.RawMessage   `json:"is,omitempty"`
	Added        []json.RawMessage `json:"added,omitempty"`
	Removed      []json.RawMessage `json:"removed,omitempty"`
	AddedCount   int               `json:"added_count,omitempty"`
	RemovedCount int               `json:"removed_count,omitempty"`
}

// FileDifference is what became of a file that rules read.
type FileDifference struct {
	File   string `json:"file"`
	Change string `json:"change"`
	// Entries says that it is a list of which so many entries were added and removed.
	// The first are named: digests in hex, or texts.
	Entries      bool     `json:"entries"`
	AddedCount   int      `json:"added_count"`
	RemovedCount int      `json:"removed_count"`
	Added        []string `json:"added,omitempty"`
	Removed      []string `json:"removed,omitempty"`
	// Settings are the places of a JSON document that differ.
	Settings []SettingDifference `json:"settings,omitempty"`
}

// TestDifference is what became of a test.
type TestDifference struct {
	File   string `json:"file"`
	Test   string `json:"test"`
	Change string `json:"change"`
}

// SameMeaning reports whether nothing differs but texts and tests.
func (d *SetDifference) SameMeaning() bool {
	return len(d.Policies)+len(d.PoliciesMoved)+len(d.Clients)+len(d.Files) == 0
}

// Same reports whether nothing differs at all.
func (d *SetDifference) Same() bool {
	return d.SameMeaning() && len(d.Tests)+len(d.TextOnly) == 0
}

// Diff says what differs between two sets, from the older to the newer.
func Diff(was, is *Written) *SetDifference {
	d := &differ{was: was, is: is, explained: map[string]bool{}, out: &SetDifference{
		Policies: []PolicyDifference{}, PoliciesMoved: []string{}, Clients: []ClientDifference{},
		Files: []FileDifference{}, Tests: []TestDifference{}, TextOnly: []string{},
	}}
	d.policies()
	d.clients()
	d.tests()
	all := maps.Clone(was.files)
	if all == nil {
		return d.files(is.files)
	}
	maps.Copy(all, is.files)
	return d.files(all)
}

// files compares the files of both sets, whose names are given.
func (d *differ) files(all map[string]digest) *SetDifference {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		before, had := d.was.files[name]
		after, has := d.is.files[name]
		if had && has && before == after {
			continue
		}
		if (d.was.used[name] || d.is.used[name]) && d.file(name, had, has) {
			continue
		}
		if !d.explained[name] {
			d.out.TextOnly = append(d.out.TextOnly, name)
		}
	}
	return d.out
}

// differ compares two sets.
type differ struct {
	was, is *Written
	out     *SetDifference
	// explained are documents that are behind a difference in meaning.
	explained map[string]bool
}

// explains notes that documents are behind a difference.
func (d *differ) explains(files ...string) {
	for _, name := range files {
		d.explained[name] = true
	}
}

// pair is a part of a set that has a name, before and after.
type pair[T any] struct{ was, is *T }

// pairs brings together what has the same name, in the order of the newer set; what
// only the older one has comes after that.
func pairs[T any](was, is []T, name func(*T) string) (all []pair[T]) {
	before := make(map[string]*T, len(was))
	for i := range was {
		before[name(&was[i])] = &was[i]
	}
	for i := range is {
		key := name(&is[i])
		all = append(all, pair[T]{before[key], &is[i]})
		delete(before, key)
	}
	for i := range was {
		if before[name(&was[i])] == &was[i] {
			all = append(all, pair[T]{was: &was[i]})
		}
	}
	return all
}

// both reports whether the part is in both sets.
func (p pair[T]) both() bool { return p.was != nil && p.is != nil }

// change says what became of a part, as far as its name tells.
func (p pair[T]) change() string {
	switch {
	case p.was == nil:
		return Added
	case p.is == nil:
		return Removed
	default:
		return Changed
	}
}

// there returns the part as it is, or as it was if it is no more.
func (p pair[T]) there() *T {
	if p.is != nil {
		return p.is
	}
	return p.was
}
