package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sluiceproject/sluice/aspera"
	"github.com/sluiceproject/sluice/rules"
)

// looksInto returns the rules of the set that look into files, as far as known.
func (p *patient) looksInto() (list []string) {
	if p.snapshot == nil {
		return nil
	}
	plan := p.snapshot.Plan(rules.Builtin())
	return plannedNeeds(&plan).Content
}

// mounts reads a sample file below each mount.
func (p *patient) mounts(ctx context.Context) {
	const part = "mounts"
	if list := p.looksInto(); len(p.config.files.mounts) == 0 && len(list) > 0 {
		p.say(broken, part, "say under files.mounts where the server's files are", "there are none, and %s into files: %s", count(len(list), "rule looks", "rules look"), list[0])
		return
	}
	for _, m := range p.config.files.mounts {
		tried, err := within(p, func() (sample, error) { return sampled(ctx, m.Dir) })
		p.mount(m.Dir, m.Prefix, tried, err)
	}
}

// mount says what became of reading below a mount.
func (p *patient) mount(dir, prefix string, tried sample, err error) {
	const part = "mounts"
	name := fmt.Sprintf("%s (for %s)", dir, prefix)
	mend := "setfacl -R -m u:sluice:rX,d:u:sluice:rX " + shellWord(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.say(broken, part, "is the storage mounted?", "%s is not there", name)
	case err != nil:
		p.say(broken, part, mend, "%s cannot be read: %s", name, reasonOf(err))
	case tried.denied != "" && tried.read == "":
		p.say(broken, part, mend, "%s: %s may not be read by the user %d", name, tried.denied, p.uid)
	case tried.denied != "":
		p.say(suspect, part, mend, "%s: %s can be read, and %s may not be, by the user %d", name, tried.read, tried.denied, p.uid)
	case tried.read == "":
		p.say(healthy, part, "", "%s can be read; no file is in it to try", name)
	default:
		p.say(healthy, part, "", "%s can be read, as %s was", name, tried.read)
	}
}

// sample is what became of reading some file of a folder.
type sample struct{ read, denied string }

// errEnough says that enough was looked at.
var errEnough = errors.New("enough")

// sampled walks through a folder until a file could be read, and no further than a
// few hundred names.
func sampled(ctx context.Context, dir string) (s sample, err error) {
	const most = 500
	seen := 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if seen++; seen > most || ctx.Err() != nil {
			return errEnough
		}
		if errors.Is(err, fs.ErrPermission) && path != dir {
			s.denied = path
			return fs.SkipDir
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		err = readByte(path)
		switch {
		case errors.Is(err, fs.ErrPermission):
			s.denied = path
		case err == nil:
			s.read = path
			return errEnough
		}
		return nil // Others are being written, or gone.
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return s, err
}

func readByte(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// suffix says that rules look into files and nothing says how unfinished ones are
// called.
func (p *patient) suffix() {
	list := p.looksInto()
	switch {
	case len(list) == 0:
	case p.partialSuffix == "":
		p.say(suspect, "suffix", "set partial_suffix to what partial_file_suffix of aspera.conf is, if it is set there", "partial_suffix is not set, and %s into files (%s): if ascp appends one, an older file may be looked into", count(len(list), "rule looks", "rules look"), list[0])
	default:
		p.say(healthy, "suffix", "", "partial_suffix is %s", p.partialSuffix)
	}
}

// scan asks each scanner how it is.
func (p *patient) scan(ctx context.Context) {
	const part = "scanner"
	set, err := p.openScanners()
	if err != nil {
		p.say(broken, part, "", "%s", err)
		return
	}
	for _, s := range p.scanners {
		status, err := set[s.Name].Status(ctx)
		where := s.Clamd + s.ICAP
		switch {
		case err != nil:
			p.say(broken, part, "is it running, and may the user of the service connect to it? Rules that want it cannot tell meanwhile", "%s at %s gives no answer: %s", s.Name, where, err)
		case !status.Built.IsZero() && p.now().Sub(status.Built) > staleSignatures:
			p.say(suspect, part, "look at what updates them, such as freshclam", "%s answers, and its signatures are of %s", s.Name, status.Built.UTC().Format(time.DateOnly))
		default:
			p.say(healthy, part, "", "%s answers: %s %s", s.Name, status.Engine, status.Signatures)
		}
	}
}

// asperaConf checks the server's aspera.conf.
func (p *patient) asperaConf(name string) {
	const part, most = "aspera", 20
	o := aspera.Options{Service: p.asperaService()}
	if p.snapshot != nil {
		plan := p.snapshot.Plan(rules.Builtin())
		o.Needs = plannedNeeds(&plan)
	}
	if name == "-" {
		name = "./-" // The input is not read here.
	}
	report, err := checkAsperaConf(nil, name, o)
	if err != nil {
		p.say(broken, part, "", "%s", err)
		return
	}
	states := map[aspera.Severity]health{aspera.Error: broken, aspera.Warning: suspect}
	said := 0
	for _, f := range report.Findings {
		if states[f.Severity] == "" {
			continue
		}
		if said++; said > most {
			break
		}
		mend := ""
		if len(f.Mend) > 0 {
			mend = f.Mend[0]
		}
		p.say(states[f.Severity], part, mend, "%s:%d: %s", f.File, f.Line, f.Message)
	}
	switch errs := report.Count(aspera.Error); {
	case said > most:
		state := suspect
		if errs > 0 {
			state = broken
		}
		p.say(state, part, "sluice aspera check "+shellWord(name)+" shows all", "%s: %s and %s in all", name, count(errs, "error"), count(report.Count(aspera.Warning), "warning"))
	case said == 0:
		p.say(healthy, part, "", "%s has what the policies need", name)
	}
}
