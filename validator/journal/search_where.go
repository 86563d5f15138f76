package journal

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/sluiceproject/sluice/rules"
)

// maxWhereCost is what evaluating an expression may cost for one record, in CEL's
// units of about one for each operation.
const maxWhereCost = 1_000_000

// where is a compiled expression about a record.
type where struct{ program cel.Program }

// compileWhere compiles an expression. Its error is a *QueryError.
func compileWhere(text string) (*where, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	env, err := cel.NewCustomEnv(append(
		rules.ExpressionOptions(),
		cel.CustomTypeProvider(newRecordProvider(registry)),
		cel.CustomTypeAdapter(recordAdapter{rules.TreeAdapter{Adapter: registry}}),
		cel.Variable("record", cel.ObjectType(recordType)),
	)...)
	if err != nil {
		return nil, fmt.Errorf("expressions: %w", err)
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, explainWhere(issues)
	}
	if t := ast.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, &QueryError{"where", fmt.Sprintf("this is of the type %s, and must be true or false: compare it with something", t)}
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxWhereCost))
	if err != nil {
		return nil, &QueryError{"where", rules.Printable(err.Error())}
	}
	return &where{program}, nil
}

// explainWhere tells the first mistake of an expression with its place.
func explainWhere(issues *cel.Issues) error {
	first := issues.Errors()[0]
	message := first.Message
	if name, found := strings.CutPrefix(message, "undefined field "); found {
		var all []string
		for _, t := range recordTypes() {
			for _, f := range t.fields {
				all = append(all, f.name)
			}
		}
		message = "there is no field " + name
		if hint := rules.DidYouMean(strings.Trim(name, "'"), all); hint != "" {
			message += "; " + hint
		}
	} else if name, found := strings.CutPrefix(message, "undeclared reference to '"); found {
		name, _, _ = strings.Cut(name, "'")
		message = fmt.Sprintf("there is no %q; write record.verdict, record.event.user and so on", name)
	}
	message = rules.Printable(rules.Shorten(message, 400))
	if column := first.Location.Column() + 1; column > 0 { // What is wrong with all of it has no place.
		message = fmt.Sprintf("column %d: %s", column, message)
	}
	return &QueryError{"where", message}
}

// errNoAnswer says that an expression gave something else than an answer.
var errNoAnswer = errors.New("the expression's value is neither true nor false")

// holds evaluates the expression. The error is that it could not tell, which a
// member that is missing is not: then it does not hold.
func (w *where) holds(r *Record) (bool, error) {
	value, _, err := w.program.Eval(map[string]any{"record": r})
	if err != nil {
		if errors.Is(err, errAbsent) || strings.HasPrefix(err.Error(), "no such key") {
			return false, nil
		}
		return false, err
	}
	answer, ok := value.(types.Bool)
	if !ok {
		return false, errNoAnswer
	}
	return bool(answer), nil
}
