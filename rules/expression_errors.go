package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/operators"
)

// explainIssues puts what CEL says of an expression into the words of those who
// write policies. After a mistake in the syntax, what follows from it is left
// out.
func explainIssues(env *cel.Env, text string, issues *cel.Issues) error {
	var wrong mistakes
	for _, issue := range issues.Errors() {
		i := issueText{env: env, text: []rune(text), message: issue.Message, offset: locationOffset(text, issue.Location)}
		fault := i.explain()
		fault.Offset = i.offset
		wrong.add(fault)
		if strings.HasPrefix(issue.Message, "Syntax error: ") {
			break
		}
	}
	return wrong.err()
}

// issueText is one message of CEL and where it stands.
type issueText struct {
	env     *cel.Env
	text    []rune
	message string
	offset  int
}

// The messages of CEL that are put into other words.
var (
	issueUndeclared = regexp.MustCompile(`^undeclared reference to '([^']*)'`)
	issueField      = regexp.MustCompile(`^undefined field '([^']*)'`)
	issueOverload   = regexp.MustCompile(`^found no matching overload for '([^']*)' applied to '(.*)'$`)
	issueExpected   = regexp.MustCompile(`^expected type '([^']*)' but found '([^']*)'`)
	issueSelection  = regexp.MustCompile(`^type '([^']*)' does not support field selection`)
	issueToken      = regexp.MustCompile(`^Syntax error: token recognition error at: '(.*)'`)
	issueInput      = regexp.MustCompile(`^Syntax error: (?:extraneous|mismatched) input '(.*?)' expecting`)
	issueLiteral    = regexp.MustCompile(`^invalid (\w+) argument`)
)

// explain returns the mistake in other words, and may move its place.
func (i *issueText) explain() *SpecError {
	if m := issueUndeclared.FindStringSubmatch(i.message); m != nil {
		return i.undeclared(m[1])
	}
	if m := issueField.FindStringSubmatch(i.message); m != nil {
		i.skip(".", "?")
		names := make([]string, 0, 32)
		for _, f := range eventFields() {
			names = append(names, f.name)
		}
		return hinted(At("", "event has no field %q", m[1]), DidYouMean(m[1], names), "its fields are "+strings.Join(names, ", "))
	}
	if m := issueOverload.FindStringSubmatch(i.message); m != nil {
		return i.overload(m[1], m[2])
	}
	if m := issueExpected.FindStringSubmatch(i.message); m != nil {
		return At("", "this must be %s, not %s", describeTypeName(m[1]), describeTypeName(m[2]))
	}
	if m := issueSelection.FindStringSubmatch(i.message); m != nil {
		return At("", "%s has no fields", describeTypeName(m[1]))
	}
	if m := issueLiteral.FindStringSubmatch(i.message); m != nil {
		return i.literal(m[1])
	}
	if m := issueToken.FindStringSubmatch(i.message); m != nil {
		return i.token(m[1])
	}
	if m := issueInput.FindStringSubmatch(i.message); m != nil {
		return i.input(m[1])
	}
	switch {
	case strings.HasPrefix(i.message, "expression recursion limit exceeded"):
		i.offset = 0
		return At("", "the expression is nested more than %d levels deep", maxNesting)
	case strings.HasPrefix(i.message, "expression code point size exceeds limit"):
		i.offset = 0
		return At("", "the expression is longer than %d characters", maxExpression)
	default:
		return At("", "%s", strings.TrimPrefix(i.message, "Syntax error: "))
	}
}

// hinted gives a mistake the first hint that is not empty.
func hinted(fault *SpecError, hints ...string) *SpecError {
	for _, hint := range hints {
		if fault.Hint == "" {
			fault.Hint = hint
		}
	}
	return fault
}

// skip moves the place past a sign and the spaces behind it.
func (i *issueText) skip(signs ...string) {
	for i.offset < len(i.text) && (slices.Contains(signs, string(i.text[i.offset])) || unicode.IsSpace(i.text[i.offset])) {
		i.offset++
	}
}

// back moves the place to the name of a function, whose bracket CEL points at.
func (i *issueText) back(name string) {
	if before := i.offset - len([]rune(name)); before >= 0 && i.offset <= len(i.text) && string(i.text[before:i.offset]) == name {
		i.offset = before
	}
}

