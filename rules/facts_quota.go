package rules

import "errors"

// RecalledQuota is what came of asking a rule of the kind quota.
type RecalledQuota struct {
	// Policy and Rule name it.
	Policy, Rule string
	// Refused says that it objected, and Found what was seen, if that was recorded.
	Refused bool
	Found   string
	// Failed says that it could not be told.
	Failed bool
}

// errQuotaFailed stands for why it could not be counted.
var errQuotaFailed = errors.New("it could not be counted")

// recall answers as the rule of the same name did that was asked about the event:
// what was counted then is not in a log.
func (q *quota) recall(e *Event, _ *Facts) (Finding, error) {
	for i := range e.Recall.Quotas {
		then := &e.Recall.Quotas[i]
		switch {
		case then.Policy != q.policy || then.Rule != q.rule:
		case then.Failed:
			return Finding{Err: errQuotaFailed}, nil
		case then.Refused:
			return Finding{Objection: &Objection{Found: then.Found, Message: &Template{parts: []part{{text: "This transfer has come to more than is allowed here. Try again later, or ask the server's administrator."}}}}}, nil
		default:
			return Finding{}, nil
		}
	}
	return Finding{}, &UndecidableError{Reason: UndecidableCount}
}
