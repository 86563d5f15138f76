package policies

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// How much a replay remembers, however long the log is.
const (
	replayNames    = 10_000 // users, clients, rules, policies: each list
	replayName     = 1_024  // bytes of a name of a user, a client or a file
	replayDays     = 4_000
	replayListed   = 1_000 // of each list in the report
	replayExamples = 20    // times as many examples of a change as of a rule
)

// ReplayReport says what a candidate changes about the decisions of a log.
// Members may be added to it and its parts; those that are there keep their names
// and meanings.
type ReplayReport struct {
	// Revision is the candidate's.
	Revision string `json:"revision"`
	// First and Last are when the first and the last event arrived that was decided
	// again; the zero time if none was.
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	// Decisions were made again. They are Unchanged, or counted in Changes.
	Decisions int64       `json:"decisions"`
	Unchanged int64       `json:"unchanged"`
	Changes   ReplayTally `json:"changes"`
	// RefusedUnknown are those of the newly refused of which it is not known by which
	// rule: the one to which they are put down refuses at the latest.
	RefusedUnknown int64 `json:"newly_refused_reason_unknown"`
	// Unasked decisions were refusals of events that no rule was asked about; they
	// were not made again. Unreadable places of the log could not be read, and Lost
	// decisions are not in it by its own account.
	Unasked    int64 `json:"unasked"`
	Unreadable int64 `json:"unreadable"`
	Lost       int64 `json:"lost"`
	// Rules are those that refuse now, of what is newly accepted those that refused
	// then, and of what is undecidable, or of no known reason, those that could not be asked again, each as
	// policy/rule. A list has the names with the most changes first.
	Rules    []ReplayGroup `json:"rules"`
	Policies []ReplayGroup `json:"policies"`
	Users    []ReplayGroup `json:"users"`
	// Clients are who asked for a token, or the addresses of transfers.
	Clients []ReplayGroup `json:"clients"`
	// Days are days in UTC, in order.
	Days []ReplayGroup `json:"days"`
	// Undecidable says why, as policy/rule: reason.
	Undecidable []ReplayGroup `json:"undecidable"`
	// Examples are some decisions of each change, in the order of the log.
	Examples []ReplayExample `json:"examples"`
}

// ReplayExample is a decision that changes.
type ReplayExample struct {
	Change string        `json:"change"`
	ID     string        `json:"id"`
	Time   time.Time     `json:"time"`
	Phase  string        `json:"phase"`
	User   string        `json:"user,omitempty"`
	Client string        `json:"client,omitempty"`
	File   string        `json:"file,omitempty"`
	Size   *int64        `json:"size,omitempty"`
	Was    ReplayVerdict `json:"was"`
	// Is is absent of what is undecidable; its rule and code are of what is refused
	// by nobody knows which rule.
	Is *ReplayVerdict `json:"is,omitempty"`
	// Why says what could not be asked again.
	Why string `json:"why,omitempty"`
}

// ReplayVerdict is an answer.
type ReplayVerdict struct {
	// Verdict is accept or reject.
	Verdict string `json:"verdict"`
	Code    string `json:"code,omitempty"`
	Policy  string `json:"policy,omitempty"`
	Rule    string `json:"rule,omitempty"`
	Message string `json:"message,omitempty"`
}

// Replay decides recorded events again by a candidate and counts what changes. It
// is used by one goroutine, and its memory does not grow with the log.
type Replay struct {
	candidate *Snapshot
	examples  int
	report    ReplayReport
	rules     *leaders
	policies  *leaders
	users     *leaders
	clients   *leaders
	days      *leaders
	why       *leaders
	shown     map[shownExample]int
	perChange [changeCount]int
}

// shownExample is what examples are counted by.
type shownExample struct {
	change Change
	rule   string
}

// NewReplay returns a replay by a candidate that keeps so many examples of each
// change by each rule, and 20 times as many of each change.
func NewReplay(candidate *Snapshot, examples int) *Replay {
	return &Replay{
		candidate: candidate, examples: examples, report: ReplayReport{Revision: candidate.Revision, Examples: []ReplayExample{}},
		rules: newLeaders(replayNames), policies: newLeaders(replayNames), users: newLeaders(replayNames), clients: newLeaders(replayNames),
		days: newLeaders(replayDays), why: newLeaders(replayNames), shown: map[shownExample]int{},
	}
}

// Unreadable counts a place of the log that could not be read.
func (p *Replay) Unreadable() { p.report.Unreadable++ }

// Unasked counts events that were refused before any rule was asked, and of which
// the log has no more than their number.
func (p *Replay) Unasked(n int64) { p.report.Unasked += n }

// Lost counts decisions that the log lacks by its own account.
func (p *Replay) Lost(n int64) { p.report.Lost += n }

// Decisions returns how many decisions were made again so far.
func (p *Replay) Decisions() int64 { return p.report.Decisions }

// Add makes a decision again and counts what changes.
func (p *Replay) Add(ctx context.Context, r *Recorded) {
	if r.Unasked {
		p.report.Unasked++
		return
	}
	at := r.Event.Received
	if p.report.Decisions == 0 || at.Before(p.report.First) {
		p.report.First = at
	}
	if at.After(p.report.Last) {
		p.report.Last = at
	}
	p.report.Decisions++
	a := p.candidate.Again(ctx, r)
	if a.Change == Unchanged {
		p.report.Unchanged++
		return
	}
	*p.report.Changes.of(a.Change)++
	policy, rule := blamed(r, &a)
	p.rules.add(rule, a.Change)
	p.policies.add(policy, a.Change)
	p.users.add(rules.Shorten(r.Event.User, replayName), a.Change)
	p.clients.add(rules.Shorten(clientOf(r.Event), replayName), a.Change)
	p.days.add(at.UTC().Format(time.DateOnly), a.Change)
	if a.Why != nil {
		p.why.add(a.unasked()+": "+a.Why.Error(), a.Change)
		if a.Change == NewlyRefused {
			p.report.RefusedUnknown++
		}
	}
	p.show(shownExample{a.Change, rule}, r, &a)
}

// show keeps a decision as an example if there are not enough of its sort.
func (p *Replay) show(sort shownExample, r *Recorded, a *Again) {
	if p.shown[sort] < p.examples && p.perChange[a.Change] < replayExamples*p.examples {
		p.shown[sort]++
		p.perChange[a.Change]++
		p.report.Examples = append(p.report.Examples, example(r, a))
	}
}

// Report returns what has come of it so far.
func (p *Replay) Report() *ReplayReport {
	r := p.report
	r.Rules, r.Policies = p.rules.list(replayListed), p.policies.list(replayListed)
	r.Users, r.Clients = p.users.list(replayListed), p.clients.list(replayListed)
	r.Undecidable, r.Days = p.why.list(replayListed), p.days.list(replayDays)
	slices.SortFunc(r.Days, func(a, b ReplayGroup) int { return strings.Compare(a.Name, b.Name) })
	return &r
}
