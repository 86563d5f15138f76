package rules

import (
	"encoding/json"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/ext"
)

// maxExpression is the longest expression, in characters, and maxNesting the
// deepest.
const maxExpression, maxNesting = 10_000, 64

// newExpressionEnv returns what the expressions of policies can name: what all
// expressions can, the event, the time, and the functions of literals.
func newExpressionEnv() (*cel.Env, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	options := append(
		ExpressionOptions(),
		cel.CustomTypeProvider(newEventProvider(registry)),
		cel.CustomTypeAdapter(TreeAdapter{registry}),
		cel.EagerlyValidateDeclarations(true),
		cel.Variable("event", cel.ObjectType(eventType)),
		cel.Variable("now", cel.TimestampType),
	)
	for _, f := range literalFunctions {
		options = append(options, f.declaration())
	}
	return cel.NewCustomEnv(options...)
}

// ExpressionOptions returns what all expressions have in common, whatever they are
// about: CEL's own functions, those for texts, ours for sizes, durations and paths,
// and how long and how deep they may be. They are for cel.NewCustomEnv.
func ExpressionOptions() []cel.EnvOption {
	options := []cel.EnvOption{
		cel.StdLib(cel.StdLibSubset(env.NewLibrarySubset().AddExcludedFunctions(env.NewFunction(operators.Multiply)))),
		multiplication(),
		ext.Strings(),
		cel.OptionalTypes(),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ParserRecursionLimit(maxNesting),
		cel.ASTValidators(cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals(), cel.ValidateHomogeneousAggregateLiterals()),
		cel.Function("segments",
			cel.MemberOverload("string_segments", []*cel.Type{cel.StringType}, cel.ListType(cel.StringType), cel.UnaryBinding(segments))),
	}
	for _, u := range units {
		if u.name != "B" {
			options = append(options, cel.Constant(u.name, cel.IntType, types.Int(u.bytes)))
		}
	}
	for _, d := range durationConstants {
		options = append(options, cel.Constant(d.name, cel.DurationType, types.Duration{Duration: d.length}))
	}
	return options
}

// durationConstants are those that expressions can name.
var durationConstants = []struct {
	name   string
	length time.Duration
}{{"second", time.Second}, {"minute", time.Minute}, {"hour", time.Hour}, {"day", 24 * time.Hour}, {"week", 7 * 24 * time.Hour}}

// multiplication is CEL's own, with what `2 * hour` and `1.5 * GiB` need.
func multiplication() cel.EnvOption {
	two := func(a, b *cel.Type) []*cel.Type { return []*cel.Type{a, b} }
	return cel.Function(
		operators.Multiply,
		cel.Overload(overloads.MultiplyDouble, two(cel.DoubleType, cel.DoubleType), cel.DoubleType),
		cel.Overload(overloads.MultiplyInt64, two(cel.IntType, cel.IntType), cel.IntType),
		cel.Overload(overloads.MultiplyUint64, two(cel.UintType, cel.UintType), cel.UintType),
		cel.Overload("multiply_double_int64", two(cel.DoubleType, cel.IntType), cel.DoubleType),
		cel.Overload("multiply_int64_double", two(cel.IntType, cel.DoubleType), cel.DoubleType),
		cel.Overload("multiply_int64_duration", two(cel.IntType, cel.DurationType), cel.DurationType),
		cel.Overload("multiply_duration_int64", two(cel.DurationType, cel.IntType), cel.DurationType),
		cel.SingletonBinaryBinding(multiply),
	)
}

func multiply(a, b ref.Val) ref.Val {
	switch left := a.(type) {
	case types.Duration:
		if n, ok := b.(types.Int); ok {
			return multiply(n, left)
		}
	case types.Double:
		if n, ok := b.(types.Int); ok {
			return left * types.Double(n)
		}
	case types.Int:
		switch right := b.(type) {
		case types.Double:
			return types.Double(left) * right
		case types.Duration:
			product := left.Multiply(types.Int(right.Duration)) // Which sees an overflow.
			if n, ok := product.(types.Int); ok {
				return types.Duration{Duration: time.Duration(n)}
			}
			return product
		}
	}
	if m, ok := a.(traits.Multiplier); ok {
		return m.Multiply(b)
	}
	return types.MaybeNoSuchOverloadErr(a)
}

// segments returns the folders and the name of a path.
func segments(path ref.Val) ref.Val {
	text, ok := path.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(path)
	}
	trimmed := strings.Trim(string(text), "/")
	if trimmed == "" {
		return types.NewStringList(types.DefaultTypeAdapter, nil)
	}
	return types.NewStringList(types.DefaultTypeAdapter, strings.Split(trimmed, "/"))
}

// TreeAdapter gives CEL the values of a tree as ParseTree returns it, such as tags,
// and leaves other values to the Adapter within, which may be nil.
type TreeAdapter struct{ types.Adapter }

// NativeToValue implements types.Adapter.
func (a TreeAdapter) NativeToValue(value any) ref.Val {
	switch v := value.(type) {
	case ref.Val:
		return v
	case string:
		return types.String(v)
	case bool:
		return types.Bool(v)
	case nil:
		return types.NullValue
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return types.Int(n)
		}
		f, err := v.Float64()
		if err != nil {
			return types.NewErr("a number is out of range")
		}
		return types.Double(f)
	case map[string]any:
		return types.NewStringInterfaceMap(a, v)
	case []any:
		return types.NewDynamicList(a, v)
	default:
		if a.Adapter == nil {
			return types.NewErr("a %T is no value", value)
		}
		return a.Adapter.NativeToValue(value)
	}
}
