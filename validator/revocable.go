package validator

import (
	"context"
	"fmt"

	"github.com/sluiceproject/sluice/rules"
)

// Revocations know which grants were taken back. They are safe for concurrent use
// and wait for nobody.
type Revocations interface {
	// Any reports whether Revoked may say anything but no, so that grants need not be
	// looked at where nothing is revoked.
	Any() bool
	// Revoked reports whether a grant was taken back. The error says that this is not
	// known, and that nothing moves meanwhile.
	Revoked(g *rules.Grant) (bool, error)
}

// RevocableOptions are those of Revocable.
type RevocableOptions struct {
	// Verify returns the grant that a text is, as rules.Grants does.
	Verify func(text string) (*rules.Grant, error)
	// Known are the grants that were taken back.
	Known Revocations
	// Revision returns which policies are in force.
	Revision func() string
}

// Revocable refuses the events of transfers whose grant was taken back, with
// rules.CodeRevoked and whatever the policies say of grants, and has next decide the
// others. A grant that is not ours is for the policies to judge, and so is a transfer
// without one.
func Revocable(next Decider, o RevocableOptions) Decider { return &revocable{next, o} }

type revocable struct {
	next Decider
	o    RevocableOptions
}

// Decide implements Decider.
func (r *revocable) Decide(ctx context.Context, e *rules.Event) rules.Decision {
	if e.Fault != nil || e.Phase == rules.PhaseRequest || !r.o.Known.Any() {
		return r.next.Decide(ctx, e)
	}
	text, there := rules.GrantText(e)
	if !there {
		return r.next.Decide(ctx, e)
	}
	g, err := r.o.Verify(text)
	if err != nil {
		return r.next.Decide(ctx, e)
	}
	verdict := rules.CodeRevoked.Verdict()
	switch revoked, err := r.o.Known.Revoked(g); {
	case err != nil:
		verdict.Message = "It cannot be told whether this transfer's token was revoked. Try again in a minute, or tell the server's administrator."
		return rules.Refuse(e, r.o.Revision(), verdict, err)
	case revoked:
		return rules.Refuse(e, r.o.Revision(), verdict, fmt.Errorf("the grant %s of %s for %s was revoked", g.ID, g.Client, g.User))
	default:
		return r.next.Decide(ctx, e)
	}
}
