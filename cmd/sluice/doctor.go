package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

// doctorCmd is `sluice doctor`.
type doctorCmd struct {
	Config     string        `help:"Configuration file of the service. The flags win over it." placeholder:"FILE" env:"SLUICE_CONFIG"`
	Listen     *string       `help:"Address on which Aspera servers post file events." placeholder:"ADDRESS"`
	Admin      *string       `help:"Address of the admin listener, or its URL." placeholder:"ADDRESS"`
	Policies   *string       `help:"Folder of the policy set." placeholder:"DIR"`
	AsperaConf string        `help:"The aspera.conf of the server, to be checked too." placeholder:"FILE"`
	Timeout    time.Duration `help:"How long each answer may take (${default})." default:"5s"`
	CAFile     string        `name:"ca-file" help:"Authorities that vouch for the admin listener, in PEM; those of the system by default." placeholder:"FILE"`
	CertFile   string        `help:"Certificate to show it, in PEM, if it asks for one." placeholder:"FILE"`
	KeyFile    string        `help:"Its key." placeholder:"FILE"`
	TokenFile  string        `help:"File with its bearer token, if it asks for one." placeholder:"FILE"`
	JSON       bool          `help:"Print one JSON object." name:"json"`
}

// Help returns the long text of --help.
func (doctorCmd) Help() string {
	return `Examines a running service from its own machine, and says of each thing whether it
is as it should be, and how to mend it. It posts no event and changes nothing.
Run it as the user of the service: what root may read says nothing of others.

  sudo -u sluice sluice doctor --config /etc/sluice/sluice.yaml
  sluice doctor --config sluice.yaml --aspera-conf /opt/aspera/etc/aspera.conf --json

Exits 0 if nothing fails, 1 if something does, 2 if it could not be carried out.`
}

// health is how a thing is.
type health string

// The healths of things.
const (
	healthy health = "ok"
	suspect health = "warn"
	broken  health = "fail"
)

// diagnosis is one thing that was examined.
type diagnosis struct {
	State health `json:"state"`
	// Part is what was examined, in one word or two.
	Part string `json:"part"`
	Text string `json:"text"`
	Mend string `json:"mend,omitempty"`
}

// patient is the installation that is examined.
type patient struct {
	config
	timeout time.Duration
	now     func() time.Time
	uid     int
	found   []diagnosis
	// snapshot is the set that should be in force; nil if it cannot be compiled.
	snapshot *policies.Snapshot
	// files is how many files and connections the service may have open at once, as
	// it says; 0 if it does not.
	files float64
}

func (p *patient) say(state health, part, mend, format string, a ...any) {
	p.found = append(p.found, diagnosis{State: state, Part: part, Text: rules.Printable(fmt.Sprintf(format, a...)), Mend: rules.Printable(mend)})
}

// Run examines the service.
func (c *doctorCmd) Run(ctx context.Context, std *stdio) error {
	admin := c.Admin
	settings, err := (&serveCmd{Config: c.Config, Listen: c.Listen, Admin: admin, Policies: c.Policies}).settings()
	if err != nil {
		return mistakes(std, err, 2)
	}
	asked := &healthCmd{Admin: settings.admin, Timeout: c.Timeout, CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile, TokenFile: c.TokenFile}
	client, err := c.newAsker(ctx, asked)
	if err != nil {
		return err
	}
	p := &patient{config: settings, timeout: c.Timeout, now: time.Now, uid: os.Geteuid()}
	p.examine(ctx, client)
	if c.AsperaConf != "" {
		p.asperaConf(c.AsperaConf)
	}
	if err := c.write(std.out, p.found); err != nil {
		return err
	}
	if tally(p.found, broken) > 0 {
		return exitError(1)
	}
	return nil
}

// examine goes through everything.
func (p *patient) examine(ctx context.Context, admin *asker) {
	p.user()
	p.listening(ctx)
	p.compiled(ctx)
	if p.alive(ctx, admin) {
		p.ready(ctx, admin)
		p.inForce(ctx, admin)
		p.limit(ctx, admin)
	}
	p.descriptors()
	p.synchronised()
	p.mounts(ctx)
	p.suffix()
	p.scan(ctx)
	p.folders()
	p.keys()
}

// user says as whom it is examined.
func (p *patient) user() {
	if p.uid == 0 {
		p.say(suspect, "user", "run it as the user of the service: sudo -u sluice sluice doctor …", "this is root, who may read and write everything: what follows about files says nothing of the service")
	}
}

// compiled compiles the policies that should be in force.
func (p *patient) compiled(ctx context.Context) {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*p.timeout, fmt.Errorf("it took longer than %s", 2*p.timeout))
	defer cancel()
	snapshot, err := p.compilePolicies(ctx, policies.Options{Kinds: rules.Builtin()})
	if err != nil {
		p.say(broken, "policies", "sluice check "+p.policies+" shows each mistake; until it is mended the service cannot start anew", "the policies cannot be compiled: %s", firstLine(err.Error()))
		return
	}
	p.snapshot = snapshot
}

// write prints what was found.
func (c *doctorCmd) write(w io.Writer, found []diagnosis) error {
	fails, warnings := tally(found, broken), tally(found, suspect)
	if c.JSON {
		return writeJSON(w, struct {
			OK       bool        `json:"ok"`
			Fails    int         `json:"fails"`
			Warnings int         `json:"warnings"`
			Checks   []diagnosis `json:"checks"`
		}{fails == 0, fails, warnings, found})
	}
	p, out := newPainter(w), &failingWriter{w: w}
	looks := map[health]colour{healthy: green, suspect: yellow, broken: red}
	for _, d := range found {
		fmt.Fprintf(out, "%s  %-14s  %s\n", p.paint(looks[d.State], fmt.Sprintf("%-4s", d.State)), d.Part, d.Text)
		if d.Mend != "" {
			fmt.Fprintf(out, "      %-14s  %s %s\n", "", p.paint(dim, "mend:"), d.Mend)
		}
	}
	fmt.Fprintf(out, "%s, %d failed, %s\n", count(len(found), "check"), fails, count(warnings, "warning"))
	return out.err
}

// failingWriter remembers that writing failed.
type failingWriter struct {
	w   io.Writer
	err error
}

// Write implements io.Writer.
func (f *failingWriter) Write(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.w.Write(p)
	f.err = err
	return n, err
}

func tally(found []diagnosis, state health) (n int) {
	for i := range found {
		if found[i].State == state {
			n++
		}
	}
	return n
}

// within runs something that a file system may hold up for ever. It gives up
// waiting after the time of one answer, and leaves it behind.
func within[T any](p *patient, do func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := do()
		done <- result{value, err}
	}()
	timer := time.NewTimer(p.timeout)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.value, r.err
	case <-timer.C:
		var none T
		return none, errStuck
	}
}

// errStuck says that a file system does not answer.
var errStuck = errors.New("the file system does not answer")
