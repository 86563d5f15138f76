package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/peers"
	"github.com/sluiceproject/sluice/rules"
)

// maxHealth is how much of an answer of /readyz is shown.
const maxHealth = 4096

// healthCmd is `sluice health`.
type healthCmd struct {
	Admin     string        `help:"Address of the admin listener, or its URL (${default})." placeholder:"ADDRESS" default:"127.0.0.1:9080"`
	Live      bool          `help:"Ask only whether it lives (/healthz): for a probe by which it is started anew."`
	Timeout   time.Duration `help:"How long an answer may take (${default})." default:"3s"`
	CAFile    string        `name:"ca-file" help:"Authorities that vouch for the listener, in PEM; those of the system by default." placeholder:"FILE"`
	CertFile  string        `help:"Certificate to show, in PEM, if the listener asks for one." placeholder:"FILE"`
	KeyFile   string        `help:"Its key." placeholder:"FILE"`
	TokenFile string        `help:"File with the bearer token, if the listener asks for one." placeholder:"FILE"`
}

// Help returns the long text of --help.
func (healthCmd) Help() string {
	return `Asks the /readyz of a running service and prints what it says: for containers,
for probes and for scripts that wait until a service is ready.

A service that is not ready decides as before, or is about to end: a probe that
starts it anew asks with --live.

Status: 0 it is ready, or degraded and still deciding; 1 it is not ready, or gives
no answer; 2 it could not be asked, because a flag or a file of one is wrong.`
}

// Run asks the service.
func (c *healthCmd) Run(ctx context.Context, std *stdio) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("it took longer than %s", c.Timeout))
	defer cancel()
	request, err := c.request(ctx)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return c.silent(ctx, std, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxHealth))
	if err != nil {
		return c.silent(ctx, std, err)
	}
	for line := range strings.Lines(string(bytes.TrimSpace(text))) {
		fmt.Fprintln(std.out, rules.Printable(strings.TrimSuffix(line, "\n")))
	}
	if response.StatusCode != http.StatusOK {
		return exitError(1)
	}
	return nil
}

// silent says why there is no whole answer.
func (c *healthCmd) silent(ctx context.Context, std *stdio, err error) error {
	if outer := (*url.Error)(nil); errors.As(err, &outer) {
		err = outer.Err // The rest of it is what was asked.
	}
	fmt.Fprintf(std.out, "no answer from %s: %s\n", c.Admin, rules.Printable(peers.Discreet(ctx, err).Error()))
	return exitError(1)
}

// client speaks to the listener alone: redirects would lead elsewhere.
func (c *healthCmd) client() (*http.Client, error) {
	if c.Timeout <= 0 {
		return nil, errors.New("--timeout must be longer than nothing")
	}
	secure, err := peers.TLS(c.CAFile, c.CertFile, c.KeyFile)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Transport:     peers.Transport(secure, c.Timeout, 1),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// request returns the question. What listens on every address of the machine is
// asked at its own.
func (c *healthCmd) request(ctx context.Context) (*http.Request, error) {
	address := c.Admin
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	where, err := url.Parse(address)
	if err != nil || where.Host == "" || where.Scheme != "http" && where.Scheme != "https" || strings.Trim(where.Path, "/") != "" {
		return nil, fmt.Errorf("--admin cannot be %q: write an address such as 127.0.0.1:9080, or a URL such as https://hst.example.com:9080", c.Admin)
	}
	switch host := where.Hostname(); host {
	case "", "0.0.0.0":
		where.Host = "127.0.0.1:" + where.Port()
	case "::":
		where.Host = "[::1]:" + where.Port()
	}
	page := "readyz"
	if c.Live {
		page = "healthz"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, where.JoinPath(page).String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	if c.TokenFile != "" {
		token, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("--token-file: %w", err)
		}
		request.Header.Set("Authorization", "Bearer "+string(bytes.TrimSpace(token)))
	}
	return request, nil
}
