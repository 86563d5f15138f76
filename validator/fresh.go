package validator

import (
	"context"
	"fmt"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// FreshOptions say when policies are too old to decide by.
type FreshOptions struct {
	// MaxAge is how long ago Confirmed may be.
	MaxAge time.Duration
	// Confirmed returns when the policies in force were last known to be the newest
	// ones. It must be quick.
	Confirmed func() time.Time
	// Revision returns which policies are in force.
	Revision func() string
	// Now is the clock.
	Now func() time.Time
}

// Fresh refuses every event with rules.CodeStale while the policies are too old, and
// has next decide otherwise.
func Fresh(next Decider, o FreshOptions) Decider { return &fresh{next, o} }

type fresh struct {
	next Decider
	o    FreshOptions
}

// Decide implements Decider.
func (f *fresh) Decide(ctx context.Context, e *rules.Event) rules.Decision {
	if age := f.o.Now().Sub(f.o.Confirmed()); age > f.o.MaxAge {
		return rules.Refuse(e, f.o.Revision(), rules.CodeStale.Verdict(),
			fmt.Errorf("the policies were last known to be the newest %s ago, and %s are allowed", age.Round(time.Second), f.o.MaxAge))
	}
	return f.next.Decide(ctx, e)
}
