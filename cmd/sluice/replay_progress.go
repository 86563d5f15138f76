package main

import (
	"fmt"
	"io"
	"time"
)

// replayProgress tells whoever waits at a terminal how far a replay is. A nil one
// tells nothing.
type replayProgress struct {
	to   io.Writer
	now  func() time.Time
	last time.Time
	told bool
	seen int64
}

func newReplayProgress(std *stdio, now func() time.Time) *replayProgress {
	if !isSimTerminal(std.err) {
		return nil
	}
	return &replayProgress{to: std.err, now: now, last: now()}
}

// at tells that so many decisions are done, a few times a second.
func (p *replayProgress) at(done int64) {
	if p == nil {
		return
	}
	if p.seen++; p.seen%512 != 0 || p.now().Sub(p.last) < 250*time.Millisecond {
		return
	}
	p.last, p.told = p.now(), true
	fmt.Fprintf(p.to, "\r%s %s", counted(done), noun(done))
}

// end takes away what was told.
func (p *replayProgress) end() {
	if p != nil && p.told {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}
