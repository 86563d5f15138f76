package policies

import (
	"fmt"
	"io/fs"
	"path"
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
	// Content is how rules reach the files of events; nil reaches none.
	Content *rules.ContentEnv
	// Previous is a snapshot whose lists are used again where their files have
	// not changed, or nil.
	Previous *Snapshot
}

// compiler compiles one set.
type compiler struct {
	kinds         []rules.Kind
	env           rules.Env
	schema        *document.Schema
	clientsSchema func() *document.Schema
	files         *files
}

// Compile reads the policy set in fsys and compiles it. It does nothing else:
// the same files give the same snapshot. The error is document.Faults with
// every mistake found.
func Compile(fsys fs.FS, o Options) (*Snapshot, error) {
	var previous map[string]*list
	if o.Previous != nil {
		previous = o.Previous.lists
	}
	c := &compiler{kinds: o.Kinds, env: o.Env, schema: compileSchema(policySchema(o.Kinds, "")), files: newFiles(fsys, previous)}
	c.clientsSchema = sync.OnceValue(func() *document.Schema { return compileSchema(fmt.Sprintf(clientsFrame, "")) })
	c.env.Open, c.env.Digests, c.env.Zone = c.files.open, c.files.digests, sharedZones()
	c.env.Expressions = rules.NewExpressions()

	names, misplaced, err := c.files.documents()
	if err != nil {
		return nil, document.Faults{{File: ".", Message: err.Error()}}
	}
	set := c.compileAll(names)
	faults := slices.Concat(set.faults, unreachable(set.policies))
	for _, name := range misplaced {
		faults = append(faults, document.Fault{File: name, Message: "policies are read from the set's own folder only", Hint: "move the file up or rename it"})
	}
	if !set.decides && len(misplaced) == 0 {
		faults = append(faults, document.Fault{File: ".", Message: "there is no policy here", Hint: "a policy set is a folder with files that end in .yaml"})
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	c.files.previous = nil // Lists that are not used again may go.
	snapshot := newSnapshot(set.policies, c.files, o)
	snapshot.Clients = set.clients
	return snapshot, nil
}

// envOf returns what a rule needs from outside.
func (c *compiler) envOf(policy, rule string) rules.Env {
	env := c.env
	env.Policy, env.Rule = policy, rule
	return env
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

// compiled is what became of one document: a policy or clients. named are
// faults at their names, for whoever finds that there are two.
type compiled struct {
	policy    *Policy
	isClients bool
	clients   []*Client
	named     document.Faults
	faults    document.Faults
}

// compiledSet is what became of all documents, in the order of their files.
type compiledSet struct {
	policies []*Policy
	clients  []*Client
	faults   document.Faults
	// decides says that there is a document other than of clients.
	decides bool
}

// compileAll compiles the documents side by side.
func (c *compiler) compileAll(names []string) (set compiledSet) {
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
	set.faults = append(duplicates(all), duplicateClients(all)...)
	for i := range all {
		set.faults = append(set.faults, all[i].faults...)
		if all[i].policy != nil {
			set.policies = append(set.policies, all[i].policy)
		}
		set.clients = append(set.clients, all[i].clients...)
		set.decides = set.decides || !all[i].isClients
	}
	return set
}

func (c *compiler) compileDocument(name string) compiled {
	text, err := c.files.read(name)
	if err != nil {
		return compiled{faults: document.Faults{{File: name, Message: err.Error()}}}
	}
	doc, faults := document.Parse(name, text)
	if len(faults) > 0 {
		return compiled{faults: discreet(text, faults)}
	}
	doc.Tree = plainNumbers(doc.Tree)
	switch {
	case hasKey(doc, "clients"):
		return c.compileClients(doc)
	case hasKey(doc, "tests") && !hasKey(doc, "policy"):
		extension := path.Ext(name)
		return compiled{faults: document.Faults{doc.AtKey("/tests", "tests are not loaded with the policies").
			WithHint("rename the file to " + strings.TrimSuffix(name, extension) + "_test" + extension)}}
	}
	named := document.Faults{doc.At("/policy", "").WithHint("names are unique in a set")}
	if faults, at := doc.CheckParts(c.schema); len(faults) > 0 {
		policy, more := c.compileSound(doc, at)
		return compiled{policy: policy, named: named, faults: append(faults, more...)}
	}
	policy, faults := c.compilePolicy(doc)
	return compiled{policy: policy, named: named, faults: faults}
}

// hasKey reports whether a document has a key.
func hasKey(doc *document.Document, key string) bool {
	tree, _ := doc.Tree.(map[string]any)
	_, has := tree[key]
	return has
}

// compileSound compiles what is well formed of a document that is not, for the
// sake of its faults. The policy has a name at most, and is nil without.
func (c *compiler) compileSound(doc *document.Document, at []string) (*Policy, document.Faults) {
	wrong := around(at)
	tree, _ := doc.Tree.(map[string]any)
	var spec policySpec
	var faults document.Faults
	p := &Policy{File: doc.Name}
	if _, written := tree["applies_to"]; written && !wrong["/applies_to"] && doc.Decode("/applies_to", &spec.AppliesTo) == nil {
		faults = p.selects.compile(doc, &spec)
	}
	list, _ := tree["rules"].([]any)
	for i := range list {
		part := fmt.Sprintf("/rules/%d", i)
		if rule, ok := list[i].(map[string]any); ok && !wrong[part] {
			_, more := c.compileRule(doc, part, p, rule)
			faults = append(faults, more...)
		}
	}
	if p.Name, _ = tree["policy"].(string); p.Name == "" || wrong["/policy"] {
		return nil, faults
	}
	return p, faults
}

// around returns pointers and those of everything around what they point at.
func around(at []string) map[string]bool {
	all := make(map[string]bool, 2*len(at))
	for _, pointer := range at {
		for pointer != "" && !all[pointer] {
			all[pointer] = true
			pointer = pointer[:strings.LastIndexByte(pointer, '/')]
		}
	}
	return all
}

// duplicates reports policies that share a name.
func duplicates(all []compiled) (faults document.Faults) {
	first := map[string]*Policy{}
	for _, c := range all {
		if c.policy == nil {
			continue
		}
		if other := first[c.policy.Name]; other != nil {
			c.named[0].Message = "the policy " + c.policy.Name + " is also in " + other.File
			faults = append(faults, c.named...)
			continue
		}
		first[c.policy.Name] = c.policy
	}
	return faults
}
