package rules

import (
	"sync"

	"cel.dev/cel-go/cel"
)

// Expressions compiles the CEL expressions of policies. It is safe for
// concurrent use.
type Expressions struct {
	env func() (*cel.Env, error)
}

// NewExpressions returns a compiler of expressions. What it needs is built when
// the first expression is compiled.
func NewExpressions() *Expressions {
	return &Expressions{env: sync.OnceValues(func() (*cel.Env, error) { return cel.NewEnv(cel.Variable("event", cel.DynType)) })}
}

// Condition is a compiled `when`: a question whose answer is yes or no.
type Condition struct {
	// Text is the expression as it is written.
	Text string
	// Scope says when the question can be answered.
	Scope Scope

	holds func(*Event) (bool, error)
}

// CompileCondition compiles the text of a `when`. The error joins one SpecError
// for each mistake.
func CompileCondition(env Env, text string) (*Condition, error) {
	expressions := env.Expressions
	if expressions == nil {
		expressions = NewExpressions()
	}
	e, err := expressions.env()
	if err != nil {
		return nil, err
	}
	ast, issues := e.Compile(text)
	if issues.Err() != nil {
		return nil, At("", "%s", issues.Err())
	}
	program, err := e.Program(ast)
	if err != nil {
		return nil, err
	}
	return &Condition{Text: text, holds: func(ev *Event) (bool, error) {
		v, _, err := program.Eval(map[string]any{"event": map[string]any{"user": ev.User}})
		if err != nil {
			return false, err
		}
		b, _ := v.Value().(bool)
		return b, nil
	}}, nil
}
