package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"github.com/sluiceproject/sluice/rules"
)

// Limits of what a run may ask for.
const (
	simMaxThreads  = 256
	simMaxSessions = 64
	simMaxWorkers  = 1024 // Threads of all sessions together.
	simMaxRepeat   = 1e6  // Walks.
)

// simPlan is a run whose flags have been checked.
type simPlan struct {
	url                       string
	base                      simEvent // What all events say alike, but for the session.
	mapping                   simMapping
	roots                     []string // Absolute paths, each of which exists.
	threshold                 int64    // Bytes above which running is sent, -1 for never.
	checksum                  string   // A name that newSimDigest knows, or none.
	threads, sessions, repeat int
	all, overtake, reconnect  bool
	timeout                   time.Duration
}

// simArg is an argument as it was given. Kong turns bytes that are not UTF-8
// into other characters when it fills a string, which then names another file.
type simArg string

// Decode implements kong.MapperValue.
func (a *simArg) Decode(ctx *kong.DecodeContext) error {
	token, err := ctx.Scan.PopValue("text")
	*a = simArg(token.String())
	return err
}

// plan checks the flags.
func (c *simulateCmd) plan() (*simPlan, error) {
	p := &simPlan{
		threshold: -1, checksum: c.Checksum,
		threads: c.Threads, sessions: c.Sessions, repeat: c.Repeat,
		all: c.All, overtake: c.Overtake, reconnect: c.Connections == "new",
		timeout: c.Timeout,
	}
	if err := c.checkNumbers(); err != nil {
		return nil, err
	}
	if c.ThresholdKB != nil {
		p.threshold = *c.ThresholdKB << 10
	}
	var err error
	if p.url, err = simURL(c.To); err != nil {
		return nil, err
	}
	if p.base, err = c.base(); err != nil {
		return nil, err
	}
	if p.mapping, err = newSimMapping(string(c.Docroot), string(c.As)); err != nil {
		return nil, err
	}
	p.roots, err = simRoots(c.Paths, p.mapping)
	return p, err
}

func (c *simulateCmd) checkNumbers() error {
	switch {
	case c.Threads < 1 || c.Threads > simMaxThreads:
		return fmt.Errorf("--threads is %d; it goes from 1 to %d", c.Threads, simMaxThreads)
	case c.Sessions < 1 || c.Sessions > simMaxSessions:
		return fmt.Errorf("--sessions is %d; it goes from 1 to %d", c.Sessions, simMaxSessions)
	case c.Threads*c.Sessions > simMaxWorkers:
		return fmt.Errorf("--threads %d for each of --sessions %d are %d threads; at most %d are possible",
			c.Threads, c.Sessions, c.Threads*c.Sessions, simMaxWorkers)
	case c.Repeat < 1 || c.Repeat > simMaxRepeat:
		return fmt.Errorf("--repeat is %d; it goes from 1 to %d", c.Repeat, int(simMaxRepeat))
	case c.Timeout <= 0:
		return fmt.Errorf("--timeout is %s; it must be above 0", c.Timeout)
	case c.ThresholdKB != nil && *c.ThresholdKB < 1:
		return fmt.Errorf("--threshold-kb is %d; with a threshold below 1 ascp ends the session with an error", *c.ThresholdKB)
	case c.ThresholdKB != nil && *c.ThresholdKB > math.MaxInt64>>10:
		return fmt.Errorf("--threshold-kb is %d, more than any file has", *c.ThresholdKB)
	case c.TargetRate < 0 || c.MinRate < 0:
		return errors.New("--target-rate-kbps and --min-rate-kbps cannot be below 0")
	default:
		return nil
	}
}

// simURL returns where events are posted: ascp appends to the validation_uri
// as it stands, so a trailing slash makes two.
func simURL(to string) (string, error) {
	u, err := url.Parse(to)
	switch {
	case err != nil:
		var bad *url.Error
		if errors.As(err, &bad) {
			err = bad.Err // The text itself may hold a secret.
		}
		return "", fmt.Errorf("--to is not a URL such as http://127.0.0.1:8080: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return "", errors.New("--to must be a URL with its scheme, such as http://127.0.0.1:8080")
	case u.User != nil:
		return "", errors.New("--to has a user in it, but ascp has no credential for this call")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(to, "#"):
		return "", errors.New("--to has a query or a fragment, after which no path can be appended")
	}
	return to + "/validation/files", nil
}

// base returns what all events of the run say alike.
func (c *simulateCmd) base() (simEvent, error) {
	host, err := os.Hostname()
	if err != nil {
		return simEvent{}, fmt.Errorf("the host's name, for the events: %w", err)
	}
	if _, err := netip.ParseAddr(c.ClientIP); err != nil {
		return simEvent{}, fmt.Errorf("--client-ip %q is not an IP address", c.ClientIP)
	}
	for name, value := range map[string]simArg{"--user": c.User, "--cookie": c.Cookie, "--cipher": c.Cipher} {
		if !utf8.ValidString(string(value)) {
			return simEvent{}, fmt.Errorf("%s is not UTF-8", name)
		}
	}
	tags, transfer, err := simTags(c.Tags)
	if err != nil {
		return simEvent{}, fmt.Errorf("--tags: %w", err)
	}
	if transfer == "" {
		transfer = simID()
	}
	return simEvent{
		Host: strings.ToValidUTF8(host, "?"), ClientIP: c.ClientIP, User: string(c.User), UserID: c.UserID,
		Direction:  simDirection(c.Direction, c.UploadIs),
		TargetRate: c.TargetRate, MinRate: c.MinRate, RatePolicy: c.RatePolicy,
		Cipher: string(c.Cipher), Cookie: string(c.Cookie), Tags: tags,
		Encoding: "utf8", ChecksumType: c.Checksum, TransferID: transfer,
	}, nil
}

// simDirection returns what a direction is called, seen from where an upload
// is called uploadIs.
func simDirection(direction, uploadIs string) string {
	if (direction == "upload") == (uploadIs == "recv") {
		return "recv"
	}
	return "send"
}

// simRoots returns the absolute paths of what is to be walked. A path that does
// not exist is found before the first event is sent.
func simRoots(paths []simArg, m simMapping) ([]string, error) {
	if len(paths) == 0 {
		return nil, errors.New("no path given")
	}
	var roots []string
	for _, path := range paths {
		if path == "" {
			return nil, errors.New("a path is empty")
		}
		root, err := filepath.Abs(string(path))
		if err != nil {
			return nil, err
		}
		if _, err := os.Lstat(root); err != nil {
			return nil, fmt.Errorf("%s: %w", rules.Printable(string(path)), simCause(err))
		}
		if !m.covers(root) {
			return nil, fmt.Errorf("%s is not in the docroot %s", rules.Printable(string(path)), rules.Printable(m.docroot))
		}
		roots = append(roots, root)
	}
	return roots, nil
}

// simID returns a fresh id for a session or a transfer.
func simID() string {
	var random [10]byte
	_, _ = rand.Read(random[:]) // It never fails.
	return rules.NewID(time.Now(), random).String()
}
