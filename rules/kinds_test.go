package rules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/xeipuuv/gojsonschema"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/rules/scan"
)

// settings are what a policy wrote under a kind's key, as JSON.
type settings string

func (s settings) Decode(into any) error {
	dec := json.NewDecoder(strings.NewReader(string(s)))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

// folder is the files of a policy set.
type folder map[string]string

func (f folder) open(name string) (io.ReadCloser, error) {
	text, ok := f[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return io.NopCloser(strings.NewReader(text)), nil
}

func (f folder) digests(name string) (*Digests, error) {
	r, err := f.open(name)
	if err != nil {
		return nil, err
	}
	return ReadDigests(name, r, 0)
}

func (f folder) env(partial string) Env {
	return Env{PartialSuffix: partial, Open: f.open, Digests: f.digests}
}

// schemaFaults returns what a kind's schema has against settings.
func schemaFaults(t *testing.T, kind Kind, s string) []string {
	t.Helper()
	result, err := gojsonschema.Validate(gojsonschema.NewStringLoader(kind.Schema), gojsonschema.NewStringLoader(s))
	if err != nil {
		t.Fatalf("%s: %s: %v", kind.Name, s, err)
	}
	var faults []string
	for _, fault := range result.Errors() {
		faults = append(faults, fault.String())
	}
	return faults
}

// compile compiles settings that must be right.
func compile(t *testing.T, kind Kind, env Env, s string) Compiled {
	t.Helper()
	if faults := schemaFaults(t, kind, s); faults != nil {
		t.Fatalf("%s: %s is refused by the schema: %q", kind.Name, s, faults)
	}
	c, err := kind.Compile(env, settings(s))
	if err != nil {
		t.Fatalf("%s: %s is refused: %v", kind.Name, s, err)
	}
	return c
}

// ruleOf makes a rule as the policy compiler does.
func ruleOf(kind Kind, env Env, c Compiled) *Rule {
	return &Rule{
		Policy: "partner-ingest", Name: "a-rule", Kind: kind.Name, Phases: kind.Phases, NeedsFile: kind.NeedsFile, Cost: kind.Cost,
		Code: kind.Code, Values: c.Values, PartialSuffix: env.PartialSuffix, Check: c.Check, Saw: kind.Saw,
	}
}

// answer is what a rule says: nothing, what it found, or why it cannot tell.
type answer struct{ verb, detail string }

func accept() answer              { return answer{"accepts", ""} }
func refuse(found string) answer  { return answer{"refuses", found} }
func unsure(reason string) answer { return answer{"cannot tell", reason} }

func (a answer) String() string { return strings.TrimSpace(a.verb + " " + strconv.Quote(a.detail)) }

func ask(c Compiled, e *Event) answer {
	o, err := c.Check(context.Background(), e)
	switch {
	case err != nil:
		return unsure(err.Error())
	case o != nil:
		return refuse(o.Found)
	default:
		return accept()
	}
}

// lacks is the answer about an event without a field.
func lacks(field string) answer { return unsure("the event has no usable " + field) }

// row is one line of a kind's specification.
type row struct {
	settings string
	event    *Event
	want     answer
}

func judge(t *testing.T, kind Kind, env Env, rows []row) {
	t.Helper()
	for i, r := range rows {
		if got := ask(compile(t, kind, env, r.settings), r.event); got != r.want {
			t.Errorf("%s: row %d, %s about %q: %v, want %v", kind.Name, i, r.settings, r.event.File.Raw, got, r.want)
		}
	}
}

// reads holds a kind's refusal to the text that the person reads.
type reads struct {
	settings string
	event    *Event
	message  string
}

func judgeMessages(t *testing.T, kind Kind, env Env, rows []reads) {
	t.Helper()
	for _, r := range rows {
		c := compile(t, kind, env, r.settings)
		o, err := c.Check(t.Context(), r.event)
		if err != nil || o == nil {
			t.Errorf("%s: %s does not refuse %q: %v", kind.Name, r.settings, r.event.File.Raw, err)
			continue
		}
		if got := ruleOf(kind, env, c).render(r.event, o); got != r.message {
			t.Errorf("%s: %s says\n%s, want\n%s", kind.Name, r.settings, got, r.message)
		}
	}
}

// slip is settings that a kind must refuse, with all of its mistakes, each as
// "pointer: text".
type slip struct {
	settings string
	mistakes []string
}

func judgeMistakes(t *testing.T, kind Kind, env Env, slips []slip) {
	t.Helper()
	for _, s := range slips {
		if faults := schemaFaults(t, kind, s.settings); faults != nil {
			t.Errorf("%s: %s is refused by the schema already: %q", kind.Name, s.settings, faults)
		}
		_, err := kind.Compile(env, settings(s.settings))
		if diff := cmp.Diff(s.mistakes, specErrors(t, err)); diff != "" {
			t.Errorf("%s: %s: mistakes (-want +got):\n%s", kind.Name, s.settings, diff)
		}
	}
}

func specErrors(t *testing.T, err error) (texts []string) {
	t.Helper()
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%v is not a join of mistakes", err)
	}
	for _, err := range joined.Unwrap() {
		var spec *SpecError
		if !errors.As(err, &spec) {
			t.Fatalf("%v is no *SpecError", err)
		}
		texts = append(texts, spec.At+": "+spec.Error())
	}
	return texts
}

// judgeSchema holds a kind's schema to refusing settings.
func judgeSchema(t *testing.T, kind Kind, refused ...string) {
	t.Helper()
	for _, s := range refused {
		if schemaFaults(t, kind, s) == nil {
			t.Errorf("%s: the schema accepts %s", kind.Name, s)
		}
	}
}

// file is an event about a file, changed by what follows.
func file(path string, change ...func(*Event)) *Event {
	e := &Event{Phase: PhaseStart, Direction: Upload, File: ParsePath(path)}
	for _, c := range change {
		c(e)
	}
	return e
}

// session is an event that is not about a file.
func session(change ...func(*Event)) *Event { return file("", change...) }

// A disagreement between a schema and the struct it fills is reported, not
// passed over.
func TestKindsReportWhatCannotBeDecoded(t *testing.T) {
	for _, kind := range Builtin() {
		if _, err := kind.Compile(folder{}.env(""), settings(`{"no_such_setting": 1}`)); err == nil {
			t.Errorf("%s compiles a setting that it does not have", kind.Name)
		}
	}
}

func TestKindsAreDocumented(t *testing.T) {
	code := regexp.MustCompile(`^[A-Za-z0-9._-]{1,32}$`)
	names, codes := map[string]bool{}, map[Code]bool{}
	for _, s := range ServiceCodes() {
		if codes[s.Code] || !code.MatchString(string(s.Code)) {
			t.Errorf("the service code %q is taken or malformed", s.Code)
		}
		codes[s.Code] = true
	}
	all := Builtin()
	if len(all) == 0 {
		t.Fatal("there is no kind")
	}
	for _, k := range all {
		if names[k.Name] || !regexp.MustCompile(`^[a-z]+$`).MatchString(k.Name) {
			t.Errorf("the name %q is taken or malformed", k.Name)
		}
		if codes[k.Code] || !code.MatchString(string(k.Code)) {
			t.Errorf("%s: the code %q is taken or malformed", k.Name, k.Code)
		}
		names[k.Name], codes[k.Code] = true, true
		if k.Doc == "" || k.Reads == "" || k.Saw == nil || k.Compile == nil {
			t.Errorf("%s lacks Doc, Reads, Saw or Compile", k.Name)
		}
		if k.Phases == 0 || k.Phases&^EveryPhase != 0 {
			t.Errorf("%s has the phases %b", k.Name, k.Phases)
		}
		if (k.Late == "") != (k.Phases == EveryPhase) {
			t.Errorf("%s is asked on %s and explains what is missing with %q", k.Name, k.Phases, k.Late)
		}
		for _, p := range k.Placeholders {
			if slices.Contains(CommonPlaceholders(), p) {
				t.Errorf("%s: the placeholder {%s} is a common one", k.Name, p)
			}
		}
	}
}

// Every setting of every kind is described, and its examples are ones that the
// schema accepts.
func TestKindSchemas(t *testing.T) {
	for _, k := range Builtin() {
		loader := gojsonschema.NewSchemaLoader()
		loader.Draft, loader.AutoDetect, loader.Validate = gojsonschema.Draft7, false, true
		if _, err := loader.Compile(gojsonschema.NewStringLoader(k.Schema)); err != nil {
			t.Errorf("%s: the schema is not draft-07: %v", k.Name, err)
			continue
		}
		var schema map[string]any
		if err := json.Unmarshal([]byte(k.Schema), &schema); err != nil {
			t.Fatal(err)
		}
		if schema["type"] == "string" { // The settings are one text: an expression.
			checkProperties(t, k.Name, map[string]any{"properties": map[string]any{"": schema}})
			continue
		}
		if schema["type"] != "object" || schema["additionalProperties"] != false || schema["minProperties"] != 1.0 {
			t.Errorf("%s: the schema is not of a closed object with a member", k.Name)
		}
		if n := checkProperties(t, k.Name, schema); n == 0 {
			t.Errorf("%s has no property", k.Name)
		}
	}
}

func checkProperties(t *testing.T, at string, schema map[string]any) (count int) {
	t.Helper()
	properties, _ := schema["properties"].(map[string]any)
	for name, value := range properties {
		count++
		property := value.(map[string]any)
		at := at + "/" + name
		if text, _ := property["description"].(string); !strings.HasSuffix(text, ".") && !strings.Contains(text, ": ") {
			t.Errorf("%s has the description %q", at, text)
		}
		examples, _ := property["examples"].([]any)
		if len(examples) == 0 {
			t.Errorf("%s has no example", at)
		}
		for _, example := range examples {
			result, err := gojsonschema.Validate(gojsonschema.NewGoLoader(property), gojsonschema.NewGoLoader(example))
			if err != nil {
				t.Fatal(err)
			}
			if !result.Valid() {
				t.Errorf("%s: the example %v is not valid: %v", at, example, result.Errors())
			}
		}
		checkProperties(t, at, property)
	}
	return count
}

// objection is a rule and an event about which it objects, whatever the hostile
// text in it is.
type objection struct {
	kind     func() Kind
	settings string
	event    func(hostile string) *Event
	content  string // of the file, for kinds that look into it
	user     string // instead of the hostile text
}

const (
	goodDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	badDigest  = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"
)

// objections returns one for each message in this package at least.
func objections() []objection {
	named := func(before, after string) func(string) *Event {
		return func(h string) *Event { return file("/in/" + before + h + after) }
	}
	sized := func(n int64) func(string) *Event {
		return func(h string) *Event { return file("/in/x"+h, func(e *Event) { e.Size = Known(n) }) }
	}
	summed := func(h string) *Event {
		return file("/in/x"+h, func(e *Event) { e.Checksum, e.ChecksumType = badDigest, "sha256" })
	}
	tagged := func(raw string) func(string) *Event {
		return func(string) *Event { return session(func(e *Event) { e.Tags.Raw = raw }) }
	}
	folderNamed := func(before string) func(string) *Event {
		return func(h string) *Event {
			e := named(before, "")(h)
			e.Below = true
			return e
		}
	}
	granted := func(text string) func(string) *Event {
		return func(string) *Event { return grantedFile("/in/x.mov", text) }
	}
	return []objection{
		{kind: pathKind, settings: `{"allow": ["/in/**"]}`, event: named("../x", "")},
		{kind: pathKind, settings: `{"deny": ["/**"]}`, event: named("", "x")},
		{kind: pathKind, settings: `{"allow": ["/ok/**"]}`, event: named("x", "")},
		{kind: pathKind, settings: `{"allow": ["/in/x/**"]}`, event: folderNamed("y")},
		{kind: pathKind, settings: `{"deny": ["/in/**/secret"]}`, event: folderNamed("x")},
		{kind: filenameKind, settings: `{"forbid": ["control"]}`, event: named("\x1b", "")},
		{kind: filenameKind, settings: `{"forbid": ["bidi"]}`, event: named("\u202e", "")},
		{kind: filenameKind, settings: `{"forbid": ["double-extension"]}`, event: named("x", ".pdf.exe")},
		{kind: filenameKind, settings: `{"forbid": ["reserved"]}`, event: named("CON.", "")},
		{kind: filenameKind, settings: `{"forbid": ["trailing-dot"]}`, event: named("x", ".")},
		{kind: filenameKind, settings: `{"forbid": ["trailing-space"]}`, event: named("x", " ")},
		{kind: filenameKind, settings: `{"forbid": ["alternate-stream"]}`, event: named("x:", "")},
		{kind: filenameKind, settings: `{"forbid": ["leading-dot"]}`, event: named(".x", "")},
		{kind: filenameKind, settings: `{"max_bytes": 1}`, event: named("xx", "")},
		{kind: extensionKind, settings: `{"deny": ["exe"]}`, event: named("x", ".exe")},
		{kind: extensionKind, settings: `{"allow": ["mov"]}`, event: named("x.", "y")},
		{kind: sizeKind, settings: `{"min": 10}`, event: sized(9)},
		{kind: sizeKind, settings: `{"max": "1 MiB"}`, event: sized(1 << 62)},
		{kind: checksumKind, settings: `{"require": ["md5"]}`, event: summed},
		{kind: checksumKind, settings: `{"deny": "bad"}`, event: summed},
		{kind: checksumKind, settings: `{"verify": true}`, event: summed, content: "something else"},
		{kind: checksumKind, settings: `{"allow": ["good"]}`, event: summed},
		{kind: tagsKind, settings: `{"require": ["/a"]}`, event: tagged(`rubbish`)},
		{kind: tagsKind, settings: `{"require": ["/a"]}`, event: tagged(`{}`)},
		{kind: tagsKind, settings: `{"schema": "closed.json"}`, event: func(h string) *Event {
			raw, _ := json.Marshal(map[string]any{h: 1})
			return session(func(e *Event) { e.Tags.Raw = string(raw) })
		}},
		{kind: networkKind, settings: `{"allow": ["192.0.2.0/24"]}`, event: func(h string) *Event {
			return session(func(e *Event) { from("203.0.113.7")(e); e.ClientIP = h })
		}},
		{kind: transferKind, settings: `{"cipher": ["aes-256"]}`, event: func(h string) *Event {
			return session(func(e *Event) { e.Cipher = "x" + h })
		}},
		{kind: transferKind, settings: `{"rate_policy": ["fair"]}`, event: func(h string) *Event {
			return session(func(e *Event) { e.RatePolicy = "x" + h })
		}},
		{kind: transferKind, settings: `{"target_rate": {"min": "1 Gbps"}}`, event: func(string) *Event { return session(rate(1)) }},
		{kind: transferKind, settings: `{"target_rate": {"max": "1 Gbps"}}`, event: func(string) *Event { return session(rate(1 << 62)) }},
		{kind: scheduleKind, settings: `{"days": ["mon"]}`, event: func(string) *Event { return at("2026-11-22T12:00:00Z") }},
		{kind: scanKind, settings: `{"with": "clamav"}`, event: named("", ""), content: "MARKER"},
		{kind: grantKind, settings: `{"required": true}`, event: named("", "")},
		{kind: grantKind, settings: `{"required": true}`, event: granted("rubbish")},
		{kind: grantKind, settings: `{"required": true}`, event: granted("early")},
		{kind: grantKind, settings: `{"required": true}`, event: granted("expired")},
		{kind: grantKind, settings: `{"required": true}`, event: granted("guest's"), user: "ann"},
		{kind: grantKind, settings: `{"required": true}`, event: granted("download"), user: "ann"},
		{kind: grantKind, settings: `{"required": true}`, event: granted("elsewhere"), user: "ann"},
		{kind: grantKind, settings: `{"required": true}`, event: granted("small"), user: "ann"},
		{kind: grantKind, settings: `{"required": true}`, event: granted("used"), user: "ann"},
		{kind: quotaKind, settings: `{"per": "session", "files": 1}`, event: func(h string) *Event {
			return transferred(PhaseStart, called("/in/x"+h), func(e *Event) { e.SessionID = h + "s" })
		}},
		{kind: quotaKind, settings: `{"per": "user", "bytes": 1, "window": "1h"}`, event: func(h string) *Event { return transferred(PhaseStart, called("/in/x"+h)) }, user: "ann"},
		{kind: quotaKind, settings: `{"per": "client_ip", "files": 9, "window": "31d"}`, event: func(h string) *Event { return transferred(PhaseStop, called("/in/x"+h)) }},
		{kind: expressionKind, settings: `"event.user == 'x' && event.name == ''"`, event: func(h string) *Event { return file("/in/x" + h) }},
	}
}

func objectionEnv() Env {
	env := folder{"bad": badDigest, "good": goodDigest, "closed.json": `{"additionalProperties": false}`}.env(".partial")
	env.Scanners = func(string) (*scan.Pool, error) {
		return scan.NewPool(&fakeScanner{}, scan.PoolOptions{Gate: NewGate(1, 0)}), nil
	}
	env.Grants, env.Counters = &GrantEnv{Grants: newFakeGrants()}, fullCounters{}
	return env
}

// hostile draws what may stand in a name: anything but a slash.
func hostile() *rapid.Generator[string] {
	piece := rapid.OneOf(
		rapid.String(),
		rapid.SampledFrom([]string{
			"\u202e", "\u2066", "\u2028", "\n", "\r", "\x00", "\x7f", "\u0085", "\xff", "\xc3", "\ufffd", "\u200b", "\ufeff",
			"{name}", "{", "}}", "%s", "…", "é", "\U0001f600", "\U000e0001", ".", ":", " ", `\`, strings.Repeat("é", 200),
		}),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 400), func(b []byte) string { return string(b) }),
	)
	return rapid.Map(rapid.SliceOfN(piece, 0, 5), func(all []string) string {
		return strings.ReplaceAll(strings.Join(all, ""), "/", "_")
	})
}

// isMessage reports whether ascp may be given a text.
func isMessage(text string) bool {
	return text != "" && len(text) <= MaxMessage && utf8.ValidString(text) &&
		!strings.ContainsFunc(text, func(r rune) bool { return r != ' ' && !unicode.IsPrint(r) })
}

// Whatever is in an event, each refusal is one printable line that fits, and
// this test has seen every message there is.
func TestBuiltinMessages(t *testing.T) {
	seen := map[string]bool{}
	env := objectionEnv()
	rapid.Check(t, func(rt *rapid.T) {
		h := hostile().Draw(rt, "hostile")
		for _, o := range objections() {
			kind := o.kind()
			c := compile(t, kind, env, o.settings)
			e := o.event(h)
			if e.User = h; o.user != "" {
				e.User = o.user
			}
			found, err := o.check(c, e)
			if found == nil || err != nil {
				rt.Fatalf("%s %s does not object to %q: %v", kind.Name, o.settings, e.File.Raw, err)
			}
			seen[found.Message.text()] = true
			if _, err := ParseTemplate(found.Message.text(), kind.Placeholders...); err != nil {
				rt.Fatalf("%s: %q: %v", kind.Name, found.Message.text(), err)
			}
			rule := ruleOf(kind, env, c)
			if text := rule.render(e, found); !isMessage(text) {
				rt.Fatalf("%s %s says %q", kind.Name, o.settings, text)
			}
			rule.Message, err = ParseTemplate("{name} {path} {extension} {size} {user} {policy} {rule} {found}", kind.Placeholders...)
			if err != nil {
				rt.Fatal(err)
			}
			if text := rule.render(e, found); !isMessage(text) {
				rt.Fatalf("a policy's message for %s is %q", kind.Name, text)
			}
			if text := cannotTell.render(e, rule, nil); !isMessage(text) {
				rt.Fatalf("a rule that cannot tell says %q", text)
			}
		}
	})
	for _, f := range nameFaults() {
		if !seen[f.message] {
			t.Errorf("no event had the message %q", f.message)
		}
	}
	for _, text := range builtinMessages(t) {
		if !seen[text] {
			t.Errorf("no event had the message %q", text)
		}
	}
	for _, s := range ServiceCodes() {
		if got := s.Code.Verdict(); got.Code != s.Code || !isMessage(got.Message) || s.Meaning == "" {
			t.Errorf("%s: %q means %q", got.Code, got.Message, s.Meaning)
		}
	}
}

func (o objection) check(c Compiled, e *Event) (*Objection, error) {
	if c.Check != nil {
		return c.Check(context.Background(), e)
	}
	l := NewLook(e, &ContentEnv{Files: &drawer{text: o.content}})
	defer l.Close()
	r := &Rule{Inspect: c.Inspect, Consume: c.Consume, Cost: File}
	l.ReadOnce(context.Background(), Chain{r})
	found, _ := l.inspect(context.Background(), r)
	return found.Objection, found.Err
}

// text returns what the template was compiled from.
func (t *Template) text() string {
	if t.builtin != "" {
		return t.builtin
	}
	var b strings.Builder
	for _, p := range t.parts {
		b.WriteString(p.text)
		if p.placeholder != "" {
			b.WriteString("{" + p.placeholder + "}")
		}
	}
	return b.String()
}

// builtinMessages returns the texts with which the package's source calls
// builtinMessage.
func builtinMessages(t *testing.T) (texts []string) {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(source, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if f, ok := call.Fun.(*ast.Ident); !ok || f.Name != "builtinMessage" {
				return true
			}
			if literal, ok := call.Args[0].(*ast.BasicLit); ok {
				text, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				texts = append(texts, text)
			}
			return true
		})
	}
	if len(texts) < len(Builtin()) {
		t.Fatalf("the source has %d messages only", len(texts))
	}
	return texts
}

func TestServiceCodeVerdictPanicsForACodeOfARule(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("1022 has a message of the service")
		}
	}()
	Code("1022").Verdict()
}

// What a kind looked at can be shown of any event.
func TestSawNeverPanics(t *testing.T) {
	shows := func(t interface{ Helper() }, e *Event) {
		t.Helper()
		for _, k := range Builtin() {
			k.Saw(e)
			Step{Rule: &Rule{Saw: k.Saw}}.Saw(e)
		}
	}
	shows(t, &Event{})
	rapid.Check(t, func(t *rapid.T) {
		text := func(label string) string { return hostile().Draw(t, label) }
		number := func(label string) Number {
			return Number{rapid.Int64().Draw(t, label), rapid.Bool().Draw(t, label+" known")}
		}
		shows(t, &Event{
			Received: time.Unix(rapid.Int64().Draw(t, "received"), 0), Phase: Phase(rapid.Byte().Draw(t, "phase")),
			ClientIP: text("ip"), User: text("user"), Cipher: text("cipher"), RatePolicy: text("rate"),
			TargetRateKbps: number("target"), File: ParsePath(text("path")), Size: number("size"), BytesWritten: number("written"),
			Tags: Tags{Raw: text("tags")}, Checksum: text("csum"), ChecksumType: text("type"),
		})
	})
}

func TestSaw(t *testing.T) {
	e := file("s3://KEY:SECRET@bucket/in/Clip.MOV.aspera-env", func(e *Event) {
		e.Size, e.Checksum, e.ChecksumType = Known(2048), goodDigest, "sha256"
		from("203.0.113.7")(e)
		e.Cipher, e.RatePolicy, e.TargetRateKbps = "aes-128", "fair", Known(10_000)
		e.Received = time.Date(2026, 11, 23, 12, 0, 0, 0, time.FixedZone("", 3600))
		e.Tags.Raw = `{"a": 1}`
	})
	for kind, want := range map[string]string{
		"path": "s3://***@bucket/in/Clip.MOV.aspera-env", "filename": "Clip.MOV.aspera-env", "extension": "mov", "size": "2 KiB",
		"checksum": "sha256 " + goodDigest, "tags": "tags", "network": "203.0.113.7", "transfer": "aes-128 fair 10 Mbps",
		"schedule": "2026-11-23T11:00:00Z", "grant": "",
	} {
		i := slices.IndexFunc(Builtin(), func(k Kind) bool { return k.Name == kind })
		if i < 0 {
			t.Errorf("there is no kind %s", kind)
			continue
		}
		if got := Builtin()[i].Saw(e); got != want {
			t.Errorf("%s saw %q, want %q", kind, got, want)
		}
	}
}

func TestSpecError(t *testing.T) {
	cause := &FileError{File: "lists/bad", Line: 3, Message: "no digest"}
	err := &SpecError{At: "/deny", Message: "the list cannot be used", Hint: "look at it", Cause: cause}
	if want := "the list cannot be used; look at it: lists/bad:3: no digest"; err.Error() != want {
		t.Errorf("%q, want %q", err.Error(), want)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is not to be found")
	}
}
