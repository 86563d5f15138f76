package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/grants"
)

// tokenVerifyCmd is `sluice token verify`.
type tokenVerifyCmd struct {
	Token *simArg `arg:"" optional:"" name:"token" help:"The token or signed grant, or a transfer_spec or an event that has it; - is standard input, and so is nothing."`

	Key       []string `sep:"none" placeholder:"FILE" help:"A key that signs grants, private or public. Repeat it for more."`
	Config    string   `placeholder:"FILE" help:"Configuration file of the service: its keys, skew, docroots and partial_suffix."`
	PublicKey string   `placeholder:"FILE" help:"Verify a node bearer token by this key: the access key's token_verification_key."`

	File      simArg `group:"What the event says" placeholder:"PATH" help:"The file, as events name it: with the docroot in front, where there is one."`
	Direction string `group:"What the event says" enum:",upload,download" default:"" placeholder:"upload|download" help:"upload or download."`
	User      simArg `group:"What the event says" placeholder:"NAME" help:"The transfer account."`
	Size      string `group:"What the event says" placeholder:"SIZE" help:"The file's size, in bytes or with a unit such as 2 GiB."`
	At        string `group:"What the event says" placeholder:"TIME" help:"When, as 2026-01-02T15:04:05Z (now)."`
	Docroot   simArg `group:"What the event says" placeholder:"DIR" help:"The account's docroot. It wins over the configuration's."`
}

// Help returns the long text of --help.
func (*tokenVerifyCmd) Help() string {
	return `Says whether the grant of a token covers a file, as a policy's rule
grant: {required: true} would, and in its words. Files are not counted. With the --config of a service that has a policy
store, it says too whether the grant was revoked.

  sluice token verify "$ASPERA_SCP_TOKEN" --key grant-key.pem \
      --user xfer --direction upload --file /ingest/a/film.mov

A node bearer token is for all that its access key may see, whatever the file:

  sluice token verify "$ASPERA_SCP_TOKEN" --public-key access-key.pub.pem

Status: 0 it is covered, 1 it is not, 2 that cannot be told.`
}

// Run verifies the token.
func (c *tokenVerifyCmd) Run(ctx context.Context, std *stdio) error {
	now := time.Now()
	if c.At != "" {
		var err error
		if now, err = time.Parse(time.RFC3339, c.At); err != nil {
			return fmt.Errorf("--at %q is not a time such as 2026-01-02T15:04:05Z", c.At)
		}
	}
	if c.PublicKey != "" && (len(c.Key) > 0 || c.Config != "") {
		return errors.New("--public-key is for node bearer tokens, --key and --config are for grants: give one of them")
	}
	text, err := readTokenArgument(c.Token, std.in)
	if err != nil {
		return err
	}
	found, err := findTokens(text)
	if err != nil {
		return err
	}
	if c.PublicKey != "" {
		return c.verifyBearer(std, found, now)
	}
	settings := defaultConfig()
	if c.Config != "" {
		if settings, err = readConfig(c.Config); err != nil {
			return mistakes(std, err, 2)
		}
	}
	event, err := c.event(now)
	if err != nil {
		return err
	}
	return c.verifyGrant(ctx, std, chosenToken(found, grants.KindGrant), &settings, event)
}

// chosenToken returns the first text of a kind, or the last of all: in a
// transfer_spec, the grant comes after the token.
func chosenToken(found []foundToken, kind grants.TokenKind) string {
	for _, f := range found {
		if grants.Describe(f.text).Kind == kind {
			return f.text
		}
	}
	return found[len(found)-1].text
}

// verifyBearer verifies a node bearer token.
func (c *tokenVerifyCmd) verifyBearer(std *stdio, found []foundToken, now time.Time) error {
	key, err := grants.OpenRSAPublicKey(c.PublicKey)
	if err != nil {
		return err
	}
	bearer, err := grants.VerifyBearer(strings.TrimSpace(chosenToken(found, grants.KindBearer)), key)
	switch {
	case err != nil:
		fmt.Fprintf(std.out, "not valid: %s\n", err)
		return exitError(1)
	case !now.Before(bearer.ExpiresAt):
		fmt.Fprintf(std.out, "not valid: it expired at %s\n", bearer.ExpiresAt.UTC().Format(time.RFC3339))
		return exitError(1)
	}
	fmt.Fprintf(std.out, "valid: signed by this key, for %s, scope %s, until %s; it is bound to no file\n",
		rules.Printable(bearer.UserID), rules.Printable(bearer.Scope), bearer.ExpiresAt.UTC().Format(time.RFC3339))
	return nil
}

// event returns the start of the file that the flags speak of.
func (c *tokenVerifyCmd) event(now time.Time) (*rules.Event, error) {
	e := &rules.Event{Received: now, Phase: rules.PhaseStart, User: string(c.User), File: rules.ParsePath(string(c.File))}
	switch c.Direction {
	case "upload":
		e.Direction = rules.Upload
	case "download":
		e.Direction = rules.Download
	}
	var lacking []string
	for _, flag := range []struct {
		name    string
		lacking bool
	}{{"--file", c.File == ""}, {"--direction", c.Direction == ""}, {"--user", c.User == ""}} {
		if flag.lacking {
			lacking = append(lacking, flag.name)
		}
	}
	if len(lacking) > 0 {
		return nil, fmt.Errorf("what the grant should cover is not said: add %s", strings.Join(lacking, ", "))
	}
	if c.Size != "" {
		size, err := rules.ParseSize(c.Size)
		if err != nil {
			return nil, fmt.Errorf("--size: %w", err)
		}
		e.Size = rules.Known(size)
	}
	return e, nil
}
