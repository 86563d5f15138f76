package scan

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// fakeICAP is an ICAP server that answers as a test wants it.
type fakeICAP struct {
	// options is the whole answer to OPTIONS; empty is offers(1024).
	options string
	// scan answers one RESPMOD. It returns false to end the connection.
	scan func(p *peer, request []string) (goOn bool)
	// tls, if not nil, makes it an icaps server.
	tls *tls.Config

	url string

	mu          sync.Mutex
	connections int
	asked       int
	files       [][]byte
	heads       []string
}

// peer is one connection as the server sees it.
type peer struct {
	net.Conn
	in     *bufio.Reader
	server *fakeICAP
}

// offers is what most servers say that they can.
func offers(preview int, more ...string) string {
	return answer(append([]string{
		"ICAP/1.0 200 OK", "Methods: RESPMOD, REQMOD", "Service: Fake/1.0", `ISTag: "fake-1"`, fmt.Sprintf("Preview: %d", preview), "Allow: 204", "Encapsulated: null-body=0",
	}, more...)...)
}

// answer puts lines together as the head of an answer.
func answer(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n\r\n" }

// page is a 200 that encapsulates an HTTP head and a body.
func page(head, body string, fields ...string) string {
	head = answer(head, "Content-Type: text/html")
	lines := append([]string{"ICAP/1.0 200 OK", `ISTag: "fake-1"`}, fields...)
	return answer(append(lines, fmt.Sprintf("Encapsulated: res-hdr=0, res-body=%d", len(head)))...) + head + inChunks(body)
}

func inChunks(body string) string {
	if body == "" {
		return lastChunk
	}
	return fmt.Sprintf("%x\r\n%s\r\n%s", len(body), body, lastChunk)
}

const (
	noContent  = "ICAP/1.0 204 No Content\r\nISTag: \"fake-1\"\r\n\r\n"
	goOnPlease = "ICAP/1.0 100 Continue\r\n\r\n"
)

// start lets the server listen until the test ends, which leaves no goroutine
// behind.
func (f *fakeICAP) start(t *testing.T) *fakeICAP {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.url = "icap://" + listener.Addr().String() + "/scan"
	if f.tls != nil {
		listener = tls.NewListener(listener, f.tls)
		f.url = "icaps://" + listener.Addr().String() + "/scan"
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Add(1)
	go func() {
		defer serving.Done()
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.connections++
			f.mu.Unlock()
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			serving.Add(1)
			go func() {
				defer serving.Done()
				defer stop()
				defer conn.Close()
				f.serve(&peer{conn, bufio.NewReader(conn), f})
			}()
		}
	}()
	t.Cleanup(func() {
		cancel()
		listener.Close()
		serving.Wait()
	})
	return f
}

func (f *fakeICAP) serve(p *peer) {
	for {
		request := p.lines()
		switch {
		case len(request) == 0:
			return
		case strings.HasPrefix(request[0], "OPTIONS "):
			f.mu.Lock()
			f.asked++
			options := f.options
			f.mu.Unlock()
			if options == "" {
				options = offers(1024)
			}
			p.say(options)
		default:
			f.mu.Lock()
			scan := f.scan
			f.mu.Unlock()
			if !scan(p, request) {
				return
			}
		}
	}
}

// count returns how many connections and questions there were.
func (f *fakeICAP) count() (connections, asked int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.connections, f.asked
}

// offer changes what the server says that it can.
func (f *fakeICAP) offer(options string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.options = options
}

// answerBy changes how the server answers.
func (f *fakeICAP) answerBy(scan func(*peer, []string) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.scan = scan
}

// got returns the files that the server has read, and the heads before them.
func (f *fakeICAP) got() (files [][]byte, heads []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.files, f.heads
}

// lines reads up to an empty line.
func (p *peer) lines() (all []string) {
	for {
		line, err := p.in.ReadString('\n')
		if err != nil || line == "\r\n" {
			return all
		}
		all = append(all, strings.TrimSuffix(line, "\r\n"))
	}
}

func (p *peer) say(text string) bool {
	_, err := io.WriteString(p, text)
	return err == nil
}

// chunks reads up to the last chunk, whose extension it returns.
func (p *peer) chunks() (body []byte, extension string, err error) {
	for {
		line, err := p.in.ReadString('\n')
		if err != nil {
			return body, "", err
		}
		size, extension, _ := strings.Cut(strings.TrimSuffix(line, "\r\n"), "; ")
		var n int
		if _, err := fmt.Sscanf(size, "%x", &n); err != nil {
			return body, "", errors.New("no chunk: " + line)
		}
		piece := make([]byte, n+2)
		if _, err := io.ReadFull(p.in, piece); err != nil {
			return body, "", err
		}
		if n == 0 {
			return body, extension, nil
		}
		body = append(body, piece[:n]...)
	}
}

// file reads all of a file, and asks for what follows the preview. It keeps what
// it got.
func (p *peer) file(request []string) (body []byte, ok bool) {
	asked, answered := p.lines(), p.lines()
	body, extension, err := p.chunks()
	if err == nil && has(request, "Preview: ") && extension != "ieof" {
		var rest []byte
		p.say(goOnPlease)
		rest, _, err = p.chunks()
		body = append(body, rest...)
	}
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	p.server.files = append(p.server.files, bytes.Clone(body))
	p.server.heads = append(p.server.heads, strings.Join(request, "\n")+"\n\n"+strings.Join(asked, "\n")+"\n\n"+strings.Join(answered, "\n"))
	return body, err == nil
}

// has reports whether one of the lines begins with a text.
func has(lines []string, text string) bool {
	for _, line := range lines {
		if strings.HasPrefix(line, text) {
			return true
		}
	}
	return false
}

// says answers with a text after all of the file.
func says(text string) func(*peer, []string) bool {
	return func(p *peer, request []string) bool {
		_, ok := p.file(request)
		return ok && p.say(text)
	}
}

// saysAfterPreview answers with a text after the preview.
func saysAfterPreview(text string) func(*peer, []string) bool {
	return func(p *peer, _ []string) bool {
		p.lines()
		p.lines()
		_, _, err := p.chunks()
		return err == nil && p.say(text)
	}
}

// echoes sends the file back, changed by a function.
func echoes(change func([]byte) []byte) func(*peer, []string) bool {
	return func(p *peer, request []string) bool {
		body, ok := p.file(request)
		return ok && p.say(page("HTTP/1.1 200 OK", string(change(body))))
	}
}

// icapOf returns a client of a server.
func icapOf(t *testing.T, f *fakeICAP, o ICAPOptions) *ICAP {
	t.Helper()
	o.URL = f.url
	c, err := NewICAP(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// scanned has a file scanned in pieces of a size.
func scanned(ctx context.Context, c Scanner, file []byte, piece int) (Answer, error) {
	s, err := c.Open(ctx, "/in/film.mov", int64(len(file)))
	if err != nil {
		return Answer{}, err
	}
	defer s.Close()
	for rest := file; len(rest) > 0; {
		n := min(piece, len(rest))
		if _, err := s.Write(rest[:n]); errors.Is(err, ErrAnswered) {
			break
		} else if err != nil {
			return Answer{}, err
		}
		rest = rest[n:]
	}
	return s.Finish(ctx)
}
