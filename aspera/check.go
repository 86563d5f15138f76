package aspera

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// others is how those are called who have no settings of their own.
const others = "everybody else"

// profile is somebody for whom settings hold: the nearest section wins.
type profile struct {
	who   string
	scope Scope
	chain []*Section
}

// get returns the setting of an option that holds, and whose it is.
func (p *profile) get(option string) (Setting, *Section, bool) {
	for _, s := range p.chain {
		if set, ok := s.get(option); ok {
			return set, s, true
		}
	}
	return Setting{}, nil, false
}

// value returns what an option is, or what it is where nothing says so.
func (p *profile) value(option, otherwise string) string {
	if s, _, ok := p.get(option); ok {
		return s.Value
	}
	return otherwise
}

// refused reports whether nothing can be transferred at all.
func (p *profile) refused() bool {
	return p.value(transferIn, "") == valueDeny && p.value(transferOut, "") == valueDeny
}

// asks reports whether ascp asks about some event of a file.
func (p *profile) asks() bool {
	return p.value(validationURI, "") != "" && slices.ContainsFunc([]string{fileStart, threshold, fileStop}, func(event string) bool { return p.value(event, "") == valueURI })
}

// checker judges one file.
type checker struct {
	conf     *Conf
	o        Options
	report   Report
	index    map[key]int
	profiles []profile
	// set are the options that somebody has set to what validation needs.
	set map[string]bool
}

// Check judges a file.
func Check(conf *Conf, o Options) Report {
	o.Latency, o.Rate = cmp.Or(o.Latency, 5*time.Millisecond), cmp.Or(o.Rate, 200)
	c := &checker{conf: conf, o: o, index: map[key]int{}, set: map[string]bool{}}
	c.resolve()
	for i := range c.profiles {
		p := &c.profiles[i]
		c.report.Effective = append(c.report.Effective, p.effective())
		for _, option := range []string{validationURI, fileStart, threshold, fileStop} {
			if v := p.value(option, ""); v != "" && (option == validationURI || v == valueURI) {
				c.set[option] = true
			}
		}
	}
	c.strays()
	c.twice()
	c.names()
	c.server()
	for i := range c.profiles {
		if p := &c.profiles[i]; !p.refused() {
			c.person(p)
		}
	}
	c.report.sort()
	return c.report
}

// person judges what holds for one profile.
func (c *checker) person(p *profile) {
	c.uri(p)
	for _, event := range []string{fileStart, threshold, fileStop} {
		c.event(p, event)
	}
	c.anyEvent(p)
	c.session(p)
	c.thresholdSize(p)
	c.threads(p)
	c.tokens(p)
	c.docroot(p)
	c.suffix(p)
	c.checksum(p)
}

// resolve makes the profiles. Each group stands for its members who have no
// settings of their own.
func (c *checker) resolve() {
	c.profiles = []profile{{who: others, scope: Global, chain: []*Section{c.conf.Default}}}
	groups := map[string]*Section{}
	for _, g := range c.conf.Groups {
		c.profiles = append(c.profiles, profile{who: "group " + g.Name, scope: Group, chain: []*Section{g, c.conf.Default}})
		groups[g.Name] = g
	}
	for _, u := range c.conf.Users {
		chain := []*Section{u}
		var of []*Section
		written, _ := u.get(group)
		for _, name := range append(slices.Clone(c.o.Members[u.Name]), written.Value) {
			if g := groups[name]; g != nil && !slices.Contains(of, g) {
				of = append(of, g)
			}
		}
		slices.SortStableFunc(of, func(a, b *Section) int { return cmp.Compare(a.precedence(), b.precedence()) })
		c.profiles = append(c.profiles, profile{who: u.Name, scope: User, chain: append(append(chain, of...), c.conf.Default)})
	}
}

// precedence returns where a group comes among a user's groups: the lowest number
// wins.
func (s *Section) precedence() float64 {
	const last = 1000
	set, ok := s.get(precedence)
	n, err := strconv.ParseFloat(set.Value, 64)
	if !ok || err != nil || n != n {
		return last
	}
	return n
}

func (p *profile) effective() Effective {
	return Effective{
		Who: p.who, URI: p.value(validationURI, ""), Start: p.value(fileStart, ""), Stop: p.value(fileStop, ""),
		Threshold: p.value(threshold, ""), ThresholdKB: p.value(thresholdKB, ""), Threads: p.value(threads, ""),
		TransfersIn: p.value(transferIn, ""), TransfersOut: p.value(transferOut, ""), Docroot: p.value(docroot, ""),
	}
}

// where returns the place of an option that somebody has, or where it is missing,
// and the call that sets it there. What nobody has is missing for all.
func (c *checker) where(p *profile, option, set string) (Place, string) {
	if s, of, ok := p.get(option); ok {
		return s.Place, of.command(set)
	}
	s := c.conf.Default
	if p.scope != Global && c.set[option] {
		s = p.chain[0]
	}
	switch {
	case s == nil:
		return c.conf.Root, Command(Global, "", set)
	case s.Transfer.Line > 0 && strings.HasPrefix(option, "validation_"):
		return s.Transfer, s.command(set)
	default:
		return s.Place, s.command(set)
	}
}
