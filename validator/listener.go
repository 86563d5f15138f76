package validator

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// Connections counts the open connections of a listener and bounds them.
type Connections struct {
	limit   int64
	open    atomic.Int64
	waiting atomic.Int64
	refused func()
	unread  func(remote net.Addr)
}

// NewConnections returns a bound of limit connections. refused is called for
// each connection beyond it, and unread for each that sent something and ended
// before a whole request was read. The http.Server must be given Context, State
// and Handler for that.
func NewConnections(limit int, refused func(), unread func(remote net.Addr)) *Connections {
	return &Connections{limit: int64(limit), refused: refused, unread: unread}
}

// Crowded reports whether so many connections are open that none should be kept
// for a next request.
func (c *Connections) Crowded() bool { return c.open.Load() > c.limit*3/4 }

// Waiting returns how many open connections have not brought a first request yet.
func (c *Connections) Waiting() int { return int(c.waiting.Load()) }

// Listen returns a listener that closes connections beyond the bound as soon as
// they are accepted.
func (c *Connections) Listen(inner net.Listener) net.Listener {
	return &listener{Listener: inner, connections: c}
}

// connectionKey is the context key of a request's connection.
type connectionKey struct{}

// Context is the ConnContext of the http.Server that serves the listener.
func (c *Connections) Context(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, bare(conn))
}

// bare returns the connection that carries a connection with TLS.
func bare(conn net.Conn) net.Conn {
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok {
		return secured.NetConn()
	}
	return conn
}

// State is the ConnState of the http.Server that serves the listener. A kept
// connection begins anew with each request.
func (c *Connections) State(conn net.Conn, state http.ConnState) {
	if kept, ok := bare(conn).(*counted); ok && state == http.StateIdle {
		kept.sent.Store(false)
		kept.served.Store(false)
	}
}

// Handler notes on which connections a request came.
func (c *Connections) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, ok := r.Context().Value(connectionKey{}).(*counted); ok && !conn.served.Load() {
			conn.served.Store(true)
			conn.arrive()
		}
		next.ServeHTTP(w, r)
	})
}

type listener struct {
	net.Listener
	connections *Connections
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.connections.open.Add(1) <= l.connections.limit {
			l.connections.waiting.Add(1)
			return &counted{Conn: conn, connections: l.connections}, nil
		}
		l.connections.open.Add(-1)
		l.connections.refused()
		_ = conn.Close() // Nothing was said on it yet.
	}
}

// counted gives its place back when it is closed.
type counted struct {
	net.Conn
	connections  *Connections
	once         sync.Once
	sent, served atomic.Bool
	arrived      atomic.Bool
}

// arrive notes that it does not wait for a first request any more.
func (c *counted) arrive() {
	if !c.arrived.Load() && c.arrived.CompareAndSwap(false, true) {
		c.connections.waiting.Add(-1)
	}
}

// Read implements net.Conn.
func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && !c.sent.Load() {
		c.sent.Store(true)
	}
	return n, err
}

// CloseWrite ends the direction to the client, as the http.Server does after an
// answer to a request that it leaves unread: closed both ways at once, the
// connection would be reset and the answer with it.
func (c *counted) CloseWrite() error {
	if conn, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return conn.CloseWrite()
	}
	return nil
}

// Close implements net.Conn.
func (c *counted) Close() error {
	c.once.Do(func() {
		c.connections.open.Add(-1)
		c.arrive()
		if c.sent.Load() && !c.served.Load() {
			c.connections.unread(c.RemoteAddr())
		}
	})
	return c.Conn.Close()
}