// at reports whether a text stands at the place.
func (i *issueText) at(text string) bool {
	return i.offset < len(i.text) && strings.HasPrefix(string(i.text[i.offset:]), text)
}

func (i *issueText) undeclared(name string) *SpecError {
	if i.at("(") {
		i.back(name)
		names := make([]string, 0, 128)
		for known := range i.env.Functions() {
			if !strings.ContainsAny(known, "_@!-") {
				names = append(names, known)
			}
		}
		slices.Sort(names)
		return hinted(At("", "there is no function %q", name), DidYouMean(name, names))
	}
	fields, names := eventFields(), []string{"event", "now"}
	for _, f := range fields {
		if f.name == name {
			return At("", "unknown name %q", name).WithHint("did you mean event.%s?", name)
		}
	}
	for _, v := range i.env.Variables() {
		names = append(names, v.Name())
	}
	return hinted(At("", "unknown name %q", name), DidYouMean(name, names), fmt.Sprintf("a text stands in quotes: %q", name))
}

// signs are the operators as they are written.
var signs = map[string]string{
	operators.Equals: "==", operators.NotEquals: "!=", operators.Less: "<", operators.LessEquals: "<=",
	operators.Greater: ">", operators.GreaterEquals: ">=", operators.Add: "+", operators.Subtract: "-",
	operators.Multiply: "*", operators.Divide: "/", operators.Modulo: "%", operators.In: "in",
	operators.LogicalAnd: "&&", operators.LogicalOr: "||", operators.LogicalNot: "!", operators.Negate: "-",
	operators.Index: "[]", operators.Conditional: "?:",
}

func (i *issueText) overload(function, applied string) *SpecError {
	_, arguments, _ := strings.Cut(strings.TrimSuffix(applied, ")"), "(")
	types := splitTypes(arguments)
	described := make([]string, len(types))
	for n, t := range types {
		described[n] = describeTypeName(t)
	}
	sign, isOperator := signs[function]
	switch {
	case isOperator && len(types) == 2:
		fault := At("", "%s does not go between %s and %s", sign, described[0], described[1])
		switch {
		case types[0] == "int" && types[1] == "string":
			fault.Hint = "write a number without quotes"
		case types[0] == "string" && types[1] == "int":
			fault.Hint = "write a text in quotes"
		}
		return fault
	case isOperator:
		return At("", "%s does not go with %s", sign, strings.Join(described, " and "))
	}
	i.back(function)
	return At("", "%s is not used like this", function).WithHint("write it as %s", i.forms(function))
}

// forms returns how a function is written.
func (i *issueText) forms(function string) string {
	var forms []string
	for _, o := range i.env.Functions()[function].OverloadDecls() {
		words := make([]string, 0, 4)
		for _, t := range o.ArgTypes() {
			words = append(words, strings.ToUpper(strings.NewReplacer("a ", "", "an ", "", " ", "_").Replace(describeType(t))))
		}
		form := function + "(" + strings.Join(words, ", ") + ")"
		if o.IsMemberFunction() {
			form = words[0] + "." + function + "(" + strings.Join(words[1:], ", ") + ")"
		}
		if !slices.Contains(forms, form) && len(forms) < 3 {
			forms = append(forms, form)
		}
	}
	return strings.Join(forms, " or ")
}

func (i *issueText) literal(function string) *SpecError {
	word := string(i.text[min(i.offset, len(i.text)):])
	switch function {
	case "matches":
		if quoted := regexp.MustCompile(`^r?["'](.*?)["']\s*\)`).FindStringSubmatch(word); quoted != nil {
			if _, err := regexp.Compile(quoted[1]); err != nil {
				return At("", "%s", err).WithHint("patterns are written as in RE2")
			}
		}
		return At("", "this is not a regular expression").WithHint("patterns are written as in RE2")
	case "duration":
		return At("", "this is not a length of time").WithHint("write it as in duration(\"90m\") or 2 * hour")
	default:
		return At("", "this is not a time").WithHint("write it as in timestamp(\"2026-01-31T00:00:00Z\")")
	}
}

// locationOffset turns a line, from 1, and a column, from 0, into characters.
func locationOffset(text string, at common.Location) int {
	offset := 0
	for line := 1; line < at.Line(); line++ {
		head, rest, more := strings.Cut(text, "\n")
		if !more {
			break
		}
		offset += len([]rune(head)) + 1
		text = rest
	}
	return offset + max(at.Column(), 0)
}
