package aspera

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sluiceproject/sluice/rules"
)

// CheckURI says what is wrong with a URL for validation_uri: how bad it is, and
// what happens. The first text is empty if it is sound.
func CheckURI(text string) (severity Severity, message, effect string) {
	u, err := url.Parse(text)
	shown := rules.Printable(text)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return Error, fmt.Sprintf("%q is not a URL such as http://127.0.0.1:8080", shown), "ascp can ask nobody; what it does then is not documented"
	case u.User != nil:
		return Error, "the URL has a user or a password in it", "whether ascp sends them is not documented, and whoever reads aspera.conf knows them; use a secret path instead"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(text, "#"):
		return Error, fmt.Sprintf("%q has a query or a fragment", shown), "ascp appends /validation/files to it, which then is not part of the path, and the service answers 404"
	case strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/validation/files"):
		return Error, fmt.Sprintf("%q ends in /validation/files, which ascp appends by itself", shown), "ascp posts to …/validation/files/validation/files"
	case strings.HasSuffix(u.Path, "/"):
		return Note, fmt.Sprintf("%q ends in a slash", shown), "ascp posts to …//validation/files; this service takes that, and a proxy in front of it may not"
	case u.Scheme == "https":
		return Warning, "the URL is https", "whether ascp speaks TLS here, and whose certificates it believes, is not documented: try it before you count on it"
	}
	return "", "", ""
}

// uri judges where ascp asks.
func (c *checker) uri(p *profile) {
	set, of, has := p.get(validationURI)
	if !has {
		at, mend := c.where(p, validationURI, validationURI+","+c.example())
		c.add(&Finding{
			Severity: c.milder(p, validationURI), Code: "no-uri", Setting: validationURI, Mend: []string{mend},
			Message: "there is no validation_uri",
			Effect:  "ascp asks nobody: these transfers are not validated",
		}, at, p.who)
		return
	}
	if severity, message, effect := CheckURI(set.Value); message != "" {
		c.add(&Finding{Severity: severity, Code: "uri", Setting: validationURI, Message: message, Effect: effect, Mend: []string{of.command(validationURI + "," + c.sound(set.Value))}}, set.Place, p.who)
		if severity == Error {
			return
		}
	}
	u, _ := url.Parse(set.Value) // CheckURI has done it.
	if !loopback(u.Hostname()) {
		return
	}
	port := portOf(u)
	c.taken(set, port, p.who)
	if s := c.o.Service; s != nil {
		if _, listens, err := net.SplitHostPort(s.Listen); err == nil && listens != port && listens != "0" {
			c.add(&Finding{
				Severity: Error, Code: "uri-port", Setting: validationURI, Mend: []string{of.command(validationURI + "," + c.example() + strings.TrimRight(u.Path, "/"))},
				Message: fmt.Sprintf("the URL is of port %s, and the service listens on %s", port, s.Listen),
				Effect:  "ascp asks something else, or nobody; what it does when nobody answers is not documented",
			}, set.Place, p.who)
		}
	}
}

// sound returns a URL without what is wrong with it, or that of an example.
func (c *checker) sound(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return c.example()
	}
	path := strings.TrimRight(strings.TrimSuffix(strings.TrimRight(u.Path, "/"), "/validation/files"), "/")
	return "http://" + u.Host + path
}

