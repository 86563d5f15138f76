package rules

import (
	"maps"
	"slices"
)

// Facts are what looks into a file have told of it, whatever rules made of that:
// for the log, and to decide an event again by other rules. What nobody looked
// for is not there.
type Facts struct {
	// Unread is why the file cannot be looked into, by its nature or by the
	// configuration: one of UninspectableReasons, or empty.
	Unread string `json:"unread,omitempty"`
	// Size is the file's when a rule learned something of it, in bytes, and Head is
	// how much of its beginning was there to tell Types from.
	Size int64 `json:"size,omitempty"`
	Head int64 `json:"head,omitempty"`
	// Types are the media types that the head has, the most special first; several
	// where it fits more than one family.
	Types []string `json:"types,omitempty"`
	// Digests are in lower-case hex, by the algorithm's name in Digest.
	Digests map[string]string `json:"digests,omitempty"`
	// Scans are the answers of scanners, one for each.
	Scans []ScanFact `json:"scans,omitempty"`
	// Archive is what the file unpacks to; nil where nobody has taken it apart.
	Archive *ArchiveFact `json:"archive,omitempty"`
}

// ScanFact is the answer of one scanner.
type ScanFact struct {
	// Scanner is the name in the service's configuration, Engine what the scanner
	// calls itself, and Signatures the version of its signatures.
	Scanner    string `json:"scanner"`
	Engine     string `json:"engine,omitempty"`
	Signatures string `json:"signatures,omitempty"`
	// Found is the signature that was found, empty if none.
	Found string `json:"found,omitempty"`
	// Inspected is how many bytes it looked at, of Total. Where it is less and
	// nothing was found, the scanner does not take all of such a file.
	Inspected int64 `json:"inspected"`
	Total     int64 `json:"total"`
}

// ArchiveFact is what a walk through an archive has told. Where the walk did not
// come to its end, there is as much at least.
type ArchiveFact struct {
	// Format is zip, tar, tar.gz and so on, also one that cannot be taken apart such as
	// rar; or none, for a file that is no archive.
	Format string `json:"format"`
	// Entries counts what is in it, and Unpacked the bytes of all of it.
	Entries  int   `json:"entries"`
	Unpacked int64 `json:"unpacked"`
	// Depth is how deep archives lie in each other, 1 where none is in another and 0
	// where nothing was taken apart.
	Depth int `json:"depth"`
	// Ratio is the smallest max_ratio of the kind archive that all of it keeps, 0 where
	// it is too small to be judged.
	Ratio int64 `json:"ratio"`
	// Whole says that the walk came to its end. Gap is why not all could be looked at
	// on the way, one of UninspectableReasons, and Inspected how much of the file
	// was.
	Whole     bool   `json:"whole"`
	Gap       string `json:"gap,omitempty"`
	Inspected int64  `json:"inspected"`
	// Fault is what ended the walk: too_many, too_deep, too_large, too_dense, outside,
	// link, encrypted, ambiguous, or name for the name of a member.
	Fault string `json:"fault,omitempty"`
	// Name is the member at which it ended, empty if it was the file as a whole, the
	// name is longer than 1024 bytes, or it is not in UTF-8. For the fault name it is
	// the name in its own archive, Within what that lies in, with a slash behind each,
	// and Folder says that it is one.
	Name   string `json:"name,omitempty"`
	Within string `json:"within,omitempty"`
	Folder bool   `json:"folder,omitempty"`
	// Links tells of links and devices: none; safe; passed, if they were let pass;
	// unsafe, if one may not be let pass; or unsure, if to let them pass or not would
	// have left another amount of memory for all else.
	Links string `json:"links"`
	// Encrypted says that there is an encrypted file.
	Encrypted bool `json:"encrypted,omitempty"`
	// Extensions are those of all files that the walk came to, sorted; nil where they
	// were too many, or a name has none that all programs agree on.
	Extensions []string `json:"extensions"`
}

// isEmpty reports whether nobody has learned anything.
func (f *Facts) isEmpty() bool {
	return f.Unread == "" && f.Types == nil && f.Digests == nil && f.Scans == nil && f.Archive == nil
}

// clone returns a copy that nobody else changes.
func (f *Facts) clone() *Facts {
	c := *f
	c.Types, c.Digests, c.Scans = slices.Clone(f.Types), maps.Clone(f.Digests), slices.Clone(f.Scans)
	if f.Archive != nil {
		archive := *f.Archive
		archive.Extensions = slices.Clone(archive.Extensions)
		c.Archive = &archive
	}
	return &c
}

// addScan keeps the answer of a scanner, the last one of each.
func (f *Facts) addScan(s ScanFact) {
	for i := range f.Scans {
		if f.Scans[i].Scanner == s.Scanner {
			f.Scans[i] = s
			return
		}
	}
	f.Scans = append(f.Scans, s)
}

// scan returns the answer of a scanner, nil if there is none.
func (f *Facts) scan(name string) *ScanFact {
	for i := range f.Scans {
		if f.Scans[i].Scanner == name {
			return &f.Scans[i]
		}
	}
	return nil
}

// unread returns what every rule finds in a file that could not be looked into.
func (f *Facts) unread() (found Finding, ok bool) {
	if f.Unread == "" {
		return Finding{}, false
	}
	return FoundNothing(&UninspectableError{Reason: f.Unread, Detail: "the file could not be looked into: " + f.Unread}, 0, -1), true
}
