package rules

import "errors"

// Facts are what looks into a file have told of it, whatever rules made of that:
// for the log, and to decide an event again by other rules. What nobody looked
// for is not there.
type Facts struct {
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
	// Inspected is how many bytes it looked at, of Total.
	Inspected int64 `json:"inspected"`
	Total     int64 `json:"total"`
}

// ArchiveFact is what taking an archive apart has told.
type ArchiveFact struct {
	// Format is zip, tar, gz and so on; none for a file that is no archive.
	Format string `json:"format"`
	// Entries counts what is in it, Depth how deep archives lie in each other, and
	// Unpacked is the bytes of all of it.
	Entries  int   `json:"entries"`
	Depth    int   `json:"depth"`
	Unpacked int64 `json:"unpacked"`
	// Ratio is the highest of any member, and of all.
	Ratio int64 `json:"ratio"`
	// Whole says that the walk came to the end: without it these are the least.
	Whole bool `json:"whole"`
	// Extensions are those of all files in it, sorted; nil where they were too many.
	Extensions []string `json:"extensions,omitempty"`
}

// ErrUndecidable says that the facts which were recorded do not tell what a rule
// would have found.
var ErrUndecidable = errors.New("what was recorded of the file does not tell")
