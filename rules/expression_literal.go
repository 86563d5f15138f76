package rules

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
	"github.com/gaissmai/bart"
)

// literalFunction is a function of a text and a literal: the literal is compiled
// when the policy is loaded, so that nothing can be wrong with it later.
type literalFunction struct {
	name, what string
	// list says that the literal can be a list of texts.
	list bool
	// compile makes the function out of the literals.
	compile func(env Env, literals []string) (func(string) (bool, error), error)
}

// literalFunctions are the functions that expressions have for the sake of
// policies.
var literalFunctions = []literalFunction{
	{name: "glob", what: `a glob for paths, such as "/ingest/**"`, list: true, compile: compileGlob},
	{name: "like", what: `a glob, such as "partner-*"`, list: true, compile: compileLike},
	{name: "inRange", what: `an address or a range, such as "203.0.113.0/24"`, list: true, compile: compileInRange},
	{name: "inList", what: `the name of a list of the set, such as "lists/embargo.txt"`, compile: compileInList},
}

// declaration declares the function. It is never called as it is declared: what
// was compiled of its literal takes its place.
func (f *literalFunction) declaration() cel.EnvOption {
	overload := func(id string, literal *cel.Type) cel.FunctionOpt {
		return cel.MemberOverload(id, []*cel.Type{cel.StringType, literal}, cel.BoolType)
	}
	options := []cel.FunctionOpt{overload("string_"+f.name, cel.StringType)}
	if f.list {
		options = append(options, overload("string_"+f.name+"_list", cel.ListType(cel.StringType)))
	}
	return cel.Function(f.name, options...)
}

func compileGlob(_ Env, literals []string) (func(string) (bool, error), error) {
	var globs PathGlobs
	for _, glob := range literals {
		if err := CheckPathGlob(glob); err != nil {
			return nil, err
		}
		globs.Add(glob, 0)
	}
	return func(text string) (bool, error) { return globs.Match(text), nil }, nil
}

func compileLike(_ Env, literals []string) (func(string) (bool, error), error) {
	var globs NameGlobs[struct{}]
	for _, glob := range literals {
		if err := CheckGlob(glob); err != nil {
			return nil, err
		}
		globs.Add(glob, struct{}{})
	}
	return func(text string) (bool, error) {
		var room [4]struct{}
		return len(globs.AppendMatches(room[:0], text)) > 0, nil
	}, nil
}

func compileInRange(_ Env, literals []string) (func(string) (bool, error), error) {
	var ranges bart.Lite
	for _, text := range literals {
		prefix, err := ParsePrefix(text)
		if err != nil {
			return nil, err
		}
		ranges.Insert(prefix)
	}
	return func(text string) (bool, error) {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return false, errNoAddress
		}
		return ranges.Contains(addr.Unmap()), nil
	}, nil
}

// errNoAddress says that an expression asked where a text is that is no address.
var errNoAddress = errors.New("the text is not an address")

func compileInList(env Env, literals []string) (func(string) (bool, error), error) {
	if env.Open == nil {
		return nil, errors.New("there are no lists here")
	}
	file, err := env.Open(literals[0])
	if err != nil {
		return nil, fmt.Errorf("the list %s cannot be used: %w", literals[0], err)
	}
	defer file.Close()
	entries, err := readEntries(literals[0], file)
	if err != nil {
		return nil, err
	}
	return func(text string) (bool, error) { return entries[text], nil }, nil
}

// readEntries reads a list of texts: one a line, without the spaces around it.
// Empty lines and those that begin with # are passed over.
func readEntries(name string, from io.Reader) (map[string]bool, error) {
	entries := map[string]bool{}
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		if line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\uFEFF")); line != "" && line[0] != '#' {
			entries[line] = true
		}
	}
	switch {
	case lines.Err() != nil:
		return nil, &FileError{File: name, Line: 1, Message: "the list has a line that is too long"}
	case len(entries) == 0:
		return nil, &FileError{File: name, Line: 1, Message: "the list has no entry"}
	default:
		return entries, nil
	}
}

// decorate puts what was compiled in the place of the calls.
func (f *inspection) decorate(node interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	call, ok := node.(interpreter.InterpretableCall)
	if !ok {
		return node, nil
	}
	if m, ok := f.matchers[call.ID()]; ok {
		return &literalCall{InterpretableV2: call.Args()[0], matches: m}, nil
	}
	return node, nil
}

// literalCall is a call of one of our own functions. What it embeds is the text
// it looks at.
type literalCall struct {
	interpreter.InterpretableV2
	matches func(string) (bool, error)
}

// Exec implements interpreter.InterpretableV2.
func (c *literalCall) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	return c.answer(c.InterpretableV2.Exec(frame))
}

// Eval implements interpreter.Interpretable.
func (c *literalCall) Eval(vars interpreter.Activation) ref.Val {
	return c.answer(c.InterpretableV2.Eval(vars))
}

func (c *literalCall) answer(value ref.Val) ref.Val {
	text, ok := value.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(value)
	}
	found, err := c.matches(string(text))
	if err != nil {
		return types.WrapErr(err)
	}
	return types.Bool(found)
}
