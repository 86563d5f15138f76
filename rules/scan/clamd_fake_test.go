package scan

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

// fakeClamd is a clamd that answers INSTREAM and FILDES as a test says, and
// VERSION and PING as clamd does.
type fakeClamd struct {
	network string
	version string
	// answer is asked with each connection that has sent INSTREAM or FILDES.
	answer func(c *clamdCall)

	address  string
	calls    atomic.Int64
	listener net.Listener
}

// clamdCall is one command on its connection.
type clamdCall struct {
	net.Conn
	in      *bufio.Reader
	command string
}

// start listens at a unix socket unless the network is tcp.
func (f *fakeClamd) start(t *testing.T) *fakeClamd {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	var err error
	if f.network == "tcp" {
		f.listener, err = net.Listen("tcp", "127.0.0.1:0")
	} else {
		f.listener, err = net.Listen("unix", filepath.Join(t.TempDir(), "clamd"))
	}
	if err != nil {
		t.Fatal(err)
	}
	f.address = f.listener.Addr().Network() + ":" + f.listener.Addr().String()
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := f.listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				f.serve(conn)
			})
		}
	})
	t.Cleanup(serving.Wait)
	t.Cleanup(func() { f.listener.Close() })
	return f
}

func (f *fakeClamd) serve(conn net.Conn) {
	c := &clamdCall{Conn: conn, in: bufio.NewReader(conn)}
	for one := make([]byte, 1); ; c.command += string(one) { // What comes behind may carry a descriptor.
		if _, err := conn.Read(one); err != nil {
			return
		}
		if one[0] == 0 {
			break
		}
	}
	switch c.command {
	case "zVERSION":
		version := f.version
		if version == "" {
			version = "ClamAV 1.4.6"
		}
		c.say(version + "\x00")
	case "zPING":
		c.say("PONG\x00")
	default:
		f.calls.Add(1)
		f.answer(c)
	}
}

func (c *clamdCall) say(text string) { io.WriteString(c, text) }

// file reads the file that follows INSTREAM, up to most bytes; all of it where
// most is below 0.
func (c *clamdCall) file(most int) (file []byte, ended bool) {
	for {
		var size uint32
		if binary.Read(c.in, binary.BigEndian, &size) != nil {
			return file, false
		}
		if size == 0 {
			return file, true
		}
		piece := make([]byte, size)
		if _, err := io.ReadFull(c.in, piece); err != nil {
			return file, false
		}
		if file = append(file, piece...); most >= 0 && len(file) > most {
			return file, false
		}
	}
}

// gone waits until the client has closed the connection.
func (c *clamdCall) gone() { io.Copy(io.Discard, c.in) }

// clamdSays answers after all of the file.
func clamdSays(text string) func(*clamdCall) {
	return func(c *clamdCall) {
		if _, ended := c.file(-1); ended {
			c.say(text)
		}
	}
}

// client returns a client for the fake.
func (f *fakeClamd) client(t *testing.T, o ClamdOptions) *Clamd {
	t.Helper()
	o.Address = f.address
	c, err := NewClamd(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// given scans a file that is written in pieces.
func given(ctx context.Context, s Scanner, file []byte, piece int) (Answer, error) {
	session, err := s.Open(ctx, "film.mov", int64(len(file)))
	if err != nil {
		return Answer{}, err
	}
	defer session.Close()
	for at := 0; at < len(file); at += piece {
		if _, err := session.Write(file[at:min(at+piece, len(file))]); errors.Is(err, ErrAnswered) {
			break
		} else if err != nil {
			return Answer{}, err
		}
	}
	return session.Finish(ctx)
}
