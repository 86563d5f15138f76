package archive

import (
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// compressed walks what comes out of a compressed file: one member, or a tar.
func (w *walk) compressed(c *content, in *feed, f format, level int) error {
	head, _ := in.Peek(zstd.HeaderMaxSize) // Less is enough, or seen to be none.
	inner := content{
		name: unpackedName(c.name), within: c.inside(f), size: -1, level: level, stream: true, whole: c.whole,
	}
	out, finish, err := w.decoder(in, f, head, &inner)
	if err != nil {
		return err
	}
	defer finish()
	m := &meter{w: w, r: out, member: inner.path(), packed: -1, taken: in.taken}
	if c.at != nil {
		m.packed = c.size
	}
	inner.r = m
	if err := w.look(inner); err != nil {
		return err
	}
	return m.done()
}

// decoder returns what comes out of a compressed file, and what gives back the
// memory that it takes.
func (w *walk) decoder(in *feed, f format, head []byte, inner *content) (out io.Reader, finish func(), err error) {
	switch f {
	case gzFormat:
		z, err := guarded(func() (*gzip.Reader, error) { return gzip.NewReader(in.Reader) })
		if err != nil {
			return nil, nil, err
		}
		inner.alias = z.Name
		return z, func() {}, nil
	case bz2Format:
		return w.bzip2(in.Reader)
	case xzFormat:
		x := &xzReader{w: w, in: in}
		return x, x.close, nil
	default:
		return w.zstd(in, head)
	}
}

// zstdWindow is the largest window of a zst, in bytes: what zstd --long and
// --ultra -22 ask for.
const zstdWindow = 128 << 20

// zstd returns a decoder with room for the window of the first frame. Frames
// behind it may not have a larger one.
func (w *walk) zstd(in *feed, head []byte) (io.Reader, func(), error) {
	window := uint64(8 << 20) // What every decoder must support, where nothing is said.
	var h zstd.Header
	if h.Decode(head) == nil && !h.Skippable {
		window = max(h.WindowSize, zstd.MinWindowSize)
		if h.SingleSegment {
			window = max(h.FrameContentSize, zstd.MinWindowSize)
		}
	}
	if window > zstdWindow {
		return nil, nil, errMemory
	}
	release, err := w.reserve(int64(window) + 1<<20)
	if err != nil {
		return nil, nil, err
	}
	d, err := zstd.NewReader(in.Reader, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(window), zstd.WithDecoderMaxMemory(window))
	if err != nil {
		release()
		return nil, nil, err
	}
	return d, func() { d.Close(); release() }, nil
}
