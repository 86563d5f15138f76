package policies

import (
	"fmt"
	"strings"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// suiteReader reads files of tests, several at once.
type suiteReader struct {
	files  *files
	schema *document.Schema
	keys   []eventKey
	names  *ruleNames
}

func newSuiteReader(f *files, s *Snapshot) *suiteReader {
	return &suiteReader{files: f, schema: compileSchema(suiteSchema("")), keys: eventKeys(), names: namesOf(s)}
}

func (r *suiteReader) read(name string) (Suite, document.Faults) {
	text, err := r.files.read(name)
	if err != nil {
		return Suite{}, document.Faults{{File: name, Message: err.Error()}}
	}
	doc, faults := document.Parse(name, text)
	if len(faults) > 0 {
		return Suite{}, faults
	}
	faults, at := doc.CheckParts(r.schema)
	for i := range min(len(faults), len(at)) {
		if hint := suiteHint(at[i]); hint != "" {
			faults[i].Hint = hint
		}
	}
	b := &suiteBuilder{suiteReader: r, doc: doc, wrong: withParents(at), faults: faults}
	suite := b.suite()
	return suite, b.faults
}

// suiteHint says what was probably meant at a pointer that is not well formed,
// where more is known than the schema knows.
func suiteHint(at string) string {
	parts := strings.Split(at, "/")
	if len(parts) < 3 {
		return ""
	}
	last := parts[len(parts)-1]
	switch inTest := len(parts) == 4 && parts[1] == "tests"; {
	case inTest && last == "accept":
		return "for an event that must be refused, write refuse: true instead"
	case inTest && last == "refuse":
		return "write refuse: true where any refusal will do, or name the rule: refuse: {rule: …}"
	case parts[len(parts)-2] == "event", parts[1] == "defaults":
		return keyHint(last)
	default:
		return ""
	}
}

// keyHint returns a hint for whoever writes a key as Aspera servers name it,
// where a test names it otherwise, or an amount that is none.
func keyHint(name string) string {
	switch name {
	case "size", "start_byte", "bytes_written", "target_rate", "min_rate":
		return "write a whole number, or a number and its unit"
	}
	for _, n := range []struct{ wire, key string }{
		{"startstop", "phase"},
		{"file", "path"},
		{"target_rate_kbps", "target_rate"},
		{"min_rate_kbps", "min_rate"},
		{"end_byte", "bytes_written"},
		{"userid", "user_id"},
		{"file_csum", "checksum"},
		{"file_csum_type", "checksum_type"},
	} {
		if n.wire == name {
			return fmt.Sprintf("did you mean %q?", n.key)
		}
	}
	return ""
}

// suiteBuilder makes a suite of one document. Of a document that has faults it
// makes what is well formed, for the sake of its faults.
type suiteBuilder struct {
	*suiteReader
	doc    *document.Document
	wrong  map[string]bool // Pointers of what is not well formed, or holds such.
	faults document.Faults
}

func (b *suiteBuilder) fault(f document.Fault) { b.faults = append(b.faults, f) }

// sound reports whether nothing at a pointer, or in it, is malformed.
func (b *suiteBuilder) sound(part string) bool { return !b.wrong[part] }

// withParents returns pointers and those of all that they are in.
func withParents(pointers []string) map[string]bool {
	all := make(map[string]bool, len(pointers))
	for _, at := range pointers {
		for !all[at] {
			all[at] = true
			at = at[:max(0, strings.LastIndexByte(at, '/'))]
		}
	}
	return all
}

func (b *suiteBuilder) suite() Suite {
	tree, _ := b.doc.Tree.(map[string]any)
	suite := Suite{File: b.doc.Name}
	suite.Description, _ = tree["description"].(string)
	defaults, _ := tree["defaults"].(map[string]any)
	_, hasDefaults := tree["defaults"]
	b.checkEvent("/defaults", defaults)

	list, _ := tree["tests"].([]any)
	suite.Cases = make([]Case, 0, len(list))
	seen := map[string]bool{}
	for i := range list {
		test, ok := list[i].(map[string]any)
		if !ok {
			continue // Said by the schema.
		}
		at := fmt.Sprintf("/tests/%d", i)
		if _, hasEvent := test["event"]; !hasEvent && !hasDefaults {
			b.fault(b.doc.At(at, "the test has no event").WithHint("give it one, or give the file defaults"))
		}
		c := b.test(at, test, defaults)
		if seen[c.Name] {
			b.fault(b.doc.At(at+"/name", "the file has two tests named %q", c.Name).WithHint("names are unique in a file"))
		}
		seen[c.Name] = c.Name != ""
		suite.Cases = append(suite.Cases, c)
	}
	return suite
}

// test reads the test at a pointer.
func (b *suiteBuilder) test(at string, test, defaults map[string]any) Case {
	c := Case{File: b.doc.Name, Line: b.doc.At(at, "").Line}
	c.Name, _ = test["name"].(string)
	c.Description, _ = test["description"].(string)
	own, _ := test["event"].(map[string]any)
	b.checkEvent(at+"/event", own)
	for _, key := range b.keys {
		if value, written := own[key.name]; written && value == nil && defaults[key.name] == nil {
			b.fault(b.doc.At(at+"/event/"+key.name, "%q says nothing, and there is no default that it could take away", key.name).WithHint("leave the key out"))
		}
	}
	c.Given = b.given(defaults, own)
	c.event, c.content, c.counted = b.eventOf(c.Given), b.contentOf(at, c.Given), countedBefore(c.Given)
	b.expectations(&c, at, test)
	return c
}

// checkEvent reports what is wrong with the values of an event's keys.
func (b *suiteBuilder) checkEvent(at string, event map[string]any) {
	for _, key := range b.keys {
		value := event[key.name]
		if value == nil || !b.sound(at+"/"+key.name) {
			continue
		}
		if err := key.set(&rules.Event{}, value); err != nil {
			b.faults = append(b.faults, place(b.doc, at+"/"+key.name, err)...)
		}
	}
}

// given puts a test's own keys over the defaults.
func (b *suiteBuilder) given(defaults, own map[string]any) []Given {
	given := make([]Given, 0, len(defaults)+len(own))
	for _, key := range b.keys {
		value, isOwn := own[key.name]
		if !isOwn {
			value = defaults[key.name]
		}
		if value != nil {
			given = append(given, Given{Key: key.name, Value: value})
		}
	}
	return given
}

// eventOf returns the event that says what is given. What is wrong with it has
// been reported.
func (b *suiteBuilder) eventOf(given []Given) (e rules.Event) {
	_, _ = setPhase(&e, "start"), setTime(&e, noon)
	rest := b.keys
	for _, g := range given {
		for rest[0].name != g.Key { // Both are in the order of the keys.
			rest = rest[1:]
		}
		_ = rest[0].set(&e, g.Value)
	}
	for _, g := range given {
		if g.Key == grantKey {
			giveGrant(&e, g.Value)
		}
	}
	return e
}
