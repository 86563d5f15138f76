package policies_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xeipuuv/gojsonschema"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// What the schemas say and what the compiler does are two descriptions of one
// language. The tests here hold them together.

// schemas are all that `sluice schema` prints, by the key of their documents.
func schemas() map[string]string {
	return map[string]string{
		"policy":  policies.Schema(rules.Builtin()),
		"clients": policies.ClientsSchema(),
		"tests":   policies.TestsSchema(),
	}
}

// tree returns a schema as values.
func tree(t *testing.T, schema string) map[string]any {
	t.Helper()
	var values map[string]any
	if err := json.Unmarshal([]byte(schema), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// choices are the clauses of a schema that say which keys go together. The
// compiler says that itself, in better words, and does without them; see
// TestOneKind and TestClientsMayDoSomething.
var choices = map[string]string{"rule": "oneOf", "client": "anyOf"}

// loaders returns the schemas as the loader uses them, without the choices.
func loaders(t *testing.T) map[string]*document.Schema {
	t.Helper()
	loaders := map[string]*document.Schema{}
	for key, text := range schemas() {
		schema := tree(t, text)
		definitions, _ := schema["definitions"].(map[string]any)
		for name, clause := range choices {
			if definition, ok := definitions[name].(map[string]any); ok {
				if definition[clause] == nil {
					t.Errorf("the schema of %s does not say which keys of a %s go together", key, name)
				}
				delete(definition, clause)
			}
		}
		text, err := json.Marshal(schema)
		if err != nil {
			t.Fatal(err)
		}
		if loaders[key], err = document.CompileSchema(string(text)); err != nil {
			t.Fatal(err)
		}
	}
	return loaders
}

// schemaOf returns the key of the schema that a document of a set must satisfy,
// or nothing if there is none.
func schemaOf(doc *document.Document) string {
	object, _ := doc.Tree.(map[string]any)
	has := func(key string) bool { _, ok := object[key]; return ok }
	switch {
	case has("clients"):
		return "clients"
	case has("tests") && !has("policy"):
		return ""
	default:
		return "policy"
	}
}

// TestBadSetsAreRefusedByWhoeverShould: each fault behind "# want schema:" is
// found by the schema alone, and no fault behind "# want:" is.
func TestBadSetsAreRefusedByWhoeverShould(t *testing.T) {
	entries, err := os.ReadDir(badSets)
	if err != nil {
		t.Fatal(err)
	}
	loaders, found := loaders(t), 0
	for _, entry := range entries {
		if entry.Name() == "lists" || entry.Name() == "schemas" {
			continue
		}
		set, self := badSet(t, entry)
		got, secret := foundBySchema(t, loaders, set, self)
		found += len(got)
		bySchema, byCompiler := marked(set, "# want schema: "), marked(set, "# want: ")
		for _, fault := range got {
			switch {
			case slices.Contains(bySchema, fault):
			case slices.Contains(byCompiler, fault):
				t.Errorf("%s: the schema alone finds this, so write \"# want schema:\" before it:\n%s", entry.Name(), fault)
			case !secret: // The compiler has other words for what may be a password.
				t.Errorf("%s: the schema alone finds this, and nothing wants it:\n%s", entry.Name(), fault)
			}
		}
		for _, fault := range bySchema {
			if !slices.Contains(got, fault) && !secret {
				t.Errorf("%s: the schema alone does not find this, so write \"# want:\" before it:\n%s", entry.Name(), fault)
			}
		}
	}
	if found < 40 {
		t.Errorf("the schemas found only %d faults", found)
	}
}

// foundBySchema returns what the schemas alone find in the documents of a set,
// and whether one is of clients.
func foundBySchema(t *testing.T, loaders map[string]*document.Schema, set fstest.MapFS, self string) (faults []string, secret bool) {
	t.Helper()
	names, _ := fs.Glob(set, "*.y*ml")
	for _, name := range names {
		doc, unreadable := document.Parse(name, set[name].Data)
		if len(unreadable) > 0 || strings.HasPrefix(name, ".") || strings.Contains(name, "_test.") {
			continue
		}
		key := schemaOf(doc)
		secret = secret || key == "clients"
		if key != "" {
			faults = append(faults, wording(doc.Check(loaders[key]).Sorted(), self)...)
		}
	}
	return faults, secret
}

// property is one property of a schema, and where its value stands in a
// document: rules, 0, size, max.
type property struct {
	at     []string
	schema map[string]any
}

func (p property) String() string { return strings.Join(p.at, "/") }

func (p property) examples() []any { list, _ := p.schema["examples"].([]any); return list }

// everyProperty returns every property of a schema, those of its definitions at the
// places that refer to them.
func everyProperty(root map[string]any) (all []property) {
	definitions, _ := root["definitions"].(map[string]any)
	var walk func(at []string, node map[string]any)
	walk = func(at []string, node map[string]any) {
		if target, ok := node["$ref"].(string); ok {
			node, _ = definitions[strings.TrimPrefix(target, "#/definitions/")].(map[string]any)
		}
		if items, ok := node["items"].(map[string]any); ok {
			walk(append(slices.Clone(at), "0"), items)
		}
		inside, _ := node["properties"].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(inside)) {
			p := property{append(slices.Clone(at), key), inside[key].(map[string]any)}
			all = append(all, p)
			walk(p.at, p.schema)
		}
	}
	walk(nil, root)
	return all
}

// put returns a document with a value put at a place, and makes what is missing
// on the way there.
func put(node any, at []string, value any) any {
	if len(at) == 0 {
		return value
	}
	if at[0] == "0" {
		var first any
		if list, ok := node.([]any); ok && len(list) > 0 {
			first = list[0]
		}
		return []any{put(first, at[1:], value)}
	}
	object, _ := node.(map[string]any)
	if object = maps.Clone(object); object == nil {
		object = map[string]any{}
	}
	object[at[0]] = put(object[at[0]], at[1:], value)
	return object
}

// TestEverySchema holds that all are of draft-07, that an editor finds for each
// property what to show and what to offer, and that nothing that decides stands
// beside a reference, where draft-07 ignores it.
func TestEverySchema(t *testing.T) {
	for key, text := range schemas() {
		root := tree(t, text)
		loader := gojsonschema.NewSchemaLoader()
		loader.Validate, loader.Draft, loader.AutoDetect = true, gojsonschema.Draft7, false
		if _, err := loader.Compile(gojsonschema.NewGoLoader(root)); err != nil {
			t.Errorf("%s: not a schema of draft-07: %v", key, err)
		}
		if root["$schema"] != "http://json-schema.org/draft-07/schema#" {
			t.Errorf("%s: got $schema %v", key, root["$schema"])
		}
		if strings.Contains(text, "\t") || !strings.HasPrefix(text, "{\n  \"$schema\"") {
			t.Errorf("%s is not laid out for a reader:\n%.200s", key, text)
		}
		all := everyProperty(root)
		if len(all) < 8 {
			t.Errorf("%s: found only %d properties", key, len(all))
		}
		for _, p := range all {
			if words, _ := p.schema["description"].(string); len(words) < 15 || !strings.HasSuffix(words, ".") && !strings.Contains(words, ": ") {
				t.Errorf("%s of a %s: no sentence describes it: %q", p, key, words)
			}
			if p.schema["default"] == nil && p.schema["enum"] == nil && p.schema["const"] == nil && len(p.examples()) == 0 {
				t.Errorf("%s of a %s has no default, enum, const or examples", p, key)
			}
			if len(p.schema) > 1 && p.schema["$ref"] != nil {
				t.Errorf("%s of a %s: what stands beside $ref is ignored", p, key)
			}
		}
	}
}

// TestSchemaIsInTheOrderOfAPolicy: keys stand as a person writes them, so that
// an editor offers them so.
func TestSchemaIsInTheOrderOfAPolicy(t *testing.T) {
	keys := []string{"version", "policy", "description", "applies_to", "mode", "rules", "name"}
	for _, kind := range rules.Builtin() {
		keys = append(keys, kind.Name)
	}
	text := policies.Schema(rules.Builtin())
	for _, key := range append(keys, "on", "when", "mode", "code", "message", "timeout", "on_error") {
		_, rest, found := strings.Cut(text, fmt.Sprintf("%q: {", key))
		if !found {
			t.Fatalf("%s does not follow what should stand before it", key)
		}
		text = rest
	}
}

// TestSchemaExplainsTheKinds: what a kind says of itself is in its description.
func TestSchemaExplainsTheKinds(t *testing.T) {
	kinds := map[string]property{}
	for _, p := range everyProperty(tree(t, policies.Schema(rules.Builtin()))) {
		if len(p.at) == 3 {
			kinds[p.at[2]] = p
		}
	}
	for _, kind := range rules.Builtin() {
		text, _ := kinds[kind.Name].schema["description"].(string)
		want := append([]string{
			strings.ReplaceAll(kind.Doc, "`", ""), "Asked on " + kind.Phases.String(), kind.Late, kind.Needs, string(kind.Code), kind.Reads,
		}, kind.Placeholders...)
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("%s: the description lacks %q: %s", kind.Name, part, text)
			}
		}
		if strings.Contains(text, "`") {
			t.Errorf("%s: the description has backticks, which editors show: %s", kind.Name, text)
		}
	}
}

