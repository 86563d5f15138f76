package scan

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// ICAPOptions say which scanner an ICAP client asks, and how.
type ICAPOptions struct {
	// URL is the service: icap://host:port/service, or icaps:// for TLS. The port
	// is 1344, or 11344 for TLS, unless it is given. A query is sent as it is.
	URL string
	// CAFile is a PEM file of the authorities that may vouch for an icaps server;
	// empty is those of the operating system.
	CAFile string
	// Limit is the largest file that the scanner looks into, in bytes; ICAP has no
	// way to ask for it. A larger one is scanned in overlapping pieces, which is
	// no complete scan: without a finding, Finish returns ErrLimit. 0 is 25 MiB,
	// the least that clamd behind c-icap comes with.
	Limit int64
	// Timeout bounds one scan, and one question about the scanner's state, where
	// their contexts do not bound them earlier; 0 is 10 minutes.
	Timeout time.Duration
	// Idle is how many unused connections are kept, and IdleTime how long; zero
	// values are 4 and 15 seconds, and a negative Idle keeps none.
	Idle     int
	IdleTime time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// ICAP is a Scanner that speaks ICAP (RFC 3507). Each session is one RESPMOD
// transaction: the file is shown as the answer to a request that nobody made.
//
// A file is clean only if the server says so after it was given all of it. Of
// what it lets pass after the preview, or while more was to come, Finish returns
// ErrUnscanned; and of what a server that offers 204 sends back unmodified all
// the same, because that is what some do with a file that they did not scan.
type ICAP struct {
	options ICAPOptions
	// address is where to connect, host what the server is called, and target the
	// service as requests name it.
	address, host, target string
	tls                   *tls.Config
	idle                  idleConns

	// asking is held by whoever asks the server what it can.
	asking chan struct{}
	mu     sync.Mutex
	known  *icapService
}

// NewICAP returns a client for one ICAP service, and connects to nothing yet.
// The error says what is wrong with the options.
func NewICAP(o ICAPOptions) (*ICAP, error) {
	at, err := url.Parse(o.URL)
	switch {
	case err != nil || at.Hostname() == "" || at.Opaque != "":
		return nil, errors.New("the URL is not of the form icap://host:port/service") // It may hold a password.
	case at.Scheme != "icap" && at.Scheme != "icaps":
		return nil, fmt.Errorf("the scheme %q is neither icap nor icaps", at.Scheme)
	case at.User != nil:
		return nil, errors.New("an ICAP URL has no user")
	case at.Path == "" || at.Path == "/":
		return nil, errors.New("the URL names no service, such as icap://127.0.0.1:1344/avscan")
	case o.CAFile != "" && at.Scheme == "icap":
		return nil, errors.New("a CA file is of use with icaps:// only")
	}
	port := at.Port()
	if port == "" {
		port = map[string]string{"icap": "1344", "icaps": "11344"}[at.Scheme]
	}
	c := &ICAP{options: o.withDefaults(), address: net.JoinHostPort(at.Hostname(), port), asking: make(chan struct{}, 1)}
	c.host = c.address
	c.target = at.Scheme + "://" + c.host + at.RequestURI()
	c.idle = idleConns{most: c.options.Idle, longest: c.options.IdleTime}
	if at.Scheme == "icaps" {
		if c.tls, err = icapTLS(at.Hostname(), o.CAFile); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (o ICAPOptions) withDefaults() ICAPOptions {
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Minute
	}
	if o.Limit <= 0 {
		o.Limit = 25 << 20
	}
	if o.Idle == 0 {
		o.Idle = 4
	}
	if o.IdleTime == 0 {
		o.IdleTime = 15 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func icapTLS(name, file string) (*tls.Config, error) {
	config := &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12}
	if file == "" {
		return config, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the CA file: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("the CA file %s has no certificate in PEM form", file)
	}
	return config, nil
}

// Open implements Scanner. The session ends when ctx is done. Nothing is sent
// before the first Write or Finish, but the first Open asks the server what it
// can, and so does one in every 10 minutes or after its signatures have changed.
func (c *ICAP) Open(ctx context.Context, name string, size int64) (Session, error) {
	if size >= 0 && size <= c.options.Limit {
		return c.open(ctx, name, size)
	}
	return newPieces(c.options.Limit, icapOverlap, func() (Session, error) { return c.open(ctx, name, -1) })
}

// icapOverlap is how much of a piece of a large file the next one has too, in
// bytes.
const icapOverlap = 1 << 20

// open begins one transaction.
func (c *ICAP) open(ctx context.Context, name string, size int64) (Session, error) {
	service, err := c.service(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	s := &icapSession{
		client: c, service: service, ctx: ctx, cancel: cancel, size: size,
		head: c.request(service, name, size), previewing: service.preview >= 0,
	}
	if err := s.connect(!s.previewing); err != nil {
		cancel()
		return nil, err
	}
	return s, nil
}

// Status implements Scanner: it asks the server, whatever is known of it.
func (c *ICAP) Status(ctx context.Context) (Status, error) {
	service, err := c.ask(ctx)
	if err != nil {
		return Status{}, err
	}
	return Status{Engine: service.name, Signatures: service.tag}, nil
}

// Close closes the connections that nobody uses. Sessions that are open go on.
func (c *ICAP) Close() { c.idle.close() }

// service returns what the server can, and asks it if that is not known or old.
func (c *ICAP) service(ctx context.Context) (*icapService, error) {
	if known := c.remembered(); known != nil {
		return known, nil
	}
	select {
	case c.asking <- struct{}{}:
		defer func() { <-c.asking }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if known := c.remembered(); known != nil { // Somebody else has asked meanwhile.
		return known, nil
	}
	return c.ask(ctx)
}

func (c *ICAP) remembered() *icapService {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || c.options.Now().After(c.known.until) {
		return nil
	}
	return c.known
}

// remember keeps what the server can; nil forgets it.
func (c *ICAP) remember(s *icapService) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = s
}

// sawTag forgets what is known of a server that is not what it was.
func (c *ICAP) sawTag(tag string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known != nil && tag != "" && tag != c.known.tag {
		c.known = nil
	}
}

// request returns the head of a RESPMOD request and of what it encapsulates.
func (c *ICAP) request(service *icapService, name string, size int64) []byte {
	asked := "GET http://sluice.invalid/" + urlName(name) + " HTTP/1.1\r\nHost: sluice.invalid\r\n\r\n"
	answered := "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
	if size >= 0 {
		answered += fmt.Sprintf("Content-Length: %d\r\n", size)
	}
	answered += "\r\n"
	var b strings.Builder
	fmt.Fprintf(&b, "RESPMOD %s ICAP/1.0\r\nHost: %s\r\nUser-Agent: sluice\r\nAllow: 204\r\n", c.target, c.host)
	if service.preview >= 0 {
		fmt.Fprintf(&b, "Preview: %d\r\n", service.preview)
	}
	fmt.Fprintf(&b, "Encapsulated: req-hdr=0, res-hdr=%d, res-body=%d\r\n\r\n", len(asked), len(asked)+len(answered))
	b.WriteString(asked + answered)
	return []byte(b.String())
}

// urlName returns the last segment of a name, escaped for a URL and without what
// could be the credentials of one.
func urlName(name string) string {
	isURL := strings.Contains(name, "://")
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	if isURL {
		name = name[strings.LastIndexByte(name, '@')+1:]
	}
	if over := len(name) - maxICAPName; over > 0 {
		name = name[over:] // Its end has the extension.
	}
	return url.PathEscape(name)
}

// maxICAPName is the longest name that a scanner is told, in bytes.
const maxICAPName = 255
