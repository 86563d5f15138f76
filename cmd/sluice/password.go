package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"regexp"
	"syscall"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// passwordCmd is `sluice password`.
type passwordCmd struct {
	Name         string   `placeholder:"NAME" help:"Print a whole clients.yaml for a client of this name, instead of the hash alone."`
	Bcrypt       bool     `help:"Hash by bcrypt instead of argon2id. It knows only 72 bytes of a password."`
	BcryptCost   *int     `name:"bcrypt-cost" placeholder:"COST" help:"Cost of bcrypt, 10 to 16; each step doubles the work (12)."`
	Argon2Memory *string  `name:"argon2-memory" placeholder:"SIZE" help:"Memory of argon2id, 8MiB to 1GiB (64MiB)."`
	Argon2Passes *uint32  `name:"argon2-passes" placeholder:"N" help:"Passes of argon2id over its memory, 1 to 64 (3)."`
	Argon2Lanes  *uint8   `name:"argon2-lanes" placeholder:"N" help:"Lanes of argon2id, which are worked on at once, 1 to 255 (4)."`
	Arguments    []string `arg:"" optional:"" hidden:"" name:"none" help:"Never the password: it is typed or piped in."`
}

// Help returns the long text of --help.
func (passwordCmd) Help() string {
	return `Hashes the password of a client that may ask for tokens, for the password_hash
of a clients.yaml. At a terminal it asks twice and shows nothing; otherwise it
reads one line. The hash goes to the output, everything else to the error output.

  sluice password
  sluice password --name portal > policies/clients.yaml
  openssl rand -base64 24 | tee portal.secret | sluice password

A password is 1 to 1024 bytes of UTF-8 without control characters. By default the
hash is the second recommended option of RFC 9106: argon2id with 64 MiB, 3 passes
and 4 lanes. The service spends that for each wrong password, with at most 2 GiB
at once, and remembers right ones for five minutes.`
}

// Run reads a password and prints its hash.
func (c *passwordCmd) Run(ctx context.Context, std *stdio) error {
	hash, err := c.hasher()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	password, err := readPassword(ctx, std)
	if err != nil {
		return err
	}
	hashed, err := hash(password)
	if err != nil {
		return err
	}
	text := hashed + "\n"
	if c.Name != "" {
		text = fmt.Sprintf(clientsFile, c.Name, hashed)
	}
	_, err = fmt.Fprint(std.out, text)
	return err
}

// clientName is the form of names of clients.
var clientName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// hasher returns the function that the flags ask for, or says what is wrong with
// them before anybody types a password.
func (c *passwordCmd) hasher() (func(password string) (string, error), error) {
	switch {
	case len(c.Arguments) > 0:
		return nil, errors.New("the password is never an argument: other users of the machine see it in the list of processes, and the shell writes it into its history; type it when you are asked, or pipe it in")
	case c.Name != "" && !clientName.MatchString(c.Name):
		return nil, fmt.Errorf("%q is not a name of a client; use up to 64 letters, digits, dots, dashes and underscores", c.Name)
	case !c.Bcrypt && c.BcryptCost != nil:
		return nil, errors.New("--bcrypt-cost says nothing of argon2id; add --bcrypt, or leave it out")
	case c.Bcrypt && (c.Argon2Memory != nil || c.Argon2Passes != nil || c.Argon2Lanes != nil):
		return nil, errors.New("--argon2-memory, --argon2-passes and --argon2-lanes say nothing of bcrypt; leave them out, or --bcrypt")
	case c.Bcrypt:
		cost := 12
		if c.BcryptCost != nil {
			cost = *c.BcryptCost
		}
		return func(password string) (string, error) { return validator.HashBcrypt(password, cost) }, validator.CheckBcryptCost(cost)
	}
	cost, err := c.argon2id()
	if err != nil {
		return nil, err
	}
	return func(password string) (string, error) { return validator.HashArgon2id(password, cost) }, cost.Check()
}

// argon2id returns the cost that the flags ask for.
func (c *passwordCmd) argon2id() (validator.Argon2idCost, error) {
	cost := validator.DefaultArgon2idCost()
	if c.Argon2Memory != nil {
		bytes, err := rules.ParseSize(*c.Argon2Memory)
		switch {
		case err != nil:
			return cost, fmt.Errorf("--argon2-memory: %w", err)
		case bytes%1024 != 0 || bytes > 1<<40:
			return cost, fmt.Errorf("--argon2-memory: %s is not a whole number of KiB up to 1GiB; write it as in 64MiB", *c.Argon2Memory)
		}
		cost.Memory = uint32(bytes / 1024)
	}
	if c.Argon2Passes != nil {
		cost.Passes = *c.Argon2Passes
	}
	if c.Argon2Lanes != nil {
		cost.Lanes = *c.Argon2Lanes
	}
	return cost, nil
}

// clientsFile is a document of one client: its name and its hash.
const clientsFile = `# Who may ask for tokens. This file goes beside the policies. It can have more
# clients, and there can be more files like it. Then: sluice check DIR
version: 1
clients:
  # The user of HTTP Basic, unique in the set.
  - name: %[1]q
    password_hash: %[2]q
    # CHANGE: the transfer account that the tokens are for.
    transfer_user: xfer
    # CHANGE: globs of paths in the docroot. Without it nothing may be uploaded.
    upload: ["/%[1]s/**"]
    # The same for downloads.
    # download: ["/%[1]s/**"]
    # How long a token may be valid at most, up to 720h.
    max_life: 8h
`
