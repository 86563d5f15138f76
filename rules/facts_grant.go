package rules

import (
	"errors"
	"slices"
)

// errGrantFailed stands for why it could not be told whether a grant allows an
// event.
var errGrantFailed = errors.New("it could not be told whether the grant allows this")

// recall answers as the rules of the kind did that were asked about the event:
// they all ask the same. Without one, it is known of tags without a grant only.
func (k *granting) recall(e *Event, _ *Facts) (Finding, error) {
	if e.Phase == PhaseRequest {
		return Finding{}, nil
	}
	if g := e.Recall.Grant; g != nil {
		switch {
		case g.Failed:
			return Finding{Err: errGrantFailed}, nil
		case g.Refused:
			return Finding{Objection: &Objection{Found: g.Found, Message: &Template{parts: []part{{text: "This transfer's grant does not allow it. Ask for a new token."}}}}}, nil
		default:
			return Finding{}, nil
		}
	}
	if slices.Contains(e.Recall.Missing, "tags") {
		return Finding{}, &UndecidableError{Reason: UndecidableHidden, Field: "tags"}
	}
	if _, there := GrantText(e); there {
		return Finding{}, &UndecidableError{Reason: UndecidableGrant}
	}
	return Finding{Objection: noGrant()}, nil
}
