package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/sluiceproject/sluice/policies/store"
	"github.com/sluiceproject/sluice/rules"
)

// revokeCmd is `sluice revoke`.
type revokeCmd struct {
	ID string `arg:"" optional:"" help:"The grant, by its id: \"sluice grants\" lists them, and it is the id of the transfer (xfer_id) in the log."`

	storeFlags `embed:""`

	Client       string `help:"Every grant that this client has by now." placeholder:"NAME"`
	User         string `help:"Every grant that this transfer account has by now." placeholder:"NAME"`
	Reason       string `help:"Why, for whoever lists it." placeholder:"TEXT"`
	By           string `help:"Who says so; by default the account and the machine." placeholder:"NAME"`
	Unregistered bool   `help:"Revoke an id that is not registered, too."`
	List         bool   `help:"List what is revoked instead."`
	JSON         bool   `name:"json" help:"Print the record as JSON; with --list, one a line."`
}

// Help returns the long text of --help.
func (revokeCmd) Help() string {
	return `Takes back what the token endpoint has given out. The next file event of a transfer
with such a grant is refused with code 1009, by every service on the policy store,
within a second and whatever the policies say; that ends the transfer. It cannot be
undone: new tokens hold.

  sluice revoke 0199e1c4-7b1e-7a53-9f0e-3d1f2a4b5c6d --reason "wrong recipient"
  sluice revoke --client portal --reason "its password leaked"

Of a client or an account, what was issued by now is revoked, and what is issued while
clocks may differ (grants.skew). The client may ask for tokens after that: to keep it
out, remove it from the clients of the policy set. Only transfers that carry their
grant can be stopped: have a rule grant: {required: true} refuse the others.

Status: 0 it is revoked, and that is stored; 1 no such grant is registered; 2 it could
not be carried out.`
}

// Run revokes, or lists what is revoked.
func (c *revokeCmd) Run(ctx context.Context, std *stdio) error {
	named := 0
	for _, name := range []string{c.ID, c.Client, c.User} {
		if name != "" {
			named++
		}
	}
	switch {
	case c.List && named > 0:
		return errors.New("--list stands alone")
	case !c.List && named != 1:
		return errors.New("what is to be revoked? Name one grant by its id, or --client NAME, or --user NAME")
	}
	s, settings, err := c.open(ctx)
	if err != nil {
		return mistakes(std, err, 2)
	}
	defer s.Close()
	if c.List {
		return c.list(ctx, std, s)
	}
	if c.By == "" {
		c.By = defaultAuthor()
	}
	r, err := s.Revoke(ctx, store.RevocationRequest{
		ID: c.ID, Client: c.Client, User: c.User, Reason: c.Reason, By: c.By, Skew: settings.grants.skew, Unregistered: c.Unregistered,
	})
	if errors.Is(err, store.ErrNoGrant) {
		fmt.Fprintf(std.err, "sluice: not revoked: %s; check the id, or say --unregistered\n", err)
		return exitError(1)
	}
	if err != nil {
		return fmt.Errorf("not revoked: %w", err)
	}
	if c.JSON {
		return writeJSON(std.out, r)
	}
	fmt.Fprintln(std.out, revokedWords(&r))
	return nil
}

// revokedWords says what is revoked.
func revokedWords(r *store.Revocation) string {
	before := r.Before.UTC().Format(time.DateTime) + " UTC"
	switch {
	case r.ID != "":
		return "revoked: the grant " + rules.Printable(r.ID)
	case r.Client != "":
		return fmt.Sprintf("revoked: every grant of the client %s that is issued up to %s", rules.Printable(r.Client), before)
	default:
		return fmt.Sprintf("revoked: every grant of the user %s that is issued up to %s", rules.Printable(r.User), before)
	}
}

func (c *revokeCmd) list(ctx context.Context, std *stdio, s *store.Store) error {
	table := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	lines := 0
	err := s.ListRevocations(ctx, func(r *store.Revocation) error {
		if c.JSON {
			return json.NewEncoder(std.out).Encode(r)
		}
		if lines++; lines == 1 {
			fmt.Fprintln(table, "time (UTC)\twhat\tgrants issued up to (UTC)\tby\treason")
		}
		kind, name, before := "grant", r.ID, "-"
		switch {
		case r.Client != "":
			kind, name = "client", r.Client
		case r.User != "":
			kind, name = "user", r.User
		}
		if !r.Before.IsZero() {
			before = r.Before.UTC().Format(time.DateTime)
		}
		fmt.Fprintf(table, "%s\t%s %s\t%s\t%s\t%s\n", r.At.UTC().Format(time.DateTime), kind, rules.Printable(name), before, rules.Printable(r.By), rules.Printable(r.Reason))
		if lines%grantPage == 0 {
			return table.Flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if lines == 0 && !c.JSON {
		fmt.Fprintln(std.err, "sluice: nothing is revoked")
	}
	return table.Flush()
}
