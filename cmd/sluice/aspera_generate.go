package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/aspera"
	"github.com/sluiceproject/sluice/rules"
)

// asperaGenerateCmd is `sluice aspera generate`.
type asperaGenerateCmd struct {
	asperaFlags
	URI         string        `name:"uri" required:"" placeholder:"URL" help:"Where ascp finds the service, such as http://127.0.0.1:8080/hst-1; it appends /validation/files."`
	For         string        `default:"global" placeholder:"WHOM" help:"global, group:NAME or user:NAME (${default})."`
	Threads     int           `placeholder:"N" help:"How many questions a session asks at once; without it ascp asks 5."`
	ThresholdKB int           `name:"threshold-kb" default:"1024" placeholder:"N" help:"Size in KB from which a file is asked about while it moves, if a rule wants that (${default})."`
	Latency     time.Duration `default:"5ms" placeholder:"TIME" help:"How long one answer takes, to tell what the threads are good for (${default})."`
	Format      string        `enum:"asconfigurator,xml" default:"asconfigurator" help:"asconfigurator for its calls, xml for the part of aspera.conf (${default})."`
}

// Help returns the long text of --help.
func (asperaGenerateCmd) Help() string {
	return `Prints what the rules of a policy set need, in the order in which it is to be
set, and with each line the rules that need it. What there is to be careful about
comes first, and on the error output too. Events that no rule needs are switched
off, so that what was set before does not stay.

  sluice aspera generate --policies policies/ --uri http://127.0.0.1:8080
  sluice aspera generate --config sluice.yaml --uri http://127.0.0.1:8080/hst-1 --for user:xfer

It runs nothing. Read it, and run it on the Aspera server.`
}

// Run prints the settings.
func (c *asperaGenerateCmd) Run(ctx context.Context, std *stdio) error {
	target := aspera.Target{URI: c.URI, Threads: c.Threads, ThresholdKB: c.ThresholdKB, Latency: c.Latency}
	var err error
	if target.Scope, target.Name, err = parseScope(c.For); err != nil {
		return err
	}
	if err := target.Check(); err != nil {
		return err
	}
	if c.Latency <= 0 {
		return fmt.Errorf("--latency: %s is not a time such as 500us or 5ms", c.Latency)
	}
	settings, _, err := c.settings()
	if err != nil {
		return mistakes(std, err, 2)
	}
	if target.Needs, err = needsOf(ctx, &settings); err != nil {
		return mistakes(std, err, 2)
	}
	generated, err := aspera.Generate(&target)
	if err != nil {
		return err
	}
	for _, text := range generated.Careful {
		fmt.Fprintf(std.err, "careful: %s\n", rules.Printable(text))
	}
	text := generated.Commands(&target)
	if c.Format == "xml" {
		text = generated.XML(&target)
	}
	_, err = io.WriteString(std.out, text)
	return err
}

// parseScope reads for whom settings are.
func parseScope(text string) (aspera.Scope, string, error) {
	kind, name, _ := strings.Cut(text, ":")
	switch scope := aspera.Scope(kind); {
	case text == string(aspera.Global):
		return scope, "", nil
	case (scope == aspera.Group || scope == aspera.User) && name != "":
		return scope, name, nil
	}
	return "", "", fmt.Errorf("--for: %q is not global, group:NAME or user:NAME", rules.Printable(text))
}
