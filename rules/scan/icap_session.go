package scan

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net"
	"strings"
)

// icapSession is one RESPMOD transaction.
type icapSession struct {
	client  *ICAP
	service *icapService
	ctx     context.Context //nolint:containedctx // Write has no place for it.
	cancel  context.CancelFunc
	size    int64

	// head is the request's head until it is sent; held is what stands for the
	// preview while previewing.
	head       []byte
	held       []byte
	previewing bool

	conn    *icapConn
	unbind  func() bool
	reading *icapReading

	sent     int64
	digest   maphash.Hash
	err      error
	finished bool
}

// connect takes a connection and begins to listen on it. One that was kept is
// used only where the request can be sent again on a fresh one.
func (s *icapSession) connect(fresh bool) (err error) {
	if !fresh {
		s.conn = s.client.idle.take()
	}
	if s.conn == nil {
		if s.conn, err = s.client.dial(s.ctx); err != nil {
			return err
		}
	}
	s.unbind = s.conn.bound(s.ctx)
	s.reading = newICAPReading(s.conn)
	go s.reading.run()
	return nil
}

// Write implements Session.
func (s *icapSession) Write(p []byte) (int, error) {
	switch {
	case s.finished:
		return 0, errFinished
	case s.err != nil:
		return 0, s.err
	case len(p) == 0:
		return 0, nil
	case s.size >= 0 && s.sent+int64(len(p)) > s.size:
		s.err = fmt.Errorf("the file has more than the %d bytes that were announced", s.size)
		return 0, s.err
	}
	_, _ = s.digest.Write(p) // Never fails.
	s.sent += int64(len(p))
	rest := p
	if s.previewing {
		n := min(s.service.preview-len(s.held), len(p))
		s.held, rest = append(s.held, p[:n]...), p[n:]
		if len(rest) == 0 { // The file may end here.
			return len(p), nil
		}
		if s.err = s.preview(); s.err != nil {
			s.sent -= int64(len(rest))
			return 0, s.err
		}
	}
	if !s.send(s.head, rest, "") {
		s.sent -= int64(len(rest))
		s.err = s.answered()
		return 0, s.err
	}
	s.head = nil
	return len(p), nil
}

// errFinished says that a session is used after its end.
var errFinished = errors.New("the scan has been finished")

// preview sends the preview of a file that goes on, and waits until the server
// wants the rest. The error is ErrAnswered if it does not.
func (s *icapSession) preview() error {
	for {
		s.reading.pause()
		s.send(s.head, s.held, lastChunk)
		select { // Either comes, at the latest when ctx ends.
		case <-s.reading.continued:
			s.head, s.held, s.previewing = nil, nil, false
			return nil
		case <-s.reading.done:
		}
		if !s.stale() {
			return s.answered()
		}
		if err := s.reconnect(); err != nil {
			return err
		}
	}
}

// stale reports whether the server had given up the connection that was kept for
// this session, before it said anything.
func (s *icapSession) stale() bool {
	return s.conn.used && s.reading.silent() && s.ctx.Err() == nil
}

// reconnect goes on with a new connection.
func (s *icapSession) reconnect() (err error) {
	s.hangUp()
	s.client.idle.drain()
	return s.connect(true)
}

// What ends a body: its last chunk, and the same for a preview that is all.
const lastChunk, wholeFile = "0\r\n\r\n", "0; ieof\r\n\r\n"

// send sends a head, a piece of the body and what follows it, and reports
// whether the connection took it. If not, the reading tells why.
func (s *icapSession) send(head, piece []byte, end string) bool {
	select {
	case <-s.reading.done:
		return false
	default:
	}
	parts := make(net.Buffers, 0, 5)
	parts = append(parts, head)
	if len(piece) > 0 {
		parts = append(parts, fmt.Appendf(nil, "%x\r\n", len(piece)), piece, []byte("\r\n"))
	}
	parts = append(parts, []byte(end))
	_, err := parts.WriteTo(s.conn.Conn)
	return err == nil
}

// answered says why the session cannot go on: because the server has answered,
// or why that answer could not be read.
func (s *icapSession) answered() error {
	<-s.reading.done // Comes with the end of the connection, or with that of ctx.
	switch {
	case s.reading.err == nil:
		return ErrAnswered
	case s.ctx.Err() != nil:
		return context.Cause(s.ctx)
	default:
		return s.reading.err
	}
}

// Finish implements Session.
func (s *icapSession) Finish(ctx context.Context) (Answer, error) {
	if s.finished {
		return Answer{}, errFinished
	}
	s.finished = true
	defer s.Close()
	stop := context.AfterFunc(ctx, s.cancel)
	defer stop()
	if s.err == nil && s.size >= 0 && s.sent < s.size {
		s.err = fmt.Errorf("the file has %d bytes instead of the %d that were announced", s.sent, s.size)
	}
	if s.err == nil {
		s.err = s.end()
	}
	if s.err != nil && !errors.Is(s.err, ErrAnswered) {
		return Answer{}, because(ctx, s.err)
	}
	s.client.sawTag(s.reading.verdict.tag)
	return s.answer()
}

// end says that the file has ended, and waits for the answer.
func (s *icapSession) end() error {
	for {
		s.reading.expect(&icapWhole{size: s.sent, seed: s.digest.Seed(), sum: s.digest.Sum64()})
		end := lastChunk
		if s.previewing {
			end = wholeFile
		}
		s.send(s.head, s.held, end)
		if err := s.answered(); !s.previewing || !s.stale() {
			return err
		}
		if err := s.reconnect(); err != nil {
			return err
		}
	}
}

// answer says what the server's answer means for the file.
func (s *icapSession) answer() (Answer, error) {
	v, preview := s.reading.verdict, int64(max(s.service.preview, 0))
	switch {
	case strings.HasPrefix(v.signature, limitsExceeded):
		return Answer{}, fmt.Errorf("%w: it says %s", ErrLimit, v.signature)
	case v.signature != "":
		return Answer{Signature: v.signature, Inspected: s.sent}, nil
	case s.reading.early:
		return Answer{Inspected: min(preview, s.sent)}, fmt.Errorf("%w: it let it pass before it had all of it", ErrUnscanned)
	case v.echoed && s.service.allows204 && s.sent > 0:
		return Answer{}, fmt.Errorf("%w: it sent it back instead of answering 204", ErrUnscanned)
	default:
		return Answer{Inspected: s.sent}, nil
	}
}

// limitsExceeded begins what clamd, behind an ICAP server, calls a file that it
// did not look into to its end.
const limitsExceeded = "Heuristics.Limits.Exceeded"

// Close implements Session.
func (s *icapSession) Close() {
	s.finished = true
	s.hangUp()
	s.cancel()
}

// hangUp keeps the connection for the next session if its answer has been read
// to the end, and closes it otherwise.
func (s *icapSession) hangUp() {
	if s.conn == nil {
		return
	}
	conn, ended := s.conn, false
	s.conn = nil
	select {
	case <-s.reading.done:
		ended = s.reading.err == nil && s.reading.verdict.keep
	default:
	}
	if s.unbind() && ended {
		s.client.idle.put(conn)
		return
	}
	_ = conn.Close() // What was read from it is all that matters.
	<-s.reading.done
}
