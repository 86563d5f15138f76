package scan

import (
	"errors"
	"fmt"
	"sync"
)

// icapReading reads the answer of one transaction, beside whoever writes the
// request: a server may answer before it has read all.
type icapReading struct {
	conn *icapConn
	// continued is closed when the server wants what follows the preview.
	continued chan struct{}
	// done is closed when nothing more is read. What follows may be looked at
	// after that.
	done    chan struct{}
	verdict icapVerdict
	err     error
	// early says that the server answered before the file had been sent.
	early bool

	mu sync.Mutex
	// paused is set while the server may decide by the preview alone.
	paused bool
	whole  *icapWhole
}

func newICAPReading(conn *icapConn) *icapReading {
	return &icapReading{conn: conn, continued: make(chan struct{}), done: make(chan struct{})}
}

// pause says that the preview is about to be sent, and that the file goes on.
func (r *icapReading) pause() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paused = true
}

// expect says that the file's end is about to be sent.
func (r *icapReading) expect(whole *icapWhole) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.whole = whole
}

// silent reports whether the server ended the connection without a word. It may
// be asked after done.
func (r *icapReading) silent() bool { return errors.Is(r.err, errSilent) }

// run reads until the final answer has been read or cannot be.
func (r *icapReading) run() {
	defer close(r.done)
	if r.err = r.read(); r.early || r.err != nil {
		_ = r.conn.SetWriteDeadline(longAgo()) // Whoever writes waits for a server that reads no more.
	}
}

func (r *icapReading) read() error {
	head, err := readICAPHead(r.conn.in)
	if err != nil {
		return err
	}
	if head.status == 100 {
		if !r.goOn() {
			return fmt.Errorf("%w: it wants to go on where nothing follows", ErrAnswer)
		}
		if head, err = readICAPHead(r.conn.in); errors.Is(err, errSilent) {
			return fmt.Errorf("%w: it ends after the preview", ErrAnswer)
		} else if err != nil {
			return err
		}
	}
	r.mu.Lock()
	paused, whole := r.paused, r.whole
	r.mu.Unlock()
	r.early = whole == nil
	r.verdict, err = judge(r.conn.in, &head, whole)
	if r.early && (!paused || head.status != 204) {
		r.verdict.keep = false // Something of the request may still be under way.
	}
	return err
}

// goOn lets the writer go on, if it waits for that.
func (r *icapReading) goOn() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.paused {
		return false
	}
	r.paused = false
	close(r.continued)
	return true
}
