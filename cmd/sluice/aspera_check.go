package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/aspera"
	"github.com/sluiceproject/sluice/rules"
)

// asperaCheckCmd is `sluice aspera check`.
type asperaCheckCmd struct {
	asperaFlags
	File      string        `arg:"" help:"The aspera.conf; - is the input."`
	GroupFile string        `placeholder:"FILE" help:"File of the server's groups and their members, such as /etc/group. A user's main group is only known from there if the user is listed."`
	Latency   time.Duration `default:"5ms" placeholder:"TIME" help:"How long one answer of the service takes (${default})."`
	Rate      float64       `default:"200" placeholder:"N" help:"How many files a second a session should be able to move (${default})."`
	All       bool          `help:"Show what holds for every user, and not for the first 20 only."`
	Format    string        `enum:"text,json" default:"text" help:"text, or json (${default})."`
}

// Help returns the long text of --help.
func (asperaCheckCmd) Help() string {
	return `Resolves what holds for each user (the user's own settings, then those of groups,
then the global ones), and says what is missing or dangerous: where, what happens,
and how to mend it. With policies it knows which events are needed; with the
configuration of the service also what must fit with it.

  sluice aspera check /opt/aspera/etc/aspera.conf --config sluice.yaml
  asuserdata -a | less   # what the server itself makes of the file

Exits 0 if there is no error, 1 if there are some, 2 if the file cannot be read or
is not an aspera.conf. It judges by the manuals: nothing here has been tried
against a running ascp.`
}

// Run judges the file.
func (c *asperaCheckCmd) Run(ctx context.Context, std *stdio) error {
	if c.Latency <= 0 || !(c.Rate > 0) {
		return errors.New("--latency and --rate must be above 0")
	}
	o := aspera.Options{Latency: c.Latency, Rate: c.Rate}
	settings, configured, err := c.settings()
	if err != nil {
		return mistakes(std, err, 2)
	}
	if configured {
		o.Service = settings.asperaService()
	}
	if configured || c.Policies != nil {
		if o.Needs, err = needsOf(ctx, &settings); err != nil {
			return mistakes(std, err, 2)
		}
	}
	if c.GroupFile != "" {
		if o.Members, err = readMembers(c.GroupFile); err != nil {
			return err
		}
	}
	report, err := checkAsperaConf(std.in, c.File, o)
	if err != nil {
		return err
	}
	if c.Format == jsonFormat {
		err = writeJSON(std.out, asperaJSON(c.File, report))
	} else {
		err = writeAspera(std.out, newPainter(std.out), c.File, report, c.All)
	}
	if err == nil && report.Count(aspera.Error) > 0 {
		return exitError(1)
	}
	return err
}

// checkAsperaConf reads and judges a file.
func checkAsperaConf(in io.Reader, name string, o aspera.Options) (*aspera.Report, error) {
	shown := name
	switch name {
	case "":
		return nil, errors.New("the file's name is empty")
	case "-":
		shown = "standard input"
	default:
		file, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("%s cannot be read: %w", name, reasonOf(err))
		}
		defer file.Close()
		in = file
	}
	conf, err := aspera.Read(shown, in)
	var syntax *aspera.SyntaxError
	if errors.As(err, &syntax) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", shown, reasonOf(err))
	}
	report := aspera.Check(conf, o)
	return &report, nil
}

// reasonOf returns why a file cannot be used, without its name.
func reasonOf(err error) error {
	var cause *fs.PathError
	if errors.As(err, &cause) {
		return cause.Err
	}
	return err
}

// The limits of a file of groups.
const (
	mostGroupBytes = 64 << 20
	mostGroupLine  = 1 << 20
)

// readMembers reads which groups users are in, from lines of
// group(5): name:password:number:member,member.
func readMembers(name string) (map[string][]string, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("--group-file: %s: %w", name, reasonOf(err))
	}
	defer file.Close()
	members := map[string][]string{}
	lines := bufio.NewScanner(io.LimitReader(file, mostGroupBytes))
	lines.Buffer(nil, mostGroupLine)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Split(line, ":")
		if len(fields) != 4 {
			return nil, fmt.Errorf("--group-file: %s:%d: %q is not a group such as partners:x:1001:anna,ben", name, n, rules.Printable(line))
		}
		for user := range strings.SplitSeq(fields[3], ",") {
			if user = strings.TrimSpace(user); user != "" {
				members[user] = append(members[user], fields[0])
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("--group-file: %s: %w", name, reasonOf(err))
	}
	return members, nil
}
