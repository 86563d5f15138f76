package rules

import (
	"context"
	"time"
)

// Count is what one event says that a file adds to a counter. Counting the same
// again adds nothing.
type Count struct {
	// Counter names the counter: the rule, and whom it counts for.
	Counter string
	// File tells the files of a counter apart.
	File string
	// From and To are the offsets between which the file's bytes move: [From, To).
	// What is counted of a file is from the least From to the largest To that was
	// said of it.
	From, To int64
	// Final says that To is what has moved in the end: less than was said before is
	// believed. Of several that are final, as those of the parts of a file, the
	// largest holds.
	Final bool
	// Window is how long what was counted stays counted after it was said last: above
	// 0 and up to 31 days.
	Window time.Duration
	// Files and Bytes are what the counter allows; 0 is no limit.
	Files, Bytes int64
	// Dry asks what would become of it, and counts nothing.
	Dry bool
}

// GrantCounter is what the counters of grants begin with, before the grant's ID.
const GrantCounter = "grant/"

// Counted is what became of a Count.
type Counted struct {
	// Allowed reports whether the counter stays within its limits. What is not
	// allowed is not counted, and what adds nothing is always allowed.
	Allowed bool
	// Files and Bytes are what the counter has, or would have if it was allowed.
	Files, Bytes int64
}

// Counters count across events, and across validators where they share a store.
type Counters interface {
	// Count counts. It is safe for concurrent use, and returns within a budget: the
	// error says that the count could not be made certain in time. It may have been
	// counted all the same; to count it again does no harm.
	Count(ctx context.Context, c Count) (Counted, error)
}

// dryKey is the key of a context's value.
type dryKey struct{}

// Dry returns a context in which rules that count say what they would say, and count
// nothing: for those who explain events.
func Dry(ctx context.Context) context.Context { return context.WithValue(ctx, dryKey{}, true) }

// isDry reports whether a context is one of Dry.
func isDry(ctx context.Context) bool {
	dry, _ := ctx.Value(dryKey{}).(bool)
	return dry
}
