package validator

import (
	"net"
	"sync"
	"sync/atomic"
)

// Connections counts the open connections of a listener and bounds them.
type Connections struct {
	limit   int64
	open    atomic.Int64
	refused func()
}

// NewConnections returns a bound of limit connections; refused is called for
// each connection beyond it.
func NewConnections(limit int, refused func()) *Connections {
	return &Connections{limit: int64(limit), refused: refused}
}

// Crowded reports whether so many connections are open that none should be kept
// for a next request.
func (c *Connections) Crowded() bool { return c.open.Load() > c.limit*3/4 }

// Listen returns a listener that closes connections beyond the bound as soon as
// they are accepted.
func (c *Connections) Listen(inner net.Listener) net.Listener {
	return &listener{Listener: inner, connections: c}
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
	connections *Connections
	once        sync.Once
}

// Close implements net.Conn.
func (c *counted) Close() error {
	c.once.Do(func() { c.connections.open.Add(-1) })
	return c.Conn.Close()
}
