package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/sluiceproject/sluice/policies/store"
	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/journal"
)

// storedLog, in the place of a log's folder, is what all services have sent to the
// policy store. A folder of this name is written ./store.
const storedLog = "store"

// openStored opens the policy store of the configuration.
func (s *logSource) openStored(ctx context.Context) (*store.Store, error) {
	if s.Config == "" {
		return nil, errors.New("which policy store? Name the service's configuration with --config, whose state says where it is; a folder called store is written ./store")
	}
	opened, _, err := (&storeFlags{Config: s.Config}).open(ctx)
	if errors.Is(err, errNoStore) {
		return nil, fmt.Errorf("%s has no state, so there is no policy store; a folder called store is written ./store", rules.Printable(s.Config))
	}
	return opened, err
}

// readStored reads the decisions of all services in the order in which they came to
// the store.
func (s *logSource) readStored(ctx context.Context, search *journal.Search) iter.Seq2[*journal.Entry, error] {
	return func(yield func(*journal.Entry, error) bool) {
		opened, err := s.openStored(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		defer opened.Close()
		readStream(ctx, opened, search, store.DecisionQuery{Since: search.From()})(yield)
	}
}

// readStream searches a part of the stream. Lines of it that are no records are told
// one by one; that the store is away ends it.
func readStream(ctx context.Context, from *store.Store, search *journal.Search, q store.DecisionQuery) iter.Seq2[*journal.Entry, error] {
	return func(yield func(*journal.Entry, error) bool) {
		in := newStoredLines(from.Decisions(ctx, q))
		defer in.stop()
		for e, err := range search.ReadFrom(ctx, "the policy store", in) {
			if in.err != nil {
				break
			}
			if !yield(e, err) {
				return
			}
		}
		if in.err != nil {
			yield(nil, in.err)
		}
	}
}

// storedLines are the lines of the stream as a log has them.
type storedLines struct {
	next func() (store.StoredDecision, error, bool)
	stop func()
	line []byte // what is left of one
	end  bool   // its line feed is left
	err  error  // why there is no more, nil at the end of the stream
}

func newStoredLines(from iter.Seq2[store.StoredDecision, error]) *storedLines {
	next, stop := iter.Pull2(from)
	return &storedLines{next: next, stop: stop}
}

// Read implements io.Reader. It returns at most one line: whoever follows the stream
// does not wait for more of it.
func (l *storedLines) Read(p []byte) (n int, err error) {
	if len(l.line) == 0 && !l.end {
		d, err, more := l.next()
		if err != nil {
			l.err = err
		}
		if err != nil || !more {
			return 0, io.EOF
		}
		l.line, l.end = d.Line, true
	}
	n = copy(p, l.line)
	if l.line = l.line[n:]; len(l.line) == 0 && n < len(p) {
		p[n] = '\n'
		n, l.end = n+1, false
	}
	return n, nil
}

// tailStored shows the end of the stream, and with -f what comes.
func (c *logTailCmd) tailStored(ctx context.Context, search *journal.Search, t *tailing) error {
	opened, err := c.openStored(ctx)
	if err != nil {
		return err
	}
	defer opened.Close()
	first, last, err := opened.DecisionMessages(ctx)
	if err != nil {
		return err
	}
	shown, err := c.lastStored(ctx, opened, search, first, last, t)
	if err != nil {
		return err
	}
	if !c.Follow {
		return t.trouble.status(search, shown > 0)
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	for e, err := range readStream(ctx, opened, search, store.DecisionQuery{From: last + 1, Follow: true}) {
		if err := t.take(e, err); err != nil {
			return err
		}
	}
	return nil
}

// lastStored shows the last records that are wanted. It reads the stream from
// further and further back until it has them.
func (c *logTailCmd) lastStored(ctx context.Context, from *store.Store, search *journal.Search, first, last uint64, t *tailing) (shown int, err error) {
	if last == 0 || c.Lines == 0 {
		return 0, nil
	}
	for back := uint64(64); ; back *= 8 {
		q := store.DecisionQuery{From: first, To: last}
		if last-first > back {
			q.From = last - back
		}
		var found []*journal.Entry
		var wrong []error
		for e, err := range readStream(ctx, from, search, q) {
			if place := (*journal.ReadError)(nil); errors.As(err, &place) {
				wrong = append(wrong[max(0, len(wrong)-maxShownWrong):], err)
				continue
			}
			if err != nil {
				return 0, err
			}
			kept := *e
			kept.Text = slices.Clone(e.Text)
			if found = append(found, &kept); len(found) > 2*c.Lines+16 {
				found = slices.Clone(found[len(found)-c.Lines:])
			}
		}
		if len(found) < c.Lines && q.From > first {
			continue
		}
		for _, err := range wrong {
			if err := t.take(nil, err); err != nil {
				return 0, err
			}
		}
		found = found[max(0, len(found)-c.Lines):]
		for _, e := range found {
			if err := t.take(e, nil); err != nil {
				return 0, err
			}
		}
		return len(found), nil
	}
}

// maxShownWrong is how many places of the stream that cannot be read are kept to be
// told.
const maxShownWrong = 100

// storedText writes a line a record, and before it which service decided.
type storedText struct {
	*logText
	width int
}

// withInstances has what writes the records of several services tell them apart,
// where its lines do not have all of the record anyway.
func withInstances(path string, w logWriter) logWriter {
	if text, ok := w.(*logText); ok && path == storedLog {
		return &storedText{logText: text}
	}
	return w
}

func (w *storedText) write(e *journal.Entry) error {
	name := orDash(rules.Printable(e.Instance))
	const most = 40
	n := utf8.RuneCountInString(name)
	w.width = max(w.width, min(n, most))
	if _, err := fmt.Fprintf(w.out, "%s%s  ", name, strings.Repeat(" ", max(w.width-n, 0))); err != nil {
		return err
	}
	return w.logText.write(e)
}
