package main

import (
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// tokenRequestCmd is `sluice token request`.
type tokenRequestCmd struct {
	URL  string `required:"" name:"url" placeholder:"URL" help:"The endpoint: /files/upload_setup or /files/download_setup is appended. A path in it, such as /node_api, is kept."`
	User simArg `required:"" placeholder:"NAME" help:"The client, or node user, who asks. Its password is in SLUICE_PASSWORD, in --password-file, or is asked for."`

	PasswordFile string `placeholder:"FILE" help:"File with the password in its only line."`

	Upload       simArg        `group:"What the token is for" placeholder:"DEST" help:"Upload into this folder of the server."`
	Download     []simArg      `group:"What the token is for" sep:"none" placeholder:"SRC" help:"Download this file or folder of the server. Repeat it for more. With paths of the flags below it is the one folder that they are in."`
	Path         []simArg      `group:"What the token is for" sep:"none" placeholder:"SRC" help:"A file or folder to transfer. Repeat it for more. An upload without any is a token for whatever may be below DEST."`
	FileList     simArg        `group:"What the token is for" placeholder:"FILE" help:"File with such paths, one a line, as for ascp."`
	FilePairList simArg        `group:"What the token is for" placeholder:"FILE" help:"File with sources and destinations on alternate lines, as for ascp."`
	Life         time.Duration `group:"What the token is for" placeholder:"TIME" help:"How long it is to hold, such as 2h (as the endpoint has it: 24h)."`
	Tags         string        `group:"What the token is for" placeholder:"JSON|@FILE" help:"The transfer's tags, an object."`
	Cookie       simArg        `group:"What the token is for" placeholder:"TEXT" help:"The transfer's cookie."`

	CA       string        `group:"How it is asked for" name:"ca" placeholder:"FILE" help:"The authorities, in PEM, that vouch for the endpoint; by default those of the operating system. A self-signed certificate is its own."`
	Insecure bool          `group:"How it is asked for" name:"insecure-skip-verify" help:"Do not look at the endpoint's certificate: whoever is in between can read the password."`
	Timeout  time.Duration `group:"How it is asked for" default:"30s" help:"How long it may take (${default})."`

	Output   string `group:"What is printed" enum:"env,spec,ascp,token" default:"env" help:"env, spec, ascp or token (${default})."`
	Identity simArg `group:"What is printed" placeholder:"FILE" help:"The private key that the ascp line names with -i."`
}

// Help returns the long text of --help.
func (*tokenRequestCmd) Help() string {
	return `Asks for a transfer token, as a portal does before anything moves. It speaks the
Node API: to sluice, to an Aspera node, or to Shares.

A token for one delivery, put into the environment of ascp:

  eval "$(sluice token request --url https://hst.example.com:9092 \
      --user portal --upload /ingest/a --path film.mov --life 2h)"

A command line for what a list names:

  sluice token request --url https://hst.example.com:9092 --user portal \
      --download /out --path a.mov --path b.mov --output ascp

What --output prints:
  env     export ASPERA_SCP_TOKEN=…, for a shell
  spec    the transfer_spec, for clients that take one; it has the token in it
  ascp    the command line of ascp, with the token in its environment and the
          grant in its tags. Downloads go into the current folder. It follows
          IBM's documentation and was not run against a real ascp.
  token   the token alone

env and token leave the tags to whoever runs ascp. A server that is to hold the
transfer to its grant must get them: use spec or ascp.

Status: 0 there is a token, 1 it is refused, 2 it could not be asked for.`
}

// Run asks for the token and prints it.
func (c *tokenRequestCmd) Run(ctx context.Context, std *stdio) error {
	plan, err := c.plan()
	if err != nil {
		return err
	}
	if plan.plain {
		fmt.Fprintln(std.err, "sluice: warning: the URL is http: the password and the token can be read on their way; use https")
	}
	password, err := tokenPassword(ctx, std, string(c.User), c.PasswordFile)
	if err != nil {
		return err
	}
	spec, err := plan.ask(ctx, string(c.User), password)
	if err != nil {
		return tokenRefused(std, err)
	}
	text, err := c.render(plan, spec)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.out, text)
	return err
}

// render returns what is printed.
func (c *tokenRequestCmd) render(plan *tokenPlan, spec jsontext.Value) (string, error) {
	if c.Output == "spec" {
		if err := spec.Indent(jsontext.WithIndent("  ")); err != nil {
			return "", fmt.Errorf("the transfer_spec: %w", err)
		}
		return string(spec), nil
	}
	if c.Output == "ascp" {
		read, err := readTokenSpec(spec)
		if err != nil {
			return "", err
		}
		return plan.ascp(read)
	}
	token, err := specToken(spec)
	if err == nil && c.Output == "env" {
		token = "export ASPERA_SCP_TOKEN=" + singleQuoted(token)
	}
	return token, err
}
