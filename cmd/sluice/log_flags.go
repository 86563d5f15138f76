package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/journal"
)

// logCmd is `sluice log`.
type logCmd struct {
	Tail   logTailCmd   `cmd:"" help:"Show the last decisions, and with -f those that come."`
	Search logSearchCmd `cmd:"" help:"Show the decisions that filters want."`
	Show   logShowCmd   `cmd:"" help:"Show one past decision as it was made, rule by rule."`
	Stats  logStatsCmd  `cmd:"" help:"Draw refusals over time, and by policy, rule, code and user."`
	Verify logVerifyCmd `cmd:"" help:"Prove that the log is whole, or name the first record that is not."`
	Export logExportCmd `cmd:"" help:"Write decisions as CSV or JSON, for other programs."`
}

// logSource is where a log is.
type logSource struct {
	Dir    string `help:"The log: its folder, one of its files, - for lines on standard input, or store for what all services have sent to the policy store of --config." aliases:"from,log" placeholder:"DIR"`
	Config string `help:"Configuration file of the service, whose journal.dir is the log, and whose state names the policy store." placeholder:"FILE"`
}

// path returns the log's folder or file; - is standard input, and storedLog the
// policy store.
func (s *logSource) path() (string, error) {
	switch {
	case s.Dir != "":
		return s.Dir, nil
	case s.Config == "":
		return "", errors.New("which log? Say --dir FOLDER, or --config with the service's configuration")
	}
	settings, err := readConfig(s.Config)
	if err != nil {
		return "", err
	}
	if settings.journal.Dir == "" {
		return "", fmt.Errorf("%s has no journal.dir, so decisions are not recorded", rules.Printable(s.Config))
	}
	return settings.journal.Dir, nil
}

// read reads a log from wherever it is.
func (s *logSource) read(ctx context.Context, search *journal.Search, path string, in io.Reader) iter.Seq2[*journal.Entry, error] {
	if path == "-" {
		return search.ReadFrom(ctx, "standard input", in)
	}
	if path == storedLog {
		return s.readStored(ctx, search)
	}
	return search.Read(ctx, path)
}

// logWindow is a window of time.
type logWindow struct {
	Since string `group:"Which decisions" help:"From then on: a date, a time (RFC 3339), or how long ago, such as 2h or 30d. Dates begin at midnight UTC." placeholder:"WHEN"`
	Until string `group:"Which decisions" help:"Before then, written in the same way." placeholder:"WHEN"`
}

func (w *logWindow) set(q *journal.Query, now time.Time) error {
	for _, when := range []struct {
		flag, text string
		to         *time.Time
	}{{"--since", w.Since, &q.From}, {"--until", w.Until, &q.To}} {
		if when.text == "" {
			continue
		}
		var err error
		if *when.to, err = parseWhen(when.text, now); err != nil {
			return fmt.Errorf("%s: %w", when.flag, err)
		}
	}
	return nil
}

