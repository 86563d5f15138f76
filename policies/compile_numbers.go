package policies

import (
	"encoding/json"
	"math/big"
	"strings"
)

// plainNumbers rewrites whole numbers that are written in another way, such as
// 1.0, in place: JSON Schema takes them for whole, what decodes them does not.
// It returns the tree.
func plainNumbers(node any) any {
	switch node := node.(type) {
	case map[string]any:
		for key, value := range node {
			node[key] = plainNumbers(value)
		}
	case []any:
		for i, value := range node {
			node[i] = plainNumbers(value)
		}
	case json.Number:
		if text := node.String(); strings.ContainsAny(text, ".eE") {
			if n, ok := new(big.Rat).SetString(text); ok && n.IsInt() {
				return json.Number(n.Num().String())
			}
		}
	}
	return node
}
