package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sluiceproject/sluice/policies/store"
	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// fleetCmd is `sluice fleet`.
type fleetCmd struct {
	storeFlags `embed:""`

	JSON    bool          `name:"json" help:"Print what GET /v1/fleet of the admin listener answers."`
	Wait    string        `help:"Wait until every service has this revision or a newer one: a number, newest, or the hash of a policy set." placeholder:"REV"`
	Timeout time.Duration `help:"How long to wait (${default})." default:"10s" placeholder:"TIME"`
}

// Help returns the long text of --help.
func (fleetCmd) Help() string {
	return `Lists the services that share the policy store as they told of themselves in the
last 15 seconds: which policies each has, how far it is behind, and its health.

  sluice fleet --config sluice.yaml
  sluice push policies/ --config sluice.yaml && sluice fleet --config sluice.yaml --wait newest

A service whose policies are from a folder is held against what most others have.

Status: 0; with --wait 1 if some service does not have the revision in time, or if
there is none; 2 the policy store does not answer.`
}

// fleetPause is how long --wait waits before it looks again.
const fleetPause = 200 * time.Millisecond

// Run shows the fleet.
func (c *fleetCmd) Run(ctx context.Context, std *stdio) error {
	if c.Timeout < 0 {
		return errors.New("--timeout is a time from 0s")
	}
	s, _, err := c.open(ctx)
	if err != nil {
		return mistakes(std, err, 2)
	}
	defer s.Close()
	fleet, there, err := c.ask(ctx, s)
	if err != nil {
		return err
	}
	if c.JSON {
		err = writeJSON(std.out, fleet)
	} else {
		err = writeFleet(std.out, fleet, time.Now(), newPainter(std.out))
	}
	switch {
	case err != nil:
		return err
	case len(fleet.Members) == 0:
		fmt.Fprintln(std.err, "sluice: no service has reported to the policy store in the last 15 seconds")
	case !there:
		fmt.Fprintf(std.err, "sluice: after %s not every service has the revision %s\n", c.Timeout, rules.Printable(c.Wait))
	}
	if !there {
		return exitError(1)
	}
	return nil
}

// ask asks for the fleet, with --wait until all have the revision or the time is
// over. there is false if they do not.
func (c *fleetCmd) ask(ctx context.Context, s *store.Store) (fleet *validator.Fleet, there bool, err error) {
	end := time.Now().Add(c.Timeout)
	for {
		fleet, err = askFleet(ctx, s)
		if c.Wait == "" {
			return fleet, true, err
		}
		if err == nil && everyoneHas(fleet, c.Wait) {
			return fleet, true, nil
		}
		if err != nil && !errors.Is(err, store.ErrAway) || !time.Now().Add(fleetPause).Before(end) {
			return fleet, false, err
		}
		select {
		case <-ctx.Done():
			return fleet, false, ctx.Err()
		case <-time.After(fleetPause):
		}
	}
}

// everyoneHas reports whether there are services, and all have a revision.
func everyoneHas(fleet *validator.Fleet, wanted string) bool {
	number, err := strconv.ParseUint(wanted, 10, 64)
	return len(fleet.Members) > 0 && !slices.ContainsFunc(fleet.Members, func(m validator.FleetMember) bool {
		switch {
		case wanted == "newest":
			return m.Skewed
		case strings.EqualFold(m.Revision, wanted):
			return false
		default:
			return err != nil || m.StoreRevision == 0 || m.StoreRevision < number
		}
	})
}

// writeFleet writes a table, and below it what is wrong with whom.
func writeFleet(out io.Writer, fleet *validator.Fleet, now time.Time, p painter) error {
	if len(fleet.Members) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "name\tversion\trevision\tbehind\tpolicy age\thealth\theard")
	for i := range fleet.Members {
		m := &fleet.Members[i]
		revision, age := m.Revision, "-"
		if m.StoreRevision > 0 {
			revision, age = fmt.Sprintf("%d %s", m.StoreRevision, m.Revision), shortTime(time.Duration(m.PolicyAge*float64(time.Second)))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s ago\n", rules.Printable(m.Instance), rules.Printable(m.Version), rules.Printable(revision),
			behind(m), age, m.Health, shortTime(now.Sub(m.Heard)))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	newest := "the policy store has no revision"
	if fleet.Newest > 0 {
		newest = fmt.Sprintf("the newest revision is %d", fleet.Newest)
	}
	skew := p.paint(green, "no skew")
	if fleet.Skewed > 0 {
		skew = p.paint(red, fmt.Sprintf("%d of %s with other policies than the newest", fleet.Skewed, count(len(fleet.Members), "service")))
	}
	if _, err := fmt.Fprintf(out, "%s; %s\n", newest, skew); err != nil {
		return err
	}
	return writeTrouble(out, fleet, p)
}

// behind tells how many revisions a service is behind.
func behind(m *validator.FleetMember) string {
	switch {
	case m.Behind > 0:
		return strconv.FormatUint(m.Behind, 10)
	case m.Skewed:
		return "other"
	default:
		return "-"
	}
}

// writeTrouble writes what is wrong with each service.
func writeTrouble(out io.Writer, fleet *validator.Fleet, p painter) error {
	for i := range fleet.Members {
		m := &fleet.Members[i]
		lines := slices.Clone(m.Trouble)
		if m.Twin {
			lines = append(lines, "another service has this name: give each its own, with state.instance and journal.instance")
		}
		for _, line := range lines {
			if _, err := fmt.Fprintf(out, "%s %s\n", p.paint(yellow, rules.Printable(m.Instance)+":"), rules.Printable(line)); err != nil {
				return err
			}
		}
	}
	return nil
}

// shortTime writes a time as people say it, in one or two units.
func shortTime(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	case d < 2*day:
		return fmt.Sprintf("%dh", int(d.Round(time.Hour).Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}
