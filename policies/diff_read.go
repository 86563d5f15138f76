package policies

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// Written is a policy set as it is written, for Diff. The zero value is a set
// without a file.
type Written struct {
	// Err is why the set does not compile, nil if it does. One that does not can be
	// compared all the same, by what its documents say.
	Err error

	snapshot *Snapshot // nil if Err is not
	fsys     fs.FS
	files    map[string]digest // of every file that is not hidden
	used     map[string]bool   // files, other than documents, that rules read
	policies []writtenPolicy
	clients  []writtenClient
	tests    []writtenTest
	kinds    map[string]*rules.Kind
}

// digest is the SHA-256 of a file.
type digest [sha256.Size]byte

// writtenPolicy is a policy as it is written, and compiled if it could be.
type writtenPolicy struct {
	name, file string
	tree       map[string]any
	rules      []writtenOne
	compiled   *Policy
}

// writtenOne is a rule in the same way.
type writtenOne struct {
	name     string
	tree     map[string]any
	compiled *rules.Rule
}

// writtenClient is a client, writtenTest a test with the defaults of its file.
type writtenClient struct {
	name, file string
	tree       map[string]any
}

type writtenTest struct {
	name, file string
	tree       map[string]any
}

// ReadWritten reads the policy set in fsys for Diff, and compiles it by the options
// to know what its rules read. fsys must stay as it is until the set is compared. The
// error is document.Faults if a document cannot be read at all; that a set does not
// compile is no error here.
func ReadWritten(fsys fs.FS, o Options) (*Written, error) {
	w := &Written{fsys: fsys, files: map[string]digest{}, used: map[string]bool{}, kinds: map[string]*rules.Kind{}}
	for i := range o.Kinds {
		w.kinds[o.Kinds[i].Name] = &o.Kinds[i]
	}
	recorder := &recorder{FS: fsys, opened: map[string]bool{}}
	w.snapshot, w.Err = Compile(recorder, o)
	f := newFiles(fsys, nil)
	own, below, err := f.named(func(string) bool { return true })
	if err != nil {
		return nil, document.Faults{{File: ".", Message: err.Error()}}
	}
	for _, name := range append(own, below...) {
		info, err := fs.Stat(fsys, name)
		if err != nil || !info.Mode().IsRegular() {
			continue // Nothing that a rule can read.
		}
		if w.files[name], err = digestOf(fsys, name); err != nil {
			return nil, document.Faults{{File: name, Message: reason(err).Error()}}
		}
		// What rules read of a set that does not compile is not known.
		if !isDocument(name) && !isSuite(name) && (recorder.opened[name] || w.Err != nil) {
			w.used[name] = true
		}
	}
	for _, name := range own {
		if _, regular := w.files[name]; !regular || !isDocument(name) && !isSuite(name) {
			continue
		}
		if err := w.read(f, name); err != nil {
			return nil, err
		}
	}
	w.join()
	return w, nil
}

// digestOf returns the SHA-256 of a file.
func digestOf(fsys fs.FS, name string) (sum digest, err error) {
	file, err := fsys.Open(name)
	if err != nil {
		return sum, err
	}
	defer file.Close() //nolint:errcheck // It was only read.
	all := sha256.New()
	if _, err := io.Copy(all, file); err != nil {
		return sum, err
	}
	all.Sum(sum[:0])
	return sum, nil
}

// read takes over one document.
func (w *Written) read(f *files, name string) error {
	text, err := f.read(name)
	if err != nil {
		return document.Faults{{File: name, Message: err.Error()}}
	}
	doc, faults := document.Parse(name, text)
	if len(faults) > 0 {
		if compile := document.Faults(nil); errors.As(w.Err, &compile) && isDocument(name) {
			return compile // They repeat nothing secret.
		}
		return discreet(text, faults).Err()
	}
	tree, _ := plainNumbers(doc.Tree).(map[string]any)
	switch {
	case isSuite(name):
		w.readTests(name, tree)
	case hasKey(doc, "clients"):
		each(tree["clients"], func(client map[string]any) {
			w.clients = append(w.clients, writtenClient{textOf(client["name"]), name, client})
		})
	default:
		p := writtenPolicy{name: textOf(tree["policy"]), file: name, tree: tree}
		each(tree["rules"], func(rule map[string]any) {
			p.rules = append(p.rules, writtenOne{name: textOf(rule["name"]), tree: rule})
		})
		w.policies = append(w.policies, p)
	}
	return nil
}

// readTests takes over a file of tests.
func (w *Written) readTests(name string, tree map[string]any) {
	defaults, _ := tree["defaults"].(map[string]any)
	each(tree["tests"], func(test map[string]any) {
		whole, event := map[string]any{}, map[string]any{}
		for key, value := range defaults {
			event[key] = value
		}
		own, _ := test["event"].(map[string]any)
		for key, value := range own {
			if event[key] = value; value == nil {
				delete(event, key)
			}
		}
		for key, value := range test {
			whole[key] = value
		}
		whole["event"] = event
		w.tests = append(w.tests, writtenTest{textOf(test["name"]), name, whole})
	})
}

// each calls a function with the objects of a list.
func each(list any, use func(map[string]any)) {
	items, _ := list.([]any)
	for _, item := range items {
		if object, ok := item.(map[string]any); ok {
			use(object)
		}
	}
}

func textOf(value any) string { text, _ := value.(string); return text }

// join finds what was compiled of each policy and rule, and tells apart names that
// are given twice, which only sets have that do not compile.
func (w *Written) join() {
	compiled := map[string]*Policy{}
	if w.snapshot != nil {
		for _, p := range w.snapshot.Policies {
			compiled[p.Name] = p
		}
	}
	policies, clients := seen{}, seen{}
	for i := range w.policies {
		p := &w.policies[i]
		p.compiled = compiled[p.name]
		p.name = policies.unique(p.name)
		rulesOf, names := map[string]*rules.Rule{}, seen{}
		if p.compiled != nil {
			for _, r := range p.compiled.Rules {
				rulesOf[r.Name] = r
			}
		}
		for j := range p.rules {
			p.rules[j].compiled = rulesOf[p.rules[j].name]
			p.rules[j].name = names.unique(p.rules[j].name)
		}
	}
	for i := range w.clients {
		w.clients[i].name = clients.unique(w.clients[i].name)
	}
	tests := seen{}
	for i := range w.tests {
		t := &w.tests[i]
		t.name = strings.TrimPrefix(tests.unique(t.file+"\x00"+t.name), t.file+"\x00")
	}
}

// seen counts names.
type seen map[string]int

// unique returns the name, with a number if there was one of the same before.
func (s seen) unique(name string) string {
	s[name]++
	if n := s[name]; n > 1 {
		return fmt.Sprintf("%s (%d)", name, n)
	}
	return name
}

// recorder notes which files are opened.
type recorder struct {
	fs.FS
	mu     sync.Mutex
	opened map[string]bool
}

// Open implements fs.FS.
func (r *recorder) Open(name string) (fs.File, error) {
	r.mu.Lock()
	r.opened[name] = true
	r.mu.Unlock()
	return r.FS.Open(name)
}

// Stat implements fs.StatFS, so that a look is not taken for an opening.
func (r *recorder) Stat(name string) (fs.FileInfo, error) { return fs.Stat(r.FS, name) }

// ReadDir implements fs.ReadDirFS.
func (r *recorder) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(r.FS, name) }
