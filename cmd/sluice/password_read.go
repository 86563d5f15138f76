package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// maxLine is more than a password and its line end have.
const maxLine = 1<<10 + 3

// readPassword asks for a password twice where there is a terminal, and reads
// one line elsewhere.
func readPassword(ctx context.Context, std *stdio) (string, error) {
	if file, ok := std.in.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return askPassword(ctx, file, std.err)
	}
	text, err := io.ReadAll(io.LimitReader(std.in, maxLine))
	if err != nil {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	line, more, ended := strings.Cut(string(text), "\n")
	switch {
	case more != "":
		return "", errors.New("the input has more than one line, and a password is one; pipe in that line alone")
	case ended:
		line = strings.TrimSuffix(line, "\r")
	}
	return checkedPassword(line)
}

// askPassword asks at a terminal.
func askPassword(ctx context.Context, terminal *os.File, prompts io.Writer) (string, error) {
	first, err := askHidden(ctx, terminal, prompts, "Password: ")
	if err != nil {
		return "", err
	}
	if first, err = checkedPassword(first); err != nil {
		return "", err
	}
	second, err := askHidden(ctx, terminal, prompts, "The same again: ")
	switch {
	case err != nil:
		return "", err
	case first != second:
		return "", errors.New("the two passwords differ; try again")
	}
	return first, nil
}

// checkedPassword refuses what nobody meant; what else a password must be, who
// hashes it says.
func checkedPassword(password string) (string, error) {
	if password == "" {
		return "", errors.New("the password is empty")
	}
	return password, nil
}

// askHidden reads a line at a terminal that does not show it. If ctx ends before,
// the terminal shows again what is typed.
func askHidden(ctx context.Context, terminal *os.File, prompts io.Writer, prompt string) (string, error) {
	descriptor := int(terminal.Fd())
	state, err := term.GetState(descriptor)
	if err != nil {
		return "", fmt.Errorf("asking for the password: %w", err)
	}
	type answer struct {
		text []byte
		err  error
	}
	answers := make(chan answer, 1)
	fmt.Fprint(prompts, prompt)
	// Nothing can interrupt this read, so it is left behind when the command is.
	go func() {
		text, err := term.ReadPassword(descriptor)
		answers <- answer{text, err}
	}()
	select {
	case got := <-answers:
		fmt.Fprintln(prompts)
		if errors.Is(got.err, io.EOF) {
			got.err = nil // Nothing was typed, which is an empty password.
		}
		if got.err != nil {
			return "", fmt.Errorf("reading the password: %w", got.err)
		}
		return string(got.text), nil
	case <-ctx.Done():
		fmt.Fprintln(prompts)
		if err := term.Restore(descriptor, state); err != nil {
			return "", fmt.Errorf("showing again what is typed: %w", err)
		}
		return "", errors.New("interrupted; nothing was hashed")
	}
}
