//go:build linux

package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
)

// standIn is a clamd of the bench's own that says which version it is, takes
// connections and files, and answers about no file until it is let go on. While
// it hangs it uses no CPU.
type standIn struct {
	listener net.Listener

	mu   sync.Mutex
	open chan struct{} // closed while it answers
}

// newStandIn returns a stand-in that listens at a unix socket and hangs.
func newStandIn(socket string) (*standIn, error) {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	s := &standIn{listener: listener, open: make(chan struct{})}
	go s.serve()
	return s, nil
}

func (s *standIn) serve() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // It is closed.
		}
		go func() {
			defer conn.Close()
			_ = s.converse(conn) // The other end has gone, and its side tells why.
		}()
	}
}

// converse has one conversation: a command, and what belongs to it.
func (s *standIn) converse(conn net.Conn) error {
	in := bufio.NewReaderSize(conn, 64)
	command, err := in.ReadString(0)
	if err != nil {
		return err
	}
	if command != "zINSTREAM\x00" {
		_, err = io.WriteString(conn, "ClamAV 0.0.0\x00")
		return err
	}
	<-s.gate()
	for size := [4]byte{}; ; {
		if _, err := io.ReadFull(in, size[:]); err != nil {
			return err
		}
		n := binary.BigEndian.Uint32(size[:])
		if n == 0 {
			_, err = io.WriteString(conn, "stream: OK\x00")
			return err
		}
		if _, err := io.CopyN(io.Discard, in, int64(n)); err != nil {
			return err
		}
	}
}

func (s *standIn) gate() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// goOn lets all files be answered, and hang ends that.
func (s *standIn) goOn() { close(s.gate()) }

func (s *standIn) hang() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = make(chan struct{})
}

func (s *standIn) close() error {
	if err := s.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
