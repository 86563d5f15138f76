package validator_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluiceproject/sluice/validator"
)

// dialled is a listener whose connections are made by dial, one at a time.
type dialled struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newDialled() *dialled { return &dialled{conns: make(chan net.Conn), done: make(chan struct{})} }

// Accept implements net.Listener.
func (d *dialled) Accept() (net.Conn, error) {
	select {
	case conn := <-d.conns:
		return conn, nil
	case <-d.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (d *dialled) Close() error {
	d.once.Do(func() { close(d.done) })
	return nil
}

// Addr implements net.Listener.
func (d *dialled) Addr() net.Addr { return address("listener") }

// address is one that has only a name.
type address string

func (address) Network() string  { return "pipe" }
func (a address) String() string { return string(a) }

// piped is the server's end of a connection; it counts how often it is closed.
type piped struct {
	net.Conn
	name   address
	closed atomic.Int64
}

// RemoteAddr implements net.Conn.
func (p *piped) RemoteAddr() net.Addr { return p.name }

// Close implements net.Conn.
func (p *piped) Close() error {
	p.closed.Add(1)
	return p.Conn.Close()
}

// dial returns both ends of a connection that was accepted.
func (d *dialled) dial(name string) (client net.Conn, server *piped) {
	client, inner := net.Pipe()
	server = &piped{Conn: inner, name: address(name)}
	d.conns <- server
	return client, server
}

func TestConnectionsBeyondTheLimitAreClosed(t *testing.T) {
	inner := newDialled()
	refused, unread := 0, 0
	connections := validator.NewConnections(3, func() { refused++ }, func(net.Addr) { unread++ })
	outer := connections.Listen(inner)
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			conn, err := outer.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	var open []net.Conn
	for i := range 3 {
		inner.dial(fmt.Sprint(i))
		open = append(open, <-accepted)
	}
	for i := range 5 {
		client, server := inner.dial("one more")
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("one more connection is not closed: %v", err)
		}
		if server.closed.Load() != 1 {
			t.Errorf("connection %d is closed %d times", i, server.closed.Load())
		}
	}
	for range 3 { // However often a connection is closed, it gives back one place.
		open[0].Close()
	}
	client, _ := inner.dial("in its place")
	next := <-accepted
	go func() { _, _ = client.Write([]byte("x")) }()
	if _, err := next.Read(make([]byte, 1)); err != nil {
		t.Errorf("a connection in the place of another: %v", err)
	}
	client, _ = inner.dial("beyond")
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("closing thrice has made more than one place: %v", err)
	}
	if err := outer.Close(); err != nil {
		t.Error(err)
	}
	if _, ok := <-accepted; ok {
		t.Error("a listener that is closed accepts")
	}
	if refused != 6 || unread != 0 {
		t.Errorf("%d refused and %d unread, want 6 and 0", refused, unread)
	}
}

// TestCrowdedFromThreeQuartersOn: more than that many are open.
func TestCrowdedFromThreeQuartersOn(t *testing.T) {
	for _, tc := range []struct{ limit, from int }{{1, 1}, {2, 2}, {3, 3}, {4, 4}, {8, 7}, {100, 76}} {
		inner := newDialled()
		connections := validator.NewConnections(tc.limit, func() { t.Error("refused") }, func(net.Addr) {})
		outer := connections.Listen(inner)
		var open []net.Conn
		for i := range tc.limit + 1 {
			if got, want := connections.Crowded(), i >= tc.from; got != want {
				t.Errorf("%d of %d connections: crowded is %t", i, tc.limit, got)
			}
			if i < tc.limit {
				go inner.dial(fmt.Sprint(i))
				conn, err := outer.Accept()
				if err != nil {
					t.Fatal(err)
				}
				open = append(open, conn)
			}
		}
		for _, conn := range open {
			conn.Close()
		}
		if connections.Crowded() {
			t.Error("crowded although nobody is there")
		}
	}
}

// spoken is one connection to a service, in the words of the test.
type spoken struct {
	name string
	// says are what the client says, each after the answer to the one before.
	says []string
	// answers is how many answers come.
	answers int
	// unread is whether the connection is one that ended before a whole request
	// was read.
	unread bool
}

// whole is a whole request.
func whole(body string) string {
	return fmt.Sprintf("POST /validation/files HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func TestUnreadConnectionsAreTold(t *testing.T) {
	request := whole(event())
	header := strings.TrimSuffix(request, event())
	for _, tc := range []spoken{
		{name: "silent"},
		{name: "one byte", says: []string{"P"}, unread: true},
		{name: "a line", says: []string{"POST /validation/files HTTP/1.1\r\n"}, unread: true},
		{name: "nearly a header", says: []string{"POST /validation/files HTTP/1.1\r\nHost: a\r\n"}, unread: true},
		{name: "a TLS greeting", says: []string{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"}, unread: true},
		{name: "not HTTP", says: []string{"hello\r\n\r\n"}, answers: 1, unread: true},
		{name: "too large a header", says: []string{"POST / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 16<<10) + "\r\n\r\n"}, answers: 1, unread: true},
		{name: "a header, whose event is told as aborted", says: []string{header}},
		{name: "half a body, whose event is told as aborted", says: []string{request[:len(request)-10]}},
		{name: "a whole request", says: []string{request}, answers: 1},
		{name: "another path", says: []string{"GET / HTTP/1.1\r\nHost: a\r\n\r\n"}, answers: 1},
		{name: "three requests on a kept connection", says: []string{request, request, request}, answers: 3},
		{name: "three requests at once", says: []string{request + request + request}, answers: 3},
		{name: "a request and the beginning of another", says: []string{request, "POST /validation"}, answers: 1, unread: true},
		{name: "a request and another's header", says: []string{request, header}, answers: 1},
		{name: "a body beyond the limit, of which the rest is not read", says: []string{whole(strings.Repeat(" ", 8<<10))}, answers: 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inner := newDialled()
			unread := make(chan string, 10)
			connections := validator.NewConnections(10, func() { t.Error("refused") }, func(remote net.Addr) { unread <- remote.String() })
			o := options(byChain())
			o.Limits.Body = 4 << 10
			ended := make(chan struct{})
			server := &http.Server{
				Handler: connections.Handler(validator.New(o)), ConnContext: connections.Context, MaxHeaderBytes: 4 << 10,
				ConnState: func(conn net.Conn, state http.ConnState) {
					connections.State(conn, state)
					if state == http.StateClosed {
						close(ended)
					}
				},
			}
			served := make(chan error)
			go func() { served <- server.Serve(connections.Listen(inner)) }()

			client, conn := inner.dial("client " + tc.name)
			tc.speak(t, client)
			<-ended
			if err := server.Close(); err != nil {
				t.Error(err)
			}
			<-served
			close(unread)
			var told []string
			for remote := range unread {
				told = append(told, remote)
			}
			if tc.unread != (len(told) == 1) || len(told) > 1 || tc.unread && told[0] != conn.name.String() {
				t.Errorf("told: %q", told)
			}
		})
	}
}

// speak says what the client says, reads the answers and hangs up.
func (s spoken) speak(t *testing.T, client net.Conn) {
	t.Helper()
	answers := bufio.NewReader(client)
	for i, text := range s.says {
		n := s.answers
		if len(s.says) > 1 {
			n = min(1, s.answers-i)
		}
		said := make(chan struct{})
		go func() {
			defer close(said)
			_, _ = io.WriteString(client, text) // A server that answers early does not listen to the end.
		}()
		if n == 0 {
			<-said
		}
		for range n {
			response, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, response.Body); err != nil {
				t.Fatal(err)
			}
		}
	}
	client.Close()
}
