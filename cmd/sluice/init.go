package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/sluiceproject/sluice/policies/starter"
)

// initCmd is `sluice init`.
type initCmd struct {
	Dir string `arg:"" help:"Folder to make. It must not exist, or be empty."`
}

// Help returns the long text of --help.
func (initCmd) Help() string {
	return `Writes commented policies for uploads and downloads, tests that make each of
their rules refuse, the schemas by which editors complete and explain, and jobs
for GitHub Actions and GitLab CI. Nothing is ever overwritten.

  sluice init policies`
}

// Run writes the starter set and says what to do next.
func (c *initCmd) Run(std *stdio) error {
	if c.Dir == "" { // As of a variable that is not set.
		return errors.New("the folder's name is empty")
	}
	names, err := starter.Write(c.Dir)
	for _, name := range names {
		fmt.Fprintf(std.out, "wrote %s\n", name)
	}
	if err != nil {
		return err
	}
	dir := shellWord(filepath.Clean(c.Dir))
	_, err = fmt.Fprintf(std.out, `
Next:
  sluice check %[1]s
  sluice test --require-coverage %[1]s
  sluice serve --policies %[1]s
`, dir)
	return err
}

// shellWord writes a name so that a shell takes it for one word.
func shellWord(name string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+,:@%", r)
	}
	if name != "" && !strings.ContainsFunc(name, func(r rune) bool { return !plain(r) }) {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}
