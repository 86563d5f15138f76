package main

import (
	"context"
	"errors"
	"slices"

	"github.com/sluiceproject/sluice/aspera"
	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

// asperaCmd is `sluice aspera`.
type asperaCmd struct {
	Generate asperaGenerateCmd `cmd:"" help:"Print the settings of aspera.conf that a policy set needs."`
	Check    asperaCheckCmd    `cmd:"" help:"Say what in an aspera.conf lets files pass unvalidated, or ends transfers."`
}

// asperaFlags say which policies an Aspera server is to be set up for.
type asperaFlags struct {
	Policies *string `help:"Folder of the policy set." placeholder:"DIR"`
	Config   string  `help:"Configuration file of the service: its policies, and what in it must fit." placeholder:"FILE" env:"SLUICE_CONFIG"`
}

// settings returns the configuration, and whether there is one, with the flags
// over it.
func (f *asperaFlags) settings() (c config, configured bool, err error) {
	c = defaultConfig()
	if f.Config != "" {
		if c, err = readConfig(f.Config); err != nil {
			return c, true, err
		}
	}
	if f.Policies != nil {
		if *f.Policies == "" { // As of a variable that is not set; it would be the root of all folders.
			return c, false, errors.New("--policies is empty")
		}
		c.policies, c.stored.set = *f.Policies, false
	}
	return c, f.Config != "", nil
}

// needsOf returns what the policies of a configuration need of an Aspera server.
func needsOf(ctx context.Context, c *config) (aspera.Needs, error) {
	kinds := rules.Builtin()
	snapshot, err := c.compilePolicies(ctx, policies.Options{Kinds: kinds})
	if err != nil {
		return aspera.Needs{}, err
	}
	plan := snapshot.Plan(kinds)
	return plannedNeeds(&plan), nil
}

// plannedNeeds returns what a plan needs of an Aspera server.
func plannedNeeds(plan *policies.Plan) aspera.Needs {
	needs := aspera.Needs{Known: true}
	for _, p := range plan.Policies {
		for i := range p.Rules {
			addNeeds(&needs, p.Policy, &p.Rules[i])
		}
	}
	return needs
}

// addNeeds adds what one rule needs. The first event of a transfer on which it is
// asked decides it, the later ones ask again.
func addNeeds(needs *aspera.Needs, policy string, r *policies.PlannedRule) {
	name := policy + "/" + r.Rule
	if r.Mode == rules.Shadow.String() {
		name += " (shadow)"
	}
	decided := false
	for _, of := range []struct {
		phase rules.Phase
		event *aspera.Event
	}{{rules.PhaseStart, &needs.Start}, {rules.PhaseRunning, &needs.Threshold}, {rules.PhaseStop, &needs.Stop}} {
		switch {
		case !slices.Contains(r.Phases, of.phase.String()):
		case decided:
			of.event.Again = append(of.event.Again, name)
		default:
			of.event.First, decided = append(of.event.First, name), true
		}
	}
	if r.Kind == "grant" || !decided && len(r.Phases) > 0 {
		needs.Token = append(needs.Token, name)
	}
	switch r.Cost {
	case rules.Head.String(), rules.File.String():
		needs.Content = append(needs.Content, name)
	default:
		if r.Kind == "checksum" {
			needs.Checksum = append(needs.Checksum, name)
		}
	}
}

// asperaService returns what of a configuration must fit with aspera.conf.
func (c *config) asperaService() *aspera.Service {
	s := &aspera.Service{Listen: c.listen, PartialSuffix: c.partialSuffix, Docroots: c.grants.docroots, Requests: c.limits.Requests}
	if c.tokens.listen != serviceListener {
		s.Tokens = c.tokens.listen
	}
	return s
}
