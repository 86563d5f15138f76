package policies

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// Policy is one compiled policy of a set.
type Policy struct {
	// Name is unique in the set; File is where the policy is written.
	Name, File, Description string
	// Mode is the policy's; its rules' modes take it into account.
	Mode rules.Mode
	// Rules are those that are not off, in the order in which they are written.
	Rules []*rules.Rule

	selects selector
	places  *places // while the set is compiled
	chains  [rules.PhaseCount][rules.CostCount]rules.Chain
}

// selector is a compiled applies_to: nil lists match everything.
type selector struct {
	uploads, downloads bool
	users, hosts       []string
	clients            []netip.Prefix
	paths              []string
	fields             fieldSet
}

// fieldSet is a set of the event's fields by which policies are selected.
type fieldSet uint8

const (
	byDirection fieldSet = 1 << iota
	byUser
	byHost
	byClient
	byPath
)

// String names the first field of the set as events do.
func (s fieldSet) String() string {
	for _, f := range []struct {
		field fieldSet
		name  string
	}{{byDirection, "direction"}, {byUser, "user"}, {byHost, "host"}, {byClient, "client_ip"}, {byPath, "file"}} {
		if s&f.field != 0 {
			return f.name
		}
	}
	return ""
}

// policySpec is a policy as it is written.
type policySpec struct {
	Version     int    `json:"version"`
	Policy      string `json:"policy"`
	Description string `json:"description"`
	AppliesTo   struct {
		Direction []string `json:"direction"`
		User      []string `json:"user"`
		Host      []string `json:"host"`
		ClientIP  []string `json:"client_ip"`
		Path      []string `json:"path"`
	} `json:"applies_to"`
	Mode  string           `json:"mode"`
	Rules []map[string]any `json:"rules"`
}

// ruleSpec is what every rule has beside its kind.
type ruleSpec struct {
	Name, Mode, Code, Message, Timeout, OnError, OnPartial, When string
	On                                                           []string
}

// compilePolicy compiles one document that has passed the schema.
func (c *compiler) compilePolicy(doc *document.Document) (*Policy, document.Faults) {
	var spec policySpec
	if err := doc.Decode("", &spec); err != nil {
		return nil, document.Faults{doc.At("", "%s", err)}
	}
	p := &Policy{Name: spec.Policy, File: doc.Name, Description: spec.Description, Mode: mode(spec.Mode)}
	faults := p.selects.compile(doc, &spec)
	if len(faults) == 0 {
		p.places = &places{paths: doc.AtKey("/applies_to/path", ""), clients: doc.AtKey("/applies_to/client_ip", "")}
	}
	seen := map[string]bool{}
	all, on := make([]*rules.Rule, len(spec.Rules)), make([][]string, len(spec.Rules))
	for i := range spec.Rules {
		at := fmt.Sprintf("/rules/%d", i)
		rule, wrong := c.compileRule(doc, at, p, spec.Rules[i])
		faults = append(faults, wrong...)
		all[i], on[i] = rule, specOf(spec.Rules[i]).On
		if name, _ := spec.Rules[i]["name"].(string); seen[name] {
			faults = append(faults, doc.At(at+"/name", "the policy has two rules named %q", name))
		} else {
			seen[name] = true
		}
		if rule != nil && rule.Mode != rules.Off {
			p.Rules = append(p.Rules, rule)
			if p.places != nil {
				p.places.rules = append(p.places.rules, whereWritten(doc, at, rule))
			}
		}
	}
	faults = append(faults, p.unasked(doc, all, on)...)
	for phase := rules.PhaseRequest; phase < rules.PhaseCount; phase++ {
		for _, rule := range p.Rules {
			if rule.Phases.Has(phase) {
				p.chains[phase][rule.Cost] = append(p.chains[phase][rule.Cost], rule)
			}
		}
	}
	return p, faults
}

func mode(name string) rules.Mode {
	m, _ := rules.ParseMode(name) // The schema has seen the name; none is enforce.
	return m
}

// compile fills the selector from applies_to.
func (s *selector) compile(doc *document.Document, spec *policySpec) (faults document.Faults) {
	check := func(key string, list []string, field fieldSet, wrong func(string) error) {
		if list != nil {
			s.fields |= field
		}
		for i, text := range list {
			if err := wrong(text); err != nil {
				faults = append(faults, mistaken(doc, fmt.Sprintf("/applies_to/%s/%d", key, i), err))
			}
		}
	}
	to := &spec.AppliesTo
	check("direction", to.Direction, byDirection, func(text string) error {
		s.uploads = s.uploads || text == "upload"
		s.downloads = s.downloads || text == "download"
		return nil
	})
	check("user", to.User, byUser, rules.CheckGlob)
	check("host", to.Host, byHost, rules.CheckGlob)
	check("path", to.Path, byPath, rules.CheckFolderGlob)
	check("client_ip", to.ClientIP, byClient, func(text string) error {
		prefix, err := rules.ParsePrefix(text)
		s.clients = append(s.clients, prefix)
		return err
	})
	s.users, s.hosts, s.paths = to.User, to.Host, to.Path
	return faults
}

// mistaken puts what is wrong with a value at its place.
func mistaken(doc *document.Document, at string, err error) document.Fault {
	var spec *rules.SpecError
	if errors.As(err, &spec) {
		return doc.At(at, "%s", spec.Message).WithHint(spec.Hint)
	}
	return doc.At(at, "%s", err)
}

// duration reads a timeout: above zero and at most an hour.
func duration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > time.Hour {
		return 0, rules.At("", "%q is not a time such as 500ms, 60s or 5m, up to 1h", text).WithHint("%s", durationHint(text))
	}
	return d, nil
}

// durationHint says what was probably meant by a text such as "5 seconds".
func durationHint(text string) string {
	number := strings.TrimRight(text, " abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	word := strings.ToLower(strings.TrimSpace(text[len(number):]))
	units := []struct{ begins, unit string }{{"ms", "ms"}, {"millisecond", "ms"}, {"min", "m"}, {"m", "m"}, {"h", "h"}, {"s", "s"}}
	for _, u := range units {
		if !strings.HasPrefix(word, u.begins) {
			continue
		}
		if d, err := time.ParseDuration(strings.TrimSpace(number) + u.unit); err == nil && d > 0 && d <= time.Hour {
			return fmt.Sprintf("did you mean %q?", strings.TrimSpace(number)+u.unit)
		}
		return ""
	}
	return ""
}