// kindExample returns the first example of a kind's settings.
func kindExample(t *testing.T, kind rules.Kind) any {
	t.Helper()
	examples, _ := tree(t, kind.Schema)["examples"].([]any)
	if len(examples) == 0 {
		t.Fatalf("the schema of the kind %s has no example", kind.Name)
	}
	return examples[0]
}

// base returns a good document into which a property's value can be put.
func base(t *testing.T, key string, at []string) any {
	t.Helper()
	switch {
	case key == "tests":
		answer := "accept"
		if len(at) > 2 && at[2] == "refuse" {
			answer = "refuse"
		}
		test := map[string]any{"name": "t", "event": map[string]any{"path": "/in/a.mov"}, answer: true}
		return map[string]any{"version": 1, "tests": []any{test}}
	case key == "clients":
		p := everyProperty(tree(t, policies.ClientsSchema()))
		clients := p[slices.IndexFunc(p, func(p property) bool { return p.String() == "clients" })]
		return map[string]any{"version": 1, "clients": clients.examples()[0]}
	case len(at) > 2 && at[0] == "rules" && slices.ContainsFunc(rules.Builtin(), func(k rules.Kind) bool { return k.Name == at[2] }):
		return map[string]any{"version": 1, "policy": "p", "rules": []any{map[string]any{"name": "r"}}}
	case at[len(at)-1] == "on_partial":
		return map[string]any{"version": 1, "policy": "p", "rules": []any{map[string]any{"name": "r", "checksum": map[string]any{"verify": true}}}}
	default:
		return map[string]any{"version": 1, "policy": "p", "rules": []any{map[string]any{"name": "r", "size": map[string]any{"max": "1 GiB"}}}}
	}
}

