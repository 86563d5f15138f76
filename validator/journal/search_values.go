package journal

import (
	"encoding/json"
	"fmt"
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// recordAdapter gives CEL the values of a record and of its tags and facts.
type recordAdapter struct{ types.Adapter }

// NativeToValue implements types.Adapter.
func (a recordAdapter) NativeToValue(value any) ref.Val {
	switch v := value.(type) {
	case ref.Val:
		return v
	case *Record:
		return opaque{v, recordType}
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

// opaque is a part of a record as a value of CEL, of which only fields can be
// asked.
type opaque struct {
	value any
	name  string
}

// ConvertToNative implements ref.Val.
func (o opaque) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("a %s is no %s", o.name, t)
}

// ConvertToType implements ref.Val.
func (o opaque) ConvertToType(t ref.Type) ref.Val {
	return types.NewErr("a %s is no %s", o.name, t.TypeName())
}

// Equal implements ref.Val.
func (o opaque) Equal(other ref.Val) ref.Val {
	same, ok := other.(opaque)
	return types.Bool(ok && same.value == o.value)
}

// Type implements ref.Val.
func (o opaque) Type() ref.Type { return types.NewObjectType(o.name) }

// Value implements ref.Val.
func (o opaque) Value() any { return o.value }
