package main

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/sluiceproject/sluice/validator/journal"
	"github.com/sluiceproject/sluice/validator/journal/sinks"
)

// sending is what sends the records of the decision log away.
type sending struct {
	set *sinks.Set // nil where there is no decision log
	log atomic.Pointer[journal.Journal]
}

// sinkFarewell is how long sinks may take at the end to send what is left. What they
// do not get rid of waits in the log.
const sinkFarewell = 5 * time.Second

// openSinks prepares what sends the records of the decision log away.
func (s *server) openSinks() error {
	c := &s.journal
	set, err := sinks.Open(sinks.Options{
		Dir: c.Dir, Instance: c.instance(), Sinks: s.withStore(c.Sinks), Last: func() uint64 { return s.recorder.Stats().Sequence },
		Now: time.Now, Told: s.sinkTold,
	})
	if err != nil {
		return err
	}
	sinks.Register(s.registry, set)
	s.sinks.set = set
	return nil
}

// startSinks begins to send, if there is a decision log, and returns what ends it:
// to be called when the log is closed.
func (s *server) startSinks() (end func()) {
	if s.sinks.set == nil {
		return func() {}
	}
	s.sinks.log.Store(s.recorder)
	s.sinks.set.Start()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), sinkFarewell)
		defer cancel()
		s.sinks.set.Close(ctx)
	}
}

// neededBySinks returns the first record that a sink has yet to read. A sink that is
// away for good does not fill the disk: once the log is larger than it may be, its
// oldest records go, and the sink counts them.
func (s *server) neededBySinks() uint64 {
	recorder := s.sinks.log.Load()
	if limit := s.journal.KeepBytes; recorder != nil && limit > 0 && recorder.Stats().KeptBytes > limit {
		return math.MaxUint64
	}
	return s.sinks.set.Hold()
}

// sinkTold logs what happens to a sink.
func (s *server) sinkTold(h sinks.Happening) {
	fields := []zap.Field{zap.String("sink", h.Sink), zap.String("what", h.What), zap.String("detail", h.Detail)}
	if h.Sequence > 0 {
		fields = append(fields, zap.Uint64("seq", h.Sequence))
	}
	if h.Err != nil {
		fields = append(fields, zap.Error(h.Err))
	}
	switch h.What {
	case "recovered":
		s.log.Info("sink", fields...)
	case "odd", "position":
		s.log.Warn("sink", fields...)
	default:
		s.log.Error("sink", fields...)
	}
}

// sinksDegraded tells which sinks have not worked for a while.
func (s *server) sinksDegraded() []string {
	if s.sinks.set == nil {
		return nil
	}
	return s.sinks.set.Degraded()
}