// compileTree compiles a set of one document, the lists and schemas that it
// names, and a policy if it is none itself. Tests it reads as if the policies
// that they name were there, and returns no snapshot.
func compileTree(t rapid.TB, key string, document any) (*policies.Snapshot, error) {
	t.Helper()
	if key == "tests" {
		_, err := suitesOf(t, document)
		return nil, err
	}
	files := besideWhatItNames(encoded(t, document))
	if key == "clients" {
		maps.Copy(files, set("90-policy.yaml", policy("other", noProgram)))
	}
	return policies.Compile(files, policies.Options{Kinds: rules.Builtin(), AcceptByDefault: true, Content: &rules.ContentEnv{Files: film{}}})
}

// film is a source in which every file is a film.
type film struct{ *strings.Reader }

func (film) Open(context.Context, *rules.Event) (rules.Handle, error) {
	return film{strings.NewReader("\x00\x00\x00\x14ftypqt  \x00\x00\x02\x00qt  ")}, nil
}
func (f film) Identity() rules.Identity { return rules.Identity{Size: f.Size()} }
func (film) Unchanged() error           { return nil }
func (film) Close() error               { return nil }

// suitesOf reads a document of tests.
func suitesOf(t rapid.TB, document any) ([]policies.Suite, error) {
	t.Helper()
	return policies.ReadSuites(set("it_test.yaml", encoded(t, document), "samples/film.mov", "a film"), nil)
}

// besideWhatItNames returns a set of one document and of the lists of SHA-256
// digests and the schemas that it names.
func besideWhatItNames(text string) fstest.MapFS {
	files := set("10-it.yaml", text)
	for _, name := range regexp.MustCompile(`\b(lists|schemas)/[a-z0-9.-]+`).FindAllString(text, -1) {
		content := `{"type": "object"}`
		if strings.HasPrefix(name, "lists/") {
			content = strings.Repeat("0", 64) + "\n"
		}
		maps.Copy(files, set(name, content))
	}
	return files
}

