package scan

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"time"
)

// stream is a Session of clamd's INSTREAM command. The answer is read beside
// the writing, so that one that comes early is noticed.
type stream struct {
	conn net.Conn
	ctx  context.Context //nolint:containedctx // io.Writer has no place for it.
	done func()
	sent int64
	// ended is set when clamd has been told that the file has ended.
	ended bool

	header [4]byte
	parts  [2][]byte

	answered chan struct{} // closed when text and err are there
	text     string
	err      error
}

// stream begins an INSTREAM command. When ctx is done the connection is closed.
func (c *Clamd) stream(ctx context.Context) (Session, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, longestScan)
	s := &stream{conn: conn, ctx: ctx, answered: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	s.done = func() { stop(); cancel() }
	go func() {
		defer close(s.answered)
		s.text, s.err = readAnswer(conn)
	}()
	if _, err := conn.Write([]byte("zINSTREAM\x00")); err != nil {
		err = broken(ctx, err) // Before Close ends ctx itself.
		s.Close()
		return nil, err
	}
	return s, nil
}

// Write implements Session.
func (s *stream) Write(p []byte) (int, error) {
	select {
	case <-s.answered:
		return 0, s.early()
	default:
	}
	if len(p) == 0 { // It would say that the file has ended.
		return 0, nil
	}
	binary.BigEndian.PutUint32(s.header[:], uint32(len(p)))
	s.parts = [2][]byte{s.header[:], p}
	buffers := net.Buffers(s.parts[:])
	if _, err := buffers.WriteTo(s.conn); err != nil {
		return 0, s.refused(err)
	}
	s.sent += int64(len(p))
	return len(p), nil
}

// lastWords is how long clamd has for saying why it takes no more.
const lastWords = time.Second

// refused says why clamd took no more: it may have answered before.
func (s *stream) refused(err error) error {
	if s.ctx.Err() == nil {
		_ = s.conn.SetReadDeadline(time.Now().Add(lastWords)) // A closed connection ends the wait as well.
	}
	<-s.answered
	if s.err != nil {
		return broken(s.ctx, err)
	}
	return ErrAnswered
}

// early says that clamd has answered before the end.
func (s *stream) early() error {
	if s.err != nil {
		return broken(s.ctx, s.err)
	}
	return ErrAnswered
}

// Finish implements Session.
func (s *stream) Finish(ctx context.Context) (Answer, error) {
	if err := s.end(); err != nil {
		return Answer{}, err
	}
	select {
	case <-s.answered:
	case <-ctx.Done():
		return Answer{}, broken(ctx, context.Cause(ctx))
	}
	if s.err != nil {
		return Answer{}, broken(s.ctx, s.err)
	}
	signature, err := parseAnswer(s.text)
	switch {
	case err != nil:
		return Answer{}, err
	case signature == "" && !s.ended:
		return Answer{}, fmt.Errorf("%w: %q before the end of the file", ErrAnswer, s.text)
	default:
		return Answer{Signature: signature, Inspected: s.sent}, nil
	}
}

// end tells clamd that the file has ended, unless it has answered already.
func (s *stream) end() error {
	select {
	case <-s.answered:
		return nil
	default:
	}
	if _, err := s.conn.Write(make([]byte, 4)); err != nil {
		if err := s.refused(err); err != ErrAnswered { //nolint:errorlint // Never wrapped.
			return err
		}
		return nil
	}
	s.ended = true
	return nil
}

// Close implements Session.
func (s *stream) Close() {
	s.done()
	_ = s.conn.Close() // Whatever there was to say has been said.
	<-s.answered
}
