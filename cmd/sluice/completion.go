package main

import (
	"embed"
	"fmt"
	"io"

	"github.com/alecthomas/kong"
)

// completions are the scripts by which shells ask `sluice complete`.
//
//go:embed completion.bash completion.fish completion.zsh
var completions embed.FS

// completionCmd is `sluice completion`.
type completionCmd struct {
	Shell string `arg:"" help:"bash, zsh or fish." enum:"bash,zsh,fish"`
}

// Help returns the long text of --help.
func (completionCmd) Help() string {
	return `Prints what a shell reads to complete commands, flags and values. The packages
have it installed already. Otherwise:

  bash: source <(sluice completion bash)                     in ~/.bashrc
  zsh:  source <(sluice completion zsh)                      in ~/.zshrc, after compinit
  fish: sluice completion fish > ~/.config/fish/completions/sluice.fish`
}

// Run prints the script.
func (c *completionCmd) Run(std *stdio) error {
	script, err := completions.ReadFile("completion." + c.Shell)
	if err != nil {
		return err
	}
	_, err = std.out.Write(script)
	return err
}

// completeCmd is `sluice complete`, which the scripts call. It answers by the
// command line itself, so that completion never lags behind it.
type completeCmd struct {
	Words []string `arg:"" optional:"" help:"The words behind the program's name; the last is the one to complete."`
}

// Run prints a proposal a line, and behind a tab what it is for. Where there is
// none, shells complete names of files.
func (c *completeCmd) Run(parsed *kong.Context, std *stdio) error {
	for _, found := range complete(parsed.Model.Node, c.Words) {
		if _, err := io.WriteString(std.out, found.word+"\t"+found.help+"\n"); err != nil {
			return fmt.Errorf("the proposals cannot be written: %w", err)
		}
	}
	return nil
}
