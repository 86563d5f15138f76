package scan

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// icapConn is a connection to an ICAP server.
type icapConn struct {
	net.Conn
	in *bufio.Reader
	// used says that it has carried a transaction before.
	used bool
	// quiet gets what ended the watch over an idle connection.
	quiet chan error
}

// icapLine is the longest line of an answer's head, in bytes.
const icapLine = 8 << 10

// dial connects, within ctx.
func (c *ICAP) dial(ctx context.Context) (*icapConn, error) {
	var conn net.Conn
	var err error
	if c.tls != nil {
		conn, err = (&tls.Dialer{Config: c.tls}).DialContext(ctx, "tcp", c.address)
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", c.address)
	}
	if err != nil {
		return nil, fmt.Errorf("connecting to the scanner: %w", because(ctx, err))
	}
	return &icapConn{Conn: conn, in: bufio.NewReaderSize(conn, icapLine)}, nil
}

// because returns why ctx is done rather than the error in which that shows.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// longAgo is a deadline that ends reads and writes at once.
func longAgo() time.Time { return time.Unix(1, 0) }

// bound ends the connection's reads and writes when ctx is done. The returned
// function takes the bound away.
func (c *icapConn) bound(ctx context.Context) (unbind func() bool) {
	return context.AfterFunc(ctx, func() { _ = c.SetDeadline(longAgo()) }) // One that is closed ends by itself.
}

// idleConns are connections that nobody uses. Its methods are safe for
// concurrent use.
type idleConns struct {
	most    int
	longest time.Duration

	mu     sync.Mutex
	closed bool
	list   []*icapConn
}

// put keeps a connection between two transactions, or closes it if there are
// enough.
func (i *idleConns) put(c *icapConn) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed || len(i.list) >= i.most || c.in.Buffered() > 0 || c.SetDeadline(time.Now().Add(i.longest)) != nil {
		_ = c.Close() // Nothing is under way on it.
		return
	}
	c.used, c.quiet = true, make(chan error, 1)
	i.list = append(i.list, c)
	go i.watch(c)
}

// watch waits until a connection is taken, or until the server ends it or its
// time is over; then it is closed.
func (i *idleConns) watch(c *icapConn) {
	_, err := c.in.Peek(1)
	if i.remove(c) {
		_ = c.Close() // Nothing is under way on it.
		return
	}
	c.quiet <- err
}

// remove takes a connection off the list, and reports whether it was there.
func (i *idleConns) remove(c *icapConn) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	for at := range i.list {
		if i.list[at] == c {
			i.list = append(i.list[:at], i.list[at+1:]...)
			return true
		}
	}
	return false
}

// take returns a connection that the server has not ended, or nil.
func (i *idleConns) take() *icapConn {
	for {
		c := i.last()
		if c == nil {
			return nil
		}
		_ = c.SetDeadline(longAgo()) // Ends the watch.
		if err := <-c.quiet; errors.Is(err, os.ErrDeadlineExceeded) && c.SetDeadline(time.Time{}) == nil {
			return c
		}
		_ = c.Close() // The server has ended it, or said something that nobody asked.
	}
}

// last takes the connection off the list that was used last.
func (i *idleConns) last() *icapConn {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.list) == 0 {
		return nil
	}
	c := i.list[len(i.list)-1]
	i.list = i.list[:len(i.list)-1]
	return c
}

// close closes the connections, and those that come later.
func (i *idleConns) close() {
	i.mu.Lock()
	i.closed = true
	i.mu.Unlock()
	i.drain()
}

// drain closes the connections: where one has turned out to be dead, the others
// are likely to be, too.
func (i *idleConns) drain() {
	for c := i.last(); c != nil; c = i.last() {
		_ = c.Close() // Nothing is under way on it; the watch ends with it.
	}
}
