package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/grants"
)

// tokenDecodeCmd is `sluice token decode`.
type tokenDecodeCmd struct {
	Token  *simArg `arg:"" optional:"" name:"token" help:"The token; - is standard input, and so is nothing."`
	Format string  `help:"text, or json (${default})." enum:"text,json" default:"text"`
}

// Help returns the long text of --help.
func (*tokenDecodeCmd) Help() string {
	return `Shows what a token says, without any key: a grant of sluice and a node bearer
token in full, of a Basic token the access key and not the secret. A transfer
token of a node (AT…TA) is named; only the node can read it. No signature is
looked at: sluice token verify does that.

  sluice token decode "$ASPERA_SCP_TOKEN"

It finds the token and the grant in a transfer_spec and in an event, too, and the
grant in tags, with base64 around them or not:

  sluice token request … --output spec | sluice token decode

Status: 0 it is shown, 1 it is no token that is known, 2 it could not be read.`
}

// Run shows the token.
func (c *tokenDecodeCmd) Run(std *stdio) error {
	text, err := readTokenArgument(c.Token, std.in)
	if err != nil {
		return err
	}
	found, err := findTokens(text)
	if err != nil {
		fmt.Fprintf(std.err, "sluice: %s\n", err)
		return exitError(1)
	}
	known := false
	told := make([]toldToken, len(found))
	for i, f := range found {
		told[i] = tellToken(f, time.Now())
		known = known || told[i].said.Kind != grants.KindUnknown
	}
	if !known {
		for i := range told {
			fmt.Fprintf(std.err, "sluice: %s%s\n", told[i].place(), told[i].said.Title)
		}
		return exitError(1)
	}
	if c.Format == jsonFormat {
		return writeJSON(std.out, map[string][]toldToken{"tokens": told})
	}
	for i := range told {
		if _, err := io.WriteString(std.out, told[i].text()); err != nil {
			return err
		}
	}
	return nil
}

// toldToken is what is told of a token.
type toldToken struct {
	At      []string         `json:"at,omitempty"`
	Kind    grants.TokenKind `json:"kind"`
	Title   string           `json:"title"`
	Expired *bool            `json:"expired,omitempty"`
	Grant   *toldGrant       `json:"grant,omitempty"`
	Bearer  *toldBearer      `json:"bearer,omitempty"`
	Fields  []toldField      `json:"fields,omitempty"`

	said grants.Description
}

// toldGrant is a grant in JSON. Sizes are in bytes.
type toldGrant struct {
	Key        string    `json:"key"`
	ID         string    `json:"id"`
	Client     string    `json:"client"`
	User       string    `json:"user"`
	Direction  string    `json:"direction"`
	Roots      []string  `json:"roots"`
	Paths      []string  `json:"paths"`
	PathCount  int       `json:"path_count"`
	PathDigest string    `json:"path_digest,omitempty"`
	Issued     time.Time `json:"issued"`
	Expires    time.Time `json:"expires"`
	MaxSize    int64     `json:"max_size,omitzero"`
	MaxFiles   int       `json:"max_files,omitzero"`
	Revision   string    `json:"revision"`
}

// toldBearer is a node bearer token in JSON.
type toldBearer struct {
	AccessKey     string         `json:"access_key"`
	ExpiresAt     time.Time      `json:"expires_at"`
	Claims        map[string]any `json:"claims"`
	SignatureBits int            `json:"signature_bits"`
}

// toldField is what is told of any other token.
type toldField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// tellToken describes a token at a time.
func tellToken(f foundToken, now time.Time) toldToken {
	d := grants.Describe(f.text)
	told := toldToken{At: f.at, Kind: d.Kind, Title: d.Title, said: d}
	expired := func(end time.Time) *bool { is := !now.Before(end); return &is }
	switch {
	case d.Grant != nil:
		g := d.Grant
		told.Expired = expired(g.Expires)
		told.Grant = &toldGrant{
			Key: d.KeyID, ID: g.ID, Client: g.Client, User: g.User, Direction: g.Direction.String(), Roots: g.Roots, Paths: g.Paths,
			PathCount: g.PathCount, PathDigest: g.PathDigest, Issued: g.Issued, Expires: g.Expires,
			MaxSize: g.MaxSize, MaxFiles: g.MaxFiles, Revision: g.Revision,
		}
	case d.Bearer != nil:
		b := d.Bearer
		told.Expired = expired(b.ExpiresAt)
		told.Bearer = &toldBearer{b.AccessKey(), b.ExpiresAt.UTC(), b.Claims, 8 * len(b.Signature)}
	default:
		for _, field := range d.Fields {
			told.Fields = append(told.Fields, toldField(field))
		}
	}
	return told
}

// place says where in a JSON text the token was.
func (t *toldToken) place() string {
	if len(t.At) == 0 {
		return ""
	}
	return rules.Printable(strings.Join(t.At, ", ")) + ": "
}

// text returns what is told as lines.
func (t *toldToken) text() string {
	text := t.place() + t.said.String()
	if t.Expired != nil && *t.Expired {
		text += "  It has expired.\n"
	}
	return text
}
