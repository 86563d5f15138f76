package validator

import (
	"context"

	"github.com/sluiceproject/sluice/rules"
)

// Decider answers events. It is safe for concurrent use and always answers. The
// event is lent for the time of the call: its memory is used for another one
// afterwards, though not that of its texts.
type Decider interface {
	Decide(ctx context.Context, e *rules.Event) rules.Decision
}

// Guarded answers with CodeInternal when next panics, so that a fault costs one
// event and not the service. Rules have a guard of their own; this one is for
// the machinery around them.
func Guarded(next Decider) Decider { return guarded{next} }

type guarded struct{ next Decider }

// Decide implements Decider.
func (g guarded) Decide(ctx context.Context, e *rules.Event) (d rules.Decision) {
	defer func() {
		if v := recover(); v != nil {
			d = rules.Refuse(e, "", rules.CodeInternal.Verdict(), &rules.PanicError{Value: v})
		}
	}()
	return g.next.Decide(ctx, e)
}
