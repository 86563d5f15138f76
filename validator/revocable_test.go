package validator_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// takenBack are Revocations by the ids of grants.
type takenBack struct {
	any   bool
	ids   map[string]bool
	fails error
	asked int
}

func (t *takenBack) Any() bool { return t.any }

func (t *takenBack) Revoked(g *rules.Grant) (bool, error) {
	t.asked++
	return t.ids[g.ID], t.fails
}

// verifyByName takes every text but forged for a grant of that id.
func verifyByName(text string) (*rules.Grant, error) {
	if text == "forged" {
		return nil, rules.ErrForged
	}
	return &rules.Grant{ID: text, Client: "portal", User: "xfer"}, nil
}

func TestRevocableStopsTransfers(t *testing.T) {
	const stopped = "This transfer was stopped: its token was revoked. Ask the server's administrator."
	const unsure = "It cannot be told whether this transfer's token was revoked. Try again in a minute, or tell the server's administrator."
	lost := errors.New("nobody knows")
	for _, row := range []struct {
		name    string
		event   rules.Event
		fails   error
		message string // of a refusal
		err     string
	}{
		{"a grant that holds", rules.Event{Phase: rules.PhaseStart, Tags: rules.Tags{Raw: `{"sluice":{"grant":"held"}}`}}, nil, "", ""},
		{"one that was taken back, on start", rules.Event{Phase: rules.PhaseStart, Tags: rules.Tags{Raw: `{"sluice":{"grant":"gone"}}`}}, nil, stopped, "the grant gone of portal for xfer was revoked"},
		{"on the threshold", rules.Event{Phase: rules.PhaseRunning, Tags: rules.Tags{Raw: `{"sluice":{"grant":"gone"}}`}}, nil, stopped, "the grant gone of portal for xfer was revoked"},
		{"on stop, with tags in a text", rules.Event{Phase: rules.PhaseStop, Tags: rules.Tags{Raw: `"{\"sluice\":{\"grant\":\"gone\"}}"`}}, nil, stopped, "the grant gone of portal for xfer was revoked"},
		{"when a token is asked for", rules.Event{Phase: rules.PhaseRequest, Tags: rules.Tags{Raw: `{"sluice":{"grant":"gone"}}`}}, nil, "", ""},
		{"no tags", rules.Event{Phase: rules.PhaseStart}, lost, "", ""},
		{"tags that cannot be read", rules.Event{Phase: rules.PhaseStart, Tags: rules.Tags{Raw: `{{`}}, lost, "", ""},
		{"a grant that is not ours", rules.Event{Phase: rules.PhaseStart, Tags: rules.Tags{Raw: `{"sluice":{"grant":"forged"}}`}}, lost, "", ""},
		{"nobody knows", rules.Event{Phase: rules.PhaseStart, Tags: rules.Tags{Raw: `{"sluice":{"grant":"held"}}`}}, lost, unsure, "nobody knows"},
	} {
		t.Run(row.name, func(t *testing.T) {
			known := &takenBack{any: true, ids: map[string]bool{"gone": true}, fails: row.fails}
			next := 0
			accepts := deciderFunc(func(_ context.Context, e *rules.Event) rules.Decision {
				next++
				return rules.Begin(e, "in force")
			})
			d := validator.Revocable(accepts, validator.RevocableOptions{Verify: verifyByName, Known: known, Revision: func() string { return "in force" }}).Decide(t.Context(), &row.event)
			if d.Message != row.message || d.Revision != "in force" || (d.Code == rules.CodeRevoked) != (row.message != "") {
				t.Errorf("the decision is %+v, want %q", d, row.message)
			}
			if (next == 0) != (row.message != "") {
				t.Errorf("the policies were asked %d times", next)
			}
			if row.err == "" && d.Err != nil || row.err != "" && (d.Err == nil || d.Err.Error() != row.err) {
				t.Errorf("the log says %v", d.Err)
			}
		})
	}
}

// TestRevocableCostsNothing where nothing was taken back.
func TestRevocableCostsNothing(t *testing.T) {
	known := &takenBack{ids: map[string]bool{"gone": true}}
	verified := 0
	d := validator.Revocable(byChain(), validator.RevocableOptions{Verify: func(text string) (*rules.Grant, error) {
		verified++
		return verifyByName(text)
	}, Known: known, Revision: func() string { return "" }})
	e := rules.Event{Phase: rules.PhaseStart, Tags: rules.Tags{Raw: `{"sluice":{"grant":"gone"}}`}}
	if got := d.Decide(t.Context(), &e); !got.Accepted() || verified+known.asked > 0 {
		t.Errorf("%+v, %d grants verified, %d asked about", got, verified, known.asked)
	}
}
