package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/sluiceproject/sluice/rules"
)

// The types that expressions about records know.
const (
	recordType = "sluice.Record"
	eventType  = "sluice.Event"
	stepType   = "sluice.Step"
)

// errAbsent says that a record lacks a number or a time.
var errAbsent = errors.New("the record does not have it")

// recordField is a field of one of the types: a member of the JSON.
type recordField struct {
	name string
	typ  *cel.Type
	at   int // in the struct
}

// typedFields are the fields of a type.
type typedFields struct {
	name   string
	fields []recordField
}

// recordTypes returns the types with their fields, as the structs have them.
func recordTypes() []typedFields {
	return []typedFields{
		{recordType, fieldsOf(reflect.TypeFor[Record]())},
		{eventType, fieldsOf(reflect.TypeFor[Event]())},
		{stepType, fieldsOf(reflect.TypeFor[Step]())},
	}
}

func fieldsOf(t reflect.Type) (fields []recordField) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := cutText(f.Tag.Get("json"), ',')
		fields = append(fields, recordField{name: name, typ: celType(f.Type), at: i})
	}
	return fields
}

// cutText cuts a text at a byte.
func cutText(text string, at byte) (before, after string, found bool) {
	for i := range len(text) {
		if text[i] == at {
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

// celType is what an expression makes of a field.
func celType(t reflect.Type) *cel.Type {
	switch t {
	case reflect.TypeFor[time.Time]():
		return cel.TimestampType
	case reflect.TypeFor[*Event]():
		return cel.ObjectType(eventType)
	case reflect.TypeFor[[]Step]():
		return cel.ListType(cel.ObjectType(stepType))
	case reflect.TypeFor[[]string]():
		return cel.ListType(cel.StringType)
	case reflect.TypeFor[string]():
		return cel.StringType
	case reflect.TypeFor[bool]():
		return cel.BoolType
	case reflect.TypeFor[json.RawMessage]():
		return cel.MapType(cel.StringType, cel.DynType)
	default: // Numbers, and pointers to such.
		return cel.IntType
	}
}

// recordProvider adds the types of a record to CEL's own.
type recordProvider struct {
	types.Provider
	fields map[string]map[string]*types.FieldType
	names  map[string][]string
}

func newRecordProvider(inner types.Provider) *recordProvider {
	p := &recordProvider{Provider: inner, fields: map[string]map[string]*types.FieldType{}, names: map[string][]string{}}
	for _, t := range recordTypes() {
		p.fields[t.name] = map[string]*types.FieldType{}
		for _, f := range t.fields {
			p.names[t.name] = append(p.names[t.name], f.name)
			p.fields[t.name][f.name] = &types.FieldType{Type: f.typ, IsSet: f.isSet, GetFrom: f.getFrom}
		}
	}
	return p
}

// isSet reports whether a record has the field.
func (f recordField) isSet(target any) bool {
	v, ok := f.value(target)
	return ok && !v.IsZero()
}

// getFrom returns the field's value: what the JSON leaves out is empty, but for
// numbers that nobody knows.
func (f recordField) getFrom(target any) (any, error) {
	v, ok := f.value(target)
	if !ok {
		return nil, fmt.Errorf("%T has no such field", target)
	}
	switch value := v.Interface().(type) {
	case time.Time:
		return types.Timestamp{Time: value}, nil
	case *Event:
		if value == nil {
			value = &Event{}
		}
		return opaque{value, eventType}, nil
	case []Step:
		steps := make([]ref.Val, len(value))
		for i := range value {
			steps[i] = opaque{&value[i], stepType}
		}
		return types.NewRefValList(recordAdapter{}, steps), nil
	case []string:
		return types.NewStringList(recordAdapter{}, value), nil
	case json.RawMessage:
		return treeOf(value)
	case *int64:
		if value == nil {
			return nil, errAbsent
		}
		return types.Int(*value), nil
	case uint64:
		return types.Int(value), nil
	case int:
		return types.Int(value), nil
	case int64:
		return types.Int(value), nil
	default:
		return value, nil
	}
}

// value returns the field of a struct that may be wrapped.
func (f recordField) value(target any) (reflect.Value, bool) {
	if o, ok := target.(opaque); ok {
		target = o.value
	}
	switch target.(type) {
	case *Record, *Event, *Step:
		v := reflect.ValueOf(target).Elem()
		return v.Field(f.at), true
	default:
		return reflect.Value{}, false
	}
}

// treeOf returns an object of JSON; an empty one for none.
func treeOf(text json.RawMessage) (ref.Val, error) {
	if len(text) == 0 {
		return types.NewStringInterfaceMap(recordAdapter{}, map[string]any{}), nil
	}
	tree, err := rules.ParseTree(string(text))
	object, ok := tree.(map[string]any)
	if err != nil || !ok {
		return nil, errAbsent
	}
	return types.NewStringInterfaceMap(recordAdapter{}, object), nil
}

// FindStructType implements types.Provider.
func (p *recordProvider) FindStructType(name string) (*types.Type, bool) {
	if _, ok := p.fields[name]; ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return p.Provider.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (p *recordProvider) FindStructFieldNames(name string) ([]string, bool) {
	if names, ok := p.names[name]; ok {
		return slices.Clone(names), true
	}
	return p.Provider.FindStructFieldNames(name)
}

// FindStructFieldType implements types.Provider.
func (p *recordProvider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if fields, ok := p.fields[name]; ok {
		f, ok := fields[field]
		return f, ok
	}
	return p.Provider.FindStructFieldType(name, field)
}
