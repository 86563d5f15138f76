package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// meter counts what comes out of a member, and ends the walk when it is too
// much.
type meter struct {
	w      *walk
	r      io.Reader
	member string
	out    int64
	// packed is how many bytes the member takes in the archive, or -1 if only
	// taken tells how many it took so far.
	packed int64
	taken  func() int64
	// counted says that the bytes have been counted where they came from.
	counted bool
}

// Read implements io.Reader. A panic of a decoder is damage in what it decodes.
func (m *meter) Read(p []byte) (n int, err error) {
	if m.w.stop != nil {
		return 0, m.w.stop
	}
	if err := context.Cause(m.w.ctx); err != nil {
		return 0, m.w.halt(err)
	}
	n, err = guarded(func() (int, error) { return m.r.Read(p) })
	if m.w.stop != nil {
		return n, m.w.stop
	}
	m.out += int64(n)
	if !m.counted {
		if full := m.w.count(int64(n), m.member); full != nil {
			return n, full
		}
	}
	if m.packed >= 0 && m.w.dense(m.out, m.packed) {
		return n, m.tooDense(m.packed)
	}
	return n, err
}

// done judges a ratio that could not be judged before the member's end.
func (m *meter) done() error {
	if m.w.stop == nil && m.packed < 0 && m.w.dense(m.out, m.taken()) {
		return m.tooDense(m.taken())
	}
	return m.w.stop
}

func (m *meter) tooDense(packed int64) error {
	return m.w.refuse(TooDense, m.member, "%d bytes came out of %d", m.out, packed)
}

// guarded turns a panic of a library that decodes foreign bytes into an error.
func guarded[T any](decode func() (T, error)) (result T, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the decoder failed: %v", v)
		}
	}()
	return decode()
}

// count adds to the bytes that came out of the file.
func (w *walk) count(n int64, member string) error {
	if n < 0 || n > w.limits.Unpacked-w.report.Unpacked {
		w.report.Unpacked = w.limits.Unpacked
		return w.refuse(TooLarge, member, "more than %d bytes", w.limits.Unpacked)
	}
	w.report.Unpacked += n
	if w.dense(w.report.Unpacked, w.size) {
		return w.refuse(TooDense, member, "%d bytes came out of the file's %d", w.report.Unpacked, w.size)
	}
	return nil
}

// dense reports whether the ratio of what came out to what it is packed in is
// higher than the limit, and notes it.
func (w *walk) dense(out, packed int64) bool {
	if out <= RatioFrom {
		return false
	}
	packed = max(packed, 1)
	ratio := (out-1)/packed + 1
	w.report.Ratio = max(w.report.Ratio, ratio)
	return ratio > w.limits.Ratio
}

// fill reads until p is full or r is at its end, whose error it returns as it
// is: io.ErrUnexpectedEOF of a decoder is damage.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var got int
		got, err = r.Read(p[n:])
		n += got
	}
	if n == len(p) {
		err = nil
	}
	return n, err
}

var errTrailing = errors.New("other bytes lie behind its end")
