package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// Query says which records are wanted: those that have one of the values of every
// list that is not empty. Its zero value wants every decision. A record that has no
// value never matches a list.
type Query struct {
	// From is the earliest time of a record, To the first that is too late.
	From, To time.Time

	// Verdict is accept or reject, Phase request, start, running, stop or unknown,
	// and Direction upload, download or unknown.
	Verdict, Phase, Direction []string
	// The following are globs as policies have them for users: * and ? stand for
	// any character. Rule can be written policy/rule. Policy to Kind are those of a
	// refusal.
	Code, Policy, Rule, Kind               []string
	User, Host, Client, Instance, Revision []string
	Session, Transfer, ID                  []string
	// File has globs of paths as policies have them.
	File []string
	// Digest has digests in hex: of the server, or found by looking into the file.
	Digest []string
	// ClientIP has addresses and networks such as 203.0.113.0/24.
	ClientIP []string
	// Where is an expression (CEL) about the variable record.
	Where string
	// Notes wants the records that the log makes of itself, too: those whose time
	// fits, if nothing else is asked.
	Notes bool
}

// QueryError says what is wrong with a query.
type QueryError struct {
	// Field is the name of what is wrong: verdict, client_ip, where…
	Field string
	// Message says what, and how to mend it.
	Message string
}

// Error implements error.
func (e *QueryError) Error() string { return e.Field + ": " + e.Message }

// Search is a compiled Query. It does one reading at a time.
type Search struct {
	scan
	from  time.Time
	notes bool
	tests []test
	where *where
}

// test is one condition of a query.
type test struct {
	segment func(*Index) bool
	line    func([]byte) bool
	record  func(*Record) bool
}

// Compile checks a query. The error joins a *QueryError for each mistake.
func (q *Query) Compile() (*Search, error) {
	s := &Search{from: q.From, notes: q.Notes && q.Where == ""}
	var wrong []error
	add := func(t *test, err error) {
		switch {
		case err != nil:
			wrong = append(wrong, err)
		case t != nil:
			s.tests = append(s.tests, *t)
		}
	}
	add(timeTest(q.From, q.To))
	window := len(s.tests)
	for _, c := range closedFields {
		add(c.test(c.of(q)))
	}
	for _, f := range textFields {
		add(f.test(f.of(q)))
	}
	add(fileTest(q.File))
	add(digestTest(q.Digest))
	add(addressTest(q.ClientIP))
	if len(s.tests) > window {
		s.notes = false
	}
	if q.Where != "" {
		var err error
		if s.where, err = compileWhere(q.Where); err != nil {
			wrong = append(wrong, err)
		}
	}
	s.segment, s.record = s.maySegment, s.wants
	if len(s.tests) > 0 {
		s.line = s.mayLine
	}
	return s, errors.Join(wrong...)
}

// Read reads a log as the function Read does.
func (s *Search) Read(ctx context.Context, from string) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		s.stats = ReadStats{}
		y := &yielding{yield: yield}
		folder, err := isFolder(from)
		switch {
		case err != nil:
			y.err(fmt.Errorf("the decision log: %w", err))
		case folder:
			s.folder(ctx, from, y)
		default:
			s.file(ctx, from, y)
		}
	}
}

// ReadFrom reads lines that come in, compressed or not. name is told in errors.
func (s *Search) ReadFrom(ctx context.Context, name string, in io.Reader) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		s.stats = ReadStats{}
		y := &yielding{yield: yield}
		r := segmentReader{name: name, open: true}
		if err := r.sniff(in); err != nil {
			y.err(fmt.Errorf("%s: %w", name, err))
			return
		}
		if r.packed != nil {
			defer r.packed.Close()
		}
		s.stats.Segments++
		s.lines(ctx, name, r.Reader, false, y)
	}
}

// From returns the earliest time of a record that is wanted; zero if any will do.
func (s *Search) From() time.Time { return s.from }

// Stats returns what the reading that is under way, or was the last, has done.
func (s *Search) Stats() ReadStats { return s.stats }

func (s *Search) maySegment(x *Index) bool {
	for i := range s.tests {
		if t := s.tests[i].segment; t != nil && !t(x) {
			return false
		}
	}
	return true
}

func (s *Search) mayLine(line []byte) bool {
	for i := range s.tests {
		if t := s.tests[i].line; t != nil && !t(line) {
			return false
		}
	}
	return true
}

func (s *Search) wants(r *Record) bool {
	if r.Note != "" && !s.notes {
		return false
	}
	for i := range s.tests {
		if !s.tests[i].record(r) {
			return false
		}
	}
	if s.where == nil {
		return true
	}
	holds, err := s.where.holds(r)
	if err != nil {
		s.stats.Untold++
		return false
	}
	return holds
}

// timeTest is the test of a window of time.
func timeTest(from, to time.Time) (*test, error) {
	switch {
	case from.IsZero() && to.IsZero():
		return nil, nil
	case !to.IsZero() && !from.Before(to):
		return nil, &QueryError{"time", fmt.Sprintf("nothing is from %s on and before %s", from.Format(time.RFC3339), to.Format(time.RFC3339))}
	}
	within := func(t time.Time) bool { return !t.Before(from) && (to.IsZero() || t.Before(to)) }
	return &test{
		segment: func(x *Index) bool { return !x.To.Before(from) && (to.IsZero() || x.From.Before(to)) },
		line: func(line []byte) bool {
			t, known := timeOf(line)
			return !known || within(t)
		},
		record: func(r *Record) bool { return within(r.Time) },
	}, nil
}

// fileTest is the test of the path of the file.
func fileTest(globs []string) (*test, error) {
	if len(globs) == 0 {
		return nil, nil
	}
	var paths rules.PathGlobs
	var wrong []error
	for i, glob := range globs {
		if err := rules.CheckPathGlob(glob); err != nil {
			wrong = append(wrong, &QueryError{"file", err.Error()})
			continue
		}
		paths.Add(glob, int32(i))
	}
	return &test{
		line: anyOf(globs, func(glob string) string { return longest(glob, globMeta+"/") }),
		record: func(r *Record) bool {
			return r.Event != nil && r.Event.File != "" && paths.Match(rules.ParsePath(r.Event.File).Slash)
		},
	}, errors.Join(wrong...)
}
