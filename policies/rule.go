package policies

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// compileRule compiles the rule at a pointer. The rule is nil if there are
// faults.
func (c *compiler) compileRule(doc *document.Document, at string, p *Policy, written map[string]any) (*rules.Rule, document.Faults) {
	kind, faults := c.kindOf(doc, at, written)
	if kind == nil {
		return nil, faults
	}
	spec := specOf(written)
	rule := &rules.Rule{
		Policy: p.Name, Name: spec.Name, Kind: kind.Name, Mode: max(p.Mode, mode(spec.Mode)),
		NeedsFile: kind.NeedsFile, NeedsName: kind.NeedsName, Cost: kind.Cost, Code: kind.Code,
		AcceptOnError: spec.OnError == "accept", AcceptPart: spec.OnPartial == "accept", Saw: kind.Saw, PartialSuffix: c.env.PartialSuffix,
	}
	if spec.Code != "" {
		rule.Code = rules.Code(spec.Code)
	}
	if spec.Timeout != "" {
		var err error
		if rule.Timeout, err = duration(spec.Timeout); err != nil {
			faults = append(faults, mistaken(doc, at+"/timeout", err))
		}
	}
	if spec.Message != "" {
		message, fault := template(doc, at+"/message", spec.Message, kind)
		rule.Message, faults = message, append(faults, fault...)
	}
	scopes := []rules.Scope{{Never: rules.EveryPhase &^ kind.Phases, Why: kind.Late}}
	if _, written := written["when"]; written {
		var err error
		rule.When, err = rules.CompileCondition(c.env, spec.When)
		faults = append(faults, place(doc, at+"/when", err)...)
		if rule.When != nil {
			scopes = append(scopes, rule.When.Scope)
		}
	}
	compiled, err := kind.Compile(c.envOf(p.Name, spec.Name), decoder{doc, at + "/" + kind.Name})
	faults = append(faults, place(doc, at+"/"+kind.Name, err)...)
	faults = append(faults, setPhases(doc, at, rule, spec.On, append(scopes, compiled.Scope))...)
	rule.Cost, rule.Limits = max(rule.Cost, compiled.Cost), compiled.Limits
	if faults = append(faults, inVain(doc, at, rule, len(faults) == 0)...); len(faults) > 0 {
		return nil, faults
	}
	rule.Check, rule.Inspect, rule.Consume = compiled.Check, compiled.Inspect, compiled.Consume
	rule.Remote, rule.Waits = compiled.Remote, compiled.Waits
	rule.Recall, rule.Fields = compiled.Recall, kind.Fields
	if compiled.Fields != nil {
		rule.Fields = compiled.Fields
	}
	rule.Values, rule.Reach = compiled.Values, compiled.Reach
	if compiled.Saw != nil {
		rule.Saw = compiled.Saw
	}
	return rule, nil
}

// inVain reports what a rule says that changes nothing: what becomes of a part, of
// a rule that looks into no file, and limits on what is granted when the rule is
// not asked, unless something is wrong with it that could be why.
func inVain(doc *document.Document, at string, r *rules.Rule, sound bool) (faults document.Faults) {
	if r.AcceptPart && r.Cost <= rules.Store {
		faults = append(faults, doc.AtKey(at+"/on_partial", "this rule looks into no file, so it never looks at a part only").WithHint("leave on_partial out"))
	}
	if sound && r.Limits != (rules.GrantLimits{}) && !r.Phases.Has(rules.PhaseRequest) {
		faults = append(faults, doc.AtKey(at+"/"+r.Kind, "this rule limits what is granted on request, but it is not asked then").
			WithHint("ask it on request too, or make two rules of it"))
	}
	return faults
}

