package main

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/sluiceproject/sluice/rules"
)

// folders examines the folders that the service writes to.
func (p *patient) folders() {
	for _, f := range []struct {
		key, dir string
		// wants is how much the folder may grow to, in bytes.
		wants int64
	}{
		{"journal.dir", p.journal.Dir, p.journal.KeepBytes},
		{"state.dir", p.state.engine.Dir, 0},
		{"policies.cache", p.stored.cache, 0},
	} {
		if f.dir == "" {
			continue
		}
		about, err := within(p, func() (folderState, error) { return lookAt(f.dir) })
		p.folder(f.key, f.dir, f.wants, about, err)
	}
}

// folderState is what there is to know of a folder.
type folderState struct {
	info fs.FileInfo
	// writable is why nothing can be written; nil if it can.
	writable error
	// owner is -1 where the system has none.
	owner int
	// used and free are in bytes; free is -1 where it is not known.
	used, free int64
}

func lookAt(dir string) (s folderState, err error) {
	if s.info, err = os.Stat(dir); err != nil {
		return s, err
	}
	s.writable, s.owner, s.free = mayWrite(dir), ownerOf(s.info), freeIn(dir)
	const most = 100_000
	seen := 0
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if seen++; seen > most {
			return errEnough
		}
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // What cannot be seen is not counted.
		}
		if info, err := d.Info(); err == nil {
			s.used += info.Size()
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return s, err
}

// Below these numbers of free bytes a folder is short of space, or out of it.
const (
	littleSpace = 1 << 30
	noSpace     = 100 << 20
)

func (p *patient) folder(key, dir string, wants int64, s folderState, err error) {
	part, name := key, shellWord(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.say(broken, part, "start the service, which makes it, or make it: install -d -m 700 -o sluice -g sluice "+name, "%s is not there", dir)
	case err != nil:
		p.say(broken, part, "", "%s cannot be examined: %s", dir, reasonOf(err))
	case !s.info.IsDir():
		p.say(broken, part, "name a folder", "%s is not a folder", dir)
	case s.writable != nil:
		p.say(broken, part, "chown -R sluice: "+name+", and is it mounted for writing?", "%s cannot be written to by the user %d: %s", dir, p.uid, reasonOf(s.writable))
	case runtime.GOOS != "windows" && s.info.Mode().Perm()&0o002 != 0:
		p.say(broken, part, "chmod o-w "+name, "everybody may write to %s (mode %04o): what is in it proves nothing", dir, s.info.Mode().Perm())
	case s.owner >= 0 && p.uid > 0 && s.owner != p.uid: // Of root that was said.
		p.say(suspect, part, "chown -R sluice: "+name, "%s belongs to the user %d, and this is the user %d", dir, s.owner, p.uid)
	case s.free >= 0 && s.free < noSpace:
		p.say(broken, part, "make room, or keep less", "%s has room for %s more", dir, rules.FormatSize(s.free))
	case s.free >= 0 && s.free < littleSpace:
		p.say(suspect, part, "make room, or keep less", "%s has room for %s more", dir, rules.FormatSize(s.free))
	case s.free >= 0 && wants > 0 && s.free+s.used < wants:
		p.say(suspect, part, "set journal.keep_bytes below what the disk has, or the disk is full before old records are removed", "%s may grow to %s and has room for %s", dir, rules.FormatSize(wants), rules.FormatSize(s.free+s.used))
	case s.free < 0:
		p.say(healthy, part, "", "%s can be written to", dir)
	default:
		p.say(healthy, part, "", "%s can be written to, and has room for %s more", dir, rules.FormatSize(s.free))
	}
}

// keys examines the files with secrets.
func (p *patient) keys() {
	for _, f := range []struct{ key, name string }{
		{"grants.key_file", p.signingKey()},
		{"tokens.tls.key_file", p.tokens.keyFile},
		{"tokens.node.password_file", p.tokens.node.PasswordFile},
		{"tokens.bearer.private_key_file", p.tokens.bearer.PrivateKeyFile},
		{"state.token_file", p.state.tokenFile},
		{"state.nats.credentials_file", p.state.engine.CredentialsFile},
		{"state.nats.key_file", p.state.engine.ClientKeyFile},
	} {
		if f.name != "" {
			p.secret(f.key, f.name)
		}
	}
	if _, err := p.openGrants(false); err != nil && p.grants.keyFile+p.tokens.listen != "" {
		p.say(broken, "grants", "", "%s", err)
	}
}

// secret examines one file with a secret.
func (p *patient) secret(key, name string) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		p.say(broken, "secrets", "", "%s: %s: %s", key, name, reasonOf(err))
		return
	case !info.Mode().IsRegular():
		p.say(broken, "secrets", "name a file", "%s: %s is not a file", key, name)
		return
	}
	mode := info.Mode().Perm()
	err = readByte(name)
	switch {
	case err != nil:
		p.say(broken, "secrets", "chown sluice "+shellWord(name), "%s: %s cannot be read by the user %d: %s", key, name, p.uid, reasonOf(err))
	case runtime.GOOS != "windows" && mode&0o077 != 0:
		state := cmp.Or(map[bool]health{true: broken}[mode&0o007 != 0 || key == "grants.key_file"], suspect)
		p.say(state, "secrets", "chmod 600 "+shellWord(name), "%s: others than its owner can read %s (mode %04o)", key, name, mode)
	default:
		p.say(healthy, "secrets", "", "%s: %s is for its owner alone", key, name)
	}
}

// descriptors compares how many connections there may be with how many files the
// service may have open.
func (p *patient) descriptors() {
	const part, spare = "limits", 512
	most, whose := p.files, "the service"
	if most == 0 {
		most, whose = openFiles(), "a process that is started from here"
	}
	need := float64(p.limits.Connections + spare)
	switch {
	case most == 0: // Not known.
	case most < need:
		p.say(suspect, part, "LimitNOFILE=65536 in its unit, or fewer limits.connections", "%s may have %.0f files and connections open, and limits.connections is %d: beyond, ascp cannot connect", whose, most, p.limits.Connections)
	default:
		p.say(healthy, part, "", "%s may have %.0f files and connections open, and limits.connections is %d", whose, most, p.limits.Connections)
	}
}
