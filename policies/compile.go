package policies

import (
	"io/fs"
	"runtime"

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
	c.env.Open, c.env.Digests = c.files.open, c.files.digests

	names, err := c.files.documents()
	if err != nil {
		return nil, fileFaults(".", err)
	}
	policies, faults := c.compileAll(names)
	faults = append(faults, duplicates(policies)...)
	if len(names) == 0 {
		faults = append(faults, document.Fault{File: ".", Message: "there is no policy here", Hint: "a policy set is a folder with files that end in .yaml"})
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return newSnapshot(policies, c.files, o.AcceptByDefault), nil
}

// compileAll compiles the documents side by side and returns the policies in
// the order of their files.
func (c *compiler) compileAll(names []string) ([]*Policy, document.Faults) {
	policies := make([]*Policy, len(names))
	faults := make([]document.Faults, len(names))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, name := range names {
		group.Go(func() error {
			policies[i], faults[i] = c.compileDocument(name)
			return nil
		})
	}
	_ = group.Wait() // Faults are values here; the group returns no error.
	var all document.Faults
	for _, f := range faults {
		all = append(all, f...)
	}
	return policies, all
}

func (c *compiler) compileDocument(name string) (*Policy, document.Faults) {
	text, err := c.files.read(name)
	if err != nil {
		return nil, fileFaults(name, err)
	}
	doc, faults := document.Parse(name, text)
	if len(faults) > 0 {
		return nil, faults
	}
	if faults := doc.Check(c.schema); len(faults) > 0 {
		return nil, faults
	}
	return c.compilePolicy(doc)
}

// fileFaults turns joined errors about files as a whole into faults.
func fileFaults(name string, err error) (faults document.Faults) {
	for _, err := range flatten(err) {
		faults = append(faults, document.Fault{File: name, Message: err.Error()})
	}
	return faults
}

// duplicates reports policies that share a name.
func duplicates(policies []*Policy) (faults document.Faults) {
	first := map[string]*Policy{}
	for _, p := range policies {
		if p == nil {
			continue
		}
		if other := first[p.Name]; other != nil {
			faults = append(faults, document.Fault{File: p.File, Message: "the policy " + p.Name + " is also in " + other.File, Hint: "names are unique in a set"})
			continue
		}
		first[p.Name] = p
	}
	return faults
}
