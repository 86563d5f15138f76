package aspera

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// number reads a whole number from 0; nothing is 0.
func number(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	return strconv.ParseUint(text, 10, 32)
}

// threads judges how many questions a session asks at once.
func (c *checker) threads(p *profile) {
	if !p.asks() {
		return
	}
	set, _, has := p.get(threads)
	n, err := number(set.Value)
	if !has {
		n = defaultThreads
	}
	at, mend := c.where(p, threads, fmt.Sprintf("%s,%d", threads, defaultThreads))
	f := Finding{Severity: Warning, Code: "threads", Setting: threads, Mend: []string{mend}}
	events := 0
	for _, event := range []string{fileStart, fileStop} {
		if p.value(event, "") == valueURI {
			events++
		}
	}
	perSecond := Files(int(n), events, c.o.Latency)
	switch {
	case err != nil:
		f.Severity, f.Code = Error, "bad-number"
		f.Message = fmt.Sprintf("%s is %q, which is not a whole number", threads, rules.Printable(set.Value))
		f.Effect = "what ascp makes of it is not documented"
	case n == 0:
		f.Message, f.Effect = threads+" is 0", "what ascp makes of it is not documented: it may never ask, or never go on"
	case perSecond < c.o.Rate:
		need := math.Ceil(c.o.Rate * float64(max(events, 1)) * c.o.Latency.Seconds())
		f.Mend = []string{strings.Replace(mend, fmt.Sprintf("%s,%d", threads, defaultThreads), fmt.Sprintf("%s,%.0f", threads, need), 1)}
		f.Message = fmt.Sprintf("%s is %d: with answers in %s a session moves at most %s files a second, and %s are wanted", threads, n, c.o.Latency, rounded(perSecond), rounded(c.o.Rate))
		f.Effect = "transfers of many small files wait for answers"
	case n > mostThreads:
		f.Message = fmt.Sprintf("%s is %d: each session asks up to that many questions at once", threads, n)
		f.Effect = "a few sessions fill the service, and what it cannot take on it refuses; how many threads ascp bears is not documented"
		if s := c.o.Service; s != nil && s.Requests > 0 {
			f.Effect = fmt.Sprintf("%d sessions reach limits.requests of the service (%d), which refuses what is beyond; how many threads ascp bears is not documented", max(s.Requests/int(n), 1), s.Requests)
		}
	default:
		return
	}
	c.add(&f, at, p.who)
}

// mostThreads is from where the number of threads is called too high.
const mostThreads = 64

