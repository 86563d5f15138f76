package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"

	"github.com/sluiceproject/sluice/rules"
)

// tokenPasswordVariable is the environment variable that holds the password.
const tokenPasswordVariable = "SLUICE_PASSWORD"

// tokenMaxPassword is the longest password, in bytes.
const tokenMaxPassword = 1024

// tokenPassword returns the password of a client: from a file, else from the
// environment, else from the terminal. No flag takes it, because others on the
// machine can read command lines.
func tokenPassword(ctx context.Context, std *stdio, user, file string) (string, error) {
	if file != "" {
		return tokenPasswordFile(file)
	}
	if password, ok := os.LookupEnv(tokenPasswordVariable); ok {
		if password == "" {
			return "", errors.New(tokenPasswordVariable + " is set, but empty")
		}
		return checkTokenPassword(password, tokenPasswordVariable)
	}
	terminal, ok := std.in.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return "", errors.New("which password? Set " + tokenPasswordVariable + ", name a file with --password-file, or run this in a terminal, where it is asked for")
	}
	return promptTokenPassword(ctx, terminal, std.err, user)
}

func tokenPasswordFile(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("the password file %s cannot be read: %w", rules.Printable(name), simCause(err))
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, tokenMaxPassword+3)) // And a line end.
	if err != nil {
		return "", fmt.Errorf("the password file %s cannot be read: %w", rules.Printable(name), simCause(err))
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	return checkTokenPassword(password, "the password file "+rules.Printable(name))
}

func checkTokenPassword(password, from string) (string, error) {
	switch {
	case password == "":
		return "", fmt.Errorf("%s is empty", from)
	case len(password) > tokenMaxPassword:
		return "", fmt.Errorf("%s has more than %d bytes", from, tokenMaxPassword)
	case strings.ContainsAny(password, "\x00\r\n"):
		return "", fmt.Errorf("%s has more than one line", from)
	}
	return password, nil
}

// promptTokenPassword asks at the terminal, which shows nothing of the answer.
func promptTokenPassword(ctx context.Context, terminal *os.File, prompts io.Writer, user string) (string, error) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	password, err := askHidden(ctx, terminal, prompts, "Password of "+rules.Printable(user)+": ")
	switch {
	case ctx.Err() != nil:
		return "", exitError(130) // What a shell makes of an interrupt.
	case err != nil:
		return "", err
	}
	return checkTokenPassword(password, "the password")
}
