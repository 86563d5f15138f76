package archive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// walk is one walk through a file. It is used by one goroutine.
type walk struct {
	ctx    context.Context //nolint:containedctx // It is asked in every loop of every walker.
	limits Limits
	judge  Judge
	top    *source
	size   int64 // of the file, in bytes
	memory int64 // what is left of limits.Memory
	lowest int64 // the least that was ever left

	// stop is why the walk ends. Libraries between here and where it was found
	// may change an error, so it is kept.
	stop   error
	report Report
	gaps   int
	missed int64 // bytes of the file that were not looked at
	short  bool  // the memory was not enough for something

	declared int  // the most members that a directory has
	linked   int  // how many links and devices there are, at least
	unsafe   bool // one of them may not be let pass

	feeds     []*feed
	inflaters []io.ReadCloser
	tails     []*tail
}

// halt ends the walk.
func (w *walk) halt(err error) error {
	if w.stop == nil {
		w.stop = err
	}
	return w.stop
}

func (w *walk) refuse(f Fault, member, format string, args ...any) error {
	w.unsafe = w.unsafe || f == Link
	return w.halt(&Refusal{Fault: f, Member: member, Detail: fmt.Sprintf(format, args...)})
}

// locked refuses what is encrypted, or notes that it cannot be looked at.
func (w *walk) locked(member, why string) error {
	w.report.Encrypted = true
	if !w.limits.AcceptEncrypted {
		return w.refuse(Encrypted, member, "%s", why)
	}
	w.skip(Locked, member, errors.New(why))
	return nil
}

// errMemory says that the budget is not enough.
var errMemory = errors.New("it takes more memory than one look may have")

// skip notes that something could not be looked at.
func (w *walk) skip(reason Reason, member string, err error) {
	w.gaps++
	w.short = w.short || reason == Memory
	if w.report.Gap == nil {
		w.report.Gap = &Gap{Reason: reason, Member: member, Err: err}
	}
}

// settle turns what a walker returned into a gap, or into the end of the walk.
func (w *walk) settle(err error, c *content) error {
	if w.stop != nil || err == nil {
		return w.stop
	}
	reason := Format
	if errors.Is(err, errMemory) || errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		reason = Memory
	}
	w.skip(reason, c.path(), err)
	if c.whole { // What has not been read will not be.
		w.missed += w.size - w.top.end
	}
	return nil
}

// miss notes what of the file is not looked at because of a gap in a member that
// has packed bytes in c.
func (w *walk) miss(c *content, packed int64) {
	switch {
	case c.whole && c.level == 0:
		w.missed += packed
	case c.whole:
		w.missed = w.size
	}
}

// reserve takes bytes from the budget. What it returns gives them back.
func (w *walk) reserve(bytes int64) (release func(), err error) {
	if bytes < 0 || bytes > w.memory {
		return nil, errMemory
	}
	w.memory -= bytes
	w.lowest = min(w.lowest, w.memory)
	return func() { w.memory += bytes }, nil
}

// member counts a member and judges its name.
func (w *walk) member(m Member) error {
	if err := context.Cause(w.ctx); err != nil {
		return w.halt(err)
	}
	if w.report.Entries++; w.report.Entries > w.limits.Entries {
		return w.refuse(TooMany, m.Path(), "more than %d members", w.limits.Entries)
	}
	return w.named(m)
}

// maxName is how long a member's name may be to be judged, in bytes: no system
// stores a longer one, and programs disagree on what is made of it.
const maxName = 1 << 16

// named judges a member's name.
func (w *walk) named(m Member) error {
	if len(m.Name) > maxName {
		w.skip(Format, m.Within, fmt.Errorf("the name that begins with %.100q is too long", m.Name))
		return nil
	}
	if outside(m.Name) || !m.Folder && strings.Trim(m.Name, `./\`) == "" {
		return w.refuse(Outside, m.Path(), "the name is absolute, has a \"..\" or names nothing")
	}
	if err := w.judge(m); err != nil {
		return w.halt(err)
	}
	return nil
}

// bufferSize is how much is read ahead, in bytes.
const bufferSize = 64 << 10

// feed reads ahead and tells how much was taken from it.
type feed struct {
	*bufio.Reader
	from tally
}

// tally counts what was read from r.
type tally struct {
	r io.Reader
	n int64
}

// Read implements io.Reader.
func (t *tally) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.n += int64(n)
	return n, err
}

// taken returns how many bytes were read from the feed.
func (f *feed) taken() int64 { return f.from.n - int64(f.Buffered()) }

// buffered returns a reader ahead of r, and what gives its buffer back.
func (w *walk) buffered(r io.Reader) (*feed, func()) {
	var f *feed
	if n := len(w.feeds); n > 0 {
		f, w.feeds = w.feeds[n-1], w.feeds[:n-1]
	} else {
		f = &feed{Reader: bufio.NewReaderSize(nil, bufferSize)}
	}
	f.from = tally{r: r}
	f.Reset(&f.from)
	return f, func() {
		f.from = tally{}
		f.Reset(nil)
		w.feeds = append(w.feeds, f)
	}
}
