package rules

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/FastFilter/xorfilter"
)

// MaxDigests is the most lines with a digest that a list may have.
const MaxDigests = 10_000_000

const (
	// shardDigests is how many digests share one filter, about: few enough
	// that what building a filter takes, 32 bytes a digest, stays in a core's
	// own cache.
	shardDigests = 1 << 15
	// maxShardBits and maxIndexBits bound the filters to 256 and the index to
	// 1 MiB.
	maxShardBits, maxIndexBits = 8, 18
	// maxWorkers bounds the goroutines that sort a list and build its filters.
	maxWorkers = 8
)

// Digests is an immutable set of digests of one width. It is exact: digests are
// compared in full. It is safe for concurrent use.
//
// Most files are on no list, so a filter answers first, without a look at the
// digests: it tells nearly all that are not in the set from the rest. Digests
// that share their leading bits share a filter, and a second number of leading
// bits finds where in the sorted memory to search.
type Digests struct {
	// sorted is the digests one after the other, ascending and distinct.
	sorted []byte
	width  int
	// index[p] is the rank of the first digest whose leading bits are p or
	// more; it has one entry more than there are such prefixes.
	index []uint32
	// filters are by leading bits too. One without fingerprints knows nothing.
	filters []xorfilter.BinaryFuse[uint8]
	// seed makes the filters' keys. It is drawn anew for each list, so nobody
	// can choose digests whose keys are equal.
	seed maphash.Seed
	// Leading bits are the first 32, shifted right by these.
	indexShift, shardShift uint8
}

// newDigests returns the set of the digests, each of width bytes, that stand
// one after the other in memory which it takes over. Ascending says that they
// are in order and distinct. There is at least one.
func newDigests(digests []byte, width int, ascending bool) *Digests {
	if !ascending {
		sortDigests(digests, width)
		digests = compactDigests(digests, width)
	}
	// A list may have fewer digests than its size let expect.
	if spare := cap(digests) - len(digests); spare > len(digests)/8 {
		digests = bytes.Clone(digests)
	}
	n := len(digests) / width
	indexBits := min(max(bits.Len(uint(n))-4, 0), maxIndexBits)
	shardBits := min(bits.Len(uint(n/shardDigests)), maxShardBits)
	d := &Digests{
		sorted: digests, width: width, seed: maphash.MakeSeed(),
		index: make([]uint32, 1<<indexBits+1), indexShift: uint8(32 - indexBits),
		filters: make([]xorfilter.BinaryFuse[uint8], 1<<shardBits), shardShift: uint8(32 - shardBits),
	}
	d.buildIndex()
	d.buildFilters()
	return d
}

// Len returns how many distinct digests the set has.
func (d *Digests) Len() int { return len(d.sorted) / d.width }

// Width returns the bytes of each digest: 16, 20, 32, 48 or 64.
func (d *Digests) Width() int { return d.width }

// Bytes returns the memory that the set holds, in bytes.
func (d *Digests) Bytes() int64 {
	total := int(unsafe.Sizeof(*d)) + cap(d.sorted) + 4*cap(d.index) + cap(d.filters)*int(unsafe.Sizeof(d.filters[0]))
	for i := range d.filters {
		total += cap(d.filters[i].Fingerprints)
	}
	return int64(total)
}

// Contains reports whether the digest is in the set. One of another width is
// not. It allocates nothing.
func (d *Digests) Contains(digest []byte) bool {
	if len(digest) != d.width {
		return false
	}
	lead := binary.BigEndian.Uint32(digest)
	filter := &d.filters[lead>>d.shardShift]
	if filter.Fingerprints != nil && !filter.Contains(maphash.Bytes(d.seed, digest)) {
		return false
	}
	low, high := d.index[lead>>d.indexShift], d.index[lead>>d.indexShift+1]
	for low < high {
		middle := low + (high-low)/2
		switch order := bytes.Compare(d.at(int(middle)), digest); {
		case order == 0:
			return true
		case order < 0:
			low = middle + 1
		default:
			high = middle
		}
	}
	return false
}

// at returns the digest of a rank.
func (d *Digests) at(rank int) []byte { return d.sorted[rank*d.width : (rank+1)*d.width] }

// buildIndex fills the index.
func (d *Digests) buildIndex() {
	prefix := 0
	for i := range d.Len() {
		lead := int(binary.BigEndian.Uint32(d.at(i)) >> d.indexShift)
		for ; prefix <= lead; prefix++ {
			d.index[prefix] = uint32(i)
		}
	}
	for ; prefix < len(d.index); prefix++ {
		d.index[prefix] = uint32(d.Len())
	}
}

// buildFilters builds the filters, several at once.
func (d *Digests) buildFilters() {
	inParallel(len(d.filters), func() func(int) {
		var b xorfilter.BinaryFuseBuilder
		var keys []uint64
		return func(shard int) {
			keys = keys[:0]
			first, end := d.shard(shard)
			for i := first; i < end; i++ {
				keys = append(keys, maphash.Bytes(d.seed, d.at(i)))
			}
			d.filters[shard] = buildFilter(&b, keys)
		}
	})
}

// shard returns the ranks of the digests of a filter, from the first to before
// the end.
func (d *Digests) shard(i int) (first, end int) {
	perShard := (len(d.index) - 1) / len(d.filters)
	return int(d.index[i*perShard]), int(d.index[(i+1)*perShard])
}

// buildFilter returns a filter of the keys, some of which may be equal, or one
// without fingerprints when there is no key or, which chance all but rules out,
// no filter of these keys. A set is as right without filters, only slower.
func buildFilter(b *xorfilter.BinaryFuseBuilder, keys []uint64) xorfilter.BinaryFuse[uint8] {
	if len(keys) == 0 {
		return xorfilter.BinaryFuse[uint8]{}
	}
	filter, err := xorfilter.BuildBinaryFuse[uint8](b, keys)
	if err != nil {
		return xorfilter.BinaryFuse[uint8]{}
	}
	filter.Fingerprints = bytes.Clone(filter.Fingerprints) // the builder's own is used again
	return filter
}

// inParallel does tasks 0 to n−1 on as many goroutines as there are processors,
// and returns when all are done. Each goroutine does its tasks with a function
// of its own from worker, which may keep memory from task to task.
func inParallel(n int, worker func() func(task int)) {
	var taken atomic.Int64
	var group sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0), maxWorkers) {
		group.Go(func() {
			do := worker()
			for task := int(taken.Add(1)) - 1; task < n; task = int(taken.Add(1)) - 1 {
				do(task)
			}
		})
	}
	group.Wait()
}
