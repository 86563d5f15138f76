package rules

import "context"

func expressionKind() Kind {
	return Kind{
		Name: "expression",
		Doc:  "the CEL expression is false",
		Schema: `{"type": "string", "minLength": 1, "description": "A CEL expression about event and now that is true of what may pass.",
	"examples": ["event.path.startsWith(\"/ingest/\" + event.tags.project + \"/\")"]}`,
		Phases:       EveryPhase,
		Reads:        "what the expression names",
		Code:         "1029",
		Placeholders: []string{"found"},
		Saw:          func(*Event) string { return "" }, // Each expression tells for itself.
		Compile:      compileExpression,
	}
}

func compileExpression(env Env, dec Decoder) (Compiled, error) {
	var text string
	if err := dec.Decode(&text); err != nil {
		return Compiled{}, err
	}
	condition, constant, err := compileCondition(env, text)
	if err != nil {
		return Compiled{}, err
	}
	if constant != nil && *constant {
		return Compiled{}, At("", "this is true of every event, so the rule never refuses any")
	}
	refused := builtinMessage("The rule {rule} of this server does not allow this transfer.")
	return Compiled{Fields: condition.Reads(), Scope: condition.Scope, Reach: SameReach(text), Saw: condition.saw, Check: func(_ context.Context, e *Event) (*Objection, error) {
		holds, err := condition.holds(e)
		if err != nil || holds {
			return nil, err
		}
		return &Objection{Message: refused, Found: condition.saw(e)}, nil
	}}, nil
}
