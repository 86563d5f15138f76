package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bits-and-blooms/bloom/v3"
	"github.com/klauspost/compress/zstd"
)

// Index says what is in a closed segment, so that a search can pass over it.
type Index struct {
	// First and Last are the numbers of the records, From and To their earliest and
	// latest times.
	First uint64    `json:"first"`
	Last  uint64    `json:"last"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	// Previous is the hash before the first record, Hash that of the last, in hex.
	Previous string `json:"prev"`
	Hash     string `json:"hash"`
	// Records and Bytes count lines, uncompressed.
	Records uint64 `json:"records"`
	Bytes   int64  `json:"bytes"`
	// Broken counts lines that are no record.
	Broken uint64 `json:"broken,omitempty"`
	// Values are the different values of fields that have few; a field is missing
	// that has too many.
	Values map[string][]string `json:"values"`
	// Filters are Bloom filters of fields that have many values.
	Filters map[string]*bloom.BloomFilter `json:"filters"`
}

// maxValues is how many values of a field an index lists.
const maxValues = 256

// maxFiltered is of how many values a filter is made at most; a field with more has
// none.
const maxFiltered = 1 << 18

// May reports whether a record of the segment may have a value in a field: one of
// those of Values or Filters. A client_ip is asked for as netip.Addr writes it, one
// of IPv4 in IPv6 as the former, and without a zone.
func (x *Index) May(field, value string) bool {
	if filter, ok := x.Filters[field]; ok {
		return filter.TestString(value)
	}
	values, ok := x.Values[field]
	return !ok || slices.Contains(values, value)
}

// listed returns the fields of a record of which an index lists values, and
// filtered those of which it keeps a filter.
func listed(r *Record) map[string]string {
	e := r.Event
	if e == nil {
		e = &Event{}
	}
	return map[string]string{
		"verdict": r.Verdict, "code": r.Code, "policy": r.Policy, "rule": r.Rule, "kind": r.Kind, "revision": r.Revision, "note": r.Note,
		"phase": e.Phase, "direction": e.Direction, "user": e.User, "client": e.Client, "host": e.Host,
	}
}

func filtered(r *Record) map[string][]string {
	e := r.Event
	if e == nil {
		return nil
	}
	digests := []string{strings.ToLower(e.Checksum)}
	var facts struct {
		Digests map[string]string `json:"digests"`
	}
	if len(r.Facts) > 0 && json.Unmarshal(r.Facts, &facts) == nil {
		digests = slices.AppendSeq(digests, maps.Values(facts.Digests))
	}
	return map[string][]string{
		"id": {r.ID}, "session": {e.SessionID}, "transfer": {e.TransferID}, "client_ip": {clientAddress(e.ClientIP)}, "digest": digests,
	}
}

// clientAddress returns the one spelling of an address that an index has, however
// the server wrote it; and any other text as it stands.
func clientAddress(text string) string {
	if a, err := parseAddress(text); err == nil {
		return a.String()
	}
	return text
}

// parseAddress reads an address as searches compare it: one of IPv4 in IPv6 is the
// former, and the zone, which says nothing outside of the server, is left out.
func parseAddress(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	return a.Unmap().WithZone(""), err
}

// indexing is an index that is being made. The values for the filters are kept
// until it is known how many there are.
type indexing struct {
	Index
	values map[string]map[string]bool
	many   map[string]map[string]bool
}

func newIndexing() *indexing {
	return &indexing{values: map[string]map[string]bool{}, many: map[string]map[string]bool{}}
}

func (x *indexing) add(line []byte) {
	x.Bytes += int64(len(line))
	x.Records++
	var r Record
	if decodeRecord(line, &r) != nil {
		x.Broken++
		return
	}
	if x.First == 0 {
		x.First, x.Previous = r.Sequence, r.Previous
	}
	x.Last = r.Sequence
	sum := sha256.Sum256(bytes.TrimSuffix(line, []byte("\n")))
	x.Hash = hex.EncodeToString(sum[:])
	if x.From.IsZero() || r.Time.Before(x.From) {
		x.From = r.Time
	}
	if r.Time.After(x.To) {
		x.To = r.Time
	}
	for field, value := range listed(&r) {
		noteValue(x.values, field, value, maxValues+1)
	}
	for field, values := range filtered(&r) {
		for _, value := range values {
			noteValue(x.many, field, value, maxFiltered)
		}
	}
}

func noteValue(all map[string]map[string]bool, field, value string, most int) {
	set := all[field]
	if set == nil {
		set = map[string]bool{}
		all[field] = set
	}
	if value != "" && len(set) < most {
		set[value] = true
	}
}

// finish returns the index.
func (x *indexing) finish() Index {
	x.Values, x.Filters = map[string][]string{}, map[string]*bloom.BloomFilter{}
	for field, set := range x.values {
		if len(set) <= maxValues {
			x.Values[field] = slices.Sorted(maps.Keys(set))
		}
	}
	for field, set := range x.many {
		if len(set) == maxFiltered {
			continue // There may be more that were not kept.
		}
		filter := bloom.NewWithEstimates(uint(max(len(set), 1)), 0.001)
		for value := range set {
			filter.AddString(value)
		}
		x.Filters[field] = filter
	}
	return x.Index
}

func writeIndex(dir string, name segmentName, x *indexing) error {
	text, err := json.Marshal(x.finish())
	if err != nil {
		return fmt.Errorf("the index of %s: %w", name.file(closedEnding), err)
	}
	err = replace(filepath.Join(dir, name.file(indexEnding)), func(to io.Writer) error {
		_, err := to.Write(text)
		return err
	})
	if err != nil {
		return fmt.Errorf("the index of %s: %w", name.file(closedEnding), err)
	}
	return nil
}

// ReadIndex returns the index of the closed segment that begins with a record. It
// is made anew where it is missing or cannot be read.
func ReadIndex(dir string, first uint64) (*Index, error) {
	name := segmentName(first)
	text, err := os.ReadFile(filepath.Join(dir, name.file(indexEnding)))
	var x Index
	if err == nil && json.Unmarshal(text, &x) == nil && x.First > 0 {
		return &x, nil
	}
	made := newIndexing()
	file, err := os.Open(filepath.Join(dir, name.file(closedEnding)))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	unpacked, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return nil, err
	}
	defer unpacked.Close()
	if err := pack(unpacked, io.Discard, made, nil); err != nil {
		return nil, fmt.Errorf("reading %s: %w", name.file(closedEnding), err)
	}
	x = made.finish()
	return &x, nil
}

// readEnd returns where a closed segment ends.
func readEnd(dir string, name segmentName) (segmentEnd, error) {
	x, err := ReadIndex(dir, uint64(name))
	if err != nil {
		return segmentEnd{}, err
	}
	end := segmentEnd{next: x.Last + 1}
	if _, err := hex.Decode(end.hash[:], []byte(x.Hash)); err != nil {
		return end, fmt.Errorf("the index of %s: %w", name.file(closedEnding), err)
	}
	return end, nil
}
