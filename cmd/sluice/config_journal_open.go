package main

import (
	"time"

	"go.uber.org/zap"

	"github.com/sluiceproject/sluice/validator"
	"github.com/sluiceproject/sluice/validator/journal"
)

// openJournal opens the decision log, if there is to be one.
func (s *server) openJournal() error {
	c := &s.journal
	if c.Dir == "" {
		return nil
	}
	if err := s.openSinks(); err != nil {
		return err
	}
	j, err := journal.Open(journal.Options{
		Dir: c.Dir, Instance: c.instance(), Durability: c.Durability, Interval: c.Interval, Patience: c.Patience,
		SegmentSize: c.SegmentSize, SegmentAge: c.SegmentAge, KeepBytes: c.KeepBytes, KeepAge: c.KeepAge,
		Hold: s.neededBySinks, Now: time.Now, Told: s.journalTold, Synced: validator.JournalSyncs(s.registry),
	})
	if err != nil {
		return err
	}
	validator.RegisterJournal(s.registry, j.Stats)
	s.recorder = j
	return nil
}

// journalReady says so where there is no decision log.
func (s *server) journalReady() {
	if s.recorder == nil {
		s.log.Info("decisions are not recorded: there is no journal in the configuration")
	}
}

// recorded puts the decision log around what decides, if there is one.
func (s *server) recorded(next validator.Decider) validator.Decider {
	if s.recorder == nil {
		return next
	}
	return validator.Journaled(next, s.recorder, validator.JournaledOptions{
		Accept: s.journal.AcceptOnError, Now: time.Now, Log: s.log.Logger,
	})
}

// closeJournal writes what is left of it.
func (s *server) closeJournal() {
	if s.recorder == nil {
		return
	}
	if err := s.recorder.Close(); err != nil {
		s.log.Error("the decision log was not closed in order", zap.Error(err))
	}
}

// journalTold logs what happens to the decision log.
func (s *server) journalTold(h journal.Happening) {
	fields := []zap.Field{zap.String("what", h.What), zap.String("detail", h.Detail)}
	if h.Err != nil {
		fields = append(fields, zap.Error(h.Err))
	}
	switch h.What {
	case journal.Failing, journal.Vanished:
		s.log.Error("decision log", fields...)
	case journal.Repaired, journal.Uncompressed, journal.Held, journal.Untidy:
		s.log.Warn("decision log", fields...)
	default:
		s.log.Info("decision log", fields...)
	}
}

// journalDegraded says when decisions cannot be recorded.
func (s *server) journalDegraded() []string {
	switch {
	case s.recorder == nil || !s.recorder.Stats().Failing:
		return nil
	case s.journal.AcceptOnError:
		return []string{"the decision log cannot be written: decisions are answered without a record"}
	default:
		return []string{"the decision log cannot be written: every event is refused with code 1007"}
	}
}
