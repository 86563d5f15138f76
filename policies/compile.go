package policies

import (
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// Options say how a set is compiled.
type Options struct {
	// Kinds are the kinds of rule that policies may use.
	Kinds []rules.Kind
	// Env is what kinds need from outside. Compile fills in what gives access
	// to the set's own files.
	Env rules.Env
	// AcceptByDefault accepts events to which no policy applies, instead of
	// refusing them.
	AcceptByDefault bool
	// Previous is a snapshot whose lists are used again where their files have
	// not changed, or nil.
	Previous *Snapshot
}

// compiler compiles one set.
type compiler struct {
	kinds  []rules.Kind
	env    rules.Env
	schema *document.Schema
	files  *files
}

// Compile reads the policy set in fsys and compiles it. It does nothing else:
// the same files give the same snapshot. The error is document.Faults with
// every mistake found.
func Compile(fsys fs.FS, o Options) (*Snapshot, error) {
	var previous map[string]*list
	if o.Previous != nil {
		previous = o.Previous.lists
	}
	c := &compiler{kinds: o.Kinds, env: o.Env, schema: compileSchema(o.Kinds), files: newFiles(fsys, previous)}
	c.env.Open, c.env.Digests, c.env.Zone = c.files.open, c.files.digests, sharedZones()
	c.env.Expressions = rules.NewExpressions()

	names, misplaced, err := c.files.documents()
	if err != nil {
		return nil, document.Faults{{File: ".", Message: err.Error()}}
	}
	policies, faults := c.compileAll(names)
	faults = append(faults, unreachable(policies)...)
	for _, name := range misplaced {
		faults = append(faults, document.Fault{File: name, Message: "policies are read from the set's own folder only", Hint: "move the file up or rename it"})
	}
	if len(names)+len(misplaced) == 0 {
		faults = append(faults, document.Fault{File: ".", Message: "there is no policy here", Hint: "a policy set is a folder with files that end in .yaml"})
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	c.files.previous = nil // Lists that are not used again may go.
	return newSnapshot(policies, c.files, o.AcceptByDefault), nil
}

// sharedZones loads each time zone once.
func sharedZones() func(name string) (*time.Location, error) {
	var zones sync.Map
	return func(name string) (*time.Location, error) {
		if zone, ok := zones.Load(name); ok {
			return zone.(*time.Location), nil //nolint:forcetypeassert // Nothing else is stored.
		}
		zone, err := time.LoadLocation(name)
		if err == nil {
			zones.Store(name, zone)
		}
		return zone, err
	}
}

// compiled is what became of one document. named is a fault at the policy's
// name, for whoever finds that there are two.
type compiled struct {
	policy *Policy
	named  document.Fault
	faults document.Faults
}

// compileAll compiles the documents side by side and returns the policies in
// the order of their files.
func (c *compiler) compileAll(names []string) ([]*Policy, document.Faults) {
	all := make([]compiled, len(names))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, name := range names {
		group.Go(func() error {
			all[i] = c.compileDocument(name)
			return nil
		})
	}
	_ = group.Wait() // Faults are values here; the group returns no error.
	policies, faults := make([]*Policy, len(names)), duplicates(all)
	for i := range all {
		policies[i], faults = all[i].policy, append(faults, all[i].faults...)
	}
	return policies, faults
}

func (c *compiler) compileDocument(name string) compiled {
	text, err := c.files.read(name)
	if err != nil {
		return compiled{faults: document.Faults{{File: name, Message: err.Error()}}}
	}
	doc, faults := document.Parse(name, text)
	if len(faults) > 0 {
		return compiled{faults: faults}
	}
	named := doc.At("/policy", "").WithHint("names are unique in a set")
	if faults, at := doc.CheckParts(c.schema); len(faults) > 0 {
		policy, more := c.compileSound(doc, at)
		return compiled{policy: policy, named: named, faults: append(faults, more...)}
	}
	policy, faults := c.compilePolicy(doc)
	return compiled{policy: policy, named: named, faults: faults}
}

// compileSound compiles what is well formed of a document that is not, for the
// sake of its faults. The policy has a name at most, and is nil without.
func (c *compiler) compileSound(doc *document.Document, at []string) (*Policy, document.Faults) {
	sound := func(part string) bool {
		return !slices.ContainsFunc(at, func(pointer string) bool {
			return pointer == part || strings.HasPrefix(pointer, part+"/")
		})
	}
	tree, _ := doc.Tree.(map[string]any)
	var spec policySpec
	var faults document.Faults
	p := &Policy{File: doc.Name}
	if _, written := tree["applies_to"]; written && sound("/applies_to") && doc.Decode("/applies_to", &spec.AppliesTo) == nil {
		faults = p.selects.compile(doc, &spec)
	}
	list, _ := tree["rules"].([]any)
	for i := range list {
		part := fmt.Sprintf("/rules/%d", i)
		if rule, ok := list[i].(map[string]any); ok && sound(part) {
			_, wrong := c.compileRule(doc, part, p, rule)
			faults = append(faults, wrong...)
		}
	}
	if p.Name, _ = tree["policy"].(string); p.Name == "" || !sound("/policy") {
		return nil, faults
	}
	return p, faults
}

// duplicates reports policies that share a name.
func duplicates(all []compiled) (faults document.Faults) {
	first := map[string]*Policy{}
	for _, c := range all {
		if c.policy == nil {
			continue
		}
		if other := first[c.policy.Name]; other != nil {
			c.named.Message = "the policy " + c.policy.Name + " is also in " + other.File
			faults = append(faults, c.named)
			continue
		}
		first[c.policy.Name] = c.policy
	}
	return faults
}