func rounded(f float64) string {
	if f >= 10 {
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprintf("%.1f", f)
}

// tokens judges whether transfers need a token.
func (c *checker) tokens(p *profile) {
	needed := false
	for _, way := range []struct {
		option, what string
		severity     Severity
	}{{transferIn, "an upload", Error}, {transferOut, "a download", Warning}} {
		value := p.value(way.option, "allow")
		needed = needed || value == valueToken
		if len(c.o.Needs.Token) == 0 || value == valueToken || value == valueDeny {
			continue
		}
		at, mend := c.where(p, way.option, way.option+","+valueToken)
		c.add(&Finding{
			Severity: way.severity, Code: "token-not-required", Setting: way.option, Mend: []string{mend},
			Message: fmt.Sprintf("%s is %s, and these count on tokens: %s", way.option, rules.Printable(value), named(c.o.Needs.Token)),
			Effect:  fmt.Sprintf("%s that has never asked for a token can begin: rules that are asked on request alone do not see it, and only a rule of the kind grant can refuse it", way.what),
		}, at, p.who)
	}
	if !needed {
		return
	}
	for _, option := range []string{tokenKey, tokenKeyFile} {
		if p.value(option, "") != "" {
			return
		}
	}
	if yes(p.value(tokenDynamic, "")) {
		return
	}
	at, mend := c.where(p, tokenKey, tokenKey+",CHANGE-THIS")
	c.add(&Finding{
		Severity: Warning, Code: "token-without-key", Setting: tokenKey, Mend: []string{mend + "   # 20 random characters or more"},
		Message: "tokens are required, and there is neither a key for them nor token_dynamic_key",
		Effect:  "the manual wants a token encryption key for such transfers: without one the node may make no token that ascp takes",
	}, at, p.who)
}

// docroot judges to what a user is confined.
func (c *checker) docroot(p *profile) {
	set, of, has := p.get(docroot)
	if !has && p.value(restriction, "") == "" {
		at, mend := c.where(p, docroot, docroot+",/srv/aspera/CHANGE-THIS")
		c.add(&Finding{
			Severity: Warning, Code: "docroot-missing", Setting: docroot, Mend: []string{mend},
			Message: "there is no docroot",
			Effect:  "nothing but the operating system confines the paths, and rules for paths below a docroot may not apply",
		}, at, p.who)
	}
	if !has || c.o.Service == nil || p.scope != User || strings.Contains(set.Value, "$(") {
		return
	}
	told, known := c.o.Service.Docroots[p.who]
	if written := strings.TrimRight(strings.ReplaceAll(set.Value, `\`, "/"), "/"); known && told != "" && told != written {
		c.add(&Finding{
			Severity: Error, Code: "docroot-differs", Setting: docroot, Mend: []string{fmt.Sprintf("in the configuration of the service, under docroots: %s: %s", p.who, rules.Printable(written)), of.command(docroot + "," + told)},
			Message: fmt.Sprintf("the docroot is %s, and the service takes it for %s", rules.Printable(written), told),
			Effect:  "grants do not fit the paths of events, so transfers are refused that were granted",
		}, set.Place, p.who)
	}
}

// suffix judges whether the service finds unfinished files.
func (c *checker) suffix(p *profile) {
	if c.o.Service == nil || len(c.o.Needs.Content) == 0 {
		return
	}
	set, of, has := p.get(partialSuffix)
	told := c.o.Service.PartialSuffix
	if set.Value == told || !has && told == "" {
		return
	}
	f := Finding{Severity: Error, Code: "partial-suffix", Setting: partialSuffix, Mend: []string{"in the configuration of the service: partial_suffix: " + rules.Printable(set.Value)}}
	at := set.Place
	f.Message = fmt.Sprintf("unfinished files end in %s, and the service does not know it; these look into files: %s", rules.Printable(set.Value), named(c.o.Needs.Content))
	f.Effect = "while a file moves, an older one of the same name may be looked into instead"
	switch {
	case !has:
		var mend string
		at, mend = c.where(p, partialSuffix, partialSuffix+","+told)
		f.Severity, f.Mend = Warning, []string{mend}
		f.Message = fmt.Sprintf("unfinished files have no suffix, and the service takes it for %s", told)
		f.Effect = "a finished file and one that is being replaced have the same name"
	case told != "":
		f.Message = fmt.Sprintf("unfinished files end in %s, and the service takes it for %s", rules.Printable(set.Value), told)
		f.Mend = append(f.Mend, of.command(partialSuffix+","+told))
	}
	c.add(&f, at, p.who)
}

// checksum judges whether ascp computes what rules compare.
func (c *checker) checksum(p *profile) {
	if value := p.value(fileChecksum, "any"); len(c.o.Needs.Checksum) == 0 || value != "any" || !p.asks() {
		return
	}
	at, mend := c.where(p, fileChecksum, fileChecksum+",sha256")
	c.add(&Finding{
		Severity: Warning, Code: "checksum-not-computed", Setting: fileChecksum, Mend: []string{mend},
		Message: fmt.Sprintf("file_checksum is any or not set, and these want a checksum of ascp: %s", named(c.o.Needs.Checksum)),
		Effect:  "whether events carry one is up to the client; a rule that lacks it cannot tell, and its on_error decides",
	}, at, p.who)
}

// yes reports whether a value switches something on.
func yes(value string) bool {
	switch strings.ToLower(value) {
	case "true", "yes", "1", "enable", "enabled", "on":
		return true
	}
	return false
}

// Files returns how many files a second a session moves at most that asks with some
// threads on some events of a file, each answered after latency.
func Files(threads, events int, latency time.Duration) float64 {
	return float64(threads) / (float64(max(events, 1)) * latency.Seconds())
}