// encoded returns a document as JSON, which is YAML.
func encoded(t rapid.TB, document any) string {
	t.Helper()
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// TestExamplesOfTheSchemasCompile: what an editor offers is accepted, alone or
// in the place of the same key in the kind's own example.
func TestExamplesOfTheSchemasCompile(t *testing.T) {
	count := 0
	for key, text := range schemas() {
		for _, p := range everyProperty(tree(t, text)) {
			for _, example := range p.examples() {
				count++
				alone := put(base(t, key, p.at), p.at, example)
				_, err := compileTree(t, key, alone)
				if i := slices.IndexFunc(rules.Builtin(), func(k rules.Kind) bool { return len(p.at) > 3 && k.Name == p.at[2] }); err != nil && i >= 0 {
					kind := rules.Builtin()[i]
					_, err = compileTree(t, key, put(put(base(t, key, p.at), p.at[:3], kindExample(t, kind)), p.at, example))
				}
				if err != nil {
					t.Errorf("%s of a %s: the example %v: %v", p, key, example, err)
				}
			}
		}
	}
	if count < 40 {
		t.Errorf("found only %d examples", count)
	}
}

// TestEveryKindIsInSchemaAndCompiler: the schema knows each kind, its own
// example compiles to a rule of that kind, and settings that its schema refuses
// are refused.
func TestEveryKindIsInSchemaAndCompiler(t *testing.T) {
	for _, kind := range rules.Builtin() {
		at := []string{"rules", "0", kind.Name}
		s, err := compileTree(t, "policy", put(base(t, "policy", at), at, kindExample(t, kind)))
		if err != nil {
			t.Errorf("%s: %v", kind.Name, err)
			continue
		}
		if r := s.Policies[0].Rules[0]; r.Kind != kind.Name || r.Code != kind.Code {
			t.Errorf("the kind %s compiled to a rule of %s with the code %s", kind.Name, r.Kind, r.Code)
		}
		for _, wrong := range []any{7, nil, []any{}, map[string]any{}, map[string]any{"": 1}} {
			if _, err := compileTree(t, "policy", put(base(t, "policy", at), at, wrong)); err == nil {
				t.Errorf("%s: the settings %v are accepted", kind.Name, wrong)
			}
		}
	}
}

// TestOneKind: the schema's choice, with which editors check, is the same as the
// compiler's.
func TestOneKind(t *testing.T) {
	schema := printed(t)["policy"]
	for _, first := range rules.Builtin() {
		for _, second := range rules.Builtin() {
			rule := map[string]any{"name": "r", first.Name: kindExample(t, first), second.Name: kindExample(t, second)}
			agree(t, schema, "policy", map[string]any{"version": 1, "policy": "p", "rules": []any{rule}}, first.Name == second.Name)
		}
	}
	agree(t, schema, "policy", map[string]any{"version": 1, "policy": "p", "rules": []any{map[string]any{"name": "r"}}}, false)
}

// TestClientsMayDoSomething: so it is with what clients may do.
func TestClientsMayDoSomething(t *testing.T) {
	schema := printed(t)["clients"]
	for n := range 4 {
		client := map[string]any{"name": "c", "password_hash": goodBcrypt, "transfer_user": "x", "max_life": "1h"}
		for i, key := range []string{"upload", "download"} {
			if n>>i&1 == 1 {
				client[key] = []any{"/in/**"}
			}
		}
		agree(t, schema, "clients", map[string]any{"version": 1, "clients": []any{client}}, n > 0)
	}
}

// printed returns the schemas as `sluice schema` prints them.
func printed(t *testing.T) map[string]*gojsonschema.Schema {
	t.Helper()
	all := map[string]*gojsonschema.Schema{}
	for key, text := range schemas() {
		var err error
		if all[key], err = gojsonschema.NewSchema(gojsonschema.NewStringLoader(text)); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// agree holds that schema and compiler both accept a document, or both refuse it.
func agree(t *testing.T, schema *gojsonschema.Schema, key string, document any, accepted bool) {
	t.Helper()
	result, err := schema.Validate(gojsonschema.NewGoLoader(document))
	if err != nil {
		t.Fatal(err)
	}
	_, err = compileTree(t, key, document)
	if result.Valid() != accepted || (err == nil) != accepted {
		t.Errorf("%v: want accepted %v, the schema says %v, the compiler says %v", document, accepted, result.Errors(), err)
	}
}

// TestDefaultsOfTheSchemas: writing a default is the same as leaving the key
// out, and writing something else is not.
func TestDefaultsOfTheSchemas(t *testing.T) {
	count := 0
	for key, text := range schemas() {
		for _, p := range everyProperty(tree(t, text)) {
			normal := p.schema["default"]
			if normal == nil {
				continue
			}
			count++
			without := base(t, key, p.at)
			if i := slices.IndexFunc(rules.Builtin(), func(k rules.Kind) bool { return len(p.at) > 3 && k.Name == p.at[2] }); i >= 0 {
				example, _ := kindExample(t, rules.Builtin()[i]).(map[string]any)
				example = maps.Clone(example)
				delete(example, p.at[3])
				without = put(without, p.at[:3], example)
			}
			describe := func(document any) string {
				if key == "tests" {
					return eventOf(t, document)
				}
				s, err := compileTree(t, key, document)
				if err != nil {
					t.Fatalf("%s: %v", p, err)
				}
				return behaviour(s)
			}
			if diff := cmp.Diff(describe(without), describe(put(without, p.at, normal))); diff != "" {
				t.Errorf("%s of a %s: without it and with its default %v (-without +with):\n%s", p, key, normal, diff)
			}
			if len(p.at) > 3 && slices.Contains([]string{"archive", "webhook"}, p.at[2]) {
				continue // It takes large archives, or a service, to see a difference; the kinds' own tests do.
			}
			for _, other := range others(p, normal) {
				if describe(without) == describe(put(without, p.at, other)) {
					t.Errorf("%s of a %s: %v does the same as the default, as far as the test can tell", p, key, other)
				}
			}
		}
	}
	if count < 5 {
		t.Errorf("found only %d defaults", count)
	}
}

// eventOf describes the event of a document's test.
func eventOf(t *testing.T, document any) string {
	t.Helper()
	suites, err := suitesOf(t, document)
	if err != nil {
		t.Fatal(err)
	}
	e := suites[0].Cases[0].Run(t.Context(), compile(t, set("p.yaml", policy("p", noProgram)))).Event
	return fmt.Sprintf("%s %s %s %s", e.Phase, e.Direction, e.Received.UTC(), e.File.Shown())
}

// others returns values of a property that are not its default.
func others(p property, normal any) (values []any) {
	if yes, ok := normal.(bool); ok {
		return []any{!yes}
	}
	list, _ := p.schema["enum"].([]any)
	for _, value := range append(list, p.examples()...) {
		if value != normal && value != nil {
			values = append(values, value)
		}
	}
	return values
}

// behaviour describes what a set is and does.
func behaviour(s *policies.Snapshot) string {
	var text strings.Builder
	for _, p := range s.Policies {
		fmt.Fprintf(&text, "%s %s\n", p.Name, p.Mode)
		for _, r := range p.Rules {
			fmt.Fprintf(&text, "  %s %s %s %s %v %v %v %s\n", r.Name, r.Mode, r.Phases, r.Code, r.AcceptOnError, r.AcceptPart, r.Timeout, r.Cost)
		}
	}
	for _, name := range []string{"/in/a.mov", "/in/a.exe.mov", "/in/a.exe", ""} {
		for _, size := range []rules.Number{{}, rules.Known(1), rules.Known(1 << 50)} {
			e := transfer(name)
			e.Size = size
			if size.Known && size.Value == 1 { // What only rules that look into files are asked about.
				e.Phase = rules.PhaseStop
			}
			for hour := range 24 {
				e.Received = time.Date(2026, 7, 1, hour, 30, 0, 0, time.UTC)
				d := decide(s, e)
				fmt.Fprintf(&text, "%s %v %d: %s %s %v\n", name, size, hour, d.Rule, d.Code, d.Applied)
			}
		}
	}
	return text.String()
}

// goodDocuments are documents without mistakes, by the key of their schema: the
// policies that ship, a policy with a rule of each kind, and clients.
func goodDocuments(t *testing.T) (documents []goodDocument) {
	t.Helper()
	shipped, err := filepath.Glob("examples/*.yaml")
	if err != nil || len(shipped) == 0 {
		t.Fatalf("no policies ship (%v)", err)
	}
	for _, name := range shipped {
		if strings.Contains(name, "_test.") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		doc, faults := document.Parse(name, text)
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		if key := schemaOf(doc); key != "" {
			documents = append(documents, goodDocument{key, doc.Tree})
		}
	}
	var every []any
	for i, kind := range rules.Builtin() {
		every = append(every, map[string]any{"name": fmt.Sprintf("r%d", i), kind.Name: kindExample(t, kind), "code": "7", "timeout": "1s", "mode": "shadow"})
	}
	documents = append(documents,
		goodDocument{"policy", map[string]any{"version": json.Number("1"), "policy": "p", "rules": every}},
		goodDocument{"clients", base(t, "clients", nil)}, goodDocument{"tests", base(t, "tests", nil)})
	for _, good := range documents {
		if _, err := compileTree(t, good.key, good.tree); err != nil {
			t.Fatalf("not a good document: %v", err)
		}
	}
	return documents
}

type goodDocument struct {
	key  string
	tree any
}

// TestWhatTheSchemaRefusesIsRefused: documents in which anything has been left
// out, renamed, doubled or made something else never make the compiler panic or
// disagree with its own schema, and whatever the schema refuses it refuses.
func TestWhatTheSchemaRefusesIsRefused(t *testing.T) {
	good, schemas := goodDocuments(t), printed(t)
	refused, accepted := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.SampledFrom(good).Draw(t, "document")
		mutant := from.tree
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			mutant = mutate(t, mutant)
		}
		_, err := compileTree(t, from.key, mutant)
		if err != nil && strings.Contains(err.Error(), "json:") {
			t.Fatalf("schema and compiler disagree: %v", err)
		}
		doc, unreadable := document.Parse("mutant.yaml", []byte(encoded(t, mutant)))
		if len(unreadable) > 0 || from.key != "tests" && schemaOf(doc) != from.key {
			return // Or it is of another kind now.
		}
		result, wrong := schemas[from.key].Validate(gojsonschema.NewRawLoader(doc.Tree))
		if wrong != nil {
			t.Fatal(wrong)
		}
		if !result.Valid() {
			refused++
			if err == nil {
				t.Fatalf("the compiler accepts what the schema refuses: %v", result.Errors())
			}
		} else if err == nil {
			accepted++
		}
	})
	if refused < 10 || accepted < 2 {
		t.Errorf("of the documents the schema refused %d and both accepted %d", refused, accepted)
	}
}

