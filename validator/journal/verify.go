package journal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"
)

// What is wrong with a log.
const (
	// Altered is a record that is not as it was written.
	Altered = "altered"
	// Deleted is that records are missing within a segment.
	Deleted = "deleted"
	// Swapped is that two records have changed places.
	Swapped = "swapped"
	// Repeated is a record that stands where an earlier one was read already.
	Repeated = "repeated"
	// Truncated is a segment without its end.
	Truncated = "truncated"
	// SegmentMissing is that a whole segment is not there.
	SegmentMissing = "missing_segment"
	// SegmentMisnamed is a segment that does not begin with the record of its name.
	SegmentMisnamed = "misnamed_segment"
	// SegmentUnreadable is a segment that cannot be unpacked or read.
	SegmentUnreadable = "unreadable_segment"
	// IndexDisagrees is an index that says something else than its segment.
	IndexDisagrees = "index_disagrees"
	// NoteDisagrees is a log that is not the one of which somebody kept a note.
	NoteDisagrees = "note_disagrees"
)

// Witness is what was noted of a log elsewhere.
type Witness struct {
	// Before is the hash before the first record, in hex; empty if it was not noted.
	Before string
	// Sequence and Hash are of a record that was once the last; 0 if none was noted.
	Sequence uint64
	Hash     string
}

// Break is the first thing that is wrong with a log.
type Break struct {
	// Kind is one of the words above.
	Kind string `json:"kind"`
	// Sequence is the record that is wrong or missing, Segment the file in which that
	// shows, and Line where, from 1; 0 where it is about all of the file.
	Sequence uint64 `json:"seq,omitzero"`
	Segment  string `json:"segment,omitempty"`
	Line     int64  `json:"line,omitzero"`
	// Message says it in a sentence.
	Message string `json:"message"`

	at int64 // how many lines come before it
}

// Verification is what came of verifying a log.
type Verification struct {
	// Segments, Records and Bytes were read, uncompressed.
	Segments int    `json:"segments"`
	Records  uint64 `json:"records"`
	Bytes    int64  `json:"bytes"`
	// First and Last are the numbers of the first and the last record, From and To
	// the earliest and the latest time.
	First uint64    `json:"first"`
	Last  uint64    `json:"last"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	// Before is the hash before the first record, Hash that of the last, in hex.
	Before string `json:"before"`
	Hash   string `json:"hash"`
	// Lost counts decisions that were answered and not recorded, as the log itself
	// says, and Repaired how often its end was cut off after a crash.
	Lost     int64 `json:"lost"`
	Repaired int   `json:"repaired"`
	// Unindexed counts closed segments without an index; Removed those that were
	// removed while they were to be read.
	Unindexed int `json:"unindexed"`
	Removed   int `json:"removed"`
	// Unfinished is how many bytes of a record were being written.
	Unfinished int64 `json:"unfinished"`
	// Break is the first thing that is wrong; nil if the log is whole. Others counts
	// what else does not fit.
	Break  *Break `json:"break,omitempty"`
	Others int    `json:"others"`
}

// Verify proves that a log, a folder or one segment in a file, is whole: that its
// records follow each other without gaps, each with the hash of the one before, that
// every index says what its segment does, and that the witness agrees. The error is
// that it could not be read at all.
func Verify(ctx context.Context, from string, w Witness) (*Verification, error) {
	v := newVerifier(w)
	folder, err := isFolder(from)
	switch {
	case err != nil:
	case folder:
		err = v.folder(ctx, from)
	default:
		err = v.file(ctx, from)
	}
	if err != nil {
		return nil, fmt.Errorf("the decision log: %w", err)
	}
	v.end()
	return &v.Verification, nil
}

// VerifyFrom does the same with lines that come in.
func VerifyFrom(ctx context.Context, name string, in io.Reader, w Witness) (*Verification, error) {
	v := newVerifier(w)
	r := &segmentReader{name: name, open: true}
	if err := r.sniff(in); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if r.packed != nil {
		defer r.packed.Close()
	}
	v.begin(name, 0, nil)
	if err := v.lines(ctx, r, false); err != nil {
		return nil, err
	}
	v.end()
	return &v.Verification, nil
}

// verifier reads a log and keeps the few records around the place where it is.
type verifier struct {
	Verification
	witness Witness
	seen    bool // the witness's record was there

	base    base   // what was judged last
	waiting []link // read and not judged yet

	segment segmentState
	before  segmentState    // the segment before
	places  []displaced     // records that stand in the place of others
	wrong   map[string]bool // segments in which something is wrong, by file
	taken   int64           // lines that were taken in
}

// base is what the next record is held against.
type base struct {
	link
	numbered, hashed bool // its number and its hash are known
}

// link is what verifying needs of a record.
type link struct {
	seq        uint64
	prev, hash [sha256.Size]byte
	// record says that it is one, and whole that all of its JSON is.
	record, whole bool
	segment       string
	line, at      int64
	first         bool // of its segment
	name          uint64
	ended         segmentState // the segment before, if it is the first
}

// segmentState is what is known of a segment that is read.
type segmentState struct {
	file  string
	name  uint64
	index *Index
	// first and last are the records that were read, by number.
	first, last uint64
	prev, hash  string
	records     uint64
	bytes       int64
	cut         bool // its end is missing
}

func newVerifier(w Witness) *verifier { return &verifier{witness: w, wrong: map[string]bool{}} }

func (v *verifier) begin(file string, name uint64, x *Index) {
	v.before = v.segment
	v.segment = segmentState{file: file, name: name, index: x}
	v.Segments++
}

// folder verifies the segments of a folder.
func (v *verifier) folder(ctx context.Context, dir string) error {
	list, err := listSegments(dir)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return ErrNoSegment
	}
	for _, l := range list {
		r, err := openSegment(dir, l.name)
		if errors.Is(err, ErrRemoved) {
			v.Removed++
			v.forget()
			continue
		}
		if err != nil {
			return err
		}
		var x *Index
		state := ""
		if !r.open {
			x, state = v.indexOf(dir, l.name)
		}
		v.begin(r.name, uint64(l.name), x)
		if state != "" {
			v.fault(&Break{Kind: IndexDisagrees, Segment: l.name.file(indexEnding), Sequence: uint64(l.name), Message: state, at: v.taken + 1})
		}
		err = v.lines(ctx, r, r.open && l.last)
		r.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// file verifies one file.
func (v *verifier) file(ctx context.Context, path string) error {
	r, err := openFile(path)
	if err != nil {
		return err
	}
	defer r.close()
	v.begin(r.name, 0, nil)
	return v.lines(ctx, r, r.open)
}

// hexOf writes a hash.
func hexOf(hash [sha256.Size]byte) string { return hex.EncodeToString(hash[:]) }
