// Command sluice validates the file events of IBM Aspera servers by policies
// that security teams write as YAML.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	_ "time/tzdata" // Schedules name time zones; the host may have no database.

	"github.com/alecthomas/kong"
)

// version is set by the linker.
var version = "dev"

// stdio is where a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// exitError makes the process exit with a status and print nothing more.
type exitError int

// Error implements error.
func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// cli is the command line.
type cli struct {
	Init       initCmd       `cmd:"" help:"Write a commented policy set to start from, with tests and CI jobs."`
	Serve      serveCmd      `cmd:"" help:"Answer the file events of Aspera servers by the policies of a folder."`
	Check      checkCmd      `cmd:"" help:"Compile the policies of a folder and report every mistake."`
	Test       testCmd       `cmd:"" help:"Run the tests of a policy set."`
	Schema     schemaCmd     `cmd:"" help:"Print the JSON Schema of policies, clients or tests, for editors."`
	Simulate   simulateCmd   `cmd:"" help:"Post the events that ascp would send for real files: a dry run without an Aspera server."`
	Explain    explainCmd    `cmd:"" help:"Show how one event is decided, rule by rule, and what ascp would get."`
	Plan       planCmd       `cmd:"" help:"Show when each rule is decided and what it needs in aspera.conf."`
	Aspera     asperaCmd     `cmd:"" help:"Write the settings that the policies need in aspera.conf, or check one."`
	Replay     replayCmd     `cmd:"" help:"Decide the events of a decision log again with another policy set, and show what changes."`
	Log        logCmd        `cmd:"" help:"Show, search, draw, verify and export the decision log."`
	Hunt       huntCmd       `cmd:"" help:"Find past transfers that carried a digest, a name or an address now known to be bad."`
	Push       pushCmd       `cmd:"" help:"Store a policy set as the next revision in the policy store."`
	Pull       pullCmd       `cmd:"" help:"Write a revision of the policy set into a folder."`
	History    historyCmd    `cmd:"" help:"List the revisions of the policy set."`
	Show       showCmd       `cmd:"" help:"Show one revision: who stored it and why, and its files."`
	Diff       diffCmd       `cmd:"" help:"Show what changes in meaning between two revisions or folders."`
	Rollback   rollbackCmd   `cmd:"" help:"Store the files of an earlier revision as a new one."`
	Fleet      fleetCmd      `cmd:"" help:"Show the services that share the policy store, and which policies each has."`
	Grants     grantsCmd     `cmd:"" help:"List the grants that the token endpoint has given out."`
	Revoke     revokeCmd     `cmd:"" help:"Take grants back, and so stop their transfers."`
	Token      tokenCmd      `cmd:"" help:"Ask for transfer tokens, show what they say, and verify what they cover."`
	Password   passwordCmd   `cmd:"" help:"Hash the password of a client that may ask for tokens."`
	Doctor     doctorCmd     `cmd:"" help:"Examine a running service: what does not work, and how to mend it."`
	Health     healthCmd     `cmd:"" help:"Ask a running service whether it is ready, for containers and probes."`
	Completion completionCmd `cmd:"" help:"Print the script by which a shell completes sluice."`
	Complete   completeCmd   `cmd:"" hidden:"" passthrough:"" help:"Print what may stand in place of a word."`
	Man        manCmd        `cmd:"" help:"Print the manual page."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
}

func main() {
	os.Exit(run(context.Background(), os.Args[1:], &stdio{os.Stdin, os.Stdout, os.Stderr}))
}

// run executes one command line and returns the exit status: 0, 1 when the
// command's own answer is no, 2 when it could not be carried out.
func run(ctx context.Context, args []string, std *stdio) (status int) {
	defer func() {
		// kong exits from within its parser, after --help for one.
		if v := recover(); v != nil {
			code, ok := v.(exitError)
			if !ok {
				panic(v)
			}
			status = int(code)
		}
	}()
	var commands cli
	parser, err := kong.New(
		&commands, kong.Name("sluice"),
		kong.Description("Inline file validation for IBM Aspera: policies in YAML decide every file event."),
		kong.Writers(std.out, std.err), kong.Exit(func(code int) { panic(exitError(code)) }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(std),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Help(printHelp),
	)
	if err != nil {
		return report(std, err)
	}
	command, err := parser.Parse(args)
	if err != nil {
		return report(std, fmt.Errorf("%w\nRun \"sluice --help\" for what there is", err))
	}
	return report(std, command.Run())
}

// printHelp prints help without hidden arguments, which kong would show.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	if node := ctx.Selected(); node != nil {
		node.Positional = slices.DeleteFunc(node.Positional, func(p *kong.Positional) bool { return p.Tag.Hidden })
	}
	return kong.DefaultHelpPrinter(options, ctx)
}

// report turns an error into an exit status and says what it was.
func report(std *stdio, err error) int {
	var status exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	default:
		fmt.Fprintf(std.err, "sluice: %s\n", err)
		return 2
	}
}
