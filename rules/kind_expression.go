package rules

import "context"

func expressionKind() Kind {
	return Kind{
		Name:         "expression",
		Doc:          "the CEL expression is false",
		Schema:       `{"type": "string", "minLength": 1, "examples": ["event.path.startsWith(\"/ingest/\" + event.tags.project + \"/\")"]}`,
		Phases:       EveryPhase,
		Reads:        "what the expression names",
		Code:         "1029",
		Placeholders: []string{"found"},
		Saw:          func(*Event) string { return "" },
		Compile:      compileExpression,
	}
}

func compileExpression(env Env, dec Decoder) (Compiled, error) {
	var text string
	if err := dec.Decode(&text); err != nil {
		return Compiled{}, err
	}
	condition, err := CompileCondition(env, text)
	if err != nil {
		return Compiled{}, err
	}
	refused := builtinMessage("The rule {rule} of this server does not allow this transfer.")
	return Compiled{Scope: condition.Scope, Check: func(_ context.Context, e *Event) (*Objection, error) {
		holds, err := condition.holds(e)
		if err != nil || holds {
			return nil, err
		}
		return &Objection{Message: refused}, nil
	}}, nil
}
