package rules

import (
	"errors"
	"fmt"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
)

// eventVariables are the variables of one evaluation. It is a pointer in an
// interface, so making one allocates nothing.
type eventVariables struct{ event *Event }

// ResolveName implements interpreter.Activation.
func (v eventVariables) ResolveName(name string) (any, bool) {
	switch name {
	case "event":
		return v.event, true
	case "now":
		return types.Timestamp{Time: v.event.Received.UTC()}, true
	default:
		return nil, false
	}
}

// Parent implements interpreter.Activation.
func (eventVariables) Parent() interpreter.Activation { return nil }

// eventProvider adds the type of the variable event to CEL's own.
type eventProvider struct {
	types.Provider
	fields map[string]*types.FieldType
	names  []string
}

func newEventProvider(inner types.Provider) *eventProvider {
	p := &eventProvider{Provider: inner, fields: map[string]*types.FieldType{}}
	for _, f := range eventFields() {
		p.names = append(p.names, f.name)
		p.fields[f.name] = &types.FieldType{
			Type: f.typ,
			IsSet: func(target any) bool {
				e, ok := target.(*Event)
				if !ok {
					return false
				}
				// What is there and cannot be used is set: reading it is an error.
				_, err := f.get(e)
				missing := MissingError{}
				return !errors.As(err, &missing)
			},
			GetFrom: func(target any) (any, error) {
				e, ok := target.(*Event)
				if !ok {
					return nil, fmt.Errorf("%T is not an event", target)
				}
				return f.get(e)
			},
		}
	}
	return p
}

// FindStructType implements types.Provider.
func (p *eventProvider) FindStructType(name string) (*types.Type, bool) {
	if name == eventType {
		return types.NewTypeTypeWithParam(types.NewObjectType(eventType)), true
	}
	return p.Provider.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (p *eventProvider) FindStructFieldNames(name string) ([]string, bool) {
	if name == eventType {
		return p.names, true
	}
	return p.Provider.FindStructFieldNames(name)
}

// FindStructFieldType implements types.Provider.
func (p *eventProvider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if name == eventType {
		f, ok := p.fields[field]
		return f, ok
	}
	return p.Provider.FindStructFieldType(name, field)
}
