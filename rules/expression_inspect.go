package rules

import (
	"errors"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

// inspection is what an expression was found to name.
type inspection struct {
	env    Env
	known  map[string]*eventField
	source *ast.SourceInfo
	wrong  mistakes

	// variable says that its answer depends on the event.
	variable bool
	// loops says that it goes through a list or the members of tags.
	loops bool
	// limited says that its evaluation must be stopped when it takes too long.
	limited bool
	// fields are those that it reads, in the order in which it names them.
	fields []*eventField
	// asked are the fields of which it also asks whether they are there.
	asked    map[string]bool
	operands map[int64]bool // the idents "event" of which a field is read
	matchers map[int64]func(string) (bool, error)
}

// inspect finds out what an expression reads, compiles the literals of
// its functions, and bounds its cost.
func (x *Expressions) inspect(env Env, e *cel.Env, checked *cel.Ast) (found *inspection, err error) {
	found = &inspection{
		env: env, known: x.fields, source: checked.NativeRep().SourceInfo(),
		asked: map[string]bool{}, operands: map[int64]bool{}, matchers: map[int64]func(string) (bool, error){},
	}
	root := checked.NativeRep().Expr()
	if t := checked.OutputType(); !t.IsExactType(cel.BoolType) {
		fault := At("", "the expression gives %s, not true or false", describeType(t))
		if t.Kind() == types.DynKind {
			fault.Hint = "compare it with something, as in event.tags.ready == true"
		}
		return nil, fault
	}
	ast.PreOrderVisit(root, ast.NewExprVisitor(found.visit))
	if err = found.wrong.err(); err != nil {
		return nil, err
	}
	if found.limited, err = isCostly(e, checked, found.loops); err != nil {
		return nil, err
	}
	return found, nil
}

// visit looks at one node. Parents come before their children.
func (f *inspection) visit(node ast.Expr) {
	switch node.Kind() {
	case ast.SelectKind:
		s := node.AsSelect()
		f.field(s.Operand(), s.FieldName(), s.IsTestOnly())
	case ast.IdentKind:
		switch node.AsIdent() {
		case "now":
			f.variable = true
		case "event":
			if !f.operands[node.ID()] {
				f.place(node, At("", "event alone is no value").WithHint("name one of its fields, as in event.path"))
			}
		}
	case ast.CallKind:
		f.call(node)
	case ast.ComprehensionKind:
		f.loops = true
	case ast.StructKind:
		f.add(node, "values of this kind cannot be made here")
	default:
	}
}

// field notes a field of the event that is read, or asked for.
func (f *inspection) field(operand ast.Expr, name string, asked bool) {
	if operand.Kind() != ast.IdentKind || operand.AsIdent() != "event" {
		return
	}
	f.operands[operand.ID()] = true
	f.variable = true
	if field := f.known[name]; field != nil && !slices.Contains(f.fields, field) {
		f.fields = append(f.fields, field)
	}
	f.asked[name] = f.asked[name] || asked
}

// call compiles what is literal in a call.
func (f *inspection) call(node ast.Expr) {
	call := node.AsCall()
	name := call.FunctionName()
	if name == operators.OptSelect {
		if field, ok := literalText(call.Args()[1]); ok {
			f.field(call.Args()[0], field, true)
		}
		return
	}
	if name == overloads.Matches {
		pattern := call.Args()[len(call.Args())-1]
		if _, ok := literalText(pattern); !ok {
			f.add(pattern, "the pattern of matches must be written out, so that it is compiled when the policy is loaded")
		}
		return
	}
	for i := range literalFunctions {
		if known := &literalFunctions[i]; known.name == name {
			f.literal(node.ID(), known, call.Args()[0])
		}
	}
}

// literal compiles the literal of one of our own functions.
func (f *inspection) literal(id int64, function *literalFunction, argument ast.Expr) {
	elements := []ast.Expr{argument}
	if argument.Kind() == ast.ListKind {
		elements = argument.AsList().Elements()
	}
	if len(elements) == 0 {
		f.add(argument, "the list is empty, so %s is never true", function.name)
		return
	}
	texts := make([]string, 0, len(elements))
	sound := true
	for _, element := range elements {
		text, ok := literalText(element)
		if !ok {
			f.add(element, "what %s looks for must be written out: %s", function.name, function.what)
			sound = false
			continue
		}
		if _, err := function.compile(f.env, []string{text}); err != nil {
			f.fail(element, err)
			sound = false
		}
		texts = append(texts, text)
	}
	if !sound {
		return
	}
	compiled, err := function.compile(f.env, texts)
	if err != nil {
		f.fail(argument, err)
		return
	}
	f.matchers[id] = compiled
}

func literalText(node ast.Expr) (string, bool) {
	if node.Kind() != ast.LiteralKind {
		return "", false
	}
	text, ok := node.AsLiteral().(types.String)
	return string(text), ok
}

// add reports a mistake at a node.
func (f *inspection) add(node ast.Expr, format string, args ...any) {
	f.place(node, At("", format, args...))
}

func (f *inspection) place(node ast.Expr, fault *SpecError) {
	fault.Offset = f.begin(node)
	f.wrong.add(fault)
}

// fail reports why a literal cannot be used: in itself, or in the file it names.
func (f *inspection) fail(node ast.Expr, err error) {
	if file := (*FileError)(nil); errors.As(err, &file) {
		f.place(node, &SpecError{Message: "the list " + file.File + " cannot be used", Cause: err})
		return
	}
	f.add(node, "%s", err)
}

// begin returns how many characters into the text a node begins: a selection
// and a call of a member begin where their operand does.
func (f *inspection) begin(node ast.Expr) int {
	for {
		switch {
		case node.Kind() == ast.SelectKind:
			node = node.AsSelect().Operand()
		case node.Kind() == ast.CallKind && node.AsCall().IsMemberFunction():
			node = node.AsCall().Target()
		default:
			at, _ := f.source.GetOffsetRange(node.ID())
			return max(int(at.Start), 0)
		}
	}
}

// scope returns when the expression can be answered: a field of which it does
// not ask whether it is there must be known.
func (f *inspection) scope() Scope {
	var s Scope
	var why []string
	for _, field := range f.fields {
		if f.asked[field.name] {
			continue
		}
		s.NeedsFile = s.NeedsFile || field.file
		if field.never != 0 {
			s.Never |= field.never
			why = append(why, "event."+field.name+" is not known on "+field.never.String())
		}
	}
	s.Why = strings.Join(why, ", ")
	return s
}
