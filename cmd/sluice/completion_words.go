package main

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// proposal is a word that a shell may put in.
type proposal struct{ word, help string }

// place is where the word to complete stands.
type place struct {
	node       *kong.Node // The innermost command.
	positional int        // How many of its arguments are there.
	awaiting   *kong.Flag // The flag whose value comes next.
	only       bool       // Flags have ended, by --.
}

// complete returns what may stand in place of the last word.
func complete(root *kong.Node, words []string) []proposal {
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "=" }) // Bash splits --flag=value.
	if len(words) == 0 {
		words = []string{""}
	}
	at, last := place{node: root}, words[len(words)-1]
	for _, word := range words[:len(words)-1] {
		at.pass(word)
	}
	name, value, valued := strings.Cut(last, "=")
	var all []proposal
	switch {
	case at.awaiting != nil:
		all = values(at.awaiting.Value, "")
	case !at.only && valued && strings.HasPrefix(name, "-"):
		flag, _ := at.flag(name)
		if flag == nil {
			return nil
		}
		all, last = values(flag.Value, name+"="), name+"="+value
	case !at.only && strings.HasPrefix(last, "-"):
		all = at.flags()
	case at.positional == 0 && len(at.node.Children) > 0:
		all = commands(at.node)
	default:
		all = at.arguments()
	}
	return slices.DeleteFunc(all, func(c proposal) bool { return !strings.HasPrefix(c.word, last) })
}

// pass goes on behind a word.
func (p *place) pass(word string) {
	switch {
	case p.awaiting != nil:
		p.awaiting = nil
	case p.only || word == "-" || !strings.HasPrefix(word, "-"):
		p.argue(word)
	case word == "--":
		p.only = true
	default:
		if flag, negated := p.flag(word); flag != nil && !negated && !flag.IsBool() && !flag.IsCounter() {
			p.awaiting = flag
		}
	}
}

// argue takes a word as the name of a command, or as an argument.
func (p *place) argue(word string) {
	for _, child := range p.node.Children {
		if p.positional == 0 && (child.Name == word || slices.Contains(child.Aliases, word)) {
			p.node = child
			return
		}
	}
	p.positional++
}

// flag returns the flag that a word such as --name or -n is, and whether the word
// negates it. Of `--name=value` it finds none: the value is there already.
func (p *place) flag(word string) (found *kong.Flag, negated bool) {
	for _, group := range p.node.AllFlags(false) {
		for _, flag := range group {
			switch {
			case word == "--"+flag.Name, flag.Short != 0 && word == "-"+string(flag.Short):
				return flag, false
			case slices.ContainsFunc(flag.Aliases, func(alias string) bool { return word == "--"+alias }):
				return flag, false
			case flag.Tag.Negatable != "" && word == negation(flag):
				return flag, true
			}
		}
	}
	return nil, false
}

// negation is how a flag is switched off.
func negation(flag *kong.Flag) string {
	if flag.Tag.Negatable == "_" { // As kong writes the tag without a value.
		return "--no-" + flag.Name
	}
	return "--" + flag.Tag.Negatable
}

// flags are those that may stand here.
func (p *place) flags() (all []proposal) {
	for _, group := range p.node.AllFlags(true) {
		for _, flag := range group {
			all = append(all, proposal{"--" + flag.Name, firstLine(flag.Help)})
			if flag.Tag.Negatable != "" {
				all = append(all, proposal{negation(flag), firstLine(flag.Help)})
			}
		}
	}
	return all
}

// commands are the commands within another.
func commands(node *kong.Node) (all []proposal) {
	for _, child := range node.Children {
		if !child.Hidden {
			all = append(all, proposal{child.Name, firstLine(child.Help)})
		}
	}
	return all
}

// arguments are the values of the argument that stands here, if it has a list of
// them. The last argument may stand for several.
func (p *place) arguments() []proposal {
	n := p.positional
	if last := len(p.node.Positional) - 1; n > last && last >= 0 && p.node.Positional[last].IsCumulative() {
		n = last
	}
	if n >= len(p.node.Positional) {
		return nil
	}
	return values(p.node.Positional[n], "")
}

// values are those that a flag or an argument may have, if it has a list of them.
func values(value *kong.Value, before string) (all []proposal) {
	if value.Enum == "" {
		return nil
	}
	for _, one := range value.EnumSlice() {
		if one != "" {
			all = append(all, proposal{before + one, ""})
		}
	}
	return all
}

// firstLine is what a shell shows beside a proposal.
func firstLine(help string) string {
	line, _, _ := strings.Cut(help, "\n")
	return strings.ReplaceAll(line, "\t", " ")
}
