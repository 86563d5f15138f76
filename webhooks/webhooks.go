// Package webhooks asks HTTP services of the site about events: a signed POST,
// and whatever comes back. It knows nothing of events and rules.
package webhooks

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/sluiceproject/sluice/peers"
)

// Options say which service a client asks, and how.
type Options struct {
	// URL is the service: https, or http on this machine.
	URL string
	// Secret is the key of the signatures, from MinSecret to MaxSecret bytes.
	Secret []byte
	// CAFile is a PEM file of the authorities that may vouch for the service; empty
	// is those of the operating system.
	CAFile string
	// Timeout bounds one question, from connecting to the end of the answer.
	Timeout time.Duration
	// Connections is how many there are at once, at most.
	Connections int
	// Now is the clock of the signatures.
	Now func() time.Time
}

// The lengths of a secret, in bytes.
const (
	MinSecret = 16
	MaxSecret = 4 << 10
)

// MaxAnswer is the longest answer that is read, in bytes.
const MaxAnswer = 64 << 10

// Client asks one service. It is safe for concurrent use. It uses no proxy,
// follows no redirect and keeps no cookie.
type Client struct {
	url     string
	secret  []byte
	timeout time.Duration
	now     func() time.Time
	// transport is used without an http.Client, which would follow redirects.
	transport *http.Transport
}

// New returns a client, and connects to nothing yet. The error says what is wrong
// with the options.
func New(o Options) (*Client, error) {
	if err := CheckURL(o.URL); err != nil {
		return nil, err
	}
	if len(o.Secret) < MinSecret || len(o.Secret) > MaxSecret {
		return nil, fmt.Errorf("the secret has %d bytes, and must have from %d to %d", len(o.Secret), MinSecret, MaxSecret)
	}
	secure, err := peers.TLS(o.CAFile, "", "")
	if err != nil {
		return nil, err
	}
	return &Client{url: o.URL, secret: o.Secret, timeout: o.Timeout, now: o.Now, transport: peers.Transport(secure, o.Timeout, o.Connections)}, nil
}

// CheckURL says what is wrong with the address of a service. It shows nothing of
// the address itself, which may hold a secret.
func CheckURL(text string) error {
	return peers.CheckURL(text, "a service", "requests are signed with the secret of secret_file")
}

// ReadSecret reads a file with a secret. Blanks and line breaks around it are not
// part of it.
func ReadSecret(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading the secret: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 2*MaxSecret))
	if err != nil {
		return nil, fmt.Errorf("reading the secret: %w", err)
	}
	secret := bytes.TrimSpace(text)
	if len(secret) < MinSecret || len(secret) > MaxSecret {
		return nil, fmt.Errorf("the secret in %s has %d bytes, and must have from %d to %d; make one with: openssl rand -hex 32", file, len(secret), MinSecret, MaxSecret)
	}
	return secret, nil
}

// Ask posts a body of JSON about the event id, and returns the status and, with
// 400, the answer's body. An error means that there is no usable answer; it shows
// nothing of the URL but its host, and nothing of the secret and the body.
func (c *Client) Ask(ctx context.Context, id string, body []byte) (status int, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, errors.New("the webhook's request could not be made") // err shows the URL.
	}
	timestamp := strconv.FormatInt(c.now().Unix(), 10)
	request.Header = http.Header{
		"Content-Type":      {"application/json"},
		"User-Agent":        {"sluice"},
		"X-Sluice-Decision": {id},
		// These three are what a receiver verifies.
		"X-Sluice-Timestamp": {timestamp},
		"X-Sluice-Signature": {"sha256=" + c.sign(timestamp, body)},
		// Not sent: lets a question that met a connection which the service had just
		// closed be asked once more on another.
		"Idempotency-Key": {},
	}
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return 0, nil, discreet(ctx, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, MaxAnswer+1))
	if response.StatusCode != http.StatusBadRequest {
		return response.StatusCode, nil, nil // What was read lets the connection be used again.
	}
	switch {
	case err != nil:
		return 0, nil, discreet(ctx, err)
	case len(text) > MaxAnswer:
		return 0, nil, fmt.Errorf("the webhook's answer has more than %d bytes", MaxAnswer)
	default:
		return response.StatusCode, text, nil
	}
}

// sign returns the signature of a body at a time, in hex.
func (c *Client) sign(timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, c.secret)
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// discreet returns an error without anything that the service has sent.
func discreet(ctx context.Context, err error) error {
	return fmt.Errorf("asking the webhook: %w", peers.Discreet(ctx, err))
}

// Close closes the connections that nobody uses.
func (c *Client) Close() { c.transport.CloseIdleConnections() }
