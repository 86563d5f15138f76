//go:build linux

// Command bench measures sluice against the floor: a bare echo handler that
// reads the body and answers 200. Both servers run on one core and wrk on
// another, in turns, so that what disturbs the machine disturbs both. It also
// measures decisions beside scanners, looks into files against the commands that do
// the same, and how fast a decision log is replayed. It needs wrk and taskset; what wants clamd, clamdscan or file
// is left out where they are not installed, and says so.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	rounds     int
	turn       time.Duration
	only       *regexp.Regexp
	keep       bool
	noMicro    bool
	tenMillion bool
	// clamd is the address of a clamd that is there already, and clamdConfig its
	// configuration; without it the bench starts its own.
	clamd, clamdConfig string
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.rounds, "rounds", 5, "`turns` of each server in each case")
	seconds := flags.Int("seconds", 4, "`seconds` of a turn")
	only := flags.String("only", "", "measure the cases whose names match this `regexp`")
	flags.BoolVar(&o.keep, "keep", false, "keep the folder with policies, lists, programs and logs")
	flags.BoolVar(&o.noMicro, "no-micro", false, "leave out the Go benchmarks")
	flags.BoolVar(&o.tenMillion, "ten-million", true, "measure the memory of ten million digests")
	flags.StringVar(&o.clamd, "clamd", "", "use the clamd at this `address`, such as unix:/run/clamav/clamd.ctl, instead of starting one")
	flags.StringVar(&o.clamdConfig, "clamd-config", "", "`configuration` of that clamd, for clamdscan")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.rounds < 1 || *seconds < 1 || flags.NArg() > 0 {
		return o, errors.New("usage: bench [--rounds N] [--seconds N] [--only REGEXP] [--ten-million=false] [--no-micro] [--clamd ADDRESS --clamd-config FILE] [--keep]")
	}
	if (o.clamd == "") != (o.clamdConfig == "") {
		return o, errors.New("--clamd and --clamd-config go together: clamdscan finds a clamd by its configuration")
	}
	o.turn = time.Duration(*seconds) * time.Second
	var err error
	o.only, err = regexp.Compile(*only)
	return o, err
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	var missing missingTool
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.As(err, &missing):
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	options
	root      string // of the repository
	dir       string // of what the run makes
	serverCPU string
	loadCPU   string
	scanCPU   string // of clamd
	out       io.Writer
	servers   map[string]*server // those that run, by name
	clamds    []*clamd
	rows      []row
}

// run measures what the flags ask for and prints it. Anything that would make
// the numbers wrong is an error, such as one answer that is not 200.
func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	b := &bench{options: o, out: out, servers: map[string]*server{}}
	if err := b.prepare(ctx); err != nil {
		return errors.Join(err, b.clean())
	}
	defer func() { _ = b.clean() }() // The numbers are what was asked for.
	b.header(ctx)
	for _, measure := range []func(context.Context) error{b.startUp, b.memory, b.loads, b.beside} {
		if err := measure(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "Load average at the end: %s\n", loadAverage())
	if len(b.rows) > 0 {
		fmt.Fprintln(out)
		printTable(out, b.rows)
	}
	if err := b.content(ctx); err != nil {
		return err
	}
	if err := b.replay(ctx); err != nil {
		return err
	}
	if o.noMicro {
		return nil
	}
	return b.micro(ctx)
}

// wants reports whether a case is asked for.
func (b *bench) wants(name string) bool { return b.only.MatchString(name) }

// say tells of progress, on stderr, so that it does not get between results.
func (b *bench) say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// clean stops what runs and removes what the run made.
func (b *bench) clean() error {
	for _, s := range b.servers {
		s.stop()
	}
	for _, c := range b.clamds {
		c.stop()
	}
	switch {
	case b.dir == "":
		return nil
	case b.keep:
		b.say("kept %s", b.dir)
		return nil
	default:
		return os.RemoveAll(b.dir)
	}
}
