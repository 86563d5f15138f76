package store

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
)

// maxSocketPath is the longest path of a Unix socket, in bytes (unix(7)).
const maxSocketPath = 107

// door lets other processes of the same user use the embedded engine, through a
// Unix socket: the engine itself listens on TCP only.
type door struct {
	listener net.Listener
	connect  func() (net.Conn, error)
	open     sync.WaitGroup
	mu       sync.Mutex // guards what follows
	inside   map[net.Conn]bool
	closed   bool
}

// openDoor listens on a socket. One that a killed process left is replaced: whoever
// calls has the lock of the folder.
func openDoor(path string, connect func() (net.Conn, error)) (*door, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("the path of the state directory is too long: the socket %s has %d bytes, and %d are possible", path, len(path), maxSocketPath)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	d := &door{listener: listener, connect: connect, inside: map[net.Conn]bool{}}
	d.open.Go(d.accept)
	return d, nil
}

func (d *door) accept() {
	for {
		visitor, err := d.listener.Accept()
		if err != nil {
			return
		}
		engine, err := d.connect() // Its own limit of connections holds.
		if err != nil {
			_ = visitor.Close()
			continue
		}
		if !d.admit(visitor, engine) {
			return
		}
	}
}

// admit passes bytes both ways, unless the door is closed.
func (d *door) admit(visitor, engine net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		_, _ = visitor.Close(), engine.Close()
		return false
	}
	d.inside[visitor] = true
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		_, _ = to.Close(), from.Close()
	}
	d.open.Go(func() { pass(visitor, engine) })
	d.open.Go(func() {
		pass(engine, visitor)
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.inside, visitor)
	})
	return true
}

func (d *door) close() {
	_ = d.listener.Close()
	d.mu.Lock()
	d.closed = true
	for visitor := range d.inside {
		_ = visitor.Close()
	}
	d.mu.Unlock()
	d.open.Wait()
}

// knock connects to the engine of another process. It is for the nats package.
type knock string

// InProcessConn implements nats.InProcessConnProvider.
func (k knock) InProcessConn() (net.Conn, error) { return net.Dial("unix", string(k)) }
