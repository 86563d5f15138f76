package rules

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/sluiceproject/sluice/rules/scan"
)

func scanKind() Kind {
	return Kind{
		Name: "scan",
		Doc:  "a content scanner finds something in the file; `with` names the scanner, one of `scanners` in the service's configuration",
		Schema: `{
	"type": "object", "additionalProperties": false, "minProperties": 1, "required": ["with"], "examples": [{"with": "clamav"}],
	"properties": {
		"with": {"type": "string", "minLength": 1, "maxLength": 64, "description": "The scanner: a name under scanners in the service's configuration.", "examples": ["clamav"]}
	}
}`,
		Phases:       OnlyStop,
		Late:         "all of the file is there when it has stopped",
		NeedsFile:    true,
		Cost:         File,
		Reads:        "the file",
		Fields:       []string{},
		Needs:        "files in the service's configuration, so that it can read them, and a scanner under scanners",
		Code:         "1032",
		Placeholders: []string{"found", "scanner"},
		Saw:          func(e *Event) string { return e.File.ShownName() },
		Compile:      compileScan,
	}
}

func compileScan(env Env, dec Decoder) (Compiled, error) {
	var spec struct {
		With string `json:"with"`
	}
	if err := dec.Decode(&spec); err != nil {
		return Compiled{}, err
	}
	values := map[string]string{"scanner": spec.With}
	s := &scanning{
		name:    spec.With,
		refused: builtinMessage("{name} is refused: the scanner {scanner} found {found} in it. Do not send it again, and have your machine checked."),
	}
	if env.Scanners == nil {
		missing := fmt.Errorf("the scanner %q is not configured", spec.With)
		return Compiled{Values: values, Recall: s.recall, Inspect: func(_ context.Context, l *Look) Finding {
			return FoundNothing(missing, 0, l.Size())
		}}, nil
	}
	var err error
	if s.pool, err = env.Scanners(spec.With); err != nil {
		return Compiled{}, placed("/with", err)
	}
	return Compiled{Waits: true, Values: values, Recall: s.recall, Inspect: s.inspect, Consume: s.consume}, nil
}

// scanning is a compiled scan rule.
type scanning struct {
	name    string
	pool    *scan.Pool
	refused *Template
}

// stateOf is how a scanner's memory knows a file.
func stateOf(i Identity) scan.File {
	return scan.File{Device: i.Device, Inode: i.Inode, Size: i.Size, Modified: i.Modified.UnixNano(), Status: i.Status.UnixNano()}
}

// consume begins to scan beside the other rules that read the file. What would
// have to wait for its turn or for somebody else's answer, or needs no reading,
// is left to inspect: nobody else is to wait for it.
func (s *scanning) consume(ctx context.Context, l *Look) (Consumer, error) {
	file, err := l.File(ctx)
	if err != nil {
		return nil, err
	}
	state := stateOf(file.Identity())
	if _, open := file.(Descriptor); open && s.pool.TakesDescriptor(state.Size) {
		return nil, nil
	}
	job := s.pool.TryBegin(ctx, state)
	if job == nil {
		return nil, nil
	}
	return &scanConsumer{scanning: s, look: l, file: file, job: job, err: job.Open(ctx, l.Event.File.Name(), state.Size)}, nil
}

// scanConsumer is a Consumer that gives what it is given to a scanner.
type scanConsumer struct {
	*scanning
	look *Look
	file Handle
	job  *scan.Job
	err  error // why the scan has not begun
}

// Write implements Consumer.
func (c *scanConsumer) Write(piece []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	return c.job.Write(piece)
}

// Finish implements Consumer.
func (c *scanConsumer) Finish(ctx context.Context, _ int64, err error) Finding {
	defer c.job.Close()
	if c.err != nil {
		err = c.err
	}
	// A scanner that was given a file which changes may have found something.
	if err != nil && !errors.Is(err, scan.ErrAnswered) && !errors.Is(err, ErrChanged) {
		return c.finding(c.look, scan.Answer{}, err, c.file.Identity().Size)
	}
	return c.conclude(c.look, c.file, c.job, func() (scan.Answer, error) { return c.job.Finish(ctx) })
}

// inspect scans the file by itself, unless the answer is known.
func (s *scanning) inspect(ctx context.Context, l *Look) Finding {
	file, err := l.File(ctx)
	if err != nil {
		return FoundNothing(err, 0, l.Size())
	}
	state := stateOf(file.Identity())
	job, known, err := s.pool.Begin(ctx, state)
	switch {
	case err != nil:
		return FoundNothing(err, 0, state.Size)
	case known != nil:
		return s.unless(l, file.Unchanged(), *known, state.Size)
	}
	defer job.Close()
	return s.conclude(l, file, job, func() (scan.Answer, error) {
		if open, ok := file.(Descriptor); ok && s.pool.TakesDescriptor(state.Size) {
			return job.Descriptor(ctx, state.Size, open.Control)
		}
		if err := send(ctx, l, job, state.Size); err != nil {
			return scan.Answer{}, err
		}
		return job.Finish(ctx)
	})
}

// send gives a file to a scanner. It ends early when the scanner has answered.
func send(ctx context.Context, l *Look, job *scan.Job, size int64) error {
	err := job.Open(ctx, l.Event.File.Name(), size)
	if err != nil {
		return err
	}
	n, err := io.CopyBuffer(job, io.NewSectionReader(l.Reader(ctx), 0, size), make([]byte, min(pieceSize, max(size, 1))))
	switch {
	case errors.Is(err, scan.ErrAnswered):
		return nil
	case err == nil && n < size:
		return ErrChanged // It has become shorter.
	default:
		return err
	}
}

// conclude takes the answer about a file, and lets it be remembered if the file
// is still what it was.
func (s *scanning) conclude(l *Look, file Handle, job *scan.Job, answer func() (scan.Answer, error)) Finding {
	size := file.Identity().Size
	a, err := answer()
	if err != nil {
		return s.finding(l, a, err, size)
	}
	changed := file.Unchanged()
	if changed == nil {
		job.Remember(size)
	}
	return s.unless(l, changed, a, size)
}

// unless is what an answer means if the file has not changed. Nothing has looked
// at what a changed one is now, but what was found was found.
func (s *scanning) unless(l *Look, changed error, a scan.Answer, size int64) Finding {
	if changed != nil && a.Signature == "" {
		a.Inspected = 0
	}
	return s.finding(l, a, changed, size)
}

// errPart says that a scanner answered about less than it was given.
var errPart = errors.New("the scanner has looked at a part only")

// finding is what an answer about a file of size bytes means. What was found
// counts, whatever went wrong besides.
func (s *scanning) finding(l *Look, a scan.Answer, err error, size int64) Finding {
	switch limit := errors.Is(err, scan.ErrLimit); {
	case a.Signature != "":
		s.learn(l, a, size)
	case err != nil && !limit:
		return FoundNothing(err, a.Inspected, size)
	case !limit || a.Inspected < size:
		s.learn(l, a, size)
	}
	return s.told(a, err, size)
}

// told is what a scanner's answer means: a signature, nothing in all of the file,
// or nothing in the part that it takes.
func (s *scanning) told(a scan.Answer, limit error, size int64) Finding {
	switch {
	case a.Signature != "":
		return FoundBad(&Objection{Message: s.refused, Found: a.Signature}, a.Inspected, size)
	case limit != nil:
		return FoundPart(a.Inspected, size, ReasonLimit, limit)
	case a.Inspected < size:
		return FoundPart(a.Inspected, size, ReasonLimit, errPart)
	default:
		return FoundClean(size, size)
	}
}
