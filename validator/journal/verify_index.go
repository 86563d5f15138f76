package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// indexOf reads the index of a segment, and says what is wrong with one that cannot
// be read. One that is missing is counted: it can be made again.
func (v *verifier) indexOf(dir string, name segmentName) (x *Index, wrong string) {
	text, err := os.ReadFile(filepath.Join(dir, name.file(indexEnding)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.Unindexed++
		return nil, ""
	case err != nil:
		return nil, fmt.Sprintf("the index cannot be read: %s", withoutPath(err))
	}
	x = &Index{}
	if json.Unmarshal(text, x) != nil {
		return nil, "the index is not JSON that an index can be. Remove it; it can be made again"
	}
	return x, ""
}

// hides returns the field of a record that an index does not know, if there is one.
func hides(x *Index, r *Record) string {
	if r.Time.Before(x.From) || r.Time.After(x.To) {
		return "time"
	}
	for field, value := range listed(r) {
		if value != "" && !x.May(field, value) {
			return field
		}
	}
	for field, values := range filtered(r) {
		for _, value := range values {
			if value != "" && !x.May(field, value) {
				return field
			}
		}
	}
	return ""
}

// holdIndex holds a segment that was judged against its index. What follows it, if
// something does, has shown already whether its end is there.
func (v *verifier) holdIndex(s *segmentState, followed bool) {
	x := s.index
	if x == nil || v.wrong[s.file] || s.cut {
		return
	}
	agrees := x.First == s.first && x.Previous == s.prev && x.Records == s.records
	switch {
	case !followed && x.First == s.first && x.Last > s.last:
		v.fault(&Break{
			Kind: Truncated, Segment: s.file, Sequence: s.last + 1, Line: int64(s.records) + 1, at: v.taken + 1,
			Message: fmt.Sprintf("the segment ends with record %d, and went on to record %d as its index says", s.last, x.Last),
		})
		return
	case !followed && agrees && x.Last == s.last && x.Hash != s.hash:
		v.fault(&Break{
			Kind: Altered, Segment: s.file, Sequence: s.last, Line: int64(s.records), at: v.taken,
			Message: fmt.Sprintf("record %d, the last of the segment, is not as it was written: the index has another hash of it", s.last),
		})
		return
	}
	for _, field := range []struct {
		name         string
		says, should any
	}{
		{"first record", x.First, s.first},
		{"last record", x.Last, s.last},
		{"hash before the first", x.Previous, s.prev},
		{"hash of the last", x.Hash, s.hash},
		{"number of records", x.Records, s.records},
		{"number of bytes", x.Bytes, s.bytes},
	} {
		if field.says != field.should {
			v.fault(&Break{
				Kind: IndexDisagrees, Segment: s.file, Sequence: s.name, at: v.taken + 1,
				Message: fmt.Sprintf("the %s is %v in the index and %v in the segment. Remove the index; it can be made again", field.name, field.says, field.should),
			})
			return
		}
	}
}
