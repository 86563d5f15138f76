package validator

import (
	"context"
	"errors"
	"sync"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/sluiceproject/sluice/rules"
)

// Logged writes one line for every decision of next. Tags are never written,
// cookies and the credentials in a path are cut, and what a client wrote is
// shortened and escaped, so that a line has an end and no terminal obeys it.
func Logged(next Decider, log *zap.Logger) Decider {
	l := &logged{next: next, log: log}
	l.lines.New = func() any { return newLine() }
	return l
}

type logged struct {
	next  Decider
	log   *zap.Logger
	lines sync.Pool
}

// Decide implements Decider.
func (l *logged) Decide(ctx context.Context, e *rules.Event) rules.Decision {
	ln, _ := l.lines.Get().(*line) // New makes nothing else.
	ln.e, ln.d = e, l.next.Decide(ctx, e)
	d := ln.d
	level := zapcore.InfoLevel
	if d.Err != nil && isFault(d.Err) {
		level = zapcore.ErrorLevel
	}
	if entry := l.log.Check(level, "decision"); entry != nil {
		entry.Write(ln.fields[:]...)
	}
	ln.e, ln.d = nil, rules.Decision{}
	l.lines.Put(ln)
	return d
}

// isFault reports whether sluice itself failed.
func isFault(err error) bool {
	var panicked *rules.PanicError
	return errors.As(err, &panicked)
}

// line is a decision and its event as one log line. It is used again, because
// the log takes what it is given by reference and would have it allocated anew.
type line struct {
	e      *rules.Event
	d      rules.Decision
	id     [36]byte
	fields [1]zap.Field
}

func newLine() *line {
	l := &line{}
	l.fields[0] = zap.Inline(l)
	return l
}

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (l *line) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	e, d := l.e, &l.d
	id, _ := d.ID.AppendText(l.id[:0])
	enc.AddByteString("id", id)
	if d.Accepted() {
		enc.AddString("verdict", verdictAccept)
	} else {
		enc.AddString("verdict", verdictReject)
		enc.AddString("code", string(d.Code))
		enc.AddString("message", d.Message)
		addText(enc, "policy", d.Policy)
		addText(enc, "rule", d.Rule)
		addText(enc, "kind", d.Kind)
	}
	enc.AddString("revision", d.Revision)
	enc.AddString("phase", e.Phase.String())
	enc.AddString("direction", e.Direction.String())
	addText(enc, "user", e.User)
	addText(enc, "client_ip", e.ClientIP)
	addText(enc, "host", e.Host)
	addText(enc, "session_id", e.SessionID)
	addText(enc, "xfer_id", e.TransferID)
	addText(enc, "file", e.File.Shown())
	if e.Size.Known {
		enc.AddInt64("size", e.Size.Value)
	}
	addText(enc, "cookie", redactCookie(e.Cookie))
	enc.AddInt64("took_us", d.Took.Microseconds())
	enc.AddInt("policies", d.Applied)
	enc.AddInt("asked", len(d.Steps))
	return l.addOddities(enc)
}

// addOddities adds what a plain accepted event does not have.
func (l *line) addOddities(enc zapcore.ObjectEncoder) error {
	if l.d.Err != nil {
		addText(enc, "error", rules.Printable(l.d.Err.Error()))
	}
	if l.e.Fault != nil {
		enc.AddString("reason", l.e.Fault.Reason)
	}
	for i := range l.d.Steps {
		if l.d.Steps[i].Outcome != rules.Passed {
			return enc.AddArray("steps", steps{l.e, l.d.Steps})
		}
	}
	return nil
}

// maxText is how much of what a client wrote goes into a line, in bytes.
const maxText = 1024

func addText(enc zapcore.ObjectEncoder, key, text string) {
	if text != "" {
		enc.AddString(key, rules.Printable(rules.Shorten(text, maxText)))
	}
}

// steps are those of a decision that did not simply pass.
type steps struct {
	e    *rules.Event
	list []rules.Step
}

// MarshalLogArray implements zapcore.ArrayMarshaler.
func (s steps) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	for i := range s.list {
		if s.list[i].Outcome == rules.Passed {
			continue
		}
		if err := enc.AppendObject(step{s.e, &s.list[i]}); err != nil {
			return err
		}
	}
	return nil
}

type step struct {
	e *rules.Event
	s *rules.Step
}

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (s step) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	r := s.s.Rule
	enc.AddString("policy", r.Policy)
	enc.AddString("rule", r.Name)
	enc.AddString("kind", r.Kind)
	enc.AddString("outcome", s.s.Outcome.String())
	addText(enc, "code", string(s.s.Detail.Verdict.Code))
	addText(enc, "saw", s.s.Saw(s.e))
	if err := s.s.Detail.Err; err != nil {
		addText(enc, "error", rules.Printable(err.Error()))
	}
	return nil
}
