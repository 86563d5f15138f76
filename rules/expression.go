package rules

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
)

// Expressions compiles the CEL expressions of policies. It is safe for
// concurrent use.
type Expressions struct {
	env    func() (*cel.Env, error)
	fields map[string]*eventField // by name
}

// NewExpressions returns a compiler of expressions. What it needs is built when
// the first expression is compiled.
func NewExpressions() *Expressions {
	x := &Expressions{env: sync.OnceValues(newExpressionEnv), fields: map[string]*eventField{}}
	for _, f := range eventFields() {
		x.fields[f.name] = f
	}
	return x
}

// Condition is a compiled expression: a question about an event whose answer is
// yes or no.
type Condition struct {
	// Text is the expression as it is written.
	Text string
	// Scope says when the question can be answered.
	Scope Scope

	program cel.Program
	fields  []*eventField
	reads   []string
}

// CompileCondition compiles the text of a `when`. The error joins one SpecError
// for each mistake.
func CompileCondition(env Env, text string) (*Condition, error) {
	c, constant, err := compileCondition(env, text)
	switch {
	case err != nil:
		return nil, err
	case constant == nil:
		return c, nil
	case *constant:
		return nil, At("", "this is true of every event").WithHint("leave the when out")
	default:
		return nil, At("", "this is true of no event, so the rule never looks at any").WithHint("write `mode: off` to switch a rule off")
	}
}

// compileCondition compiles an expression. constant is its answer where that is
// the same for all events.
func compileCondition(env Env, text string) (c *Condition, constant *bool, err error) {
	expressions := env.Expressions
	if expressions == nil {
		expressions = NewExpressions()
	}
	e, err := expressions.env()
	if err != nil {
		return nil, nil, fmt.Errorf("expressions: %w", err)
	}
	ast, issues := e.Compile(text)
	if issues.Err() != nil {
		return nil, nil, explainIssues(e, text, issues)
	}
	found, err := expressions.inspect(env, e, ast)
	if err != nil {
		return nil, nil, err
	}
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize), cel.CustomDecoratorV2(found.decorate)}
	if found.limited {
		options = append(options, cel.CostTracking(expressionCosts{}), cel.CostLimit(maxExpressionCost))
	}
	program, err := e.Program(ast, options...)
	if err != nil {
		return nil, nil, At("", "this cannot be evaluated: %s", err)
	}
	c = &Condition{Text: text, Scope: found.scope(), program: program, fields: found.fields, reads: membersOf(found.fields)}
	if !found.variable {
		answer, err := c.holds(&Event{})
		if err != nil {
			return nil, nil, At("", "this cannot be told of any event: %s", err)
		}
		return c, &answer, nil
	}
	return c, nil, nil
}

// errNotBoolean says that an expression on tags gave something else than an
// answer.
var errNotBoolean = errors.New("the expression's value is neither true nor false")

// holds evaluates the expression. An error means that it could not tell.
func (c *Condition) holds(e *Event) (bool, error) {
	value, _, err := c.program.Eval(eventVariables{e})
	if err != nil {
		return false, c.cannotTell(err)
	}
	answer, ok := value.(types.Bool)
	if !ok {
		return false, errNotBoolean
	}
	return bool(answer), nil
}

// errTooCostly says that an evaluation was stopped.
var errTooCostly = errors.New("evaluating the expression takes too long for this event")

// errTagType says that the tags have something else than the expression needs.
var errTagType = errors.New("a value in the tags is not of the type that the expression needs")

// errFailed says that an evaluation failed, of which CEL's own words could tell
// what is in the tags.
var errFailed = errors.New("the expression's value cannot be computed for this event")

// cannotTell returns why an expression could not be evaluated, without anything
// of the tags, which can be secret.
func (c *Condition) cannotTell(err error) error {
	if missing := (MissingError{}); errors.As(err, &missing) {
		return missing
	}
	for _, known := range []error{ErrTags, errUp, errBelow, errNoAddress} {
		if errors.Is(err, known) {
			return known
		}
	}
	if cancelled := (interpreter.EvalCancelledError{}); errors.As(err, &cancelled) {
		return errTooCostly
	}
	text := err.Error()
	if strings.Contains(text, "no such overload") {
		return errTagType
	}
	if key, ok := strings.CutPrefix(text, "no such key: "); ok && strings.Contains(c.Text, key) {
		return fmt.Errorf("there is no %q in what the expression reads", key)
	}
	if strings.HasPrefix(text, "internal error: ") { // CEL has caught it before us.
		return &PanicError{Value: strings.TrimPrefix(text, "internal error: ")}
	}
	return errFailed
}

// Reads returns the members of an event that the expression reads, as Kind.Fields
// names them. It is never nil.
func (c *Condition) Reads() []string { return c.reads }

// saw returns the fields that the expression reads, as they are in an event.
func (c *Condition) saw(e *Event) string {
	var b strings.Builder
	for i, f := range c.fields {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(f.name + " " + f.show(e))
	}
	return b.String()
}
