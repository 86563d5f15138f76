package rules

import (
	"context"
	"errors"
	"fmt"
)

// CoverageState says how far a look into a file got.
type CoverageState uint8

// The states of coverage.
const (
	// NotLooked is a rule that reads no file.
	NotLooked CoverageState = iota
	// Clean is that all that the rule looks at was looked at, and nothing found.
	Clean
	// Bad is that something was found.
	Bad
	// Partial is that nothing was found in what was looked at, which is not all.
	Partial
	// Uninspectable is that the file cannot be looked into.
	Uninspectable
	// Failed is that it should be possible and was not.
	Failed
	// TimedOut is that time ran out.
	TimedOut
)

var coverageNames = [...]string{"", "clean", "bad", "partial", "uninspectable", "error", "timeout"}

// String returns the state's name as logs write it.
func (s CoverageState) String() string { return coverageNames[s] }

// Coverage is how much of a file a rule has looked into.
type Coverage struct {
	State CoverageState
	// Inspected is how many bytes were looked at, of Total. Total is -1 where
	// nobody knows.
	Inspected, Total int64
	// Reason is why not all was looked at, one of UninspectableReasons; empty for
	// Clean and Bad.
	Reason string
}

// Uninspected returns how many bytes were not looked at, as far as is known.
func (c Coverage) Uninspected() int64 {
	if c.State == Clean || c.State == Bad || c.State == NotLooked {
		return 0
	}
	return max(c.Total-c.Inspected, 0)
}

// Finding is what came of looking into a file.
type Finding struct {
	Coverage Coverage
	// Objection is what was found; nil unless the state is Bad.
	Objection *Objection
	// Err is why not all was looked at; nil for Clean and Bad. It is logged and
	// never shown to ascp.
	Err error
}

// FoundClean is that all was looked at and nothing found.
func FoundClean(inspected, total int64) Finding {
	return Finding{Coverage: Coverage{State: Clean, Inspected: inspected, Total: total}}
}

// FoundBad is that something was found.
func FoundBad(o *Objection, inspected, total int64) Finding {
	return Finding{Coverage: Coverage{State: Bad, Inspected: inspected, Total: total}, Objection: o}
}

// FoundPart is that nothing was found in what was looked at, and why that is
// not all.
func FoundPart(inspected, total int64, reason string, err error) Finding {
	return Finding{Coverage: Coverage{State: Partial, Inspected: inspected, Total: total, Reason: reason}, Err: err}
}

// FoundNothing is that the look failed; why decides what that is called.
func FoundNothing(err error, inspected, total int64) Finding {
	c := Coverage{State: Failed, Inspected: inspected, Total: total, Reason: ReasonError}
	not := (*UninspectableError)(nil)
	switch {
	case errors.As(err, &not):
		c.State, c.Reason = Uninspectable, not.Reason
	case errors.Is(err, ErrBusy):
		c.Reason = ReasonBusy
	case errors.Is(err, ErrChanged):
		c.Reason = ReasonChanged
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		c.State, c.Reason = TimedOut, ReasonTimeout
	}
	return Finding{Coverage: c, Err: err}
}

// partError is why a rule that looked at a part cannot tell.
type partError struct{ Finding }

// Error implements error.
func (p partError) Error() string {
	return fmt.Sprintf("%d of %d bytes were inspected: %v", p.Coverage.Inspected, p.Coverage.Total, p.Err)
}

// Unwrap returns why not all was looked at.
func (p partError) Unwrap() error { return p.Err }