// kindOf finds the one kind that a rule has.
func (c *compiler) kindOf(doc *document.Document, at string, written map[string]any) (*rules.Kind, document.Faults) {
	var found []*rules.Kind
	for i := range c.kinds {
		if _, ok := written[c.kinds[i].Name]; ok {
			found = append(found, &c.kinds[i])
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		names := make([]string, len(c.kinds))
		for i := range c.kinds {
			names[i] = c.kinds[i].Name
		}
		return nil, document.Faults{doc.At(at, "the rule asks nothing").WithHint("give it one of " + strings.Join(names, ", "))}
	default:
		return nil, document.Faults{doc.AtKey(at+"/"+found[1].Name, "a rule has one kind, and this one has %s and %s", found[0].Name, found[1].Name).
			WithHint("make two rules of it")}
	}
}

func specOf(written map[string]any) ruleSpec {
	text := func(key string) string { s, _ := written[key].(string); return s }
	spec := ruleSpec{
		Name: text("name"), Mode: text("mode"), Code: text("code"),
		Message: text("message"), Timeout: text("timeout"), OnError: text("on_error"), OnPartial: text("on_partial"), When: text("when"),
	}
	list, _ := written["on"].([]any)
	for _, phase := range list {
		name, _ := phase.(string)
		spec.On = append(spec.On, name)
	}
	return spec
}

// setPhases sets the phases in which a rule is asked: those that it names, or
// all in which its kind, its settings and its when can be decided.
func setPhases(doc *document.Document, at string, rule *rules.Rule, on []string, scopes []rules.Scope) (faults document.Faults) {
	possible := rules.EveryPhase
	for _, s := range scopes {
		possible &^= s.Never
		rule.NeedsFile = rule.NeedsFile || s.NeedsFile
	}
	rule.Phases = possible
	if on == nil {
		if possible == 0 {
			faults = append(faults, doc.At(at, "this rule can never be decided: %s", whyNot(scopes)))
		}
		return faults
	}
	rule.Phases = 0
	for i, name := range on {
		phase, _ := rules.ParsePhase(name) // The schema has seen the name.
		if !possible.Has(phase) {
			fault := doc.At(fmt.Sprintf("%s/on/%d", at, i), "%s can never be decided on %s: %s", rule.Kind, name, whyNot(scopes, phase))
			if possible != 0 {
				fault = fault.WithHint("it can on " + possible.String())
			}
			faults = append(faults, fault)
		}
		rule.Phases |= rules.Phases(phase)
	}
	return faults
}

// whyNot joins the reasons why phases, or any, are out of the question.
func whyNot(scopes []rules.Scope, phases ...rules.Phase) string {
	var reasons []string
	for _, s := range scopes {
		if s.Why != "" && s.Never != 0 && (len(phases) == 0 || s.Never.Has(phases[0])) {
			reasons = append(reasons, s.Why)
		}
	}
	return strings.Join(reasons, ", and ")
}

func template(doc *document.Document, at, text string, kind *rules.Kind) (*rules.Template, document.Faults) {
	message, err := rules.ParseTemplate(text, kind.Placeholders...)
	if err == nil {
		return message, nil
	}
	fault := doc.At(at, "%s", err)
	if unknown := (*rules.PlaceholderError)(nil); errors.As(err, &unknown) {
		if before, _, found := strings.Cut(text, "{"+unknown.Name+"}"); found {
			fault = doc.Within(at, utf8.RuneCountInString(before), "%s", err)
		}
		fault.Hint = placeholderHint(unknown)
	}
	return nil, document.Faults{fault}
}

// placeholderHint says which placeholder was probably meant: the one that is
// spelled alike, or is a part of the name, as in {filename}.
func placeholderHint(unknown *rules.PlaceholderError) string {
	if hint := rules.DidYouMean(unknown.Name, unknown.Allowed); hint != "" {
		return hint
	}
	for _, name := range unknown.Allowed {
		if strings.Contains(strings.ToLower(unknown.Name), name) {
			return fmt.Sprintf("did you mean %q?", name)
		}
	}
	return "known here: {" + strings.Join(unknown.Allowed, "}, {") + "}"
}

// decoder is the rules.Decoder of one rule's settings.
type decoder struct {
	doc *document.Document
	at  string
}

// Decode implements rules.Decoder.
func (d decoder) Decode(into any) error { return d.doc.Decode(d.at, into) }

// place gives every mistake that a kind reports its place: in the document, or
// in the file that the document names.
func place(doc *document.Document, at string, err error) (faults document.Faults) {
	for _, err := range flatten(err) {
		var spec *rules.SpecError
		if !errors.As(err, &spec) {
			faults = append(faults, doc.At(at, "%s", err))
			continue
		}
		inFile := false
		for _, cause := range flatten(spec.Cause) {
			if file := (*rules.FileError)(nil); errors.As(cause, &file) {
				faults = append(faults, document.Fault{File: file.File, Line: file.Line, Message: file.Message})
				inFile = true
			}
		}
		if inFile {
			continue
		}
		message := spec.Message
		if spec.Cause != nil {
			message += ": " + spec.Cause.Error()
		}
		fault := doc.At(at+spec.At, "%s", message)
		if spec.At == "" { // Of an expression.
			fault = doc.Within(at, spec.Offset, "%s", message)
		}
		faults = append(faults, fault.WithHint(spec.Hint))
	}
	return faults
}

// flatten returns the errors that errors.Join has joined.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}
