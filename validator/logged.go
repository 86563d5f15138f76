package validator

import (
	"context"
	"errors"
	"sync"

	"go.uber.org/zap/zapcore"

	"github.com/sluiceproject/sluice/rules"
)

// Logged writes one line for every decision of next, in the form of the other
// lines of the log. Tags are never written, cookies and the credentials in a
// path are cut, and what a client wrote is shortened and escaped, so that a line
// has an end and no terminal obeys it.
//
// to must be safe for concurrent use. That it fails changes no decision.
func Logged(next Decider, to zapcore.WriteSyncer) Decider {
	l := &logged{next: next, to: to}
	l.lines.New = func() any { return new([]byte) }
	return l
}

type logged struct {
	next  Decider
	to    zapcore.WriteSyncer
	lines sync.Pool
}

// Decide implements Decider.
func (l *logged) Decide(ctx context.Context, e *rules.Event) rules.Decision {
	d := l.next.Decide(ctx, e)
	room, _ := l.lines.Get().(*[]byte) // New makes nothing else.
	*room = appendLine((*room)[:0], e, &d)
	_, _ = l.to.Write(*room)
	l.lines.Put(room)
	return d
}

// isFault reports whether sluice itself failed, in the rule that decided or in
// a shadowed one.
func isFault(d *rules.Decision) bool {
	var panicked *rules.PanicError
	if d.Err != nil && errors.As(d.Err, &panicked) {
		return true
	}
	for i := range d.Steps {
		if detail := d.Steps[i].Detail; detail != nil && detail.Err != nil && errors.As(detail.Err, &panicked) {
			return true
		}
	}
	return false
}
