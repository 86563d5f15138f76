package validator

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// Explanation tells how an event is decided and why. It is what POST /v1/explain
// answers and `sluice explain --format json` prints. Texts out of the event are
// printable and at most 1024 bytes long; its tags and its cookie are left out.
type Explanation struct {
	// ID and Revision name the decision and the policy set that made it.
	ID       string `json:"id"`
	Revision string `json:"revision"`
	// Verdict is accept or reject.
	Verdict string `json:"verdict"`
	// Why says in half a sentence what came to that verdict.
	Why string `json:"why"`
	// Code and Message are what ascp is told; empty when accepted.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	// Policy, Rule and Kind name what refused.
	Policy string `json:"policy,omitempty"`
	Rule   string `json:"rule,omitempty"`
	Kind   string `json:"kind,omitempty"`
	// Error is why the deciding rule, or the service, could not tell.
	Error string `json:"error,omitempty"`
	// Event is what was understood of the event.
	Event ExplainedEvent `json:"event"`
	// Malformed is where and why an event could not be read.
	Malformed *ExplainedFault `json:"malformed,omitempty"`
	// Policies are those that apply or may apply, in order, and those that do not
	// if they are few or if all are asked for.
	Policies []ExplainedPolicy `json:"policies"`
	// Others is how many policies that do not apply are left out.
	Others int `json:"others"`
	// Rules are those of the policies that apply, in the order in which they are
	// asked.
	Rules []ExplainedRule `json:"rules"`
	// Answer is what ascp would get.
	Answer ExplainedAnswer `json:"answer"`
}

// ExplainedPolicy is one policy and whether it applies.
type ExplainedPolicy struct {
	Policy string `json:"policy"`
	File   string `json:"file"`
	// Mode is enforce, shadow or off.
	Mode string `json:"mode"`
	// Applies is yes, no, session (nothing is asked about the session, because its
	// files will be judged), request (the same of a token request), unclear (the event lacks what would tell) or off.
	Applies string `json:"applies"`
	// Why has a text for each key of applies_to because of which it is not yes.
	Why []string `json:"why,omitempty"`
}

// ExplainedAnswer is the answer to ascp, byte for byte.
type ExplainedAnswer struct {
	// Status is 200 or 400.
	Status int `json:"status"`
	// ContentType is empty for an answer without a body.
	ContentType string `json:"content_type,omitempty"`
	Body        string `json:"body"`
}

// Encode writes the explanation as indented JSON with a line break at its end.
// Its error is that of the writer.
func (x *Explanation) Encode(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // It is read as text, not as a page.
	enc.SetIndent("", "  ")
	return enc.Encode(x)
}

// Explainer tells how events are decided. All its members but Decoder must be
// set. It is safe for concurrent use if Decide is.
type Explainer struct {
	// Decoder reads the events.
	Decoder Decoder
	// Limit is the largest event, in bytes.
	Limit int64
	// Now is the clock.
	Now func() time.Time
	// Decide decides an event, and returns every policy of the set that decided
	// it in the set's order. It counts and logs nothing.
	Decide func(context.Context, *rules.Event) (rules.Decision, []rules.Considered)
}

// maxOthers is how many policies that do not apply are told unless all are asked
// for.
const maxOthers = 20

// Explain decides the event in the body of a request and tells how that came
// about. A body that cannot be read is explained like any other. all tells every
// policy that does not apply, however many they are.
func (x Explainer) Explain(ctx context.Context, body string, all bool) Explanation {
	var random [10]byte
	_, _ = rand.Read(random[:]) // It never fails.
	e := &rules.Event{Received: x.Now()}
	e.ID = rules.NewID(e.Received, random)
	if int64(len(body)) > x.Limit {
		e.Fault = newBodies(x.Limit).tooLarge()
	} else {
		x.Decoder.Decode(body, e)
	}
	d, considered := x.Decide(rules.Dry(ctx), e)
	told := Explanation{
		ID: d.ID.String(), Revision: d.Revision, Verdict: verdictAccept, Why: why(e, &d, considered),
		Code: string(d.Code), Message: d.Message, Policy: d.Policy, Rule: d.Rule, Kind: d.Kind,
		Event: explainEvent(e), Malformed: explainFault(body, e.Fault),
		Rules: explainRules(e, &d, considered), Answer: answerTo(&d),
	}
	if !d.Accepted() {
		told.Verdict = verdictReject
	}
	if d.Err != nil {
		told.Error = shown(d.Err.Error())
	}
	told.Policies, told.Others = explainPolicies(considered, all)
	return told
}

// shown returns a text that prints, at a length that has an end.
func shown(text string) string { return rules.Printable(rules.Shorten(text, maxText)) }

// explainPolicies tells which policies apply and why others do not, and how many
// of those it leaves out.
func explainPolicies(considered []rules.Considered, all bool) (told []ExplainedPolicy, others int) {
	for i := range considered {
		if !involved(&considered[i]) {
			others++
		}
	}
	if all || others <= maxOthers {
		others = 0
	}
	told = make([]ExplainedPolicy, 0, len(considered)-others)
	for i := range considered {
		c := &considered[i]
		if others > 0 && !involved(c) {
			continue
		}
		p := ExplainedPolicy{Policy: c.Policy, File: rules.Printable(c.File), Mode: c.Mode.String(), Applies: c.Standing.String()}
		for _, m := range c.Why {
			p.Why = append(p.Why, m.String())
		}
		told = append(told, p)
	}
	return told, others
}

// involved reports whether a policy has to do with the decision.
func involved(c *rules.Considered) bool {
	return c.Standing != rules.NotMatched && c.Standing != rules.SwitchedOff
}