// mutate changes one thing in a tree.
func mutate(t *rapid.T, node any) any {
	inside := rapid.IntRange(0, 5).Draw(t, "deeper") > 0
	switch node := node.(type) {
	case map[string]any:
		if len(node) == 0 {
			break
		}
		changed := maps.Clone(node)
		key := rapid.SampledFrom(slices.Sorted(maps.Keys(node))).Draw(t, "key")
		switch {
		case inside:
			changed[key] = mutate(t, node[key])
		case rapid.Bool().Draw(t, "drop"):
			delete(changed, key)
		default:
			delete(changed, key)
			changed[rapid.SampledFrom(someKeys).Draw(t, "name")] = node[key]
		}
		return changed
	case []any:
		if len(node) == 0 {
			break
		}
		i := rapid.IntRange(0, len(node)-1).Draw(t, "element")
		changed := slices.Clone(node)
		switch {
		case inside:
			changed[i] = mutate(t, node[i])
			return changed
		case rapid.Bool().Draw(t, "drop"):
			return slices.Delete(changed, i, i+1)
		default:
			return append(changed, node[i])
		}
	}
	return rapid.OneOf(rapid.SampledFrom(someValues), rapid.Map(rapid.String(), func(s string) any { return strings.ToValidUTF8(s, "") })).Draw(t, "value")
}

var someKeys = []string{
	"name", "naem", "rules", "policy", "size", "max", "min", "allow", "deny", "on", "mode", "when", "path", "extension", "", "0", "a/b", "~1", "password_hash",
}

var someValues = []any{
	nil, true, false, "", "x", " ", "1", "0", "*", "/**", "[", "1 GiB", "enforce", "off", "start", "1h", "{name}", "\u0000", "a\nb",
	json.Number("1"), json.Number("0"), json.Number("-1"), json.Number("1.0"), json.Number("1.5"), json.Number("2.55e2"), json.Number("1e400"), json.Number("99999999999999999999"),
	[]any{},
	[]any{"x"},
	[]any{nil},
	[]any{[]any{}},
	[]any{json.Number("1.0")},
	map[string]any{},
	map[string]any{"max": json.Number("2.0")},
	map[string]any{"x": nil},
}
