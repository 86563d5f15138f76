package policies

import (
	"context"
	"sync"

	"github.com/sluiceproject/sluice/rules"
)

// Snapshot is a compiled policy set. It never changes and is safe for
// concurrent use.
type Snapshot struct {
	// Revision names the set by its content: 12 hex digits.
	Revision string
	// Policies are all policies of the set in the order of their files.
	Policies []*Policy
	// Clients are who may ask for tokens, in the order of their files.
	Clients []*Client

	index           *index
	scratches       sync.Pool
	acceptByDefault bool
	content         *rules.ContentEnv
	dearest         rules.Cost
	lists           map[string]*list
}

func newSnapshot(policies []*Policy, f *files, o Options) *Snapshot {
	s := &Snapshot{
		Revision: f.revision(), Policies: policies, index: newIndex(policies),
		acceptByDefault: o.AcceptByDefault, content: o.Content, lists: f.lists,
	}
	if s.content == nil {
		s.content = &rules.ContentEnv{}
	}
	s.scratches.New = func() any { return s.index.newScratch() }
	for _, p := range policies {
		for _, r := range p.Rules {
			s.dearest = max(s.dearest, r.Cost)
		}
	}
	return s
}

// RuleCount returns how many rules can be asked: those that are not off, of
// policies that are not off.
func (s *Snapshot) RuleCount() int {
	n := 0
	for _, p := range s.Policies {
		if p.Mode != rules.Off {
			n += len(p.Rules)
		}
	}
	return n
}

// Decide answers an event: the first objection of the policies that apply
// refuses, cheap rules being asked before dear ones; nobody's objection accepts;
// no policy at all gives the default.
func (s *Snapshot) Decide(ctx context.Context, e *rules.Event) rules.Decision {
	return s.decide(ctx, e, s.content)
}

// decide answers an event, and reaches files as content says.
func (s *Snapshot) decide(ctx context.Context, e *rules.Event, content *rules.ContentEnv) rules.Decision {
	if e.Fault != nil {
		return rules.Refuse(e, s.Revision, rules.Verdict{Code: e.Fault.Code, Message: e.Fault.Message}, e.Fault)
	}
	sc, _ := s.scratches.Get().(*scratch) // New makes nothing else.
	defer s.scratches.Put(sc)
	candidates, unknown := s.index.candidates(e, sc, false)
	d := rules.Begin(e, s.Revision)
	if unknown != 0 {
		if candidates = s.settle(e, candidates, unknown, &d); !d.Accepted() {
			return d
		}
	}
	for _, i := range candidates {
		if s.Policies[i].Mode == rules.Enforce {
			d.Applied++
		}
	}
	if e.Below {
		d.Applied = s.applyToAll(e)
	}
	for cost := rules.Metadata; cost <= min(rules.Store, s.dearest); cost++ {
		for _, i := range candidates {
			if s.Policies[i].chains[e.Phase][cost].Ask(ctx, e, &d) {
				return d
			}
		}
	}
	if s.dearest > rules.Store && s.look(ctx, e, content, candidates, &d) {
		return d
	}
	if d.Applied == 0 && !s.acceptByDefault {
		d.Verdict = rules.CodeDefault.Verdict()
	}
	return d
}

// applyToAll returns how many enforced policies apply to everything that may be
// below the folder of an event. Those that apply to some of it are asked, and do
// not make up for one that allows the rest.
func (s *Snapshot) applyToAll(e *rules.Event) (n int) {
	sc, _ := s.scratches.Get().(*scratch) // New makes nothing else.
	defer s.scratches.Put(sc)
	candidates, unknown := s.index.candidates(e, sc, true)
	for _, i := range candidates {
		if p := s.Policies[i]; p.Mode == rules.Enforce && p.selects.fields&unknown&^lets(e) == 0 {
			n++
		}
	}
	return n
}

// settle decides what an event that lacks fields means to the policies that
// select by them. A session event has no path, so policies for paths do not ask
// it anything and yet let it pass: its files will be judged. So it is with
// policies for clients and hosts, of which nothing is known when a token is asked
// for. In every other case nobody knows whether such a policy applies, and the
// event is refused, unless the policy is shadowed.
func (s *Snapshot) settle(e *rules.Event, candidates []int32, unknown fieldSet, d *rules.Decision) []int32 {
	kept := candidates[:0]
	for _, i := range candidates {
		p := s.Policies[i]
		missing := p.selects.fields & unknown
		if missing != 0 && missing&^lets(e) == 0 {
			if p.Mode == rules.Enforce {
				d.Applied++
			}
			continue
		}
		if missing == 0 {
			kept = append(kept, i)
			continue
		}
		if p.Mode == rules.Enforce {
			d.Verdict, d.Policy = rules.CodeSelector.Verdict(), p.Name
			d.Err = rules.MissingError{Field: (missing &^ lets(e)).String()}
			return nil
		}
	}
	return kept
}