// example returns the URL of the service on the same machine.
func (c *checker) example() string {
	if c.o.Service != nil {
		if _, port, err := net.SplitHostPort(c.o.Service.Listen); err == nil && port != "0" {
			return "http://127.0.0.1:" + port
		}
	}
	return "http://127.0.0.1:8080"
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func portOf(u *url.URL) string {
	switch port := u.Port(); {
	case port != "":
		return port
	case u.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}

// daemon is a port that the Aspera server itself uses.
type daemon struct {
	name, option, port string
	place              Place
}

// daemons returns the ports that are known to be in use.
func (c *checker) daemons() (list []daemon) {
	add := func(s *Section, on bool, name, option, otherwise string) {
		if s == nil || !on {
			return
		}
		set, has := s.get(option)
		d := daemon{name, option, otherwise, s.Place}
		if has {
			d.port, d.place = set.Value, set.Place
		}
		list = append(list, d)
	}
	add(c.conf.HTTP, c.enabled(enableHTTP), "asperahttpd (HTTP fallback)", httpPort, "8080")
	add(c.conf.HTTP, c.enabled(enableHTTPS), "asperahttpd (HTTPS fallback)", httpsPort, "8443")
	add(c.conf.Central, true, "asperacentral", centralPort, "40001")
	add(c.conf.Node, true, "asperanoded (Node API)", httpPort, "9091")
	add(c.conf.Node, true, "asperanoded (Node API, TLS)", httpsPort, "9092")
	return list
}

func (c *checker) enabled(option string) bool {
	set, _ := c.conf.HTTP.get(option)
	return yes(set.Value)
}

// taken says that a daemon of the server has the port at which ascp would ask.
func (c *checker) taken(set Setting, port, who string) {
	for _, d := range c.daemons() {
		if d.port != port {
			continue
		}
		c.add(&Finding{
			Severity: Error, Code: "port-taken", Setting: validationURI, Mend: []string{"give the service another port (listen in its configuration), and set validation_uri to it"},
			Message: fmt.Sprintf("the URL is of port %s of this machine, which is that of %s", port, d.name),
			Effect:  "only one of the two can have it: ascp asks the wrong one, or the service does not start",
		}, set.Place, who)
	}
}

// server judges what is about everybody: HTTP fallback and ports.
func (c *checker) server() {
	validated := slices.ContainsFunc(c.profiles, func(p profile) bool { return p.asks() && !p.refused() })
	for _, option := range []string{enableHTTP, enableHTTPS} {
		set, _ := c.conf.HTTP.get(option)
		if !yes(set.Value) || !validated {
			continue
		}
		c.add(&Finding{
			Severity: Error, Code: "http-fallback", Setting: option, Mend: []string{httpCommand(option + ",false")},
			Message: option + " is on: clients may fall back to HTTP",
			Effect:  "transfers by HTTP fallback are not validated inline: a client that blocks UDP passes every rule",
		}, set.Place, "")
	}
	if web := c.conf.WebFallback; yes(web.Value) && validated {
		c.add(&Finding{
			Severity: Warning, Code: "http-fallback", Setting: web.Name, Mend: []string{`in <WEB …>: HttpFallback="no"`},
			Message: "HttpFallback of <WEB> is on: the web pages offer HTTP fallback",
			Effect:  "transfers by HTTP fallback are not validated inline",
		}, web.Place, "")
	}
	for _, d := range c.daemons() {
		if n, err := strconv.ParseUint(d.port, 10, 16); err != nil || n == 0 {
			c.add(&Finding{
				Severity: Warning, Code: "bad-number", Setting: d.option, Message: fmt.Sprintf("the %s of %s is %q, which is not a port", d.option, d.name, rules.Printable(d.port)),
				Effect: "the daemon may not start, or use its default",
			}, d.place, "")
		}
	}
	if s := c.o.Service; s != nil && s.Tokens != "" && c.conf.Node != nil {
		_, port, _ := net.SplitHostPort(s.Tokens) // Without a port it is no daemon's.
		for _, d := range c.daemons() {
			if d.port == port {
				c.add(&Finding{
					Severity: Warning, Code: "port-taken", Setting: d.option, Mend: []string{"another port under tokens.listen, if both are on one machine"},
					Message: fmt.Sprintf("port %s is that of %s, and the token endpoint of the service listens on %s", port, d.name, s.Tokens),
					Effect:  "on one machine only one of the two can have it",
				}, d.place, "")
			}
		}
	}
}
