package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sluiceproject/sluice/policies/store"
	"github.com/sluiceproject/sluice/rules"
)

// grantsCmd is `sluice grants`.
type grantsCmd struct {
	storeFlags `embed:""`

	ID         string `name:"id" group:"Which grants" help:"The grant with this id, which is the id of its transfer." placeholder:"ID"`
	Client     string `group:"Which grants" help:"Who asked for the token." placeholder:"NAME"`
	User       string `group:"Which grants" help:"The transfer account." placeholder:"NAME"`
	GrantState string `name:"only" group:"Which grants" help:"active, revoked or expired." enum:",active,revoked,expired" default:"" placeholder:"STATE"`
	Since      string `group:"Which grants" help:"Given out from then on: a date, a time (RFC 3339), or how long ago, such as 2h or 30d." placeholder:"WHEN"`
	Most       int    `short:"n" name:"most" group:"Which grants" help:"At most so many, the newest; 0 is all (${default})." placeholder:"N" default:"100"`

	JSON bool `name:"json" help:"Print a JSON object for each, one a line."`
}

// Help returns the long text of --help.
func (grantsCmd) Help() string {
	return `Lists the grants that the token endpoint has given out, the newest last: who may
move what and until when, and whether that was revoked. What has expired vanishes by
itself.

  sluice grants --config sluice.yaml --client portal
  sluice grants --config sluice.yaml --only revoked --json

"sluice revoke" takes one back, and with it stops its transfer.

Status: 0 they are listed, also if there are none; 2 the policy store could not be
asked.`
}

// Run prints the list.
func (c *grantsCmd) Run(ctx context.Context, std *stdio) error {
	q := store.GrantQuery{ID: c.ID, Client: c.Client, User: c.User, State: store.GrantState(c.GrantState)}
	if c.Most < 0 {
		return fmt.Errorf("-n %d: it is a number from 0", c.Most)
	}
	if c.Since != "" {
		var err error
		if q.Since, err = parseWhen(c.Since, time.Now()); err != nil {
			return fmt.Errorf("--since: %w", err)
		}
	}
	s, _, err := c.open(ctx)
	if err != nil {
		return mistakes(std, err, 2)
	}
	defer s.Close()
	table := newGrantTable(std.out, c.JSON)
	if c.Most == 0 {
		if err := s.Grants(ctx, q, table.add); err != nil {
			return err
		}
		return table.end(std)
	}
	last := lastGrants{most: c.Most}
	if err := s.Grants(ctx, q, last.add); err != nil {
		return err
	}
	for _, g := range last.all() {
		if err := table.add(g); err != nil {
			return err
		}
	}
	if left := last.count - len(last.all()); left > 0 {
		defer fmt.Fprintf(std.err, "sluice: %s before those are not shown; -n 0 shows all\n", count(left, "grant"))
	}
	return table.end(std)
}

// lastGrants keeps the last grants of many.
type lastGrants struct {
	most  int
	list  []*store.GrantInfo
	count int
}

func (l *lastGrants) add(g *store.GrantInfo) error {
	l.count++
	if l.list = append(l.list, g); len(l.list) >= 2*l.most {
		l.list = append(l.list[:0], l.list[len(l.list)-l.most:]...)
	}
	return nil
}

func (l *lastGrants) all() []*store.GrantInfo { return l.list[max(len(l.list)-l.most, 0):] }

// grantTable prints grants, one a line.
type grantTable struct {
	columns *tabwriter.Writer
	json    *json.Encoder // nil where it is text
	lines   int
}

func newGrantTable(out io.Writer, asJSON bool) *grantTable {
	t := &grantTable{columns: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	if asJSON {
		t.json = json.NewEncoder(out)
		t.json.SetEscapeHTML(false)
	}
	return t
}

// grantPage is after how many lines the columns are written out.
const grantPage = 1000

func (t *grantTable) add(g *store.GrantInfo) error {
	t.lines++
	if t.json != nil {
		return t.json.Encode(g)
	}
	if t.lines == 1 {
		fmt.Fprintln(t.columns, "id\tstate\tclient\tuser\twhat\tissued (UTC)\texpires (UTC)\twhy")
	}
	why := ""
	if g.Revoked != nil {
		why = strings.Trim(g.Revoked.By+": "+g.Revoked.Reason, ": ")
	}
	for _, text := range []string{g.ID, string(g.State), orDash(g.Client), orDash(g.User), grantedWords(&g.GrantRecord), g.Issued.UTC().Format(time.DateTime), g.Expires.UTC().Format(time.DateTime)} {
		fmt.Fprint(t.columns, rules.Printable(text)+"\t")
	}
	fmt.Fprintln(t.columns, rules.Printable(why))
	if t.lines%grantPage == 0 {
		return t.columns.Flush()
	}
	return nil
}

// grantedWords says what may be moved.
func grantedWords(g *store.GrantRecord) string {
	var first string
	n := len(g.Roots) + len(g.Paths)
	switch {
	case len(g.Roots) > 0:
		first = strings.TrimSuffix(g.Roots[0], "/") + "/"
	case len(g.Paths) > 0:
		first = g.Paths[0]
	}
	words := g.Direction + " " + rules.Shorten(first, 60)
	if more := max(n, g.PathCount) - 1; more > 0 {
		words += fmt.Sprintf(" and %d more", more)
	}
	return words
}

func (t *grantTable) end(std *stdio) error {
	if t.lines == 0 && t.json == nil {
		fmt.Fprintln(std.err, "sluice: there are no such grants")
	}
	return t.columns.Flush()
}
