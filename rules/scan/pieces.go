package scan

import (
	"context"
	"errors"
	"fmt"
)

// pieces is a Session that gives a file larger than the scanner takes to it in
// pieces, each in a session of its own and with the end of the one before at its
// beginning. What is found in a piece is found in the file; a file of several
// pieces without a finding is not clean, because a scanner that sees a part of
// an archive or a program may not see what it is.
type pieces struct {
	open           func() (Session, error)
	limit, overlap int64
	current        Session
	held           int64 // bytes of the current piece
	shared         int64 // of these, how many the piece before had too
	count          int64
	inspected      int64 // bytes of earlier pieces that the scanner has looked at
	tail           []byte
	early          *result // what ended the session before the end of the file
	limited        error   // what the scanner says it has left out of a piece
}

type result struct {
	answer Answer
	err    error
}

// newPieces begins the first piece of at most limit bytes.
func newPieces(limit, overlap int64, open func() (Session, error)) (Session, error) {
	current, err := open()
	if err != nil {
		return nil, err
	}
	return &pieces{open: open, limit: limit, overlap: min(overlap, limit/4), current: current, count: 1}, nil
}

// Write implements Session.
func (s *pieces) Write(p []byte) (written int, err error) {
	if s.early != nil {
		return 0, ErrAnswered
	}
	for len(p) > 0 {
		if s.held == s.limit {
			if err := s.next(); err != nil {
				return written, err
			}
		}
		part := p[:min(int64(len(p)), s.limit-s.held)]
		if _, err := s.current.Write(part); err != nil {
			return written, err
		}
		s.keep(part)
		s.held += int64(len(part))
		written += len(part)
		p = p[len(part):]
	}
	return written, nil
}

// keep keeps as much of a part as the next piece begins with.
func (s *pieces) keep(part []byte) {
	before := s.limit - s.overlap - s.held
	if before >= int64(len(part)) {
		return
	}
	if s.tail == nil {
		s.tail = make([]byte, 0, s.overlap)
	}
	s.tail = append(s.tail, part[max(before, 0):]...)
}

// next ends a piece and begins another.
func (s *pieces) next() error {
	answer, err := s.current.Finish(context.Background()) // It ends with the context that it was opened with.
	switch {
	case answer.Signature != "":
		s.early = &result{answer: answer}
		return ErrAnswered
	case errors.Is(err, ErrLimit):
		s.limited = err
	case err != nil:
		s.early = &result{err: err}
		return err
	default:
		s.inspected += answer.Inspected - s.shared
	}
	s.current.Close()
	if s.current, err = s.open(); err != nil {
		s.current = closed{}
		s.early = &result{err: err}
		return err
	}
	if _, err := s.current.Write(s.tail); err != nil {
		return err
	}
	s.held, s.shared = int64(len(s.tail)), int64(len(s.tail))
	s.tail = s.tail[:0]
	s.count++
	return nil
}

// Finish implements Session.
func (s *pieces) Finish(ctx context.Context) (Answer, error) {
	last := result{}
	if s.early != nil {
		last = *s.early
	} else {
		last.answer, last.err = s.current.Finish(ctx)
	}
	if s.count == 1 {
		return last.answer, last.err
	}
	if last.answer.Inspected > s.shared {
		s.inspected += last.answer.Inspected - s.shared
	}
	all := Answer{Signature: last.answer.Signature, Inspected: s.inspected}
	switch {
	case all.Signature != "":
		return all, nil
	case last.err != nil:
		return all, last.err
	case s.limited != nil:
		return all, s.limited
	default:
		return all, fmt.Errorf("%w: it was scanned in %d overlapping pieces of %d bytes at most", ErrLimit, s.count, s.limit)
	}
}

// Close implements Session.
func (s *pieces) Close() { s.current.Close() }

// closed is a Session that could not be opened.
type closed struct{}

// Write implements Session.
func (closed) Write([]byte) (int, error) { return 0, ErrAnswered }

// Finish implements Session.
func (closed) Finish(context.Context) (Answer, error) { return Answer{}, ErrDown }

// Close implements Session.
func (closed) Close() {}
