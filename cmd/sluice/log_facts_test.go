package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/journal"
)

// What was found in a file is told in full, and no more is claimed than is known.
func TestFactsAreShown(t *testing.T) {
	for name, r := range map[string]struct {
		facts rules.Facts
		want  []string
	}{
		"no archive": {
			rules.Facts{Archive: &rules.ArchiveFact{Format: "none", Whole: true, Links: "none"}},
			[]string{"is no archive"},
		},
		"an archive": {
			rules.Facts{Archive: &rules.ArchiveFact{Format: "tar.gz", Entries: 12, Unpacked: 3 << 20, Depth: 2, Ratio: 37, Whole: true, Links: "safe"}},
			[]string{"unpacks as tar.gz to 3 MiB in 12 entries, 2 deep, up to 37 times as large"},
		},
		"a small one": {
			rules.Facts{Archive: &rules.ArchiveFact{Format: "zip", Entries: 1, Unpacked: 4, Depth: 1, Whole: true, Links: "none"}},
			[]string{"unpacks as zip to 4 B in 1 entry, 1 deep"},
		},
		"one of which not all was seen": {
			rules.Facts{Archive: &rules.ArchiveFact{Format: "zip", Entries: 3, Unpacked: 4, Depth: 2, Links: "unsafe", Encrypted: true, Fault: "name", Within: "a.zip/", Name: "b\x1b.exe"}},
			[]string{
				"unpacks as zip to at least 4 B in 3 entries, 2 deep", `was walked no further: name, a.zip/b\u001b.exe`,
				"has encrypted files in it", "has links in it that lead elsewhere, or devices",
			},
		},
		"one that is encrypted": {
			rules.Facts{Archive: &rules.ArchiveFact{Format: "7z", Entries: 3, Depth: 1, Fault: "encrypted", Name: "d/a.txt", Encrypted: true}},
			[]string{"unpacks as 7z to at least 0 B in 3 entries, 1 deep", "was walked no further: encrypted, d/a.txt"},
		},
		"one that cannot be taken apart": {
			rules.Facts{Archive: &rules.ArchiveFact{Format: "rar", Whole: true, Gap: "format", Links: "none"}},
			[]string{"is an archive of the format rar, and was not taken apart", "could not all be looked at: format"},
		},
		"the answer of a scanner": {
			rules.Facts{Scans: []rules.ScanFact{{Scanner: "clamav", Inspected: 2000, Total: 10 << 10}, {Scanner: "icap", Found: "Eicar", Inspected: 1 << 20, Total: 1 << 20}}},
			[]string{"clamav found nothing in 2000 B of 10 KiB", "icap found Eicar in 1 MiB"},
		},
	} {
		text, err := json.Marshal(r.facts)
		if err != nil {
			t.Fatal(err)
		}
		got := factBranch(&journal.Record{Facts: text}, painter{})
		if got == nil || strings.Join(got.notes, "\n") != strings.Join(r.want, "\n") {
			t.Errorf("%s is shown as %q, want %q", name, got, r.want)
		}
	}
}
