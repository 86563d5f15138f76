package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/peers"
	"github.com/sluiceproject/sluice/validator"
)

// asker asks the admin listener.
type asker struct {
	client  *http.Client
	request *http.Request // of /readyz
	timeout time.Duration
}

// mostAdmin is how much of an answer is read: 10,000 policies are some megabytes.
const mostAdmin = 64 << 20

// newAsker returns what asks the admin listener.
func (c *doctorCmd) newAsker(ctx context.Context, h *healthCmd) (*asker, error) {
	client, err := h.client()
	if err != nil {
		return nil, err
	}
	request, err := h.request(ctx)
	if err != nil {
		return nil, err
	}
	return &asker{client, request, c.Timeout}, nil
}

// answer is what the admin listener says.
type answer struct {
	status int
	text   string
	date   time.Time // the zero time if it does not say
}

func (a *asker) get(ctx context.Context, path string) (answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, a.timeout, fmt.Errorf("it took longer than %s", a.timeout))
	defer cancel()
	request := a.request.Clone(ctx)
	request.URL.Path = path
	response, err := a.client.Do(request)
	if err != nil {
		if outer := (*url.Error)(nil); errors.As(err, &outer) {
			err = outer.Err // The rest of it is what was asked.
		}
		return answer{}, peers.Discreet(ctx, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, mostAdmin))
	if err != nil {
		return answer{}, peers.Discreet(ctx, err)
	}
	date, _ := http.ParseTime(response.Header.Get("Date")) // Without one there is nothing to compare.
	return answer{response.StatusCode, string(text), date}, nil
}

// listening connects to the service's listener, and sends nothing.
func (p *patient) listening(ctx context.Context) {
	const part = "service"
	address := p.listen
	if host, port, err := net.SplitHostPort(address); err == nil && (host == "" || host == "0.0.0.0" || host == "::") {
		address = net.JoinHostPort("localhost", port)
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		p.say(broken, part, "is it running (systemctl status sluice), and is listen in its configuration this address?", "nothing accepts connections at %s: %s", p.listen, peers.Discreet(ctx, err))
		return
	}
	_ = conn.Close() // Nothing was sent.
	p.say(healthy, part, "", "%s accepts connections", p.listen)
}

// alive asks whether the admin listener answers, and compares the clocks.
func (p *patient) alive(ctx context.Context, a *asker) bool {
	const part = "admin"
	before := p.now()
	got, err := a.get(ctx, "/healthz")
	switch {
	case err != nil:
		p.say(broken, part, "is the service running, and is admin in its configuration this address?", "%s gives no answer: %s", p.admin, err)
		return false
	case got.status == http.StatusUnauthorized || got.status == http.StatusForbidden:
		p.say(broken, part, "name what it asks for: --token-file, or --cert-file and --key-file", "%s does not let this command in (status %d)", p.admin, got.status)
		return false
	case got.status != http.StatusOK:
		p.say(broken, part, "name the admin listener with --admin", "%s answers with status %d: this is not the admin listener of sluice", p.admin, got.status)
		return false
	}
	p.say(healthy, part, "", "%s answers", p.admin)
	p.clock(before, p.now(), got.date)
	return true
}

// clock compares the service's clock with that of this machine. A Date has whole
// seconds, and is from some moment between the question and the answer.
func (p *patient) clock(before, after, said time.Time) {
	const part, mend = "clock", "set the clocks by NTP: schedules, grants and tokens go by them"
	if said.IsZero() {
		return
	}
	var off time.Duration
	switch {
	case said.Add(time.Second).Before(before):
		off = before.Sub(said.Add(time.Second))
	case said.After(after):
		off = said.Sub(after)
	}
	switch off = off.Round(time.Second); {
	case off > p.grants.skew && off > 2*time.Second:
		p.say(broken, part, mend, "the service's clock and the one here differ by %s, more than grants.skew (%s)", off, p.grants.skew)
	case off > 2*time.Second:
		p.say(suspect, part, mend, "the service's clock and the one here differ by %s", off)
	default:
		p.say(healthy, part, "", "the service's clock and the one here agree")
	}
}

// ready says what /readyz says.
func (p *patient) ready(ctx context.Context, a *asker) {
	const part = "ready"
	got, err := a.get(ctx, "/readyz")
	text := strings.Join(strings.Split(strings.TrimSpace(got.text), "\n"), "; ")
	const most = 2000
	if len(text) > most {
		text = text[:most] + "…"
	}
	switch {
	case err != nil:
		p.say(broken, part, "", "%s gives no answer about readiness: %s", p.admin, err)
	case got.status != http.StatusOK:
		p.say(broken, part, "load balancers send no events here until this is over", "%s", text)
	case strings.HasPrefix(text, "degraded"):
		p.say(suspect, part, "the service decides; what it lists does not work", "%s", text)
	default:
		p.say(healthy, part, "", "%s", text)
	}
}

// inForce compares the set in force with the one that should be.
func (p *patient) inForce(ctx context.Context, a *asker) {
	const part = "policies"
	got, err := a.get(ctx, "/v1/policies")
	if err != nil {
		p.say(broken, part, "", "%s does not say which policies are in force: %s", p.admin, err)
		return
	}
	var in validator.PolicyStatus
	if err := json.Unmarshal([]byte(got.text), &in); got.status != http.StatusOK || err != nil || in.Revision == "" {
		p.say(broken, part, "name the admin listener with --admin", "%s does not say which policies are in force: this is not the admin listener of sluice", p.admin)
		return
	}
	where := "in " + p.policies
	if p.stored.set {
		where = "in the policy store"
	}
	switch {
	case p.snapshot == nil: // That was said.
	case p.snapshot.Revision != in.Revision:
		p.say(broken, part, "sluice check says whether it can be loaded; then systemctl reload sluice, or POST /-/reload at the admin address; and is it the folder of the service?",
			"revision %s is in force, and %s is %s", in.Revision, where, p.snapshot.Revision)
	case in.RuleCount == 0:
		p.say(suspect, part, "", "revision %s is in force, and no rule of it can be asked", in.Revision)
	default:
		p.say(healthy, part, "", "revision %s is in force, with %s, and is what is %s", in.Revision, count(in.RuleCount, "rule"), where)
	}
}

// limit asks how many files the service may have open.
func (p *patient) limit(ctx context.Context, a *asker) {
	got, err := a.get(ctx, "/metrics")
	if err != nil || got.status != http.StatusOK {
		return // The limit of this process is taken, which says so.
	}
	lines := bufio.NewScanner(strings.NewReader(got.text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "process_max_fds "); ok {
			p.files, _ = strconv.ParseFloat(value, 64) // 0 is not known.
		}
	}
}
