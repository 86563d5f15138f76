package validator

import (
	"context"
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/grants"
)

// call is one HTTP request for tokens while it is answered.
type call struct {
	*tokens
	path      string // of the endpoint
	direction rules.Direction
	client    *Client
	reach     *rules.PathGlobs
	docroot   string
	address   string // of the caller
	// event is used for one event after the other.
	event rules.Event
	// decision is the id of the last one.
	decision rules.ID
}

// permit is what came of judging a transfer_request that nobody refuses.
type permit struct {
	// limits are those of every rule that was asked, and listLimit is the rule that
	// bounds the number of files, or nil.
	limits    rules.GrantLimits
	listLimit *rules.Rule
	// revision is that of the policy set that was asked last.
	revision string
}

// judge asks about each target in turn. The first one that is refused refuses
// the transfer_request. The error is a *grants.Error, or ctx's.
func (c *call) judge(ctx context.Context, w *wanted, id string) (*permit, error) {
	p := &permit{}
	tags := rules.Tags{Raw: w.rawTags}
	for i := range w.targets {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		t := &w.targets[i]
		c.begin(t.file, t.below)
		c.event.Cookie, c.event.TransferID, c.event.Tags = w.cookie, id, tags
		if !c.mayAsk(t) {
			c.event.Fault = &rules.Fault{Code: rules.CodeClient, Reason: reasonClientLimit, Message: c.beyond(t)}
		}
		d := c.Decider.Decide(ctx, &c.event)
		c.decision = d.ID
		if !d.Accepted() || c.event.Fault != nil {
			return nil, refusedBy(&d)
		}
		p.add(&d)
		tags = c.event.Tags // Once they have been parsed, they stay so.
	}
	return p, c.longList(ctx, w, p)
}

// longList refuses a list of more files than a rule lets move.
func (c *call) longList(ctx context.Context, w *wanted, p *permit) error {
	if p.limits.MaxFiles == 0 || len(w.targets) <= p.limits.MaxFiles {
		return nil
	}
	d := c.fault(ctx, rules.Path{}, &rules.Fault{
		Code: p.listLimit.Code, Reason: reasonPolicyLimit,
		Message: "A token is given for " + plural(p.limits.MaxFiles, "file") + " at most. Ask for fewer files.",
	})
	return refusedBy(&d)
}

// add takes in what a decision that accepts says of limits. The decision's steps
// are lent until the next event.
func (p *permit) add(d *rules.Decision) {
	p.revision = d.Revision
	for i := range d.Steps {
		s := &d.Steps[i]
		if s.Outcome != rules.Passed || s.Rule.Mode != rules.Enforce || s.Rule.Limits == (rules.GrantLimits{}) {
			continue
		}
		narrowed := p.limits.Narrow(s.Rule.Limits)
		if narrowed.MaxFiles != p.limits.MaxFiles {
			p.listLimit = s.Rule
		}
		p.limits = narrowed
	}
}

// begin makes the event that comes next.
func (c *call) begin(file rules.Path, below bool) {
	now := c.Now()
	c.event = rules.Event{
		ID: newEventID(now), Received: now, Phase: rules.PhaseRequest, Direction: c.direction,
		User: c.client.TransferUser, Client: c.client.Name, File: file, Below: below,
	}
}

// fault has an event refused that no rule is asked about, so that it is logged
// and counted like any other.
func (c *call) fault(ctx context.Context, file rules.Path, f *rules.Fault) rules.Decision {
	c.begin(file, false)
	c.event.Fault = f
	d := c.Decider.Decide(ctx, &c.event)
	c.decision = d.ID
	return d
}

// malformed has an event refused that could not be read, and returns the answer.
func (c *call) malformed(ctx context.Context, status int, f *tokenFault) *grants.Error {
	var file rules.Path
	if f.path != "" {
		file = rules.ParsePath(f.path)
	}
	c.fault(ctx, file, &rules.Fault{Code: rules.CodeMalformed, Reason: f.reason, Message: f.message, Offset: int64(f.at)})
	return nodeError(status, f.message)
}

// refusedBy is the answer to a refused path, and to a fault that a decider let
// pass.
func refusedBy(d *rules.Decision) *grants.Error {
	v := d.Verdict
	if d.Accepted() {
		v = rules.CodeInternal.Verdict()
	}
	return nodeError(http.StatusForbidden, string(v.Code)+": "+v.Message)
}

// mayAsk reports whether the client may ask for a target at all.
func (c *call) mayAsk(t *target) bool {
	if t.below {
		return c.reach.Covers(t.path)
	}
	return c.reach.Match(t.path)
}

// beyond says that the client may not ask for a target.
func (c *call) beyond(t *target) string {
	what := "This client may not ask for a token for " + shownPath(t.path)
	if t.below {
		what += " and everything below it"
	}
	return what + ". Ask the server's administrator."
}

// newEventID returns an id. It is nobody's secret; that it cannot be guessed is
// because ids of grants become names of transfers.
func newEventID(now time.Time) rules.ID {
	var random [10]byte
	_, _ = rand.Read(random[:]) // It never fails.
	return rules.NewID(now, random)
}

// clientReaches keeps the globs of clients in the form in which they are asked.
// Clients change when policies are loaded: what is kept is thrown away when it
// has become too much.
type clientReaches struct {
	mu   sync.Mutex
	kept map[reachKey]*rules.PathGlobs
}

type reachKey struct {
	client    *Client
	direction rules.Direction
}

// maxReaches is how many are kept.
const maxReaches = 1024

func newClientReaches() *clientReaches {
	return &clientReaches{kept: map[reachKey]*rules.PathGlobs{}}
}

// of returns where a client may put files, or what it may fetch.
func (r *clientReaches) of(client *Client, d rules.Direction) *rules.PathGlobs {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := reachKey{client, d}
	if reach, ok := r.kept[key]; ok {
		return reach
	}
	reach := &rules.PathGlobs{}
	globs := client.Upload
	if d == rules.Download {
		globs = client.Download
	}
	for i, glob := range globs {
		reach.Add(glob, int32(i))
	}
	if len(r.kept) >= maxReaches {
		clear(r.kept)
	}
	r.kept[key] = reach
	return reach
}
