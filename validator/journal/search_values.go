package journal

import (
	"fmt"
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/sluiceproject/sluice/rules"
)

// recordAdapter gives CEL a record, and the values of its tags and facts.
type recordAdapter struct{ rules.TreeAdapter }

// NativeToValue implements types.Adapter.
func (a recordAdapter) NativeToValue(value any) ref.Val {
	if r, ok := value.(*Record); ok {
		return opaque{r, recordType}
	}
	return a.TreeAdapter.NativeToValue(value)
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
