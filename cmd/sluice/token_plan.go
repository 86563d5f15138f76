package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sluiceproject/sluice/rules"
)

// tokenMaxCA is the longest file of authorities, in bytes: twice what an
// operating system has.
const tokenMaxCA = 1 << 20

// tokenPlan is a request whose flags have been checked.
type tokenPlan struct {
	url string // Of the endpoint, upload or download.
	// plain says that whoever is in between can read the request.
	plain    bool
	trust    *tls.Config
	timeout  time.Duration
	upload   bool
	request  tokenTransferRequest
	list     string // The option by which ascp reads the list of paths, if there is one.
	identity string
}

// tokenTransferRequest is a transfer_request of the Node API.
type tokenTransferRequest struct {
	Paths           []tokenPath    `json:"paths"`
	SourceRoot      string         `json:"source_root,omitempty"`
	DestinationRoot string         `json:"destination_root,omitempty"`
	LifeSeconds     int64          `json:"token_life_seconds,omitzero"`
	Cookie          string         `json:"cookie,omitempty"`
	Tags            jsontext.Value `json:"tags,omitzero"`
}

// plan checks the flags and reads the files that they name.
func (c *tokenRequestCmd) plan() (*tokenPlan, error) {
	p := &tokenPlan{timeout: c.Timeout, identity: string(c.Identity)}
	if err := c.checkNumbers(); err != nil {
		return nil, err
	}
	for _, s := range append([]simArg{c.User, c.Upload, c.Cookie}, append(c.Download, c.Path...)...) {
		if !utf8.ValidString(string(s)) {
			return nil, fmt.Errorf("%s is not UTF-8", rules.Printable(string(s)))
		}
	}
	if strings.Contains(string(c.User), ":") {
		return nil, errors.New("--user has a colon in it, which no user of HTTP can have")
	}
	if err := c.paths(p); err != nil {
		return nil, err
	}
	p.request.LifeSeconds, p.request.Cookie = int64(c.Life/time.Second), string(c.Cookie)
	if c.Tags != "" {
		tags, _, err := simTags(c.Tags)
		if err != nil {
			return nil, fmt.Errorf("--tags: %w", err)
		}
		if tags.Kind() != '{' {
			return nil, errors.New("--tags: tags are a JSON object, such as {\"project\": \"a\"}")
		}
		p.request.Tags = tags
	}
	var err error
	if p.url, p.plain, err = tokenURL(c.URL, p.upload); err != nil {
		return nil, err
	}
	p.trust, err = c.trusted()
	return p, err
}

func (c *tokenRequestCmd) checkNumbers() error {
	switch {
	case c.User == "":
		return errors.New("--user is empty")
	case c.Timeout <= 0:
		return fmt.Errorf("--timeout is %s; it must be above 0", c.Timeout)
	case c.Life < 0 || c.Life%time.Second != 0:
		return fmt.Errorf("--life is %s; it is in whole seconds", c.Life)
	}
	return nil
}

// paths takes over what the token is for.
func (c *tokenRequestCmd) paths(p *tokenPlan) error {
	p.upload = len(c.Download) == 0
	switch {
	case c.Upload == "" && p.upload:
		return errors.New("which way? Give --upload DEST, a folder of the server, or --download SRC")
	case c.Upload != "" && !p.upload:
		return errors.New("a token is for an upload or for a download: give --upload or --download")
	}
	paths, err := c.listed(p)
	if err != nil {
		return err
	}
	p.request.Paths = paths
	switch {
	case p.upload && c.Output == "ascp" && len(paths) == 0:
		return errors.New("a line of ascp wants to know what to send: add --path, --file-list or --file-pair-list")
	case p.upload:
		p.request.DestinationRoot = string(c.Upload)
		if len(paths) == 0 {
			p.request.Paths = []tokenPath{{}}
		}
	case len(paths) == 0:
		if p.request.Paths, err = tokenSources("--download", c.Download); err != nil {
			return err
		}
	case len(c.Download) > 1:
		return errors.New("with --path, --file-list or --file-pair-list there is one --download, the folder that their paths are in")
	case c.Download[0] == "":
		return errors.New("--download is empty")
	default:
		p.request.SourceRoot = string(c.Download[0])
	}
	return nil
}

// listed returns the paths of the three flags of which one may be given.
func (c *tokenRequestCmd) listed(p *tokenPlan) ([]tokenPath, error) {
	given := 0
	for _, is := range []bool{len(c.Path) > 0, c.FileList != "", c.FilePairList != ""} {
		if is {
			given++
		}
	}
	switch {
	case given > 1:
		return nil, errors.New("give one of --path, --file-list and --file-pair-list, as ascp has it")
	case c.FileList != "":
		p.list = "--file-list=" + string(c.FileList)
		return readTokenList(string(c.FileList), false)
	case c.FilePairList != "":
		p.list = "--file-pair-list=" + string(c.FilePairList)
		return readTokenList(string(c.FilePairList), true)
	default:
		return tokenSources("--path", c.Path)
	}
}

func tokenSources(flag string, args []simArg) ([]tokenPath, error) {
	var paths []tokenPath
	for _, arg := range args {
		if arg == "" {
			return nil, fmt.Errorf("a %s is empty", flag)
		}
		paths = append(paths, tokenPath{Source: string(arg)})
	}
	return paths, nil
}

// tokenURL returns the URL of the endpoint, and whether the way there can be read
// by others.
func tokenURL(text string, upload bool) (string, bool, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		var bad *url.Error
		if errors.As(err, &bad) {
			err = bad.Err // The text itself may hold a secret.
		}
		return "", false, fmt.Errorf("--url is not a URL such as https://hst.example.com:9092: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return "", false, errors.New("--url must be a URL with its scheme, such as https://hst.example.com:9092")
	case u.User != nil:
		return "", false, errors.New("--url has a user in it: use --user, and " + tokenPasswordVariable + " or --password-file")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return "", false, errors.New("--url has a query or a fragment, after which no path can be appended")
	}
	setup := "download_setup"
	if upload {
		setup = "upload_setup"
	}
	addr, err := netip.ParseAddr(u.Hostname())
	local := u.Hostname() == "localhost" || err == nil && addr.Unmap().IsLoopback()
	return strings.TrimRight(text, "/") + "/files/" + setup, u.Scheme == "http" && !local, nil
}

// trusted returns whom to believe that they are the endpoint.
func (c *tokenRequestCmd) trusted() (*tls.Config, error) {
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	switch {
	case c.CA != "" && c.Insecure:
		return nil, errors.New("--ca and --insecure-skip-verify exclude each other")
	case c.Insecure:
		trust.InsecureSkipVerify = true
		return trust, nil
	case c.CA == "":
		return trust, nil
	}
	file, err := os.Open(c.CA)
	if err != nil {
		return nil, fmt.Errorf("--ca: %s cannot be read: %w", rules.Printable(c.CA), simCause(err))
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, tokenMaxCA))
	if err != nil {
		return nil, fmt.Errorf("--ca: %s cannot be read: %w", rules.Printable(c.CA), simCause(err))
	}
	trust.RootCAs = x509.NewCertPool()
	if !trust.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--ca: %s has no certificate in PEM in it", rules.Printable(c.CA))
	}
	return trust, nil
}
