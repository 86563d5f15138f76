package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// manCmd is `sluice man`.
type manCmd struct{}

// Help returns the long text of --help.
func (manCmd) Help() string {
	return `Prints the manual page, made from the command line itself. The packages have it
installed already. Otherwise:

  sluice man | man -l -`
}

// Run prints the page.
func (manCmd) Run(parsed *kong.Context, std *stdio) error {
	_, err := std.out.Write(manual(parsed.Model))
	return err
}

// page writes man(7).
type page struct{ bytes.Buffer }

// manual returns the manual page of all commands.
func manual(model *kong.Application) []byte {
	p := &page{}
	p.macro("TH", "SLUICE", "1", "", "sluice "+version, "Inline file validation")
	p.macro("SH", "NAME")
	p.text(`sluice - inline file validation for IBM Aspera`)
	p.macro("SH", "SYNOPSIS")
	p.bold("sluice")
	p.text("COMMAND [FLAGS] [ARGUMENTS]")
	p.macro("SH", "DESCRIPTION")
	p.text(model.Help)
	p.text("The service answers the file events that Aspera servers post (validation_uri in aspera.conf), by policies that are written as YAML.")
	p.macro("SH", "COMMANDS")
	for _, leaf := range model.Leaves(true) {
		p.command(leaf)
	}
	p.macro("SH", "EXIT STATUS")
	p.text("0: done. 1: the command's own answer is no, such as a mistake in a policy, or a refused event. 2: it could not be carried out, such as an address that is taken, or an unknown flag.")
	p.macro("SH", "FILES")
	p.entry("/etc/sluice/sluice.yaml", "The configuration that the packaged service reads.")
	p.entry("/etc/sluice/policies", "The policies that it starts with.")
	p.entry("/var/lib/sluice", "What it keeps: the decision log, keys of grants, the policy store.")
	p.macro("SH", "SEE ALSO")
	p.text("systemd.socket(5), systemd.service(5). The packages have the operator's guide and the reference of policies in /usr/share/doc/sluice.")
	return p.Bytes()
}

// command writes the section of a command.
func (p *page) command(node *kong.Node) {
	p.macro("SS", "sluice "+node.Summary())
	p.text(node.Help)
	if node.Detail != "" {
		p.macro("PP")
		p.macro("nf")
		p.text(node.Detail)
		p.macro("fi")
	}
	for _, argument := range node.Positional {
		if !argument.Tag.Hidden && argument.Help != "" {
			p.entry("<"+argument.Name+">", argument.Help)
		}
	}
	for _, flag := range node.Flags {
		if !flag.Hidden && flag.Name != "help" {
			p.entry(flagName(flag), kong.DefaultHelpValueFormatter(flag.Value))
		}
	}
}

// flagName is how a flag is written.
func flagName(flag *kong.Flag) string {
	name := "--" + flag.Name
	if flag.Short != 0 {
		name = "-" + string(flag.Short) + ", " + name
	}
	if flag.Tag.Negatable != "" {
		return name + ", " + negation(flag)
	}
	if flag.IsBool() || flag.IsCounter() {
		return name
	}
	return name + "=" + flag.FormatPlaceHolder()
}

// entry writes a term and what it means.
func (p *page) entry(term, meaning string) {
	p.macro("TP")
	p.bold(term)
	p.text(meaning)
}

func (p *page) bold(text string) { fmt.Fprintf(p, "\\fB%s\\fR\n", escaped(text)) }

// macro writes a request with arguments in quotes.
func (p *page) macro(name string, arguments ...string) {
	p.WriteString("." + name)
	for _, argument := range arguments {
		p.WriteString(` "` + strings.ReplaceAll(escaped(argument), `"`, `\(dq`) + `"`)
	}
	p.WriteByte('\n')
}

// text writes lines that are no requests, whatever they begin with.
func (p *page) text(text string) {
	for line := range strings.Lines(strings.TrimSpace(text)) {
		line = escaped(strings.TrimRight(line, " \n"))
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			line = `\&` + line
		}
		p.WriteString(line + "\n")
	}
}

// escaped keeps what roff would take for its own. A hyphen that is typed is a
// minus, so that it can be searched and copied.
func escaped(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", `\&...`, "→", `\(->`, "–", `\(en`, "“", `\(lq`, "”", `\(rq`).Replace(text)
}