// logFilter is which decisions are wanted.
type logFilter struct {
	logWindow `embed:""`

	Verdict   []string `group:"Which decisions" sep:"none" help:"accept or reject." placeholder:"WORD"`
	Policy    []string `group:"Which decisions" sep:"none" help:"Refused by this policy." placeholder:"GLOB"`
	Rule      []string `group:"Which decisions" sep:"none" help:"Refused by this rule: RULE, or POLICY/RULE." placeholder:"GLOB"`
	Code      []string `group:"Which decisions" sep:"none" help:"Refused with this code." placeholder:"GLOB"`
	Kind      []string `group:"Which decisions" sep:"none" help:"Refused by a rule of this kind." placeholder:"GLOB"`
	User      []string `group:"Which decisions" sep:"none" help:"The transfer account." placeholder:"GLOB"`
	Client    []string `group:"Which decisions" sep:"none" help:"Who asked for a token." placeholder:"GLOB"`
	ClientIP  []string `group:"Which decisions" sep:"none" name:"client-ip" help:"The client's address, or a network such as 203.0.113.0/24." placeholder:"ADDRESS"`
	Host      []string `group:"Which decisions" sep:"none" help:"The Aspera server." placeholder:"GLOB"`
	Session   []string `group:"Which decisions" sep:"none" help:"The id of a session." placeholder:"GLOB"`
	Transfer  []string `group:"Which decisions" sep:"none" help:"The id of a transfer (xfer_id)." placeholder:"GLOB"`
	File      []string `group:"Which decisions" sep:"none" help:"The file's path, as globs of policies have it: **/*.exe." placeholder:"GLOB"`
	Digest    []string `group:"Which decisions" sep:"none" help:"A digest of the file in hex." placeholder:"HEX"`
	Phase     []string `group:"Which decisions" sep:"none" help:"request, start, running, stop, or unknown." placeholder:"WORD"`
	Direction []string `group:"Which decisions" sep:"none" help:"upload, download, or unknown." placeholder:"WORD"`
	Instance  []string `group:"Which decisions" sep:"none" help:"The service that decided." placeholder:"GLOB"`
	Revision  []string `group:"Which decisions" sep:"none" help:"The revision of the policy set." placeholder:"GLOB"`
	ID        []string `group:"Which decisions" sep:"none" name:"id" help:"The id of a decision." placeholder:"GLOB"`
	Where     string   `group:"Which decisions" help:"An expression (CEL) about record, such as record.event.size > 1000000." placeholder:"CEL"`
	Notes     bool     `group:"Which decisions" help:"Also what the log records of itself: starts, ends, repairs, losses."`
}

// filterHelp says how filters go together.
const filterHelp = `A filter can be given several times: any of its values will do. Different filters
must all hold. A GLOB without * and ? is the whole value.`

func (f *logFilter) query(now time.Time) (*journal.Query, error) {
	q := &journal.Query{
		Verdict: f.Verdict, Phase: f.Phase, Direction: f.Direction, Code: f.Code, Policy: f.Policy, Rule: f.Rule, Kind: f.Kind,
		User: f.User, Host: f.Host, Client: f.Client, Instance: f.Instance, Revision: f.Revision, Session: f.Session,
		Transfer: f.Transfer, ID: f.ID, File: f.File, Digest: f.Digest, ClientIP: f.ClientIP, Where: f.Where, Notes: f.Notes,
	}
	return q, f.set(q, now)
}

// compileQuery compiles a query, and says what is wrong under the names of flags.
func compileQuery(q *journal.Query) (*journal.Search, error) {
	search, err := q.Compile()
	return search, flagged(err)
}

// flagged tells the mistakes of a query under the names of flags.
func flagged(err error) error {
	if err == nil {
		return nil
	}
	var all []string
	for _, one := range eachError(err) {
		var wrong *journal.QueryError
		if !errors.As(one, &wrong) {
			return err
		}
		name := "--" + strings.ReplaceAll(wrong.Field, "_", "-")
		if wrong.Field == "time" {
			name = "--since and --until"
		}
		all = append(all, name+": "+wrong.Message)
	}
	return errors.New(strings.Join(all, "\n"))
}

// eachError takes joined errors apart.
func eachError(err error) []error {
	var all []error
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			all = append(all, eachError(one)...)
		}
		return all
	}
	return []error{err}
}

// logTrouble tells what of a log could not be read, the first few of it one by one.
type logTrouble struct {
	std   *stdio
	count int
}

// add tells an error of reading; one that ends it is returned.
func (t *logTrouble) add(err error) error {
	var place *journal.ReadError
	if !errors.As(err, &place) {
		return err
	}
	const most = 10
	if t.count++; t.count <= most {
		fmt.Fprintf(t.std.err, "sluice: %s\n", rules.Printable(place.Error()))
	}
	return nil
}

// status is the exit status of a search: 2 if it may have missed something.
func (t *logTrouble) status(search *journal.Search, found bool) error {
	if t.count > 0 {
		fmt.Fprintf(t.std.err, "sluice: %s of the log could not be read; \"sluice log verify\" says what is wrong\n", count(t.count, "place"))
		return exitError(2)
	}
	if n := search.Stats().Untold; n > 0 {
		fmt.Fprintf(t.std.err, "sluice: --where cannot be told of %s\n", count(int(n), "record"))
		return exitError(2)
	}
	if !found {
		return exitError(1)
	}
	return nil
}
