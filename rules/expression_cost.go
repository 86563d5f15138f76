package rules

import (
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// The cost of an expression is counted in cel-go's units: about one for each
// operation, and one for every ten characters of a text that is looked through.
const (
	// maxExpressionCost is where an evaluation is stopped.
	maxExpressionCost = 1_000_000
	// maxEstimatedCost is what an expression may cost at most for values of usual
	// sizes; few get near their estimate.
	maxEstimatedCost = 10_000_000
)

// expressionSizes are how large the values of an event are taken to be.
type expressionSizes struct {
	text uint64 // characters
	tags uint64 // members at each level
}

// usualSizes are texts as long as the longest path of most file systems, and
// tags that a portal would send. largestSizes are what an event of 1 MiB, the
// usual limit, can hold.
func usualSizes() expressionSizes   { return expressionSizes{text: 4096, tags: 256} }
func largestSizes() expressionSizes { return expressionSizes{text: 1 << 20, tags: 1 << 19} }

// isCostly reports whether the evaluation of an expression must be watched,
// because a large event could make it take too long: if it loops, or if the
// largest texts could. Counting triples the time of most evaluations, so the
// others are not watched. The error is that even a usual event could take too
// long.
func isCostly(e *cel.Env, checked *cel.Ast, loops bool) (bool, error) {
	if !loops { // An estimate takes as long as compiling does, and most need only this one.
		largest, err := e.EstimateCost(checked, largestSizes())
		if err != nil {
			return false, fmt.Errorf("estimating the expression's cost: %w", err)
		}
		if largest.Max <= maxExpressionCost {
			return false, nil
		}
	}
	usual, err := e.EstimateCost(checked, usualSizes())
	if err != nil {
		return false, fmt.Errorf("estimating the expression's cost: %w", err)
	}
	if usual.Max > maxEstimatedCost {
		return false, At("", "this could take too long: the work of loops within loops grows with the product of their lengths").
			WithHint("look for one thing at a time, or ask the kind tags with a JSON Schema")
	}
	return true, nil
}

// EstimateSize implements cost.Estimator.
func (s expressionSizes) EstimateSize(node cost.AstNode) *cost.SizeEstimate {
	if node.Expr() != nil && node.Expr().Kind() == ast.LiteralKind {
		return nil // cel-go counts it.
	}
	switch node.Type().Kind() {
	case types.StringKind, types.BytesKind:
		return &cost.SizeEstimate{Max: s.text}
	case types.ListKind, types.MapKind, types.DynKind:
		return &cost.SizeEstimate{Max: s.tags}
	default:
		return nil
	}
}

// EstimateCallCost implements cost.Estimator: our own functions cost what CEL
// takes for any other.
func (expressionSizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}

// expressionCosts counts what calls of an evaluation cost. cel-go counts some
// calls on values of the tags, whose type it learns only then, as if they took
// no time.
type expressionCosts struct{}

// CallCost implements cost.ActualCostEstimator.
func (expressionCosts) CallCost(function, _ string, args []ref.Val, result ref.Val) *uint64 {
	total := uint64(1)
	switch function {
	case overloads.Matches: // cel-go knows better.
		return nil
	case operators.In, operators.Equals, operators.NotEquals, "join":
		for _, arg := range args {
			total += weight(arg.Value())
		}
	default:
		for _, arg := range append(args, result) {
			if text, ok := arg.(types.String); ok {
				total += uint64(len(text)) / 10
			}
		}
	}
	return &total
}

// weight is what comparing a value costs: one for each value in it and one for
// every ten characters.
func weight(value any) uint64 {
	total := uint64(1)
	switch v := value.(type) {
	case string:
		total += uint64(len(v)) / 10
	case []any:
		for _, element := range v {
			total += weight(element)
		}
	case []string:
		total += uint64(len(v))
	case []ref.Val:
		for _, element := range v {
			total += weight(element.Value())
		}
	case map[string]any:
		for key, element := range v {
			total += uint64(len(key))/10 + weight(element)
		}
	}
	return total
}
